/* SPDX-License-Identifier: Apache-2.0
 * Writes a tenant's control and access log leaf by leaf with the record room, the fields as the gate's steps put them.
 * Spec: docs/spec/record.md, docs/spec/export.md
 */
#ifndef TILLIT_REPLAY_TEST_H
#define TILLIT_REPLAY_TEST_H

#include "verify/verify_test.h"

#define TEST_ACCOUNT "000000000001"
#define TEST_KEY "AKIAAAAAAAAAAAAAAAAA"

struct row {
    uint8_t kind;
    const char *key;
    uint64_t ver;
};
struct log_made {
    struct made files;                                /* leaves, signer, checkpoint */
    struct buf openings[MADE_LEAVES_MAX];
    uint64_t count;
};
struct tenant {
    struct log_made control, access;
    struct record_ssh_private owner, stranger;
    uint8_t bucket[ID_BYTES], salt, tenant_id[ID_BYTES], nonce;
    uint64_t now, cut;
    bool lie_dec, lie_ctl, lie_opening, swap, from_files;   /* from_files: checkpoints beside the export, not mirrors */
    const char *bucket_name, *manifest;
    const char *provider_url, *provider_vkey;         /* NULL: replay is not given the provider log */
};
static struct record_writer w;
static struct buf test_leaf, test_opening;

static inline void begin(struct tenant *t, enum record_kind kind)
{
    buf_reset(&test_leaf), buf_reset(&test_opening);
    test_leaf.max = LEAF_BYTES_MAX, test_opening.max = OPENING_BYTES_MAX;
    record_begin(&w, kind, &test_leaf, &test_opening);
    t->now += 10;
}

static inline void commit(struct tenant *t, enum record_field f, struct slice v)
{
    uint8_t salt[SALT_BYTES] = {t->salt++, 1};
    record_put_commit(&w, &t->access.files.hash, f, salt, v);
}

static inline void end(struct tenant *t, struct log_made *l)
{
    assert_int_equal(record_end(&w), ERR_OK);
    if (t->lie_opening) test_opening.p[3] ^= 1;
    t->lie_opening = false;
    struct buf *o = &l->openings[l->count++];
    buf_init(o, OPENING_BYTES_MAX);
    if (w.commits > 0) buf_put_slice(o, buf_slice(&test_opening));
    buf_reset(&l->files.leaf);
    buf_put_slice(&l->files.leaf, buf_slice(&test_leaf));
    made_add(&l->files);
}

/* control log ------------------------------------------------------------------------------------------------------------------ */

static inline void statement_value(struct tenant *t, enum record_statement_kind kind, const char *scope, bool stranger, bool again, struct buf *out)
{
    AUTO(buf) struct buf text = BUF_INIT(STATEMENT_BYTES_MAX), armored = BUF_INIT(SSHSIG_CHARS_MAX);
    struct record_statement s = {.kind = kind, .have = RECORD_S_SUBJECT | RECORD_S_TENANT, .subject = SLICE_LIT(TEST_ACCOUNT), .t = t->now};
    struct slice item = slice_str(scope);
    if (scope) s.have |= RECORD_S_SCOPE;
    memcpy(s.tenant, t->tenant_id, ID_BYTES);
    if (!again) t->nonce++;
    s.nonce[0] = t->nonce;
    assert_int_equal(record_statement_write(&s, &item, scope ? 1 : 0, &text), ERR_OK);
    assert_int_equal(record_sshsig_sign(stranger ? &t->stranger : &t->owner, buf_slice(&text), RECORD_STATEMENT_NAMESPACE, &armored), ERR_OK);
    buf_put_lp16(out, buf_slice(&text));
    buf_put_slice(out, buf_slice(&armored));
}

static inline void genesis(struct tenant *t)
{
    AUTO(buf) struct buf value = BUF_INIT(OPENING_BYTES_MAX);
    const char *print = t->owner.key.fingerprint;
    struct slice signer = slice_str(print), logs = SLICE_LIT("1:aaaqeayeaudaocajbifqydiob4");
    begin(t, RECORD_K_GENESIS);
    statement_value(t, RECORD_STATEMENT_GENESIS_TENANT, print, false, false, &value);
    record_put_text(&w, RECORD_F_ACCOUNT, SLICE_LIT(TEST_ACCOUNT));
    record_put_texts(&w, RECORD_F_LOGS, &logs, 1);
    commit(t, RECORD_F_NAME, SLICE_LIT("acme"));
    record_put_texts(&w, RECORD_F_SIGNER, &signer, 1);
    commit(t, RECORD_F_STMT, buf_slice(&value));
    record_put_int(&w, RECORD_F_T, t->now);
    end(t, &t->control);
}

static inline void statement_key(struct tenant *t, const char *key, bool stranger, bool again)
{
    AUTO(buf) struct buf value = BUF_INIT(OPENING_BYTES_MAX);
    struct slice signer = slice_str(t->owner.key.fingerprint);
    uint8_t id[ID_BYTES] = {9};
    begin(t, RECORD_K_KEY);
    statement_value(t, RECORD_STATEMENT_KEY_ADD, NULL, stranger, again, &value);
    record_put_text(&w, RECORD_F_ACCOUNT, SLICE_LIT(TEST_ACCOUNT));
    record_put_text(&w, RECORD_F_ACT, SLICE_LIT("key.add"));
    record_put_id(&w, RECORD_F_ID, id);
    commit(t, RECORD_F_KEYC, slice_str(key));
    record_put_int(&w, RECORD_F_ON, 1);
    commit(t, RECORD_F_PEER, SLICE_LIT("local"));
    record_put_texts(&w, RECORD_F_SIGNER, &signer, 1);
    commit(t, RECORD_F_STMT, buf_slice(&value));
    record_put_int(&w, RECORD_F_T, t->now);
    end(t, &t->control);
}

static inline void tenant_bucket(struct tenant *t, const char *name, uint64_t on)
{
    uint8_t id[ID_BYTES] = {3};
    if (on) t->bucket[0]++;
    t->bucket_name = name;
    begin(t, RECORD_K_BKT);
    record_put_text(&w, RECORD_F_ACT, on ? SLICE_LIT("CreateBucket") : SLICE_LIT("DeleteBucket"));
    record_put_text(&w, RECORD_F_AUTH, SLICE_LIT("hdr"));
    record_put_id(&w, RECORD_F_BKT, t->bucket);
    record_put_int(&w, RECORD_F_CTL, t->control.count);
    record_put_text(&w, RECORD_F_DEC, SLICE_LIT("allow"));
    record_put_int(&w, RECORD_F_ENG, POLICY_ENGINE_VERSION);
    record_put_id(&w, RECORD_F_ID, id);
    commit(t, RECORD_F_NAME, slice_str(name));
    record_put_int(&w, RECORD_F_ON, on);
    commit(t, RECORD_F_PEER, SLICE_LIT("local"));
    record_put_int(&w, RECORD_F_T, t->now);
    commit(t, RECORD_F_WHO, SLICE_LIT(TEST_ACCOUNT ":root:" TEST_KEY));
    end(t, &t->control);
}

/* A document of the bucket: PutBucketVersioning and the like. */
static inline void tenant_doc(struct tenant *t, const char *act, const char *doc)
{
    uint8_t id[ID_BYTES] = {6};
    begin(t, RECORD_K_CFG);
    record_put_text(&w, RECORD_F_ACT, slice_str(act));
    record_put_text(&w, RECORD_F_AUTH, SLICE_LIT("hdr"));
    record_put_id(&w, RECORD_F_BKT, t->bucket);
    record_put_int(&w, RECORD_F_CTL, t->control.count);
    record_put_text(&w, RECORD_F_DEC, SLICE_LIT("allow"));
    commit(t, RECORD_F_DOC, slice_str(doc));
    record_put_int(&w, RECORD_F_ENG, POLICY_ENGINE_VERSION);
    record_put_id(&w, RECORD_F_ID, id);
    commit(t, RECORD_F_NAME, slice_str(t->bucket_name));
    record_put_int(&w, RECORD_F_ON, 1);
    commit(t, RECORD_F_PEER, SLICE_LIT("local"));
    record_put_int(&w, RECORD_F_T, t->now);
    commit(t, RECORD_F_WHO, SLICE_LIT(TEST_ACCOUNT ":root:" TEST_KEY));
    end(t, &t->control);
}

/* access log ------------------------------------------------------------------------------------------------------------------- */

struct says {
    const char *act, *key, *why;
    bool write, has_ver, has_bytes, has_asof, has_batch;
    uint64_t ver, bytes, asof, n;
    uint8_t root[HASH_BYTES];
    struct slice fresh, qry, res, items, up, copy;
    const char *vid;
    uint64_t revision;                                /* 0: as ver */
};

static inline void acc(struct tenant *t, const struct says *s)
{
    AUTO(buf) struct buf obj = BUF_INIT(2048);
    AUTO(buf) struct buf ver = BUF_INIT(16);
    uint8_t id[ID_BYTES] = {4};
    bool automatic = strcmp(s->act, "PurgeGrave") == 0;
    record_obj_put(&obj, &(struct record_obj){.bucket = automatic ? slice_of(NULL, 0) : slice_str(t->bucket_name), .key = slice_str(s->key)});
    begin(t, RECORD_K_ACC);
    record_put_text(&w, RECORD_F_ACT, slice_str(s->act));
    if (s->has_asof) record_put_int(&w, RECORD_F_ASOF, s->asof);
    record_put_text(&w, RECORD_F_AUTH, automatic ? SLICE_LIT("auto") : SLICE_LIT("hdr"));
    if (!automatic) record_put_id(&w, RECORD_F_BKT, t->bucket);
    if (s->has_bytes) record_put_int(&w, RECORD_F_BYTES, s->bytes);
    if (s->copy.p) commit(t, RECORD_F_COPY, s->copy);
    record_put_int(&w, RECORD_F_CTL, t->control.count - t->lie_ctl);
    record_put_text(&w, RECORD_F_DEC, t->lie_dec ? SLICE_LIT("deny") : SLICE_LIT("allow"));
    record_put_int(&w, RECORD_F_ENG, POLICY_ENGINE_VERSION);
    record_put_id(&w, RECORD_F_ID, id);
    if (s->items.p) commit(t, RECORD_F_ITEMS, s->items);
    if (s->has_batch) record_put_int(&w, RECORD_F_N, s->n);
    if (s->fresh.p) commit(t, RECORD_F_NEW, s->fresh);
    commit(t, RECORD_F_OBJ, buf_slice(&obj));
    commit(t, RECORD_F_PEER, SLICE_LIT("local"));
    if (s->qry.p) commit(t, RECORD_F_QRY, s->qry);
    if (s->res.p) commit(t, RECORD_F_RES, s->res);
    if (s->has_batch) record_put_hash(&w, RECORD_F_ROOT, s->root);
    record_put_int(&w, RECORD_F_T, t->now);
    if (s->up.p) commit(t, RECORD_F_UP, s->up);
    record_ver_put(&ver, s->ver, s->revision ? s->revision : s->ver);
    if (s->has_ver) commit(t, RECORD_F_VER, buf_slice(&ver));
    if (s->vid) commit(t, RECORD_F_VID, slice_str(s->vid));
    if (s->write) record_put_int(&w, RECORD_F_W, 1);
    commit(t, RECORD_F_WHO, automatic ? SLICE_LIT("auto") : SLICE_LIT(TEST_ACCOUNT ":root:" TEST_KEY));
    if (s->why) record_put_text(&w, RECORD_F_WHY, slice_str(s->why));
    t->lie_dec = t->lie_ctl = false;
    end(t, &t->access);
}

static inline void put(struct tenant *t, const char *key, uint64_t ver, uint64_t size)
{
    AUTO(buf) struct buf fresh = BUF_INIT(1024);
    struct record_new n = {.size = size, .etag = SLICE_LIT("tag1")};
    memcpy(n.bucket, t->bucket, ID_BYTES);
    record_new_put(&fresh, &n);
    acc(t, &(struct says){.act = "PutObject", .key = key, .write = true, .has_ver = true, .ver = ver, .has_bytes = true, .bytes = size, .fresh = buf_slice(&fresh)});
}
static inline void get(struct tenant *t, const char *key, uint64_t ver, uint64_t size)
{
    acc(t, &(struct says){.act = "GetObject", .key = key, .has_ver = true, .ver = ver, .has_bytes = true, .bytes = size});
}
static inline void absent(struct tenant *t, const char *key)
{
    acc(t, &(struct says){.act = "GetObject", .key = key, .has_ver = true, .ver = RECORD_VER_NONE, .why = "NoSuchKey"});
}
static inline void del(struct tenant *t, const char *key, uint64_t ver)
{
    acc(t, &(struct says){.act = "DeleteObject", .key = key, .write = true, .has_ver = true, .ver = ver});
}
static inline void purge(struct tenant *t) { acc(t, &(struct says){.act = "PurgeGrave", .key = "", .write = true}); }

/* Any write that pushes a version (act) of size 7, with what `more` says beside. */
static inline void push(struct tenant *t, const char *act, const char *key, uint64_t ver, struct slice up, struct slice copy)
{
    AUTO(buf) struct buf fresh = BUF_INIT(1024);
    struct record_new n = {.size = 7, .etag = SLICE_LIT("tag1"), .order = t->access.count + 7};
    memcpy(n.bucket, t->bucket, ID_BYTES);
    record_new_put(&fresh, &n);
    acc(t, &(struct says){.act = act, .key = key, .write = true, .has_ver = true, .ver = ver, .has_bytes = true, .bytes = 7, .fresh = buf_slice(&fresh), .up = up, .copy = copy});
}

static inline void rows_root(struct ledger_hash *h, const struct row *rows, size_t n, struct buf *all, uint8_t root[HASH_BYTES])
{
    struct ledger_frontier f;
    uint8_t hash[HASH_BYTES];
    ledger_frontier_init(&f);
    for (size_t i = 0; i < n; i++) {
        size_t at = all->n;
        record_row_put(all, rows[i].kind, slice_str(rows[i].key), rows[i].ver);
        ledger_leaf_hash(h, slice_of(all->p + at, all->n - at), hash);
        ledger_frontier_append(h, &f, hash, NULL, NULL);
    }
    ledger_frontier_root(h, &f, root);
}

/* next "": not truncated. */
static inline void list(struct tenant *t, const char *prefix, const char *delimiter, const char *after, uint64_t asof, const struct row *rows, size_t n, const char *next)
{
    AUTO(buf) struct buf all = BUF_INIT(4096), qry = BUF_INIT(4096), res = BUF_INIT(4096);
    struct record_res r = {.truncated = *next != 0, .next = slice_str(next), .count = (uint32_t)n};
    rows_root(&t->access.files.hash, rows, n, &all, r.root);
    record_qry_put(&qry, &(struct record_qry){.prefix = slice_str(prefix), .delimiter = slice_str(delimiter), .after = slice_str(after), .keys_max = 1000});
    record_res_put(&res, &r);
    acc(t, &(struct says){.act = "ListObjectsV2", .key = "", .has_asof = true, .asof = asof, .qry = buf_slice(&qry), .res = buf_slice(&res)});
}

/* A page of versions (1), uploads (2) or parts (3), from the beginning. */
static inline void list_kind(struct tenant *t, uint8_t kind, const char *prefix, const uint8_t *id, uint64_t asof, const struct row *rows, size_t n, bool truncated)
{
    static const char *const acts[] = {"ListObjectsV2", "ListObjectVersions", "ListMultipartUploads", "ListParts"};
    AUTO(buf) struct buf all = BUF_INIT(4096), qry = BUF_INIT(4096), res = BUF_INIT(4096);
    struct record_res r = {.truncated = truncated, .count = (uint32_t)n};
    struct record_qry q = {.prefix = slice_str(prefix), .keys_max = 1000, .kind = kind};
    if (id) memcpy(q.id, id, ID_BYTES);
    rows_root(&t->access.files.hash, rows, n, &all, r.root);
    record_qry_put(&qry, &q);
    record_res_put(&res, &r);
    acc(t, &(struct says){.act = acts[kind], .key = kind == 3 ? prefix : "", .has_asof = true, .asof = asof, .qry = buf_slice(&qry), .res = buf_slice(&res)});
}

static inline void batch(struct tenant *t, const struct row *rows, size_t n)
{
    AUTO(buf) struct buf all = BUF_INIT(4096);
    struct says s = {.act = "DeleteObjects", .key = "", .write = true, .has_batch = true, .n = n};
    rows_root(&t->access.files.hash, rows, n, &all, s.root);
    s.items = buf_slice(&all);
    acc(t, &s);
}

static inline void voided(struct tenant *t, uint64_t ref)
{
    begin(t, RECORD_K_VOID);
    record_put_int(&w, RECORD_F_REF, ref);
    record_put_int(&w, RECORD_F_T, t->now);
    record_put_text(&w, RECORD_F_WHY, SLICE_LIT("refused"));
    end(t, &t->access);
}

/* tenants, exports -------------------------------------------------------------------------------------------------------------- */

static inline void tenant_init(struct tenant *t)
{
    static const uint8_t owner[ED25519_SEED_BYTES] = {1}, stranger[ED25519_SEED_BYTES] = {2};
    memset(t, 0, sizeof *t);
    t->now = 1000000;
    t->tenant_id[0] = 5;
    made_init(&t->control.files, "log.example/control/x");
    made_init(&t->access.files, "log.example/access/x");
    assert_int_equal(record_ssh_private_make(&t->access.files.hash, owner, &t->owner), ERR_OK);
    assert_int_equal(record_ssh_private_make(&t->access.files.hash, stranger, &t->stranger), ERR_OK);
    genesis(t);
    statement_key(t, TEST_KEY, false, false);
}

static inline void export_log(struct tenant *t, struct log_made *l, const char *name)
{
    AUTO(buf) struct buf out = BUF_INIT(1 << 24);
    char path[512], to[512];
    uint64_t n = l->count - (l == &t->access ? t->cut : 0);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t k = t->swap && l == &t->access && i < 2 ? 1 - i : i;
        buf_printf(&out, "{\"index\":%llu,\"leaf\":", (unsigned long long)k);
        buf_put_slice(&out, buf_slice(&l->files.leaves[k]));
        buf_put_str(&out, ",\"opening\":\"");
        buf_put_base64url(&out, buf_slice(&l->openings[k]));
        buf_put_str(&out, "\"}\n");
    }
    made_write(&l->files);
    snprintf(path, sizeof path, "%s.jsonl", name);
    made_path(&t->access.files, path, to);
    file_put(to, buf_slice(&out));
}

static inline void log_done(struct log_made *l)
{
    for (uint64_t i = 0; i < l->count; i++) buf_done(&l->openings[i]);
    made_done(&l->files);
}

static inline void checkpoint_beside(struct tenant *t, struct log_made *l, const char *name)
{
    char from[512], to[512];
    AUTO(buf) struct buf note = BUF_INIT(4096);
    made_path(&l->files, "checkpoint", from), made_path(&t->access.files, name, to);
    assert_int_equal(verify_file_read(from, &note), ERR_OK);
    file_put(to, buf_slice(&note));
}

/* Exports, replays against the mirrors, looks for one finding (NULL: none at all), and is done with the tenant. */
static inline void expect(struct tenant *t, const char *name, const char *log, uint64_t index)
{
    struct verify_report r;
    AUTO(buf) struct buf a = BUF_INIT(1024), c = BUF_INIT(1024);
    char manifest[512];
    export_log(t, &t->control, "control");
    export_log(t, &t->access, "access");
    made_path(&t->access.files, "manifest", manifest);
    if (t->manifest) file_put(manifest, slice_str(t->manifest));
    if (t->from_files) {
        checkpoint_beside(t, &t->access, "access.checkpoint");
        checkpoint_beside(t, &t->control, "control.checkpoint");
    }
    ledger_vkey_format(&t->access.files.signer.vkey, &a), buf_put_u8(&a, 0);
    ledger_vkey_format(&t->control.files.signer.vkey, &c), buf_put_u8(&c, 0);
    const struct verify_replay_args args = {.dir = t->access.files.dir, .access_vkey = (const char *)a.p, .control_vkey = (const char *)c.p,
                                            .access_url = t->from_files ? NULL : t->access.files.dir, .control_url = t->from_files ? NULL : t->control.files.dir, .manifest = t->manifest ? manifest : NULL,
                                            .provider_url = t->provider_url, .provider_vkey = t->provider_vkey};
    verify_report_init(&r, true);
    assert_int_equal(verify_replay(&args, &r), VERIFY_EXIT_HOLDS);
    assert_found(&r, name, log, index);
    log_done(&t->access);
    log_done(&t->control);
    buf_done(&test_leaf);
    buf_done(&test_opening);
}

#endif
