/* SPDX-License-Identifier: Apache-2.0
 * conn: the gate's peers on DIR/run/gate/front, access and steward: frames in, answers out.
 *
 * A frame that does not fit (an id in use, a COMMIT without ticket, a malformed field) costs the peer its connection; refused input
 * gets an answer. When a peer is gone its requests are orphans: decided ones are finished, tickets are dropped.
 *
 * Threads: the loop's.
 */
#ifndef TILLIT_GATE_CONN_H
#define TILLIT_GATE_CONN_H

#include "gate/request.h"

struct gate_conn {
    uint32_t magic;
    struct gate *gate;
    struct wire_conn *wire;
    uint8_t role;                                  /* WIRE_ROLE_FRONT, ACCESS or STEWARD, by the path */
    uint64_t number;
    struct list requests;                          /* gate_request.node */
};

/* All listeners. uids: who may connect beside root and ourselves; -1 nobody else. */
MUST_USE enum err conns_open(struct gate *g, int front_uid, int access_uid, int steward_uid);
void conns_close(struct gate *g);
void conn_put_answer(struct gate_conn *c, uint64_t wire_id, const struct wire_answer *m);
void conn_put_wantbody(struct gate_conn *c, uint64_t wire_id, const uint8_t request[ID_BYTES], uint32_t size_max);
void conn_put_listing(struct gate_conn *c, uint64_t wire_id, const struct wire_listing *m);
/* LAW-1: rec is asserted to be durable, the pair of step_release(). */
void conn_put_release(struct gate_conn *c, uint64_t wire_id, const struct wire_release *m, const struct recorded *rec);
void conn_put_kill(struct gate_conn *c, uint64_t wire_id);
/* Leaves at the end of the turn, after the keeper's GRANT was flushed. */
void conn_put_ticket(struct gate_conn *c, uint64_t wire_id, const struct wire_ticket *m);
/* Now, for what must go out behind a ticket. */
void conn_tickets_leave(void);
/* Tests hand over one end of a socketpair. */
struct gate_conn *conn_accept(struct gate *g, int fd, uint8_t role);

#endif
