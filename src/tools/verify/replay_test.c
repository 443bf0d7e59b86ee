/* SPDX-License-Identifier: Apache-2.0
 * A small tenant's two logs, written as the gate writes them, exported, and replayed: whole, and each time with one thing wrong.
 * Spec: docs/spec/record.md section 4, docs/spec/policy.md section 4, docs/spec/statement.md
 */
#include "verify/replay_test.h"

/* The story all tests spoil: two keys put, read, one overwritten, listed, deleted; a write that was voided; a batch. */
static void story(struct tenant *t)
{
    tenant_init(t);
    tenant_bucket(t, "photos", 1);
    put(t, "a", RECORD_VER_NONE, 10);                 /* access/0 */
    put(t, "b/1", RECORD_VER_NONE, 20);               /* 1 */
    get(t, "a", 0, 10);                               /* 2 */
    put(t, "a", 0, 30);                               /* 3 */
    put(t, "b/2", RECORD_VER_NONE, 5);                /* 4 */
    voided(t, 4);                                     /* 5 */
    get(t, "a", 3, 30);                               /* 6 */
    absent(t, "b/2");                                 /* 7 */
    list(t, "", "/", "", 8, (struct row[]){{0, "a", 3}, {1, "b/", 0}}, 2, "");     /* 8 */
    list(t, "", "", "", 3, (struct row[]){{0, "a", 0}, {0, "b/1", 1}}, 2, "");     /* 9: as of before the overwrite */
    batch(t, (struct row[]){{2, "a", 3}, {0, "c", RECORD_VER_NONE}}, 2);          /* 10 */
    absent(t, "a");                                   /* 11 */
    del(t, "b/1", 1);                                 /* 12 */
}

static void the_whole_story_holds(void **state)
{
    (void)state;
    struct tenant t;
    story(&t);
    purge(&t);
    tenant_bucket(&t, "photos", 0);
    tenant_bucket(&t, "photos", 1);
    put(&t, "a", RECORD_VER_NONE, 1);                 /* another bucket of the same name: nothing is in it */
    expect(&t, NULL, NULL, VERIFY_NOWHERE);
}

static void each_thing_that_is_wrong_is_named(void **state)
{
    (void)state;
    struct tenant t;
#define WRONG(name, index, ...)                  \
    do {                                             \
        story(&t);                                   \
        uint64_t at = t.access.count;                \
        (void)at;                                    \
        __VA_ARGS__;                                 \
        expect(&t, name, "access", index);           \
    } while (0)
    /* reads */
    WRONG("stale-version", at, get(&t, "b/2", 4, 5));                             /* the voided write */
    WRONG("stale-version", at, absent(&t, "d"); put(&t, "d", 1, 1); at++);
    WRONG("stale-version", at + 1, put(&t, "a", RECORD_VER_NONE, 4); absent(&t, "a"));
    WRONG("stale-version", at + 2, put(&t, "a", RECORD_VER_NONE, 4); put(&t, "a", at, 5); get(&t, "a", at, 4));
    WRONG("wrong-bytes", at + 1, put(&t, "a", RECORD_VER_NONE, 4); get(&t, "a", at, 5));
    WRONG("stale-version", at, batch(&t, (struct row[]){{2, "b/1", 1}}, 1));
    /* writes and voids */
    WRONG("bad-void", at, voided(&t, 2));
    WRONG("bad-void", at, voided(&t, 4));
    /* listings */
    WRONG("wrong-listing", at, list(&t, "", "", "", at, (struct row[]){{0, "a", 3}}, 1, ""));
    WRONG("wrong-listing", at, list(&t, "", "", "", 3, (struct row[]){{0, "a", 0}}, 1, ""));
    WRONG("wrong-listing", at, list(&t, "", "", "", 3, (struct row[]){{0, "a", 3}, {0, "b/1", 1}}, 2, ""));
    WRONG("wrong-listing", at, list(&t, "", "", "", 3, (struct row[]){{0, "a", 0}, {0, "b/1", 1}}, 2, "b/1"));
    WRONG("wrong-asof", at, list(&t, "", "", "", at + 5, NULL, 0, ""));
    /* decisions */
    WRONG("wrong-decision", at, t.lie_dec = true; get(&t, "nothing", RECORD_VER_NONE, 0));
    WRONG("wrong-ctl", at, t.lie_ctl = true; absent(&t, "a"));
    WRONG("bad-export", at, t.lie_opening = true; absent(&t, "a"));
    WRONG("time-falls", at, t.now = 5; absent(&t, "a"));
#undef WRONG
}

static void pages_of_a_listing_hold_together(void **state)
{
    (void)state;
    struct tenant t;
    tenant_init(&t);
    tenant_bucket(&t, "photos", 1);
    static const char *const names[] = {"a", "b/1", "b/2", "b0", "c"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) put(&t, names[i], RECORD_VER_NONE, 1);
    list(&t, "", "/", "", 5, (struct row[]){{0, "a", 0}, {1, "b/", 0}}, 2, "b/");
    list(&t, "", "/", "b/", 5, (struct row[]){{0, "b0", 3}, {0, "c", 4}}, 2, "");
    list(&t, "", "/", "b/1", 5, (struct row[]){{1, "b/", 0}, {0, "b0", 3}, {0, "c", 4}}, 3, "");   /* behind a name inside the group */
    list(&t, "b", "/", "", 5, (struct row[]){{1, "b/", 0}, {0, "b0", 3}}, 2, "");
    list(&t, "b/", "/", "b/1", 5, (struct row[]){{0, "b/2", 2}}, 1, "");
    list(&t, "", "", "b/1", 5, (struct row[]){{0, "b/2", 2}}, 1, "b/2");
    expect(&t, NULL, NULL, VERIFY_NOWHERE);
}

static void a_deleted_bucket_with_keys_is_named(void **state)
{
    (void)state;
    struct tenant t;
    tenant_init(&t);
    tenant_bucket(&t, "photos", 1);
    put(&t, "a", RECORD_VER_NONE, 1);
    uint64_t at = t.control.count;
    tenant_bucket(&t, "photos", 0);
    expect(&t, "bucket-not-empty", "control", at);
}

static void a_statement_by_another_key_is_named(void **state)
{
    (void)state;
    struct tenant t;
    tenant_init(&t);
    uint64_t at = t.control.count;
    statement_key(&t, "AKIAZZZZZZZZZZZZZZZZ", true, false);
    expect(&t, "bad-statement", "control", at);
    tenant_init(&t);
    statement_key(&t, "AKIAZZZZZZZZZZZZZZZZ", false, true);   /* the same statement twice */
    expect(&t, "bad-statement", "control", t.control.count - 1);
}

/* Against a served log a shorter export is an earlier one, and no difference; against a checkpoint of its own it is cut. */
static void a_cut_export_is_named(void **state)
{
    (void)state;
    struct tenant t;
    story(&t);
    t.from_files = true;
    expect(&t, NULL, NULL, VERIFY_NOWHERE);
    story(&t);
    t.cut = 1, t.from_files = true;
    expect(&t, "dropped-tail", "access", VERIFY_NOWHERE);
    story(&t);
    t.cut = 1;
    expect(&t, NULL, NULL, VERIFY_NOWHERE);
    story(&t);
    t.swap = true;
    expect(&t, "bad-export", "access", VERIFY_NOWHERE);
}

static void a_manifest_shows_effects_and_leaves_apart(void **state)
{
    (void)state;
    struct tenant t;
    story(&t);
    put(&t, "x", RECORD_VER_NONE, 1);                 /* access/13 */
    t.manifest = "{\"bucket\":\"photos\",\"key\":\"x\",\"etag\":\"\\\"tag1\\\"\"}\n";
    expect(&t, NULL, NULL, VERIFY_NOWHERE);
    story(&t);
    put(&t, "x", RECORD_VER_NONE, 1);
    t.manifest = "";
    expect(&t, "leaf-without-effect", "access", 13);
    story(&t);
    t.manifest = "{\"bucket\":\"photos\",\"key\":\"b/1\"}\n";
    expect(&t, "effect-without-leaf", "manifest", 0);
    story(&t);
    put(&t, "x", RECORD_VER_NONE, 1);
    t.manifest = "{\"bucket\":\"photos\",\"key\":\"x\",\"etag\":\"another\"}\n";
    expect(&t, "effect-without-leaf", "manifest", 0);
}

static enum err line_read(const char *text, size_t n, struct ledger_hash *h)
{
    const char *why;
    struct verify_export x = {.opening_bytes = BUF_INIT(OPENING_BYTES_MAX), .file = fmemopen((void *)(uintptr_t)text, n, "r")};
    assert_non_null(x.file);
    enum err e = verify_export_next(&x, h, RECORD_LOG_ACCESS, &why);
    verify_export_close(&x);
    return e;
}

static void a_line_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    static const char line[] = "{\"index\":0,\"leaf\":{\"kind\":\"sum\",\"n\":1,\"t\":5,\"v\":1,\"why\":\"AccessDenied\"},\"opening\":\"\"}\n";
    struct ledger_hash h;
    assert_int_equal(ledger_hash_init(&h), ERR_OK);
    assert_int_equal(line_read(line, sizeof line - 1, &h), ERR_OK);
    for (size_t n = 1; n < sizeof line - 1; n++) {
        char cut[sizeof line];
        memcpy(cut, line, n);
        assert_int_equal(line_read(cut, n, &h), ERR_TRUNCATED);
        cut[n] = '\n';                                /* a whole line, but of what is left */
        if (n + 2 < sizeof line) assert_int_not_equal(line_read(cut, n + 1, &h), ERR_OK);
    }
    ledger_hash_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_story_holds),
        cmocka_unit_test(each_thing_that_is_wrong_is_named),
        cmocka_unit_test(pages_of_a_listing_hold_together),
        cmocka_unit_test(a_deleted_bucket_with_keys_is_named),
        cmocka_unit_test(a_statement_by_another_key_is_named),
        cmocka_unit_test(a_cut_export_is_named),
        cmocka_unit_test(a_line_cut_at_any_byte_is_refused),
        cmocka_unit_test(a_manifest_shows_effects_and_leaves_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
