/* SPDX-License-Identifier: Apache-2.0
 * keeper_link: the one connection to the keeper.
 *
 * Connects to DIR/run/keeper/gate, again every KEEPER_RETRY_MS while it is down. HELLO, OPENINDEX, READY; then flow_ready() compares
 * watermarks and re-sends. FIND and SCAN asked for while it is down, or lost with it, are sent (again) when it is back; what waits
 * longer than PARK_MS is given up with found(NULL) or rows(NULL): 503, nothing was recorded.
 *
 * Ownership: struct keeper_ask is embedded by who asks and must live until its callback or keeper_forget(). Its slices too.
 */
#ifndef TILLIT_GATE_KEEPER_LINK_H
#define TILLIT_GATE_KEEPER_LINK_H

#include "gate/gate.h"

struct keeper_ask {
    struct list node;
    uint64_t wire_id;                              /* 0: idle */
    uint32_t slot;
    bool is_scan, sent;
    uint64_t since_ms;                             /* when it last began to wait */
    struct wire_find find;
    struct wire_scan scan;
    /* FOUND; NULL: the keeper is gone for too long. */
    void (*found)(struct keeper_ask *a, const struct wire_found *m);
    /* Each ROWS; NULL as above. After `last` the ask is over. */
    void (*rows)(struct keeper_ask *a, const struct wire_rows *m);
    /* The ask is being sent: for the first time or again (rows so far are void). NULL allowed. */
    void (*sending)(struct keeper_ask *a);
    void *ctx;
};

struct gate_keeper *keeper_new(struct gate *g);    /* connects from the next turn on */
bool keeper_ready(const struct gate *g);
void keeper_find(struct gate *g, struct keeper_ask *a);    /* found, find and ctx are set */
void keeper_scan(struct gate *g, struct keeper_ask *a);
void keeper_forget(struct gate *g, struct keeper_ask *a);
/* So much is on its way to it that an APPLY should wait: a peer that does not read is dropped, and would be again when all is sent anew. */
bool keeper_full(const struct gate *g);
/* These do nothing while the keeper is not ready: flow_ready() sends what is unsettled then. */
void keeper_apply(struct gate *g, const uint8_t log[ID_BYTES], uint64_t index, struct slice command);
void keeper_mark(struct gate *g, const uint8_t log[ID_BYTES], uint64_t mark);
void keeper_grant(struct gate *g, const uint8_t blob[ID_BYTES], uint64_t front_id, uint64_t cipher_max);
void keeper_flush(struct gate *g);                 /* GRANT before TICKET */
void keeper_sweep(struct gate *g);

#endif
