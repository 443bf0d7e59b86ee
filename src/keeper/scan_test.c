/* SPDX-License-Identifier: Apache-2.0
 * scan_test: pages of objects, versions, uploads and parts: whatever the size of the page, all rows once and in order.
 * Role: unit tests over socket pairs; rows are put straight into the engine, for SCAN only reads.
 * Spec: docs/spec/wire.md (SCAN, ROWS), docs/spec/entry.md section 4; DESIGN rule 9
 */
#include "keeper/keeper_test.h"

struct page {
    struct buf text;                              /* a row a word */
    size_t rows;
    bool more;
    struct buf next;
    uint64_t last_index;                          /* of the last row; 0 when it is a prefix */
    uint8_t last_id[ID_BYTES];
};

static void page_done(struct page *p) {
    buf_done(&p->text);
    buf_done(&p->next);
}

static void put_value(struct store_batch *batch, const struct row_key *key, const struct entry_parts *e, bool bare) {
    struct buf value = BUF_INIT(4096);
    if (!bare) {
        buf_put_u8(&value, 1);
        buf_put_u8(&value, (uint8_t)e->blob_count);
        if (e->blob_count > 0) buf_put_lp16(&value, SLICE_LIT("\3aaaaaaaaaaaaaaaa"));
    }
    build_entry(&value, e);
    store_batch_put(batch, STORE_ROWS, row_slice(key), buf_slice(&value));
    buf_done(&value);
}

/* "key leaf", in lower case letters a version with bytes, m for a marker in front: "a/1 3" or "a/1 m3". current: the E row. */
static void put_version(struct store_batch *batch, const char *key, uint64_t leaf, bool marker, bool current) {
    static const struct blob b = {.size = 20};
    const struct entry_parts e = {.flags = marker ? ENTRY_FLAG_DELETE_MARKER : 0, .leaf = leaf, .blobs = &b, .blob_count = marker ? 0 : 1};
    struct row_key row;
    if (current) row_object(&row, ROW_ENTRY, slice_of(rig_bucket, ID_BYTES), slice_str(key));
    else row_version(&row, slice_of(rig_bucket, ID_BYTES), slice_str(key), leaf);
    put_value(batch, &row, &e, false);
}

static void one_row(struct page *p, const struct wire_scan_row *row) {
    static const char *const kinds[] = {"", "*", "m", "u", "p"};
    if (row->kind == WIRE_ROW_PREFIX) {
        buf_printf(&p->text, "%.*s* ", (int)row->key.n, (const char *)row->key.p);
        assert_int_equal(row->facts.n, 0);
    } else if (row->kind == WIRE_ROW_UPLOAD) {
        buf_printf(&p->text, "%.*s#%u ", (int)row->key.n, (const char *)row->key.p, row->upload.p[0]);
    } else if (row->kind == WIRE_ROW_PART) {
        struct entry e;
        assert_int_equal(row->key.n, 0);
        assert_int_equal(entry_parse(row->facts, &e), ERR_OK);
        assert_int_equal(e.leaf, row->leaf_index);
        buf_printf(&p->text, "%u ", row->number);
    } else {
        buf_printf(&p->text, "%.*s=%s%llu%s ", (int)row->key.n, (const char *)row->key.p, kinds[row->kind],
                   (unsigned long long)row->leaf_index, row->current ? "!" : "");
    }
    if (row->kind != WIRE_ROW_PREFIX && row->kind != WIRE_ROW_PART) assert_true(slice_is(row->facts, "facts"));
    p->last_index = row->kind == WIRE_ROW_PART ? row->number : row->leaf_index;
    memcpy(p->last_id, row->upload.p, ID_BYTES);
    if (row->kind != WIRE_ROW_UPLOAD) memset(p->last_id, 0, ID_BYTES);
    p->rows++;
}

static struct page scan(struct rig *r, struct wire_scan q) {
    struct page p = {.text = BUF_INIT(1 << 20), .next = BUF_INIT(S3_KEY_BYTES_MAX)};
    memcpy(q.bucket, rig_bucket, ID_BYTES);
    memcpy(q.log, rig_log, ID_BYTES);
    struct buf frame = BUF_INIT(8192);
    assert_int_equal(wire_put_scan(&frame, 3, &q), ERR_OK);
    peer_send(&r->gate, &frame);
    buf_done(&frame);
    struct wire_rows m;
    do {
        assert_int_equal(wire_get_rows(peer_recv(r, &r->gate, WIRE_ROWS), &m), ERR_OK);
        struct reader rows = reader_of(m.rows);
        for (struct wire_scan_row row; wire_next_scan_row(&rows, &row);) one_row(&p, &row);
        assert_false(rows.bad);
    } while (!m.last);
    assert_int_equal(m.failed, 0);
    p.more = m.more == 1;
    buf_put_slice(&p.next, m.next);
    buf_put_u8(&p.text, 0);
    return p;
}

/* All pages of at most rows_max rows and budget looked at, joined, going on as a gate does. */
static void walk(struct rig *r, struct wire_scan q, uint32_t rows_max, uint32_t budget, const char *expected) {
    struct buf all = BUF_INIT(1 << 20);
    struct buf after = BUF_INIT(S3_KEY_BYTES_MAX);
    q.rows_max = rows_max;
    q.budget = budget;
    for (int pages = 0;; pages++) {
        assert_true(pages < 200); /* every page gets somewhere */
        struct page p = scan(r, q);
        assert_true(p.rows <= rows_max);
        buf_put(&all, p.text.p, p.text.n - 1);
        buf_reset(&after);
        buf_put_slice(&after, buf_slice(&p.next));
        q.after = buf_slice(&after);
        if (p.rows > 0 && (q.kind == WIRE_SCAN_VERSIONS || q.kind == WIRE_SCAN_PARTS)) q.after_index = p.last_index;
        if (p.rows > 0 && q.kind == WIRE_SCAN_UPLOADS) memcpy(q.after_id, p.last_id, ID_BYTES);
        bool more = p.more;
        page_done(&p);
        if (!more) break;
    }
    buf_put_u8(&all, 0);
    if (strcmp((const char *)all.p, expected) != 0) fail_msg("pages of %u, budget %u:\n  %s\n  %s", rows_max, budget, (const char *)all.p, expected);
    buf_done(&all);
    buf_done(&after);
}

static void walk_all_sizes(struct rig *r, struct wire_scan q, const char *expected) {
    for (uint32_t rows_max = 1; rows_max <= 6; rows_max++)
        for (uint32_t budget = 1; budget <= 7; budget++) walk(r, q, rows_max, budget, expected);
    walk(r, q, 1000, SCAN_ROWS_BUDGET, expected);
}

static void fill_versions(struct rig *r) {
    struct store_batch *batch = store_batch_new();
    put_version(batch, "a", 50, false, true);
    put_version(batch, "a", 40, true, false);
    put_version(batch, "a", 30, false, false);
    put_version(batch, "a", 0, false, false);     /* the log's first leaf */
    put_version(batch, "a/", 60, true, true);     /* its key is the common prefix itself */
    put_version(batch, "a/", 5, false, false);
    put_version(batch, "a/1", 61, true, true);
    put_version(batch, "a/1", 6, false, false);
    put_version(batch, "a/2", 62, false, true);
    put_version(batch, "a/3", 63, false, true);
    put_version(batch, "a\xc3\xa5", 64, false, true);
    put_version(batch, "b", 65, true, true);
    put_version(batch, "b", 7, true, false);
    put_version(batch, "c/", 66, true, true);     /* a group of markers alone */
    put_version(batch, "c/1", 67, true, true);
    put_version(batch, "c/2", 68, true, true);
    put_version(batch, "d", 70, false, true);
    put_version(batch, "d", 69, false, false);
    put_version(batch, "e", 71, true, true);
    assert_int_equal(store_write(r->k.store, batch), ERR_OK);
    store_batch_free(batch);
}

static void objects_pass_over_markers_and_make_no_prefix_of_them(void **state) {
    struct rig r;
    rig_open(&r, *state);
    fill_versions(&r);
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_KEYS}, "a=50! a/2=62! a/3=63! a\xc3\xa5=64! d=70! ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_KEYS, .delimiter = SLICE_LIT("/")}, "a=50! a/* a\xc3\xa5=64! d=70! ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_KEYS, .delimiter = SLICE_LIT("/"), .prefix = SLICE_LIT("a/")}, "a/2=62! a/3=63! ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_KEYS, .prefix = SLICE_LIT("c")}, "");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_KEYS, .prefix = SLICE_LIT("c"), .delimiter = SLICE_LIT("/")}, "");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_KEYS, .delimiter = SLICE_LIT("/"), .after = SLICE_LIT("a/")}, "a\xc3\xa5=64! d=70! ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_KEYS, .delimiter = SLICE_LIT("/"), .after = SLICE_LIT("a/2")}, "a/* a\xc3\xa5=64! d=70! ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_KEYS, .delimiter = SLICE_LIT("/"), .after = SLICE_LIT("a/3")}, "a\xc3\xa5=64! d=70! ");
    rig_close(&r);
}

static void nothing_but_markers_behind_the_last_row_is_not_more(void **state) {
    struct rig r;
    rig_open(&r, *state);
    fill_versions(&r);
    for (uint32_t rows_max = 3; rows_max <= 6; rows_max++) {
        struct page p = scan(&r, (struct wire_scan){.kind = WIRE_SCAN_KEYS, .rows_max = rows_max, .budget = 1000});
        assert_int_equal(p.rows, MIN(rows_max, 5u));
        assert_int_equal(p.more, rows_max < 5);
        page_done(&p);
    }
    rig_close(&r);
}

static void versions_come_newest_first_and_pages_end_inside_a_key(void **state) {
    struct rig r;
    rig_open(&r, *state);
    fill_versions(&r);
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_VERSIONS},
                   "a=50! a=m40 a=30 a=0 a/=m60! a/=5 a/1=m61! a/1=6 a/2=62! a/3=63! a\xc3\xa5=64! b=m65! b=m7 c/=m66! c/1=m67! c/2=m68! d=70! d=69 e=m71! ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_VERSIONS, .delimiter = SLICE_LIT("/")},
                   "a=50! a=m40 a=30 a=0 a/* a\xc3\xa5=64! b=m65! b=m7 c/* d=70! d=69 e=m71! ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_VERSIONS, .prefix = SLICE_LIT("a/"), .delimiter = SLICE_LIT("/")},
                   "a/=m60! a/=5 a/1=m61! a/1=6 a/2=62! a/3=63! ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_VERSIONS, .prefix = SLICE_LIT("d")}, "d=70! d=69 ");
    /* where a caller may begin of its own accord: behind a key, behind a version, behind one that is not there */
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_VERSIONS, .after = SLICE_LIT("c/2")}, "d=70! d=69 e=m71! ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_VERSIONS, .after = SLICE_LIT("d"), .after_index = 70}, "d=69 e=m71! ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_VERSIONS, .after = SLICE_LIT("d"), .after_index = 69}, "e=m71! ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_VERSIONS, .after = SLICE_LIT("d"), .after_index = 1000}, "d=70! d=69 e=m71! ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_VERSIONS, .after = SLICE_LIT("d"), .after_index = UINT64_MAX}, "d=70! d=69 e=m71! ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_VERSIONS, .after = SLICE_LIT("a"), .after_index = 35, .prefix = SLICE_LIT("a"), .delimiter = SLICE_LIT("/")},
                   "a=30 a=0 a/* a\xc3\xa5=64! ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_VERSIONS, .after = SLICE_LIT("cc"), .after_index = 35}, "d=70! d=69 e=m71! ");
    rig_close(&r);
}

static void uploads_come_by_key_and_by_age(void **state) {
    struct rig r;
    rig_open(&r, *state);
    struct store_batch *batch = store_batch_new();
    static const char *const keys[] = {"a", "a", "a", "a/1", "a/1", "a/2", "b", "c/x"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct entry_parts e = {.flags = ENTRY_FLAG_UPLOAD, .leaf = 100 + i};
        uint8_t id[ID_BYTES] = {(uint8_t)(i + 1)};
        if (i == 2) memset(id, 0xff, sizeof id);
        struct row_key row;
        row_upload(&row, slice_of(rig_bucket, ID_BYTES), slice_str(keys[i]), id);
        put_value(batch, &row, &e, true);
    }
    assert_int_equal(store_write(r.k.store, batch), ERR_OK);
    store_batch_free(batch);
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_UPLOADS}, "a#1 a#2 a#255 a/1#4 a/1#5 a/2#6 b#7 c/x#8 ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_UPLOADS, .delimiter = SLICE_LIT("/")}, "a#1 a#2 a#255 a/* b#7 c/* ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_UPLOADS, .prefix = SLICE_LIT("a/"), .delimiter = SLICE_LIT("/")}, "a/1#4 a/1#5 a/2#6 ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_UPLOADS, .after = SLICE_LIT("a")}, "a/1#4 a/1#5 a/2#6 b#7 c/x#8 ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_UPLOADS, .after = SLICE_LIT("a"), .after_id = {1, 1}}, "a#2 a#255 a/1#4 a/1#5 a/2#6 b#7 c/x#8 ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_UPLOADS, .after = SLICE_LIT("b"), .after_id = {7}}, "c/x#8 ");
    rig_close(&r);
}

static void parts_come_by_number(void **state) {
    struct rig r;
    rig_open(&r, *state);
    struct store_batch *batch = store_batch_new();
    static const uint16_t numbers[] = {1, 2, 5, 256, 9999, PARTS_MAX};
    static const struct blob b = {.size = 20};
    for (uint8_t upload = 1; upload <= 2; upload++) {
        for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
            const struct entry_parts e = {.flags = ENTRY_FLAG_PART, .leaf = 100 + i, .blobs = &b, .blob_count = 1};
            const uint8_t id[ID_BYTES] = {upload};
            struct row_key row;
            row_parts(&row, id);
            row_put_u16(&row, numbers[i]);
            put_value(batch, &row, &e, false);
        }
    }
    assert_int_equal(store_write(r.k.store, batch), ERR_OK);
    store_batch_free(batch);
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_PARTS, .upload = {1}, .prefix = SLICE_LIT("key")}, "1 2 5 256 9999 10000 ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_PARTS, .upload = {1}, .after_index = 5}, "256 9999 10000 ");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_PARTS, .upload = {2}, .after_index = 9999}, "10000 ");
    static const uint64_t past[] = {PARTS_MAX, PARTS_MAX + 1, UINT16_MAX, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(past); i++)
        walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_PARTS, .upload = {1}, .after_index = past[i]}, "");
    walk_all_sizes(&r, (struct wire_scan){.kind = WIRE_SCAN_PARTS, .upload = {3}}, "");
    PEER_SEND(&r.gate, scan, 3, .kind = WIRE_SCAN_PARTS + 1, .rows_max = 1, .budget = 1);
    assert_true(peer_closed(&r, &r.gate, 1000));
    rig_close(&r);
}

/* Keys, versions, groups and markers at random, against a walk of a plain list. */
struct item {
    char key[8];
    uint64_t leaf;
    bool marker, current;
};
static int by_item(const void *a, const void *b) {
    const struct item *x = a;
    const struct item *y = b;
    int c = strcmp(x->key, y->key);
    return c != 0 ? c : x->leaf < y->leaf ? 1 : -1;
}

static void say(const struct item *items, size_t n, uint8_t kind, bool delimited, struct buf *out) {
    char folded[8] = "";
    for (size_t i = 0; i < n; i++) {
        const struct item *it = &items[i];
        if (kind == WIRE_SCAN_KEYS && (!it->current || it->marker)) continue;
        const char *slash = delimited ? strchr(it->key, '/') : NULL;
        if (slash != NULL) {
            char common[8] = "";
            memcpy(common, it->key, (size_t)(slash - it->key) + 1);
            if (strcmp(common, folded) != 0) buf_printf(out, "%s* ", common);
            memcpy(folded, common, sizeof folded);
        } else {
            buf_printf(out, "%s=%s%llu%s ", it->key, it->marker ? "m" : "", (unsigned long long)it->leaf, it->current ? "!" : "");
        }
    }
    buf_put_u8(out, 0);
}

static void any_keys_and_versions_page_as_a_plain_list_does(void **state) {
    (void)state;
    uint64_t random = 88172645463325252u;
    struct rig r;
    rig_open(&r, &store_engine_mem);
    for (int round = 0; round < 12; round++) {
        struct store_batch *batch = store_batch_new();
        struct item items[400];
        size_t n = 0;
        for (unsigned k = 0; k < 40; k++) {
            static const char letters[] = "ab/c";
            char key[8] = "";
            random = random * 6364136223846793005u + 1442695040888963407u;
            for (size_t i = 0; i < 1 + (random >> 60) % 4; i++) key[i] = letters[(random >> (8 * i + 8)) % 4];
            bool twice = false;
            for (size_t i = 0; i < n; i++) twice = twice || strcmp(items[i].key, key) == 0;
            for (unsigned v = 0; !twice && v <= (random >> 50) % 4 && n < ARRAY_LEN(items); v++) {
                items[n] = (struct item){.leaf = 1 + n, .marker = (random >> (v + 40)) % 3 == 0, .current = v == (random >> 50) % 4};
                memcpy(items[n].key, key, sizeof key);
                put_version(batch, key, items[n].leaf, items[n].marker, items[n].current);
                n++;
            }
        }
        assert_int_equal(store_write(r.k.store, batch), ERR_OK);
        store_batch_free(batch);
        qsort(items, n, sizeof *items, by_item);
        for (uint8_t kind = WIRE_SCAN_KEYS; kind <= WIRE_SCAN_VERSIONS; kind++) {
            for (int delimited = 0; delimited < 2; delimited++) {
                struct buf expected = BUF_INIT(1 << 16);
                say(items, n, kind, delimited, &expected);
                struct wire_scan q = {.kind = kind};
                if (delimited) q.delimiter = SLICE_LIT("/");
                for (uint32_t size = 1; size <= 5; size++) walk(&r, q, size, 1 + size % 3, (const char *)expected.p);
                walk(&r, q, 3, 1000, (const char *)expected.p);
                buf_done(&expected);
            }
        }
        batch = store_batch_new();
        for (size_t i = 0; i < n; i++) {
            struct row_key row;
            if (items[i].current) row_object(&row, ROW_ENTRY, slice_of(rig_bucket, ID_BYTES), slice_str(items[i].key));
            else row_version(&row, slice_of(rig_bucket, ID_BYTES), slice_str(items[i].key), items[i].leaf);
            store_batch_del(batch, STORE_ROWS, row_slice(&row));
        }
        assert_int_equal(store_write(r.k.store, batch), ERR_OK);
        store_batch_free(batch);
    }
    rig_close(&r);
}

#define WITH(test, engine, text) {#test text, test, NULL, NULL, (void *)(uintptr_t)&(engine)}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(objects_pass_over_markers_and_make_no_prefix_of_them, store_engine_mem, " [mem]"),
        WITH(objects_pass_over_markers_and_make_no_prefix_of_them, store_engine_rocksdb, " [rocksdb]"),
        WITH(nothing_but_markers_behind_the_last_row_is_not_more, store_engine_mem, " [mem]"),
        WITH(versions_come_newest_first_and_pages_end_inside_a_key, store_engine_mem, " [mem]"),
        WITH(versions_come_newest_first_and_pages_end_inside_a_key, store_engine_rocksdb, " [rocksdb]"),
        WITH(uploads_come_by_key_and_by_age, store_engine_mem, " [mem]"),
        WITH(uploads_come_by_key_and_by_age, store_engine_rocksdb, " [rocksdb]"),
        WITH(parts_come_by_number, store_engine_mem, " [mem]"),
        cmocka_unit_test(any_keys_and_versions_page_as_a_plain_list_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
