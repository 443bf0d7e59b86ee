/* SPDX-License-Identifier: Apache-2.0
 * record: what stands in a leaf. Leaf kinds and fields (record.def), restricted canonical JSON, commitments and their
 * openings, statements, and the SSH signatures and passkeys' assertions under them.
 *
 * Role: the gate writes leaves and openings; replay, tools and tests read them; gate and tools verify statements.
 * Trusts: the caller for salts (random, never used twice). Distrusts: every leaf, opening, statement, key and signature.
 * Law: 1 (the record), 4 (decisions recomputed from leaf and opening), 6 (statements chain from genesis).
 * Spec: docs/spec/record.md, docs/spec/statement.md; OpenSSH PROTOCOL.sshsig, PROTOCOL.u2f, PROTOCOL.key;
 *   W3C Web Authentication Level 2.
 *
 * Canonical form: one object, printable ASCII, keys sorted and unique, no blanks, integers 0..RECORD_INT_MAX without
 * leading zeros, strings without escapes. There is one encoding of each leaf: what is parsed can be written back the same,
 * and every other spelling is refused with ERR_INPUT. Values of TEXT terms of statements are UTF-8; nothing else is.
 *
 * Purity: no clock, file, random, environment; memory only through struct buf and inside OpenSSL.
 * Threads: a struct ledger_hash belongs to one thread at a time; everything else is plain data.
 * Errors: ERR_INPUT not canonical or not allowed by the table; ERR_LIMIT; ERR_VERSION a version, kind or algorithm that is not
 * known here; ERR_TRUNCATED, ERR_TRAILING for binary forms; ERR_VERIFY a commitment or signature that does not fit.
 */
#ifndef TILLIT_RECORD_H
#define TILLIT_RECORD_H

#include "base/base.h"
#include "base/limits.h"
#include "ledger/ledger.h"

/* kinds and fields ------------------------------------------------------------------------------------------------- */

enum record_log { RECORD_LOG_CONTROL = 1, RECORD_LOG_ACCESS = 2, RECORD_LOG_PROVIDER = 4, RECORD_LOG_HEADS = 8 };
#define RECORD_LOG_ANY 15

enum record_kind {
#define KIND(NAME, text, logs) RECORD_K_##NAME,
#include "record/record.def"
    RECORD_KIND_COUNT
};
enum record_type { RECORD_INT, RECORD_TEXT, RECORD_ID, RECORD_HASH, RECORD_COMMIT, RECORD_INTS, RECORD_TEXTS };
/* In the byte order of the keys, so that comparing fields compares keys. */
enum record_field {
#define FIELD(NAME, key, type, required, allowed) RECORD_F_##NAME,
#include "record/record.def"
    RECORD_FIELD_COUNT
};
_Static_assert(RECORD_FIELD_COUNT <= 64, "sets of fields are 64-bit masks");

const char *record_kind_text(enum record_kind k);
const char *record_field_key(enum record_field f);
enum record_type record_field_type(enum record_field f);

/* commitments ------------------------------------------------------------------------------------------------------ */

void record_hmac(struct ledger_hash *h, struct slice key, struct slice data, uint8_t out[HASH_BYTES]);
/* HMAC-SHA256(salt, field key || 0x00 || value). salt must be fresh random. Asserts that f is a COMMIT field. */
void record_commitment(struct ledger_hash *h, enum record_field f, const uint8_t salt[SALT_BYTES], struct slice value,
                       uint8_t out[HASH_BYTES]);

/* writing a leaf and its opening: the gate's hot path ---------------------------------------------------------------- */

/* Fields are put in the order of enum record_field (asserted), kind and v by themselves. The table is asserted too: a field
 * that the kind does not allow, or a required one that is missing at the end, is our mistake. Text that is not canonical
 * (it can come from requests) makes leaf bad. */
struct record_writer {
    struct buf *leaf;                                 /* the caller's: max LEAF_BYTES_MAX */
    struct buf *opening;                              /* the caller's, max OPENING_BYTES_MAX; NULL when the kind has no commitments */
    enum record_kind kind;
    uint64_t have;                                    /* fields written */
    unsigned commits;
};
void record_begin(struct record_writer *w, enum record_kind kind, struct buf *leaf, struct buf *opening);
void record_put_int(struct record_writer *w, enum record_field f, uint64_t v);           /* asserts v <= RECORD_INT_MAX */
void record_put_text(struct record_writer *w, enum record_field f, struct slice text);
void record_put_id(struct record_writer *w, enum record_field f, const uint8_t id[ID_BYTES]);
void record_put_hash(struct record_writer *w, enum record_field f, const uint8_t hash[HASH_BYTES]);
void record_put_ints(struct record_writer *w, enum record_field f, const uint64_t *v, size_t count);
void record_put_texts(struct record_writer *w, enum record_field f, const struct slice *text, size_t count);
/* The commitment into the leaf, the salt and the value into the opening. value: at most 65535 bytes (items: OPENING_BYTES_MAX). */
void record_put_commit(struct record_writer *w, struct ledger_hash *h, enum record_field f, const uint8_t salt[SALT_BYTES],
                       struct slice value);
/* ERR_LIMIT when leaf or opening went past its maximum or a text was not canonical: nothing of it may be used then. */
MUST_USE enum err record_end(struct record_writer *w);

/* reading a leaf --------------------------------------------------------------------------------------------------- */

struct record_value {
    uint64_t n;                                       /* INT; INTS, TEXTS: number of items */
    struct slice text;                                /* TEXT: without quotes; lists: between the brackets; loans */
    uint8_t bytes[HASH_BYTES];                        /* ID (first ID_BYTES), HASH, COMMIT */
};
struct record_leaf {
    struct slice raw;
    enum record_kind kind;
    uint64_t have;
    struct record_value f[RECORD_FIELD_COUNT];
};
/* log: the log it was read from, or RECORD_LOG_ANY; a kind that does not belong there is ERR_INPUT. Required and allowed
 * fields are checked. Loans into text. */
MUST_USE enum err record_leaf_parse(struct slice text, unsigned log, struct record_leaf *out);
static inline bool record_has(const struct record_leaf *l, enum record_field f) { return l->have >> f & 1; }
/* The value of an INT field, `otherwise` when the leaf has none. */
uint64_t record_int(const struct record_leaf *l, enum record_field f, uint64_t otherwise);
/* The text of a TEXT field; empty when the leaf has none. */
struct slice record_text(const struct record_leaf *l, enum record_field f);
/* Takes the next item off a list (begin with value.text); false at the end. The list was checked when it was parsed. */
bool record_list_int(struct slice *list, uint64_t *out);
bool record_list_text(struct slice *list, struct slice *out);

/* openings --------------------------------------------------------------------------------------------------------- */

struct record_opened {
    enum record_field field;
    bool erased;                                      /* then salt and value are nothing */
    uint8_t salt[SALT_BYTES];
    struct slice value;                               /* loan */
};
struct record_opening {
    unsigned count;
    struct record_opened item[RECORD_COMMITS_MAX];    /* in the order of the leaf's keys */
};
MUST_USE enum err record_opening_parse(struct slice bytes, struct record_opening *out);
void record_opening_put(const struct record_opening *o, struct buf *out);
/* Does it open every commitment of the leaf, no more and no fewer? ERR_VERIFY. Erased ones are passed over: the caller sees
 * them in item[].erased. */
MUST_USE enum err record_opening_check(struct ledger_hash *h, const struct record_leaf *l, const struct record_opening *o);
/* NULL when it is not there or erased. */
const struct record_opened *record_opened_field(const struct record_opening *o, enum record_field f);
/* Marks one value erased (P3.08). ERR_MISSING when the opening has no such field. */
MUST_USE enum err record_opening_erase(struct record_opening *o, enum record_field f);

/* What stands inside opened values (docs/spec/record.md section 2). put appends; get refuses what put would not write. */
#define RECORD_VER_NONE UINT64_MAX                    /* `ver`: there was no current version */
struct record_obj {
    struct slice bucket, key;                         /* key empty: the bucket itself */
};
struct record_new {
    uint8_t bucket[ID_BYTES];
    uint64_t size;
    uint8_t blob[ID_BYTES];
    uint8_t etag_kind;
    struct slice etag;
    uint8_t sum_kind;
    struct slice sum;
    uint8_t entry_hash[HASH_BYTES];                   /* SHA-256(facts plaintext || meta plaintext) */
    uint64_t order;                                   /* the random half of the version id */
};
struct record_qry {
    struct slice prefix, delimiter, after;
    uint32_t keys_max;
    uint8_t kind;                                     /* 0 keys, 1 versions, 2 uploads, 3 parts (prefix is the key) */
    uint64_t after_index;                             /* versions: of the key `after`; parts: number; else 0 */
    uint8_t id[ID_BYTES];                             /* uploads: of the key `after`; parts: the upload; else zeros */
};
struct record_res {
    bool truncated;
    struct slice next;
    uint32_t count;
    uint8_t root[HASH_BYTES];                         /* RFC 6962 root over record_row_put rows */
};
void record_obj_put(struct buf *out, const struct record_obj *v);
MUST_USE enum err record_obj_get(struct slice value, struct record_obj *v);
void record_new_put(struct buf *out, const struct record_new *v);
MUST_USE enum err record_new_get(struct slice value, struct record_new *v);
void record_qry_put(struct buf *out, const struct record_qry *v);
MUST_USE enum err record_qry_get(struct slice value, struct record_qry *v);
void record_res_put(struct buf *out, const struct record_res *v);
MUST_USE enum err record_res_get(struct slice value, struct record_res *v);
/* revision: the last write that changed that version in place; equal to leaf_index (or NONE) when there was none. */
void record_ver_put(struct buf *out, uint64_t leaf_index, uint64_t revision);
MUST_USE enum err record_ver_get(struct slice value, uint64_t *leaf_index, uint64_t *revision);
/* `copy`: the source, in a copy's write leaf and in the read leaf that a streamed copy has before it. */
struct record_copy {
    struct slice bucket, key;
    struct slice vid;                                 /* as the caller named it; empty: the current one */
    uint64_t ver, revision;
};
void record_copy_put(struct buf *out, const struct record_copy *v);
MUST_USE enum err record_copy_get(struct slice value, struct record_copy *v);
/* An id as text: 26 characters of base32 in lower case, the one spelling (base32_fixed() takes either case). INPUT. */
MUST_USE enum err record_id_get(struct slice text, uint8_t out[ID_BYTES]);
/* `up`: part 0: the upload itself. */
void record_up_put(struct buf *out, const uint8_t upload[ID_BYTES], uint16_t part);
MUST_USE enum err record_up_get(struct slice value, uint8_t upload[ID_BYTES], uint16_t *part);
/* `sub`: whom an IAM call is about; third: access key id or policy's name; more: path, or a key's new status. */
struct record_sub {
    struct slice user, third, more;
};
void record_sub_put(struct buf *out, const struct record_sub *v);
MUST_USE enum err record_sub_get(struct slice value, struct record_sub *v);
/* `ctx`: pairs of name and value, in the order put (docs/spec/record.md). get: false at the end, or r->bad. */
void record_ctx_put(struct buf *out, struct slice name, struct slice value);
bool record_ctx_next(struct reader *r, struct slice *name, struct slice *value);
/* One row of a LIST result, or one item of a batch: kind | lp16 key | u64 leaf index. Kinds in record.md. */
void record_row_put(struct buf *out, uint8_t kind, struct slice key, uint64_t leaf_index);
MUST_USE enum err record_row_get(struct reader *r, uint8_t *kind, struct slice *key, uint64_t *leaf_index);

/* slots of the heads log (docs/spec/record.md section 5) ------------------------------------------------------------- */

struct record_slot {
    uint64_t number;
    uint8_t salt[SLOT_SALT_BYTES];
    struct slice origin;
};
void record_slot_value(struct ledger_hash *h, const uint8_t salt[SLOT_SALT_BYTES], struct slice origin, uint64_t size,
                       const uint8_t root[HASH_BYTES], uint8_t out[HASH_BYTES]);
void record_slot_format(const struct record_slot *s, struct buf *out);
MUST_USE enum err record_slot_parse(struct slice text, struct record_slot *out);

/* statements (docs/spec/statement.md) -------------------------------------------------------------------------------- */

#define RECORD_STATEMENT_NAMESPACE "tillit-statement@v1"
enum record_statement_kind {
#define STATEMENT(NAME, text, required, allowed, terms, more_terms) RECORD_STATEMENT_##NAME,
#include "record/statement.def"
    RECORD_STATEMENT_COUNT
};
enum record_statement_part { RECORD_S_HEAD = 1, RECORD_S_SCOPE = 2, RECORD_S_SUBJECT = 4, RECORD_S_TENANT = 8, RECORD_S_TERMS = 16 };
enum record_term {
#define TERM(NAME, name, type, often) RECORD_TERM_##NAME,
#include "record/statement_term.def"
    RECORD_TERM_COUNT
};
struct record_statement {
    enum record_statement_kind kind;
    unsigned have;                                    /* RECORD_S_* */
    uint8_t tenant[ID_BYTES];
    struct slice subject;                             /* who or what it is about */
    struct slice scope;                               /* list; read with record_list_text */
    uint64_t head_size;                               /* the control log's head that the signer had seen */
    uint8_t head_root[HASH_BYTES];
    uint64_t t;                                       /* ms since 1970, by the signer's clock */
    uint8_t nonce[NONCE_BYTES];
    struct slice terms;                               /* list of `name=value`, checked against its kind's row: read with record_term */
};
/* The nth value of the term (0 the first; of a ONE there is no other), as it stands in the text; p NULL: there is none. */
struct slice record_term(const struct record_statement *s, enum record_term t, size_t nth);
uint64_t record_term_int(const struct record_statement *s, enum record_term t, uint64_t otherwise);   /* INT and TIME */
/* PREFIX percent-decoded into out (appended). INPUT: it is not written as it must be. */
MUST_USE enum err record_prefix_decode(struct slice value, struct buf *out);
struct record_term_value {                            /* for who writes statements */
    enum record_term term;
    struct slice value;
};
bool record_kind_has_terms(enum record_statement_kind k);
bool record_statement_kind_of(struct slice text, enum record_statement_kind *out);
const char *record_statement_kind_text(enum record_statement_kind k);
const char *record_term_name(enum record_term t);
/* May a text be shown to a person: UTF-8, 1 to 512 bytes, no control, format, bidi, private or unassigned-looking characters, no `"` or `\`. */
bool record_text_ok(struct slice text);
MUST_USE enum err record_statement_parse(struct slice text, struct record_statement *out);
/* Only its time, of a text that was parsed once: a start asks it of every statement there ever was. */
bool record_statement_time(struct slice text, uint64_t *t);
/* scope[] is given as an array here, s->scope is not looked at. ERR_INPUT when a part is missing, not allowed or not
 * canonical. */
MUST_USE enum err record_statement_write(const struct record_statement *s, const struct slice *scope, size_t scope_count,
                                         struct buf *out);
/* The same for kinds with terms. terms[]: any order, sorted here; two equal ones are INPUT. */
MUST_USE enum err record_statement_write_terms(const struct record_statement *s, const struct record_term_value *terms, size_t count,
                                               struct buf *out);

/* passkeys (W3C Web Authentication Level 2, section 7.2; docs/spec/statement.md section 7) ------------------------------- */

enum record_cose { RECORD_COSE_ES256, RECORD_COSE_EDDSA };
struct record_passkey {
    enum record_cose alg;
    struct slice credential;                          /* base64url text, loan of the term */
    uint8_t public_key[65];                           /* ES256: 0x04 | x | y (65 bytes); EdDSA: 32 bytes */
    size_t public_key_n;
};
MUST_USE enum err record_passkey_parse(struct slice term, struct record_passkey *out);     /* a KEY term that begins with "passkey:" */

/* An assertion as it is submitted and kept: canonical JSON {"authenticatorData","clientDataJSON","credential","signature"}, each base64url. */
struct record_assertion {
    struct slice authenticator_data, client_data, credential, signature;    /* base64url texts; loans */
};
MUST_USE enum err record_assertion_parse(struct slice text, struct record_assertion *out);
#define RECORD_WEBAUTHN(X) X(OK, "ok") X(MALFORMED, "malformed") X(TYPE, "type") X(CHALLENGE, "challenge") X(ORIGIN, "origin") \
    X(CROSS_ORIGIN, "cross-origin") X(TOKEN_BINDING, "token-binding") X(RPID, "rpid") X(NOT_PRESENT, "not-present") X(NOT_VERIFIED, "not-verified") X(COUNTER, "counter")   \
    X(CREDENTIAL, "credential") X(ALGORITHM, "algorithm") X(SIGNATURE, "signature")
enum record_webauthn {
#define RECORD_WEBAUTHN_ONE(NAME, text) RECORD_WEBAUTHN_##NAME,
    RECORD_WEBAUTHN(RECORD_WEBAUTHN_ONE)
#undef RECORD_WEBAUTHN_ONE
    RECORD_WEBAUTHN__COUNT
};
const char *record_webauthn_text(enum record_webauthn w);
/* The challenge must be the SHA-256 of the statement's text. counter_seen: the last one (0: never any): when either is not 0, this one must be
 * above it. *counter: of this assertion, 0 when it is malformed. */
enum record_webauthn record_webauthn_verify(struct ledger_hash *h, const struct record_passkey *key, const struct record_assertion *a, struct slice statement,
                                            struct slice origin, struct slice rpid, uint32_t counter_seen, uint32_t *counter);
uint32_t record_assertion_counter(const struct record_assertion *a);    /* as it says; 0 when it is malformed */

/* An opened `stmt`: lp16 statement | signature: armored SSHSIG, or the JSON of an assertion. */
struct record_stmt_value {
    struct slice text, signature;
    bool passkey;
};
MUST_USE enum err record_stmt_value_get(struct slice value, struct record_stmt_value *out);

/* SSH keys and SSHSIG ------------------------------------------------------------------------------------------------ */

struct record_ssh_key {
    bool sk;                                          /* sk-ssh-ed25519@openssh.com: a FIDO device holds it */
    uint8_t public_key[ED25519_KEY_BYTES];
    char application[SSH_APPLICATION_BYTES_MAX + 1];  /* sk: "ssh:..." */
    char fingerprint[SSH_FINGERPRINT_CHARS + 1];      /* "SHA256:..." as ssh-keygen -l prints it */
};
/* "ssh-ed25519 AAAA... comment", one line, comment optional. ERR_VERSION: an algorithm that we do not take (ecdsa, rsa). */
MUST_USE enum err record_ssh_key_parse(struct ledger_hash *h, struct slice line, struct record_ssh_key *out);
void record_ssh_key_format(const struct record_ssh_key *k, struct slice comment, struct buf *out);   /* without newline */

struct record_sshsig {
    struct record_ssh_key key;                        /* that signed; whether it may is for the caller */
    uint8_t sk_flags;                                 /* sk: bit 0 present (required here), bit 2 verified by PIN or finger */
    uint32_t sk_counter;
};
#define RECORD_SK_PRESENT 0x01
#define RECORD_SK_VERIFIED 0x04
/* An armored `ssh-keygen -Y sign` signature over message in exactly this namespace. ERR_VERSION: well formed, but by an
 * algorithm that we do not take. ERR_VERIFY: other namespace, wrong signature, or a device that saw nobody. ERR_INPUT,
 * ERR_TRUNCATED, ERR_TRAILING: not exactly an SSHSIG. Stricter than OpenSSH: the reserved field must be empty. */
MUST_USE enum err record_sshsig_verify(struct ledger_hash *h, struct slice armored, struct slice message,
                                       const char *name_space, struct record_sshsig *out);

/* An unencrypted ed25519 private key in OpenSSH's own format: for the command line, not for the gate. Pair:
 * record_ssh_private_done, which wipes. */
struct record_ssh_private {
    struct record_ssh_key key;
    uint8_t seed[ED25519_SEED_BYTES];
};
/* ERR_VERSION: encrypted, or another algorithm. */
MUST_USE enum err record_ssh_private_parse(struct ledger_hash *h, struct slice text, struct record_ssh_private *out);
MUST_USE enum err record_ssh_private_make(struct ledger_hash *h, const uint8_t seed[ED25519_SEED_BYTES],
                                          struct record_ssh_private *out);
/* check: any random number. out holds a secret: buf_wipe_done it. */
MUST_USE enum err record_ssh_private_format(const struct record_ssh_private *k, uint32_t check, struct slice comment,
                                            struct buf *out);
void record_ssh_private_done(struct record_ssh_private *k);
/* The same bytes that `ssh-keygen -Y sign -n NAMESPACE` gives (sha512, 70 columns). */
MUST_USE enum err record_sshsig_sign(const struct record_ssh_private *k, struct slice message, const char *name_space,
                                     struct buf *out);

#endif
