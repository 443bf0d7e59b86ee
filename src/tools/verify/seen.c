/* SPDX-License-Identifier: Apache-2.0
 * seen: heads kept from earlier runs, one per origin, in a file of one's own.
 * Role: finds a log that was cut or rewritten since, without anybody's help. Trusts: the file. Distrusts: the log shown now.
 * Law: 7. Spec: docs/ops/verify.md
 */
#include "verify/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum err verify_seen_open(struct verify_seen *s, const char *path)
{
    AUTO(buf) struct buf text = BUF_INIT(VERIFY_SEEN_BYTES_MAX);
    *s = (struct verify_seen){.path = path};
    enum err e = verify_file_read(path, &text);
    if (e != ERR_OK && e != ERR_MISSING) return e;
    s->all = e == ERR_MISSING ? json_array() : json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    return json_is_array(s->all) ? ERR_OK : ERR_INPUT;
}

static json_t *entry_of(const struct verify_seen *s, const char *origin)
{
    size_t i;
    json_t *x;
    json_array_foreach(s->all, i, x) {
        const char *o = json_string_value(json_object_get(x, "origin"));
        if (o && strcmp(o, origin) == 0) return x;
    }
    return NULL;
}

static void root_at(struct verify_log *l, uint64_t n, uint8_t out[HASH_BYTES])
{
    struct ledger_frontier f;
    ledger_frontier_init(&f);
    for (uint64_t i = 0; i < n; i++) ledger_frontier_append(l->hash, &f, l->leaves[i], NULL, NULL);
    ledger_frontier_root(l->hash, &f, out);
}

/* The kept checkpoint is read again with the log's key: the file holds the evidence, not only our word. */
static enum err old_head(const struct verify_log *l, json_t *x, uint64_t *size, uint8_t root[HASH_BYTES])
{
    struct ledger_checkpoint c;
    const char *note = json_string_value(json_object_get(x, "checkpoint"));
    if (!note) return ERR_INPUT;
    TRY(ledger_checkpoint_open(slice_str(note), &l->vkey, &c, NULL));
    *size = c.size;
    memcpy(root, c.root, HASH_BYTES);
    return ERR_OK;
}

void verify_seen_check(struct verify_seen *s, struct verify_log *l, struct verify_report *r)
{
    uint8_t old_root[HASH_BYTES], now[HASH_BYTES];
    uint64_t old = 0;
    json_t *x = entry_of(s, l->vkey.name);
    if (x && old_head(l, x, &old, old_root) != ERR_OK) {
        verify_find(r, "bad-seen", l->name, VERIFY_NOWHERE, "what %s holds of this log does not verify with the key given", s->path);
        return;
    }
    if (old > l->size) {
        verify_find(r, "dropped-tail", l->name, l->size, "%llu leaves were seen before, now the log has %llu", (unsigned long long)old, (unsigned long long)l->size);
        return;
    }
    if (x) {
        root_at(l, old, now);
        if (memcmp(now, old_root, HASH_BYTES) != 0) {
            verify_find(r, "split-view", l->name, VERIFY_NOWHERE, "the first %llu leaves are not those that were seen before", (unsigned long long)old);
            return;
        }
        verify_fact(r, "consistent with seen", old);
    } else {
        x = json_object();
        json_array_append_new(s->all, x);
    }
    json_object_set_new(x, "origin", json_string(l->vkey.name));
    json_object_set_new(x, "size", json_integer((json_int_t)l->size));
    json_object_set_new(x, "checkpoint", json_stringn((const char *)l->note.p, l->note.n));
}

/* Whole under another name, synced, renamed: a cut run must not lose what was seen. */
enum err verify_seen_save(const struct verify_seen *s)
{
    char path[VERIFY_PLACE_CHARS_MAX + 8];
    char *text = json_dumps(s->all, JSON_INDENT(2));
    if (!text || strlen(s->path) > VERIFY_PLACE_CHARS_MAX) {
        free(text);
        return ERR_LIMIT;
    }
    snprintf(path, sizeof path, "%s.new", s->path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    size_t n = strlen(text);
    bool ok = fd >= 0 && write(fd, text, n) == (ssize_t)n && write(fd, "\n", 1) == 1 && fdatasync(fd) == 0;
    if (fd >= 0 && close(fd) != 0) ok = false;
    free(text);
    return ok && rename(path, s->path) == 0 ? ERR_OK : ERR_IO;
}

void verify_seen_close(struct verify_seen *s) { json_decref(s->all); }
