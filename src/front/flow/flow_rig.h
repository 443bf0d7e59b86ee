/* SPDX-License-Identifier: Apache-2.0
 * A host for tests of the flows: records what they send and say; the test plays gate, keeper and client.
 */
#ifndef TILLIT_FLOW_RIG_H
#define TILLIT_FLOW_RIG_H

#include "flow/flow_in.h"

struct rig {
    struct flow_worker w;
    struct flow f;
    struct flow_request q;
    struct s3_header headers[12];
    struct buf body;                               /* what the client got */
    uint16_t status;
    uint64_t length;
    unsigned heads, cuts, resets, bodies, afters, files;
    bool last, no_body, close;
    enum flow_write next_write;                    /* what write() answers */
    struct buf file;                               /* what file_read() reads; when empty reads fail */
    bool file_later;
    uint8_t *file_out;
    uint64_t file_off;
    size_t file_n;
    struct buf head;                               /* headers list of the last head */
    void *mem[256];
    size_t mem_count;
};
void rig_init(struct rig *r);
void rig_done(struct rig *r);
/* A signed-looking request: the front does not check signatures. */
void rig_request(struct rig *r, const char *method, const char *target);
void rig_header(struct rig *r, const char *name, const char *value);
void rig_up(struct rig *r);                        /* both peers say HELLO; what the front queued so far is dropped */
void rig_start(struct rig *r);
/* The next frame queued for a peer: false when there is none. The payload is valid until the next call for the same peer. */
bool rig_next(struct rig *r, struct flow_peer *p, uint8_t *type, uint64_t *id, struct buf *payload);
enum err rig_give(struct rig *r, struct flow_peer *p, const struct buf *frames);

#endif
