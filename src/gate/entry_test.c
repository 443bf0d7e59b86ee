/* SPDX-License-Identifier: Apache-2.0
 * Tests of what the gate seals about object versions and parts, and of the commands that carry it.
 * Role: tests of entry.c, entry_part.c, command.c. Trusts: nothing. Law: 2. Spec: docs/spec/entry.md
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/entry.h"
#include "wire/wire.h"

static const uint8_t scope[ID_BYTES] = {1}, other[ID_BYTES] = {2};

struct sealed {
    struct keys_ctx *c;
    struct ledger_hash h;
    struct secret bucket_key, tenant_key;
    struct entry_place place;
    struct entry e;
    struct buf out;
};
static const uint8_t tenant[ID_BYTES] = {9};

static void seal(struct sealed *s)
{
    memset(s, 0, sizeof *s);
    s->c = keys_ctx_new();
    assert_int_equal(ledger_hash_init(&s->h), ERR_OK);
    assert_int_equal(keys_new(keys_rng(), &s->bucket_key), ERR_OK);
    assert_int_equal(keys_new(keys_rng(), &s->tenant_key), ERR_OK);
    s->place = (struct entry_place){.tenant = tenant, .bucket = scope, .key = SLICE_LIT("key")};
    s->e = (struct entry){.index = 42, .revision = 42, .order = 0x1234, .row_count = 2,
                          .facts = {.size = 7, .mtime_ms = 5, .etag = "abc", .etag_n = 3, .sum = 4, .sum_type = 1, .sum_n = 4, .tags = 2, .parts = 3,
                                    .account = "123456789012"}};
    s->e.row[0].plain_size = 3;
    s->e.row[1].plain_size = 4;
    s->e.row[1].blob[0] = 8;
    assert_int_equal(secret_new(&s->e.keys, 2 * KEYS_BYTES), ERR_OK);
    s->e.keys.p[33] = 77;
    buf_init(&s->out, ENTRY_BYTES_MAX);
    assert_int_equal(entry_seal(s->c, &s->h, keys_rng(), &s->bucket_key, &s->tenant_key, &s->place, &s->e, SLICE_LIT("meta"), &s->out), ERR_OK);
}

static void unseal(struct sealed *s)
{
    secret_done(&s->bucket_key);
    secret_done(&s->tenant_key);
    entry_done(&s->e);
    buf_done(&s->out);
    ledger_hash_done(&s->h);
    keys_ctx_free(s->c);
}

static enum err open_at(struct sealed *s, const struct entry_place *p, struct slice bytes, struct entry *e, struct buf *meta)
{
    buf_reset(meta);
    TRY(entry_parse(bytes, e));
    return entry_open_all(s->c, &s->h, &s->bucket_key, &s->tenant_key, p, e, meta);
}

static void an_entry_opens_in_its_own_place_only(void **state)
{
    (void)state;
    struct sealed s;
    struct entry e = {0};
    AUTO(buf) struct buf meta = BUF_INIT(100);
    seal(&s);
    assert_int_equal(open_at(&s, &s.place, buf_slice(&s.out), &e, &meta), ERR_OK);
    assert_int_equal(e.index, 42);
    assert_int_equal(e.facts.size, 7);
    assert_int_equal(e.row[1].plain_size, 4);
    assert_int_equal(e.keys.p[33], 77);
    assert_true(e.revision == 42 && e.order == 0x1234 && e.facts.sum_type == 1 && e.facts.tags == 2 && e.facts.parts == 3);
    assert_string_equal(e.facts.account, "123456789012");
    assert_true(slice_is(buf_slice(&meta), "meta"));
    struct entry_place elsewhere = s.place;
    elsewhere.key = SLICE_LIT("other");
    assert_int_equal(open_at(&s, &elsewhere, buf_slice(&s.out), &e, &meta), ERR_CORRUPT);
    elsewhere = s.place;
    elsewhere.bucket = other;
    assert_int_equal(open_at(&s, &elsewhere, buf_slice(&s.out), &e, &meta), ERR_CORRUPT);
    elsewhere = s.place;
    elsewhere.tenant = other;
    assert_int_equal(open_at(&s, &elsewhere, buf_slice(&s.out), &e, &meta), ERR_CORRUPT);
    s.out.p[9]++;                                  /* leaf index: an older version put in a newer one's place */
    assert_int_equal(open_at(&s, &s.place, buf_slice(&s.out), &e, &meta), ERR_CORRUPT);
    entry_done(&e);
    unseal(&s);
}

static void an_entry_cut_or_changed_anywhere_is_refused(void **state)
{
    (void)state;
    struct sealed s;
    struct entry e = {0};
    AUTO(buf) struct buf meta = BUF_INIT(100);
    seal(&s);
    for (size_t n = 0; n < s.out.n; n++) assert_int_not_equal(open_at(&s, &s.place, slice_of(s.out.p, n), &e, &meta), ERR_OK);
    size_t order = 10, rows = 27, rows_end = rows + 2 * 24;
    for (size_t i = 0; i < s.out.n; i++) {
        s.out.p[i] ^= 0x40;
        bool clear = (i >= order && i < order + 8) || (i >= rows && i < rows_end);   /* the keeper's own numbers; blobs are bound by their keys */
        enum err got_err = open_at(&s, &s.place, buf_slice(&s.out), &e, &meta);
        if (!clear) assert_int_not_equal(got_err, ERR_OK);
        s.out.p[i] ^= 0x40;
    }
    buf_put_u8(&s.out, 0);
    assert_int_not_equal(open_at(&s, &s.place, buf_slice(&s.out), &e, &meta), ERR_OK);
    entry_done(&e);
    unseal(&s);
}

static void parts_of_two_entries_do_not_fit_together(void **state)
{
    (void)state;
    struct sealed s;
    struct entry e = {0}, f = {0};
    AUTO(buf) struct buf two = BUF_INIT(ENTRY_BYTES_MAX), mixed = BUF_INIT(ENTRY_BYTES_MAX), meta = BUF_INIT(100);
    seal(&s);
    /* The same place, another meta: only the keybox can tell that it is not its own. */
    assert_int_equal(entry_seal(s.c, &s.h, keys_rng(), &s.bucket_key, &s.tenant_key, &s.place, &s.e, SLICE_LIT("atem"), &two), ERR_OK);
    assert_int_equal(entry_parse(buf_slice(&s.out), &e), ERR_OK);
    assert_int_equal(entry_parse(buf_slice(&two), &f), ERR_OK);
    buf_put(&mixed, s.out.p, (size_t)(e.facts_sealed.p - s.out.p) - 2);
    buf_put_lp16(&mixed, e.facts_sealed);
    buf_put_lp16(&mixed, f.meta_sealed);
    buf_put_lp16(&mixed, e.keybox_sealed);
    assert_int_equal(open_at(&s, &s.place, buf_slice(&mixed), &e, &meta), ERR_CORRUPT);
    entry_done(&e);
    unseal(&s);
}

static void facts_of_a_scanned_row_open_without_the_row_count(void **state)
{
    (void)state;
    struct sealed s;
    struct entry e = {0}, f;
    seal(&s);
    assert_int_equal(entry_parse(buf_slice(&s.out), &e), ERR_OK);
    struct wire_scan_row row = {.flags = e.flags, .leaf_index = 42, .order = e.order, .revision = 42, .facts = e.facts_sealed};
    entry_of_scan(&row, &f);
    assert_int_equal(entry_open_facts(s.c, &s.bucket_key, &s.place, &f), ERR_OK);
    assert_int_equal(f.facts.size, 7);
    for (unsigned i = 0; i < 3; i++) {             /* what the keeper says of it beside the seal is under the seal too */
        struct wire_scan_row other_row = row;
        if (i == 0) other_row.leaf_index = 41;
        if (i == 1) other_row.revision = 43;
        if (i == 2) other_row.flags = ENTRY_NULL;
        entry_of_scan(&other_row, &f);
        assert_int_equal(entry_open_facts(s.c, &s.bucket_key, &s.place, &f), ERR_CORRUPT);
    }
    unseal(&s);
}

/* Each kind of entry with its flags opens as itself and under no other flags. */
static void a_marker_is_no_object_and_a_null_version_no_other(void **state)
{
    (void)state;
    static const uint8_t flags[] = {0, ENTRY_NULL, ENTRY_MARKER, ENTRY_MARKER | ENTRY_NULL, ENTRY_SET, ENTRY_SET | ENTRY_NULL, ENTRY_PART, ENTRY_UPLOAD};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        struct sealed s;
        struct entry e = {0};
        AUTO(buf) struct buf meta = BUF_INIT(100);
        seal(&s);
        bool set = flags[i] & ENTRY_SET, rows = !set && !(flags[i] & (ENTRY_MARKER | ENTRY_UPLOAD));
        s.e.flags = flags[i];
        s.e.row_count = rows;
        s.e.parts = set ? 3 : 0;
        s.e.set[0] = set ? 5 : 0;
        s.e.row[0].plain_size = s.e.facts.size;
        entry_done(&s.e);
        if (rows || set) assert_int_equal(secret_new(&s.e.keys, KEYS_BYTES), ERR_OK);
        buf_reset(&s.out);
        assert_int_equal(entry_seal(s.c, &s.h, keys_rng(), &s.bucket_key, &s.tenant_key, &s.place, &s.e, SLICE_LIT("meta"), &s.out), ERR_OK);
        assert_int_equal(open_at(&s, &s.place, buf_slice(&s.out), &e, &meta), ERR_OK);
        assert_int_equal(e.flags, flags[i]);
        assert_int_equal(e.keys.n, rows || set ? KEYS_BYTES : 0);
        if (set) assert_true(e.parts == 3 && e.set[0] == 5);
        for (unsigned f = 0; f < 256; f++) {
            if (f == flags[i]) continue;
            s.out.p[1] = (uint8_t)f;
            assert_int_not_equal(open_at(&s, &s.place, buf_slice(&s.out), &e, &meta), ERR_OK);
        }
        entry_done(&e);
        unseal(&s);
    }
}

static void an_entry_changed_in_place_has_another_revision(void **state)
{
    (void)state;
    struct sealed s;
    struct entry e = {0};
    AUTO(buf) struct buf meta = BUF_INIT(100);
    seal(&s);
    s.e.revision = 50;
    buf_reset(&s.out);
    assert_int_equal(entry_seal(s.c, &s.h, keys_rng(), &s.bucket_key, &s.tenant_key, &s.place, &s.e, SLICE_LIT("meta"), &s.out), ERR_OK);
    assert_int_equal(open_at(&s, &s.place, buf_slice(&s.out), &e, &meta), ERR_OK);
    assert_true(e.index == 42 && e.revision == 50);
    put_be64(s.out.p + 18, 49);                    /* an older change put in a newer one's place */
    assert_int_equal(open_at(&s, &s.place, buf_slice(&s.out), &e, &meta), ERR_CORRUPT);
    put_be64(s.out.p + 18, 41);                    /* before it was made */
    assert_int_equal(entry_parse(buf_slice(&s.out), &e), ERR_CORRUPT);
    entry_done(&e);
    unseal(&s);
}

static void meta_headers_are_found_and_replaced(void **state)
{
    (void)state;
    AUTO(buf) struct buf meta = BUF_INIT(1000), out = BUF_INIT(1000), last = BUF_INIT(1000);
    wire_put_header(&meta, SLICE_LIT("content-type"), SLICE_LIT("a/b"));
    wire_put_header(&meta, SLICE_LIT("x-amz-tagging"), SLICE_LIT("a=1"));
    wire_put_header(&meta, SLICE_LIT("x-amz-meta-q"), SLICE_LIT(""));
    assert_true(slice_is(entry_meta_header(buf_slice(&meta), "x-amz-tagging"), "a=1"));
    assert_null(entry_meta_header(buf_slice(&meta), "x-amz").p);
    entry_meta_set(buf_slice(&meta), "x-amz-tagging", SLICE_LIT("b=2&c=3"), &out);
    assert_true(slice_is(entry_meta_header(buf_slice(&out), "x-amz-tagging"), "b=2&c=3"));
    assert_true(slice_is(entry_meta_header(buf_slice(&out), "content-type"), "a/b"));
    assert_non_null(entry_meta_header(buf_slice(&out), "x-amz-meta-q").p);
    entry_meta_set(buf_slice(&out), "x-amz-tagging", slice_of(NULL, 0), &last);
    assert_null(entry_meta_header(buf_slice(&last), "x-amz-tagging").p);
}

static void version_ids_say_index_and_order_and_null_says_null(void **state)
{
    (void)state;
    struct entry e = {.index = 7, .order = 0x0102030405060708};
    AUTO(buf) struct buf text = BUF_INIT(64), older = BUF_INIT(64);
    bool null;
    uint64_t index, order;
    entry_version_text(&e, &text);
    assert_int_equal(text.n, ID_TEXT_CHARS);
    assert_true(entry_version_parse(buf_slice(&text), &null, &index, &order));
    assert_true(!null && index == 7 && order == e.order);
    e.index = 6;
    entry_version_text(&e, &older);
    assert_true(slice_cmp(buf_slice(&text), buf_slice(&older)) < 0);     /* newest first */
    for (size_t n = 0; n < text.n; n++) assert_false(entry_version_parse(slice_of(text.p, n), &null, &index, &order));
    assert_true(entry_version_parse(SLICE_LIT("null"), &null, &index, &order) && null);
    assert_false(entry_version_parse(SLICE_LIT("aaaaaaaaaaaaaaaaaaaaaaaaa!"), &null, &index, &order));
    e.flags = ENTRY_NULL;
    buf_reset(&text);
    entry_version_text(&e, &text);
    assert_true(slice_is(buf_slice(&text), "null"));
    uint8_t first[ID_BYTES], second[ID_BYTES];
    entry_upload_id(7, (const uint8_t *)"zzzzzzzz", first);
    entry_upload_id(8, (const uint8_t *)"aaaaaaaa", second);
    assert_true(memcmp(first, second, ID_BYTES) < 0);                    /* uploads list in the order they began */
}

/* Part rows: a row of another set, at another place, of another tenant, or of a part that was replaced since does not open. */
static void a_part_row_opens_in_its_own_set_and_place_only(void **state)
{
    (void)state;
    struct keys_ctx *c = keys_ctx_new();
    struct secret set_key = SECRET_INIT, other_set_key = SECRET_INIT;
    uint8_t key[KEYS_BYTES], back[KEYS_BYTES];
    AUTO(buf) struct buf out = BUF_INIT(PART_ROW_BYTES_MAX);
    struct entry_part part = {.number = 3, .plain_size = 99, .blob = {4}, .key = key, .sum = 6, .sum_n = 64}, got_part;
    memset(key, 8, sizeof key);
    memset(part.sum_value, 9, sizeof part.sum_value);
    assert_int_equal(keys_new(keys_rng(), &set_key), ERR_OK);
    assert_int_equal(keys_new(keys_rng(), &other_set_key), ERR_OK);
    assert_int_equal(entry_part_seal(c, keys_rng(), &set_key, tenant, scope, 1000, &part, &out), ERR_OK);
    assert_true(buf_ok(&out));                     /* the longest checksum fits */
    assert_int_equal(entry_part_open(c, &set_key, tenant, scope, 1000, buf_slice(&out), &got_part, back), ERR_OK);
    assert_true(got_part.number == 3 && got_part.plain_size == 99 && got_part.blob[0] == 4 && got_part.sum == 6 && got_part.sum_n == 64);
    assert_memory_equal(back, key, sizeof key);
    assert_int_equal(entry_part_open(c, &set_key, tenant, scope, 1001, buf_slice(&out), &got_part, back), ERR_CORRUPT);
    assert_int_equal(entry_part_open(c, &set_key, tenant, other, 1000, buf_slice(&out), &got_part, back), ERR_CORRUPT);
    assert_int_equal(entry_part_open(c, &set_key, other, scope, 1000, buf_slice(&out), &got_part, back), ERR_CORRUPT);
    assert_int_equal(entry_part_open(c, &other_set_key, tenant, scope, 1000, buf_slice(&out), &got_part, back), ERR_CORRUPT);
    for (size_t n = 0; n < out.n; n++) assert_int_not_equal(entry_part_open(c, &set_key, tenant, scope, 1000, slice_of(out.p, n), &got_part, back), ERR_OK);
    secret_done(&set_key);
    secret_done(&other_set_key);
    keys_ctx_free(c);
}

static void assert_bytes(const struct buf *b, const char *want)
{
    AUTO(buf) struct buf hex = BUF_INIT(4000);
    buf_put_hex(&hex, buf_slice(b));
    buf_put_u8(&hex, 0);
    assert_string_equal((char *)hex.p, want);
}

#define HEX_SCOPE "01000000000000000000000000000000"
#define HEX_OTHER "02000000000000000000000000000000"
#define HEX_PLACE HEX_SCOPE "0001" "6b"
static const struct command_turn a_turn = {.guard = COMMAND_GUARD_ABSENT, .keep = true, .null_index = 4, .grave_ms = 3};
#define HEX_TURN "ffffffffffffffff" "01" "0000000000000004" "0000000000000003"

static void commands_have_the_bytes_of_the_specification(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(1000);
    command_begin(&b, COMMAND_DELETE, 0x0102);
    command_place(&b, scope, SLICE_LIT("k"));
    command_turn(&b, &a_turn);
    assert_bytes(&b, "02" "02" "0000000000000102" HEX_PLACE HEX_TURN);
    buf_reset(&b);
    command_begin(&b, COMMAND_PURGE, 1);
    command_purge(&b, 2, 1);
    command_purge_bucket(&b, other, true);
    assert_bytes(&b, "02" "05" "0000000000000001" "0000000000000002" "0001" HEX_OTHER "01");
    buf_reset(&b);
    command_begin(&b, COMMAND_PUT, 1);
    command_place(&b, scope, SLICE_LIT("k"));
    command_turn(&b, &a_turn);
    command_shared(&b, other, SLICE_LIT("q"), 9);
    command_entry(&b, SLICE_LIT("e"));
    assert_bytes(&b, "02" "01" "0000000000000001" HEX_PLACE HEX_TURN "01" HEX_OTHER "0001" "71" "0000000000000009" "00000001" "65");
    buf_reset(&b);
    command_begin(&b, COMMAND_BATCH, 1);
    command_batch_count(&b, 2);
    command_item(&b, COMMAND_DELVER);
    command_place(&b, scope, SLICE_LIT("k"));
    command_u64(&b, 5);
    command_u64(&b, 6);
    command_item(&b, COMMAND_ABORT);
    command_place(&b, scope, SLICE_LIT("k"));
    command_id(&b, other);
    assert_bytes(&b, "02" "04" "0000000000000001" "0002" "06" HEX_PLACE "0000000000000005" "0000000000000006" "0a" HEX_PLACE HEX_OTHER);
    buf_reset(&b);
    command_begin(&b, COMMAND_PART, 1);
    command_place(&b, scope, SLICE_LIT("k"));
    command_id(&b, other);
    command_u16(&b, 7);
    command_u64(&b, COMMAND_GUARD_ABSENT);
    command_staged(&b);
    command_entry(&b, SLICE_LIT("e"));
    assert_bytes(&b, "02" "08" "0000000000000001" HEX_PLACE HEX_OTHER "0007" "ffffffffffffffff" "00" "00000001" "65");
    buf_reset(&b);
    command_begin(&b, COMMAND_COMPLETE, 1);
    command_place(&b, scope, SLICE_LIT("k"));
    command_turn(&b, &a_turn);
    command_id(&b, other);
    command_entry(&b, SLICE_LIT("e"));
    command_u16(&b, 1);
    command_part_row(&b, 2, 3, 4, 5, SLICE_LIT("s"));
    assert_bytes(&b, "02" "09" "0000000000000001" HEX_PLACE HEX_TURN HEX_OTHER "00000001" "65" "0001"
                 "0002" "0000000000000003" "0000000000000004" "0000000000000005" "0001" "73");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_opens_in_its_own_place_only),
        cmocka_unit_test(an_entry_cut_or_changed_anywhere_is_refused),
        cmocka_unit_test(parts_of_two_entries_do_not_fit_together),
        cmocka_unit_test(facts_of_a_scanned_row_open_without_the_row_count),
        cmocka_unit_test(a_marker_is_no_object_and_a_null_version_no_other),
        cmocka_unit_test(an_entry_changed_in_place_has_another_revision),
        cmocka_unit_test(meta_headers_are_found_and_replaced),
        cmocka_unit_test(version_ids_say_index_and_order_and_null_says_null),
        cmocka_unit_test(a_part_row_opens_in_its_own_set_and_place_only),
        cmocka_unit_test(commands_have_the_bytes_of_the_specification),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
