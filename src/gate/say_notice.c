/* SPDX-License-Identifier: Apache-2.0
 * say_notice: who is told unasked: one event per leaf about people, grants and the customer's side, for each target the tenant named, signed by the tenant's key.
 * Role: the steward asks (NOTICES) with cursors of its own and delivers; the gate keeps nothing of it. Trusts: the fold for targets.
 * Distrusts: the steward's cursors (they say where to look, not whose log). Law: 1 (durable leaves only), 2 (the steward gets texts, no key), 5.
 * Spec: docs/spec/access.md section 8; CloudEvents 1.0; Standard Webhooks 1.0, asymmetric signatures.
 */
#include "gate/say_internal.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTICE_LEAVES_MAX 512                      /* looked at for one answer, all tenants together */
#define NOTICE_TOLD_COST 8                         /* of them a leaf that is told counts for: it is opened and signed, and others wait for the turn to end */
#define NOTICE_EVENT_BYTES_MAX 7168                /* as many as there can be targets of a leaf fit into one answer */

/* the key ------------------------------------------------------------------------------------------------------------------------------- */

static enum err notice_pkey(struct gate *g, const struct gate_tenant *t, EVP_PKEY **out)
{
    AUTO(secret) struct secret seed = SECRET_INIT;
    TRY(keys_derive(g->crypto, &t->key, KEYS_LABEL_NOTICE, slice_of(log_id(t->control), ID_BYTES), &seed));
    *out = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed.p, ED25519_SEED_BYTES);
    return *out ? ERR_OK : ERR_CRYPTO;
}

enum err say_notice_key(struct gate *g, const struct gate_tenant *t, struct buf *out)
{
    uint8_t pub[ED25519_KEY_BYTES];
    size_t n = sizeof pub;
    EVP_PKEY *key;
    TRY(notice_pkey(g, t, &key));
    bool ok = EVP_PKEY_get_raw_public_key(key, pub, &n) == 1 && n == sizeof pub;
    EVP_PKEY_free(key);
    if (!ok) return ERR_CRYPTO;
    buf_put_str(out, "whpk_");
    buf_put_base64(out, slice_of(pub, sizeof pub));
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

/* `<timestamp> v1a,<signature>` of `<id>.<timestamp>.<event>` */
static enum err notice_sign(struct gate *g, const struct gate_tenant *t, struct slice id, uint64_t time_s, struct slice event, struct buf *out)
{
    AUTO(buf) struct buf text = BUF_INIT(NOTICE_EVENT_BYTES_MAX + 256);
    uint8_t sig[ED25519_SIG_BYTES];
    size_t n = sizeof sig;
    EVP_PKEY *key;
    buf_put_slice(&text, id);
    buf_printf(&text, ".%llu.", (unsigned long long)time_s);
    buf_put_slice(&text, event);
    if (!buf_ok(&text)) return ERR_LIMIT;
    TRY(notice_pkey(g, t, &key));
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && EVP_DigestSignInit(c, NULL, NULL, NULL, key) == 1 && EVP_DigestSign(c, sig, &n, text.p, text.n) == 1 && n == sizeof sig;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    if (!ok) return ERR_CRYPTO;
    buf_printf(out, "%llu v1a,", (unsigned long long)time_s);
    buf_put_base64(out, slice_of(sig, sizeof sig));
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

/* what is told -------------------------------------------------------------------------------------------------------------------------- */

/* tillit.access.<word>: what a filter at the receiver's goes by. False: nobody is told of this leaf. */
static bool event_type(const struct record_leaf *l, struct buf *type)
{
    struct slice act = record_text(l, RECORD_F_ACT);
    bool deny = slice_is(record_text(l, RECORD_F_DEC), "deny");
    buf_put_str(type, "tillit.access.");
    if (l->kind == RECORD_K_ACC) {                 /* the watch shows what is read; an attempt past the grant is an alarm */
        buf_put_str(type, "denied");
        return deny;
    }
    if (l->kind == RECORD_K_GRANT) {
        bool fail = slice_is(act, "FailToClose");
        for (size_t i = 0; i < act.n && !fail; i++) buf_put_u8(type, act.p[i] | 0x20);
        if (fail) buf_put_str(type, "fail-to-close");
        return true;
    }
    if (l->kind != RECORD_K_STMT || record_has(l, RECORD_F_REF) || slice_is(act, "access.look")) return false;
    if (deny) {
        buf_put_str(type, "refused");
        return true;
    }
    struct slice word = slice_starts(act, SLICE_LIT("access.")) ? slice_of(act.p + 7, act.n - 7) : act;
    for (size_t i = 0; i < word.n; i++) buf_put_u8(type, word.p[i] == '.' ? '-' : word.p[i]);
    return true;
}

static void put_grant(json_t *data, struct gate_tenant *t, const struct record_leaf *l)
{
    if (!record_has(l, RECORD_F_GRANT)) return;
    const struct policy_grant *g = policy_grant(t->state, l->f[RECORD_F_GRANT].bytes);
    json_object_set_new(data, "grant", say_id_text(l->f[RECORD_F_GRANT].bytes));
    if (!g) return;
    json_object_set_new(data, "state", json_string(policy_grant_state_text(policy_grant_state(t->state, g, record_int(l, RECORD_F_T, 0)))));
    json_object_set_new(data, "purpose", say_text(slice_str(g->purpose)));
    json_object_set_new(data, "requester", say_text(slice_str(g->account)));
    json_object_set_new(data, "scope", say_scope(t, g));
    if (l->kind == RECORD_K_ACC) json_object_set_new(data, "who", say_account(t, g->account));
}

/* Terms are left out: a webhook's host need not hold what the log does. */
static json_t *event_data(struct gate_tenant *t, uint64_t index, const struct say_read *x, const char *receipt)
{
    json_t *data = say_event(t, index, x);
    json_object_del(data, "terms");
    json_object_del(data, "peer");
    put_grant(data, t, &x->leaf);
    json_object_set_new(data, "receipt", json_string(receipt));
    return data;
}

/* Attack: a name so long that the alarm about it is none. False: there was nothing to leave out. */
static bool event_shorten(json_t *event)
{
    json_t *data = json_object_get(event, "data"), *scope = json_object_get(data, "scope");
    if (json_object_get(data, "shortened")) return false;
    json_object_del(data, "key");
    json_object_del(data, "text");
    json_object_del(scope, "prefix");
    return json_object_set_new(data, "shortened", json_true()) == 0;
}

static enum err event_write(struct gate_tenant *t, uint64_t index, const struct say_read *x, struct slice type, const char *id, struct buf *out)
{
    char when[TIME_TEXT_MAX], tenant[ID_TEXT_CHARS + 1];
    time_iso8601(record_int(&x->leaf, RECORD_F_T, 0), when);
    tenants_id_text(t->id, tenant);
    json_t *j = json_pack("{s:s, s:s, s:s, s:s%, s:s, s:s, s:s, s:o}", "specversion", "1.0", "id", id, "source", log_origin(t->control), "type", type.p, type.n,
                          "subject", tenant, "time", when, "datacontenttype", "application/json", "data", event_data(t, index, x, id));
    char *text = j ? json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    while (text && strlen(text) > out->max && event_shorten(j)) {
        free(text);
        text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
    }
    if (text) buf_put_str(out, text);
    free(text);
    json_decref(j);
    return text && buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

static void target_put(struct buf *rows, struct wire_notice *n, uint8_t kind, const char *target)
{
    if (!target[0]) return;
    n->kind = kind;
    n->target = slice_str(target);
    wire_put_notice(rows, n);
}

/* One leaf for every target: all of its rows, or none. */
static enum err leaf_rows(struct gate *g, struct gate_tenant *t, uint64_t index, struct buf *rows)
{
    AUTO(say_read) struct say_read x;
    AUTO(buf) struct buf type = BUF_INIT(128), event = BUF_INIT(NOTICE_EVENT_BYTES_MAX), signature = BUF_INIT(256);
    char id[96];
    size_t cursor = 0;
    TRY(say_read(t->control, index, false, &x));
    if (!event_type(&x.leaf, &type)) return ERR_OK;
    say_read_done(&x);
    TRY(say_read(t->control, index, true, &x));
    snprintf(id, sizeof id, "%s/%llu", log_name(t->control), (unsigned long long)index);
    TRY(event_write(t, index, &x, buf_slice(&type), id, &event));
    TRY(notice_sign(g, t, slice_str(id), loop_wall_ms(g->loop) / 1000, buf_slice(&event), &signature));
    struct wire_notice n = {.tenant = slice_of(t->id, ID_BYTES), .index = index, .event = buf_slice(&event), .signature = buf_slice(&signature)};
    for (const struct policy_notice *p; (p = policy_notice_next(t->state, &cursor));) {
        target_put(rows, &n, WIRE_NOTICE_WEBHOOK, p->webhook);
        target_put(rows, &n, WIRE_NOTICE_MAIL, p->mail);
    }
    return buf_ok(rows) ? ERR_OK : ERR_LIMIT;
}

static void none_put(struct buf *rows, const struct gate_tenant *t, uint64_t index)
{
    const struct wire_notice n = {.tenant = slice_of(t->id, ID_BYTES), .index = index, .kind = WIRE_NOTICE_NONE};
    wire_put_notice(rows, &n);
}

/* one answer ---------------------------------------------------------------------------------------------------------------------------- */

#define NONE_ROW_BYTES (ID_BYTES + 8 + 1 + 3 * 2)
_Static_assert(POLICY_NOTICES_MAX * 2 * (NONE_ROW_BYTES + POLICY_TEXT_BYTES_MAX + NOTICE_EVENT_BYTES_MAX + 256) + 2 * NONE_ROW_BYTES <= WIRE_DATA_BYTES_MAX,
               "a leaf told to everybody fits into an answer");

/* True: there is no room, or no time, for more. */
static bool tenant_rows(struct gate *g, struct gate_tenant *t, uint64_t from, unsigned *left, struct buf *rows)
{
    uint64_t size = log_durable(t->control), i = from;
    size_t cursor = 0;
    bool full = false;
    uint64_t told = UINT64_MAX;
    if (!policy_notice_next(t->state, &cursor)) i = MAX(i, size);              /* nobody wants to know */
    for (; i < size && !full && *left > 0; i++, (*left)--) {
        AUTO(buf) struct buf one = BUF_INIT(WIRE_DATA_BYTES_MAX);
        enum err e = leaf_rows(g, t, i, &one);
        /* What cannot be told must not stop what comes behind it. */
        if (e != ERR_OK) log_line(LOG_WARN, "notice-not-made", "log=%s index=%llu err=%s", log_name(t->control), (unsigned long long)i, err_name(e));
        if (e != ERR_OK || one.n == 0) continue;
        full = rows->n + one.n + 2 * NONE_ROW_BYTES > rows->max;
        if (full) break;
        buf_put_slice(rows, buf_slice(&one));
        told = i;
        *left -= MIN(*left - 1, NOTICE_TOLD_COST);
    }
    if (i > from && told != i - 1) none_put(rows, t, i - 1);
    return i < size;
}

static bool cursors_read(struct slice cursors, struct map *m)
{
    struct reader r = reader_of(cursors);
    struct wire_cursor c;
    while (wire_next_cursor(&r, &c))
        if (map_put(m, c.tenant, (void *)c.tenant.p) != ERR_OK) return false;  /* twice, or more than there can be tenants */
    return !r.bad;
}

static uint64_t cursor_of(const struct map *m, const struct gate_tenant *t)
{
    const uint8_t *at = map_get(m, slice_of(t->id, ID_BYTES));
    return at ? get_be64(at + ID_BYTES) : 0;       /* a row is the id and the index behind it */
}

/* Attack: one tenant's log grows so fast that it alone fills every answer, and the next tenant is told of nothing. Whoever filled one is asked last. */
bool say_notices(struct gate *g, struct slice cursors, struct buf *rows, bool *more)
{
    struct map *m = map_new(TENANTS_MAX);
    unsigned left = NOTICE_LEAVES_MAX;
    ASSERT(m);
    *more = false;
    bool ok = cursors_read(cursors, m);
    size_t *turn = &say_state(g)->notice_turn, first = *turn;
    for (size_t i = 0; ok && i < g->tenant_count && !*more; i++) {
        *turn = (first + i + 1) % g->tenant_count;
        struct gate_tenant *t = g->tenant_list[(first + i) % g->tenant_count];
        uint64_t from = cursor_of(m, t);
        if (from < log_durable(t->control) && rows->n + 2 * NONE_ROW_BYTES <= rows->max) *more = tenant_rows(g, t, from, &left, rows);
    }
    map_free(m);
    return ok && buf_ok(rows);
}
