/* SPDX-License-Identifier: Apache-2.0
 * What the files of the s3 room share and nobody else needs.
 */
#ifndef TILLIT_S3_INNER_H
#define TILLIT_S3_INNER_H

#include "s3/s3.h"

/* SignedHeaders as SigV4 wants it: lower-case tokens, ascending, none twice. */
bool s3_signed_list_ok(struct slice list);
/* Cuts the next name off *list; false at the end. */
bool s3_signed_next(struct slice *list, struct slice *name);

/* A parameter's value: p NULL when absent, not NULL when it is there and empty. */
struct slice s3_param_value(const struct s3_param *p, size_t n, const char *name);
/* InvalidArgument with ArgumentName and ArgumentValue. */
enum s3_error s3_bad_argument(struct s3_fault *f, const char *name, struct slice value, const char *why);

/* XML out: xml_out.c */
#define S3_XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define S3_XML_NS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
void s3_put_open(struct buf *out, const char *name);
void s3_put_close(struct buf *out, const char *name);
void s3_put_element(struct buf *out, const char *name, struct slice text);
void s3_put_element_str(struct buf *out, const char *name, const char *text);
void s3_put_element_dec(struct buf *out, const char *name, uint64_t v);
void s3_put_element_time(struct buf *out, const char *name, uint64_t ms);
/* A key, prefix, marker or delimiter: percent-encoded when the client asked for it. */
void s3_put_element_key(struct buf *out, const char *name, struct slice key, bool url);
void s3_put_element_etag(struct buf *out, struct slice etag);     /* in quotes */
void s3_put_part_sum(struct buf *out, enum s3_sum sum, struct slice value);   /* base64; nothing when there is none */

/* tags.c: InvalidTag for what may be no tag; sorts tags, refuses doubles and writes the canonical form. */
enum s3_error s3_tag_check(struct slice key, struct slice value, struct s3_fault *f);
enum s3_error s3_tags_write(struct s3_param *tags, size_t n, struct buf *out, struct s3_fault *f);

/* Documents as trees: xml_in.c. Elements in document order; the children of i are i+1, then end of that one, ... below end of i. */
enum s3_node {
    N_NONE, N_ROOT, N_LOCATION, N_QUIET, N_OBJECT, N_KEY, N_VERSION, N_ETAG, N_UNKEPT,                  /* create, delete */
    N_SET, N_TAG, N_VALUE, N_STATUS, N_MFA,                                                              /* tagging, versioning */
    N_PART, N_NUMBER, N_SUM,                                                                             /* complete */
    N_RULE, N_ID, N_HEADER, N_METHOD, N_ORIGIN, N_EXPOSE, N_MAX_AGE,                                     /* CORS */
    N_PREFIX, N_FILTER, N_AND, N_LARGER, N_SMALLER, N_EXPIRATION, N_DAYS, N_DATE, N_MARKER,              /* lifecycle */
    N_NONCURRENT, N_NEWER, N_ABORT, N_TRANSITION, N_CLASS,
    N_BLOCK_ACLS, N_IGNORE_ACLS, N_BLOCK_POLICY, N_RESTRICT, N_WORD,                                     /* block, ownership */
    N_OWNER, N_NAME, N_LIST, N_GRANT, N_GRANTEE, N_URI, N_PERMISSION,                                    /* ACL */
    N__COUNT
};
struct s3_xml_node {
    uint8_t node, sum;                             /* enum s3_node; enum s3_sum for N_SUM */
    uint32_t end;                                  /* index behind the last descendant */
    uint32_t at, n;                                /* text */
};
/* Ends the document: MalformedXML unless it was whole. Then the nodes and texts stand still. */
enum s3_error s3_xml_finish(struct s3_xml *x);
/* Sticky MalformedXML. */
enum s3_error s3_xml_refuse(struct s3_xml *x);
enum s3_xml_kind s3_xml_kind_of(const struct s3_xml *x);
bool s3_xml_empty(const struct s3_xml *x);         /* no byte came */
const struct s3_xml_node *s3_xml_nodes(const struct s3_xml *x, size_t *count);
struct slice s3_xml_text(const struct s3_xml *x, const struct s3_xml_node *node);
/* The first child of `parent` that is `node`; 0 when there is none. */
size_t s3_xml_child(const struct s3_xml *x, size_t parent, enum s3_node node);
/* Its text, white space off both ends; p NULL when there is none. */
struct slice s3_xml_child_text(const struct s3_xml *x, size_t parent, enum s3_node node);
/* An array for an end function's result, zeroed, freed with x. */
void *s3_xml_result(struct s3_xml *x, size_t count, size_t size);
bool s3_xml_bool(struct slice word, bool *out);    /* true, false in any case; false: neither */
/* The child of `parent` behind `*i` (0: the first); false at the end. */
bool s3_xml_next(const struct s3_xml *x, size_t parent, size_t *i);

/* lifecycle_doc.c: a full time in UTC, or a date alone. */
bool s3_lifecycle_date(struct slice text, uint64_t *ms);

/* form_fields.c: the fields of a form, as the front hands them over: lp16 name, lp16 value. */
bool s3_field_next(struct reader *r, struct slice *name, struct slice *value);
struct slice s3_field(struct slice fields, const char *name);     /* any case; p NULL when absent */

#endif
