/* SPDX-License-Identifier: Apache-2.0
 * Request bodies: nginx' unbuffered reading, pumped into flow_body() with back-pressure.
 * Role: host->body(). Nothing is read, and no 100 sent, before the flow asks for it.
 * Trusts: nginx' framing of the body. Distrusts: its pace and its end.
 * Law: 1. Spec: nginx' rules for unbuffered bodies: consume what is there, read again, and only then wait.
 */
#include "ngx_tillit.h"

static void pump(struct tl_req *q);

void tl_host_body(struct flow *f)
{
    struct tl_req *q = f->ctx;
    q->body_wanted = 1;
    q->body_paused = 0;
}

/* The client's pace does not matter while we are the slow ones. */
static void suspend(ngx_connection_t *c)
{
    if (c->read->timer_set) ngx_del_timer(c->read);
    c->read->timedout = 0;
}

static void read_handler(ngx_http_request_t *r)
{
    struct tl_req *q = ngx_http_get_module_ctx(r, ngx_http_tillit_module);
    if (q->settled) return;
    if (q->body_paused) {
        suspend(r->connection);
        return;
    }
    tl_now();
    pump(q);
}

/* nginx could not read on. What the client hears depends on whether it still listens. */
static void failed(struct tl_req *q, ngx_int_t rc)
{
    ngx_http_request_t *r = q->r;
    ngx_connection_t *c = r->connection;
    if (c->error || c->read->eof || (c->read->pending_eof && rc != NGX_HTTP_REQUEST_TIME_OUT)) {
        q->settled = 1;
        ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
        return;
    }
    c->timedout = 0;
    suspend(c);
    enum s3_error e = rc == NGX_HTTP_REQUEST_TIME_OUT ? S3E_RequestTimeout
                      : rc == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE ? S3E_EntityTooLarge
                      : rc == NGX_HTTP_BAD_REQUEST ? S3E_IncompleteBody : S3E_InternalError;
    r->keepalive = 0;
    q->entered = 1;
    flow_body_failed(&q->flow, e);
    q->entered = 0;
    if (!q->finish && !q->cut) {
        /* The flow had no use for the body any more and still waits for its answer: without a body there is nothing to wait for. */
        q->cut = 1;
    }
}

/* True: the flow wants no more of the body now (paused, or over). */
static bool feed(struct tl_req *q, struct slice in, bool end, size_t *taken)
{
    q->entered = 1;
    *taken = flow_body(&q->flow, in, end);
    q->entered = 0;
    if (q->finish || q->cut) return true;
    if (*taken < in.n) {
        q->body_paused = 1;
        suspend(q->r->connection);
        return true;
    }
    return false;
}

/* Long because nginx' rules are: see the notes at the head of this file. */
static void pump(struct tl_req *q)
{
    ngx_http_request_t *r = q->r;
    ngx_connection_t *c = r->connection;
    ngx_http_request_body_t *rb = r->request_body;
    ngx_int_t rc;
    size_t taken;
    q->pumping = 1;
    q->body_wanted = 0;
    for (;;) {
        bool stop = false;
        while (rb && rb->bufs && !stop) {
            ngx_chain_t *cl = rb->bufs;
            size_t n = (size_t)(cl->buf->last - cl->buf->pos);
            stop = feed(q, slice_of(cl->buf->pos, n), false, &taken);
            cl->buf->pos += taken;
            if (taken < n) break;
            rb->bufs = cl->next;
            ngx_free_chain(r->pool, cl);
        }
        if (stop) break;
        if (!r->reading_body) {
            if (!q->body_over) {
                q->body_over = 1;
                feed(q, slice_of(NULL, 0), true, &taken);
                r->read_event_handler = tl_test_reading;
            }
            break;
        }
        rc = ngx_http_read_unbuffered_request_body(r);
        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            failed(q, rc);
            break;
        }
        if (rc == NGX_AGAIN && !rb->bufs && r->reading_body) break;
    }
    q->pumping = 0;
    if (q->settled && !q->starting) ngx_http_run_posted_requests(c);
    else if (q->settled) return;
    else if (q->finish || q->cut) tl_settle(q);
    else if (q->body_wanted && !q->body_over) pump(q);
    else q->body_wanted = 0;
}

static void body_start(ngx_http_request_t *r)
{
    struct tl_req *q = ngx_http_get_module_ctx(r, ngx_http_tillit_module);
    r->read_event_handler = read_handler;
    pump(q);
}

void tl_body_run(struct tl_req *q)
{
    ngx_http_request_t *r = q->r;
    ngx_connection_t *c = r->connection;
    if (q->body_started) {
        /* Woken by a credit or a written chunk: the read timer starts anew when nginx waits again. */
        if (q->body_over) q->body_wanted = 0;
        else pump(q);
        ngx_http_run_posted_requests(c);
        return;
    }
    q->body_started = 1;
    r->request_body_no_buffering = 1;
    q->starting = 1;
    ngx_int_t rc = ngx_http_read_client_request_body(r, body_start);
    q->starting = 0;
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE && !q->settled && !q->finish) {
        failed(q, rc);
        /* The body's reference was given back: the answer is finalized under the handler's. */
        if (!q->settled) tl_settle(q);
        else ngx_http_run_posted_requests(c);      /* the client is gone: its termination is posted */
        return;
    }
    /* The handler's reference; the body read holds its own. */
    ngx_http_finalize_request(r, NGX_DONE);
    ngx_http_run_posted_requests(c);
}
