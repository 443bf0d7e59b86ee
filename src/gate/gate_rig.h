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

#define RIG_EVENTS_MAX 1024
#define RIG_FRAMES_MAX 256
#define RIG_OBJECTS_MAX 64
#define RIG_UPLOADS_MAX 16
#define RIG_PARTS_MAX 256
#define RIG_HEADERS_MAX 8
#define RIG_KEY "AKIAAAAAAAAAAAAAAAAA"
#define RIG_KEY_OTHER "AKIABBBBBBBBBBBBBBBB"   /* of another account of the tenant, with the same secret */
#define RIG_SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define RIG_ACCOUNT "123456789012"
#define RIG_ACCOUNT_OTHER "210987654321"
#define RIG_BUCKET "bucket"
#define RIG_CONTROL_LEAVES 4                      /* that found the tenant */

struct rig_frame {
    uint8_t type;
    uint64_t id;
    struct buf payload;
};
enum rig_state { RIG_CURRENT, RIG_NONCURRENT, RIG_GRAVE, RIG_GONE };
struct rig_object {                                /* a version */
    char key[64];
    uint8_t bucket[ID_BYTES];
    enum rig_state state;
    uint64_t buried;                               /* order of burial */
    struct buf entry;
};
struct rig_upload {
    char key[64];
    uint8_t bucket[ID_BYTES], id[ID_BYTES];
    struct buf entry;                              /* empty: ended */
};
struct rig_part {
    uint8_t id[ID_BYTES];
    uint16_t number;
    struct buf entry;
};
struct rig_row {                                   /* of a set */
    uint8_t set[ID_BYTES], blob[ID_BYTES];
    uint16_t number;
    uint64_t off, plain_size, cipher_size;
    struct buf sealed;
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
    struct rig_upload uploads[RIG_UPLOADS_MAX];
    size_t upload_count;
    struct rig_part parts[RIG_PARTS_MAX];
    size_t part_count;
    struct rig_row rows[RIG_PARTS_MAX];
    size_t row_count;
    uint64_t burials;
    size_t found_parts_max;                        /* part rows of one FOUND; 0: as the keeper */
    struct buf pieces;                             /* of a command under way */
    struct rig_held held[RIG_FRAMES_MAX];
    size_t held_count;
    bool hold_finds, hold_applies, hold_scans, refuse;
    uint64_t watermark, as_of;
    /* What a test's own keeper knows beyond PUT and DELETE of current versions: asked first, true: it has answered. */
    bool (*keeper_also)(struct rig *r, uint8_t type, uint64_t id, struct slice payload);
    struct wire_listener *listener;
    struct wire_conn *keeper, *front, *access;     /* access: use_rig.c's */
    bool front_gone, access_gone;
    struct gate_key key, other_key;
    bool anonymous;                                /* the listener's tenant is this one: callers without a credential reach policy */
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
#ifdef TILLIT_BREAKS
void rig_breaks(struct rig *r, const char *lines); /* what breaks_init()'s file says from now on */
#endif

struct rig_ask {
    const char *method, *path, *query;
    const char *header, *value;                    /* one more signed header */
    struct s3_header headers[RIG_HEADERS_MAX];     /* and more; the first without a name ends them */
    const char *key, *secret;                      /* access key; NULL: RIG_KEY, RIG_SECRET */
    bool access;                                   /* by the access front: use_rig.h */
    const char *service;                           /* of the credential; NULL: s3 */
    const char *form;                              /* body of an IAM or STS call: its digest is signed */
    const char *unsigned_header, *unsigned_value;
    uint64_t body_size;
    const char *body;                              /* its SHA-256 is signed; NULL: UNSIGNED-PAYLOAD when there is a size */
    bool wrong_signature, anonymous;
    bool api;                                      /* on the API's port: service tillit */
};
void rig_ask(struct rig *r, uint64_t id, struct rig_ask a);
void rig_commit(struct rig *r, uint64_t id, const char *body);
/* A COMMIT that says a body of `size` bytes was staged, with digests of nothing in particular: for parts too large to hash in a test. */
void rig_commit_size(struct rig *r, uint64_t id, uint64_t size);
/* ASK, its WANTBODY, the body, with its Content-MD5 signed. */
void rig_control(struct rig *r, uint64_t id, struct rig_ask a);
struct wire_answer rig_answer(struct rig *r, uint64_t id);             /* waits for an ANSWER; fails the test for another frame */
struct wire_release rig_release(struct rig *r, uint64_t id);
void rig_status(struct rig *r, uint64_t id, unsigned status, const char *code);
/* ASK, TICKET, COMMIT; the answer is for rig_wait(). */
void rig_put(struct rig *r, uint64_t id, const char *path, const char *body);
void rig_put_done(struct rig *r, uint64_t id, const char *path, const char *body);      /* and it is 200 */
struct slice rig_header(struct slice headers, const char *name);       /* any case; p NULL: none */
void rig_forget(struct rig *r, uint64_t id);       /* takes id's frame off, so that the next one of the same id is waited for */

/* gate_rig_keeper.c: what the keeper does when nothing is held */
bool rig_command(struct rig *r, struct slice command);                 /* false: refused */
void rig_find(struct rig *r, uint64_t id, const struct wire_find *m);
void rig_scan(struct rig *r, uint64_t id, const struct wire_scan *m);
void rig_keeper_done(struct rig *r);

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
