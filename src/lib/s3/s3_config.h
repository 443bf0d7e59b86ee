/* SPDX-License-Identifier: Apache-2.0
 * s3, second manual: what stands in bodies. Listings beyond objects, uploads in parts, copies, tags, a bucket's documents, POST forms,
 * IAM calls. Rules of the room are those of s3.h: no I/O, no clock, refusals are enum s3_error, texts are loans.
 *
 * Documents: a reader (s3_xml_new, s3_xml_feed of s3.h with the kinds below) parses what a client sent; its end function gives values, or
 * the one canonical document (CORS, lifecycle), which is what the control log keeps and GET answers, and which is accepted again as it
 * stands. A canonical document is at most S3_CONFIG_DOC_BYTES_MAX: more is MalformedXML.
 * Sources: the S3 API reference, the IAM and STS Query APIs, RFC 7578, "Browser-based uploads using POST" (SigV4).
 */
#ifndef TILLIT_S3_CONFIG_H
#define TILLIT_S3_CONFIG_H

#include "s3/s3.h"

/* parameters: args2.c ----------------------------------------------------------------------------------------------- */

struct s3_versions_args {                          /* ?versions, ?uploads */
    bool url;
    struct slice prefix, delimiter, key_marker, id_marker;   /* id_marker: version-id-marker, upload-id-marker */
    uint32_t max;                                  /* at most S3_LIST_KEYS_MAX; 0 gives no rows */
};
/* An id marker without a key marker: InvalidArgument (versions); passed over (uploads). */
MUST_USE enum s3_error s3_versions_args(const struct s3_param *p, size_t n, bool uploads, struct s3_versions_args *out, struct s3_fault *f);
struct s3_parts_args {                             /* ?uploadId of ListParts */
    struct slice upload;
    uint32_t marker, max;
    bool url;
};
MUST_USE enum s3_error s3_parts_args(const struct s3_param *p, size_t n, struct s3_parts_args *out, struct s3_fault *f);
/* partNumber: 1 to PARTS_MAX, else InvalidArgument (M06). absent: *out 0. */
MUST_USE enum s3_error s3_part_number(const struct s3_param *p, size_t n, uint32_t *out, struct s3_fault *f);
struct s3_attributes_args {
    bool etag, checksum, parts, storage_class, size;
    uint32_t marker, max;                          /* x-amz-part-number-marker, x-amz-max-parts */
};
/* x-amz-object-attributes missing, or an unknown word: InvalidArgument / InvalidRequest as AWS. */
MUST_USE enum s3_error s3_attributes_args(const struct s3_header *h, size_t n, struct s3_attributes_args *out, struct s3_fault *f);
/* version ids and upload ids: 26 base32 characters <-> 16 bytes; "null" is the caller's. False: no such id (the caller answers
 * InvalidArgument for a version id that is none, NoSuchUpload for an upload id). */
MUST_USE bool s3_id_parse(struct slice text, uint8_t out[ID_BYTES]);

/* copies: copy.c ------------------------------------------------------------------------------------------------------ */

struct s3_copy_source {
    struct slice bucket, key, version;             /* version p NULL: the current one. In mem */
};
/* x-amz-copy-source: "/bucket/key?versionId=x", escaped, leading slash optional; an ARN of an access point is NotImplemented. Y01, Y02:
 * InvalidArgument. */
MUST_USE enum s3_error s3_copy_source(struct slice value, struct buf *mem, struct s3_copy_source *out, struct s3_fault *f);
/* x-amz-copy-source-range: "bytes=a-b" inclusive, else InvalidArgument (Y06); beyond size: InvalidRange. */
MUST_USE enum s3_error s3_copy_range(struct slice value, uint64_t size, uint64_t *first, uint64_t *last, struct s3_fault *f);
/* x-amz-copy-source-if-*, judged on the source like s3_condition_read but answering 412 for each. */
void s3_copy_conditions_of(const struct s3_header *h, size_t n, struct s3_conditions *out);
enum s3_error s3_condition_copy(const struct s3_conditions *c, struct slice etag, uint64_t mtime_ms, const char **condition);
/* COPY (default, false) or REPLACE (true); another word: InvalidArgument. name: x-amz-metadata-directive, x-amz-tagging-directive. */
MUST_USE enum s3_error s3_directive(const struct s3_header *h, size_t n, const char *name, bool *replace, struct s3_fault *f);

/* tags: tags.c ---------------------------------------------------------------------------------------------------------- */

/* x-amz-tagging: query form -> the same tags in canonical query form (each once, ascending by key's bytes as S3 answers them, upper-case escapes,
 * unreserved bytes plain). At most `max` tags: BadRequest with one more; key, value lengths in characters, duplicates, aws: keys: InvalidTag;
 * escapes: InvalidArgument. */
MUST_USE enum s3_error s3_tags_query(struct slice query, size_t max, struct buf *out, size_t *count, struct s3_fault *f);
/* One tag off canonical query form, decoded into mem. False at the end. */
bool s3_tags_next(struct slice *query, struct buf *mem, struct slice *key, struct slice *value);
void s3_tagging_xml(struct buf *out, struct slice query);                     /* <Tagging> of canonical query form */
void s3_control_tags_xml(struct buf *out, struct slice query);                /* S3 Control's ListTagsForResourceResult */

/* readers' ends: xml_docs.c (CORS: cors.c, LIFECYCLE: lifecycle_doc.c). Each once, after the last piece. All: MalformedXML for what does not
 * fit. Bodies of BLOCK etc. come with a digest. Results live until s3_xml_free. */

/* Tagging: canonical query form into out; max S3_TAGS_MAX or S3_BUCKET_TAGS_MAX. */
MUST_USE enum s3_error s3_xml_tagging_end(struct s3_xml *x, size_t max, struct buf *out, size_t *count, struct s3_fault *f);
/* "Enabled" or "Suspended"; MfaDelete Enabled: NotImplemented. X05. */
MUST_USE enum s3_error s3_xml_versioning_end(struct s3_xml *x, const char **status);
struct s3_complete_part {
    uint16_t number;
    struct slice etag;                             /* without quotes */
    enum s3_sum sum;                               /* NONE: none given */
    uint8_t sum_value[S3_SUM_BYTES_MAX];
};
struct s3_complete_list {
    size_t count;                                  /* 1 to PARTS_MAX */
    struct s3_complete_part *parts;                /* owned by the reader, as given: order is the caller's to judge (InvalidPartOrder) */
};
/* M01. InvalidPart: a number past PARTS_MAX, or a checksum that is none; InvalidRequest: two checksums for one part. */
MUST_USE enum s3_error s3_xml_complete_end(struct s3_xml *x, struct s3_complete_list *out);
/* BlockPublicAcls IgnorePublicAcls BlockPublicPolicy RestrictPublicBuckets; absent: false. */
MUST_USE enum s3_error s3_xml_block_end(struct s3_xml *x, bool block[4]);
MUST_USE enum s3_error s3_xml_ownership_end(struct s3_xml *x, const char **word);
/* The canonical documents. rng-free: ids of lifecycle rules without one are made from `seed` and the rule's place (32 hex digits).
 * Lifecycle errors: InvalidArgument (ids, days, dates not at midnight), InvalidRequest (no action; tags with actions that have none),
 * InvalidTag, NotImplemented (transitions between storage classes, when nothing else is wrong). All conditions of a Filter count, with an
 * And and without one. */
MUST_USE enum s3_error s3_xml_cors_end(struct s3_xml *x, struct buf *canonical, struct s3_fault *f);           /* X16 InvalidRequest */
MUST_USE enum s3_error s3_xml_lifecycle_end(struct s3_xml *x, const uint8_t seed[ID_BYTES], struct buf *canonical, struct s3_fault *f);   /* X06 */
/* An ACL that says nothing but "the owner has FULL_CONTROL" is accepted everywhere: *private_only tells. Others are well formed, no more. */
MUST_USE enum s3_error s3_xml_acl_end(struct s3_xml *x, struct slice owner_id, bool *private_only);

/* CORS: cors.c ------------------------------------------------------------------------------------------------------------- */

struct s3_cors_answer {
    struct slice origin;                           /* Access-Control-Allow-Origin; "*" or the origin. In mem, as the others */
    struct slice methods, headers, expose;         /* comma-separated; empty: no such header */
    bool credentials;                              /* not for "*" */
    bool has_max_age;
    uint32_t max_age_s;
};
/* The first rule that fits. method: Access-Control-Request-Method where the request has one, else its own. request_headers: of a
 * preflight's Access-Control-Request-Headers, else empty. False: none fits. */
MUST_USE bool s3_cors_match(struct slice canonical, struct slice origin, struct slice method, struct slice request_headers, struct buf *mem,
                            struct s3_cors_answer *out);

/* lifecycle: lifecycle.c ------------------------------------------------------------------------------------------------------ */

struct s3_lifecycle;                               /* rules, parsed from canonical form */
struct s3_lifecycle *s3_lifecycle_read(struct slice canonical);               /* NULL: not such a document, or out of memory */
void s3_lifecycle_free(struct s3_lifecycle *l);
struct s3_lifecycle_object {
    struct slice key, tags;                        /* tags in canonical query form */
    uint64_t size, mtime_ms;
    bool current, delete_marker, only_version;     /* only_version: a marker with nothing behind it */
    uint64_t noncurrent_since_ms;                  /* mtime of the version that replaced it */
    uint32_t newer_noncurrent;                     /* noncurrent versions of the key that are newer */
};
enum s3_lifecycle_action { S3_LIFECYCLE_KEEP, S3_LIFECYCLE_EXPIRE, S3_LIFECYCLE_REMOVE };   /* EXPIRE: like DeleteObject; REMOVE: this version */
/* day_ms: 86 400 000, less in the test profile. Days count from the next midnight UTC as AWS does (not when day_ms is shorter). */
enum s3_lifecycle_action s3_lifecycle_judge(const struct s3_lifecycle *l, const struct s3_lifecycle_object *o, uint64_t now_ms, uint64_t day_ms);
bool s3_lifecycle_abort(const struct s3_lifecycle *l, struct slice key, uint64_t began_ms, uint64_t now_ms, uint64_t day_ms);
/* x-amz-expiration of an object that a rule will end: expiry-date="...", rule-id="...". False: none. Real days always. */
bool s3_lifecycle_expiration(const struct s3_lifecycle *l, const struct s3_lifecycle_object *o, struct buf *out);
/* x-amz-abort-date (and rule id) of a new upload. False: none. */
bool s3_lifecycle_abort_date(const struct s3_lifecycle *l, struct slice key, uint64_t began_ms, struct buf *date, struct buf *rule_id);

/* XML out: xml_list.c, xml_answers.c ------------------------------------------------------------------------------------------------ */

struct s3_owner { struct slice id, name; };        /* name empty: no DisplayName */
struct s3_version_row {
    struct slice key, id, etag;                    /* id: version id text or "null" */
    bool latest, marker;
    uint64_t size, mtime_ms;
    enum s3_sum sum;
    enum s3_sum_type sum_type;
    struct s3_owner owner;
};
void s3_versions_begin(struct buf *out, const struct s3_versions_args *a, struct slice bucket);
void s3_versions_row(struct buf *out, const struct s3_versions_args *a, const struct s3_version_row *r);
void s3_versions_prefix(struct buf *out, const struct s3_versions_args *a, struct slice prefix);
void s3_versions_end(struct buf *out, const struct s3_versions_args *a, bool truncated, struct slice next_key, struct slice next_id);
struct s3_upload_row {
    struct slice key, id;
    uint64_t began_ms;
    enum s3_sum sum;
    enum s3_sum_type sum_type;
    struct s3_owner owner, initiator;
};
void s3_uploads_begin(struct buf *out, const struct s3_versions_args *a, struct slice bucket);
void s3_uploads_row(struct buf *out, const struct s3_versions_args *a, const struct s3_upload_row *r);
void s3_uploads_prefix(struct buf *out, const struct s3_versions_args *a, struct slice prefix);
void s3_uploads_end(struct buf *out, const struct s3_versions_args *a, bool truncated, struct slice next_key, struct slice next_id);
struct s3_part_row {
    uint16_t number;
    uint64_t size, mtime_ms;
    struct slice etag;
    enum s3_sum sum;
    struct slice sum_value;                        /* raw; empty: none */
};
struct s3_parts_head {
    struct slice bucket, key, upload;
    const struct s3_parts_args *args;
    struct s3_owner owner, initiator;
    enum s3_sum sum;                               /* of the upload */
    enum s3_sum_type sum_type;
};
void s3_parts_begin(struct buf *out, const struct s3_parts_head *h);
void s3_parts_row(struct buf *out, const struct s3_part_row *r);
void s3_parts_end(struct buf *out, const struct s3_parts_head *h, bool truncated, uint32_t next);

void s3_initiate_xml(struct buf *out, struct slice bucket, struct slice key, struct slice upload);
/* location: URL of the object; sum NONE: no checksum elements. */
void s3_complete_xml(struct buf *out, struct slice location, struct slice bucket, struct slice key, struct slice etag, enum s3_sum sum,
                     enum s3_sum_type type, struct slice sum_text);
/* CopyObjectResult, or CopyPartResult when part. */
void s3_copy_xml(struct buf *out, bool part, struct slice etag, uint64_t mtime_ms, enum s3_sum sum, enum s3_sum_type type, struct slice sum_text);
/* sums.c. A checksum as text: base64, and "-N" behind a composite one (parts > 0). */
void s3_sum_text(struct buf *out, enum s3_sum_type type, struct slice raw, uint32_t parts);
struct s3_attributes {
    const struct s3_attributes_args *args;
    struct slice etag;
    uint64_t size;
    enum s3_sum sum;
    enum s3_sum_type sum_type;
    struct slice sum_text;
    uint32_t part_count;                           /* 0: not from parts */
    bool parts_truncated;
    uint32_t parts_next;
    const struct s3_part_row *rows;                /* parts of this page; shown only when they have checksums */
    size_t row_count;
};
void s3_attributes_xml(struct buf *out, const struct s3_attributes *a);
void s3_block_xml(struct buf *out, const bool block[4]);
void s3_ownership_xml(struct buf *out, const char *word);
void s3_policy_status_xml(struct buf *out, bool is_public);
void s3_acl_xml(struct buf *out, const struct s3_owner *owner);               /* owner FULL_CONTROL */
void s3_encryption_xml(struct buf *out);                                      /* AES256, bucket key off */
void s3_accelerate_xml(struct buf *out);
void s3_request_payment_xml(struct buf *out);
void s3_logging_xml(struct buf *out);                                         /* none */
void s3_notification_xml(struct buf *out);                                    /* none */

/* POST forms: form.c (front), form_fields.c, form_policy.c (gate) ------------------------------------------------------------------------ */

/* multipart/form-data, pushed in pieces of any size: fields before `file` are collected, then the file's bytes are handed out until the boundary. */
struct s3_form;
/* content_type: the request header's value. NULL with *e: MalformedPOSTRequest (F01), SlowDown (out of memory). */
struct s3_form *s3_form_new(struct slice content_type, enum s3_error *e);
void s3_form_free(struct s3_form *f);
/* Takes from the front of *in. Until s3_form_at_file() everything is taken and *data is empty, or an error comes: MalformedPOSTRequest,
 * MaxPostPreDataLengthExceededError past S3_FORM_FIELDS_BYTES_MAX of names and values. It returns where the file begins, with the rest of *in
 * not taken: the fields can be looked at then. Afterwards *data is the next piece of the file, pointing into *in or into the form's own copy of
 * the boundary, valid until the next call. Call until in->n is 0 and data is empty. A second file: InvalidArgument. Fields behind the file are
 * passed over, as S3 does. */
MUST_USE enum s3_error s3_form_feed(struct s3_form *f, struct slice *in, struct slice *data);
bool s3_form_at_file(const struct s3_form *f);
/* The body ended: IncompleteBody when the boundary behind the file or the last one never came, MalformedPOSTRequest when not even the file began;
 * InvalidArgument without a file field (F02). */
MUST_USE enum s3_error s3_form_end(struct s3_form *f);
/* The fields so far as the wire's headers list (names as sent), `file` last with its file name; valid from at_file on. */
struct slice s3_form_fields(const struct s3_form *f);

struct s3_post {
    bool signed_form;                              /* there is a policy and a signature */
    bool v2;
    struct slice policy64, signature, credential, date;   /* v2: credential is AWSAccessKeyId */
    struct slice key;                              /* ${filename} replaced. In mem */
    uint64_t size_min, size_max;                   /* content-length-range; 0 and S3_PUT_BYTES_MAX */
    uint16_t status;                               /* success_action_status: 200, 201, 204 (default) */
    struct slice redirect;                         /* success_action_redirect, http or https only (F09) */
    size_t header_count;
    /* What the object gets, as PUT's headers: content-type, x-amz-meta-*, x-amz-tagging (from the field `tagging`, XML), x-amz-acl, checksums. */
    struct s3_header headers[S3_HEADERS_MAX];
};
/* Reads the fields (headers list). F02, missing key, a field twice, half an authorization: InvalidArgument. v2 forms only when allow_v2: else
 * InvalidRequest. mem: a max of at least 192 KiB. */
MUST_USE enum s3_error s3_post_read(struct slice fields, struct slice bucket, bool allow_v2, struct buf *mem, struct s3_post *out,
                                    struct s3_fault *f);
/* The decoded policy against the fields: expired or not covered or not met: AccessDenied with AWS's text (F04, F05); not a policy:
 * InvalidPolicyDocument. Sets size_min and size_max. Conditions: exact (object or "eq"), "starts-with", "content-length-range"; names in any
 * case; x-amz-signature, file, policy, x-ignore-*, x-amz-checksum-* (they can only make an upload fail), and in v2 forms signature and
 * AWSAccessKeyId need none. The bucket always does. Call it after s3_post_read: $key is the key with ${filename} replaced. */
MUST_USE enum s3_error s3_post_policy(struct slice policy_json, struct slice fields, struct slice bucket, uint64_t now_ms,
                                      struct s3_post *post, struct s3_fault *f);
/* Is this the V2 signature (base64 HMAC-SHA1 of policy64 under secret)? Constant time. */
MUST_USE bool s3_post_v2_ok(struct slice secret, struct slice policy64, struct slice signature);
void s3_post_response_xml(struct buf *out, struct slice location, struct slice bucket, struct slice key, struct slice etag);   /* status 201 */

/* IAM and STS: query.c ------------------------------------------------------------------------------------------------------------------- */

/* application/x-www-form-urlencoded: pairs into p, decoded into mem. InvalidRequest for broken escapes, too many. */
MUST_USE enum s3_error s3_query_body(struct slice body, struct buf *mem, struct s3_param *p, size_t max, size_t *n);
enum s3_iam_error {                                /* codes of those two services */
    S3_IAM_NONE, S3_IAM_INVALID_ACTION, S3_IAM_NO_SUCH_ENTITY, S3_IAM_ALREADY_EXISTS, S3_IAM_DELETE_CONFLICT, S3_IAM_LIMIT_EXCEEDED,
    S3_IAM_MALFORMED_POLICY, S3_IAM_VALIDATION, S3_IAM_ACCESS_DENIED, S3_IAM_SERVICE_FAILURE
};
uint16_t s3_iam_status(enum s3_iam_error e);
const char *s3_iam_code(enum s3_iam_error e);      /* "NoSuchEntity" */
void s3_iam_error_xml(struct buf *out, bool sts, enum s3_iam_error e, const char *message, struct slice request_id);
/* <ActionResponse xmlns=...><ActionResult>body</ActionResult><ResponseMetadata>...; s3_iam_open, then elements, then s3_iam_close. */
void s3_iam_open(struct buf *out, bool sts, const char *action);
void s3_iam_element(struct buf *out, const char *name, struct slice value);
void s3_iam_tag(struct buf *out, const char *name, bool open);                /* <name> or </name> */
void s3_iam_close(struct buf *out, const char *action, struct slice request_id);

#endif
