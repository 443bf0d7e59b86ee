/* SPDX-License-Identifier: Apache-2.0
 * Restricted canonical JSON, the form that leaves and statements share; not for other rooms.
 * Spec: docs/spec/record.md section 1
 */
#ifndef TILLIT_RECORD_JSON_H
#define TILLIT_RECORD_JSON_H

#include "record/record.h"

/* 0x20..0x7e without '"' and '\', at most RECORD_TEXT_BYTES_MAX. */
bool record_text_ok(struct slice text);

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
/* A list of texts or of integers; list is what stands between the brackets. */
MUST_USE enum err record_json_get_list(struct record_json *j, bool texts, struct slice *list, uint64_t *count);

#endif
