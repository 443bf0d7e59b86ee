/* SPDX-License-Identifier: Apache-2.0
 * lines: see lines.h.
 * Role: tests only.
 * Trusts: the test. Distrusts: the index: each row is parsed.
 * Spec: docs/spec/entry.md section 3
 */
#include "keeper/lines.h"

void lines_add(struct lines *l, const char *fmt, ...) {
    va_list args;
    assert_true(l->n < LINES_MAX);
    va_start(args, fmt);
    assert_true(vasprintf(&l->line[l->n++], fmt, args) > 0);
    va_end(args);
}
static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void free_lines(struct lines *l) {
    for (size_t i = 0; i < l->n; i++) free(l->line[i]);
    l->n = 0;
}

void lines_bytes(const uint8_t *set, uint16_t parts, size_t count, const uint8_t *const *ids, char out[128]) {
    int n = 0;
    if (set != NULL) n = snprintf(out, 128, "set=%llu/%u", U64(get_be64(set)), parts);
    else out[0] = 0;
    for (size_t i = 0; i < count; i++) n += snprintf(out + n, 128 - (size_t)n, "blob=%llu ", U64(get_be64(ids[i])));
}

static void see_entry(struct lines *l, char table, struct slice key, size_t behind, struct slice value, const char *tail) {
    struct entry_row row;
    char what[128];
    assert_int_equal(entry_row_parse(value, &row), ERR_OK);
    int name_n = (int)(key.n - 18 - behind);
    lines_bytes(row.entry.set, row.entry.parts, row.entry.blob_count, row.entry.blobs, what);
    if (table == 'G') lines_add(l, "G %.*s %s flags=%u %s", name_n, (const char *)key.p + 17, tail, row.entry.flags, what);
    else lines_add(l, "%c %.*s %llu rev=%llu flags=%u %s", table, name_n, (const char *)key.p + 17, U64(row.entry.leaf), U64(row.entry.revision), row.entry.flags, what);
    if (table == 'V') assert_int_equal(~get_be64(key.p + key.n - 8), row.entry.leaf);
    for (size_t i = 0; i < row.entry.blob_count; i++) assert_int_equal(row.locations[i].p[0], LOCATION_INLINE);
}

static void see_row(struct lines *l, struct slice k, struct slice v) {
    char tail[128];
    struct set_row row;
    struct entry_row part;
    switch (k.p[0]) {
    case 'E': see_entry(l, 'E', k, 0, v, ""); break;
    case 'V': see_entry(l, 'V', k, 8, v, ""); break;
    case 'U': lines_add(l, "U %.*s %llu", (int)(k.n - 18), (const char *)k.p + 17, U64(get_be64(v.p))); break;
    case 'M': lines_add(l, "M %.*s %llu", (int)(k.n - 18 - 16), (const char *)k.p + 17, U64(get_be64(k.p + k.n - 16))); break;
    case 'T':
        assert_int_equal(entry_row_parse(v, &part), ERR_OK);
        lines_add(l, "T %llu %u %llu blob=%llu", U64(get_be64(k.p + 1)), get_be16(k.p + 17), U64(part.entry.leaf), U64(get_be64(part.entry.blobs[0])));
        break;
    case 'O':
        assert_int_equal(set_row_parse(k, v, &row), ERR_OK);
        lines_add(l, "O %llu %llu %u size=%llu blob=%llu", U64(get_be64(k.p + 1)), U64(row.off), row.number, U64(row.plain_size), U64(get_be64(row.blob)));
        break;
    case 'G':
        (void)snprintf(tail, sizeof tail, "%llu %llu due=%llu", U64(~get_be64(k.p + k.n - 16)), U64(~get_be64(k.p + k.n - 8)), U64(get_be64(v.p)));
        see_entry(l, 'G', k, 16, slice_of(v.p + 8, v.n - 8), tail);
        break;
    case 'D':
        lines_add(l, "D %llu %llu %llu %.*s", U64(get_be64(k.p + 17)), U64(~get_be64(k.p + 25)), U64(~get_be64(k.p + 33)), (int)(k.n - 41), (const char *)k.p + 41);
        break;
    case 'B': lines_add(l, "B %llu %u", U64(get_be64(k.p + 1)), get_be32(v.p)); break;
    default: break;
    }
}

void lines_of_index(struct lines *l, struct store *s) {
    for (int t = 0; t < 2; t++) {
        struct store_iter *it = store_iter_open(s, NULL, t == 0 ? STORE_ROWS : STORE_BLOBS, SLICE_LIT("\xff\xff"));
        for (store_iter_seek(s, it, SLICE_LIT("\0")); store_iter_valid(s, it); store_iter_next(s, it)) {
            if (t == 0) see_row(l, store_iter_key(s, it), store_iter_value(s, it));
            else lines_add(l, "I %llu", U64(get_be64(store_iter_key(s, it).p + 8)));
        }
        assert_int_equal(store_iter_status(s, it), ERR_OK);
        store_iter_close(s, it);
    }
}

struct counted {
    struct usage usage;
    struct buf ids; /* of blobs whose bytes were counted */
};

static void count_blob(struct counted *c, const uint8_t *id, uint64_t size) {
    for (size_t at = 0; at < c->ids.n; at += ID_BYTES)
        if (memcmp(c->ids.p + at, id, ID_BYTES) == 0) return;
    buf_put(&c->ids, id, ID_BYTES);
    c->usage.bytes += size;
}

static void count_row(struct counted *c, struct slice k, struct slice v) {
    struct entry_row row;
    struct set_row of_set;
    switch (k.p[0]) {
    case 'M': c->usage.objects++; break;
    case 'G': v = slice_of(v.p + 8, v.n - 8); /* fall through */
    case 'E':
    case 'V':
    case 'T':
        assert_int_equal(entry_row_parse(v, &row), ERR_OK);
        if ((row.entry.flags & ENTRY_FLAG_DELETE_MARKER) == 0) c->usage.objects++;
        for (size_t i = 0; i < row.entry.blob_count; i++) count_blob(c, row.entry.blobs[i], row.entry.sizes[i]);
        break;
    case 'O':
        assert_int_equal(set_row_parse(k, v, &of_set), ERR_OK);
        count_blob(c, of_set.blob, of_set.cipher_size);
        break;
    default: break;
    }
}

struct usage lines_usage(struct store *s) {
    struct counted c = {.ids = BUF_INIT(SIZE_MAX / 2)};
    struct store_iter *it = store_iter_open(s, NULL, STORE_ROWS, SLICE_LIT("\xff\xff"));
    for (store_iter_seek(s, it, SLICE_LIT("\0")); store_iter_valid(s, it); store_iter_next(s, it)) count_row(&c, store_iter_key(s, it), store_iter_value(s, it));
    assert_int_equal(store_iter_status(s, it), ERR_OK);
    store_iter_close(s, it);
    buf_done(&c.ids);
    return c.usage;
}

void lines_compare(struct lines *want, struct lines *seen, uint64_t leaf) {
    qsort(want->line, want->n, sizeof *want->line, by_text);
    qsort(seen->line, seen->n, sizeof *seen->line, by_text);
    for (size_t i = 0; i < MAX(want->n, seen->n); i++) {
        const char *a = i < want->n ? want->line[i] : "(nothing)";
        const char *b = i < seen->n ? seen->line[i] : "(nothing)";
        if (strcmp(a, b) != 0) fail_msg("leaf %llu: the model has  %s\n  the index has  %s", U64(leaf), a, b);
    }
    free_lines(want);
    free_lines(seen);
}
