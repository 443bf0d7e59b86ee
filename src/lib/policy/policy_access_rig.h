/* SPDX-License-Identifier: Apache-2.0
 * Statements for the tests of this room: written, asked about, put into leaves as the gate puts them, and folded.
 *
 *     rig_provider(&p, says)      a statement of the provider log: asked, recorded, folded; kept for mirrors
 *     rig_say(&s, says)           a statement of the tenant's control log: its mirrors first, then asked, recorded (a refusal too), folded
 *     rig_ask(&s, says)           only what would come of it
 *
 * Role: shared by the unit tests of people, customers' sides and grants; included once by each. Signatures are of the right form and sign
 * nothing: the room trusts that they were verified. Trusts: the test. Spec: docs/spec/access.md.
 */
#ifndef TILLIT_POLICY_ACCESS_RIG_H
#define TILLIT_POLICY_ACCESS_RIG_H

#include "policy/policy_access_internal.h"
#include "policy/policy_rig.h"

#define RIG_TERMS_MAX 40
#define RIG_PROVIDER_MAX 400
#define RIG_T0 1764000000000ull                    /* 2025-11-24T16:00:00Z */
#define RIG_DAY 86400000ull
#define RIG_OFFICER "SHA256:OOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOA"

struct rig_says {
    enum record_statement_kind kind;
    const char *subject, *signer;                  /* signer: a fingerprint, or a passkey: term */
    enum policy_by_key by;
    uint32_t counter;                              /* of a passkey's assertion */
    const char *terms[RIG_TERMS_MAX + 1];          /* "name=value"; NULL ends */
};
#define RIG(kind_, subject_, signer_, ...) \
    ((struct rig_says){.kind = RECORD_STATEMENT_##kind_, .subject = (subject_), .signer = (signer_), .terms = {__VA_ARGS__}})
#define RIG_SK(kind_, subject_, signer_, ...)                                                                              \
    ((struct rig_says){.kind = RECORD_STATEMENT_##kind_, .subject = (subject_), .signer = (signer_), .by = POLICY_KEY_SK, \
                       .terms = {__VA_ARGS__}})

static const uint8_t rig_tenant[ID_BYTES] = {7, 7, 7};
static struct buf rig_text, rig_value, rig_signature;      /* of the last statement */
static struct record_statement rig_parsed;
static struct policy_statement rig_statement;
static uint64_t rig_nonces;

/* A leaf of the provider log is kept, so that its mirror can be written. */
static struct rig_kept {
    struct buf value;
    struct rig_says says;
} rig_kept[RIG_PROVIDER_MAX];
static size_t rig_kept_count;
static uint64_t rig_provider_ms;                   /* time of its last leaf */

UNUSED static int rig_set_up(void **state) {
    rig_text = BUF_INIT(STATEMENT_BYTES_MAX);
    rig_value = BUF_INIT(65535);
    rig_signature = BUF_INIT(SSHSIG_CHARS_MAX);
    now_ms = RIG_T0;
    return set_up(state);
}

UNUSED static int rig_tear_down(void **state) {
    for (size_t i = 0; i < rig_kept_count; i++) buf_done(&rig_kept[i].value);
    rig_kept_count = 0;
    rig_provider_ms = 0;
    buf_done(&rig_text);
    buf_done(&rig_value);
    buf_done(&rig_signature);
    return tear_down(state);
}

/* the text ------------------------------------------------------------------------------------------------------------------ */

static enum record_term rig_term_of(struct slice name) {
    for (int t = 0; t < RECORD_TERM_COUNT; t++) {
        if (slice_is(name, record_term_name((enum record_term)t))) return (enum record_term)t;
    }
    fail_msg("no term %.*s", (int)name.n, (const char *)name.p);
    return RECORD_TERM_COUNT;
}

static bool rig_of_provider(enum record_statement_kind k) {
    return k == RECORD_STATEMENT_GENESIS_PROVIDER || k == RECORD_STATEMENT_PERSON_SET || k == RECORD_STATEMENT_PERSON_OFF ||
           k == RECORD_STATEMENT_PURPOSE_SET;
}

static void rig_sign(const struct rig_says *w) {
    buf_reset(&rig_signature);
    if (w->by != POLICY_KEY_PASSKEY) {
        buf_put_str(&rig_signature, "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n");
        return;
    }
    /* rpId hash, flags UP and UV, counter */
    uint8_t authenticator[37] = {[32] = 0x05};
    struct slice credential, rest = slice_cut(slice_str(w->signer), ':', &credential);
    put_be32(authenticator + 33, w->counter);
    rest = slice_cut(rest, ':', &credential);
    (void)slice_cut(rest, ':', &credential);
    buf_put_str(&rig_signature, "{\"authenticatorData\":\"");
    buf_put_base64url(&rig_signature, slice_of(authenticator, sizeof authenticator));
    buf_put_str(&rig_signature, "\",\"clientDataJSON\":\"e30\",\"credential\":\"");
    buf_put_slice(&rig_signature, credential);
    buf_put_str(&rig_signature, "\",\"signature\":\"AAAA\"}");
}

/* rig_statement, and what stands in `stmt`. now_ms is its record time; the signer's clock is the same. */
static void rig_write(struct rig_says w) {
    struct record_term_value terms[RIG_TERMS_MAX];
    size_t count = 0;
    struct record_statement s = {.kind = w.kind, .t = now_ms};
    buf_reset(&rig_text);
    put_be64(s.nonce, ++rig_nonces);
    if (w.subject != NULL) {
        s.have |= RECORD_S_SUBJECT;
        s.subject = slice_str(w.subject);
    }
    if (!rig_of_provider(w.kind)) {
        s.have |= RECORD_S_TENANT;
        memcpy(s.tenant, rig_tenant, ID_BYTES);
    }
    for (; count < RIG_TERMS_MAX && w.terms[count] != NULL; count++) {
        struct slice name, value = slice_cut(slice_str(w.terms[count]), '=', &name);
        terms[count] = (struct record_term_value){rig_term_of(name), value};
    }
    if (!record_kind_has_terms(w.kind)) {
        struct slice officers[1] = {slice_str(w.kind == RECORD_STATEMENT_GENESIS_PROVIDER ? w.signer : RIG_OFFICER)};
        s.have |= RECORD_S_SCOPE;
        assert_int_equal(record_statement_write(&s, officers, 1, &rig_text), ERR_OK);
    } else {
        s.have |= RECORD_S_TERMS;
        assert_int_equal(record_statement_write_terms(&s, terms, count, &rig_text), ERR_OK);
    }
    assert_int_equal(record_statement_parse(buf_slice(&rig_text), &rig_parsed), ERR_OK);
    rig_sign(&w);
    buf_reset(&rig_value);
    buf_put_lp16(&rig_value, buf_slice(&rig_text));
    buf_put_slice(&rig_value, buf_slice(&rig_signature));
    assert_true(buf_ok(&rig_value));
    rig_statement = (struct policy_statement){.s = &rig_parsed, .signer = {slice_str(w.signer), w.by}, .t_ms = now_ms};
    ledger_sha256(&hash, buf_slice(&rig_text), rig_statement.digest);
}

/* leaves ---------------------------------------------------------------------------------------------------------------------- */

static void rig_parse(unsigned log) {
    assert_int_equal(record_leaf_parse(buf_slice(&leaf_bytes), log, &leaf), ERR_OK);
    assert_int_equal(record_opening_parse(buf_slice(&opening_bytes), &opening), ERR_OK);
    assert_int_equal(record_opening_check(&hash, &leaf, &opening), ERR_OK);
}

static bool rig_subject_id(const struct rig_says *w, uint8_t id[ID_BYTES]) {
    bool access = w->kind >= RECORD_STATEMENT_ACCESS_REQUEST && w->kind <= RECORD_STATEMENT_ACCESS_LOOK;
    return access && w->subject != NULL && record_id_get(slice_str(w->subject), id) == ERR_OK;
}

/* value: of `stmt`; ref UINT64_MAX: no mirror. */
static void rig_leaf(const struct rig_says *w, struct slice value, uint64_t ctl, uint64_t ref, enum policy_say say, unsigned log) {
    static const char *const by[] = {"ssh", "sk", "passkey"};
    struct record_writer out;
    bool allow = say == POLICY_SAY_DONE || say == POLICY_SAY_WAITS;
    uint8_t request[ID_BYTES] = {9}, grant[ID_BYTES];
    buf_reset(&leaf_bytes);
    buf_reset(&opening_bytes);
    record_begin(&out, RECORD_K_STMT, &leaf_bytes, &opening_bytes);
    put_text(&out, RECORD_F_ACT, record_statement_kind_text(w->kind));
    put_text(&out, RECORD_F_AUTH, by[w->by]);
    record_put_int(&out, RECORD_F_CTL, ctl);
    put_text(&out, RECORD_F_DEC, allow ? "allow" : "deny");
    record_put_int(&out, RECORD_F_ENG, POLICY_ENGINE_VERSION);
    if (rig_subject_id(w, grant)) record_put_id(&out, RECORD_F_GRANT, grant);
    record_put_id(&out, RECORD_F_ID, request);
    put_commit(&out, RECORD_F_PEER, SLICE_LIT("192.0.2.1"));
    if (ref != UINT64_MAX) record_put_int(&out, RECORD_F_REF, ref);
    put_commit(&out, RECORD_F_STMT, value);
    record_put_int(&out, RECORD_F_T, now_ms);
    put_commit(&out, RECORD_F_WHO, slice_str(w->signer));
    if (!allow) put_text(&out, RECORD_F_WHY, policy_say_text(say));
    assert_int_equal(record_end(&out), ERR_OK);
    rig_parse(log);
}

/* What time does to a grant: act Start, Expire, Lapse, FailToClose, Closed, at now_ms. */
UNUSED static enum err rig_time(struct policy_state *s, const uint8_t id[ID_BYTES], const char *act) {
    struct record_writer out;
    buf_reset(&leaf_bytes);
    buf_reset(&opening_bytes);
    record_begin(&out, RECORD_K_GRANT, &leaf_bytes, NULL);
    put_text(&out, RECORD_F_ACT, act);
    record_put_id(&out, RECORD_F_GRANT, id);
    record_put_int(&out, RECORD_F_T, now_ms);
    assert_int_equal(record_end(&out), ERR_OK);
    assert_int_equal(record_leaf_parse(buf_slice(&leaf_bytes), RECORD_LOG_CONTROL, &leaf), ERR_OK);
    enum err can = policy_can_apply(s, s->size, &leaf, NULL), did = policy_apply(s, s->size, &leaf, NULL);
    assert_int_equal(can, did);
    return did;
}

/* the provider ------------------------------------------------------------------------------------------------------------------- */

static void rig_keep(const struct rig_says *w) {
    assert_true(rig_kept_count < RIG_PROVIDER_MAX);
    struct rig_kept *k = &rig_kept[rig_kept_count++];
    k->value = BUF_INIT(65535);
    buf_put_slice(&k->value, buf_slice(&rig_value));
    k->says = *w;
}

/* The provider log's first leaf; its officer is RIG_OFFICER. */
UNUSED static void rig_provider_genesis(struct policy_provider *p) {
    struct record_writer out;
    struct rig_says w = {.kind = RECORD_STATEMENT_GENESIS_PROVIDER, .signer = RIG_OFFICER};
    rig_write(w);
    buf_reset(&leaf_bytes);
    buf_reset(&opening_bytes);
    record_begin(&out, RECORD_K_GENESIS, &leaf_bytes, &opening_bytes);
    put_signer(&out, RIG_OFFICER);
    put_commit(&out, RECORD_F_STMT, buf_slice(&rig_value));
    record_put_int(&out, RECORD_F_T, now_ms);
    assert_int_equal(record_end(&out), ERR_OK);
    rig_parse(RECORD_LOG_PROVIDER);
    assert_int_equal(policy_provider_apply(p, 0, &leaf, &opening), ERR_OK);
    rig_keep(&w);
}

UNUSED static enum policy_say rig_provider(struct policy_provider *p, struct rig_says w) {
    now_ms++;
    rig_write(w);
    enum policy_say say = policy_provider_say(p, &rig_statement);
    rig_leaf(&w, buf_slice(&rig_value), 0, UINT64_MAX, say, RECORD_LOG_PROVIDER);
    assert_int_equal(policy_provider_apply(p, rig_kept_count, &leaf, &opening), ERR_OK);
    rig_keep(&w);
    return say;
}

/* the tenant ----------------------------------------------------------------------------------------------------------------------- */

/* The mirror of leaf `ref` of the provider log. */
UNUSED static enum err rig_mirror(struct policy_state *s, uint64_t ref) {
    assert_true(ref < rig_kept_count);
    now_ms++;
    rig_leaf(&rig_kept[ref].says, buf_slice(&rig_kept[ref].value), s->size, ref, POLICY_SAY_DONE, RECORD_LOG_CONTROL);
    return apply_built(s, s->size);
}

/* All that is wanted before the statement in rig_statement (st NULL: of what is pending or live). p NULL: none. */
static void rig_mirrors(struct policy_state *s, const struct policy_provider *p, const struct policy_statement *st) {
    uint64_t refs[POLICY_MIRRORS_MAX];
    if (p == NULL) return;
    for (int turn = 0;; turn++) {
        size_t n = policy_mirrors(s, p, st, refs);
        if (n == 0) return;
        assert_true(turn < 4096 && n <= POLICY_MIRRORS_MAX);
        for (size_t i = 0; i < n; i++) assert_int_equal(rig_mirror(s, refs[i]), ERR_OK);
    }
}

UNUSED static enum policy_say rig_ask(const struct policy_state *s, struct rig_says w) {
    rig_write(w);
    return policy_say(s, &rig_statement);
}

/* What the gate does with a statement for a tenant. The answer is in the leaf too; the fold takes allowed and refused ones. */
static struct policy_provider *rig_p;              /* the provider whose people are mirrored; NULL: nobody is */
UNUSED static enum policy_say rig_say(struct policy_state *s, struct rig_says w) {
    now_ms++;
    rig_write(w);
    rig_mirrors(s, rig_p, &rig_statement);
    rig_statement.t_ms = ++now_ms;
    enum policy_say say = policy_say(s, &rig_statement);
    rig_leaf(&w, buf_slice(&rig_value), s->size, UINT64_MAX, say, RECORD_LOG_CONTROL);
    assert_int_equal(apply_built(s, s->size), ERR_OK);
    if (rig_p != NULL) rig_mirrors(s, rig_p, NULL);
    return say;
}

/* A request under a grant: its leaf on the control log. bytes UINT64_MAX: none stand in it; ref UINT64_MAX: the stream's first. */
struct rig_use {
    const char *account, *act, *bucket, *key, *dec, *why, *prefix, *listed;   /* of a listing: as asked, as `qry` says; NULL: none */
    uint8_t grant[ID_BYTES];
    uint64_t bytes, ref, eng, w;                   /* eng 0: this one */
    const char *person, *employer, *purpose, *categories, *country;
};
UNUSED static void rig_use_leaf(const struct policy_state *s, const struct rig_use *u) {
    struct record_writer out;
    struct buf text = BUF_INIT(4096), who = BUF_INIT(256);
    uint8_t request[ID_BYTES] = {8};
    buf_reset(&leaf_bytes);
    buf_reset(&opening_bytes);
    record_begin(&out, RECORD_K_ACC, &leaf_bytes, &opening_bytes);
    put_text(&out, RECORD_F_ACT, u->act);
    put_text(&out, RECORD_F_AUTH, "sts");
    put_text(&out, RECORD_F_BODY, "none");
    if (u->bytes != UINT64_MAX) record_put_int(&out, RECORD_F_BYTES, u->bytes);
    put_text(&out, RECORD_F_CAT, u->categories);
    record_put_int(&out, RECORD_F_CTL, s->size);
    put_text(&out, RECORD_F_CTRY, u->country);
    if (u->prefix != NULL) {
        record_ctx_put(&text, SLICE_LIT("?prefix"), slice_str(u->prefix));
        put_commit(&out, RECORD_F_CTX, buf_slice(&text));
    }
    put_text(&out, RECORD_F_DEC, u->dec);
    record_put_int(&out, RECORD_F_ENG, u->eng != 0 ? u->eng : POLICY_ENGINE_VERSION);
    put_commit(&out, RECORD_F_ENT, slice_str(u->employer));
    record_put_id(&out, RECORD_F_GRANT, u->grant);
    record_put_id(&out, RECORD_F_ID, request);
    struct record_obj o = {slice_str(u->bucket), slice_str(u->key)};
    buf_reset(&text);
    record_obj_put(&text, &o);
    put_commit(&out, RECORD_F_OBJ, buf_slice(&text));
    put_commit(&out, RECORD_F_PEER, SLICE_LIT("192.0.2.1"));
    put_commit(&out, RECORD_F_PERSON, slice_str(u->person));
    put_text(&out, RECORD_F_PURPOSE, u->purpose);
    if (u->listed != NULL) {
        struct record_qry q = {.prefix = slice_str(u->listed), .keys_max = 1000};
        buf_reset(&text);
        record_qry_put(&text, &q);
        put_commit(&out, RECORD_F_QRY, buf_slice(&text));
    }
    if (u->ref != UINT64_MAX) record_put_int(&out, RECORD_F_REF, u->ref);
    record_put_int(&out, RECORD_F_T, now_ms);
    if (u->w != 0) record_put_int(&out, RECORD_F_W, u->w);
    buf_put_str(&who, u->account);
    buf_put_u8(&who, ':');
    buf_put_base32(&who, slice_of(u->grant, ID_BYTES));
    buf_put_str(&who, ":" KEY1);
    put_commit(&out, RECORD_F_WHO, buf_slice(&who));
    put_text(&out, RECORD_F_WHY, u->why);
    assert_int_equal(record_end(&out), ERR_OK);
    rig_parse(RECORD_LOG_CONTROL);
    buf_done(&text);
    buf_done(&who);
}

#endif
