/* SPDX-License-Identifier: Apache-2.0
 * Answers: heads and bodies through nginx' output filters.
 * Role: host->head(), host->write(), host->cut(), host->reset(); pages of our own.
 * Trusts: the flow's heads. Distrusts: the client's pace: one write at a time, and a timer on it.
 * Spec: RFC 9110, 9112; nginx' output chain rules (flush on every piece, or last); connect(2) on AF_UNSPEC; docs/spec/access.md section 5.
 */
#include "ngx_tillit.h"

#include <sys/socket.h>

static void write_handler(ngx_http_request_t *r);

ngx_int_t tl_push(ngx_http_request_t *r, const char *name, size_t name_n, struct slice value)
{
    ngx_table_elt_t *h = ngx_list_push(&r->headers_out.headers);
    if (!h) return NGX_ERROR;
    h->hash = 1;
    h->key.data = (u_char *)(uintptr_t)name;
    h->key.len = name_n;
    h->value.data = (u_char *)(uintptr_t)value.p;
    h->value.len = value.n;
    h->lowcase_key = h->key.data;
    return NGX_OK;
}

static ngx_int_t push_server(ngx_http_request_t *r)
{
    if (tl_push(r, "Server", 6, SLICE_LIT("Tillit")) != NGX_OK) return NGX_ERROR;
    ngx_list_part_t *part = r->headers_out.headers.last;
    r->headers_out.server = (ngx_table_elt_t *)part->elts + part->nelts - 1;
    return NGX_OK;
}

/* A body that is not read must not be taken for the next request: it is discarded, or the connection closes. */
void tl_no_body(ngx_http_request_t *r)
{
    if (r->headers_in.expect && !r->expect_tested && !r->request_body) r->keepalive = 0;   /* it waits for a 100 that never comes */
    r->expect_tested = 1;
    if (r->reading_body) r->keepalive = 0;
    else if (!r->request_body && ngx_http_discard_request_body(r) != NGX_OK) r->keepalive = 0;
}

/* The wire's header list. Content-Type has a place of its own in nginx; lengths are never in it. */
static ngx_int_t push_headers(ngx_http_request_t *r, struct slice list, bool *typed, bool *cached)
{
    struct reader rd = reader_of(list);
    struct wire_header h;
    while (wire_next_header(&rd, &h)) {
        if (slice_is(h.name, "content-type")) {
            r->headers_out.content_type.data = (u_char *)(uintptr_t)h.value.p;
            r->headers_out.content_type.len = r->headers_out.content_type_len = h.value.n;
            *typed = true;
            continue;
        }
        if (slice_is(h.name, "content-length") || slice_is(h.name, "content-range") || slice_is(h.name, "transfer-encoding") ||
            slice_is(h.name, "connection"))
            continue;
        if (slice_is(h.name, "cache-control")) *cached = true;
        if (tl_push(r, (const char *)h.name.p, h.name.n, h.value) != NGX_OK) return NGX_ERROR;
    }
    return reader_end(&rd) == ERR_OK ? NGX_OK : NGX_ERROR;
}

static ngx_int_t fill_head(ngx_http_request_t *r, struct flow *f, const struct flow_head *h, char range[96])
{
    bool typed = false, cached = false;
    r->headers_out.status = h->status;
    if (push_server(r) != NGX_OK || push_headers(r, h->headers, &typed, &cached) != NGX_OK) return NGX_ERROR;
    if (tl_push(r, "x-amz-request-id", 16, h->request_id) != NGX_OK) return NGX_ERROR;
    if (tl_push(r, "x-amz-id-2", 10, slice_str(tl.host_id)) != NGX_OK) return NGX_ERROR;
    if (h->receipt.n && tl_push(r, "x-tillit-receipt", 16, h->receipt) != NGX_OK) return NGX_ERROR;
    if (f->get && h->status < 300 && tl_push(r, "Accept-Ranges", 13, SLICE_LIT("bytes")) != NGX_OK) return NGX_ERROR;
    if (!typed && h->type) {
        r->headers_out.content_type.data = (u_char *)(uintptr_t)h->type;
        r->headers_out.content_type.len = r->headers_out.content_type_len = ngx_strlen(h->type);
    }
    if (!cached && h->cache && tl_push(r, "Cache-Control", 13, slice_str(h->cache)) != NGX_OK) return NGX_ERROR;
    if (h->part) {
        u_char *end = ngx_snprintf((u_char *)range, 96, "bytes %uL-%uL/%uL", h->part_first,
                                   h->part_first + h->length - 1, h->part_total);
        if (tl_push(r, "Content-Range", 13, slice_of(range, (size_t)(end - (u_char *)range))) != NGX_OK) return NGX_ERROR;
    }
    r->headers_out.content_length_n = h->length_known && h->status != 204 && h->status != 304 ? (off_t)h->length : -1;
    return NGX_OK;
}

static void finish(struct tl_req *q, ngx_int_t rc)
{
    q->finish = 1;
    q->rc = rc;
}

enum flow_write tl_host_head(struct flow *f, const struct flow_head *h)
{
    struct tl_req *q = f->ctx;
    ngx_http_request_t *r = q->r;
    char range[96];
    tl_no_body(r);
    if (h->close) r->keepalive = 0;
    if (fill_head(r, f, h, range) != NGX_OK) {
        q->cut = 1;
        return FLOW_BROKEN;
    }
    if (h->no_body) r->header_only = 1;
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK) {
        q->cut = 1;
        return FLOW_BROKEN;
    }
    if (r->header_only) finish(q, rc);
    return FLOW_WRITTEN;
}

/* Waits until the client has taken what is queued. */
static ngx_int_t wait_write(struct tl_req *q)
{
    ngx_http_request_t *r = q->r;
    ngx_connection_t *c = r->connection;
    ngx_http_core_loc_conf_t *clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    r->write_event_handler = write_handler;
    if (!c->write->delayed) ngx_add_timer(c->write, clcf->send_timeout);
    return ngx_handle_write_event(c->write, clcf->send_lowat);
}

static void keep_chains(struct tl_req *q, ngx_chain_t **out)
{
    ngx_chain_update_chains(q->r->pool, &q->free, &q->busy, out, (ngx_buf_tag_t)&ngx_http_tillit_module);
}

/* Of a metered answer what TLS holds back has not been taken either. */
static bool held(const struct tl_req *q) { return q->busy || (q->flow.metered && q->r->connection->buffered); }

enum flow_write tl_host_write(struct flow *f, const struct slice *s, size_t n, bool last)
{
    struct tl_req *q = f->ctx;
    ngx_http_request_t *r = q->r;
    ngx_chain_t *out = NULL, **tail = &out;
    ngx_buf_t *b = NULL;
    if (q->cut) return FLOW_BROKEN;
    for (size_t i = 0; i < n; i++) {
        if (s[i].n == 0) continue;
        ngx_chain_t *cl = ngx_chain_get_free_buf(r->pool, &q->free);
        if (!cl) {
            q->cut = 1;
            return FLOW_BROKEN;
        }
        b = cl->buf;
        ngx_memzero(b, sizeof *b);
        b->pos = b->start = (u_char *)(uintptr_t)s[i].p;
        b->last = b->end = b->pos + s[i].n;
        b->temporary = 1;
        b->tag = (ngx_buf_tag_t)&ngx_http_tillit_module;
        cl->next = NULL;
        *tail = cl;
        tail = &cl->next;
    }
    if (!b && last) {
        finish(q, ngx_http_send_special(r, NGX_HTTP_LAST));
        return FLOW_WRITTEN;
    }
    if (!b) return FLOW_WRITTEN;
    if (last) b->last_buf = b->last_in_chain = 1;
    else b->flush = 1;
    ngx_int_t rc = ngx_http_output_filter(r, out);
    keep_chains(q, &out);
    if (rc == NGX_ERROR || r->connection->error) {
        q->cut = 1;
        return FLOW_BROKEN;
    }
    if (last) {
        finish(q, rc);
        return FLOW_WRITTEN;
    }
    if (!held(q)) return FLOW_WRITTEN;
    if (wait_write(q) != NGX_OK) {
        q->cut = 1;
        return FLOW_BROKEN;
    }
    return FLOW_BUSY;
}

static void write_handler(ngx_http_request_t *r)
{
    struct tl_req *q = ngx_http_get_module_ctx(r, ngx_http_tillit_module);
    ngx_connection_t *c = r->connection;
    if (!q || q->settled) return;
    if (c->write->timedout) {
        c->timedout = 1;
        q->settled = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }
    if (q->reading || !held(q)) return;
    ngx_chain_t *none = NULL;
    ngx_int_t rc = ngx_http_output_filter(r, NULL);
    keep_chains(q, &none);
    if (rc == NGX_ERROR || c->error) {
        q->cut = 1;
        tl_settle(q);
        return;
    }
    if (held(q)) {
        if (wait_write(q) != NGX_OK) {
            q->cut = 1;
            tl_settle(q);
        }
        return;
    }
    if (c->write->timer_set) ngx_del_timer(c->write);
    tl_now();
    q->entered = 1;
    flow_can_write(&q->flow);
    q->entered = 0;
    tl_settle(q);
}

void tl_host_cut(struct flow *f) { ((struct tl_req *)f->ctx)->cut = 1; }

/* nginx closes the connection later: when the thread that reads for the request is back, or when its own rules let it. The kernel is told now: it
 * empties what it had to send, and says RST. The descriptor stays nginx's. */
void tl_host_reset(struct flow *f)
{
    struct tl_req *q = f->ctx;
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    const struct linger none = {.l_onoff = 1, .l_linger = 0};
    int fd = q->r->connection->fd;
    q->cut = 1;
    if (connect(fd, &nobody, sizeof nobody) != 0) setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

ngx_int_t tl_send_page(ngx_http_request_t *r, ngx_uint_t status, const char *type, struct slice body)
{
    r->headers_out.status = status;
    r->headers_out.content_length_n = (off_t)body.n;
    r->headers_out.content_type.data = (u_char *)(uintptr_t)type;
    r->headers_out.content_type.len = r->headers_out.content_type_len = ngx_strlen(type);
    if (push_server(r) != NGX_OK) return NGX_ERROR;
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;
    ngx_buf_t *b = ngx_create_temp_buf(r->pool, MAX(body.n, 1));
    if (!b) return NGX_ERROR;
    if (body.n) b->last = ngx_cpymem(b->pos, body.p, body.n);
    b->last_buf = b->last_in_chain = 1;
    ngx_chain_t out = {.buf = b};
    return ngx_http_output_filter(r, &out);
}
