/* SPDX-License-Identifier: Apache-2.0
 * upload_rig: a client of uploads in parts, for tests: key "up" of the rig's bucket. Every command is read by the keeper's own reader, too.
 * Role: tests only. Threads: the test's.
 */
#ifndef TILLIT_GATE_UPLOAD_RIG_H
#define TILLIT_GATE_UPLOAD_RIG_H

#include "gate/gate_rig.h"

extern struct rig_seen {
    struct buf pieces;
    uint8_t kind, source;                          /* of the last command; source of the last PART */
} rig_seen;
extern uint64_t rig_next;                          /* the next request's number */
extern const char *const rig_one_two[2];

/* src/keeper/command.c, compiled under another name (meson.build). */
enum err keeper_command_check(struct slice raw, uint64_t index, size_t *claims);

struct rig *rig_begin(void);                       /* parts may be of one byte */
size_t rig_parts_there(const struct rig *r);
void rig_element(struct slice xml, const char *tag, char *out, size_t out_n);     /* text of <tag> */
/* CreateMultipartUpload, with a header when name is given; the upload's id. */
void rig_create(struct rig *r, const char *name, const char *value, char id[ID_TEXT_CHARS + 1]);
void rig_query(char out[128], const char *id, const char *number);
void rig_part_ask(struct rig *r, uint64_t n, const char *id, const char *number, const char *body);
void rig_ticket(struct rig *r, uint64_t n);        /* waits for it, and forgets it */
/* The whole way of a part: its request's number, and its ETag. */
uint64_t rig_part_put(struct rig *r, const char *id, const char *number, const char *body, char etag[40]);
void rig_body(struct rig *r, uint64_t n, struct slice body);           /* behind a WANTBODY */
void rig_complete_xml(char out[1024], size_t count, const char *const *numbers, char etags[][40]);
uint64_t rig_complete(struct rig *r, const char *id, const char *body, const char *name, const char *value);
uint64_t rig_leaf_at(struct rig *r, uint64_t n);   /* of the answer to n */
void rig_assert_up(const struct rig_leaf *l, const char *id, uint16_t number);
void rig_etag_want(char etags[][40], size_t count, char out[64]);      /* MD5 of MD5s, "-N" */
/* LAW-2: the rows of the object open under its set's key at their own place, and nowhere else. */
void rig_assert_rows_open(struct rig *r, const char *id, const char *const *bodies, size_t count);

#endif
