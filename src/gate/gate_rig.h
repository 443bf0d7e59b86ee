/* SPDX-License-Identifier: Apache-2.0
 * gate_rig: a gate for tests: the real pipeline and logbook, one tenant in memory, a keeper and a front that the test plays.
 *
 * Everything runs in one loop. The keeper answers by itself unless told to hold; what it saw is a list of lines ("find k", "apply 3",
 * "grant"), what the front got is a list of frames. Role: tests only. Threads: the test's.
 */
#ifndef TILLIT_GATE_RIG_H
#define TILLIT_GATE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/conn.h"
#include "record/record.h"

#define RIG_EVENTS_MAX 512
#define RIG_FRAMES_MAX 64
#define RIG_OBJECTS_MAX 32
#define RIG_KEY "AKIAAAAAAAAAAAAAAAAA"
#define RIG_BUCKET "bucket"

struct rig_frame {
    uint8_t type;
    uint64_t id;
    struct buf payload;
};
struct rig_object {
    char key[64];
    struct buf entry;
};
struct rig_held {                                  /* a frame the keeper has not answered yet */
    uint8_t type;
    uint64_t id;
    uint64_t index;
    uint8_t log[ID_BYTES];
    struct buf payload;
};
struct rig {
    struct gate *g;
    struct gate_tenant *t;
    char dir[64];
    char events[RIG_EVENTS_MAX][48];
    size_t event_count;
    struct rig_frame frames[RIG_FRAMES_MAX];
    size_t frame_count;
    struct rig_object objects[RIG_OBJECTS_MAX];
    size_t object_count;
    struct rig_held held[RIG_FRAMES_MAX];
    size_t held_count;
    bool hold_finds, hold_applies, hold_scans, refuse;
    uint64_t watermark, as_of;
    /* What a test's own keeper knows beyond PUT and DELETE of current versions: asked first, true: it has answered. */
    bool (*keeper_also)(struct rig *r, uint8_t type, uint64_t id, struct slice payload);
    struct wire_listener *listener;
    struct wire_conn *keeper, *front;
    bool front_gone;
    struct gate_key key;
};

struct rig *rig_new(void);                         /* keeper connected, tenant served */
void rig_free(struct rig *r);
void rig_turns(struct rig *r, unsigned ms);        /* lets the loop run */
void rig_event(struct rig *r, const char *what, const char *detail);
/* Number of the first event equal to text from `from` on, or -1. */
int rig_saw(const struct rig *r, const char *text, size_t from);
/* Runs until the front got a frame for id (returned, removed from the list by rig_drop), failing the test after 3 s. */
struct rig_frame *rig_wait(struct rig *r, uint64_t id);
struct rig_frame *rig_frame_of(struct rig *r, uint64_t id);   /* NULL: none so far */
void rig_wait_event(struct rig *r, const char *text, size_t count);
void rig_release_held(struct rig *r);              /* the keeper answers all that it held, in order */
void rig_drop_keeper(struct rig *r);               /* its connection breaks */

struct rig_ask {
    const char *method, *path, *query;
    const char *header, *value;                    /* one more signed header */
    const char *unsigned_header, *unsigned_value;
    uint64_t body_size;
    const char *body;                              /* its SHA-256 is signed; NULL: UNSIGNED-PAYLOAD when there is a size */
    bool wrong_signature, anonymous;
};
void rig_ask(struct rig *r, uint64_t id, struct rig_ask a);
void rig_commit(struct rig *r, uint64_t id, const char *body);
/* ASK, TICKET, COMMIT; the answer is for rig_wait(). */
void rig_put(struct rig *r, uint64_t id, const char *path, const char *body);

struct rig_leaf {
    struct buf bytes, opening_bytes;
    struct record_leaf leaf;
    struct record_opening opening;
};
/* The leaf of the access log; ver: opened, RECORD_VER_NONE too. */
void rig_leaf(struct rig *r, uint64_t index, struct rig_leaf *out);
uint64_t rig_leaf_ver(const struct rig_leaf *l);
void rig_leaf_done(struct rig_leaf *l);
uint64_t rig_receipt(struct slice receipt);        /* the index */

#endif
