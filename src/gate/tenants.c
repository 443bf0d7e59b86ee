/* SPDX-License-Identifier: Apache-2.0
 * Opens what the gate knows of its tenants: keys from the keyrings, state from the fold of each control log.
 * Role: called once at start; later by op_bucket.c and statements.c when the state moves.
 * Trusts: the root key and the logs it is given. Distrusts: the directory: a keyring that does not open stops the start by name.
 * Law: 4 (the control log is the state), 5 (one table of access keys decides the tenant), 6 (signers come from the log).
 * Spec: docs/spec/keys.md, docs/spec/record.md, docs/spec/dir.md
 */
#include "gate/say.h"
#include "gate/tenants.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TENANT_PATH_MAX 1200
#define BUCKETS_EVER_MAX 1000000       /* made in a tenant's life, deleted ones included */
#define EPOCH_NOW 1                    /* the root's epoch; grows when rotation exists */

static void keys_path(const struct gate *g, const char *name, char *out, size_t out_n)
{
    snprintf(out, out_n, "%s/gate/keys/%s", g->dir, name);
}

void tenants_id_text(const uint8_t id[ID_BYTES], char out[ID_TEXT_CHARS + 1])
{
    AUTO(buf) struct buf b = BUF_INIT(64);
    buf_put_base32(&b, slice_of(id, ID_BYTES));
    ASSERT(buf_ok(&b) && b.n == ID_TEXT_CHARS);
    memcpy(out, b.p, b.n);
    out[b.n] = 0;
}

/* derivations: every one names its label (keys_label.def) ------------------------------------------------------------- */

static enum err derive_fixed(struct gate *g, const struct secret *from, enum keys_label label, struct slice context, uint8_t *out, size_t n)
{
    AUTO(secret) struct secret s = SECRET_INIT;
    TRY(keys_derive(g->crypto, from, label, context, &s));
    ASSERT(n <= s.n);
    memcpy(out, s.p, n);
    return ERR_OK;
}

static enum err log_id_of(struct gate *g, const struct secret *owner_key, enum log_kind kind, uint8_t out[ID_BYTES])
{
    uint8_t k = (uint8_t)kind;
    return derive_fixed(g, owner_key, KEYS_LABEL_LOG_ID, slice_of(&k, 1), out, ID_BYTES);
}

static enum err log_add(struct gate *g, const struct secret *owner_key, enum log_kind kind, uint32_t slot, struct gate_log **out)
{
    struct log_params p = {.kind = kind, .slot = slot};
    char origin[512], text[ID_TEXT_CHARS + 1];
    TRY(log_id_of(g, owner_key, kind, p.id));
    struct slice id = slice_of(p.id, ID_BYTES);
    tenants_id_text(p.id, text);
    static const char *const kinds[] = {"", "control", "access", "provider", "heads"};
    /* The origin is public with the log: it names no tenant. */
    if (kind == LOG_KIND_PROVIDER || kind == LOG_KIND_HEADS) snprintf(origin, sizeof origin, "%s/%s", g->conf.log_origin, kinds[kind]);
    else snprintf(origin, sizeof origin, "%s/%s/%s", g->conf.log_origin, kinds[kind], text);
    p.origin = origin;
    enum err e = derive_fixed(g, owner_key, KEYS_LABEL_LOG_SEED, id, p.seed, sizeof p.seed);
    if (e == ERR_OK) e = derive_fixed(g, owner_key, KEYS_LABEL_OPENING, id, p.opening_key, sizeof p.opening_key);
    if (e == ERR_OK) e = derive_fixed(g, owner_key, KEYS_LABEL_SLOT_SALT, id, p.slot_salt, sizeof p.slot_salt);
    if (e == ERR_OK) e = logbook_add(g->logbook, &p, out);
    wipe(p.seed, sizeof p.seed), wipe(p.opening_key, sizeof p.opening_key);
    return e;
}

void tenants_index_key(struct gate *g, uint8_t out[HASH_BYTES])
{
    enum err e = derive_fixed(g, &g->provider_key, KEYS_LABEL_INDEX, (struct slice){0}, out, HASH_BYTES);
    ASSERT(e == ERR_OK);
}

/* the provider's keyring ------------------------------------------------------------------------------------------- */

static enum err provider_record(void *ctx, enum keyring_type type, struct slice payload)
{
    struct gate *g = ctx;
    AUTO(secret) struct secret epoch = SECRET_INIT;
    const struct keys_wrap_id id = {.kind = KEYS_WRAP_TENANT, .generation = EPOCH_NOW};
    if (type != KEYRING_TENANT || g->provider_key.n != 0) return ERR_CORRUPT;
    TRY(g->root->epoch_key(g->root, g->crypto, EPOCH_NOW, &epoch));
    return keys_unwrap(g->crypto, &epoch, &id, payload, &g->provider_key);
}

static enum err root_open(struct gate *g, struct buf *why)
{
    char path[TENANT_PATH_MAX];
    conf_path(g->dir, g->conf.root_key, path, sizeof path);
    enum err e = keys_root_open(path, &g->root);
    if (e == ERR_MISSING) buf_printf(why, "%s: the root key is missing; put it back from where you keep it: without it nothing in this store can be read", path);
    else if (e == ERR_CONFIG) buf_printf(why, "%s: the root key must be a regular file that only its owner may read (chmod 600)", path);
    else if (e != ERR_OK) buf_printf(why, "%s: the root key cannot be read (%s); put the original file back", path, err_text(e));
    return e;
}

enum err tenants_keys_open(struct gate *g, uint8_t wal_key[32], struct buf *why)
{
    char path[TENANT_PATH_MAX];
    TRY(root_open(g, why));
    keys_path(g, "provider", path, sizeof path);
    enum err e = keyring_open(&g->provider_keyring, path, provider_record, g);
    if (e == ERR_OK && g->provider_key.n == 0) e = ERR_CORRUPT;
    if (e == ERR_MISSING) buf_printf(why, "%s is missing; `tillit init DIR --tenant NAME` makes a new store, a backup brings an old one back", path);
    else if (e == ERR_CORRUPT) buf_printf(why, "%s does not open under this root key: it is another store's root key, or one of the two was changed; put the original back", path);
    else if (e != ERR_OK) buf_printf(why, "%s: %s", path, err_text(e));
    TRY(e);
    return derive_fixed(g, &g->provider_key, KEYS_LABEL_WAL, (struct slice){0}, wal_key, 32);
}

/* A fresh key, wrapped under the root's epoch key, as the first record of a fresh keyring. */
enum err tenants_keyring_make(struct gate *g, const char *name, const uint8_t tenant[ID_BYTES], struct secret *key, struct keyring *k)
{
    char path[TENANT_PATH_MAX];
    AUTO(secret) struct secret epoch = SECRET_INIT;
    AUTO(buf) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_BYTES);
    struct keys_wrap_id id = {.kind = KEYS_WRAP_TENANT, .generation = EPOCH_NOW};
    memcpy(id.tenant, tenant, ID_BYTES);
    keys_path(g, name, path, sizeof path);
    TRY(g->root->epoch_key(g->root, g->crypto, EPOCH_NOW, &epoch));
    TRY(keys_new(g->rng, key));
    TRY(keys_wrap(g->crypto, g->rng, &epoch, &id, key, &wrapped));
    TRY(keyring_create(k, path));
    return keyring_append(k, KEYRING_TENANT, buf_slice(&wrapped));
}

enum err tenants_keys_create(struct gate *g, struct buf *why)
{
    char path[TENANT_PATH_MAX];
    static const uint8_t nobody[ID_BYTES];
    conf_path(g->dir, g->conf.root_key, path, sizeof path);
    enum err e = keys_root_create(path, g->rng);
    if (e == ERR_EXISTS) buf_printf(why, "%s exists: this directory holds a store already; nothing was changed", path);
    else if (e != ERR_OK) buf_printf(why, "%s cannot be made: %s", path, err_text(e));
    TRY(e);
    TRY(root_open(g, why));
    e = tenants_keyring_make(g, "provider", nobody, &g->provider_key, &g->provider_keyring);
    keyring_close(&g->provider_keyring);
    secret_done(&g->provider_key);
    keys_provider_close(g->root), g->root = NULL;
    if (e != ERR_OK) buf_printf(why, "%s/gate/keys: %s", g->dir, err_text(e));
    return e;
}

/* a tenant's keyring ------------------------------------------------------------------------------------------------ */

struct gate_tenant *tenants_new(const uint8_t id[ID_BYTES])
{
    struct gate_tenant *t = calloc(1, sizeof *t);
    ASSERT(t);
    memcpy(t->id, id, ID_BYTES);
    t->keyring.fd = -1;
    t->buckets = map_new(S3_BUCKETS_PER_TENANT_MAX);
    /* Deleted buckets keep their key: what lies in the grave is restored with it. */
    t->bucket_ids = map_new(BUCKETS_EVER_MAX);
    ASSERT(t->buckets && t->bucket_ids);
    return t;
}

enum err tenants_state_key(struct gate *g, struct gate_tenant *t)
{
    uint8_t control[ID_BYTES];
    TRY(log_id_of(g, &t->key, LOG_KIND_CONTROL, control));
    return keys_derive(g->crypto, &t->key, KEYS_LABEL_STATE, slice_of(control, ID_BYTES), &t->state_key);
}

static struct keys_wrap_id bucket_wrap(const struct gate_tenant *t, const uint8_t bucket[ID_BYTES])
{
    struct keys_wrap_id id = {.kind = KEYS_WRAP_BUCKET};
    memcpy(id.tenant, t->id, ID_BYTES);
    memcpy(id.bucket, bucket, ID_BYTES);
    return id;
}

struct opening_keyring {
    struct gate *gate;
    struct gate_tenant *tenant;
};

static enum err tenant_record_bucket(struct gate *g, struct gate_tenant *t, struct slice payload)
{
    if (payload.n != ID_BYTES + KEYS_WRAPPED_BYTES) return ERR_CORRUPT;
    struct gate_bucket *b = calloc(1, sizeof *b);
    ASSERT(b);
    memcpy(b->id, payload.p, ID_BYTES);
    struct keys_wrap_id id = bucket_wrap(t, b->id);
    enum err e = keys_unwrap(g->crypto, &t->key, &id, slice_of(payload.p + ID_BYTES, KEYS_WRAPPED_BYTES), &b->key);
    if (e == ERR_OK) e = map_put(t->bucket_ids, slice_of(b->id, ID_BYTES), b);
    if (e == ERR_OK) return ERR_OK;
    secret_done(&b->key);
    free(b);
    return e == ERR_EXISTS ? ERR_CORRUPT : e;
}

static enum err tenant_record_secret(struct gate *g, struct gate_tenant *t, struct slice payload)
{
    if (payload.n <= ACCESS_KEY_CHARS) return ERR_CORRUPT;
    struct slice name = slice_of(payload.p, ACCESS_KEY_CHARS), sealed = slice_of(payload.p + name.n, payload.n - name.n);
    struct gate_key *k = calloc(1, sizeof *k);
    ASSERT(k);
    memcpy(k->access_key, name.p, name.n);
    k->tenant = t;
    enum err e = keys_open_secret(g->crypto, &t->state_key, name, sealed, &k->secret_key);
    if (e == ERR_OK && k->secret_key.n != SECRET_KEY_CHARS) e = ERR_CORRUPT;
    if (e == ERR_OK) e = map_put(g->keys, name, k);
    if (e == ERR_OK) return ERR_OK;
    secret_done(&k->secret_key);
    free(k);
    return e == ERR_EXISTS ? ERR_CORRUPT : e;
}

static enum err tenant_record(void *ctx, enum keyring_type type, struct slice payload)
{
    struct opening_keyring *o = ctx;
    struct gate *g = o->gate;
    struct gate_tenant *t = o->tenant;
    if ((type == KEYRING_TENANT) != (t->key.n == 0)) return ERR_CORRUPT;      /* first, and once */
    if (type == KEYRING_BUCKET) return tenant_record_bucket(g, t, payload);
    if (type == KEYRING_SECRET) return tenant_record_secret(g, t, payload);
    AUTO(secret) struct secret epoch = SECRET_INIT;
    struct keys_wrap_id id = {.kind = KEYS_WRAP_TENANT, .generation = EPOCH_NOW};
    memcpy(id.tenant, t->id, ID_BYTES);
    TRY(g->root->epoch_key(g->root, g->crypto, EPOCH_NOW, &epoch));
    TRY(keys_unwrap(g->crypto, &epoch, &id, payload, &t->key));
    return tenants_state_key(g, t);
}

/* folding ----------------------------------------------------------------------------------------------------------- */

void tenants_signers_take(struct gate_signers *s, struct slice list)
{
    struct slice item;
    s->count = 0;
    while (record_list_text(&list, &item)) {
        if (item.n > SSH_FINGERPRINT_CHARS || s->count == SIGNERS_MAX) continue;
        memcpy(s->fingerprint[s->count], item.p, item.n);
        s->fingerprint[s->count++][item.n] = 0;
    }
}

static struct slice opened(const struct record_opening *o, enum record_field f)
{
    const struct record_opened *x = record_opened_field(o, f);
    return x ? x->value : (struct slice){0};
}

static enum err bucket_fold(struct gate_tenant *t, const struct record_leaf *l, struct slice name)
{
    struct gate_bucket *b = map_get(t->bucket_ids, slice_of(l->f[RECORD_F_BKT].bytes, ID_BYTES));
    /* The keyring is synced before the leaf, so only a file that was put back from an older copy, or cut, lacks it. */
    if (!b) return ERR_MISSING;
    ASSERT(name.n <= S3_BUCKET_CHARS_MAX);         /* the policy's fold has accepted the leaf */
    if (record_int(l, RECORD_F_ON, 0) == 1) {
        memcpy(b->name, name.p, name.n);
        b->name[name.n] = 0;
        b->created_ms = record_int(l, RECORD_F_T, 0);
        enum err e = map_put(t->buckets, name, b);
        ASSERT(e == ERR_OK);
    } else {
        map_del(t->buckets, name);
        b->dead = true;
    }
    return ERR_OK;
}

static void key_fold(struct gate *g, const struct record_leaf *l, struct slice access_key, struct slice user)
{
    struct gate_key *k = map_get(g->keys, access_key);
    if (!k) return;
    struct slice account = record_text(l, RECORD_F_ACCOUNT);
    ASSERT(account.n <= ACCOUNT_CHARS && user.n <= POLICY_USER_CHARS_MAX);      /* the policy's fold has accepted the leaf */
    memcpy(k->account, account.p, account.n);
    k->account[account.n] = 0;
    memcpy(k->user, user.p, user.n);
    k->user[user.n] = 0;
    k->on = record_int(l, RECORD_F_ON, 0) == 1;
}

/* Of IAM calls only keys concern the gate's own tables: users and their policies are the policy room's. */
static void iam_fold(struct gate *g, const struct record_leaf *l, struct slice sub_value)
{
    struct record_sub sub;
    switch (policy_act_of(record_text(l, RECORD_F_ACT))) {
    case POLICY_ACT_CreateAccessKey:
    case POLICY_ACT_UpdateAccessKey:
    case POLICY_ACT_DeleteAccessKey: break;
    default: return;
    }
    if (record_sub_get(sub_value, &sub) == ERR_OK) key_fold(g, l, sub.third, sub.user);
}

/* LAW-6: an opening opens beside its own leaf only (log_read), and no leaf of these logs that has commitments is without one: whoever can write the
 * disk of a stopped gate cannot name an owner. Of the provider log `start` alone has none. */
static enum err opening_checked(struct ledger_hash *h, struct slice leaf, struct slice opening)
{
    struct record_leaf l;
    struct record_opening o = {0};
    TRY(record_leaf_parse(leaf, RECORD_LOG_ANY, &l));
    if (opening.n > 0) TRY(record_opening_parse(opening, &o));
    return record_opening_check(h, &l, &o);
}

/* Each opening was checked against its leaf. *l and *o: what was parsed; loans of the texts. */
static enum err control_apply(struct gate *g, struct gate_tenant *t, uint64_t index, struct slice leaf, struct slice opening, struct record_leaf *l,
                              struct record_opening *o)
{
    *o = (struct record_opening){0};
    TRY(record_leaf_parse(leaf, RECORD_LOG_CONTROL, l));
    if (opening.n > 0) TRY(record_opening_parse(opening, o));
    TRY(policy_apply(t->state, index, l, opening.n > 0 ? o : NULL));
    if (l->kind == RECORD_K_GENESIS) {
        struct slice account = record_text(l, RECORD_F_ACCOUNT), name = opened(o, RECORD_F_NAME);
        tenants_signers_take(&t->owners, l->f[RECORD_F_SIGNER].text);
        if (account.n == ACCOUNT_CHARS) memcpy(t->account, account.p, account.n);
        if (name.n > 0 && name.n <= S3_BUCKET_CHARS_MAX && t->name[0] == 0) memcpy(t->name, name.p, name.n);
    }
    if (l->kind == RECORD_K_BKT) TRY(bucket_fold(t, l, opened(o, RECORD_F_NAME)));
    if (l->kind == RECORD_K_KEY) key_fold(g, l, opened(o, RECORD_F_KEYC), SLICE_LIT(POLICY_USER_ROOT));
    if (l->kind == RECORD_K_IAM) iam_fold(g, l, opened(o, RECORD_F_SUB));
    if (l->kind == RECORD_K_RDR) readers_fold(g, t, record_int(l, RECORD_F_ON, 0) == 1, opened(o, RECORD_F_RDR));
    if (l->kind == RECORD_K_GRANT) say_grant_folded(g, t, l);
    return ERR_OK;
}

enum err tenants_control_apply(struct gate *g, struct gate_tenant *t, uint64_t index, struct slice leaf, struct slice opening)
{
    struct record_leaf l;
    struct record_opening o;
    TRY(opening_checked(&g->hash, leaf, opening));
    return control_apply(g, t, index, leaf, opening, &l, &o);
}

/* Runs each leaf of a log through `each` (NULL: none); the last one's time is the log's. */
static enum err fold(struct gate_log *l, log_check check, log_each each, void *ctx)
{
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX);
    struct record_leaf parsed;
    uint64_t n = log_durable(l);
    if (each) TRY(log_walk(l, check, each, ctx));
    if (n == 0) return ERR_OK;
    TRY(log_read(l, n - 1, &leaf, &opening));
    TRY(record_leaf_parse(buf_slice(&leaf), RECORD_LOG_ANY, &parsed));
    log_set_last_time(l, record_int(&parsed, RECORD_F_T, 0));
    return ERR_OK;
}

static enum err control_each(void *ctx, uint64_t index, struct slice leaf, struct slice opening)
{
    struct opening_keyring *k = ctx;
    struct record_leaf l;
    struct record_opening o;
    TRY(control_apply(k->gate, k->tenant, index, leaf, opening, &l, &o));
    statements_seen(k->gate, opened(&o, RECORD_F_STMT));
    return ERR_OK;
}

enum err tenants_logs_open(struct gate *g, struct gate_tenant *t)
{
    struct opening_keyring o = {g, t};
    TRY(log_add(g, &t->key, LOG_KIND_CONTROL, 1 + 2 * t->number, &t->control));
    TRY(log_add(g, &t->key, LOG_KIND_ACCESS, 2 + 2 * t->number, &t->access));
    t->state = calloc(1, sizeof *t->state);
    if (!t->state) return ERR_NOMEM;
    TRY(policy_init(t->state));
    t->grave_ms = g->conf.grave_ms;
    t->display_name = g->conf.display_name;
    TRY(fold(t->control, opening_checked, control_each, &o));
    t->before_ms = t->state->t_ms;
    return fold(t->access, NULL, NULL, NULL);
}

static enum err fold_tenant(struct gate *g, const struct record_leaf *l, struct slice name)
{
    struct slice list = l->f[RECORD_F_LOGS].text, item, slot;
    uint8_t want[ID_BYTES], have[ID_BYTES];
    if (!record_list_text(&list, &item)) return ERR_CORRUPT;
    struct slice id = slice_cut(item, ':', &slot);
    TRY(base32_fixed(id, want, ID_BYTES));
    size_t cursor = 0;
    struct slice key;
    for (struct gate_tenant *t; (t = map_next(g->tenants, &cursor, &key));) {
        TRY(log_id_of(g, &t->key, LOG_KIND_CONTROL, have));
        if (memcmp(want, have, ID_BYTES) != 0) continue;
        if (g->tenant_count == TENANTS_MAX) return ERR_LIMIT;
        t->number = (uint32_t)g->tenant_count;
        g->tenant_list[g->tenant_count++] = t;
        /* Until the tenant's own genesis stands, these are whose genesis is taken. */
        tenants_signers_take(&t->owners, l->f[RECORD_F_SIGNER].text);
        if (name.n <= S3_BUCKET_CHARS_MAX && name.n > 0) memcpy(t->name, name.p, name.n);
        return ERR_OK;
    }
    return ERR_MISSING;
}

/* The provider's `tenant` leaves give the order of tenants, hence their slots. */
static enum err provider_each(void *ctx, uint64_t index, struct slice leaf, struct slice opening)
{
    struct gate *g = ctx;
    struct record_leaf l;
    struct record_opening o = {0};
    TRY(record_leaf_parse(leaf, RECORD_LOG_PROVIDER, &l));
    if (opening.n > 0) TRY(record_opening_parse(opening, &o));
    statements_seen(g, opened(&o, RECORD_F_STMT));
    TRY(say_provider_apply(g, index, leaf, opening));
    if (l.kind == RECORD_K_GENESIS) tenants_signers_take(&g->officers, l.f[RECORD_F_SIGNER].text);
    if (l.kind == RECORD_K_RDR) readers_fold(g, NULL, record_int(&l, RECORD_F_ON, 0) == 1, opened(&o, RECORD_F_RDR));
    if (l.kind != RECORD_K_TENANT) return ERR_OK;
    return fold_tenant(g, &l, opened(&o, RECORD_F_NAME));
}

static enum err keyrings_open(struct gate *g, struct buf *why)
{
    char path[TENANT_PATH_MAX];
    keys_path(g, "", path, sizeof path);
    DIR *d = opendir(path);
    if (!d) return ERR_IO;
    enum err e = ERR_OK;
    for (struct dirent *x; e == ERR_OK && (x = readdir(d));) {
        uint8_t id[ID_BYTES];
        if (strncmp(x->d_name, "t-", 2) != 0 || base32_fixed(slice_str(x->d_name + 2), id, ID_BYTES) != ERR_OK) continue;
        struct gate_tenant *t = tenants_new(id);
        struct opening_keyring o = {g, t};
        keys_path(g, x->d_name, path, sizeof path);
        e = keyring_open(&t->keyring, path, tenant_record, &o);
        /* A crash between the file and its first record: the tenant was never answered for, and no log names it. */
        if (e == ERR_OK && t->key.n == 0) continue;
        if (e == ERR_OK) e = map_put(g->tenants, slice_of(t->id, ID_BYTES), t);
        if (e != ERR_OK) buf_printf(why, "%s: %s; put the file back from a backup", path, err_text(e));
    }
    closedir(d);
    return e;
}

static enum err logs_and_keys_open(struct gate *g, struct buf *why)
{
    g->tenants = map_new(TENANTS_MAX);
    g->keys = map_new(TENANTS_MAX * 16);
    readers_init(g);
    TRY(say_provider_open(g));
    TRY(log_add(g, &g->provider_key, LOG_KIND_PROVIDER, 0, &g->provider));
    TRY(log_add(g, &g->provider_key, LOG_KIND_HEADS, UINT32_MAX, &g->heads));
    TRY(fold(g->heads, NULL, NULL, NULL));
    TRY(keyrings_open(g, why));
    enum err e = fold(g->provider, opening_checked, provider_each, g);
    if (e != ERR_OK) {
        buf_printf(why, "the provider log cannot be folded (%s); gate/logs, gate/openings and gate/keys do not belong together, or were changed; put back one copy of all three", err_text(e));
        return e;
    }
    for (size_t i = 0; i < g->tenant_count && e == ERR_OK; i++) {
        e = tenants_logs_open(g, g->tenant_list[i]);
        if (e != ERR_OK) buf_printf(why, "a tenant's control log cannot be folded (%s): gate/logs, gate/openings and gate/keys do not belong together, or were changed; put back one copy of all three", err_text(e));
    }
    return e;
}

enum err tenants_open(struct gate *g, struct buf *why)
{
    enum err e = logs_and_keys_open(g, why);
    if (e == ERR_OK || why->n > 0) return e;
    struct slice more = logbook_why(g->logbook);
    if (more.n) buf_put_slice(why, more);
    else buf_printf(why, "gate/logs and gate/openings: %s; put back gate/wal, gate/logs and gate/openings, all from one backup", err_text(e));
    return e;
}

/* buckets and look-ups ------------------------------------------------------------------------------------------------ */

enum err tenants_bucket_prepare(struct gate *g, struct gate_tenant *t, struct slice name, struct gate_bucket **out)
{
    AUTO(buf) struct buf payload = BUF_INIT(KEYRING_RECORD_BYTES_MAX);
    ASSERT(name.n <= S3_BUCKET_CHARS_MAX && !map_get(t->buckets, name));
    if (map_count(t->buckets) >= S3_BUCKETS_PER_TENANT_MAX) return ERR_LIMIT;
    struct gate_bucket *b = calloc(1, sizeof *b);
    if (!b) return ERR_NOMEM;
    rng_fill(g->rng, b->id, ID_BYTES);
    memcpy(b->name, name.p, name.n);
    struct keys_wrap_id id = bucket_wrap(t, b->id);
    buf_put(&payload, b->id, ID_BYTES);
    enum err e = keys_new(g->rng, &b->key);
    if (e == ERR_OK) e = keys_wrap(g->crypto, g->rng, &t->key, &id, &b->key, &payload);
    if (e == ERR_OK) e = map_put(t->bucket_ids, slice_of(b->id, ID_BYTES), b);
    if (e == ERR_OK && (e = keyring_append(&t->keyring, KEYRING_BUCKET, buf_slice(&payload))) != ERR_OK) map_del(t->bucket_ids, slice_of(b->id, ID_BYTES));
    if (e == ERR_OK) *out = b;
    else secret_done(&b->key), free(b);
    return e;
}

/* Its record stays in the keyring: 125 bytes that no leaf will ever name. */
void tenants_bucket_drop(struct gate *g, struct gate_tenant *t, struct gate_bucket *b)
{
    (void)g;
    map_del(t->bucket_ids, slice_of(b->id, ID_BYTES));
    secret_done(&b->key);
    free(b);
}

/* access keys and accounts ---------------------------------------------------------------------------------------------- */

static void random_text(const struct rng *rng, const char *alphabet, unsigned bits, char *out, size_t n)
{
    uint8_t r[SECRET_KEY_CHARS];
    ASSERT(n <= sizeof r);
    rng_fill(rng, r, n);
    for (size_t i = 0; i < n; i++) out[i] = alphabet[r[i] & ((1u << bits) - 1)];
    wipe(r, sizeof r);
}

static enum err key_keep(struct gate *g, struct gate_tenant *t, struct gate_key *k)
{
    AUTO(buf) struct buf payload = BUF_INIT(KEYRING_RECORD_BYTES_MAX);
    struct slice name = slice_of(k->access_key, ACCESS_KEY_CHARS);
    buf_put_slice(&payload, name);
    TRY(keys_seal(g->crypto, g->rng, &t->state_key, name, secret_slice(&k->secret_key), &payload));
    TRY(map_put(g->keys, name, k));
    enum err e = keyring_append(&t->keyring, KEYRING_SECRET, buf_slice(&payload));
    if (e != ERR_OK) map_del(g->keys, name);
    return e;
}

enum err tenants_key_make(struct gate *g, struct gate_tenant *t, struct gate_key **out, char secret[SECRET_KEY_CHARS])
{
    static const char base32_upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    static const char base64_text[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct gate_key *k = calloc(1, sizeof *k);
    if (!k) return ERR_NOMEM;
    memcpy(k->access_key, "AKIA", 4);
    random_text(g->rng, base32_upper, 5, k->access_key + 4, ACCESS_KEY_CHARS - 4);
    random_text(g->rng, base64_text, 6, secret, SECRET_KEY_CHARS);
    k->tenant = t;
    enum err e = secret_copy(&k->secret_key, slice_of(secret, SECRET_KEY_CHARS));
    if (e == ERR_OK) e = key_keep(g, t, k);
    if (e == ERR_OK) {
        *out = k;
        return ERR_OK;
    }
    wipe(secret, SECRET_KEY_CHARS);
    secret_done(&k->secret_key);
    free(k);
    return e;
}

void tenants_owner(const struct gate_tenant *t, struct slice account, struct buf *id, struct buf *name)
{
    static struct ledger_hash hash;                /* the loop thread's */
    static bool ready;
    AUTO(buf) struct buf text = BUF_INIT(64);
    uint8_t out[HASH_BYTES];
    if (!ready) {
        enum err e = ledger_hash_init(&hash);
        ASSERT(e == ERR_OK);
        ready = true;
    }
    buf_put_str(&text, "tillit account v1");
    buf_put(&text, t->id, ID_BYTES);
    buf_put_slice(&text, account);
    ASSERT(buf_ok(&text));
    ledger_sha256(&hash, buf_slice(&text), out);
    buf_put_hex(id, slice_of(out, sizeof out));
    if (name && t->display_name) buf_put_slice(name, account);
}

struct gate_bucket *tenants_bucket(struct gate_tenant *t, struct slice name) { return map_get(t->buckets, name); }
struct gate_key *tenants_key(struct gate *g, struct slice access_key) { return map_get(g->keys, access_key); }

struct gate_tenant *tenants_by_name(struct gate *g, struct slice name)
{
    for (size_t i = 0; i < g->tenant_count; i++)
        if (slice_is(name, g->tenant_list[i]->name)) return g->tenant_list[i];
    return NULL;
}
