/* SPDX-License-Identifier: Apache-2.0
 * See flow_rig.h.
 * Role: tests only. Trusts: the test. Distrusts: nothing. Spec: flow.h.
 */
#include "flow/flow_rig.h"

#include <stdlib.h>

static struct rig *rig_of(struct flow *f) { return f->ctx; }

static void on_request(struct flow *f, struct flow_request *out) { *out = rig_of(f)->q; }

static void *on_alloc(struct flow *f, size_t n)
{
    struct rig *r = rig_of(f);
    if (r->mem_count == ARRAY_LEN(r->mem)) return NULL;
    return r->mem[r->mem_count++] = malloc(n);
}

static enum flow_write on_head(struct flow *f, const struct flow_head *h)
{
    struct rig *r = rig_of(f);
    r->heads++;
    r->status = h->status;
    r->length = h->length_known ? h->length : UINT64_MAX;
    r->no_body = h->no_body;
    r->close = h->close;
    buf_reset(&r->head);
    buf_put_slice(&r->head, h->headers);
    if (h->no_body) r->last = true;
    return FLOW_WRITTEN;
}

static enum flow_write on_write(struct flow *f, const struct slice *s, size_t n, bool last)
{
    struct rig *r = rig_of(f);
    for (size_t i = 0; i < n; i++) buf_put_slice(&r->body, s[i]);
    r->last = last;
    return r->next_write;
}

static void on_cut(struct flow *f) { rig_of(f)->cuts++; }
static void on_reset(struct flow *f) { rig_of(f)->resets++; }
static void on_body(struct flow *f) { rig_of(f)->bodies++; }
static void on_kick(struct flow_worker *w) { (void)w; }
static void on_after(struct flow *f) { rig_of(f)->afters++; }

static int64_t on_file_read(struct flow *f, int fd, uint64_t off, uint8_t *out, size_t n)
{
    struct rig *r = rig_of(f);
    (void)fd;
    r->files++;
    r->file_out = out;
    r->file_off = off;
    r->file_n = n;
    if (r->file_later) return -2;
    if (off >= r->file.n) return r->file.n ? 0 : -1;
    size_t part = MIN(n, r->file.n - (size_t)off);
    memcpy(out, r->file.p + off, part);
    return (int64_t)part;
}

static const struct flow_host host = {.request = on_request, .alloc = on_alloc, .head = on_head, .write = on_write, .cut = on_cut, .reset = on_reset,
                                      .body = on_body, .file_read = on_file_read, .kick = on_kick, .after = on_after};

static void fill(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 0x42, n);
}

void rig_init(struct rig *r)
{
    struct rng rng = {.fill = fill};
    memset(r, 0, sizeof *r);
    r->w.host_id = "front-test";
    r->w.blobs_fd = r->w.logs_fd = -1;
    r->w.now_ms = 1000;
    buf_init(&r->body, 64 << 20);
    buf_init(&r->head, 65536);
    buf_init(&r->file, 64 << 20);
    ASSERT(flow_worker_init(&r->w, &host, &rng) == ERR_OK);
    r->f.ctx = r;
}

void rig_done(struct rig *r)
{
    flow_end(&r->f);
    flow_worker_done(&r->w);
    buf_done(&r->body);
    buf_done(&r->head);
    buf_done(&r->file);
    for (size_t i = 0; i < r->mem_count; i++) free(r->mem[i]);
}

void rig_header(struct rig *r, const char *name, const char *value)
{
    ASSERT(r->q.header_count < ARRAY_LEN(r->headers));
    r->headers[r->q.header_count++] = (struct s3_header){slice_str(name), slice_str(value)};
    r->q.headers = r->headers;
}

void rig_request(struct rig *r, const char *method, const char *target)
{
    r->q = (struct flow_request){.method = slice_str(method), .target = slice_str(target), .peer = slice_str("127.0.0.1")};
    rig_header(r, "host", "x");
    rig_header(r, "x-amz-date", "20261124T082116Z");
    rig_header(r, "x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    rig_header(r, "Authorization",
               "AWS4-HMAC-SHA256 Credential=AKIATESTTESTTESTTEST/20261124/eu-north-1/s3/aws4_request, "
               "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
               "Signature=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
}

static void drop_queue(struct rig *r, struct flow_peer *p) { flow_queue_sent(&r->w, &p->out, p->out.bytes + p->out.small.n); }

void rig_up(struct rig *r)
{
    uint8_t boot[ID_BYTES] = {1};
    struct flow_peer *both[] = {&r->w.gate, &r->w.keeper};
    for (size_t i = 0; i < 2; i++) {
        if (both[i]->up) continue;
        flow_peer_connected(&r->w, both[i], boot);
        drop_queue(r, both[i]);
        AUTO(buf) struct buf b = BUF_INIT(4096);
        struct wire_hello m = {.role = i ? WIRE_ROLE_KEEPER : WIRE_ROLE_GATE, .version = WIRE_VERSION, .front_id = i ? 77 : 0};
        ASSERT(wire_put_hello(&b, 0, &m) == ERR_OK && rig_give(r, both[i], &b) == ERR_OK);
    }
}

void rig_start(struct rig *r) { flow_start(&r->f, &r->w); }

bool rig_next(struct rig *r, struct flow_peer *p, uint8_t *type, uint64_t *id, struct buf *payload)
{
    struct flow_piece piece[64];
    AUTO(buf) struct buf all = BUF_INIT(64 << 20);
    size_t n = flow_queue_pieces(&p->out, piece, ARRAY_LEN(piece)), frame_n;
    struct slice body;
    for (size_t i = 0; i < n; i++) buf_put(&all, piece[i].p, piece[i].n);
    if (all.n == 0) return false;
    ASSERT(wire_split(buf_slice(&all), type, id, &body, &frame_n) == ERR_OK);
    buf_reset(payload);
    buf_put_slice(payload, body);
    flow_queue_sent(&r->w, &p->out, frame_n);
    return true;
}

enum err rig_give(struct rig *r, struct flow_peer *p, const struct buf *frames)
{
    size_t taken;
    return flow_peer_bytes(&r->w, p, buf_slice(frames), &taken);
}
