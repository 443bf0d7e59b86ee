/* SPDX-License-Identifier: Apache-2.0
 * verify: checks logs, heads and exports without the store's help, from public formats and the spec alone.
 *
 *     tillit-verify log     verify_log_load   checkpoint, entries, tiles: all recomputed; content rules of the log's kind
 *                           verify_slot_check the log against what the heads log said of it
 *                           verify_seen       the log against checkpoints kept from before
 *     tillit-verify heads   verify_heads_*    epochs without a gap, slot roots recomputed
 *     tillit-verify replay  verify_replay     every decision, statement and version again, from leaves and openings
 *                           verify_replay_provider  the provider log's statements
 *
 * Role: what a stranger, an auditor or an owner runs. One process, one thread.
 * Trusts: the vkeys on its command line, and files it kept itself (--seen). Distrusts: all that is served or exported.
 * Law: 1, 4, 7 are checked here from outside. Spec: docs/spec/log.md, record.md, export.md, policy.md; docs/ops/verify.md.
 * Errors: a difference is a finding (exit 1), not an error; ERR_IO means that the source could not be reached (exit 3).
 */
#ifndef TILLIT_VERIFY_H
#define TILLIT_VERIFY_H

#include <jansson.h>
#include <stdio.h>

#include "base/base.h"
#include "ledger/ledger.h"
#include "policy/policy_access.h"
#include "record/record.h"

enum { VERIFY_EXIT_HOLDS = 0, VERIFY_EXIT_DIFFERS = 1, VERIFY_EXIT_USAGE = 2, VERIFY_EXIT_REACH = 3, VERIFY_EXIT_INTERNAL = 4 };
#define VERIFY_NOWHERE UINT64_MAX

/* report.c: findings and facts, as lines or as one JSON object --------------------------------------------------------------- */

struct verify_report {
    bool json, unreachable;
    unsigned found;                                   /* also those past VERIFY_FINDINGS_MAX, which are only counted */
    json_t *findings, *facts;
};
void verify_report_init(struct verify_report *r, bool json);
/* A difference. `name` is what tests and scripts look for ("stale-version"); where is log and index (VERIFY_NOWHERE: the log). */
void verify_find(struct verify_report *r, const char *name, const char *log, uint64_t index, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void verify_fact(struct verify_report *r, const char *name, uint64_t n);
/* Worth knowing, no difference: "no heartbeat from .. to ..". */
void verify_note(struct verify_report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void verify_unreachable(struct verify_report *r, const char *what, const char *why);
/* Prints the end and gives the exit code. Frees what it holds. */
int verify_report_end(struct verify_report *r, const char *command);

/* source.c: where a log's files come from -------------------------------------------------------------------------------------- */

struct verify_source {
    char base[VERIFY_PLACE_CHARS_MAX + 1];            /* URL or directory, without its last slash */
    char why[VERIFY_PLACE_CHARS_MAX + 1];             /* after ERR_IO */
    void *curl;                                       /* NULL: a directory */
    bool flat;                                        /* the directory holds hashes.L, entries, offsets instead of tiles */
};
/* ca: PEM file for https, NULL: the system's. Pair: verify_source_close, which accepts a zeroed struct. */
MUST_USE enum err verify_source_open(struct verify_source *s, const char *place, const char *ca);
void verify_source_close(struct verify_source *s);
/* The bytes at a path ("checkpoint", "tile/0/000"), replacing what out held. MISSING: not there; LIMIT: more than out->max;
 * IO: s->why. */
MUST_USE enum err verify_source_get(struct verify_source *s, const char *path, struct buf *out);
MUST_USE enum err verify_file_read(const char *path, struct buf *out);

/* tree.c: a whole log ------------------------------------------------------------------------------------------------------------ */

struct verify_log {
    struct ledger_hash *hash;                         /* the caller's */
    struct verify_source source;
    struct ledger_vkey vkey;
    const char *name;                                 /* for findings: "access", "heads", ... */
    unsigned kind;                                    /* RECORD_LOG_*, RECORD_LOG_ANY when the origin does not say */
    struct buf note;                                  /* the signed checkpoint */
    uint64_t size;                                    /* that it says; 0 before */
    uint8_t root[HASH_BYTES];
    uint8_t (*leaves)[HASH_BYTES];                    /* hashes of the entries as served, `loaded` of them */
    uint64_t loaded;
    uint64_t first_t_ms;                              /* time of the first leaf, once content.c has read it */
    bool sound;                                       /* entries, tiles, root and signature agree */
};
/* INPUT, VERSION, VERIFY: the vkey; else verify_source_open's. Pair: verify_log_close, which accepts a zeroed struct. */
MUST_USE enum err verify_log_open(struct verify_log *l, struct ledger_hash *h, const char *place, const char *vkey, const char *ca);
void verify_log_close(struct verify_log *l);
/* Fetches the checkpoint and verifies it; false: a finding was made, or it is unreachable. */
bool verify_log_head(struct verify_log *l, struct verify_report *r);
/* All entries and tiles below that head. leaf() gets each entry in order; its finding does not stop the rest. */
bool verify_log_load(struct verify_log *l, struct verify_report *r, void (*leaf)(void *ctx, uint64_t index, struct slice entry), void *ctx);

/* content.c: rules that a log's leaves keep among themselves ---------------------------------------------------------------------- */

struct verify_content {
    struct verify_report *report;
    struct verify_log *log;
    uint64_t t_ms;
    uint8_t *marks;                                   /* one byte a leaf: written, voided */
    uint64_t mark_cap, writes, voids, denied;
    struct verify_heads *heads;                       /* heads log: gets the epochs */
};
void verify_content_leaf(void *ctx, uint64_t index, struct slice entry);
void verify_content_done(struct verify_content *c);

/* heads.c: epochs ---------------------------------------------------------------------------------------------------------------- */

struct verify_slot_value {
    uint64_t index, n, t_ms;                          /* leaf, epoch number, time */
    uint8_t value[HASH_BYTES];
};
struct verify_heads {
    struct ledger_hash *hash;
    struct verify_report *report;
    const char *name;
    uint64_t slot;                                    /* whose values are kept; VERIFY_NOWHERE: none */
    struct verify_slot_value *values;
    size_t value_count, value_cap;
    uint64_t epochs, n, t_ms, silences, silence_max_ms;
    uint64_t silence_strict_ms;                       /* a longer one is a finding; 0: none is */
    uint8_t (*tree[VERIFY_SLOT_LEVELS])[HASH_BYTES];  /* [0]: leaf hashes of the slots */
    uint64_t slots;
};
void verify_heads_epoch(struct verify_heads *h, uint64_t index, const struct record_leaf *l);
/* The time from the newest epoch until now. */
void verify_heads_until(struct verify_heads *h, uint64_t now_ms);
void verify_heads_done(struct verify_heads *h);
/* The log against every value of its slot. True when each is the head of one of its prefixes, in order; and when there is none
 * because the log is younger than two epochs. */
bool verify_slot_check(struct verify_log *l, struct verify_heads *h, const struct record_slot *slot, struct verify_report *r);

/* seen.c --------------------------------------------------------------------------------------------------------------------------- */

struct verify_seen {
    json_t *all;                                      /* array of {origin, size, root, checkpoint} */
    const char *path;
};
/* A file that is not there yet is empty. INPUT: not such a file. */
MUST_USE enum err verify_seen_open(struct verify_seen *s, const char *path);
/* Compares the log with what was seen, and remembers the new head in memory when it holds. */
void verify_seen_check(struct verify_seen *s, struct verify_log *l, struct verify_report *r);
MUST_USE enum err verify_seen_save(const struct verify_seen *s);
void verify_seen_close(struct verify_seen *s);

/* fold.c: which version of a key is newest ------------------------------------------------------------------------------------------ */

enum verify_effect { VERIFY_PUSH, VERIFY_MARK, VERIFY_REMOVE, VERIFY_REMOVE_VERSION, VERIFY_REVISE, VERIFY_NOTHING };
struct verify_write {
    uint64_t index;
    uint64_t size;
    uint64_t target;                                  /* REMOVE_VERSION, REVISE: the version's leaf */
    struct verify_key *key;                           /* NULL: no key's (PurgeGrave, uploads) */
    struct verify_part *part;                         /* an upload's event, */
    struct verify_upload *begins, *ends, *of;         /* and of which upload it is one: of: part's */
    enum verify_effect effect;
    bool null;                                        /* PUSH, MARK: a null version, in place of the one there was */
    bool one;                                         /* PUSH: its bytes are in one blob, as far as its act says */
    bool named;                                       /* order is known: PUSH with its `new` */
    uint64_t order;                                   /* the random half of the version id */
    bool void_;
    char *etag;
};
/* One version that stands: newest last in a stack. */
struct verify_alive {
    uint32_t write;                                   /* number in fold->writes */
    uint64_t revision;
};
struct verify_key {
    struct verify_bucket *bucket;
    uint8_t *name;
    size_t name_n;
    uint32_t *writes;                                 /* numbers in fold->writes, in order */
    size_t count, cap;
    struct verify_alive *alive;                       /* as of all leaves folded */
    size_t alive_count, alive_cap;
};
struct verify_part {
    uint16_t number;
    uint64_t size;                                    /* VERIFY_NOWHERE: erased */
    uint64_t index;
    bool void_;
};
struct verify_upload {
    struct verify_bucket *bucket;
    uint8_t id[ID_BYTES];
    uint8_t *key;
    size_t key_n;
    uint64_t begin, end;                              /* leaves; end VERIFY_NOWHERE: it goes on */
    bool void_;
    struct verify_part **parts;                       /* events, in order of leaves */
    size_t count, cap;
};
struct verify_bucket {
    uint8_t id[ID_BYTES];
    bool blind;                                       /* a write's name was erased: versions cannot be compared any more */
    struct verify_key **keys;                         /* the first `sorted` of them in order of names */
    size_t count, cap, sorted;
    struct verify_upload **uploads;                   /* in order of leaves */
    size_t upload_count, upload_cap;
};
struct verify_fold {
    struct map *keys, *buckets, *uploads;             /* bucket id || name; bucket id; upload id */
    struct verify_write *writes;                      /* in order of leaves; those of a batch one behind the other */
    size_t write_count, write_cap;
    struct verify_alive *scratch;                     /* verify_fold_stack()'s answer */
    size_t scratch_cap;
};
MUST_USE enum err verify_fold_init(struct verify_fold *f);
void verify_fold_done(struct verify_fold *f);
MUST_USE enum err verify_fold_bucket(struct verify_fold *f, const uint8_t id[ID_BYTES], struct verify_bucket **out);
MUST_USE enum err verify_fold_key(struct verify_fold *f, const uint8_t id[ID_BYTES], struct slice name, struct verify_key **out);
/* One write of key (NULL: none's). etag p NULL: none. MISSING: its target does not stand. */
MUST_USE enum err verify_fold_write(struct verify_fold *f, const struct verify_write *w, struct slice etag);
/* The newest version, a delete marker too; NULL: none stands. */
const struct verify_alive *verify_fold_now(const struct verify_key *k);
/* The version made by leaf index, and the null one; NULL: it does not stand. */
const struct verify_alive *verify_fold_version(const struct verify_fold *f, const struct verify_key *k, uint64_t index);
const struct verify_alive *verify_fold_null(const struct verify_fold *f, const struct verify_key *k);
bool verify_fold_is_marker(const struct verify_fold *f, const struct verify_alive *a);
/* What stood when only the leaves below `below` were: the stack, valid until the next call. */
const struct verify_alive *verify_fold_stack(struct verify_fold *f, struct verify_key *k, uint64_t below, size_t *count);
/* MISSING: ref is no write; EXISTS: it has its void already. */
MUST_USE enum err verify_fold_void(struct verify_fold *f, uint64_t ref);
/* The bucket's keys in order of names. */
void verify_fold_sort(struct verify_bucket *b);
/* Keys with any version, markers too: what keeps a bucket from being deleted. */
uint64_t verify_fold_count(struct verify_fold *f, const struct verify_bucket *b, uint64_t below);

/* uploads.c: uploads in parts. EXISTS, MISSING: begun already, or not there. */
MUST_USE enum err verify_upload_begin(struct verify_fold *f, uint64_t index, const uint8_t bucket[ID_BYTES], struct slice key, const uint8_t id[ID_BYTES]);
MUST_USE enum err verify_upload_part(struct verify_fold *f, uint64_t index, const uint8_t id[ID_BYTES], uint16_t number, uint64_t size);
/* Does some part of it hold exactly so many bytes from segment `first` on, `most` at most? True too where nothing says. */
bool verify_upload_holds(const struct verify_upload *u, uint64_t from, uint64_t most, uint64_t bytes);
MUST_USE enum err verify_upload_end(struct verify_fold *f, uint64_t index, const uint8_t id[ID_BYTES]);
struct verify_upload *verify_upload(const struct verify_fold *f, const uint8_t id[ID_BYTES]);
/* Leaf of the part as of the leaves below `below`; RECORD_VER_NONE: none. */
uint64_t verify_upload_part_at(const struct verify_upload *u, uint16_t number, uint64_t below);
bool verify_upload_open_at(const struct verify_upload *u, uint64_t below);
void verify_upload_end_void(struct verify_fold *f, struct verify_upload *u);   /* the leaf that ended it got its void */
/* A write leaf of an upload that had ended, without a void; VERIFY_NOWHERE: none. */
uint64_t verify_upload_late(const struct verify_fold *f, uint64_t *ended);
void verify_upload_free(struct verify_upload *u);

/* list.c. What a listing of any kind must have answered. VERIFY: it answered something else; *why says what. */
MUST_USE enum err verify_list_check(struct ledger_hash *h, struct verify_fold *f, struct verify_bucket *b, uint64_t below, const struct record_qry *q,
                                    const struct record_res *res, struct buf *why);

/* export.c: EXPORTDIR/<log>.jsonl ------------------------------------------------------------------------------------------------------ */

struct verify_export {
    FILE *file;
    char *line;
    size_t line_cap;
    uint64_t next;
    struct slice leaf_text;                           /* of the record read last; loans into line and opening_bytes */
    struct record_leaf leaf;
    struct record_opening opening;
    struct buf opening_bytes;
    uint8_t (*hashes)[HASH_BYTES];
    uint64_t hash_cap;
};
MUST_USE enum err verify_export_open(struct verify_export *x, const char *dir, const char *log);
void verify_export_close(struct verify_export *x);
/* The next record, hashed, parsed, opened and checked. MISSING: the end. Other errors: *why says what is wrong with record x->next. */
MUST_USE enum err verify_export_next(struct verify_export *x, struct ledger_hash *h, unsigned log, const char **why);
/* The exported leaves against the served log, or (l NULL) against a checkpoint file of the log's. */
void verify_export_tree(struct verify_export *x, const char *log, struct verify_log *served, const struct ledger_vkey *vkey, const char *checkpoint_path,
                        struct ledger_hash *h, struct verify_report *r);

/* statement.c: the signature under a leaf whose statement has no terms. state: before the leaf is applied; officers: of the provider log
 * (then state is NULL). -------------------------------------------------------------------------------------------------------------------- */

struct verify_statements {
    bool has_tenant;
    uint8_t tenant[ID_BYTES];
    struct map *nonces;                               /* of taken statements */
    uint64_t checked;
};
void verify_statement_check(struct verify_statements *s, const struct policy_state *state, const struct policy_people *officers, uint64_t index,
                            const struct record_leaf *l, const struct record_opening *o, struct ledger_hash *h, struct verify_report *r);
/* Whether the statement was said as far as the gate takes it from the leaf's time. */
bool verify_statement_near(const struct record_leaf *l, const struct record_statement *s);
bool verify_lists_equal(struct slice a, struct slice b);

/* signature.c -------------------------------------------------------------------------------------------------------------------------------- */

struct verify_signed {
    struct record_stmt_value value;
    struct record_statement statement;
    uint8_t digest[HASH_BYTES];                       /* of its text */
    struct policy_signer signer;                      /* loan of the opening */
    bool copied;                                      /* a passkey's counter was seen before: refused, if clock and nonce do not refuse it first */
};
/* NULL: the statement under `stmt` is signed by whom `who` and `auth` say; else what is wrong. state: for origins and counters of passkeys; NULL: there are none. */
const char *verify_signature(struct ledger_hash *h, const struct record_leaf *l, const struct record_opening *o, const struct policy_state *state,
                             struct verify_signed *out);

/* said.c: what must stand in `dec` and `why` of a `stmt` leaf. --------------------------------------------------------------------------------- */

/* What comes of it by clock and nonces; DONE: neither hinders, and policy is to be asked. */
enum policy_say verify_said_before(const struct verify_statements *s, const struct record_leaf *l, const struct record_statement *said);
/* Compares the leaf with what it must say, and remembers a taken statement's nonce. */
void verify_said(struct verify_statements *s, const char *log, uint64_t index, const struct record_leaf *l, const struct record_statement *said, enum policy_say is,
                 struct verify_report *r);

/* provider.c: the provider log's leaves, without openings: what a mirror can be held against. ------------------------------------------------ */

struct verify_provider_leaf {
    enum record_kind kind;
    bool allow, known;                                /* a statement that was taken; of a kind known here, */
    enum record_statement_kind act;                   /* this one */
};
struct verify_provider {
    struct verify_log log;
    struct verify_provider_leaf *leaves;
    uint64_t count, cap;
    struct buf officers;                              /* list of its genesis leaf, */
    uint64_t genesis;                                 /* which stands here */
    bool loaded;
};
/* Fetches and recomputes it, once it has `least` leaves or does not get there (a log that has just grown is published a little later); findings and what
 * cannot be reached go to the report. Pair: verify_provider_done, which accepts a zeroed struct. */
struct verify_replay_args;
void verify_provider_load(struct verify_provider *p, struct ledger_hash *h, const struct verify_replay_args *a, uint64_t least, struct verify_report *r);
void verify_provider_done(struct verify_provider *p);
/* NULL: the statement stands at ref; else what stands there. */
const char *verify_provider_has(const struct verify_provider *p, uint64_t ref, const struct record_statement *s);

/* replay.c ------------------------------------------------------------------------------------------------------------------------------ */

struct verify_replay_args {
    const char *dir, *access_vkey, *control_vkey, *access_url, *control_url, *manifest, *ca;
    const char *provider_vkey, *provider_url;         /* replay of a tenant: NULL when mirrors are not held against it */
};
/* Gives an exit code only for usage errors and internal ones; otherwise the report says. */
int verify_replay(const struct verify_replay_args *a, struct verify_report *r);
/* provider_replay.c: the provider log from its own export; only dir and provider_* are looked at. */
int verify_replay_provider(const struct verify_replay_args *a, struct verify_report *r);
/* Its checkpoint, once it is of `size` leaves; and however long it is after VERIFY_HEAD_TRIES_MAX looks (a directory: one). As verify_log_head. */
bool verify_head_covering(struct verify_log *l, uint64_t size, struct verify_report *r);
/* An export's tree against the log at url, or (NULL) against DIR/<name>.checkpoint. */
int verify_replay_tree(const struct verify_replay_args *a, struct verify_export *x, const char *name, const char *vkey_text, const char *url, struct ledger_hash *h,
                       struct verify_report *r);

/* manifest.c. What the store shows against the fold. */
void verify_manifest(const char *path, struct verify_fold *f, const struct policy_state *s, struct verify_report *r);

#endif
