/* SPDX-License-Identifier: Apache-2.0
 * A keeper in this process with a gate and fronts on socket pairs: for the unit tests of this room.
 */
#ifndef TILLIT_KEEPER_TEST_H
#define TILLIT_KEEPER_TEST_H

#include "keeper/keeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct peer {
    int fd;
    struct buf in;
    uint8_t type; /* of the frame last received */
    uint64_t id;
    uint64_t front_id;
};
struct rig {
    char dir[64];
    struct loop *loop;
    struct keeper k;
    struct peer gate, front;
    uint64_t index; /* next leaf */
    struct usage usage; /* of rig_log, as SETTLED or USAGE last said */
};

extern const uint8_t rig_log[ID_BYTES];
extern const uint8_t rig_bucket[ID_BYTES];

void rig_open(struct rig *r, const struct store_engine *e); /* a fresh directory, gate READY, one front */
void rig_start(struct rig *r, const struct store_engine *e);
void rig_halt(struct rig *r);  /* stops the keeper, the directory stays */
void rig_remove(struct rig *r);  /* the directory */
void rig_close(struct rig *r);   /* both */
void rig_turn(struct rig *r, int ms);

void peer_gate(struct rig *r, struct peer *p);  /* connects and shakes hands; no OPENINDEX */
void peer_front(struct rig *r, struct peer *p);
void peer_access(struct rig *r, struct peer *p);
void peer_done(struct peer *p);
void peer_send(struct peer *p, const struct buf *frames);
struct slice peer_recv(struct rig *r, struct peer *p, uint8_t type); /* the next frame, which must be of that type */
bool peer_closed(struct rig *r, struct peer *p, int within_ms);
bool peer_silent(struct rig *r, struct peer *p, int ms);

#define PEER_SEND(p, name, id_, ...)                                                                                  \
    do {                                                                                                              \
        struct buf frame_ = BUF_INIT(WIRE_FRAME_BYTES_MAX + 64);                                                      \
        struct wire_##name message_ = {__VA_ARGS__};                                                                  \
        assert_int_equal(wire_put_##name(&frame_, id_, &message_), ERR_OK);                                           \
        peer_send(p, &frame_);                                                                                        \
        buf_done(&frame_);                                                                                            \
    } while (0)

struct blob {
    uint8_t id[ID_BYTES];
    uint64_t size;
};
struct blob rig_blob(struct rig *r, uint64_t size);                  /* a fresh id */
void rig_grant(struct rig *r, const struct blob *b, const struct peer *front, uint64_t max);
void rig_stage_piece(struct peer *p, const struct blob *b, uint64_t off, size_t n, bool last);
struct blob rig_staged(struct rig *r, uint64_t size);                /* granted, sent by r->front, sealed */
void command_put(struct buf *out, const char *key, uint64_t leaf, uint64_t guard, uint64_t at, const struct blob *b);
void command_delete(struct buf *out, const char *key, uint64_t guard, uint64_t at);
void command_undelete(struct buf *out, const char *key, uint64_t leaf, uint64_t guard, uint64_t grave_leaf, const struct blob *b);
void command_purge(struct buf *out, uint64_t before, bool gone);
/* Pieces that commands are built of. */
struct entry_parts {
    uint8_t flags;
    uint64_t leaf, revision;                      /* revision 0: the leaf */
    const struct blob *blobs;
    size_t blob_count;
    const uint8_t *set;
    uint16_t parts;
};
void build_entry(struct buf *out, const struct entry_parts *p);
void build_entry_lp32(struct buf *out, const struct entry_parts *p);
void build_head(struct buf *out, uint8_t kind, uint64_t at);
void build_place(struct buf *out, const char *key);
void build_turn(struct buf *out, const struct command_turn *t);
void rig_send_pieces(struct rig *r, uint64_t index, struct slice command, size_t piece);
uint8_t rig_run(struct rig *r, struct buf *command);                 /* at r->index, which moves on; the command is freed */
void rig_usage_more(struct rig *r, struct store_batch *b, uint64_t objects, uint64_t bytes);   /* for rows that a test puts itself */
struct wire_found rig_find_any(struct rig *r, const char *key, struct wire_find q);      /* lives until the next frame */
void rig_send_apply(struct rig *r, uint64_t index, const struct buf *command);
uint8_t rig_outcome(struct rig *r, uint64_t index);                  /* of the next SETTLED, which must be of that leaf */
uint8_t rig_put(struct rig *r, const char *key, uint64_t guard, const struct blob *b);   /* at r->index, which moves on */
uint8_t rig_delete(struct rig *r, const char *key, uint64_t guard);
uint8_t rig_purge(struct rig *r, uint64_t before);
/* The leaf of the current entry, COMMAND_GUARD_ABSENT without one; *location gets the first location. */
uint64_t rig_find(struct rig *r, const char *key, bool grave, struct buf *location);
uint8_t rig_read(struct rig *r, const struct buf *location, uint64_t off, uint32_t len);  /* WIRE_DATA_*; checks the pattern */
uint8_t rig_pattern(uint64_t at);
unsigned rig_files(const struct rig *r, const char *below);         /* regular files under it */

#endif
