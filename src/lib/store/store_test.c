/* SPDX-License-Identifier: Apache-2.0
 * store_test: what every engine must promise, asked of both; packs and files on a real file system.
 * Role: unit tests.
 * Spec: src/lib/store/store.h
 */
#include "store/store.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64];
static unsigned made;
static const uint8_t id_a[ID_BYTES] = "aaaaaaaaaaaaaaa";

static const char *fresh(void) {
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%u", top, made++);
    return path;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int group_setup(void **state) {
    (void)state;
    (void)snprintf(top, sizeof top, "/tmp/store-test-XXXXXX");
    return mkdtemp(top) == NULL;
}

static int group_teardown(void **state) {
    (void)state;
    return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct store_config config_for(const char *dir) {
    struct store_config c = {.dir = dir};
    memset(c.key, 7, sizeof c.key);
    return c;
}

static struct store *open_engine(void **state, const char *dir) {
    char message[256];
    struct store *s = NULL;
    struct store_config c = config_for(dir);
    assert_int_equal(store_open(*state, &c, &s, message, sizeof message), ERR_OK);
    return s;
}

static struct slice z(const char *s) { return slice_str(s); }

static void put(struct store *s, const char *key, const char *value) {
    struct store_batch *b = store_batch_new();
    store_batch_put(b, STORE_ROWS, z(key), z(value));
    assert_int_equal(store_write(s, b), ERR_OK);
    store_batch_free(b);
}

static void assert_value(struct store *s, const char *key, const char *value) {
    struct store_pin pin;
    enum err e = store_get(s, STORE_ROWS, z(key), &pin);
    if (value == NULL) {
        assert_int_equal(e, ERR_MISSING);
        return;
    }
    assert_int_equal(e, ERR_OK);
    assert_int_equal(pin.value.n, strlen(value));
    assert_memory_equal(pin.value.p, value, pin.value.n);
    store_unpin(s, &pin);
}

static void a_batch_is_seen_as_a_whole_and_its_last_word_wins(void **state) {
    struct store *s = open_engine(state, fresh());
    put(s, "old", "1");
    struct store_batch *b = store_batch_new();
    store_batch_put(b, STORE_ROWS, z("a"), z("1"));
    store_batch_put(b, STORE_ROWS, z("a"), z("2"));
    store_batch_put(b, STORE_ROWS, z("gone"), z("x"));
    store_batch_del(b, STORE_ROWS, z("gone"));
    store_batch_del(b, STORE_ROWS, z("old"));
    store_batch_put(b, STORE_BLOBS, z("a"), z("blob"));
    assert_int_equal(store_batch_count(b), 4);
    assert_value(s, "a", NULL);
    assert_int_equal(store_write(s, b), ERR_OK);
    store_batch_free(b);
    assert_value(s, "a", "2");
    assert_value(s, "gone", NULL);
    assert_value(s, "old", NULL);
    struct store_pin pin;
    assert_int_equal(store_get(s, STORE_BLOBS, z("a"), &pin), ERR_OK);
    assert_int_equal(pin.value.n, 4);
    store_unpin(s, &pin);
    store_close(s);
}

static void an_iterator_keeps_to_its_bound_and_its_snapshot(void **state) {
    struct store *s = open_engine(state, fresh());
    put(s, "a", "1");
    put(s, "b", "1");
    put(s, "c", "1");
    struct store_snap *snap = store_snap_open(s);
    put(s, "ab", "later");
    put(s, "a", "later");
    struct store_iter *it = store_iter_open(s, snap, STORE_ROWS, z("c"));
    char seen[16] = "";
    for (store_iter_seek(s, it, z("a")); store_iter_valid(s, it); store_iter_next(s, it)) {
        strncat(seen, (const char *)store_iter_key(s, it).p, store_iter_key(s, it).n);
        assert_true(slice_is(store_iter_value(s, it), "1"));
    }
    assert_int_equal(store_iter_status(s, it), ERR_OK);
    assert_string_equal(seen, "ab");
    struct store_pin pin;
    assert_int_equal(store_snap_get(s, snap, STORE_ROWS, z("a"), &pin), ERR_OK);
    assert_true(slice_is(pin.value, "1"));
    store_unpin(s, &pin);
    store_iter_close(s, it);
    store_snap_close(s, snap);
    assert_value(s, "a", "later");
    store_close(s);
}

static void an_iterator_seeks_back_to_the_last_row_at_or_below(void **state) {
    struct store *s = open_engine(state, fresh());
    put(s, "b", "1");
    put(s, "d", "1");
    put(s, "e", "past the bound");
    struct store_iter *it = store_iter_open(s, NULL, STORE_ROWS, z("e"));
    static const struct {
        const char *at, *row;
    } cases[] = {{"a", NULL}, {"b", "b"}, {"c", "b"}, {"cz", "b"}, {"d", "d"}, {"dd", "d"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        store_iter_seek_back(s, it, z(cases[i].at));
        assert_int_equal(store_iter_valid(s, it), cases[i].row != NULL);
        if (cases[i].row != NULL) assert_true(slice_is(store_iter_key(s, it), cases[i].row));
        assert_int_equal(store_iter_status(s, it), ERR_OK);
    }
    store_iter_seek_back(s, it, z("c")); /* and goes on from there */
    store_iter_next(s, it);
    assert_true(slice_is(store_iter_key(s, it), "d"));
    store_iter_next(s, it);
    assert_false(store_iter_valid(s, it));
    store_iter_close(s, it);
    store_close(s);
}

static void reopen_in_process_keeps_what_was_synced(void **state) {
    char message[256];
    struct store *s = open_engine(state, fresh());
    put(s, "a", "1");
    assert_int_equal(store_reopen(s, message, sizeof message), ERR_OK);
    assert_value(s, "a", "1");
    assert_int_equal(store_flush(s), ERR_OK);
    put(s, "b", "2");
    assert_value(s, "b", "2");
    store_close(s);
}

static void a_batch_of_many_rows_reads_back_before_it_is_written(void **state) {
    (void)state;
    struct store_batch *b = store_batch_new();
    char key[32];
    struct slice value;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5000; i++) {
            (void)snprintf(key, sizeof key, "key-%d", i);
            store_batch_put(b, STORE_ROWS, z(key), z(key + 4));
        }
        store_batch_del(b, STORE_ROWS, z("key-17"));
        assert_int_equal(store_batch_count(b), 5000);
        assert_int_equal(store_batch_get(b, STORE_ROWS, z("key-4999"), &value), STORE_PUT);
        assert_true(slice_is(value, "4999"));
        assert_int_equal(store_batch_get(b, STORE_ROWS, z("key-17"), &value), STORE_DELETED);
        assert_int_equal(store_batch_get(b, STORE_BLOBS, z("key-1"), &value), STORE_UNTOUCHED);
        store_batch_reset(b);
        assert_int_equal(store_batch_get(b, STORE_ROWS, z("key-1"), &value), STORE_UNTOUCHED);
    }
    store_batch_free(b);
}

static void mem_fails_on_command_persisted_or_not(void **state) {
    (void)state;
    void *engine = (void *)(uintptr_t)&store_engine_mem;
    char message[64];
    for (int persisted = 0; persisted < 2; persisted++) {
        struct store *s = open_engine(&engine, "");
        struct store_batch *b = store_batch_new();
        store_batch_put(b, STORE_ROWS, z("a"), z("1"));
        store_mem_fail(s, 1, persisted, 1);
        assert_int_equal(store_write(s, b), ERR_IO);
        struct store_pin pin;
        assert_int_equal(store_get(s, STORE_ROWS, z("a"), &pin), ERR_IO);
        assert_int_equal(store_write(s, b), ERR_IO);
        assert_int_equal(store_reopen(s, message, sizeof message), ERR_IO);
        assert_int_equal(store_reopen(s, message, sizeof message), ERR_OK);
        assert_value(s, "a", persisted ? "1" : NULL);
        store_batch_free(b);
        store_close(s);
    }
}

/* rocksdb: sealing and the traps ------------------------------------------------------------------------------------ */

static const char *wanted;
static int look_one(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)ftw;
    if (kind != FTW_F || st->st_size == 0) return 0;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    uint8_t *all = malloc((size_t)st->st_size);
    ssize_t n = read(fd, all, (size_t)st->st_size);
    close(fd);
    bool found = n > 0 && memmem(all, (size_t)n, wanted, strlen(wanted)) != NULL;
    free(all);
    return found ? 1 : 0;
}

static bool dir_holds(const char *dir, const char *needle) {
    wanted = needle;
    return nftw(dir, look_one, 16, FTW_PHYS) == 1;
}

static void fill(struct store *s, const char *canary) {
    char key[64];
    struct store_batch *b = store_batch_new();
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(key, sizeof key, "%s-%04d", canary, i);
        store_batch_put(b, i % 2 == 0 ? STORE_ROWS : STORE_BLOBS, z(key), z(key));
        if (i % 100 == 99) {
            assert_int_equal(store_write(s, b), ERR_OK);
            store_batch_reset(b);
        }
        if (i == 1000) assert_int_equal(store_flush(s), ERR_OK);
    }
    store_batch_free(b);
}

static void no_name_is_in_any_file_unless_the_break_clears_it(void **state) {
    static const char canary[] = "kanariefagel";
    static const char hex[] = "6B616E617269656661"; /* the engine's own log would print keys in hex */
    char message[256];
    for (int clear = 0; clear < 2; clear++) {
        char *dir = strdup(fresh());
        struct store *s = NULL;
        struct store_config c = config_for(dir);
        c.clear = clear;
        assert_int_equal(store_open(*state, &c, &s, message, sizeof message), ERR_OK);
        fill(s, canary);
        assert_int_equal(dir_holds(dir, canary), clear); /* the grep finds what is there to find */
        assert_false(dir_holds(dir, hex));
        char log[256];
        (void)snprintf(log, sizeof log, "%s/LOG", dir);
        assert_int_equal(access(log, F_OK), -1);
        store_close(s);
        assert_int_equal(dir_holds(dir, canary), clear);
        free(dir);
    }
}

static void another_key_is_refused_and_harms_nothing(void **state) {
    char message[256];
    char *dir = strdup(fresh());
    struct store *s = open_engine(state, dir);
    put(s, "a", "1");
    store_close(s);
    struct store_config c = config_for(dir);
    c.key[31] ^= 1;
    assert_int_equal(store_open(*state, &c, &s, message, sizeof message), ERR_AUTH);
    assert_non_null(strstr(message, "another key"));
    s = open_engine(state, dir);
    assert_value(s, "a", "1");
    store_close(s);
    free(dir);
}

static void write_file(const char *dir, const char *name, size_t n, const char *fill_with) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    size_t m = strlen(fill_with);
    for (size_t i = 0; i < n; i++) assert_int_equal(write(fd, fill_with + i % m, 1), 1);
    close(fd);
}

static void files_shorter_than_a_header_do_not_keep_it_from_opening(void **state) {
    char *dir = strdup(fresh());
    struct store *s = open_engine(state, dir);
    put(s, "a", "1");
    store_close(s);
    static const size_t sizes[] = {1, 17, 4095};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        write_file(dir, "999990.log", sizes[i], "torn");
        write_file(dir, "999991.sst", sizes[i], "torn");
        write_file(dir, "OPTIONS-999992", sizes[i], "torn");
        write_file(dir, "IDENTITY", sizes[i], "torn");
        s = open_engine(state, dir);
        assert_value(s, "a", "1");
        store_close(s);
    }
    free(dir);
}

static void a_foreign_or_newer_index_is_refused_with_words(void **state) {
    char message[256];
    char *dir = strdup(fresh());
    assert_int_equal(mkdir(dir, 0700), 0);
    struct store_config c = config_for(dir);
    struct store *s = NULL;
    write_file(dir, "CURRENT", 16, "MANIFEST-000001\n");
    assert_int_equal(store_open(*state, &c, &s, message, sizeof message), ERR_CORRUPT);
    assert_true(strlen(message) > 20);
    write_file(dir, "CURRENT", 5000, "x");
    assert_int_equal(store_open(*state, &c, &s, message, sizeof message), ERR_CORRUPT);
    write_file(dir, "CURRENT", 5000, "tillitR2");
    assert_int_equal(store_open(*state, &c, &s, message, sizeof message), ERR_VERSION);
    assert_non_null(strstr(message, "newer"));
    free(dir);
}

/* packs and files ----------------------------------------------------------------------------------------------------- */

static void packs_give_back_what_was_appended_and_roll_when_full(void **state) {
    (void)state;
    char *dir = strdup(fresh());
    struct store_packs *p = NULL;
    assert_int_equal(store_packs_open(dir, &p), ERR_OK);
    uint8_t *data = malloc(BLOB_PACK_BYTES_MAX);
    memset(data, 'd', BLOB_PACK_BYTES_MAX);
    uint32_t pack = 0;
    uint64_t off = 0;
    uint64_t taken = 0;
    assert_int_equal(store_packs_append(p, slice_of(data, 5000), &pack, &off, &taken), ERR_OK);
    assert_int_equal(pack, 1);
    assert_int_equal(off, 0);
    assert_int_equal(store_packs_append(p, slice_of(data, 20000), &pack, &off, &taken), ERR_OK);
    assert_int_equal(off % 4096, 0);
    uint64_t large = off;
    assert_int_equal(store_packs_append(p, slice_of("tail", 4), &pack, &off, &taken), ERR_OK);
    assert_int_equal(off, large + 20480);
    assert_int_equal(store_packs_sync(p), ERR_OK);
    uint8_t back[20000];
    assert_int_equal(store_packs_read(p, 1, large, back, sizeof back, false), ERR_OK);
    assert_memory_equal(back, data, sizeof back);
    assert_int_equal(store_packs_read(p, 2, 0, back, 1, false), ERR_MISSING);
    assert_int_equal(store_packs_read(p, 1, PACK_BYTES, back, 1, false), ERR_MISSING);
    assert_int_equal(store_packs_read(p, 0, 0, back, 1, false), ERR_MISSING);
    /* a start goes on behind what the index knows */
    uint64_t end = 0;
    store_packs_end(p, &pack, &end);
    store_packs_close(p);
    assert_int_equal(store_packs_open(dir, &p), ERR_OK);
    store_packs_resume(p, pack, end);
    assert_int_equal(store_packs_append(p, slice_of("more", 4), &pack, &off, &taken), ERR_OK);
    assert_int_equal(pack, 1);
    assert_int_equal(off, end);
    /* a hole takes only the dead bytes */
    assert_int_equal(store_packs_punch(p, 1, large, 20000), ERR_OK);
    assert_int_equal(store_packs_read(p, 1, large, back, 16, false), ERR_OK);
    assert_int_equal(back[0], 0);
    assert_int_equal(store_packs_read(p, 1, large + 20480, back, 4, false), ERR_OK);
    assert_memory_equal(back, "tail", 4);
    assert_int_equal(store_packs_read(p, 1, 0, back, 5000, false), ERR_OK);
    assert_memory_equal(back, data, 5000);
    for (int i = 0; i < 64; i++) assert_int_equal(store_packs_append(p, slice_of(data, BLOB_PACK_BYTES_MAX), &pack, &off, &taken), ERR_OK);
    assert_int_equal(pack, 2);
    assert_int_equal(store_packs_remove(p, 1), ERR_OK);
    assert_int_equal(store_packs_remove(p, 1), ERR_OK);
    assert_int_equal(store_packs_read(p, 1, 0, back, 1, false), ERR_MISSING);
    store_packs_close(p);
    free(data);
    free(dir);
}

struct told {
    unsigned count;
    uint64_t size;
};
static void tell(void *ctx, const uint8_t id[ID_BYTES], uint64_t size) {
    struct told *t = ctx;
    assert_memory_equal(id, id_a, ID_BYTES);
    t->count++;
    t->size = size;
}

static void a_sealed_file_outlives_a_start_and_a_torn_one_does_not(void **state) {
    (void)state;
    char *dir = strdup(fresh());
    assert_int_equal(mkdir(dir, 0700), 0);
    struct store_files *f = NULL;
    assert_int_equal(store_files_open(dir, &f), ERR_OK);
    uint8_t id_b[ID_BYTES] = "b";
    int a = -1;
    int b = -1;
    uint8_t back[4];
    assert_int_equal(store_files_create(f, id_a, &a), ERR_OK);
    int twice = -1;
    assert_int_equal(store_files_create(f, id_a, &twice), ERR_EXISTS);
    assert_int_equal(store_files_create(f, id_b, &b), ERR_OK);
    assert_int_equal(write(a, "data", 4), 4);
    assert_int_equal(write(b, "torn", 4), 4);
    assert_int_equal(store_files_read(f, id_a, 0, back, 4), ERR_MISSING); /* not before it is sealed */
    assert_int_equal(store_files_seal(f, id_a, a), ERR_OK);
    close(a);
    close(b);
    store_files_close(f);
    assert_int_equal(store_files_open(dir, &f), ERR_OK);
    struct told told = {0};
    assert_int_equal(store_files_sweep(f, tell, &told), ERR_OK);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.size, 4);
    assert_int_equal(store_files_read(f, id_a, 0, back, 4), ERR_OK);
    assert_memory_equal(back, "data", 4);
    assert_int_equal(store_files_read(f, id_a, 1, back, 4), ERR_MISSING);
    assert_int_equal(store_files_unstage(f, id_a), ERR_OK);
    told = (struct told){0};
    assert_int_equal(store_files_sweep(f, tell, &told), ERR_OK);
    assert_int_equal(told.count, 0);
    assert_int_equal(store_files_read(f, id_a, 0, back, 4), ERR_OK);
    assert_int_equal(store_files_remove(f, id_a), ERR_OK);
    assert_int_equal(store_files_remove(f, id_a), ERR_OK);
    assert_int_equal(store_files_read(f, id_a, 0, back, 4), ERR_MISSING);
    store_files_close(f);
    free(dir);
}

#define BOTH(test)                                                                                                    \
    {#test " [mem]", test, NULL, NULL, (void *)(uintptr_t)&store_engine_mem},                                         \
    {#test " [rocksdb]", test, NULL, NULL, (void *)(uintptr_t)&store_engine_rocksdb}
#define ROCKS(test) {#test, test, NULL, NULL, (void *)(uintptr_t)&store_engine_rocksdb}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(a_batch_is_seen_as_a_whole_and_its_last_word_wins),
        BOTH(an_iterator_keeps_to_its_bound_and_its_snapshot),
        BOTH(an_iterator_seeks_back_to_the_last_row_at_or_below),
        BOTH(reopen_in_process_keeps_what_was_synced),
        cmocka_unit_test(a_batch_of_many_rows_reads_back_before_it_is_written),
        cmocka_unit_test(mem_fails_on_command_persisted_or_not),
        ROCKS(no_name_is_in_any_file_unless_the_break_clears_it),
        ROCKS(another_key_is_refused_and_harms_nothing),
        ROCKS(files_shorter_than_a_header_do_not_keep_it_from_opening),
        ROCKS(a_foreign_or_newer_index_is_refused_with_words),
        cmocka_unit_test(packs_give_back_what_was_appended_and_roll_when_full),
        cmocka_unit_test(a_sealed_file_outlives_a_start_and_a_torn_one_does_not),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
