/* SPDX-License-Identifier: Apache-2.0
 * export: records read back from an exported log, each opened and checked, and the tree over all of them.
 * Role: replay.c's input. Trusts: nothing. Distrusts: every line; the order of lines; the file's end.
 * Law: 4. Spec: docs/spec/export.md
 */
#include "verify/verify.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

enum err verify_export_open(struct verify_export *x, const char *dir, const char *log)
{
    char path[VERIFY_PLACE_CHARS_MAX + 32];
    *x = (struct verify_export){.opening_bytes = BUF_INIT(OPENING_BYTES_MAX)};
    if (strlen(dir) > VERIFY_PLACE_CHARS_MAX) return ERR_INPUT;
    snprintf(path, sizeof path, "%s/%s.jsonl", dir, log);
    x->file = fopen(path, "re");
    return x->file ? ERR_OK : ERR_IO;
}

void verify_export_close(struct verify_export *x)
{
    if (x->file) fclose(x->file);
    free(x->line);
    free(x->hashes);
    buf_done(&x->opening_bytes);
    *x = (struct verify_export){0};
}

/* {"index":N,"leaf":LEAF,"opening":"BASE64URL"} exactly: the leaf's bytes must come out as they are hashed. */
static enum err split(struct slice line, uint64_t *index, struct slice *leaf, struct slice *opening)
{
    static const char a[] = "{\"index\":", b[] = ",\"leaf\":", c[] = ",\"opening\":\"", d[] = "\"}";
    struct slice number;
    if (!slice_starts(line, slice_str(a))) return ERR_INPUT;
    struct slice rest = slice_cut(slice_of(line.p + strlen(a), line.n - strlen(a)), ',', &number);
    TRY(slice_u64(number, RECORD_INT_MAX, index));
    if (!rest.p) return ERR_TRUNCATED;
    rest = slice_of(rest.p - 1, rest.n + 1);
    if (!slice_starts(rest, slice_str(b))) return ERR_INPUT;
    rest = slice_of(rest.p + strlen(b), rest.n - strlen(b));
    /* No string in a leaf holds a quote, so this can only be the key behind it. */
    const uint8_t *at = memmem(rest.p, rest.n, c, strlen(c)), *end = rest.p + rest.n;
    if (!at || (size_t)(end - at) < strlen(c) + strlen(d) || memcmp(end - strlen(d), d, strlen(d)) != 0) return ERR_INPUT;
    *leaf = slice_of(rest.p, (size_t)(at - rest.p));
    *opening = slice_of(at + strlen(c), (size_t)(end - at) - strlen(c) - strlen(d));
    return ERR_OK;
}

static enum err hash_keep(struct verify_export *x, struct ledger_hash *h)
{
    if (x->next >= x->hash_cap) {
        uint64_t cap = MAX(x->hash_cap * 2, (uint64_t)1024);
        void *grown = realloc(x->hashes, (size_t)cap * HASH_BYTES);
        if (!grown) return ERR_NOMEM;
        x->hashes = grown;
        x->hash_cap = cap;
    }
    ledger_leaf_hash(h, x->leaf_text, x->hashes[x->next]);
    return ERR_OK;
}

enum err verify_export_next(struct verify_export *x, struct ledger_hash *h, unsigned log, const char **why)
{
    uint64_t index;
    struct slice coded;
    errno = 0;
    ssize_t n = getline(&x->line, &x->line_cap, x->file);
    *why = "the file cannot be read";
    if (n <= 0) return ferror(x->file) ? ERR_IO : ERR_MISSING;
    *why = "the line does not end: the export was cut";
    if (x->line[n - 1] != '\n') return ERR_TRUNCATED;
    *why = "not a line of an export (docs/spec/export.md)";
    TRY(split(slice_of(x->line, (size_t)n - 1), &index, &x->leaf_text, &coded));
    *why = "a record is missing or stands twice";
    if (index != x->next) return ERR_RANGE;
    *why = "not a leaf of this log";
    TRY(record_leaf_parse(x->leaf_text, log, &x->leaf));
    buf_reset(&x->opening_bytes);
    *why = "not an opening";
    TRY(base64url_decode(coded, &x->opening_bytes));
    x->opening = (struct record_opening){0};
    if (x->opening_bytes.n > 0) TRY(record_opening_parse(buf_slice(&x->opening_bytes), &x->opening));
    *why = "the opening is not this leaf's";
    TRY(record_opening_check(h, &x->leaf, &x->opening));
    TRY(hash_keep(x, h));
    x->next++;
    return ERR_OK;
}

/* the tree ------------------------------------------------------------------------------------------------------------------------- */

/* A log that has just grown publishes within PUBLISH_MS: the export may be ahead of the head by that much. */
bool verify_head_covering(struct verify_log *l, uint64_t size, struct verify_report *r)
{
    for (unsigned i = 0; i < VERIFY_HEAD_TRIES_MAX; i++) {
        struct timespec wait = {0, VERIFY_HEAD_WAIT_MS * 1000000L};
        if (!verify_log_head(l, r)) return false;
        if (l->size >= size || !l->source.curl) return true;
        nanosleep(&wait, NULL);
    }
    return true;
}

static void against_served(struct verify_export *x, const char *log, struct verify_log *l, struct verify_report *r)
{
    if (!verify_head_covering(l, x->next, r) || !verify_log_load(l, r, NULL, NULL)) return;
    uint64_t both = MIN(l->size, x->next), i = 0;
    while (i < both && memcmp(x->hashes[i], l->leaves[i], HASH_BYTES) == 0) i++;
    if (i < both) verify_find(r, "changed-leaf", log, i, "the exported leaf is not the one on the log");
    else if (l->size < x->next)
        verify_find(r, "dropped-tail", log, l->size, "the export has %llu records, the log is signed up to %llu", (unsigned long long)x->next, (unsigned long long)l->size);
    else verify_note(r, "%s: the export's %llu records are the first of the log's %llu", log, (unsigned long long)x->next, (unsigned long long)l->size);
}

static void against_file(struct verify_export *x, const char *log, const struct ledger_vkey *vkey, const char *path, struct ledger_hash *h, struct verify_report *r)
{
    AUTO(buf) struct buf note = BUF_INIT(LEDGER_NOTE_BYTES_MAX);
    struct ledger_checkpoint c;
    struct ledger_frontier f;
    uint8_t root[HASH_BYTES];
    enum err e = verify_file_read(path, &note);
    if (e != ERR_OK) {
        verify_unreachable(r, path, err_text(e));
        return;
    }
    if ((e = ledger_checkpoint_open(buf_slice(&note), vkey, &c, NULL)) != ERR_OK) {
        verify_find(r, "bad-signature", log, VERIFY_NOWHERE, "%s is not signed by %s, or is another log's: %s", path, vkey->name, err_text(e));
        return;
    }
    if (c.size != x->next) {
        verify_find(r, c.size > x->next ? "dropped-tail" : "not-covered", log, MIN(c.size, x->next), "the export has %llu records, its checkpoint is of %llu",
                    (unsigned long long)x->next, (unsigned long long)c.size);
        return;
    }
    ledger_frontier_init(&f);
    for (uint64_t i = 0; i < c.size; i++) ledger_frontier_append(h, &f, x->hashes[i], NULL, NULL);
    ledger_frontier_root(h, &f, root);
    if (memcmp(root, c.root, HASH_BYTES) != 0) verify_find(r, "changed-leaf", log, VERIFY_NOWHERE, "the exported leaves do not give the signed root");
}

void verify_export_tree(struct verify_export *x, const char *log, struct verify_log *served, const struct ledger_vkey *vkey, const char *checkpoint_path,
                        struct ledger_hash *h, struct verify_report *r)
{
    if (served) against_served(x, log, served, r);
    else against_file(x, log, vkey, checkpoint_path, h, r);
}
