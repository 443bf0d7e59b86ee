/* SPDX-License-Identifier: Apache-2.0
 * Requests: from nginx' parsed head to a flow, and from a flow's end back to nginx.
 * Role: content handlers of the S3 and API locations, of nginx' own errors, and of the health pages.
 * Trusts: nginx' framing. Distrusts: header lists, which are handed on raw.
 * Law: 2 (no access log, and nothing of a request in the error log). Spec: nginx' request lifetime rules, in ngx_tillit.h.
 */
#include "ngx_tillit.h"

static struct s3_header header_scratch[S3_HEADERS_MAX];

void tl_now(void) { tl.flow.now_ms = ngx_current_msec; }

struct tl_loc_conf *tl_loc(ngx_http_request_t *r) { return ngx_http_get_module_loc_conf(r, ngx_http_tillit_module); }

static struct slice slice_ngx(ngx_str_t s) { return slice_of(s.data, s.len); }

/* An absolute-form target may name a host; the Host header, which is what clients sign, must name the same (H10). */
static bool host_differs(const ngx_http_request_t *r)
{
    if (!r->schema_start || !r->host_start || !r->headers_in.host) return false;
    struct slice uri = slice_of(r->host_start, (size_t)((r->port_end ? r->port_end : r->host_end) - r->host_start));
    return !slice_ieq(uri, slice_ngx(r->headers_in.host->value));
}

static enum s3_error read_headers(ngx_http_request_t *r, struct flow_request *out)
{
    size_t bytes = 0, n = 0;
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part; part = part->next) {
        ngx_table_elt_t *h = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            bytes += h[i].key.len + h[i].value.len + 4;
            if (n == S3_HEADERS_MAX || bytes > S3_HEADER_SECTION_BYTES_MAX) return S3E_RequestHeaderSectionTooLarge;
            header_scratch[n++] = (struct s3_header){slice_ngx(h[i].key), slice_ngx(h[i].value)};
        }
    }
    out->headers = header_scratch;
    out->header_count = n;
    return S3E_NONE;
}

/* What belongs to a connection lies in its pool, which lives until it is closed, and is found by its cleanup's handler. */
static void proven_cleanup(void *data) { (void)data; }

static struct flow_proven *proven_of(ngx_connection_t *c)
{
    ngx_pool_cleanup_t *cln = c->pool ? c->pool->cleanup : NULL;
    while (cln && cln->handler != proven_cleanup) cln = cln->next;
    if (cln || !c->pool) return cln ? cln->data : NULL;
    cln = ngx_pool_cleanup_add(c->pool, sizeof(struct flow_proven));
    if (!cln) return NULL;
    ngx_memzero(cln->data, sizeof(struct flow_proven));
    cln->handler = proven_cleanup;
    return cln->data;
}

static void host_request(struct flow *f, struct flow_request *out)
{
    ngx_http_request_t *r = ((struct tl_req *)f->ctx)->r;
    *out = (struct flow_request){
        .port = (enum flow_port)tl_loc(r)->port,
        .tls = r->connection->ssl != NULL,
        .method = slice_ngx(r->method_name),
        .target = slice_ngx(r->unparsed_uri),
        .peer = slice_ngx(r->connection->addr_text),
        .proven = proven_of(r->connection),
        /* Of a chunked body nginx counts here what it has read so far: that is not a length. */
        .length_known = r->headers_in.content_length_n >= 0 && !r->headers_in.chunked,
        .length = r->headers_in.content_length_n > 0 && !r->headers_in.chunked ? (uint64_t)r->headers_in.content_length_n : 0,
        .has_body = r->headers_in.content_length_n > 0 || r->headers_in.chunked,
    };
    out->refuse = read_headers(r, out);
    if (out->refuse == S3E_NONE && host_differs(r)) out->refuse = S3E_BadRequest;
}

static void *host_alloc(struct flow *f, size_t n)
{
    return ngx_palloc(((struct tl_req *)f->ctx)->r->pool, n);
}

static void host_after(struct flow *f)
{
    struct tl_req *q = f->ctx;
    if (!q->entered) tl_settle(q);
}

const struct flow_host tl_host = {
    .request = host_request,
    .alloc = host_alloc,
    .head = tl_host_head,
    .write = tl_host_write,
    .cut = tl_host_cut,
    .reset = tl_host_reset,
    .body = tl_host_body,
    .file_read = tl_host_file_read,
    .kick = tl_host_kick,
    .after = host_after,
};

/* nginx lets go of the request. */
static void cleanup(void *data)
{
    struct tl_req *q = data;
    tl_now();
    q->settled = 1;
    if (q->start.posted) {
        ngx_delete_posted_event(&q->start);        /* two statements: the braces matter */
    }
    if (q->reading) q->dead = 1;                   /* ngx_file.c ends the flow when the thread is back */
    else flow_end(&q->flow);
}

/* Brings nginx' request to where the flow stands: finishes it, cuts it, or goes on with the body. The request may be gone
 * when this returns. */
void tl_settle(struct tl_req *q)
{
    ngx_http_request_t *r = q->r;
    ngx_connection_t *c = r->connection;
    bool starting = q->starting;                   /* q may be gone after finalizing */
    if (q->settled || q->pumping || q->reading) return;   /* a thread that still reads for us settles it when it is back */
    ngx_http_set_log_request(c->log, r);
    if (q->cut) {
        q->settled = 1;
        c->error = 1;                              /* nothing more is sent: the client sees a short body */
        ngx_http_finalize_request(r, NGX_ERROR);
    } else if (q->finish) {
        q->settled = 1;
        ngx_http_finalize_request(r, q->rc);
    } else if (q->body_wanted) {
        tl_body_run(q);
        return;                                    /* it runs posted requests itself */
    } else {
        return;
    }
    if (!starting) ngx_http_run_posted_requests(c);
}

/* While any request waits for a peer or a disk there is no timer that nginx knows of; without one a leaving worker would exit
 * under it. The same timer is the flows' clock. */
static void hold_handler(ngx_event_t *ev)
{
    tl_now();
    flow_tick(&tl.flow);
    if (tl.flow.active) ngx_add_timer(ev, FLOW_TICK_MS);
}

void tl_hold(void)
{
    if (tl.hold.timer_set) return;
    tl.hold.handler = hold_handler;
    tl.hold.log = ngx_cycle->log;
    tl.hold.data = &tl;
    ngx_add_timer(&tl.hold, FLOW_TICK_MS);
}

static void start_handler(ngx_event_t *ev)
{
    struct tl_req *q = ev->data;
    tl_now();
    tl_settle(q);
}

/* Like ngx_http_test_reading, but a client that has said all it wants to say (it shut down its sending side) still gets its answer. One
 * that is gone altogether looks the same until something is sent to it; then it resets the connection, and that shows here. */
void tl_test_reading(ngx_http_request_t *r)
{
    ngx_connection_t *c = r->connection;
    ngx_event_t *rev = c->read;
    char one[1];
    if (rev->error || rev->timedout) {
        ngx_http_test_reading(r);
        return;
    }
    ssize_t n = recv(c->fd, one, 1, MSG_PEEK);
    if (n > 0 || (n < 0 && ngx_errno == NGX_EAGAIN)) return;
    if (n == 0) {
        rev->eof = 1;
        r->keepalive = 0;
        return;
    }
    ngx_http_test_reading(r);
}

ngx_int_t tl_handler(ngx_http_request_t *r)
{
    if (r->http_version < NGX_HTTP_VERSION_10 || !tl.ready) {
        r->keepalive = 0;
        return tl.ready ? NGX_HTTP_CLOSE : NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    struct tl_req *q = ngx_pcalloc(r->pool, sizeof *q);
    ngx_http_cleanup_t *cln = q ? ngx_http_cleanup_add(r, 0) : NULL;
    if (!cln) return NGX_HTTP_INTERNAL_SERVER_ERROR;
    cln->handler = cleanup;
    cln->data = q;
    q->r = r;
    q->flow.ctx = q;
    ngx_http_set_ctx(r, q, ngx_http_tillit_module);
    r->read_event_handler = tl_test_reading;
    /* Conditions and ranges are the gate's business: nginx must not answer 304, 412 or 206 by itself. */
    r->disable_not_modified = 1;
    r->allow_ranges = 0;
    tl_now();
    tl_hold();
    q->entered = 1;
    flow_start(&q->flow, &tl.flow);
    q->entered = 0;
    if (q->cut) {
        q->settled = 1;
        r->connection->error = 1;
        return NGX_ERROR;
    }
    if (q->finish) {
        q->settled = 1;
        return q->rc;
    }
    if (q->body_wanted) {
        q->start.handler = start_handler;
        q->start.data = q;
        q->start.log = ngx_cycle->log;
        ngx_post_event(&q->start, &ngx_posted_events);
    }
    r->main->count++;
    return NGX_DONE;
}

/* nginx' own errors --------------------------------------------------------------------------------------------------------- */

static enum s3_error of_status(const ngx_http_request_t *r)
{
    /* 494 to 497 are known by their location only: nginx sets the status to 400 before it comes here. */
    if (r->uri.len > 4) {
        const u_char *end = r->uri.data + r->uri.len - 4;
        if (ngx_memcmp(end, "/494", 4) == 0) return S3E_RequestHeaderSectionTooLarge;
        if (ngx_memcmp(end, "/495", 4) == 0 || ngx_memcmp(end, "/496", 4) == 0) return S3E_AccessDenied;
        if (ngx_memcmp(end, "/497", 4) == 0) return S3E_BadRequest;
    }
    /* A Host that is no host name was refused while the headers were read: no bucket has such a name (H09). */
    if (r->err_status == 400 && r->headers_in.host && r->headers_in.server.len == 0 && r->unparsed_uri.len) return S3E_NoSuchBucket;
    switch (r->err_status) {
    case 400: return r->uri_start && r->unparsed_uri.len == 0 && r->request_line.len ? S3E_InvalidURI : S3E_BadRequest;
    case 401:
    case 403: return S3E_AccessDenied;
    case 404: return S3E_NoSuchKey;
    case 405: return S3E_MethodNotAllowed;
    case 408: return S3E_RequestTimeout;
    case 411: return S3E_MissingContentLength;
    case 413: return S3E_EntityTooLarge;
    case 414: return S3E_InvalidURI;
    case 501: return S3E_NotImplemented;
    case 503: return S3E_SlowDown;
    case 505: return S3E_BadRequest;               /* a version of HTTP that nginx does not speak is the client's mistake */
    default: return r->err_status < 500 ? S3E_BadRequest : S3E_InternalError;
    }
}

ngx_int_t tl_error_handler(ngx_http_request_t *r)
{
    AUTO(buf) struct buf body = BUF_INIT(8192);
    AUTO(buf) struct buf text = BUF_INIT(64);
    uint8_t id[ID_BYTES];
    enum s3_error e = of_status(r);
    enum flow_port port = (enum flow_port)tl_loc(r)->port;
    rng_fill(&tl.flow.rng, id, sizeof id);
    buf_put_base32(&text, slice_of(id, sizeof id));
    flow_error_body(&body, port, e, NULL, slice_of(NULL, 0), buf_slice(&text), slice_str(tl.host_id));
    tl_no_body(r);
    r->keepalive = 0;
    if (tl_push(r, "x-amz-request-id", 16, buf_slice(&text)) != NGX_OK || tl_push(r, "x-amz-id-2", 10, slice_str(tl.host_id)) != NGX_OK)
        return NGX_ERROR;
    /* error_page keeps nginx' status unless it is overwritten here: S3 answers 400 where nginx says 413, 414 or 494. */
    r->err_status = 0;
    return tl_send_page(r, (ngx_uint_t)s3_error_status(e), port == FLOW_PORT_API ? "application/problem+json" : "application/xml",
                        buf_slice(&body));
}

/* health ------------------------------------------------------------------------------------------------------------------------ */

ngx_int_t tl_health_handler(ngx_http_request_t *r)
{
    AUTO(buf) struct buf body = BUF_INIT(65536);
    bool ready = tl.ready && tl.flow.gate.up && tl.flow.keeper.up;
    if (r->http_version < NGX_HTTP_VERSION_10) return NGX_HTTP_CLOSE;
    tl_no_body(r);
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) return NGX_HTTP_NOT_ALLOWED;
    if (slice_is(slice_ngx(r->uri), "/-/live")) {
        buf_put_str(&body, "live\n");
        return tl_send_page(r, NGX_HTTP_OK, "text/plain", buf_slice(&body));
    }
    if (slice_is(slice_ngx(r->uri), "/-/ready")) {
        buf_put_str(&body, ready ? "ready\n" : tl.flow.gate.up ? "no keeper\n" : "no gate\n");
        return tl_send_page(r, ready ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE, "text/plain", buf_slice(&body));
    }
    if (!slice_is(slice_ngx(r->uri), "/-/metrics")) return NGX_HTTP_NOT_FOUND;
    flow_metrics_text(&body, tl.all_metrics, FLOW_METRICS_WORKERS_MAX, tl.flow.gate.up, tl.flow.keeper.up);
    return tl_send_page(r, NGX_HTTP_OK, "text/plain; version=0.0.4", buf_slice(&body));
}
