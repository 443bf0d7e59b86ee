/* SPDX-License-Identifier: Apache-2.0
 * object_rig: a client of the gate's rig that puts, gets, deletes, tags and copies objects, and reads each command with the keeper's own reader.
 * Role: tests only. Threads: the test's.
 */
#ifndef TILLIT_GATE_OBJECT_RIG_H
#define TILLIT_GATE_OBJECT_RIG_H

#include "gate/gate_rig.h"

#define OBJECT_BODY_MAX 16384

struct answer {
    unsigned status;
    char code[64];
    char version[64], marker[8], etag[80], tags[8], source_version[64];   /* response headers; empty: none */
    uint64_t index;                                /* of its leaf */
    char body[OBJECT_BODY_MAX];                    /* cut */
};

struct rig *object_begin(void);
void object_end(struct rig *r);
uint64_t object_id(void);                          /* a fresh request id */
struct answer object_answer(struct rig *r, uint64_t id);                    /* ANSWER or RELEASE; takes it off */
struct answer object_ask(struct rig *r, struct rig_ask a);
struct answer object_control(struct rig *r, struct rig_ask a, unsigned status);
/* ASK, TICKET, COMMIT. */
struct answer object_put_as(struct rig *r, struct rig_ask a);
struct answer object_put(struct rig *r, const char *path, const char *body);
/* version NULL: none is named */
struct answer object_get(struct rig *r, const char *path, const char *version);
struct answer object_delete(struct rig *r, const char *path, const char *version);
struct answer object_get_tags(struct rig *r, const char *path, const char *version);
struct answer object_tag(struct rig *r, const char *path, const char *version, const char *xml);
struct answer object_copy(struct rig *r, const char *path, const char *source, const char *name, const char *value);
void object_versioning(struct rig *r, const char *status);
void object_undelete(struct rig *r, const char *json, unsigned status);
/* Versions of the key in that state at the keeper. */
size_t object_count(const struct rig *r, const char *key, enum rig_state state);
void object_is(struct answer a, unsigned status, const char *code);
void object_has(struct answer a, const char *text);
void object_lacks(struct answer a, const char *text);
/* <tag>text</tag> number n (from 0) of a document; fails the test when there is none. */
void object_element(struct answer a, const char *tag, size_t n, char *out, size_t out_n);

#endif
