/* SPDX-License-Identifier: Apache-2.0
 * meter: how much is in flight under a grant, who waits for it, and who is told to stop.
 *
 * A stream is a read under a grant. It holds one segment from before its FIND until the front said that all of it was given to the socket, and
 * METER_SEGMENTS_MAX are held by all streams of a grant together; the others wait in line. A stream that goes on waits anew, behind the others.
 *
 * Ownership: struct meter_stream is embedded in its request, and left before that ends. Threads: the loop's.
 */
#ifndef TILLIT_GATE_METER_H
#define TILLIT_GATE_METER_H

#include "base/base.h"
#include "base/limits.h"

struct gate;
struct gate_request;
struct meter;                                      /* of one grant, while it has streams */

struct meter_stream {
    struct list node, line;                        /* its grant's streams; its grant's line, while it waits */
    struct meter *meter;                           /* NULL: it is none, or is over */
    bool holds;
    bool released;                                 /* a key went out for it: it is over when the front says so, and not before */
    bool killed;                                   /* KILL was sent */
    void (*go)(struct gate_request *r);
};

/* A segment for r, now or when its turn comes; go() is called once it has one, within this call or from a later one. False: METER_STREAMS_MAX. */
MUST_USE bool meter_enter(struct gate_request *r, void (*go)(struct gate_request *r));
void meter_sent(struct gate_request *r);           /* the front has given all of its segment to the socket */
void meter_leave(struct gate_request *r);          /* it is over; does nothing when it is no stream */
void meter_put_kill(struct gate_request *r);       /* KILL, once */

#endif
