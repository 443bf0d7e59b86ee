/* SPDX-License-Identifier: Apache-2.0
 * What the files of policy share, and no other room includes: JSON, compiled documents, evaluation.
 * Role: between the files of this room. Trusts: its callers in this room. Law: 4. Spec: docs/spec/policy.md.
 *
 * A compiled document is one piece of memory: struct policy_doc at its start, then nodes, which name each other by their distance from
 * the start (0: none), so that it may move while it grows.
 */
#ifndef TILLIT_POLICY_INTERNAL_H
#define TILLIT_POLICY_INTERNAL_H

#include "policy/policy.h"

#define POLICY_STATE_MAGIC 0x54505332u /* "TPS2" */

bool policy_account_ok(struct slice account);
bool policy_access_key_ok(struct slice key);
bool policy_user_ok(struct slice user);
bool policy_user_path_ok(struct slice path);
bool policy_bucket_name_ok(struct slice name);

/* the fold (policy_state.c; policy_change.c: cfg and iam) -------------------------------------------------------------------- */

void policy_copy_text(char *to, struct slice from);
/* The opened value; *erased when the customer had it erased. MISSING: no such commitment, or no opening. */
MUST_USE enum err policy_opened(const struct record_leaf *leaf, const struct record_opening *opening, enum record_field f,
                                struct slice *value, bool *erased);
/* A leaf that is its request's own record: decided under exactly the log before it (rule 14), allowed, by an engine known here. */
MUST_USE enum err policy_own_record(const struct record_leaf *leaf, uint64_t index);
struct policy_key *policy_key_row(const struct policy_state *s, struct slice access_key);
struct policy_bucket *policy_bucket_row(const struct policy_state *s, const uint8_t id[ID_BYTES]);
MUST_USE enum err policy_key_add(struct policy_state *s, const struct policy_key *row, bool dry);
void policy_bucket_docs_done(struct policy_bucket *b);
void policy_user_done(struct policy_user *u);
MUST_USE enum err policy_bucket_begins(struct policy_state *s, struct policy_bucket *b, struct slice text, bool dry);
MUST_USE enum err policy_apply_cfg(struct policy_state *s, uint64_t index, const struct record_leaf *leaf,
                                   const struct record_opening *opening, bool dry);
MUST_USE enum err policy_apply_iam(struct policy_state *s, uint64_t index, const struct record_leaf *leaf,
                                   const struct record_opening *opening, bool dry);

/* acts and what they ask -------------------------------------------------------------------------------------------------- */

enum policy_level { POLICY_LEVEL_SERVICE, POLICY_LEVEL_BUCKET, POLICY_LEVEL_OBJECT };
enum policy_kind { POLICY_KIND_READ, POLICY_KIND_WRITE, POLICY_KIND_LIST, POLICY_KIND_LOOK, POLICY_KIND_CONFIG };
enum policy_by { POLICY_BY_KEY, POLICY_BY_OWNER, POLICY_BY_AUTO, POLICY_BY_IAM, POLICY_BY_SELF };
struct policy_act_row {
    enum policy_level level;
    enum policy_kind kind;
    enum policy_by by;
};
const struct policy_act_row *policy_act_row(enum policy_act a);

/* An action that may be asked: first the acts by their own, then policy_ask.def. */
enum policy_ask {
    POLICY_ASK__ACTS = POLICY_ACT__COUNT - 1,
#define POLICY_ASK(NAME, action) POLICY_ASK_##NAME,
#include "policy/policy_ask.def"
#undef POLICY_ASK
    POLICY_ASK__COUNT
};
#define POLICY_ASK_WORDS (((unsigned)POLICY_ASK__COUNT + 63) / 64)
#define POLICY_ASKS_MAX 4
const char *policy_ask_action(unsigned ask);
static inline bool policy_ask_in(const uint64_t *set, unsigned ask) { return set[ask / 64] >> (ask % 64) & 1; }

/* JSON (policy_json.c) ---------------------------------------------------------------------------------------------------- */

struct policy_json {
    struct slice in;
    size_t at;
    unsigned depth;
    struct buf text;                               /* decoded strings: slices point into it until done or again */
    const char *why;                               /* the first thing that was wrong: then all of these answer false */
};
bool policy_json_init(struct policy_json *j, struct slice in);
void policy_json_done(struct policy_json *j);
void policy_json_again(struct policy_json *j);     /* from the start */
int policy_json_peek(struct policy_json *j);       /* the first character of what comes; -1: nothing */
bool policy_json_enter(struct policy_json *j, char open);
bool policy_json_more(struct policy_json *j, char close, bool *first);   /* false: past close, or j->why */
bool policy_json_key(struct policy_json *j, struct slice *out);
bool policy_json_string(struct policy_json *j, struct slice *out);
bool policy_json_scalar(struct policy_json *j, struct slice *out);       /* string, number, true or false, as text */
bool policy_json_skip(struct policy_json *j);
bool policy_json_end(struct policy_json *j);

/* compiled documents (policy_doc.c, policy_names.c, policy_cond.c) ------------------------------------------------------------------------- */

/* Bytes that no UTF-8 has stand for what is no text in a pattern. */
#define POLICY_WILD_ANY 0xff                       /* * */
#define POLICY_WILD_ONE 0xfe                       /* ? */
#define POLICY_VARIABLE 0xfd                       /* u16 key, lp16 tag's key, u8 has a default, lp16 default */
#define POLICY_BYTE_TEXT_MAX 0xf4

enum policy_key_id {
#define POLICY_KEY(NAME, text, form, public) POLICY_KEY_##NAME,
#include "policy/policy_key.def"
#undef POLICY_KEY
    POLICY_KEY__COUNT
};
bool policy_key_of(struct slice text, enum policy_key_id *id, struct slice *tag);   /* false: no key could be written so */
bool policy_key_fixes(enum policy_key_id id);

enum policy_op_type { POLICY_OP_STRING, POLICY_OP_NUMERIC, POLICY_OP_DATE, POLICY_OP_BOOL, POLICY_OP_BINARY, POLICY_OP_IP,
                      POLICY_OP_ARN, POLICY_OP_NULL };
enum policy_op_how { POLICY_HOW_EQ, POLICY_HOW_IEQ, POLICY_HOW_LIKE, POLICY_HOW_LT, POLICY_HOW_LE, POLICY_HOW_GT, POLICY_HOW_GE };
enum policy_set { POLICY_SET_NONE, POLICY_SET_ALL, POLICY_SET_ANY };

struct policy_address {
    uint8_t bytes[16];
    uint8_t size;                                  /* 4 or 16; 0: none */
};

/* A resource, a value of a condition. */
struct policy_pattern {
    uint32_t next, n;
    bool variables;                                /* text must be expanded first */
    bool all;                                      /* it is "*" */
    bool wild;
    bool in_s3;                                    /* a resource without its arn:aws:s3::: */
    uint8_t bits;                                  /* of a network */
    struct policy_address address;
    int64_t number;                                /* millionths; ms of a date; 1 and 0 */
    uint8_t text[];
};
/* FEDERATED: nobody here, and yet public. */
enum policy_principal_kind { POLICY_P_ALL, POLICY_P_ACCOUNT, POLICY_P_USER, POLICY_P_NOBODY, POLICY_P_FEDERATED };
struct policy_principal {
    uint32_t next, n;
    enum policy_principal_kind kind;
    char account[ACCOUNT_CHARS + 1];
    uint8_t text[];                                /* of a user: path and name, from the slash on */
};
struct policy_condition {
    uint32_t next, values, n;
    uint16_t key;
    enum policy_op_type type;
    enum policy_op_how how;
    enum policy_set set;
    bool negated, if_exists;
    uint8_t text[];                                /* the tag's key */
};
struct policy_doc_statement {
    uint32_t next, principals, resources, conditions;
    bool deny, not_principal, not_resource;
    bool conditional;                              /* conditions or variables: what it says hangs on more than who, what and where */
    uint64_t asks[POLICY_ASK_WORDS];
};
struct policy_doc {
    struct buf own;                                /* the memory all of this lies in */
    uint32_t first, statement_count;
    uint64_t asks_conditional[POLICY_ASK_WORDS];   /* named by conditional statements */
    uint64_t asks_allowed[POLICY_ASK_WORDS];       /* named by any allow */
};
static inline const void *policy_doc_node(const struct policy_doc *d, uint32_t at) {
    ASSERT(at < d->own.n);
    return at == 0 ? NULL : d->own.p + at;
}
/* bucket empty: a user's. INPUT with *why, LIMIT. Pair: policy_doc_free, which accepts NULL. */
MUST_USE enum err policy_doc_compile(struct slice text, struct slice bucket, struct policy_doc **out, const char **why);
void policy_doc_free(struct policy_doc *d);
bool policy_doc_gives_everyone(const struct policy_doc *d);
/* Bytes without blanks outside strings: what AWS counts. */
size_t policy_doc_weight(struct slice text);

struct policy_build {
    struct policy_json j;
    struct buf out;
    struct slice bucket;                           /* empty: a user's */
    bool any_bucket;                               /* it was checked against its own before */
    bool variables;                                /* Version 2012-10-17 */
    struct policy_doc_statement at;                    /* the statement that is being read */
    const char *why;
};
/* All false with b->why. */
bool policy_build_bad(struct policy_build *b, const char *why);
uint32_t policy_build_node(struct policy_build *b, size_t size);         /* zeroed; 0: too large */
void *policy_build_at(struct policy_build *b, uint32_t at);
/* Text of a document into a pattern; *out its place. */
bool policy_build_pattern(struct policy_build *b, struct slice text, bool wild, uint32_t *out);
/* One action: into b->at.asks. One resource: *out its pattern. */
bool policy_build_action(struct policy_build *b, struct slice text, uint32_t *out);
bool policy_build_resource(struct policy_build *b, struct slice text, uint32_t *out);
bool policy_build_conditions(struct policy_build *b, uint32_t *first);

MUST_USE enum err policy_number_parse(struct slice text, int64_t *millionths);
MUST_USE enum err policy_date_parse(struct slice text, int64_t *ms);
bool policy_bool_parse(struct slice text, int64_t *out);
bool policy_address_parse(struct slice text, struct policy_address *out);
bool policy_network_parse(struct slice text, struct policy_address *out, uint8_t *bits);

/* evaluation (policy_match.c, policy_eval.c, policy_ask.c) ------------------------------------------------------------------ */

/* MAYBE: it hangs on the object. UNSURE: a bound was met, or a value has no text: no to an allow, yes to a deny. */
enum policy_met { POLICY_NO, POLICY_YES, POLICY_MAYBE, POLICY_UNSURE };

enum policy_ctx_id {
#define POLICY_CTX(NAME, text, what) POLICY_CTX_##NAME,
#include "policy/policy_ctx.def"
#undef POLICY_CTX
    POLICY_CTX__COUNT
};
struct policy_eval {
    const struct policy_state *s;
    const struct policy_request *r;
    const struct policy_bucket *bucket;            /* NULL: none */
    const struct policy_user *user;                /* NULL: root, or nobody */
    bool proven;                                   /* by an access key: account is whose */
    bool root;
    bool own;                                      /* the bucket's account is the caller's */
    bool listing;                                  /* asks whether the key could be listed: prefix is the key, and there is no object */
    bool ctx_read, address_read;
    bool missing;                                  /* what was erased was asked for: the decision cannot be recomputed */
    uint32_t steps;                                /* of wildcards, left for this decision */
    struct policy_address address;
    struct slice ctx[POLICY_CTX__COUNT];           /* p NULL: absent */
    size_t arn_n;
    char arn[POLICY_ARN_BYTES_MAX];                /* the caller's */
    char text[POLICY_VALUE_TEXT_MAX];              /* a value that is made, not lent */
    uint8_t expanded[POLICY_EXPANDED_BYTES_MAX];
};
struct slice policy_ctx_value(struct policy_eval *e, enum policy_ctx_id id);
/* Value number i of the key; NO: there is none (any more). */
enum policy_met policy_value(struct policy_eval *e, enum policy_key_id key, struct slice tag, size_t i, struct slice *out);
enum policy_met policy_wild(struct policy_eval *e, struct slice pattern, struct slice text);
/* The pattern's text, variables put in. NO: a variable has no value. */
enum policy_met policy_expand(struct policy_eval *e, const struct policy_pattern *p, struct slice *out);
enum policy_met policy_condition_met(struct policy_eval *e, const struct policy_doc *d, const struct policy_condition *c);

struct policy_verdict {
    enum policy_met deny, allow;                   /* NO, YES or MAYBE */
};
/* Adds what the document says. identity: a user's own, which names no principals. */
void policy_doc_says(struct policy_eval *e, const struct policy_doc *d, bool identity, unsigned ask, struct slice resource,
                     struct policy_verdict *v);
/* What the act asks for, all of it: at most POLICY_ASKS_MAX. */
unsigned policy_asks(struct policy_eval *e, unsigned asks[POLICY_ASKS_MAX]);
/* Whether headers can add to what the act asks. */
bool policy_asks_by_ctx(enum policy_act act);

/* Whether a grant's verb `list` is what the act needs (policy_use.c). */
bool policy_use_lists(enum policy_act a);
struct slice policy_use_prefix(const struct policy_request *r);    /* of a listing */

struct policy_decision policy_decide_in(struct policy_eval *e, const struct policy_state *s, const struct policy_request *r);

#endif
