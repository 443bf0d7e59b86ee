/* SPDX-License-Identifier: Apache-2.0
 * Words of leaves: acts, kinds of authentication and bodies, reasons, and the text of `who`.
 * Role: between leaves and decisions. Trusts: the tables. Distrusts: every text.
 * Law: 4. Spec: docs/spec/policy.md section 2, docs/spec/record.md section 2.
 */
#include "policy/policy_internal.h"

/* With lengths: this is looked up for every request, and most rows differ in length already. */
static const struct {
    const char *text;
    size_t n;
} acts[POLICY_ACT__COUNT] = {
    {"", 0},
#define S3_OP(level, method, sub, name, action, kind, answer) {#name, sizeof #name - 1},
#include "s3/s3_op.def"
#undef S3_OP
#define POLICY_ACT(name, level, who, action) {#name, sizeof #name - 1},
#include "policy/policy_act.def"
#undef POLICY_ACT
};
static const char *const auths[POLICY_AUTH__COUNT] = {"hdr", "qry", "form", "anon", "stmt", "auto", "sts"};
static const char *const bodies[POLICY_BODY__COUNT] = {"none", "sha256", "uns", "unst", "chunk"};
static const struct {
    const char *text, *s3;
} reasons[POLICY_REASON__COUNT] = {
#define REASON(name, text, s3, what) {text, s3},
#include "policy/policy_reason.def"
#undef REASON
};

static const struct {
    enum policy_act put, del;
} docs[POLICY_DOC__COUNT] = {
#define POLICY_DOC(NAME, put, del, fold) {POLICY_ACT_##put, POLICY_ACT_##del},
#include "policy/policy_doc.def"
#undef POLICY_DOC
};

enum policy_doc_kind policy_doc_of_act(enum policy_act a, bool *on) {
    *on = false;
    for (int k = 0; k < POLICY_DOC__COUNT && a != POLICY_ACT_NONE; k++) {
        *on = docs[k].put == a;
        if (*on || docs[k].del == a) return (enum policy_doc_kind)k;
    }
    return POLICY_DOC__COUNT;
}

enum policy_act policy_act_of(struct slice text) {
    for (int i = 1; i < POLICY_ACT__COUNT; i++) {
        if (text.n == acts[i].n && memcmp(text.p, acts[i].text, text.n) == 0) return (enum policy_act)i;
    }
    return POLICY_ACT_NONE;
}

const char *policy_act_text(enum policy_act a) {
    ASSERT((unsigned)a < POLICY_ACT__COUNT);
    return acts[a].text;
}

const char *policy_auth_text(enum policy_auth a) {
    ASSERT((unsigned)a < POLICY_AUTH__COUNT);
    return auths[a];
}

enum err policy_auth_parse(struct slice text, enum policy_auth *out) {
    for (int i = 0; i < POLICY_AUTH__COUNT; i++) {
        if (!slice_is(text, auths[i])) continue;
        *out = (enum policy_auth)i;
        return ERR_OK;
    }
    return ERR_INPUT;
}

const char *policy_body_text(enum policy_body b) {
    ASSERT((unsigned)b < POLICY_BODY__COUNT);
    return bodies[b];
}

enum err policy_body_parse(struct slice text, enum policy_body *out) {
    for (int i = 0; i < POLICY_BODY__COUNT; i++) {
        if (!slice_is(text, bodies[i])) continue;
        *out = (enum policy_body)i;
        return ERR_OK;
    }
    return ERR_INPUT;
}

const char *policy_reason_text(enum policy_reason r) {
    ASSERT((unsigned)r < POLICY_REASON__COUNT);
    return reasons[r].text;
}

const char *policy_reason_s3(enum policy_reason r) {
    ASSERT((unsigned)r < POLICY_REASON__COUNT);
    return reasons[r].s3;
}

/* who ------------------------------------------------------------------------------------------------------------------ */

/* IAM's alphabet of user names. */
bool policy_user_ok(struct slice user) {
    if (user.n == 0 || user.n > POLICY_USER_CHARS_MAX) return false;
    for (size_t i = 0; i < user.n; i++) {
        uint8_t c = user.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == 0 || strchr("+=,.@_-", c) == NULL)) return false;
    }
    return true;
}

/* "/" or "/a/b/": of what can be seen in ASCII. */
bool policy_user_path_ok(struct slice path) {
    if (path.n == 0 || path.n > POLICY_PATH_CHARS_MAX || path.p[0] != '/' || path.p[path.n - 1] != '/') return false;
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] < 0x21 || path.p[i] > 0x7e || path.p[i] == '*' || path.p[i] == '?') return false;
    }
    return true;
}

static enum err key_who_parse(struct slice text, struct policy_who *out) {
    struct policy_who w = {0};
    struct slice rest = slice_cut(text, ':', &w.account);
    w.access_key = slice_cut(rest, ':', &w.user);
    if (!policy_account_ok(w.account) || !policy_user_ok(w.user) || !policy_access_key_ok(w.access_key)) return ERR_INPUT;
    *out = w;
    return ERR_OK;
}

/* A person's account: the WORD of a statement's subject. */
static bool word_ok(struct slice word) {
    if (word.n == 0 || word.n > POLICY_WORD_CHARS_MAX) return false;
    for (size_t i = 0; i < word.n; i++) {
        uint8_t c = word.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-')) return false;
    }
    return true;
}

static enum err sts_who_parse(struct slice text, struct policy_who *out) {
    struct policy_who w = {0};
    uint8_t id[ID_BYTES];
    struct slice rest = slice_cut(text, ':', &w.account);
    w.access_key = slice_cut(rest, ':', &w.user);
    if (!word_ok(w.account) || record_id_get(w.user, id) != ERR_OK || !policy_access_key_ok(w.access_key)) return ERR_INPUT;
    *out = w;
    return ERR_OK;
}

enum err policy_who_parse(enum policy_auth auth, struct slice text, struct policy_who *out) {
    *out = (struct policy_who){0};
    switch (auth) {
    case POLICY_AUTH_HDR:
    case POLICY_AUTH_QRY:
    case POLICY_AUTH_FORM: return key_who_parse(text, out);
    case POLICY_AUTH_STS: return sts_who_parse(text, out);
    case POLICY_AUTH_ANON: return slice_is(text, "anon") ? ERR_OK : ERR_INPUT;
    case POLICY_AUTH_AUTO: return slice_is(text, "auto") ? ERR_OK : ERR_INPUT;
    case POLICY_AUTH_STMT:
        if (!slice_starts(text, SLICE_LIT("SHA256:")) || text.n > SSH_FINGERPRINT_CHARS) return ERR_INPUT;
        out->fingerprint = text;
        return ERR_OK;
    case POLICY_AUTH__COUNT: break;
    }
    return ERR_INPUT;
}

void policy_who_put(struct buf *out, enum policy_auth auth, const struct policy_who *w) {
    switch (auth) {
    case POLICY_AUTH_HDR:
    case POLICY_AUTH_QRY:
    case POLICY_AUTH_FORM:
    case POLICY_AUTH_STS:
        buf_put_slice(out, w->account);
        buf_put_u8(out, ':');
        buf_put_slice(out, w->user);
        buf_put_u8(out, ':');
        buf_put_slice(out, w->access_key);
        return;
    case POLICY_AUTH_STMT: buf_put_slice(out, w->fingerprint); return;
    case POLICY_AUTH_ANON:
    case POLICY_AUTH_AUTO: buf_put_str(out, policy_auth_text(auth)); return;
    case POLICY_AUTH__COUNT: break;
    }
    ASSERT(!"an auth of the table");
}
