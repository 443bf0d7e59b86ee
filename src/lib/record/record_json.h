/* SPDX-License-Identifier: Apache-2.0
 * Restricted canonical JSON, the form that leaves and statements share; not for other rooms.
 * Spec: docs/spec/record.md section 1
 */
#ifndef TILLIT_RECORD_JSON_H
#define TILLIT_RECORD_JSON_H

#include "record/record.h"

/* 0x20..0x7e without '"' and '\', at most RECORD_TEXT_BYTES_MAX. */
bool record_canonical_ok(struct slice text);

/* Appends '{' or ',' and "key": */
void record_json_key(struct buf *out, bool first, const char *key);
/* Makes out bad when the text is not canonical. */
void record_json_text(struct buf *out, struct slice text);

/* Cursor over an object; every function refuses what the appender would not have written. */
struct record_json {
    const uint8_t *p, *end;
    bool first;
};
MUST_USE enum err record_json_open(struct record_json *j, struct slice text);
/* *more false: the object is closed and nothing follows. The caller checks the order of keys against its table. */
MUST_USE enum err record_json_next(struct record_json *j, struct slice *key, bool *more);
MUST_USE enum err record_json_get_int(struct record_json *j, uint64_t *out);
MUST_USE enum err record_json_get_text(struct record_json *j, struct slice *out);
/* The same up to another length; ERR_LIMIT past it. */
MUST_USE enum err record_json_get_text_max(struct record_json *j, size_t max, struct slice *out);
/* A list; list is what stands between the brackets. TERMS: texts that may hold bytes from 0x80 on; which of them may is record_terms_check's matter. */
enum record_json_items { RECORD_JSON_INTS, RECORD_JSON_TEXTS, RECORD_JSON_TERMS };
MUST_USE enum err record_json_get_list(struct record_json *j, enum record_json_items items, struct slice *list, uint64_t *count);

/* Terms of statements (term.c) */
typedef uint64_t record_term_set;                  /* 1 << RECORD_TERM_* */
/* list: as record_json_get_list gave it. INPUT: not sorted, not known, not allowed, more than once, of another type, or one is missing. */
MUST_USE enum err record_terms_check(struct slice list, record_term_set required, record_term_set allowed);
/* Appends the list, brackets included. Makes out bad when it runs past STATEMENT_BYTES_MAX; INPUT: what is written would not be read. */
MUST_USE enum err record_terms_put(const struct record_term_value *terms, size_t count, record_term_set required, record_term_set allowed, struct buf *out);

/* client_data.c: does clientDataJSON say a get with this challenge (base64url), at this origin and nowhere inside another page? */
enum record_webauthn record_client_data_check(struct slice text, struct slice challenge, struct slice origin);

#endif
