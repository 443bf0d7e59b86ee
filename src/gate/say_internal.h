/* SPDX-License-Identifier: Apache-2.0
 * say_internal: what the files of say share: say.c (arrival, leaf, answer), say_mirror.c (the provider's fold, mirrors), say_grant.c (what ends a
 * grant), say_look.c (what is told of grants), say_event.c (one leaf as it is told), say_notice.c (to whom it is told unasked). Spec: docs/spec/access.md.
 */
#ifndef TILLIT_GATE_SAY_INTERNAL_H
#define TILLIT_GATE_SAY_INTERNAL_H

#include <jansson.h>

#include "gate/say.h"

#define SAY_KEY_BYTES_MAX 1024                     /* fingerprint, or a passkey's term */

/* A statement of the provider log as a mirror needs it. */
struct say_source {
    struct list node;
    uint64_t index;
    char auth[8];
    struct buf act, who, stmt;
};
void say_source_done(struct say_source *x);

/* What the gate holds beside the logs: all of it can be made again from them. */
struct gate_say {
    struct policy_provider provider;
    struct nonces *taken;                          /* statements that have a leaf */
    struct nonces *told;                           /* of those, the ones of which a copy has one too */
    struct list fresh;                             /* say_source: appended, not durable yet, so that log_read() does not give them */
    bool behind;                                   /* a mirror could not be appended: say_tend() tries again */
    struct list failed;                            /* say_grant.c: grants whose streams nobody said are gone */
    size_t watches;                                /* answers that wait for something to happen */
    size_t notice_turn;                            /* the tenant whose leaves are told first: behind the one that filled the last answer */
};
struct gate_say *say_state(struct gate *g);

/* One statement, from arrival to answer. */
struct say {
    struct gate *g;
    struct gate_tenant *t;                         /* NULL: it is about the provider's side */
    struct gate_log *log;
    struct log_wait wait;
    statement_done done;
    void *ctx;
    json_t *answer;
    enum record_statement_kind kind;
    enum policy_say say;
    enum policy_by_key by;
    struct buf key;                                /* who signed: policy_signer.key */
    bool copied;                                   /* a good signature, with a counter that was seen before */
    uint8_t digest[HASH_BYTES];                    /* of its text */
    bool has_grant;                                /* access.*: its subject is an id */
    uint8_t grant[ID_BYTES];
    char country[3];                               /* access.login */
    bool has_after;                                /* access.look */
    uint64_t after;
    struct say_source *source;                     /* in gate_say.fresh until it is durable; NULL: a tenant's */
    struct say_end *ends;                          /* say_grant.c: what it ends */
    size_t end_count, end_left;
    bool end_failed;
    uint16_t status;                               /* of a refusal; 0: as policy says */
    bool unavailable;                              /* it has its leaf, and no answer could be made: 503 */
};
void say_answer(struct say *take_s);               /* 200, or 202 when it waits: s->answer with its receipt */

/* The leaf of a statement: p NULL where it has none. */
struct say_leaf {
    struct slice act, auth, peer, stmt, who;
    const uint8_t *grant;
    const char *why;                               /* NULL: allowed */
    bool mirror;
    uint64_t ref;
};
/* Appends and folds at once; t NULL: provider log. Errors: as the fold says, and nothing was appended. */
MUST_USE enum err say_append(struct gate *g, struct gate_tenant *t, const struct say_leaf *p, uint64_t t_ms, struct log_wait *w, uint64_t *index);
/* The same for a leaf that is written already. */
MUST_USE enum err say_append_leaf(struct gate *g, struct gate_tenant *t, struct slice leaf, struct slice opening, struct log_wait *w, uint64_t *index);

/* A leaf read back with its opening; say_read_done() frees. */
struct say_read {
    struct buf leaf_bytes, opening_bytes;
    struct record_leaf leaf;
    struct record_opening opening;
};
MUST_USE enum err say_read(struct gate_log *l, uint64_t index, bool opened, struct say_read *out);
void say_read_done(struct say_read *x);
struct slice say_opened(const struct say_read *x, enum record_field f);      /* empty: erased, or none */

/* say_mirror.c: into every tenant whose pending and live grants rely on what changed. */
void say_mirror_all(struct gate *g);

/* say_grant.c */
void say_ends_find(struct say *s);                 /* in the turn of the leaf: which streams must stop because of it */
void say_ends_kill(struct say *s, void (*then)(struct say *s));              /* durable: stops them; then() once, sooner or later */

/* say_look.c */
void say_look(struct say *take_s);

/* say_event.c */
json_t *say_text(struct slice text);               /* a JSON string of it; of what is no UTF-8 each byte percent-encoded */
json_t *say_id_text(const uint8_t id[ID_BYTES]);
/* Who has this key here: {"key", and of an approver or person "id", "name", "employer", ...}. */
json_t *say_who(struct gate_tenant *t, struct slice key);
json_t *say_account(struct gate_tenant *t, const char *account);             /* the same of a person of the provider, by account */
/* The grant as it is shown to whoever decides about it; log_read()s its request. NULL: that cannot be read. */
json_t *say_grant_json(struct gate_tenant *t, const struct policy_grant *g, uint64_t t_ms);
/* {"bucket", "prefix"}: what all signatures allow; once the grant is over what was asked for. NULL: the request cannot be read. */
json_t *say_scope(struct gate_tenant *t, const struct policy_grant *g);
/* Is the leaf about a grant, looks aside? */
bool say_leaf_grant(const struct record_leaf *l, uint8_t grant[ID_BYTES]);
/* One leaf as it is told: {"index", "t", "kind", "act", ...}. */
json_t *say_event(struct gate_tenant *t, uint64_t index, const struct say_read *x);

/* say_notice.c: appends `whpk_...`, the key that verifies this tenant's notices. */
MUST_USE enum err say_notice_key(struct gate *g, const struct gate_tenant *t, struct buf *out);

#endif
