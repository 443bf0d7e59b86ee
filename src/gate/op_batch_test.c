/* SPDX-License-Identifier: Apache-2.0
 * DeleteObjects and the gate's own batches, with versions and markers; and listings of versions, uploads and parts.
 * Role: tests of batch.c, op_batch.c, op_list*.c. Trusts: object_rig.c. Law: 1. Spec: docs/spec/order.md (DeleteObjects, LIST), docs/spec/record.md
 */
#include <stdio.h>

#include "gate/object_rig.h"

/* DeleteObjects ----------------------------------------------------------------------------------------------------------------- */

static struct answer delete_objects(struct rig *r, const char *objects)
{
    char xml[4096];
    snprintf(xml, sizeof xml, "<Delete>%s</Delete>", objects);
    return object_control(r, (struct rig_ask){.method = "POST", .path = "/bucket", .query = "delete=", .body = xml}, 200);
}

struct items {
    size_t n;
    struct { uint8_t kind; char key[16]; uint64_t ver; } item[8];
};
static struct items items_of(struct rig *r, uint64_t index)
{
    struct items out = {0};
    struct rig_leaf l;
    struct slice key;
    rig_leaf(r, index, &l);
    const struct record_opened *o = record_opened_field(&l.opening, RECORD_F_ITEMS);
    assert_non_null(o);
    struct reader in = reader_of(o->value);
    while (reader_left(&in) > 0) {
        assert_int_equal(record_row_get(&in, &out.item[out.n].kind, &key, &out.item[out.n].ver), ERR_OK);
        memcpy(out.item[out.n++].key, key.p, key.n);
    }
    assert_int_equal(record_int(&l.leaf, RECORD_F_N, 99), out.n);
    rig_leaf_done(&l);
    return out;
}

static void keys_end_and_what_is_absent_is_an_item_that_saw_nothing(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    struct answer a = object_put(r, "/bucket/a", "x");
    struct answer gone = delete_objects(r, "<Object><Key>b</Key></Object><Object><Key>a</Key></Object>");
    object_has(gone, "<Deleted><Key>b</Key></Deleted><Deleted><Key>a</Key></Deleted>");   /* as asked */
    struct items i = items_of(r, gone.index);
    assert_int_equal(i.n, 2);
    assert_int_equal(i.item[0].kind, 2);
    assert_string_equal(i.item[0].key, "a");
    assert_int_equal(i.item[0].ver, a.index);
    assert_int_equal(i.item[1].kind, 0);
    assert_int_equal(i.item[1].ver, RECORD_VER_NONE);
    assert_int_equal(object_count(r, "a", RIG_GRAVE), 1);
    object_end(r);
}

static void a_batch_of_nothing_is_a_read_that_is_durable_before_its_answer(void **state)
{
    struct rig *r = object_begin();
    struct rig_leaf l;
    (void)state;
    struct answer gone = delete_objects(r, "<Object><Key>b</Key></Object>");
    object_has(gone, "<Deleted><Key>b</Key></Deleted>");
    rig_leaf(r, gone.index, &l);
    assert_false(record_has(&l.leaf, RECORD_F_W));
    rig_leaf_done(&l);
    object_end(r);
}

static void with_versioning_keys_get_markers_and_versions_end(void **state)
{
    struct rig *r = object_begin();
    char xml[512], marker[64];
    (void)state;
    object_versioning(r, "Enabled");
    struct answer one = object_put(r, "/bucket/a", "one"), two = object_put(r, "/bucket/a", "two");
    snprintf(xml, sizeof xml, "<Object><Key>a</Key><VersionId>%s</VersionId></Object><Object><Key>a</Key></Object><Object><Key>new</Key></Object>"
             "<Object><Key>a</Key><VersionId>aaaaaaaaaaaaaaaaaaaaaaaaaa</VersionId></Object><Object><Key>a</Key><VersionId>bad</VersionId></Object>", one.version);
    struct answer gone = delete_objects(r, xml);
    snprintf(xml, sizeof xml, "<Deleted><Key>a</Key><VersionId>%s</VersionId></Deleted>", one.version);
    object_has(gone, xml);
    object_has(gone, "<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>");
    object_has(gone, "<Error><Key>a</Key><VersionId>bad</VersionId><Code>InvalidArgument</Code>");
    object_has(gone, "<VersionId>aaaaaaaaaaaaaaaaaaaaaaaaaa</VersionId></Deleted>");
    struct items i = items_of(r, gone.index);
    assert_int_equal(i.n, 4);
    assert_int_equal(i.item[0].kind, 3);
    assert_int_equal(i.item[0].ver, two.index);
    uint8_t rest = 0;
    for (size_t k = 1; k < 3; k++) rest |= i.item[k].kind == 4 && i.item[k].ver == one.index ? 1 : i.item[k].kind == 0 ? 2 : 4;
    assert_int_equal(rest, 3);
    assert_int_equal(i.item[3].kind, 3);
    assert_string_equal(i.item[3].key, "new");
    assert_int_equal(i.item[3].ver, RECORD_VER_NONE);
    assert_int_equal(object_count(r, "a", RIG_CURRENT), 1);
    assert_int_equal(object_count(r, "a", RIG_NONCURRENT), 1);
    object_is(object_get(r, "/bucket/a", NULL), 404, "NoSuchKey");
    /* the marker itself, by the id that was answered */
    object_element(gone, "DeleteMarkerVersionId", 0, marker, sizeof marker);
    snprintf(xml, sizeof xml, "<Object><Key>a</Key><VersionId>%s</VersionId></Object>", marker);
    gone = delete_objects(r, xml);
    snprintf(xml, sizeof xml, "<VersionId>%s</VersionId><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>%s<", marker, marker);
    object_has(gone, xml);
    assert_string_equal(object_get(r, "/bucket/a", NULL).version, two.version);
    object_end(r);
}

static void what_one_item_has_ended_is_nothing_to_the_next(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_put(r, "/bucket/a", "null");
    struct answer gone = delete_objects(r, "<Object><Key>a</Key><VersionId>null</VersionId></Object><Object><Key>a</Key></Object><Object><Key>a</Key></Object>");
    object_lacks(gone, "<Error>");
    struct items i = items_of(r, gone.index);
    assert_int_equal(i.n, 2);
    assert_int_equal(i.item[0].kind, 2);
    assert_int_equal(i.item[1].kind, 0);
    assert_int_equal(object_count(r, "a", RIG_CURRENT), 0);
    object_put(r, "/bucket/a", "null again");
    object_versioning(r, "Enabled");
    object_put(r, "/bucket/a", "kept");
    object_versioning(r, "Suspended");
    gone = delete_objects(r, "<Object><Key>a</Key><VersionId>null</VersionId></Object><Object><Key>a</Key></Object>");
    object_has(gone, "<DeleteMarkerVersionId>null</DeleteMarkerVersionId>");
    assert_int_equal(object_count(r, "a", RIG_CURRENT), 1);
    assert_int_equal(object_count(r, "a", RIG_NONCURRENT), 1);
    object_end(r);
}

static void a_key_whose_tag_does_not_match_stays(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_put(r, "/bucket/a", "x");
    object_put(r, "/bucket/b", "x");
    struct answer gone = delete_objects(r, "<Object><Key>a</Key><ETag>\"no\"</ETag></Object><Object><Key>b</Key></Object>");
    object_has(gone, "<Error><Key>a</Key><Code>PreconditionFailed</Code>");
    assert_int_equal(object_count(r, "a", RIG_CURRENT), 1);
    assert_int_equal(object_count(r, "b", RIG_CURRENT), 0);
    assert_int_equal(items_of(r, gone.index).n, 1);
    object_end(r);
}

static void a_refused_batch_ends_nothing_and_says_so_per_key(void **state)
{
    struct rig *r = object_begin();
    (void)state;
    object_put(r, "/bucket/a", "x");
    r->refuse = true;
    struct answer gone = delete_objects(r, "<Object><Key>a</Key></Object><Object><Key>b</Key></Object>");
    object_has(gone, "<Error><Key>a</Key><Code>ServiceUnavailable</Code>");
    object_has(gone, "<Deleted><Key>b</Key></Deleted>");
    r->refuse = false;
    assert_int_equal(object_get(r, "/bucket/a", NULL).status, 200);
    object_is(object_put(r, "/bucket/a", "y"), 200, "");     /* its hold went */
    object_end(r);
}

static void many_markers_are_many_leaves_and_one_answer(void **state)
{
    struct rig *r = object_begin();
    char xml[4096] = "";
    (void)state;
    object_versioning(r, "Enabled");
    uint64_t size = log_size(r->t->access);
    for (unsigned i = 0; i < 60; i++) {
        size_t n = strlen(xml);
        snprintf(xml + n, sizeof xml - n, "<Object><Key>k%02u</Key></Object>", i);
    }
    char quiet[4200];
    snprintf(quiet, sizeof quiet, "<Quiet>true</Quiet>%s", xml);
    struct answer gone = delete_objects(r, quiet);
    object_lacks(gone, "<Deleted>");
    object_lacks(gone, "<Error>");
    assert_int_equal(log_size(r->t->access), size + 2);      /* 60 of GATE_BATCH_MARKERS_MAX each */
    assert_int_equal(object_count(r, "k00", RIG_CURRENT), 1);
    assert_int_equal(object_count(r, "k59", RIG_CURRENT), 1);
    object_end(r);
}

/* One key, so many versions that two leaves are needed: it is held until both are settled, and a slice that saw nothing is waited for. */
static void a_key_whose_items_fill_two_slices_is_held_to_the_end(void **state)
{
    struct rig *r = object_begin();
    static char xml[200000];
    const char *key = "a-key-that-is-as-long-as-the-arrays-of-this-keeper-allow-it-be";
    char path[128];
    size_t n = (size_t)snprintf(xml, sizeof xml, "<Delete><Quiet>true</Quiet>");
    (void)state;
    object_versioning(r, "Enabled");
    snprintf(path, sizeof path, "/bucket/%s", key);
    struct answer one = object_put(r, path, "one");
    for (unsigned i = 0; i < 800; i++)
        n += (size_t)snprintf(xml + n, sizeof xml - n, "<Object><Key>%s</Key><VersionId>aaaaaaaaaaaaaaaaaaaaaa%c%c%ca</VersionId></Object>", key, 'a' + i / 100, 'a' + i / 10 % 10,
                              'a' + i % 10);
    snprintf(xml + n, sizeof xml - n, "<Object><Key>%s</Key><VersionId>%s</VersionId></Object></Delete>", key, one.version);
    uint64_t size = log_size(r->t->access);
    struct answer gone = object_control(r, (struct rig_ask){.method = "POST", .path = "/bucket", .query = "delete=", .body = xml}, 200);
    object_lacks(gone, "<Error>");
    assert_int_equal(log_size(r->t->access), size + 2);
    struct rig_leaf l;
    uint64_t items = 0;
    for (uint64_t i = size; i < size + 2; i++) {
        rig_leaf(r, i, &l);
        items += record_int(&l.leaf, RECORD_F_N, 0);
        rig_leaf_done(&l);
    }
    assert_int_equal(items, 801);
    assert_int_equal(object_count(r, key, RIG_CURRENT), 0);
    assert_int_equal(holds_count(r->g->holds), 0);
    object_is(object_put(r, path, "again"), 200, "");
    object_end(r);
}

/* the gate's own ------------------------------------------------------------------------------------------------------------------ */

static size_t own_done = SIZE_MAX;
static void own_over(void *ctx, size_t n)
{
    (void)ctx;
    own_done = n;
}

static size_t run_own(struct rig *r, const char *act, const struct batch_wish *w, size_t n)
{
    own_done = SIZE_MAX;
    batch_auto(r->g, r->t, tenants_bucket(r->t, SLICE_LIT("bucket")), act, w, n, own_over, NULL);
    assert_int_equal(own_done, SIZE_MAX);          /* never from within */
    for (unsigned i = 0; own_done == SIZE_MAX && i < 500; i++) rig_turns(r, 2);
    return own_done;
}

static void the_gates_own_batch_ends_what_is_still_as_it_was_wished_for(void **state)
{
    struct rig *r = object_begin();
    struct rig_leaf l;
    (void)state;
    object_versioning(r, "Enabled");
    struct answer one = object_put(r, "/bucket/a", "one"), two = object_put(r, "/bucket/a", "two"), b = object_put(r, "/bucket/b", "b");
    object_put(r, "/bucket/b", "newer");
    const struct batch_wish w[] = {
        {.kind = BATCH_REMOVE, .key = SLICE_LIT("a"), .ver = one.index},
        {.kind = BATCH_EXPIRE, .key = SLICE_LIT("a"), .ver = two.index},
        {.kind = BATCH_EXPIRE, .key = SLICE_LIT("b"), .ver = b.index},      /* it is not current any more */
        {.kind = BATCH_REMOVE, .key = SLICE_LIT("c"), .ver = 1},
    };
    assert_int_equal(run_own(r, "LifecycleExpire", w, ARRAY_LEN(w)), 2);
    uint64_t index = log_size(r->t->access) - 1;
    rig_leaf(r, index, &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_ACT), "LifecycleExpire"));
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_AUTH), "auto"));
    assert_int_equal(record_int(&l.leaf, RECORD_F_W, 0), 1);
    rig_leaf_done(&l);
    struct items i = items_of(r, index);
    assert_int_equal(i.n, 2);
    assert_int_equal(i.item[0].kind, 3);
    assert_int_equal(i.item[0].ver, two.index);
    assert_int_equal(i.item[1].kind, 4);
    assert_int_equal(i.item[1].ver, one.index);
    object_is(object_get(r, "/bucket/a", NULL), 404, "NoSuchKey");
    assert_int_equal(object_get(r, "/bucket/b", NULL).status, 200);
    object_end(r);
}

static void the_gates_own_batch_ends_uploads(void **state)
{
    struct rig *r = object_begin();
    char id[64];
    (void)state;
    struct answer a = object_ask(r, (struct rig_ask){.method = "POST", .path = "/bucket/a", .query = "uploads="});
    object_is(a, 200, "");
    object_element(a, "UploadId", 0, id, sizeof id);
    struct batch_wish w = {.kind = BATCH_ABORT, .key = SLICE_LIT("a"), .ver = a.index};
    assert_true(s3_id_parse(slice_str(id), w.upload));
    assert_int_equal(run_own(r, "LifecycleAbort", &w, 1), 1);
    struct items i = items_of(r, log_size(r->t->access) - 1);
    assert_int_equal(i.item[0].kind, 5);
    assert_int_equal(i.item[0].ver, a.index);
    assert_int_equal(run_own(r, "LifecycleAbort", &w, 1), 0);
    object_end(r);
}

/* listings ------------------------------------------------------------------------------------------------------------------------ */

struct listing {
    bool truncated;
    size_t n;
    struct { uint8_t kind; char key[16], id[64]; bool latest; uint64_t size; uint16_t number; } row[16];
    char next_key[64], next_id[64];
    uint16_t next_number;
    char owner[128];
    uint64_t index;
};

static void put_text(char *out, size_t out_n, struct slice s)
{
    assert_true(s.n < out_n);
    if (s.n) memcpy(out, s.p, s.n);
    out[s.n] = 0;
}

static struct listing list(struct rig *r, const char *path, const char *query)
{
    struct listing out = {0};
    struct wire_listing m;
    struct wire_listing_row row;
    uint64_t id = object_id();
    rig_ask(r, id, (struct rig_ask){.method = "GET", .path = path, .query = query});
    struct rig_frame *f = rig_wait(r, id);
    if (f->type == WIRE_ANSWER) fail_msg("%u %.*s", rig_answer(r, id).status, (int)rig_answer(r, id).code.n, rig_answer(r, id).code.p);
    assert_int_equal(f->type, WIRE_LISTING);
    assert_int_equal(wire_get_listing(buf_slice(&f->payload), &m), ERR_OK);
    out.truncated = m.truncated;
    out.index = rig_receipt(m.receipt);
    for (struct reader in = reader_of(m.rows); wire_next_listing_row(&in, &row);) {
        assert_true(out.n < ARRAY_LEN(out.row));
        out.row[out.n].kind = row.kind;
        out.row[out.n].latest = row.latest;
        out.row[out.n].size = row.size;
        out.row[out.n].number = row.number;
        put_text(out.row[out.n].key, sizeof out.row[0].key, row.key);
        put_text(out.row[out.n++].id, sizeof out.row[0].id, row.id);
    }
    struct reader next = reader_of(m.next), owner = reader_of(m.owner);
    if (m.next.n && m.kind == WIRE_SCAN_PARTS) out.next_number = reader_u16(&next);
    else if (m.next.n) {
        put_text(out.next_key, sizeof out.next_key, reader_lp16(&next, 64));
        put_text(out.next_id, sizeof out.next_id, reader_lp16(&next, 64));
    }
    assert_int_equal(reader_end(&next), ERR_OK);
    put_text(out.owner, sizeof out.owner, reader_lp16(&owner, 64));
    rig_forget(r, id);
    return out;
}

static void versions_are_listed_newest_first_and_markers_resume(void **state)
{
    struct rig *r = object_begin();
    char query[256];
    (void)state;
    object_put(r, "/bucket/a", "null");
    object_versioning(r, "Enabled");
    struct answer one = object_put(r, "/bucket/a", "one"), gone = object_delete(r, "/bucket/a", NULL), b = object_put(r, "/bucket/b", "bb");
    struct listing l = list(r, "/bucket", "versions=");
    assert_false(l.truncated);
    assert_string_equal(l.next_key, "");
    assert_int_equal(l.n, 4);
    assert_int_equal(l.row[0].kind, WIRE_ROW_MARKER);
    assert_true(l.row[0].latest);
    assert_string_equal(l.row[0].id, gone.version);
    assert_string_equal(l.row[1].id, one.version);
    assert_false(l.row[1].latest);
    assert_string_equal(l.row[2].id, "null");
    assert_int_equal(l.row[2].size, 4);
    assert_string_equal(l.row[3].id, b.version);
    assert_int_equal(strlen(l.owner), 64);
    /* a page of two, then on from its markers */
    l = list(r, "/bucket", "max-keys=2&versions=");
    assert_true(l.truncated);
    assert_int_equal(l.n, 2);
    assert_string_equal(l.next_key, "a");
    assert_string_equal(l.next_id, one.version);
    snprintf(query, sizeof query, "key-marker=a&max-keys=1&version-id-marker=%s&versions=", one.version);
    l = list(r, "/bucket", query);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.row[0].id, "null");
    assert_string_equal(l.next_id, "null");
    l = list(r, "/bucket", "key-marker=a&version-id-marker=null&versions=");
    assert_int_equal(l.n, 1);
    assert_string_equal(l.row[0].key, "b");
    l = list(r, "/bucket", "key-marker=a&versions=");
    assert_int_equal(l.n, 1);
    l = list(r, "/bucket", "max-keys=0&versions=");
    assert_int_equal(l.n, 0);
    assert_false(l.truncated);
    object_is(object_ask(r, (struct rig_ask){.method = "GET", .path = "/bucket", .query = "key-marker=a&version-id-marker=x&versions="}), 400, "InvalidArgument");
    object_end(r);
}

/* What the leaf commits to is what the rows say: the root is built anew here. */
static void the_leaf_of_a_listing_names_kind_and_rows(void **state)
{
    struct rig *r = object_begin();
    struct rig_leaf leaf;
    struct record_qry q;
    struct record_res res;
    struct ledger_frontier f;
    uint8_t hash[HASH_BYTES], root[HASH_BYTES];
    (void)state;
    object_versioning(r, "Enabled");
    struct answer one = object_put(r, "/bucket/a", "one"), gone = object_delete(r, "/bucket/a", NULL);
    struct listing l = list(r, "/bucket", "versions=");
    rig_leaf(r, l.index, &leaf);
    assert_int_equal(record_qry_get(record_opened_field(&leaf.opening, RECORD_F_QRY)->value, &q), ERR_OK);
    assert_int_equal(record_res_get(record_opened_field(&leaf.opening, RECORD_F_RES)->value, &res), ERR_OK);
    assert_int_equal(q.kind, 1);
    assert_int_equal(res.count, 2);
    ledger_frontier_init(&f);
    const struct { uint8_t kind; uint64_t index; } rows[] = {{2, gone.index}, {0, one.index}};
    for (size_t i = 0; i < 2; i++) {
        AUTO(buf) struct buf row = BUF_INIT(64);
        record_row_put(&row, rows[i].kind, SLICE_LIT("a"), rows[i].index);
        ledger_leaf_hash(&r->g->hash, buf_slice(&row), hash);
        ledger_frontier_append(&r->g->hash, &f, hash, NULL, NULL);
    }
    ledger_frontier_root(&r->g->hash, &f, root);
    assert_memory_equal(root, res.root, HASH_BYTES);
    rig_leaf_done(&leaf);
    object_end(r);
}

static void uploads_and_their_parts_are_listed(void **state)
{
    struct rig *r = object_begin();
    char id[2][64], query[256];
    struct rig_leaf leaf;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct answer a = object_ask(r, (struct rig_ask){.method = "POST", .path = "/bucket/a", .query = "uploads="});
        object_element(a, "UploadId", 0, id[i], sizeof id[i]);
    }
    struct listing l = list(r, "/bucket", "uploads=");
    assert_int_equal(l.n, 2);
    assert_string_equal(l.row[0].id, id[0]);
    assert_string_equal(l.row[1].id, id[1]);
    l = list(r, "/bucket", "max-uploads=1&uploads=");
    assert_true(l.truncated);
    assert_string_equal(l.next_key, "a");
    assert_string_equal(l.next_id, id[0]);
    snprintf(query, sizeof query, "key-marker=a&upload-id-marker=%s&uploads=", id[0]);
    l = list(r, "/bucket", query);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.row[0].id, id[1]);
    for (unsigned n = 1; n <= 3; n++) {
        snprintf(query, sizeof query, "partNumber=%u&uploadId=%s", n, id[0]);
        object_is(object_put_as(r, (struct rig_ask){.method = "PUT", .path = "/bucket/a", .query = query, .body = "part"}), 200, "");
    }
    snprintf(query, sizeof query, "max-parts=2&uploadId=%s", id[0]);
    l = list(r, "/bucket/a", query);
    assert_int_equal(l.n, 2);
    assert_true(l.truncated);
    assert_int_equal(l.next_number, 2);
    assert_int_equal(l.row[1].number, 2);
    assert_int_equal(l.row[1].size, 4);
    rig_leaf(r, l.index, &leaf);
    assert_true(record_has(&leaf.leaf, RECORD_F_UP));
    rig_leaf_done(&leaf);
    snprintf(query, sizeof query, "part-number-marker=2&uploadId=%s", id[0]);
    l = list(r, "/bucket/a", query);
    assert_int_equal(l.n, 1);
    assert_int_equal(l.row[0].number, 3);
    object_is(object_ask(r, (struct rig_ask){.method = "GET", .path = "/bucket/b", .query = query}), 404, "NoSuchUpload");
    object_is(object_ask(r, (struct rig_ask){.method = "GET", .path = "/bucket/a", .query = "uploadId=none"}), 404, "NoSuchUpload");
    object_end(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_end_and_what_is_absent_is_an_item_that_saw_nothing),
        cmocka_unit_test(a_batch_of_nothing_is_a_read_that_is_durable_before_its_answer),
        cmocka_unit_test(with_versioning_keys_get_markers_and_versions_end),
        cmocka_unit_test(what_one_item_has_ended_is_nothing_to_the_next),
        cmocka_unit_test(a_key_whose_tag_does_not_match_stays),
        cmocka_unit_test(a_refused_batch_ends_nothing_and_says_so_per_key),
        cmocka_unit_test(many_markers_are_many_leaves_and_one_answer),
        cmocka_unit_test(a_key_whose_items_fill_two_slices_is_held_to_the_end),
        cmocka_unit_test(the_gates_own_batch_ends_what_is_still_as_it_was_wished_for),
        cmocka_unit_test(the_gates_own_batch_ends_uploads),
        cmocka_unit_test(versions_are_listed_newest_first_and_markers_resume),
        cmocka_unit_test(the_leaf_of_a_listing_names_kind_and_rows),
        cmocka_unit_test(uploads_and_their_parts_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
