/* SPDX-License-Identifier: Apache-2.0
 * gate: what its files share. The pipeline of one request stands in step.c on one page; this header holds the long-lived state.
 *
 * Where things stand: step.h and step.c (the way of every request), request.h (one request, and every operation's door), object.h (what writes
 * versions), op_upload.h and op_complete.h (uploads in parts), copy_source.h (what is copied), batch.h (many keys at once), flow.h (writes from leaf
 * to settlement), keeper_link.h (the one connection to the keeper), hold.h and recent.h (rules 0 and 8), entry.h (what is sealed, and commands),
 * logbook.h (all logs), quota.h. ARCHITECTURE.md lists the files.
 */
#ifndef TILLIT_GATE_GATE_H
#define TILLIT_GATE_GATE_H

#include "base/base.h"
#include "base/limits.h"
#include "conf/conf.h"
#include "gate/keyring.h"
#include "gate/logbook.h"
#include "keys/keys.h"
#include "loop/loop.h"
#include "policy/policy.h"
#include "s3/s3.h"
#include "wire/wire.h"

struct gate;
struct gate_tenant;

/* SSH fingerprints whose statements are accepted: a tenant's owners, the provider's officers. */
#define SIGNERS_MAX 32
struct gate_signers {
    size_t count;
    char fingerprint[SIGNERS_MAX][SSH_FINGERPRINT_CHARS + 1];
};

/* An access key: found by its 20 characters in the gate's global table. */
struct gate_key {
    char access_key[ACCESS_KEY_CHARS + 1];
    struct gate_tenant *tenant;
    char account[ACCOUNT_CHARS + 1];
    char user[POLICY_USER_CHARS_MAX + 1];          /* POLICY_USER_ROOT: the account's own */
    struct secret secret_key;                      /* SECRET_KEY_CHARS characters, locked memory */
    bool on;
    /* signing key cache: the one of the newest day, region and service asked for (s3.h). step_verify.c fills it; whoever frees the
     * key calls s3_signing_key_done() and free() on it. */
    char cached_day[9];
    char cached_region[32];
    char cached_service[16];
    struct s3_signing_key *cached;
    uint32_t repeats;                              /* repeat table is the gate's */
};

/* A bucket as the gate needs it on the way of a request; policy holds its configuration. */
struct gate_bucket {
    uint8_t id[ID_BYTES];
    char name[S3_BUCKET_CHARS_MAX + 1];
    uint64_t created_ms;
    struct secret key;                             /* 32 bytes; seals facts and meta */
    uint32_t holds;                                /* key holds within (rule 9, DeleteBucket) */
    bool closing;                                  /* DeleteBucket holds the bucket: no new key holds */
    bool dead;                                     /* deleted: out of the tenant's map by name; requests may still point here */
};

struct gate_say;                                   /* say_internal.h: the provider's people, and what waits */
struct gate_flow;                                  /* flow.h: the pipeline's state of one tenant */

struct gate_tenant {
    uint8_t id[ID_BYTES];
    uint32_t number;                               /* order of creation */
    char name[S3_BUCKET_CHARS_MAX + 1];
    char account[ACCOUNT_CHARS + 1];               /* its first account */
    struct policy_state *state;                    /* LAW-4: fold of the control log */
    struct secret key;                             /* tenant key, 32 bytes */
    struct secret state_key;                       /* seals access keys' secrets in the keyring */
    struct keyring keyring;
    struct gate_log *control, *access;
    struct gate_signers owners;                    /* LAW-6: from the genesis leaf on */
    struct map *buckets;                           /* by name -> struct gate_bucket: what the control log says is there */
    struct map *bucket_ids;                        /* by id -> struct gate_bucket: prepared ones too */
    bool served;                                   /* false: keeper and log disagree (rule 7), or recovery is not over */
    char unserved_why[160];                        /* for doctor and 503 */
    uint64_t grave_ms;
    uint32_t streams;                              /* meter.c: reads under its grants */
    size_t watches;                                /* say_look.c: answers that wait for something to happen under its grants */
    uint64_t before_ms;                            /* of the control log's newest leaf when this gate began: ahead of started_ms when the clock was set back */
    bool display_name;                             /* conf.display_name: tenants_owner() gives names */
    struct gate_flow *flow;                        /* made by flow_begin() */
};

struct gate {
    struct loop *loop;
    const struct rng *rng;
    const char *dir;                               /* DIR */
    uint32_t boot;
    uint64_t started_ms;                           /* wall clock: signatures under a grant that are older may have been seen by the gate before this one */
    struct logbook *logbook;
    struct gate_log *provider, *heads;
    struct gate_signers officers;
    struct map *tenants;                           /* by id (16 bytes) -> struct gate_tenant */
    struct gate_tenant *tenant_list[TENANTS_MAX];
    size_t tenant_count;
    struct map *keys;                              /* by access key text -> struct gate_key */
    struct map *readers;                           /* by capability text -> struct gate_reader */
    struct keys_provider *root;
    struct keys_ctx *crypto;                       /* the loop thread's */
    struct ledger_hash hash;                       /* the loop thread's */
    struct conf conf;
    struct secret provider_key;                    /* seeds of the provider and heads logs, WAL and index keys derive from it */
    struct keyring provider_keyring;
    char region[32];
    char domain[128];                              /* base domain of virtual-host addressing, may be empty */
    char anonymous_tenant[S3_BUCKET_CHARS_MAX + 1];
    bool writable;                                 /* keeper's SPACE and the WAL's reserve */
    struct gate_keeper *keeper;                    /* keeper_link.c */
    struct gate_requests *requests;                /* request.c */
    struct map *by_log;                            /* access log's id -> struct gate_tenant: flow.c */
    struct holds *holds;                           /* rule 0 */
    struct recent *recent;                         /* rule 8 */
    struct repeats *repeats;
    struct summaries *summaries;
    struct sessions *sessions;                     /* session.c: the last ones that were opened; NULL until there was one */
    struct meters *meters;                         /* meter.c; NULL until somebody reads under a grant */
    struct gate_say *say;                          /* made by say_provider_open() */
};

/* flow.c ------------------------------------------------------------------------------------------------------------ */

/* A tenant's access log is open: reads its pending commands (log_pending) and takes it into recovery; it becomes `served` when the
 * keeper has settled them. Called once per tenant: by main.c for those that tenants_open() found, by whoever makes a tenant later. */
MUST_USE enum err flow_begin(struct gate *g, struct gate_tenant *t);

/* tenants.c -------------------------------------------------------------------------------------------------------- */

/* Opens the root key (`g->conf.root_key`), keyrings, then gives the WAL key for logbook_open(). MISSING: no store yet, or no root key: `why`
 * names file and remedy. Called before logbook_open; tenants_open after it. */
MUST_USE enum err tenants_keys_open(struct gate *g, uint8_t wal_key[32], struct buf *why);
/* The key of the keeper's index files, for OPENINDEX. */
void tenants_index_key(struct gate *g, uint8_t out[HASH_BYTES]);
/* A fresh store: makes the root key and the provider's keyring. EXISTS when there is one. */
MUST_USE enum err tenants_keys_create(struct gate *g, struct buf *why);
/* Opens provider and heads logs and every tenant: sealed key files below DIR/gate/state and /keys, then folds each control log into
 * its policy_state and the tables above. Errors say file and remedy in `why`. */
MUST_USE enum err tenants_open(struct gate *g, struct buf *why);
/* Bucket configuration: makes the fresh bucket's key, writes it sealed below DIR/gate/keys before the leaf refers to it. The control
 * leaf itself is appended by op_bucket.c, which calls tenants_control_apply() right after the append (rule 14: decisions made from then
 * on name the new size; they cannot be durable before it). */
MUST_USE enum err tenants_bucket_prepare(struct gate *g, struct gate_tenant *t, struct slice name, struct gate_bucket **out);
void tenants_bucket_drop(struct gate *g, struct gate_tenant *t, struct gate_bucket *b);      /* prepared, not created after all */
MUST_USE enum err tenants_control_apply(struct gate *g, struct gate_tenant *t, uint64_t index, struct slice leaf, struct slice opening);
/* A fresh access key of nobody yet, with its secret sealed in the tenant's keyring (synced): the leaf that gives it to a user comes after, and
 * tenants_control_apply() fills account, user and `on` from it. `secret` gets SECRET_KEY_CHARS characters for the one answer; wipe it. */
MUST_USE enum err tenants_key_make(struct gate *g, struct gate_tenant *t, struct gate_key **out, char secret[SECRET_KEY_CHARS]);
/* The canonical id of an account, 64 hex digits of SHA-256("tillit account v1" | tenant id | account), and its display name: the account's
 * number with display_name of [s3-tests], else nothing. Appends to both; name may be NULL. */
void tenants_owner(const struct gate_tenant *t, struct slice account, struct buf *id, struct buf *name);
struct gate_bucket *tenants_bucket(struct gate_tenant *t, struct slice name);
struct gate_key *tenants_key(struct gate *g, struct slice access_key);
struct gate_tenant *tenants_by_name(struct gate *g, struct slice name);

/* A tenant with its genesis begins to be served (nothing of it can be unsettled yet). In recover.c. */
void tenants_served(struct gate *g, struct gate_tenant *t);

/* statements.c: signed statements (genesis, tenant.create, key.create, reader.create ...). One JSON request in, one JSON answer
 * out; `done` may be called later, from the loop, when its leaves are durable. status: HTTP. */
typedef void (*statement_done)(void *ctx, uint16_t status, struct slice json);
void statements_submit(struct gate *g, struct slice json, struct slice peer, statement_done done, void *ctx);

/* api.c: requests of port 9001 below /v1/ (request.h); /v1/undelete is op_delete.c's. */
struct gate_request;
void api_ask(struct gate_request *r);

/* status.c: DIR/run/gate/status.json for doctor; main.c calls it once a second (timer). landlock_abi 0: none. */
void status_write(struct gate *g, bool keeper_ready, int landlock_abi);

/* init.c: `tillit-gate DIR --init`: statements from stdin (a JSON array of what POST /v1/statements takes), their answers as a JSON
 * array to stdout. Needs logs and tenants open, and the loop; no keeper, no listeners. Gives the exit code. */
int init_run(struct gate *g);

/* export.c: `tillit-gate DIR --export-provider OUT`: the provider log with its openings into OUT/provider.jsonl, its head into
 * OUT/provider.checkpoint. Needs logs and tenants open. Gives the exit code. */
/* Before anything of dir is opened: its lock, the files in out, and the uid of who owns the root key. An exit code. */
int export_begin(const char *dir, const char *out);
int export_provider(struct gate *g);
void export_line(uint64_t index, struct slice leaf, struct slice opening, struct buf *out);     /* docs/spec/export.md */

struct gate_reader {
    struct gate_log *log;
    struct gate_tenant *tenant;                    /* NULL: the provider's */
    char capability[ID_TEXT_CHARS + 1];
    uint64_t fetches;                              /* since the last summary */
    bool public;                                   /* the heads log, by the name "heads" */
};
/* Reader capabilities: 26 base32 characters -> the log; NULL when none. Counts a fetch (summary leaf per reader and hour). */
struct gate_log *readers_find(struct gate *g, struct slice capability);
void readers_summarise(struct gate *g);            /* TEND_SUMMARIES: appends due `fetch` leaves */

#endif
