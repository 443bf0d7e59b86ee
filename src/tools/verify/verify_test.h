/* SPDX-License-Identifier: Apache-2.0
 * Makes small logs in directories, as a mirror of a served log would look, and reads them with the room's own functions.
 * Spec: docs/spec/log.md section 3
 */
#ifndef TILLIT_VERIFY_TEST_H
#define TILLIT_VERIFY_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "verify/verify.h"

#define MADE_LEAVES_MAX 1024

struct made {
    char dir[256];
    struct ledger_hash hash;
    struct ledger_signer signer;
    struct verify_log read;
    struct buf leaf;                                  /* the last leaf made */
    struct buf leaves[MADE_LEAVES_MAX];
    uint64_t count;
};

static inline void made_init(struct made *m, const char *origin)
{
    *m = (struct made){0};
    snprintf(m->dir, sizeof m->dir, "%s/tillit-verify-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(m->dir));
    static const uint8_t seed[ED25519_SEED_BYTES] = {7, 7, 7};
    AUTO(buf) struct buf vkey = BUF_INIT(1024);
    assert_int_equal(ledger_hash_init(&m->hash), ERR_OK);
    assert_int_equal(ledger_signer_init(&m->signer, &m->hash, slice_str(origin), LEDGER_ALG_ED25519, seed), ERR_OK);
    ledger_vkey_format(&m->signer.vkey, &vkey);
    buf_put_u8(&vkey, 0);
    assert_int_equal(verify_log_open(&m->read, &m->hash, m->dir, (const char *)vkey.p, NULL), ERR_OK);
    buf_init(&m->leaf, LEAF_BYTES_MAX);
}

static inline void made_add(struct made *m)
{
    assert_true(m->count < MADE_LEAVES_MAX && buf_ok(&m->leaf));
    struct buf *to = &m->leaves[m->count++];
    buf_init(to, LEAF_BYTES_MAX);
    buf_put_slice(to, buf_slice(&m->leaf));
}

static inline void made_sum(struct made *m, uint64_t t)
{
    struct record_writer w;
    buf_reset(&m->leaf);
    record_begin(&w, RECORD_K_SUM, &m->leaf, NULL);
    record_put_int(&w, RECORD_F_N, 1);
    record_put_int(&w, RECORD_F_T, t);
    record_put_text(&w, RECORD_F_WHY, SLICE_LIT("AccessDenied"));
    assert_int_equal(record_end(&w), ERR_OK);
    made_add(m);
}

static inline void made_void(struct made *m, uint64_t ref, uint64_t t)
{
    struct record_writer w;
    buf_reset(&m->leaf);
    record_begin(&w, RECORD_K_VOID, &m->leaf, NULL);
    record_put_int(&w, RECORD_F_REF, ref);
    record_put_int(&w, RECORD_F_T, t);
    record_put_text(&w, RECORD_F_WHY, SLICE_LIT("refused"));
    assert_int_equal(record_end(&w), ERR_OK);
    made_add(m);
}

/* The root over `slots` values of which number i is 32 bytes of values[i], by the definition and not by the room's own tree. */
static inline void slots_root(struct ledger_hash *h, uint8_t values[][HASH_BYTES], size_t slots, uint8_t out[HASH_BYTES])
{
    struct ledger_frontier f;
    uint8_t leaf[HASH_BYTES];
    ledger_frontier_init(&f);
    for (size_t i = 0; i < slots; i++) {
        ledger_leaf_hash(h, slice_of(values[i], HASH_BYTES), leaf);
        ledger_frontier_append(h, &f, leaf, NULL, NULL);
    }
    ledger_frontier_root(h, &f, out);
}

static inline void made_epoch(struct made *m, uint64_t n, uint64_t t, uint64_t slot, uint64_t slots, uint8_t fill, bool wrong)
{
    static uint8_t values[16][HASH_BYTES];
    struct record_writer w;
    uint8_t root[HASH_BYTES];
    char text[80];
    AUTO(buf) struct buf b = BUF_INIT(64);
    if (m->count == 0) memset(values, 0, sizeof values);
    memset(values[slot], fill + 1, HASH_BYTES);
    slots_root(&m->hash, values, slots, root);
    if (wrong) root[0] ^= 1;
    buf_put_base64url(&b, slice_of(values[slot], HASH_BYTES));
    snprintf(text, sizeof text, "%llu:%.*s", (unsigned long long)slot, (int)b.n, (const char *)b.p);
    struct slice item = slice_str(text);
    buf_reset(&m->leaf);
    record_begin(&w, RECORD_K_EPOCH, &m->leaf, NULL);
    record_put_texts(&w, RECORD_F_CHG, &item, 1);
    record_put_int(&w, RECORD_F_N, n);
    record_put_hash(&w, RECORD_F_ROOT, root);
    record_put_int(&w, RECORD_F_SLOTS, slots);
    record_put_int(&w, RECORD_F_T, t);
    assert_int_equal(record_end(&w), ERR_OK);
    made_add(m);
}

/* files ------------------------------------------------------------------------------------------------------------------------- */

static inline void made_path(const struct made *m, const char *name, char out[512]) { snprintf(out, 512, "%s/%s", m->dir, name); }

static inline void file_put(const char *path, struct slice bytes)
{
    char part[512];
    for (size_t i = 1; path[i]; i++) {
        if (path[i] != '/') continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        mkdir(part, 0700);
    }
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    if (bytes.n > 0) assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
    assert_int_equal(fclose(f), 0);
}

static inline void tile_put(const struct made *m, const struct ledger_tile *t, struct slice bytes)
{
    AUTO(buf) struct buf name = BUF_INIT(LEDGER_TILE_PATH_BYTES_MAX + 1);
    char path[512];
    ledger_tile_format(t, &name);
    buf_put_u8(&name, 0);
    made_path(m, (const char *)name.p, path);
    file_put(path, bytes);
}

/* Checkpoint, bundles and tiles of all leaves made. */
static inline void made_write(struct made *m)
{
    AUTO(buf) struct buf note = BUF_INIT(4096), bundle = BUF_INIT(VERIFY_BUNDLE_BYTES_MAX), level = BUF_INIT(MADE_LEAVES_MAX * HASH_BYTES);
    AUTO(buf) struct buf above = BUF_INIT(MADE_LEAVES_MAX * HASH_BYTES);
    struct ledger_frontier f;
    uint8_t hash[HASH_BYTES], root[HASH_BYTES], up[LEDGER_TILE_LEVELS_MAX][HASH_BYTES];
    unsigned up_count;
    ledger_frontier_init(&f);
    for (uint64_t i = 0; i < m->count; i++) {
        ledger_leaf_hash(&m->hash, buf_slice(&m->leaves[i]), hash);
        ledger_frontier_append(&m->hash, &f, hash, up, &up_count);
        buf_put(&level, hash, HASH_BYTES);
        if (up_count > 0) buf_put(&above, up[0], HASH_BYTES);
        ledger_bundle_put(&bundle, buf_slice(&m->leaves[i]));
        if ((i + 1) % TILE_LEAVES != 0 && i + 1 != m->count) continue;
        const struct ledger_tile t = {.entries = true, .index = i / TILE_LEAVES, .width = (unsigned)(i % TILE_LEAVES) + 1};
        const struct ledger_tile hashes = {.index = t.index, .width = t.width};
        tile_put(m, &t, buf_slice(&bundle));
        tile_put(m, &hashes, buf_slice(&level));
        buf_reset(&bundle), buf_reset(&level);
    }
    if (above.n > 0) tile_put(m, &(struct ledger_tile){.level = 1, .width = (unsigned)(above.n / HASH_BYTES)}, buf_slice(&above));
    ledger_frontier_root(&m->hash, &f, root);
    assert_int_equal(ledger_checkpoint_sign(&m->signer, m->count, root, &note), ERR_OK);
    char path[512];
    made_path(m, "checkpoint", path);
    file_put(path, buf_slice(&note));
}

static inline void made_flip(struct made *m, const char *file, size_t at)
{
    char path[512];
    AUTO(buf) struct buf b = BUF_INIT(VERIFY_BUNDLE_BYTES_MAX);
    made_path(m, file, path);
    assert_int_equal(verify_file_read(path, &b), ERR_OK);
    assert_true(at < b.n);
    b.p[at] ^= 1;
    file_put(path, buf_slice(&b));
}

static inline void made_replace(struct made *m, const char *file, const char *what, const char *with)
{
    char path[512];
    AUTO(buf) struct buf b = BUF_INIT(VERIFY_BUNDLE_BYTES_MAX);
    made_path(m, file, path);
    assert_int_equal(verify_file_read(path, &b), ERR_OK);
    uint8_t *at = memmem(b.p, b.n, what, strlen(what));
    assert_non_null(at);
    memcpy(at, with, strlen(with));
    file_put(path, buf_slice(&b));
}

static inline void made_unlink(struct made *m, const char *file)
{
    char path[512];
    made_path(m, file, path);
    assert_int_equal(unlink(path), 0);
}

static inline void made_rm(struct made *m, const char *file)
{
    char path[512];
    made_path(m, file, path);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", "--", path, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

/* Flat files in place of the tiles, as the store keeps them. */
static inline void made_flat(struct made *m)
{
    AUTO(buf) struct buf entries = BUF_INIT(VERIFY_BUNDLE_BYTES_MAX), offsets = BUF_INIT(65536), one = BUF_INIT(65536), above = BUF_INIT(65536);
    struct ledger_frontier f;
    uint8_t hash[HASH_BYTES], up[LEDGER_TILE_LEVELS_MAX][HASH_BYTES];
    unsigned up_count;
    char path[512];
    ledger_frontier_init(&f);
    for (uint64_t i = 0; i < m->count; i++) {
        buf_put_u64(&offsets, entries.n);
        ledger_bundle_put(&entries, buf_slice(&m->leaves[i]));
        ledger_leaf_hash(&m->hash, buf_slice(&m->leaves[i]), hash);
        ledger_frontier_append(&m->hash, &f, hash, up, &up_count);
        buf_put(&one, hash, HASH_BYTES);
        if (up_count > 0) buf_put(&above, up[0], HASH_BYTES);
    }
    made_rm(m, "tile");
    const struct { const char *name; struct buf *bytes; } all[] = {{"entries", &entries}, {"offsets", &offsets}, {"hashes.0", &one}, {"hashes.1", &above}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        made_path(m, all[i].name, path);
        file_put(path, buf_slice(all[i].bytes));
    }
    verify_source_close(&m->read.source);
    assert_int_equal(verify_source_open(&m->read.source, m->dir, NULL), ERR_OK);
}

static inline void made_done(struct made *m)
{
    made_rm(m, "");
    for (uint64_t i = 0; i < m->count; i++) buf_done(&m->leaves[i]);
    buf_done(&m->leaf);
    verify_log_close(&m->read);
    ledger_signer_done(&m->signer);
    ledger_hash_done(&m->hash);
}

/* outcomes ----------------------------------------------------------------------------------------------------------------------- */

/* name NULL: nothing was found. Otherwise a finding of that name in that log (NULL: any) at that index (VERIFY_NOWHERE: wherever).
 * Ends the report. */
static inline void assert_found(struct verify_report *r, const char *name, const char *log, uint64_t index)
{
    size_t i;
    json_t *x;
    bool ok = name == NULL && r->found == 0 && !r->unreachable;
    json_array_foreach(r->findings, i, x) {
        if (name == NULL) continue;
        bool there = index == VERIFY_NOWHERE || (json_object_get(x, "index") && (uint64_t)json_integer_value(json_object_get(x, "index")) == index);
        there &= !log || strncmp(json_string_value(json_object_get(x, "where")), log, strlen(log)) == 0;
        ok |= there && strcmp(json_string_value(json_object_get(x, "name")), name) == 0;
    }
    if (!ok) {
        char *text = json_dumps(r->findings, 0);
        fail_msg("expected %s at %lld, found %s", name ? name : "nothing", (long long)index, text);
    }
    json_decref(r->findings);
    json_decref(r->facts);
}

static inline void assert_outcome(struct made *m, const char *name, uint64_t index)
{
    struct verify_report r;
    verify_report_init(&r, true);
    struct verify_heads heads = {.hash = &m->hash, .report = &r, .name = "heads", .slot = VERIFY_NOWHERE};
    struct verify_content c = {.report = &r, .log = &m->read, .heads = m->read.kind == RECORD_LOG_HEADS ? &heads : NULL};
    if (verify_log_head(&m->read, &r)) verify_log_load(&m->read, &r, verify_content_leaf, &c);
    verify_content_done(&c);
    verify_heads_done(&heads);
    assert_found(&r, name, NULL, index);
}

#endif
