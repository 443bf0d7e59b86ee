/* SPDX-License-Identifier: Apache-2.0
 * The tools of the logbook's tests.
 * Role: tests only. Trusts: its temporary directory. Spec: docs/spec/wal.md
 */
#include "gate/logbook/logbook_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

char *test_dir(char out[64]) {
    (void)snprintf(out, 64, "/tmp/tillit-logbook-XXXXXX");
    char *made = mkdtemp(out);
    assert_non_null(made);
    return out;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f) {
    (void)st;
    (void)flag;
    (void)f;
    return remove(path);
}

void test_remove(const char *dir) { (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

static void copy_file(const char *from, const char *to) {
    static uint8_t bytes[1 << 16];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) return;
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(out >= 0);
    for (ssize_t n; (n = read(in, bytes, sizeof bytes)) > 0;) assert_int_equal(write(out, bytes, (size_t)n), n);
    close(in);
    close(out);
}

void test_copy(const char *from, const char *to) {
    (void)mkdir(to, 0700);
    DIR *d = opendir(from);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char a[512], b[512];
        struct stat st;
        if (e->d_name[0] == '.') continue;
        (void)snprintf(a, sizeof a, "%s/%s", from, e->d_name);
        (void)snprintf(b, sizeof b, "%s/%s", to, e->d_name);
        if (stat(a, &st) != 0) continue; /* a running flusher renames spares and files that nothing needs */
        if (S_ISDIR(st.st_mode)) test_copy(a, b);
        else copy_file(a, b);
    }
    closedir(d);
}

unsigned test_wal_files(const char *dir) {
    char path[128];
    unsigned n = 0;
    (void)snprintf(path, sizeof path, "%s/wal", dir);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) n += strlen(e->d_name) == 8;
    closedir(d);
    return n;
}

/* a disk that fails ------------------------------------------------------------------------------------------------------------ */

static bool due(struct test_disk *d, enum test_call call, enum logbook_io_what what) {
    if (d->fault == FAULT_NONE || d->call != call || d->what != what) return false;
    return --d->nth == 0;
}

static ssize_t fail_pwrite(void *ctx, enum logbook_io_what what, int fd, const void *p, size_t n, off_t at) {
    struct test_disk *d = ctx;
    if (d->full && what != LOGBOOK_IO_WAL) {
        errno = ENOSPC;
        return -1;
    }
    if (what == LOGBOOK_IO_WAL) {
        d->last.fd = fd;
        d->last.at = at;
        d->last.n = n;
        assert_true(n <= sizeof d->last.before);
        assert_int_equal(pread(fd, d->last.before, n, at), n);
    }
    bool now = due(d, CALL_PWRITE, what);
    if (now && d->fault == FAULT_DIE_BEFORE) _exit(77);
    /* Torn: half of it lands. */
    if (now && d->fault == FAULT_LOST) (void)!pwrite(fd, p, n / 2, at);
    ssize_t done = now && d->fault == FAULT_LOST ? -1 : pwrite(fd, p, n, at);
    if (now && d->fault == FAULT_DIE_AFTER) _exit(77);
    if (now) {
        errno = EIO;
        return -1;
    }
    return done;
}

static int fail_sync(void *ctx, enum logbook_io_what what, int fd) {
    struct test_disk *d = ctx;
    if (!due(d, CALL_SYNC, what)) return 0; /* tests of processes that die need no real sync */
    if (d->fault == FAULT_DIE_BEFORE || d->fault == FAULT_DIE_AFTER) _exit(77);
    /* Not persisted: the bytes that were written are what was there before, as after a power cut. */
    if (d->fault == FAULT_LOST && what == LOGBOOK_IO_WAL) assert_int_equal(pwrite(fd, d->last.before, d->last.n, d->last.at), d->last.n);
    errno = EIO;
    return -1;
}

static int fail_dirsync(void *ctx, int fd) {
    struct test_disk *d = ctx;
    (void)fd;
    if (!due(d, CALL_DIRSYNC, LOGBOOK_IO_WAL)) return 0;
    errno = EIO;
    return -1;
}

static int fail_rename(void *ctx, int dir, const char *from, const char *to) {
    struct test_disk *d = ctx;
    bool now = due(d, CALL_RENAME, LOGBOOK_IO_WAL);
    if (now && d->fault == FAULT_DIE_BEFORE) _exit(77);
    int failed = now && d->fault == FAULT_LOST ? -1 : renameat(dir, from, dir, to);
    if (now && d->fault == FAULT_DIE_AFTER) _exit(77);
    if (!now) return failed;
    errno = EIO;
    return -1;
}

void test_disk_init(struct test_disk *d) {
    memset(d, 0, sizeof *d);
    d->io = (struct logbook_io){fail_pwrite, fail_sync, fail_dirsync, fail_rename, d};
}

/* a book with two logs ------------------------------------------------------------------------------------------------------------ */

struct log_params test_params(uint8_t id, enum log_kind kind, uint32_t slot) {
    static const char *const origins[] = {[LOG_A] = "log.example/a", [LOG_B] = "log.example/b", [LOG_HEADS] = "log.example/heads"};
    struct log_params p = {.kind = kind, .origin = origins[id], .slot = slot};
    memset(p.id, id, sizeof p.id);
    memset(p.seed, id + 1, sizeof p.seed);
    memset(p.opening_key, id + 2, sizeof p.opening_key);
    memset(p.slot_salt, id + 3, sizeof p.slot_salt);
    return p;
}

static enum err book_open(struct test_book *t, const char *dir, struct test_disk *disk, uint64_t file_bytes) {
    static const uint8_t wal_key[KEYS_BYTES] = {42};
    *t = (struct test_book){.disk = disk, .loop = loop_new()};
    struct logbook_config c = {.gate_dir = dir, .loop = t->loop, .rng = keys_rng(), .wal_key = wal_key, .wall_ms = 1000};
    struct log_params a = test_params(LOG_A, LOG_KIND_ACCESS, 0), b = test_params(LOG_B, LOG_KIND_CONTROL, 1);
    AUTO(buf) struct buf why = BUF_INIT(sizeof t->why - 1);
    enum err e = logbook_open_with(&t->lb, &c, disk == NULL ? &logbook_io_disk : &disk->io, file_bytes, &t->boot, &why);
    if (e == ERR_OK) e = logbook_add(t->lb, &a, &t->a);
    if (e == ERR_OK) e = logbook_add(t->lb, &b, &t->b);
    if (e != ERR_OK && t->lb != NULL) buf_put_slice(&why, logbook_why(t->lb));
    if (why.n > 0) memcpy(t->why, why.p, why.n);
    if (e != ERR_OK) test_close(t);
    return e;
}

enum err test_open(struct test_book *t, const char *dir, struct test_disk *disk) { return book_open(t, dir, disk, TEST_FILE_BYTES); }
enum err test_open_big(struct test_book *t, const char *dir) { return book_open(t, dir, NULL, 1024 * 1024); }
enum err test_open_full(struct test_book *t, const char *dir) { return book_open(t, dir, NULL, WAL_FILE_BYTES); }

void test_close(struct test_book *t) {
    logbook_close(t->lb);
    loop_free(t->loop);
    t->lb = NULL;
    t->loop = NULL;
}

static size_t leaf_text(const struct gate_log *l, uint64_t index, char out[128]) {
    return (size_t)snprintf(out, 128, "{\"kind\":\"test\",\"log\":\"%.4s\",\"n\":%llu}", log_name(l) + 2, (unsigned long long)index);
}
static size_t opening_text(const struct gate_log *l, uint64_t index, char out[128]) {
    return (size_t)snprintf(out, 128, "opening of %s %llu", log_name(l), (unsigned long long)index);
}

void test_append(struct test_book *t, struct gate_log *l, bool command, uint64_t void_ref, void (*durable)(struct log_wait *), struct log_wait *w) {
    char leaf[128], opening[128], text[64];
    uint64_t index = log_size(l);
    size_t command_n = command ? (size_t)snprintf(text, sizeof text, "command %llu", (unsigned long long)index) : 0;
    struct log_append a = {.leaf = slice_of(leaf, leaf_text(l, index, leaf)), .opening = slice_of(opening, opening_text(l, index, opening)),
                           .command = slice_of(text, command_n), .void_ref = void_ref};
    if (w != NULL) w->durable = durable;
    assert_int_equal(logbook_append(t->lb, l, &a, w), index);
}

struct one_wait {
    struct log_wait wait;
    bool done;
};
static void one_durable(struct log_wait *w) { container_of(w, struct one_wait, wait)->done = true; }

static uint64_t put(struct test_book *t, struct gate_log *l, bool command) {
    struct one_wait one = {0};
    test_append(t, l, command, UINT64_MAX, one_durable, &one.wait);
    for (unsigned turns = 0; !one.done; turns++) {
        assert_true(turns < 10000);
        loop_turn(t->loop, 10);
    }
    return one.wait.index;
}
uint64_t test_put(struct test_book *t, struct gate_log *l) { return put(t, l, false); }
uint64_t test_put_command(struct test_book *t, struct gate_log *l) { return put(t, l, true); }

void test_until(struct test_book *t, bool (*reached)(struct test_book *), unsigned seconds) {
    uint64_t end = clock_mono_ms() + 1000 * seconds;
    while (!reached(t)) {
        assert_true(clock_mono_ms() < end);
        loop_turn(t->loop, 10);
    }
}

void test_published(struct test_book *t, struct gate_log *l) {
    uint64_t end = clock_mono_ms() + 5000;
    while (log_published(l) < log_durable(l)) {
        assert_true(clock_mono_ms() < end);
        loop_turn(t->loop, 10);
    }
}

struct walked {
    struct gate_log *l;
    uint64_t n;
};

static enum err walked_one(void *ctx, uint64_t index, struct slice leaf, struct slice opening) {
    struct walked *w = ctx;
    char want[128];
    assert_int_equal(index, w->n++);
    assert_true(slice_eq(leaf, slice_of((const uint8_t *)want, leaf_text(w->l, index, want))));
    assert_true(slice_eq(opening, slice_of((const uint8_t *)want, opening_text(w->l, index, want))));
    return ERR_OK;
}

static void walk_check(struct gate_log *l, uint64_t size) {
    struct walked w = {l, 0};
    assert_int_equal(log_walk(l, NULL, walked_one, &w), ERR_OK);
    assert_int_equal(w.n, size);
}

void test_check(struct test_book *t, struct gate_log *l, uint64_t size) {
    struct ledger_hash h;
    struct ledger_frontier f;
    assert_int_equal(ledger_hash_init(&h), ERR_OK);
    ledger_frontier_init(&f);
    assert_int_equal(log_durable(l), size);
    walk_check(l, size);
    for (uint64_t i = 0; i < size; i++) {
        char leaf[128], opening[128];
        uint8_t hash[HASH_BYTES];
        size_t leaf_n = leaf_text(l, i, leaf), opening_n = opening_text(l, i, opening);
        AUTO(buf) struct buf got = BUF_INIT(LEAF_BYTES_MAX), opened = BUF_INIT(OPENING_BYTES_MAX);
        assert_int_equal(log_read(l, i, &got, &opened), ERR_OK);
        assert_int_equal(got.n, leaf_n);
        assert_memory_equal(got.p, leaf, leaf_n);
        assert_int_equal(opened.n, opening_n);
        assert_memory_equal(opened.p, opening, opening_n);
        ledger_leaf_hash(&h, slice_of(leaf, leaf_n), hash);
        ledger_frontier_append(&h, &f, hash, NULL, NULL);
    }
    test_published(t, l);
    walk_check(l, size);                           /* from the flat files now, all of it */
    AUTO(buf) struct buf text = BUF_INIT(LEDGER_NOTE_BYTES_MAX), key = BUF_INIT(1024);
    struct ledger_vkey vkey;
    struct ledger_checkpoint c;
    uint8_t root[HASH_BYTES];
    log_vkey(l, &key);
    assert_int_equal(ledger_vkey_parse(&h, buf_slice(&key), &vkey), ERR_OK);
    assert_int_equal(log_checkpoint(l, &text), ERR_OK);
    assert_int_equal(ledger_checkpoint_open(buf_slice(&text), &vkey, &c, NULL), ERR_OK);
    ledger_frontier_root(&h, &f, root);
    assert_int_equal(c.size, size);
    assert_memory_equal(c.root, root, HASH_BYTES);
    ledger_hash_done(&h);
}
