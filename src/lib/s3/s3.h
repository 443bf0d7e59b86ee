/* SPDX-License-Identifier: Apache-2.0
 * s3: the grammar of S3, both ways: request targets, canonical requests, SigV4, bodies, checksums, ranges, XML, errors.
 *
 * Two processes link this room. The front reads a request as it came (s3_target_parse, s3_auth_front, s3_canon_build) and
 * writes answers. The gate is given the canonical request, reads exactly those bytes (s3_canon_parse), checks the
 * signature over them (s3_auth_gate, s3_signing_key) and believes nothing else.
 *
 * What can go wrong is an enum s3_error: the answer the client gets. It is not an enum err: nothing failed here, the
 * request is refused. S3E_NONE is 0. Where the answer carries more than its code, a struct s3_fault tells it.
 *
 * Memory: slices in results point into the input or into the `mem` buffer given; `mem` must live as long and is reserved
 * once per call, so slices stay valid until it is reset. No I/O, no clock (now_ms comes in), no logging, no global state but
 * tables built once. Threads: every struct belongs to one thread at a time.
 * Trusts: base. Distrusts: every byte a client sent.
 * Sources: AWS Signature Version 4 for S3, the S3 API reference, RFC 9110, 9112, 3986, 4648.
 */
#ifndef TILLIT_S3_H
#define TILLIT_S3_H

#include "base/base.h"
#include "base/limits.h"

/* errors: error.c ------------------------------------------------------------------------------------------------- */

enum s3_error {
    S3E_NONE = 0,
#define S3_ERROR(code, status, message) S3E_##code,
#include "s3/s3_error.def"
#undef S3_ERROR
    S3E__COUNT
};
const char *s3_error_code(enum s3_error e);        /* "NoSuchKey"; "" for S3E_NONE */
int s3_error_status(enum s3_error e);              /* 404; 200 for S3E_NONE */
const char *s3_error_message(enum s3_error e);
enum s3_error s3_error_of_code(struct slice code); /* S3E_NONE when there is no such code */
/* For failures of our own: LIMIT and BUSY are SlowDown, IO ServiceUnavailable, the rest InternalError. */
enum s3_error s3_error_of_err(enum err e);

struct s3_extra {
    const char *name;                              /* a constant: the element's name */
    char value[S3_EXTRA_CHARS_MAX + 1];
};
/* Why a request is refused, when the code alone is not the whole answer. Begin with {0}. */
struct s3_fault {
    enum s3_error code;
    const char *message;                           /* a constant; NULL: the table's */
    size_t extra_count;
    struct s3_extra extra[S3_EXTRA_MAX];
};
/* Sets code and message (NULL: the table's) and gives the code back. `f` may be NULL in all of these. */
enum s3_error s3_fault_set(struct s3_fault *f, enum s3_error code, const char *message);
/* Adds an element; longer values are cut at S3_EXTRA_CHARS_MAX, elements past S3_EXTRA_MAX are left out. */
void s3_fault_add(struct s3_fault *f, const char *name, struct slice value);
/* The <Error> document. Empty resource, request_id or host_id: the element is left out. */
void s3_error_xml(struct buf *out, const struct s3_fault *f, struct slice resource, struct slice request_id,
                  struct slice host_id);

/* text helpers: text.c ---------------------------------------------------------------------------------------------- */

/* XML text: & < > " escaped, CR as &#13;, other control characters as &#xN; as AWS writes them. */
void s3_put_xml(struct buf *out, struct slice s);
/* Percent encoding with upper-case hex; unreserved bytes stay; '/' stays when keep_slash. */
void s3_put_uri(struct buf *out, struct slice s, bool keep_slash);
/* Decodes %XX once; `plus`: '+' is a blank (query). Appends to mem (room must suffice). InvalidURI for a broken escape,
 * U+0000 or text that is not UTF-8. */
MUST_USE enum s3_error s3_uri_decode(struct slice s, bool plus, struct buf *mem, struct slice *out);
/* AWS Trimall: blanks and TABs off both ends, runs of them inside become one blank. */
void s3_put_trimall(struct buf *out, struct slice s);

struct s3_param {
    struct slice name, value;
};
struct s3_header {
    struct slice name, value;
};
/* First parameter of that exact name; NULL when absent. */
const struct s3_param *s3_param_find(const struct s3_param *p, size_t n, const char *name);
/* First header of that name, in any case; NULL when absent. */
const struct s3_header *s3_header_find(const struct s3_header *h, size_t n, const char *name);
struct slice s3_header_value(const struct s3_header *h, size_t n, const char *name);   /* trimmed; p NULL when absent */

/* request target: target.c ------------------------------------------------------------------------------------------ */

struct s3_target {
    struct slice authority;                        /* of an absolute-form target; empty else. The caller compares with Host */
    struct slice path;                             /* decoded once, begins with '/' */
    size_t param_count;
    struct s3_param params[S3_QUERY_PARAMS_MAX];   /* decoded, in the order received */
};
/* raw: the request line's target, unparsed. Errors: InvalidURI; InvalidRequest for too many parameters. */
MUST_USE enum s3_error s3_target_parse(struct slice raw, struct buf *mem, struct s3_target *out);

struct s3_name {
    struct slice bucket, key;                      /* empty bucket: service level; empty key: bucket level */
    bool virtual_host;
};
/* path: decoded. host: the Host header's value, port allowed. domains: base domains that buckets are labels of; a host that
 * is none of them means path style. The key is opaque: `.`, `..` and `//` stay. Errors: KeyTooLongError, InvalidBucketName
 * (an empty one before a key). */
MUST_USE enum s3_error s3_split(struct slice path, struct slice host, const struct slice *domains, size_t domain_count,
                                struct s3_name *out);
/* AWS's rules for new general-purpose buckets. Errors: InvalidBucketName. */
MUST_USE enum s3_error s3_bucket_name_check(struct slice name);

/* bodies' stated digest ----------------------------------------------------------------------------------------------- */

enum s3_payload {
    S3_PAYLOAD_SHA256,                             /* 64 hex digits: the body's digest is under the signature */
    S3_PAYLOAD_UNSIGNED,
    S3_PAYLOAD_STREAM_UNSIGNED_TRAILER,            /* aws-chunked, no chunk signatures */
    S3_PAYLOAD_STREAM_SIGNED,
    S3_PAYLOAD_STREAM_SIGNED_TRAILER
};
/* The value of x-amz-content-sha256. Errors: InvalidArgument; InvalidRequest for the ECDSA forms. */
MUST_USE enum s3_error s3_payload_parse(struct slice value, enum s3_payload *out);

/* authorization: auth.c, payload.c ------------------------------------------------------------------------------------------------ */

enum s3_auth_kind { S3_AUTH_NONE = 0, S3_AUTH_HEADER = 1, S3_AUTH_QUERY = 2 };   /* the numbers of WIRE_AUTH_* */
struct s3_auth {
    enum s3_auth_kind kind;
    struct slice credential;                       /* AKID/date/region/service/aws4_request, as sent (query: decoded) */
    struct slice access_key, date, region, service;
    struct slice scope;                            /* date/region/service/aws4_request */
    struct slice signed_headers;                   /* a;b;c */
    struct slice signature;                        /* 64 hex digits */
    struct slice token;                            /* x-amz-security-token; empty when absent */
    uint8_t sig[HASH_BYTES];
    char amz_date[17];                             /* yyyymmddThhmmssZ: x-amz-date, or the Date header rewritten */
    uint64_t time_ms;
    uint64_t expires_s;                            /* query auth */
};
/* Front: finds out how the request is authenticated and reads it: the Authorization header or the X-Amz-* query. Checks the
 * grammar (A01-A11, A17, A23, P03, P05-P07, P11), that host, the date and (but for services iam and sts, which do without it)
 * x-amz-content-sha256 are signed in header auth,
 * and that every x-amz-* header is signed (A21). Does not check the scope's region, the time or the signature. */
MUST_USE enum s3_error s3_auth_front(const struct s3_target *t, const struct s3_header *h, size_t n, struct s3_auth *out,
                                     struct s3_fault *f);
struct s3_request;
/* Gate: the same from what is under the signature, and that the last line is x-amz-content-sha256 (SignatureDoesNotMatch).
 * credential and signature as presented. S3_AUTH_NONE: out is empty. */
MUST_USE enum s3_error s3_auth_gate(enum s3_auth_kind kind, struct slice credential, struct slice signature,
                                    const struct s3_request *r, struct s3_auth *out, struct s3_fault *f);
/* The scope must name our region (any when region_any, empty included) and service: AuthorizationHeaderMalformed with
 * <Region> (A08, A09), AuthorizationQueryParametersError in query auth. */
MUST_USE enum s3_error s3_auth_check_scope(const struct s3_auth *a, struct slice region, bool region_any,
                                           struct slice service, struct s3_fault *f);
/* A12, A13, P04, P08, P09. */
MUST_USE enum s3_error s3_auth_check_time(const struct s3_auth *a, uint64_t now_ms, struct s3_fault *f);
/* Whether name (any case) stands in a;b;c. */
bool s3_is_signed(struct slice signed_headers, struct slice name);

/* Front: the text of the canonical request's last line, and what it means. Header auth and anonymous: x-amz-content-sha256
 * (anonymous without it: UNSIGNED-PAYLOAD). Query auth: that header when it is signed, else the parameter
 * X-Amz-Content-Sha256, else UNSIGNED-PAYLOAD. Errors: those of s3_payload_parse; InvalidRequest for an anonymous body with
 * chunk signatures (C14). */
MUST_USE enum s3_error s3_payload_hash(const struct s3_auth *a, const struct s3_target *t, const struct s3_header *h, size_t n,
                                       struct slice *hash, enum s3_payload *payload, struct s3_fault *f);

/* canonical requests: canon.c, request.c --------------------------------------------------------------------------------- */

/* Front: the bytes SigV4 signs for service s3: path not normalised, encoded once. signed_headers as the client sent it; empty
 * for an anonymous request. query_auth leaves X-Amz-Signature out. Headers signed more than once are joined with ','.
 * Errors: SignatureDoesNotMatch (a signed header that is not there; two x-amz-date: A30), InvalidRequest (any other
 * single-valued header twice; a control character in a value), AuthorizationHeaderMalformed (signed_headers not sorted, lower
 * case and unique), RequestHeaderSectionTooLarge (past out->max). */
MUST_USE enum s3_error s3_canon_build(struct buf *out, struct slice method, const struct s3_target *t,
                                      const struct s3_header *h, size_t n, struct slice signed_headers,
                                      struct slice payload_hash, bool query_auth, struct s3_fault *f);

/* Whether S3 has any operation with this method: no canonical request has another one. */
bool s3_method_ok(struct slice method);

/* Gate: what a canonical request says. Slices point into the input or mem. */
struct s3_request {
    struct slice method, path, signed_headers, payload_hash;
    enum s3_payload payload;
    size_t param_count, header_count;
    struct s3_param params[S3_QUERY_PARAMS_MAX];   /* decoded, in canonical order */
    struct s3_header headers[S3_HEADERS_MAX];      /* the signed ones: lower-case names, ascending */
};
/* Reads it, writes it again and compares: whatever is not canonical byte for byte is ERR_INPUT; bounds are ERR_LIMIT. mem needs
 * a max of at least 2 * canon.n. */
MUST_USE enum err s3_canon_parse(struct slice canon, struct buf *mem, struct s3_request *out);
/* For canon.c and request.c: headers lower case and ascending already. */
void s3_canon_write(struct buf *out, struct slice method, struct slice path, const struct s3_param *params,
                    size_t param_count, const struct s3_header *h, size_t n, struct slice signed_headers,
                    struct slice payload_hash);

enum s3_unsigned { S3_UNSIGNED_IGNORED, S3_UNSIGNED_NARROWING, S3_UNSIGNED_STORED, S3_UNSIGNED_REFUSED };
/* What a header outside the signature may do (any case). REFUSED: x-amz-*. The list is closed: header.def. */
enum s3_unsigned s3_unsigned_class(struct slice name);

/* signatures: sigv4.c ------------------------------------------------------------------------------------------------------ */

/* An access key's key for one day, region and service, kept as the two half-done hashes of HMAC. The caller caches it. One
 * thread at a time: it holds scratch. */
struct s3_signing_key {
    void *inner, *outer, *fresh, *work;            /* EVP_MD_CTX */
};
MUST_USE enum err s3_signing_key_init(struct s3_signing_key *k, struct slice secret, struct slice date,
                                      struct slice region, struct slice service);
void s3_signing_key_done(struct s3_signing_key *k);
/* The signature of canon at amz_date in scope. */
MUST_USE enum err s3_sign(struct s3_signing_key *k, struct slice amz_date, struct slice scope, struct slice canon,
                          uint8_t sig[HASH_BYTES]);
/* S3E_NONE, SignatureDoesNotMatch, or InternalError when the crypto library fails. Constant time over the signature. */
MUST_USE enum s3_error s3_verify(struct s3_signing_key *k, const struct s3_auth *a, struct slice canon);
/* HMAC of any text under the key, for string-to-sign of other shapes. */
MUST_USE enum err s3_hmac(struct s3_signing_key *k, struct slice text, uint8_t mac[HASH_BYTES]);

/* Client side: what a request of our own carries. headers: everything to sign, host, x-amz-date and x-amz-content-sha256
 * among them. query: raw, without '?', may be empty. Writes the value of the Authorization header. */
struct s3_client_key {
    struct slice access_key, secret, region, service;
};
MUST_USE enum err s3_client_sign(const struct s3_client_key *key, struct slice method, struct slice raw_target,
                                 const struct s3_header *h, size_t n, uint64_t now_ms, struct slice payload_hash,
                                 struct buf *authorization);

/* operations: op.c --------------------------------------------------------------------------------------------------------- */

enum s3_kind { S3_KIND_READ, S3_KIND_WRITE, S3_KIND_LIST, S3_KIND_LOOK, S3_KIND_CONFIG };   /* LOOK reads configuration */
enum s3_op {
    S3_OP_NONE = 0,
#define S3_OP(level, method, sub, name, action, kind, answer) S3_OP_##name,
#include "s3/s3_op.def"
#undef S3_OP
    S3_OP__COUNT
};
struct s3_op_row {
    const char *name, *action;                     /* "GetObject", "s3:GetObject" */
    enum s3_kind kind;
    enum s3_error answer;                          /* S3E_NONE: implemented; else what an authorised caller is told */
};
const struct s3_op_row *s3_op_row(enum s3_op op);
/* Which operation this is. Parameters S3 does not know are passed over. Errors: MethodNotAllowed, InvalidRequest (B24),
 * InvalidArgument (M07). An operation that is not implemented resolves all the same: see its row. */
MUST_USE enum s3_error s3_op_resolve(struct slice method, const struct s3_name *name, const struct s3_param *p,
                                     size_t param_count, const struct s3_header *h, size_t header_count, enum s3_op *out,
                                     struct s3_fault *f);

enum s3_control { S3_CONTROL_NO, S3_CONTROL_TAGS, S3_CONTROL_OTHER };
/* S3 Control: a path below /v20180820/ with x-amz-account-id. The caller asks before s3_op_resolve: TAGS is ListTagsForResource of
 * *bucket (GET /v20180820/tags/arn:aws:s3:::bucket, path decoded); OTHER is NotImplemented; NO is a request like any other. */
enum s3_control s3_control_of(struct slice method, struct slice path, const struct s3_header *h, size_t n, struct slice *bucket);

/* parameters of operations: args.c -------------------------------------------------------------------------------------------- */

struct s3_list_args {
    bool v2, url, fetch_owner, has_token, has_start_after;
    struct slice prefix, delimiter, marker, token, start_after;   /* marker: v1 */
    uint32_t max_keys;                             /* at most S3_LIST_KEYS_MAX; 0 is allowed and gives no rows */
};
/* B07, B08: InvalidArgument. */
MUST_USE enum s3_error s3_list_args(const struct s3_param *p, size_t n, struct s3_list_args *out, struct s3_fault *f);
struct s3_buckets_args {
    bool paged;                                    /* one of the parameters was given */
    uint32_t max_buckets;
    struct slice prefix, token, region;
};
MUST_USE enum s3_error s3_buckets_args(const struct s3_param *p, size_t n, struct s3_buckets_args *out, struct s3_fault *f);
/* Tokens are opaque bytes in base64url; what is in them and that it is authentic is the gate's matter. InvalidArgument. */
MUST_USE enum s3_error s3_token_decode(struct slice text, struct buf *out);

struct s3_override {
    const char *header;                            /* "Content-Type" */
    struct slice value;
};
#define S3_OVERRIDES 6
/* response-* parameters of GET and HEAD. Control characters in a value: InvalidArgument. */
MUST_USE enum s3_error s3_overrides(const struct s3_param *p, size_t n, struct s3_override out[S3_OVERRIDES], size_t *count);
/* A header's value: nothing below 0x20 but TAB, and no 0x7f. */
bool s3_value_ok(struct slice value);
/* The x-amz-meta-* headers together: MetadataTooLarge past S3_USER_META_BYTES_MAX (names without the prefix, and values). */
MUST_USE enum s3_error s3_meta_check(const struct s3_header *h, size_t n, struct s3_fault *f);

/* checksums: sums.c, crc.c --------------------------------------------------------------------------------------------------- */

enum s3_sum {                                      /* the numbers of WIRE_SUM_* */
    S3_SUM_NONE = 0, S3_SUM_MD5 = 1, S3_SUM_SHA1 = 2, S3_SUM_SHA256 = 3,
    S3_SUM_CRC32 = 4, S3_SUM_CRC32C = 5, S3_SUM_CRC64NVME = 6,
    S3_SUM_SHA512 = 7, S3_SUM_XXHASH64 = 8, S3_SUM_XXHASH3 = 9, S3_SUM_XXHASH128 = 10,
    S3_SUM__COUNT
};
enum s3_sum_type { S3_SUM_FULL = 0, S3_SUM_COMPOSITE = 1 };
#define S3_SUM_BYTES_MAX 64
#define S3_SUM_BIT(s) (1u << (s))
size_t s3_sum_bytes(enum s3_sum s);                /* 4 for CRC32 */
const char *s3_sum_name(enum s3_sum s);            /* "CRC32" */
const char *s3_sum_header(enum s3_sum s);          /* "x-amz-checksum-crc32" */
const char *s3_sum_element(enum s3_sum s);         /* "ChecksumCRC32" */
enum s3_sum s3_sum_of_name(struct slice name);     /* any case; S3_SUM_NONE when unknown */
enum s3_sum s3_sum_of_header(struct slice name);   /* x-amz-checksum-*, any case */
/* "FULL_OBJECT", "COMPOSITE". */
const char *s3_sum_type_name(enum s3_sum_type t);
MUST_USE bool s3_sum_type_of_name(struct slice name, enum s3_sum_type *out);
/* x-amz-checksum-algorithm and x-amz-checksum-type of CreateMultipartUpload: *sum NONE when none is named. CRC64NVME is FULL only,
 * SHA*, MD5 and XXHASH* COMPOSITE only, CRC32 and CRC32C either. D08, D09, D10: InvalidRequest. */
MUST_USE enum s3_error s3_sum_of_upload(const struct s3_header *h, size_t n, enum s3_sum *sum, enum s3_sum_type *type, struct s3_fault *f);
/* The checksum of a||b from those of a and b and b's length (CRC32, CRC32C, CRC64NVME). Values big-endian as everywhere here. */
void s3_sum_combine(enum s3_sum s, uint8_t a[S3_SUM_BYTES_MAX], const uint8_t b[S3_SUM_BYTES_MAX], uint64_t b_size);
/* Any subset in one pass. */
struct s3_sums {
    uint32_t want;                                 /* S3_SUM_BIT set */
    void *md[S3_SUM__COUNT];                       /* EVP_MD_CTX or xxhash state by enum s3_sum */
    uint32_t crc32, crc32c;
    uint64_t crc64;
    uint64_t bytes;
};
MUST_USE enum err s3_sums_init(struct s3_sums *s, uint32_t want);
MUST_USE enum err s3_sums_add(struct s3_sums *s, struct slice data);
/* Finishes one of them: s3_sum_bytes(which) bytes into out. Once per algorithm, after the last add. */
MUST_USE enum err s3_sums_get(struct s3_sums *s, enum s3_sum which, uint8_t out[S3_SUM_BYTES_MAX]);
void s3_sums_done(struct s3_sums *s);
/* Both begin with 0 and go on from their own result. */
uint64_t s3_crc64nvme(uint64_t crc, const void *p, size_t n);
uint32_t s3_crc32(uint32_t crc, const void *p, size_t n);
/* The table forms, for tests and machines without carry-less multiplication. */
uint64_t s3_crc64nvme_table(uint64_t crc, const void *p, size_t n);
uint32_t s3_crc32_table(uint32_t crc, const void *p, size_t n);

/* What a request says about its body. */
struct s3_body {
    bool chunked;                                  /* aws-chunked framing */
    bool chunk_signed;                             /* and its chunks are signed */
    bool trailer_signed;                           /* and behind them the trailer */
    bool length_known;
    uint64_t length;                               /* plaintext: x-amz-decoded-content-length or Content-Length */
    bool md5_given;
    uint8_t md5[16];
    enum s3_sum sum;                               /* the object's checksum; CRC64NVME when the client named none */
    bool sum_named;                                /* it named one, by value, trailer or x-amz-checksum-algorithm */
    bool sum_given, sum_in_trailer;                /* its value stands in a header, will stand in the trailer */
    uint8_t sum_value[S3_SUM_BYTES_MAX];
};
/* Headers of a PUT. C04 MissingContentLength; C07, C08, C12, D05, D07 InvalidRequest; D01, D03 InvalidDigest; BadDigest (a checksum header that is none); H03
 * EntityTooLarge. */
MUST_USE enum s3_error s3_body_read(const struct s3_header *h, size_t n, enum s3_payload payload, struct s3_body *out,
                                    struct s3_fault *f);
/* DeleteObjects and configuration bodies must come with Content-MD5 or a checksum: InvalidRequest. */
MUST_USE enum s3_error s3_body_need_digest(const struct s3_body *b, struct s3_fault *f);
/* D02, D04, C06, A19: compares what was computed with what was given. signed_sha256: the payload hash in hex, or empty. */
MUST_USE enum s3_error s3_body_compare(const struct s3_body *b, const uint8_t *md5, const uint8_t *sum,
                                       const uint8_t *sha256, struct slice signed_sha256);

/* aws-chunked: chunked.c -------------------------------------------------------------------------------------------------------- */

enum s3_chunk_state { S3_CHUNK_LINE, S3_CHUNK_DATA, S3_CHUNK_DATA_END, S3_CHUNK_TRAILER, S3_CHUNK_DONE };
struct s3_chunked {
    enum s3_chunk_state state;
    enum s3_sum trailer;                           /* expected, or NONE */
    bool trailer_seen;
    uint8_t trailer_value[S3_SUM_BYTES_MAX];       /* valid when trailer_seen */
    bool length_known;
    uint64_t length, decoded;                      /* what was promised, what came */
    uint64_t left, last_size;
    bool any;
    size_t line_n;
    char line[S3_CHUNK_LINE_BYTES_MAX];
    /* Signed chunks. chunk_whole: digest and signature are those of a chunk that has just ended, the empty one at the end too;
     * the caller takes them and sets it back before it feeds on. */
    bool chunk_signed, trailer_signed, chunk_whole;
    void *hash;                                    /* EVP_MD_CTX */
    uint8_t digest[HASH_BYTES], signature[HASH_BYTES];
    bool trailer_signature_seen;                   /* after DONE the two below are set */
    uint8_t trailer_digest[HASH_BYTES], trailer_signature[HASH_BYTES];
};
/* Whoever has the signing key checks the signatures (s3_chain_*); here they are only read. */
void s3_chunked_init(struct s3_chunked *c, const struct s3_body *b);
void s3_chunked_done(struct s3_chunked *c);        /* accepts a zeroed one */
/* Takes from the front of *in and gives the next piece of decoded data, pointing into *in (empty when it took only framing).
 * Call until in->n is 0. Errors: IncompleteBody (C15, C16, wrong length, no signature where one is due), InvalidChunkSizeError
 * (C10), MalformedTrailerError (C02), InvalidRequest (a trailer value that is no checksum, a signature where none is due). */
MUST_USE enum s3_error s3_chunked_feed(struct s3_chunked *c, struct slice *in, struct slice *data);
/* At the body's end: IncompleteBody when the framing is not finished, MalformedTrailerError when a promised trailer is missing. */
MUST_USE enum s3_error s3_chunked_end(const struct s3_chunked *c);

/* signatures of chunks: chain.c ----------------------------------------------------------------------------------------------------- */

/* Each chunk's signature covers its data and the signature before it, the first one the request's own: what is left out,
 * changed or put elsewhere breaks the chain from there on. Constant memory. Once broken it stays broken. */
struct s3_chain {
    uint8_t previous[HASH_BYTES];
    uint64_t left;                                 /* chunks that may still come */
    bool trailer;                                  /* one is due behind the empty chunk */
    bool ended, trailer_seen, broken;
};
/* seed: the request's signature. length: of the decoded body. */
void s3_chain_init(struct s3_chain *c, const uint8_t seed[HASH_BYTES], uint64_t length, bool trailer);
/* The next chunk, in order. S3E_NONE; SignatureDoesNotMatch; InternalError when the crypto library fails. */
MUST_USE enum s3_error s3_chain_chunk(struct s3_chain *c, struct s3_signing_key *k, const struct s3_auth *a,
                                      const uint8_t digest[HASH_BYTES], const uint8_t signature[HASH_BYTES]);
/* The trailer, after the empty chunk: digest of its lines "name:value\n". Errors as above. */
MUST_USE enum s3_error s3_chain_trailer(struct s3_chain *c, struct s3_signing_key *k, const struct s3_auth *a,
                                        const uint8_t digest[HASH_BYTES], const uint8_t signature[HASH_BYTES]);
/* Every chunk was right, the empty one came, and the trailer's signature where one was due. */
bool s3_chain_whole(const struct s3_chain *c);

/* ranges and conditions: cond.c ------------------------------------------------------------------------------------------------- */

enum s3_range { S3_RANGE_WHOLE, S3_RANGE_PART, S3_RANGE_UNSATISFIABLE };
/* value: of the Range header, p NULL when absent. One byte range; anything else is the whole object (B14). first and last are
 * inclusive, set for PART only. */
enum s3_range s3_range_parse(struct slice value, uint64_t size, uint64_t *first, uint64_t *last);

struct s3_conditions {
    struct slice if_match, if_none_match, if_modified_since, if_unmodified_since, if_range;   /* p NULL: absent */
};
/* From headers in any case. */
void s3_conditions_of(const struct s3_header *h, size_t n, struct s3_conditions *out);
bool s3_conditions_any(const struct s3_conditions *c);
/* GET, HEAD of an existing object (RFC 9110 13.2.2). etag without quotes. S3E_NONE, NotModified (304), PreconditionFailed.
 * `condition`: the header that failed, for <Condition>; may be NULL. */
enum s3_error s3_condition_read(const struct s3_conditions *c, struct slice etag, uint64_t mtime_ms, const char **condition);
/* False: If-Range says the object is another one; the range is then passed over. */
bool s3_if_range(const struct s3_conditions *c, struct slice etag, uint64_t mtime_ms);
/* PUT (W01-W04). exists false: etag is not looked at. S3E_NONE, PreconditionFailed, NoSuchKey, NotImplemented (both). */
enum s3_error s3_condition_write(const struct s3_conditions *c, bool exists, struct slice etag, const char **condition);
/* DELETE with If-Match (W06, W07). */
enum s3_error s3_condition_delete(const struct s3_conditions *c, bool exists, struct slice etag, const char **condition);

/* XML out: xml_out.c -------------------------------------------------------------------------------------------------------------- */

struct s3_list_head {
    const struct s3_list_args *args;
    struct slice bucket;
};
struct s3_list_row {
    struct slice key, etag;                        /* etag without quotes */
    uint64_t size, mtime_ms;
    enum s3_sum sum;                               /* NONE: no <ChecksumAlgorithm> */
    enum s3_sum_type sum_type;
    struct slice owner;                            /* v1, or v2 with fetch-owner; empty: none */
    struct slice owner_name;                       /* empty: no DisplayName */
};
/* ListBucketResult v1 and v2, row by row: begin, rows and prefixes in any order, end. `next`: v2 the continuation token; v1
 * the NextMarker (written with a delimiter only, as AWS). row_count: rows and prefixes. */
void s3_list_begin(struct buf *out, const struct s3_list_head *h);
void s3_list_row(struct buf *out, const struct s3_list_head *h, const struct s3_list_row *row);
void s3_list_prefix(struct buf *out, const struct s3_list_head *h, struct slice prefix);
void s3_list_end(struct buf *out, const struct s3_list_head *h, bool truncated, struct slice next, uint64_t row_count);

void s3_buckets_begin(struct buf *out, struct slice owner);
void s3_buckets_row(struct buf *out, struct slice name, uint64_t created_ms, struct slice region);   /* region empty: none */
void s3_buckets_end(struct buf *out, struct slice prefix, struct slice next);
void s3_location_xml(struct buf *out, struct slice region);       /* us-east-1 is the empty element */
void s3_versioning_xml(struct buf *out, const char *status);      /* NULL: never enabled */
void s3_delete_begin(struct buf *out);
/* version: as asked, marker: DeleteMarkerVersionId when a marker was made or removed; p NULL: not. */
void s3_delete_row(struct buf *out, struct slice key, struct slice version, bool marker, struct slice marker_version);
void s3_delete_error(struct buf *out, struct slice key, struct slice version, enum s3_error code, const char *message);    /* message NULL: table's */
void s3_delete_end(struct buf *out);

/* XML in: xml_in.c ------------------------------------------------------------------------------------------------------------------ */

/* The ends of those behind DELETE are in s3_config.h. */
enum s3_xml_kind {
    S3_XML_CREATE_BUCKET, S3_XML_DELETE, S3_XML_TAGGING, S3_XML_VERSIONING, S3_XML_COMPLETE, S3_XML_CORS, S3_XML_LIFECYCLE,
    S3_XML_BLOCK, S3_XML_OWNERSHIP, S3_XML_ACL, S3_XML__COUNT
};
struct s3_delete_key {
    struct slice key, version_id, etag;            /* p NULL: absent */
};
struct s3_delete_list {
    bool quiet;
    size_t count;
    struct s3_delete_key *keys;                    /* owned by the reader */
};
struct s3_xml;
/* A push reader of one document. No DTD, no entities but the five, XML_DEPTH_MAX deep, S3_CONTROL_BODY_BYTES_MAX long (lists of Delete and
 * Complete: more), S3_XML_NODES_MAX
 * elements, unknown elements refused. NULL: out of memory. */
struct s3_xml *s3_xml_new(enum s3_xml_kind kind);
void s3_xml_free(struct s3_xml *x);
/* S3E_NONE or MalformedXML (sticky). Feed in pieces of any size. */
MUST_USE enum s3_error s3_xml_feed(struct s3_xml *x, struct slice piece);
/* After the last piece. An empty CreateBucket body is legal and names no region; an empty Delete is MalformedXML, and so are
 * more than S3_DELETE_KEYS_MAX keys (X01). Results live until s3_xml_free. */
MUST_USE enum s3_error s3_xml_create_bucket_end(struct s3_xml *x, struct slice *location);
MUST_USE enum s3_error s3_xml_delete_end(struct s3_xml *x, struct s3_delete_list *out);

#endif
