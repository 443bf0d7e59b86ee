/* SPDX-License-Identifier: Apache-2.0
 * Fuzzes what peers send: the input's first byte says which peer and request, the rest are its frames with the id put right.
 * Role: fuzz target. Trusts: nothing. Distrusts: frames. Spec: docs/spec/wire.md.
 */
#include "flow/flow_rig.c" /* the build links a fuzz target with its room alone */

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const targets[] = {"/b/k", "/b?list-type=2", "/b/k", "/log/cap/tile/0/000"};
    struct flow_tile t;
    if (n < 1) return 0;
    flow_tile_parse(slice_of(data, n), &t);
    struct rig *r = malloc(sizeof *r);
    rig_init(r);
    rig_request(r, data[0] & 1 ? "PUT" : "GET", targets[data[0] >> 1 & 3]);
    if ((data[0] >> 1 & 3) == 3) r->q.port = FLOW_PORT_API;
    if (data[0] & 1) {
        rig_header(r, "Content-Length", "5");
        r->q.length_known = r->q.has_body = true;
        r->q.length = 5;
    }
    rig_up(r);
    rig_start(r);
    uint64_t id = r->f.id;
    uint8_t *copy = malloc(n);
    memcpy(copy, data + 1, n - 1);
    /* The id is random; a fuzzer cannot guess it, so each frame gets it. */
    for (size_t at = 0; n - 1 - at >= WIRE_HEADER_BYTES;) {
        size_t len = get_be32(copy + at);
        put_be64(copy + at + 5, id);
        if (len > n - 1 - at - 4 || len < 9) break;
        at += 4 + len;
    }
    size_t taken;
    struct flow_peer *p = data[0] & 16 ? &r->w.keeper : &r->w.gate;
    if (flow_peer_bytes(&r->w, p, slice_of(copy, n - 1), &taken) != ERR_OK) flow_peer_lost(&r->w, p);
    if (data[0] & 1) flow_body(&r->f, slice_of("hello", 5), true);
    flow_can_write(&r->f);
    free(copy);
    rig_done(r);
    free(r);
    return 0;
}
