/* SPDX-License-Identifier: Apache-2.0
 * replay_acc: what one `acc` leaf says it saw and wrote, against the fold.
 * Role: versions, batches, listings, uploads and copies of one leaf; of the control log (under a grant) too, at the place its `acc` names. Trusts: fold.c, uploads.c, list.c. Distrusts: the leaf.
 * Law: 1, 4. Spec: docs/spec/record.md section 4
 */
#include "verify/replay_in.h"

/* Names and versions are commitments: those that were erased cannot be compared. */
static bool value(const struct replay *p, enum record_field f, struct slice *out)
{
    const struct record_opened *o = record_opened_field(p->opening, f);
    *out = o ? o->value : slice_of(NULL, 0);
    return o != NULL;
}

static bool is_act(const struct record_leaf *l, const char *act) { return slice_is(record_text(l, RECORD_F_ACT), act); }
static bool is_why(const struct record_leaf *l, const char *why) { return slice_is(record_text(l, RECORD_F_WHY), why); }

static bool act_in(const struct record_leaf *l, const char *const *acts)
{
    for (; *acts; acts++)
        if (is_act(l, *acts)) return true;
    return false;
}
/* Acts whose leaf, with `w`, pushes a version; and those that read one object's bytes or facts. */
static const char *const pushes[] = {"PutObject", "PostObject", "CopyObject", "CompleteMultipartUpload", "Undelete", NULL};
static const char *const gets[] = {"GetObject", "GetObjectVersion", "GetObjectPart", "HeadObject", "HeadObjectVersion", "HeadObjectPart", NULL};
static const char *const revises[] = {"PutObjectTagging", "DeleteObjectTagging", NULL};

static void find_ver(struct replay *p, uint64_t index, uint64_t says, uint64_t is)
{
    char a[24] = "none", b[24] = "none";
    if (says != RECORD_VER_NONE) snprintf(a, sizeof a, "%llu", (unsigned long long)says);
    if (is != RECORD_VER_NONE) snprintf(b, sizeof b, "%llu", (unsigned long long)is);
    verify_find(p->report, "stale-version", p->log, index, "ver says %s, newest is %s", a, b);
}

static const struct verify_write *write_of(const struct replay *p, const struct verify_alive *a) { return a ? &p->fold.writes[a->write] : NULL; }

/* The version a request is about: the newest, or the one it named (26 base32 characters: inverse leaf index and 8 random bytes; "null"). */
static const struct verify_alive *meant(const struct replay *p, const struct verify_key *k, struct slice vid)
{
    uint8_t id[ID_BYTES];
    if (vid.n == 0) return verify_fold_now(k);
    if (slice_is(vid, "null")) return verify_fold_null(&p->fold, k);
    if (base32_fixed(vid, id, sizeof id) != ERR_OK) return NULL;
    const struct verify_alive *a = verify_fold_version(&p->fold, k, ~get_be64(id));
    const struct verify_write *w = a ? &p->fold.writes[a->write] : NULL;
    /* A null version has no such name; and the random half must be right, as far as the log says it (a marker's leaf does not). */
    return !w || w->null || (w->named && w->order != get_be64(id + 8)) ? NULL : a;
}

static uint64_t index_of(const struct replay *p, const struct verify_alive *a) { return a ? write_of(p, a)->index : RECORD_VER_NONE; }
static uint64_t revision_of(const struct verify_alive *a) { return a ? a->revision : RECORD_VER_NONE; }

/* What a GET was given fits the version it names. */
static void read_bytes(struct replay *p, uint64_t index, const struct record_leaf *l, const struct verify_write *w)
{
    uint64_t first = 0, last = 0, bytes = record_int(l, RECORD_F_BYTES, 0), want = w->size;
    if (!(is_act(l, "GetObject") || is_act(l, "GetObjectVersion")) || record_has(l, RECORD_F_WHY)) return;
    if (record_has(l, RECORD_F_RANGE)) {
        struct slice list = l->f[RECORD_F_RANGE].text;
        bool two = record_list_int(&list, &first) && record_list_int(&list, &last);
        want = two && first <= last && last < w->size ? last - first + 1 : VERIFY_NOWHERE;
    }
    if (record_has(l, RECORD_F_GRANT)) return;        /* whole segments: replay_use.c */
    if (bytes != want) verify_find(p->report, "wrong-bytes", p->log, index, "bytes is %llu of an object of %llu", (unsigned long long)bytes, (unsigned long long)w->size);
}

/* The answer fits what was there: an object is no NoSuchKey, and what is not there is no success. */
static void check_answer(struct replay *p, uint64_t index, const struct record_leaf *l, const struct verify_alive *is)
{
    bool there = is && !verify_fold_is_marker(&p->fold, is);
    bool absent = is_why(l, "NoSuchKey") || is_why(l, "NoSuchVersion");
    if (!act_in(l, gets)) return;
    if ((there && absent) || (!there && !record_has(l, RECORD_F_WHY))) verify_find(p->report, "wrong-answer", p->log, index, "why and ver contradict each other");
    if (there) read_bytes(p, index, l, write_of(p, is));
}

static void check_ver(struct replay *p, uint64_t index, const struct record_leaf *l, struct verify_key *k)
{
    struct slice v, vid;
    uint64_t says, revision;
    if (!value(p, RECORD_F_VER, &v) || (!value(p, RECORD_F_VID, &vid) && record_has(l, RECORD_F_VID))) {
        p->erased++;
        return;
    }
    if (record_ver_get(v, &says, &revision) != ERR_OK) {
        verify_find(p->report, "bad-opening", p->log, index, "ver does not open to a version");
        return;
    }
    if (k->bucket->blind) {
        p->blind++;
        return;
    }
    const struct verify_alive *is = meant(p, k, vid);
    p->reads++;
    bool unnamed = is && vid.n && !write_of(p, is)->named && says == RECORD_VER_NONE;   /* a marker under a name that may be another */
    if (says != index_of(p, is) && !unnamed) find_ver(p, index, says, index_of(p, is));
    else if (unnamed) return;
    else if (says != RECORD_VER_NONE && revision != revision_of(is)) find_ver(p, index, revision, revision_of(is));
    else check_answer(p, index, l, is);
}

/* What the bucket's versioning, as of the leaf's ctl, makes of a write. */
static enum policy_versioning mode_of(const struct replay *p, const uint8_t id[ID_BYTES])
{
    const struct policy_bucket *b = policy_bucket_of_id(&p->state, id);
    return b ? b->versioning : POLICY_VERSIONING_OFF;
}

static void fold_write(struct replay *p, const struct verify_write *w, struct slice etag)
{
    enum err e = verify_fold_write(&p->fold, w, etag);
    if (e == ERR_MISSING) verify_find(p->report, "bad-write", "access", w->index, "what it ends or changes does not stand");
    else if (e != ERR_OK) p->broken = true;
}

/* batches ----------------------------------------------------------------------------------------------------------------------------- */

enum { ITEM_NOTHING = 0, ITEM_ENDED = 2, ITEM_MARKER = 3, ITEM_VERSION = 4, ITEM_UPLOAD = 5 };

static void batch_item(struct replay *p, uint64_t index, const uint8_t id[ID_BYTES], uint8_t kind, struct slice key, uint64_t ver, bool write)
{
    struct verify_key *k;
    enum policy_versioning mode = mode_of(p, id);
    if (kind == ITEM_UPLOAD) {
        struct verify_bucket *b;
        struct verify_upload *u = NULL;
        if (verify_fold_bucket(&p->fold, id, &b) != ERR_OK) return;
        for (size_t i = 0; i < b->upload_count && !u; i++)
            if (b->uploads[i]->begin == ver) u = b->uploads[i];
        if (!u || verify_upload_end(&p->fold, index, u->id) != ERR_OK) verify_find(p->report, "bad-write", p->log, index, "an item ends an upload that is none");
        return;
    }
    if (verify_fold_key(&p->fold, id, key, &k) != ERR_OK) {
        verify_find(p->report, "bad-opening", p->log, index, "an item is no key");
        return;
    }
    if (k->bucket->blind) {
        p->blind++;
        return;
    }
    const struct verify_alive *is = kind == ITEM_VERSION ? verify_fold_version(&p->fold, k, ver) : verify_fold_now(k);
    p->reads++;
    /* Nothing was there: of a named version too, and then others may stand. */
    if (kind != ITEM_NOTHING && ver != index_of(p, is)) find_ver(p, index, ver, index_of(p, is));
    if (kind == ITEM_NOTHING && ver != RECORD_VER_NONE) verify_find(p->report, "bad-opening", p->log, index, "an item saw nothing and names a version");
    if (!write || kind == ITEM_NOTHING) return;
    struct verify_write w = {.index = index, .key = k, .null = mode != POLICY_VERSIONING_ENABLED, .target = ver,
                             .effect = kind == ITEM_ENDED ? VERIFY_REMOVE : kind == ITEM_MARKER ? VERIFY_MARK : VERIFY_REMOVE_VERSION};
    if ((kind == ITEM_ENDED && mode != POLICY_VERSIONING_OFF) || (kind == ITEM_MARKER && mode == POLICY_VERSIONING_OFF))
        verify_find(p->report, "bad-write", p->log, index, "an item of kind %u does not fit the bucket's versioning", kind);
    fold_write(p, &w, slice_of(NULL, 0));
}

static void check_batch(struct replay *p, uint64_t index, const struct record_leaf *l, bool write)
{
    struct slice items, key;
    uint8_t kind, root[HASH_BYTES], hash[HASH_BYTES];
    uint64_t ver, n = 0;
    struct ledger_frontier f;
    struct verify_bucket *b;
    const uint8_t *id = l->f[RECORD_F_BKT].bytes;
    if (!record_has(l, RECORD_F_BKT) || verify_fold_bucket(&p->fold, id, &b) != ERR_OK) return;
    if (!value(p, RECORD_F_ITEMS, &items)) {
        b->blind |= write;
        p->erased++;
        return;
    }
    ledger_frontier_init(&f);
    struct reader in = reader_of(items);
    for (; reader_left(&in) > 0; n++) {
        const uint8_t *from = in.p;
        if (record_row_get(&in, &kind, &key, &ver) != ERR_OK || kind > ITEM_UPLOAD || kind == 1) {
            verify_find(p->report, "bad-opening", p->log, index, "item %llu is none", (unsigned long long)n);
            return;
        }
        ledger_leaf_hash(&p->hash, slice_of(from, (size_t)(in.p - from)), hash);
        ledger_frontier_append(&p->hash, &f, hash, NULL, NULL);
        batch_item(p, index, id, kind, key, ver, write);
    }
    ledger_frontier_root(&p->hash, &f, root);
    if (n != record_int(l, RECORD_F_N, VERIFY_NOWHERE) || !record_has(l, RECORD_F_ROOT) || memcmp(root, l->f[RECORD_F_ROOT].bytes, HASH_BYTES) != 0)
        verify_find(p->report, "bad-opening", p->log, index, "the items are not those of the leaf's root");
}

/* listings ---------------------------------------------------------------------------------------------------------------------------- */

/* A listing of any kind, and the refusal to delete a bucket that is not empty: both looked at a snapshot. */
static void check_list(struct replay *p, uint64_t index, const struct record_leaf *l)
{
    struct slice q, s;
    struct record_qry qry;
    struct record_res res;
    struct verify_bucket *b;
    uint64_t asof = record_int(l, RECORD_F_ASOF, 0);
    AUTO(buf) struct buf why = BUF_INIT(256);
    if (!record_has(l, RECORD_F_BKT) || verify_fold_bucket(&p->fold, l->f[RECORD_F_BKT].bytes, &b) != ERR_OK) return;
    if (asof > p->at) {
        verify_find(p->report, "wrong-asof", p->log, index, "asof is %llu, past its own place", (unsigned long long)asof);
        return;
    }
    if (b->blind) {
        p->blind++;
        return;
    }
    p->lists++;
    if (!record_has(l, RECORD_F_RES)) {
        if (is_why(l, "BucketNotEmpty") && verify_fold_count(&p->fold, b, asof) == 0)
            verify_find(p->report, "wrong-answer", p->log, index, "refused as not empty, the fold below %llu has no key", (unsigned long long)asof);
        return;
    }
    if (!value(p, RECORD_F_QRY, &q) || !value(p, RECORD_F_RES, &s)) {
        p->erased++;
        return;
    }
    if (record_qry_get(q, &qry) != ERR_OK || record_res_get(s, &res) != ERR_OK) verify_find(p->report, "bad-opening", p->log, index, "qry or res is none");
    else if (verify_list_check(&p->hash, &p->fold, b, asof, &qry, &res, &why) != ERR_OK)
        verify_find(p->report, "wrong-listing", p->log, index, "%.*s", (int)why.n, (const char *)why.p);
}

/* writes ------------------------------------------------------------------------------------------------------------------------------ */

/* Checks what `new` says beside the leaf; gives size and etag of it. */
static void check_new(struct replay *p, uint64_t index, const struct record_leaf *l, struct record_new *n)
{
    struct slice fresh;
    if (!value(p, RECORD_F_NEW, &fresh)) return;
    if (record_new_get(fresh, n) != ERR_OK || memcmp(n->bucket, l->f[RECORD_F_BKT].bytes, ID_BYTES) != 0)
        verify_find(p->report, "bad-opening", p->log, index, "new is none, or of another bucket");
    else if (record_has(l, RECORD_F_BYTES) && record_int(l, RECORD_F_BYTES, 0) != n->size)
        verify_find(p->report, "wrong-bytes", p->log, index, "bytes is %llu, new has %llu", (unsigned long long)record_int(l, RECORD_F_BYTES, 0), (unsigned long long)n->size);
}

static void write_keep(struct replay *p, uint64_t index, const struct record_leaf *l, struct verify_key *k)
{
    struct record_new n = {0};
    struct slice act = record_text(l, RECORD_F_ACT), v;
    enum policy_versioning mode = mode_of(p, k->bucket->id);
    struct verify_write w = {.index = index, .key = k, .null = mode != POLICY_VERSIONING_ENABLED};
    uint64_t revision;
    bool push = act_in(l, pushes), has_new = record_has(l, RECORD_F_NEW);
    if (value(p, RECORD_F_VER, &v) && record_ver_get(v, &w.target, &revision) != ERR_OK) w.target = RECORD_VER_NONE;
    if (push != has_new && !act_in(l, revises))
        verify_find(p->report, "bad-write", p->log, index, "%.*s %s a new version", (int)act.n, (const char *)act.p, has_new ? "with" : "without");
    if (has_new) check_new(p, index, l, &n);
    if (push) w.effect = VERIFY_PUSH;
    else if (act_in(l, revises)) w.effect = VERIFY_REVISE;
    else if (is_act(l, "DeleteObjectVersion")) w.effect = VERIFY_REMOVE_VERSION;
    else w.effect = mode == POLICY_VERSIONING_OFF ? VERIFY_REMOVE : VERIFY_MARK;
    w.size = n.size;
    w.named = push && n.order != 0;
    w.one = is_act(l, "PutObject") || is_act(l, "PostObject");
    w.order = n.order;
    fold_write(p, &w, n.etag);
}

/* Might the caller read the source? The request of the leaf, as a read of it; what was found there stands in ctx as "=source-...". */
static bool source_allowed(struct replay *p, const struct record_leaf *l, const struct record_copy *c)
{
    AUTO(buf) struct buf ctx = BUF_INIT(POLICY_CTX_BYTES_MAX);
    struct policy_request q;
    struct slice name, v;
    if (policy_request_of(l, p->opening, &q) != ERR_OK) return true;       /* told by the leaf's own decision */
    struct reader in = reader_of(q.ctx);
    while (record_ctx_next(&in, &name, &v)) {
        if (slice_is(name, "=source-tags")) record_ctx_put(&ctx, SLICE_LIT("=tags"), v);
        else if (slice_is(name, "=source-owner")) record_ctx_put(&ctx, SLICE_LIT("=owner"), v);
        else if (!slice_is(name, "=tags") && !slice_is(name, "=owner") && !slice_is(name, "=absent")) record_ctx_put(&ctx, name, v);
    }
    q.act = c->vid.n ? POLICY_ACT_GetObjectVersion : POLICY_ACT_GetObject;
    q.bucket = c->bucket;
    q.key = c->key;
    q.version_id = c->vid.n ? c->vid : slice_of(NULL, 0);
    q.body = POLICY_BODY_NONE;
    q.object_known = true;
    q.ctx = buf_slice(&ctx);
    return policy_decide(&p->state, &q).allow;
}

/* The source of a copy stands where its leaf stands, and the caller might read it. */
static void check_copy(struct replay *p, uint64_t index, const struct record_leaf *l, bool write)
{
    struct slice text;
    struct record_copy c;
    struct verify_key *k;
    if (!value(p, RECORD_F_COPY, &text)) {
        p->erased++;
        return;
    }
    if (record_copy_get(text, &c) != ERR_OK) {
        verify_find(p->report, "bad-opening", p->log, index, "copy is none");
        return;
    }
    const struct policy_bucket *b = policy_bucket(&p->state, c.bucket);
    if (!b || verify_fold_key(&p->fold, b->id, c.key, &k) != ERR_OK) {
        if (write) verify_find(p->report, "bad-write", p->log, index, "copied from a bucket that is not there");
        return;
    }
    if (k->bucket->blind) {
        p->blind++;
        return;
    }
    const struct verify_alive *is = meant(p, k, c.vid);
    p->reads++;
    if (c.ver != index_of(p, is)) find_ver(p, index, c.ver, index_of(p, is));
    else if (is && c.revision != is->revision) find_ver(p, index, c.revision, is->revision);
    if (!p->broken && !record_has(l, RECORD_F_WHY) && slice_is(record_text(l, RECORD_F_DEC), "allow") && !source_allowed(p, l, &c))
        verify_find(p->report, "wrong-decision", p->log, index, "the caller might not read the source of this copy");
    if (write && (!is || verify_fold_is_marker(&p->fold, is))) verify_find(p->report, "bad-write", p->log, index, "copied from what is not there");
}

static void check_upload(struct replay *p, uint64_t index, const struct record_leaf *l, struct slice key, bool write)
{
    struct slice text, v;
    uint8_t id[ID_BYTES];
    uint16_t part;
    uint64_t says = RECORD_VER_NONE, revision;
    struct record_new n = {0};
    enum err e = ERR_OK;
    if (!value(p, RECORD_F_UP, &text)) {
        p->erased++;
        return;
    }
    if (record_up_get(text, id, &part) != ERR_OK) {
        verify_find(p->report, "bad-opening", p->log, index, "up is no upload");
        return;
    }
    if (record_has(l, RECORD_F_NEW)) check_new(p, index, l, &n);
    if (!write) return;
    if (is_act(l, "CreateMultipartUpload")) e = verify_upload_begin(&p->fold, index, l->f[RECORD_F_BKT].bytes, key, id);
    else if (part == 0) e = verify_upload_end(&p->fold, index, id);
    else {
        const struct verify_upload *u = verify_upload(&p->fold, id);
        uint64_t is = u ? verify_upload_part_at(u, part, index) : RECORD_VER_NONE;
        if (value(p, RECORD_F_VER, &v) && record_ver_get(v, &says, &revision) == ERR_OK && says != is) find_ver(p, index, says, is);
        e = verify_upload_part(&p->fold, index, id, part, value(p, RECORD_F_NEW, &v) ? n.size : VERIFY_NOWHERE);
    }
    if (e == ERR_NOMEM || e == ERR_LIMIT) p->broken = true;
    else if (e != ERR_OK) verify_find(p->report, "bad-write", p->log, index, "of an upload that is %s", e == ERR_EXISTS ? "there already" : "not there");
}

/* One key's request: the version it looked at, and what it wrote. */
static void check_key(struct replay *p, uint64_t index, const struct record_leaf *l, bool write)
{
    struct slice text;
    struct record_obj obj;
    struct verify_key *k;
    struct verify_bucket *b;
    bool part = is_act(l, "UploadPart") || is_act(l, "UploadPartCopy") || is_act(l, "CreateMultipartUpload") || is_act(l, "AbortMultipartUpload");
    if (!record_has(l, RECORD_F_BKT)) {
        verify_find(p->report, "bad-leaf", p->log, index, "a version of no bucket");
        return;
    }
    if (verify_fold_bucket(&p->fold, l->f[RECORD_F_BKT].bytes, &b) != ERR_OK) return;
    if (!value(p, RECORD_F_OBJ, &text)) {
        b->blind |= write;
        p->erased++;
        return;
    }
    if (record_obj_get(text, &obj) != ERR_OK || verify_fold_key(&p->fold, b->id, obj.key, &k) != ERR_OK) {
        verify_find(p->report, "bad-opening", p->log, index, "obj is no key");
        return;
    }
    if (record_has(l, RECORD_F_COPY)) check_copy(p, index, l, write);
    if (record_has(l, RECORD_F_UP)) check_upload(p, index, l, obj.key, write);
    if (part) return;
    if (record_has(l, RECORD_F_VER)) check_ver(p, index, l, k);
    else if (write) verify_find(p->report, "no-version", p->log, index, "a write that names no version it replaced");
    if (write) write_keep(p, index, l, k);
}

void replay_look(struct replay *p, uint64_t index, const struct record_leaf *l)
{
    bool write = record_int(l, RECORD_F_W, 0) == 1;
    bool answered = slice_is(record_text(l, RECORD_F_DEC), "allow") && !record_has(l, RECORD_F_WHY);
    if (record_has(l, RECORD_F_ITEMS)) check_batch(p, index, l, write);
    else if (record_has(l, RECORD_F_ASOF)) check_list(p, index, l);
    else if (record_has(l, RECORD_F_VER) || record_has(l, RECORD_F_COPY) || record_has(l, RECORD_F_UP) || (write && !is_act(l, "PurgeGrave"))) check_key(p, index, l, write);
    else if (write) {
        const struct verify_write w = {.index = index, .effect = VERIFY_NOTHING};
        fold_write(p, &w, slice_of(NULL, 0));
    } else if (answered && act_in(l, gets))
        verify_find(p->report, "no-version", p->log, index, "a read that names no version");
}

void replay_acc(struct replay *p, uint64_t index, const struct record_leaf *l)
{
    uint64_t ctl = record_int(l, RECORD_F_CTL, 0);
    struct policy_decision d;
    if (ctl < p->ctl || ctl > p->leaf_count) {
        verify_find(p->report, "wrong-ctl", "access", index, "ctl is %llu; it was %llu before, and the control log has %llu", (unsigned long long)ctl,
                    (unsigned long long)p->ctl, (unsigned long long)p->leaf_count);
    } else {
        p->ctl = ctl;
        replay_control(p, ctl);
        if (!p->broken) {
            enum err e = policy_check(&p->state, l, &p->access.opening, &d);
            p->decisions += e != ERR_MISSING;
            replay_decision(p, "access", index, l, e, &d);
        }
    }
    p->writes += record_int(l, RECORD_F_W, 0) == 1;
    /* Under a grant everything stands on the control log: here a budget would not see it. */
    if (slice_is(record_text(l, RECORD_F_AUTH), "sts")) verify_find(p->report, "wrong-grant", "access", index, "a request under a grant on the access log");
    p->log = "access";
    p->opening = &p->access.opening;
    p->at = index;
    replay_look(p, index, l);
}
