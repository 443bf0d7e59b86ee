/* SPDX-License-Identifier: Apache-2.0
 * say_event: a grant, and each leaf about it, as they are told to people: JSON of what the control log and its fold say, nothing else.
 * Role: say_look.c and say_notice.c. Trusts: leaves and openings read back. Distrusts: names in them (keys need not be UTF-8).
 * Law: 5 (one tenant's log is looked at, and its own fold). Spec: docs/spec/access.md section 8.
 */
#include "gate/say_internal.h"

#define SAY_LOGGED                                                                                                                                        \
    "every request under this grant, allowed or refused, before anything is released: time, person, employer, country, purpose, verb, object and version, " \
    "the bytes that the released keys can open"

json_t *say_text(struct slice text)
{
    if (slice_is_utf8(text)) {
        json_t *j = json_stringn((const char *)text.p, text.n);
        if (j) return j;
    }
    AUTO(buf) struct buf b = BUF_INIT(3 * S3_KEY_BYTES_MAX);
    for (size_t i = 0; i < text.n; i++) {
        buf_put_u8(&b, '%');
        buf_put_hex(&b, slice_of(text.p + i, 1));
    }
    return json_stringn(b.n ? (const char *)b.p : "", b.n);
}

json_t *say_id_text(const uint8_t id[ID_BYTES])
{
    char text[ID_TEXT_CHARS + 1];
    tenants_id_text(id, text);
    return json_string(text);
}

static void put_text(json_t *j, const char *name, const char *value)
{
    if (value[0]) json_object_set_new(j, name, say_text(slice_str(value)));
}

static void put_slice(json_t *j, const char *name, struct slice value)
{
    if (value.n) json_object_set_new(j, name, say_text(value));
}

static void put_int(json_t *j, const char *name, uint64_t value) { json_object_set_new(j, name, json_integer((json_int_t)value)); }

static void put_person(json_t *j, const struct policy_person *p)
{
    put_text(j, "id", p->account);
    put_text(j, "name", p->name);
    put_text(j, "employer", p->employer);
    put_text(j, "subprocessor", p->subprocessor);
    put_text(j, "office", p->office);
}

json_t *say_account(struct gate_tenant *t, const char *account)
{
    json_t *j = json_object();
    const struct policy_person *p = policy_person(policy_people(t->state), slice_str(account));
    put_text(j, "id", account);
    if (p) put_person(j, p);
    return j;
}

json_t *say_who(struct gate_tenant *t, struct slice key)
{
    json_t *j = json_object();
    put_slice(j, "key", key);
    const struct policy_approver *a = policy_approver_of_key(t->state, key);
    const struct policy_person *p = policy_person_of_key(policy_people(t->state), key);
    if (a) {
        put_text(j, "id", a->id);
        put_text(j, "name", a->name);
    } else if (p) put_person(j, p);
    else if (policy_officer(policy_people(t->state), key)) put_text(j, "name", "an officer of the provider");
    return j;
}

static json_t *words(const struct policy_words *w)
{
    json_t *j = json_array();
    for (size_t i = 0; i < w->count; i++) json_array_append_new(j, say_text(slice_str(w->word[i])));
    return j;
}

/* A statement's terms as they stand: what was signed, word for word. */
static json_t *terms_of(const struct record_statement *s)
{
    json_t *j = json_array();
    struct slice list = s->terms, item;
    while (record_list_text(&list, &item)) json_array_append_new(j, say_text(item));
    return j;
}

static bool statement_of(const struct say_read *x, struct slice *text, struct record_statement *s)
{
    struct record_stmt_value v;
    if (record_stmt_value_get(say_opened(x, RECORD_F_STMT), &v) != ERR_OK) return false;
    *text = v.text;
    return record_statement_parse(v.text, s) == ERR_OK;
}

/* a grant ------------------------------------------------------------------------------------------------------------------------------- */

/* The request word for word, so that whoever approves can hash what they were shown. */
static void put_request(json_t *j, struct gate_tenant *t, const struct policy_grant *g)
{
    AUTO(say_read) struct say_read x;
    AUTO(buf) struct buf digest = BUF_INIT(64);
    struct record_statement s;
    struct slice text;
    buf_put_base64url(&digest, slice_of(g->request, HASH_BYTES));
    put_slice(j, "digest", buf_slice(&digest));
    put_int(j, "index", g->index);
    put_int(j, "requested", g->requested_ms);
    if (say_read(t->control, g->index, true, &x) != ERR_OK || !statement_of(&x, &text, &s)) return;
    put_slice(j, "request", text);
    put_slice(j, "ticket", record_term(&s, RECORD_TERM_TICKET, 0));
    put_slice(j, "text", record_term(&s, RECORD_TERM_TEXT, 0));
}

static json_t *scope_json(struct slice bucket, struct slice prefix)
{
    json_t *scope = json_object();
    put_slice(scope, "bucket", bucket);
    json_object_set_new(scope, "prefix", say_text(prefix));
    return scope;
}

json_t *say_scope(struct gate_tenant *t, const struct policy_grant *g)
{
    if (g->terms) return scope_json(slice_str(g->terms->bucket), g->terms->prefix);
    AUTO(say_read) struct say_read x;
    AUTO(buf) struct buf prefix = BUF_INIT(S3_KEY_BYTES_MAX);
    struct record_statement s;
    struct slice text;
    if (say_read(t->control, g->index, true, &x) != ERR_OK || !statement_of(&x, &text, &s)) return NULL;
    if (record_prefix_decode(record_term(&s, RECORD_TERM_PREFIX, 0), &prefix) != ERR_OK) return NULL;
    return scope_json(record_term(&s, RECORD_TERM_BUCKET, 0), buf_slice(&prefix));
}

static void put_terms(json_t *j, const struct policy_terms *p)
{
    json_t *budget = json_object();
    json_object_set_new(j, "verbs", words(&p->verbs));
    json_object_set_new(j, "categories", words(&p->categories));
    put_int(j, "duration_ms", p->duration_ms);
    put_int(budget, "objects", p->objects);
    put_int(budget, "bytes", p->bytes);
    json_object_set_new(j, "budget", budget);
}

static void put_approvals(json_t *j, struct gate_tenant *t, const struct policy_grant *g)
{
    json_t *list = json_array();
    unsigned standing;
    for (size_t i = 0; i < g->approval_count; i++) {
        const struct policy_approval *a = &g->approvals[i];
        json_t *one = say_who(t, a->key);
        put_text(one, "id", a->id);
        json_object_set_new(one, "manager", json_boolean(a->manager));
        put_int(one, "index", a->index);
        put_int(one, "t", a->t_ms);
        json_array_append_new(list, one);
    }
    json_object_set_new(j, "approvals", list);
    if (!g->terms) return;
    put_int(j, "needed", policy_grant_need(t->state, g, &standing));
    put_int(j, "approved", standing);
}

json_t *say_grant_json(struct gate_tenant *t, const struct policy_grant *g, uint64_t t_ms)
{
    json_t *j = json_object(), *who = say_account(t, g->account), *used = json_object();
    json_object_set_new(j, "id", say_id_text(g->id));
    json_object_set_new(j, "state", json_string(policy_grant_state_text(policy_grant_state(t->state, g, t_ms))));
    put_text(who, "country", g->country);
    json_object_set_new(j, "who", who);
    put_text(j, "purpose", g->purpose);
    put_request(j, t, g);
    json_object_set_new(j, "scope", say_scope(t, g));
    if (g->terms) put_terms(j, g->terms);
    put_int(used, "objects", g->used_objects);
    put_int(used, "bytes", g->used_bytes);
    json_object_set_new(j, "used", used);
    put_int(j, "lapse", g->lapse_ms);
    put_int(j, "start", g->start_ms);
    put_int(j, "end", g->end_ms);
    if (g->has_extends) json_object_set_new(j, "extends", say_id_text(g->extends));
    put_approvals(j, t, g);
    put_text(j, "logged", SAY_LOGGED);
    return j;
}

/* a leaf -------------------------------------------------------------------------------------------------------------------------------- */

bool say_leaf_grant(const struct record_leaf *l, uint8_t grant[ID_BYTES])
{
    if (!record_has(l, RECORD_F_GRANT)) return false;
    if (l->kind == RECORD_K_STMT && slice_is(record_text(l, RECORD_F_ACT), "access.look")) return false;   /* who watches does not wake who watches */
    memcpy(grant, l->f[RECORD_F_GRANT].bytes, ID_BYTES);
    return true;
}

static void put_access(json_t *j, const struct say_read *x)
{
    struct record_obj obj;
    if (record_obj_get(say_opened(x, RECORD_F_OBJ), &obj) == ERR_OK) {
        put_slice(j, "bucket", obj.bucket);
        put_slice(j, "key", obj.key);
    }
    if (record_has(&x->leaf, RECORD_F_BYTES)) put_int(j, "bytes", record_int(&x->leaf, RECORD_F_BYTES, 0));
    json_object_set_new(j, "goes_on", json_boolean(record_has(&x->leaf, RECORD_F_REF)));
    put_slice(j, "person", say_opened(x, RECORD_F_PERSON));
    put_slice(j, "employer", say_opened(x, RECORD_F_ENT));
    put_slice(j, "country", record_text(&x->leaf, RECORD_F_CTRY));
    put_slice(j, "peer", say_opened(x, RECORD_F_PEER));
}

json_t *say_event(struct gate_tenant *t, uint64_t index, const struct say_read *x)
{
    json_t *j = json_object();
    struct record_statement s;
    struct slice text;
    put_int(j, "index", index);
    put_int(j, "t", record_int(&x->leaf, RECORD_F_T, 0));
    put_text(j, "kind", x->leaf.kind == RECORD_K_ACC ? "access" : x->leaf.kind == RECORD_K_GRANT ? "grant" : "statement");
    put_slice(j, "act", record_text(&x->leaf, RECORD_F_ACT));
    put_slice(j, "decision", record_text(&x->leaf, RECORD_F_DEC));
    put_slice(j, "why", record_text(&x->leaf, RECORD_F_WHY));
    if (record_has(&x->leaf, RECORD_F_GRANT)) json_object_set_new(j, "grant", say_id_text(x->leaf.f[RECORD_F_GRANT].bytes));
    if (x->leaf.kind == RECORD_K_ACC) put_access(j, x);
    if (x->leaf.kind != RECORD_K_STMT) return j;
    json_object_set_new(j, "who", say_who(t, say_opened(x, RECORD_F_WHO)));
    if (statement_of(x, &text, &s)) {
        json_object_set_new(j, "terms", terms_of(&s));
        put_slice(j, "text", record_term(&s, RECORD_TERM_TEXT, 0));
    }
    return j;
}
