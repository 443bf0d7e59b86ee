/* SPDX-License-Identifier: Apache-2.0
 * manifest: what the store shows now against what the log says it must hold.
 * Role: no effect without its leaf, no leaf without its effect or void, for the newest versions.
 * Trusts: nothing; the file comes from any listing tool. Law: 1. Spec: docs/ops/verify.md
 */
#include "verify/verify.h"

#include <stdlib.h>

struct shown {
    char *etag;                                       /* NULL: the listing said none */
};

static void full_name(const uint8_t id[ID_BYTES], struct slice key, struct buf *out)
{
    buf_reset(out);
    buf_put(out, id, ID_BYTES);
    buf_put_slice(out, key);
}

static const char *unquoted(const char *etag, char out[ENTRY_ETAG_CHARS_MAX + 1])
{
    size_t n = strlen(etag), from = n >= 2 && etag[0] == '"' && etag[n - 1] == '"';
    n -= 2 * from;
    if (n > ENTRY_ETAG_CHARS_MAX) n = ENTRY_ETAG_CHARS_MAX;
    memcpy(out, etag + from, n);
    out[n] = 0;
    return out;
}

/* The version a listing shows; NULL: none, or a delete marker. */
static const struct verify_write *newest(const struct verify_fold *f, const struct verify_key *k)
{
    const struct verify_alive *a = verify_fold_now(k);
    return a && !verify_fold_is_marker(f, a) ? &f->writes[a->write] : NULL;
}

/* One line {"bucket":..., "key":..., "etag":...}. False: not such a line. */
static bool line_take(const char *line, size_t n, const struct policy_state *s, struct verify_fold *f, struct map *all, uint64_t number, struct verify_report *r)
{
    const char *bucket = NULL, *key = NULL, *etag = NULL;
    size_t key_n = 0;
    char tag[ENTRY_ETAG_CHARS_MAX + 1];
    AUTO(buf) struct buf name = BUF_INIT(ID_BYTES + S3_KEY_BYTES_MAX);
    json_t *j = json_loadb(line, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    bool ok = j && json_unpack(j, "{s:s, s:s%, s?:s}", "bucket", &bucket, "key", &key, &key_n, "etag", &etag) == 0;
    if (ok) {
        const struct policy_bucket *b = policy_bucket(s, slice_str(bucket));
        struct shown *x = calloc(1, sizeof *x);
        ASSERT(x);
        if (etag) x->etag = strdup(unquoted(etag, tag));
        if (b) full_name(b->id, slice_of(key, key_n), &name);
        struct verify_key *k = b ? map_get(f->keys, buf_slice(&name)) : NULL;
        const struct verify_write *w = newest(f, k);
        if (!w)
            verify_find(r, "effect-without-leaf", "manifest", number, "%s/%s is in the store, the log has no version of it", bucket, key);
        else if (x->etag && w->etag && strcmp(x->etag, w->etag) != 0)
            verify_find(r, "effect-without-leaf", "manifest", number, "%s/%s has etag %s, leaf access/%llu wrote %s", bucket, key, x->etag, (unsigned long long)w->index, w->etag);
        if (!b || map_put(all, buf_slice(&name), x) != ERR_OK) {
            free(x->etag);
            free(x);
        }
    }
    json_decref(j);
    return ok;
}

static void missing_keys(struct verify_fold *f, const struct policy_state *s, struct map *all, struct verify_report *r)
{
    size_t cursor = 0;
    struct slice name;
    for (struct verify_key *k; (k = map_next(f->keys, &cursor, &name));) {
        const struct verify_write *w = newest(f, k);
        const struct policy_bucket *b = policy_bucket_of_id(s, k->bucket->id);
        if (!w || k->bucket->blind || map_get(all, name)) continue;
        verify_find(r, "leaf-without-effect", "access", w->index, "%s/%.*s is not in the store, and the leaf has no void", b ? b->name : "(deleted bucket)", (int)k->name_n,
                    (const char *)k->name);
    }
}

void verify_manifest(const char *path, struct verify_fold *f, const struct policy_state *s, struct verify_report *r)
{
    FILE *in = fopen(path, "re");
    struct map *all = map_new(VERIFY_KEYS_MAX);
    char *line = NULL;
    size_t cap = 0;
    uint64_t number = 0;
    bool good = true;
    if (!in || !all) {
        verify_unreachable(r, path, "not there, or no memory");
        if (in) fclose(in);
        map_free(all);
        return;
    }
    for (ssize_t n; good && (n = getline(&line, &cap, in)) > 0; number++) good = line_take(line, (size_t)n, s, f, all, number, r);
    if (!good) verify_find(r, "bad-manifest", "manifest", number - 1, "not a line {\"bucket\":..., \"key\":..., \"etag\":...}");
    else missing_keys(f, s, all, r);
    verify_fact(r, "keys in the manifest", number);
    size_t cursor = 0;
    for (struct shown *x; (x = map_next(all, &cursor, NULL));) {
        free(x->etag);
        free(x);
    }
    map_free(all);
    free(line);
    fclose(in);
}
