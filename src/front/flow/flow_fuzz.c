/* SPDX-License-Identifier: Apache-2.0
 * Fuzzes what peers send: the input's first byte says which peer and request, the rest are its frames with the id put right.
 *   bit 0 PUT (with bit 5: POST), bits 1 and 2 the target, bit 3 the request was given a copy's ticket, bit 4 the keeper's frames,
 *   bit 5 a form, bit 6 a listing of another kind, bit 7 the role ACCESS: each frame comes from the peer that sends its kind, answers to READ
 *   from the keeper
 * Role: fuzz target. Trusts: nothing. Distrusts: frames. Spec: docs/spec/wire.md.
 */
#include "flow/flow_rig.c" /* the build links a fuzz target with its room alone */

#include <stdlib.h>

static const char form[] = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n"
                           "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nhello\r\n--b--\r\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void begin(struct rig *r, uint8_t how)
{
    static const char *const targets[] = {"/b/k", "/b?list-type=2", "/b/k?uploadId=aaaaaaaaaaaaaaaaaaaaaaaaaa", "/log/cap/tile/0/000"};
    bool put = how & 1, post = how & 32;
    rig_init(r);
    if (post) {
        r->q = (struct flow_request){.method = slice_str("POST"), .target = slice_str(how & 1 ? "/" : "/b"), .peer = slice_str("127.0.0.1"), .has_body = true};
        rig_header(r, "host", "x");
        rig_header(r, "content-type", "multipart/form-data; boundary=b");
    } else {
        rig_request(r, put ? "PUT" : "GET", how & 64 ? how & 1 ? "/b?uploads" : "/b?versions" : targets[how >> 1 & 3]);
        if ((how >> 1 & 3) == 3) r->q.port = FLOW_PORT_API;
    }
    if (put && !post) {
        rig_header(r, "Content-Length", "5");
        r->q.length_known = r->q.has_body = true;
        r->q.length = 5;
    }
    if (how & 128) r->w.role = WIRE_ROLE_ACCESS;
    rig_up(r);
    rig_start(r);
}

/* A ticket before the fuzzed frames, so that they find a copy under way. */
static void give_copy(struct rig *r)
{
    AUTO(buf) struct buf frame = BUF_INIT(4096);
    struct wire_ticket m = {.size_max = 1 << 20, .sums = 2, .copy = 1};
    if (r->f.step != FLOW_ASKED || r->q.port != FLOW_PORT_S3) return;
    if (wire_put_ticket(&frame, r->f.id, &m) != ERR_OK || rig_give(r, &r->w.gate, &frame) != ERR_OK) flow_peer_lost(&r->w, &r->w.gate);
}

/* The id is random; a fuzzer cannot guess it, so each frame gets it. */
static void give_all(struct rig *r, uint8_t how, uint8_t *p, size_t n)
{
    uint64_t id = r->f.id;
    size_t from = 0, taken, len;
    for (size_t i = 0; n - i >= WIRE_HEADER_BYTES; i += 4 + len) {
        len = get_be32(p + i);
        put_be64(p + i + 5, id);
        if (len > n - i - 4 || len < 9) break;
        if (!(how & 128)) continue;
        struct flow_peer *peer = p[i + 4] >= WIRE_CREDIT ? &r->w.keeper : &r->w.gate;
        from = i + 4 + len;
        if (flow_peer_bytes(&r->w, peer, slice_of(p + i, 4 + len), &taken) != ERR_OK) flow_peer_lost(&r->w, peer);
    }
    struct flow_peer *peer = how & 16 ? &r->w.keeper : &r->w.gate;
    if (flow_peer_bytes(&r->w, peer, slice_of(p + from, n - from), &taken) != ERR_OK) flow_peer_lost(&r->w, peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct flow_tile t;
    size_t at = 0;
    if (n < 1) return 0;
    flow_tile_parse(slice_of(data, n), &t);
    struct rig *r = malloc(sizeof *r);
    begin(r, data[0]);
    if (data[0] & 32) at = flow_body(&r->f, slice_str(form), false);
    if (data[0] & 8) give_copy(r);
    uint8_t *copy = malloc(n);
    memcpy(copy, data + 1, n - 1);
    give_all(r, data[0], copy, n - 1);
    if (data[0] & 32) flow_body(&r->f, slice_of(form + at, sizeof form - 1 - at), true);
    else if (data[0] & 1) flow_body(&r->f, slice_of("hello", 5), true);
    flow_can_write(&r->f);
    free(copy);
    rig_done(r);
    free(r);
    return 0;
}
