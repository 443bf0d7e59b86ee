/* SPDX-License-Identifier: Apache-2.0
 * What the nginx side of the front shares. These are the only files that include nginx' headers; the ways of requests are
 * in front/flow.
 *
 * Lifetimes, which are nginx' price:
 *   A request is referenced once while a flow runs: by the handler that returned NGX_DONE, then by the body read.
 *   tl_settle() alone finalizes; after it nobody touches the request. Flow entries called from here set `entered`, so that
 *   host->after() leaves the settling to the caller; entries from peers' frames are settled by host->after().
 *   While a thread reads a file (`reading`), the request's memory stays (r->blocked) even when the client is gone (`dead`).
 */
#ifndef TILLIT_NGX_TILLIT_H
#define TILLIT_NGX_TILLIT_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "flow/flow.h"

struct tl_req {
    struct flow flow;
    ngx_http_request_t *r;
    ngx_chain_t *free, *busy;
    unsigned entered : 1;              /* a flow entry of ours is running: do not settle */
    unsigned body_wanted : 1;          /* host->body() was called */
    unsigned body_started : 1;         /* nginx reads the body */
    unsigned body_paused : 1;          /* the flow took less than it was given */
    unsigned body_over : 1;            /* the flow was told the end, or that there is none */
    unsigned pumping : 1;
    unsigned starting : 1;             /* within nginx' read call: posted requests (a termination) wait until it is back */
    unsigned finish : 1;               /* the last byte was given to nginx: finalize with rc */
    unsigned cut : 1;
    unsigned reading : 1;              /* a thread reads a file for us */
    unsigned dead : 1;                 /* the client is gone while reading */
    unsigned settled : 1;
    ngx_int_t rc;
    ngx_thread_task_t *task;
    ngx_event_t start;                 /* the body is wanted already when the flow starts: read when the handler is back */
};

struct tl_peer {
    struct flow_peer *flow;
    const char *name;
    ngx_str_t path;
    ngx_connection_t *c;
    ngx_event_t retry, flush;
    u_char *in;
    size_t in_n;
};

struct tl_main_conf {
    ngx_str_t dir;                     /* tillit_dir */
    ngx_str_t domain;                  /* tillit_domain */
    ngx_uint_t role;                   /* tillit_role: enum wire_role */
    ngx_thread_pool_t *threads;
};
struct tl_loc_conf {
    ngx_uint_t port;                   /* enum flow_port */
};

/* One per worker. */
struct tl_worker {
    struct flow_worker flow;
    struct tl_peer gate, keeper;
    ngx_event_t hold;                  /* keeps a leaving worker alive while requests wait, and is the flows' clock */
    ngx_thread_pool_t *threads;
    uint8_t boot[ID_BYTES];
    char host_id[32];
    struct slice domain;
    struct flow_metrics *all_metrics;
    bool ready;
};
extern struct tl_worker tl;
extern const struct flow_host tl_host;

/* ngx_req.c */
ngx_int_t tl_handler(ngx_http_request_t *r);
ngx_int_t tl_error_handler(ngx_http_request_t *r);
ngx_int_t tl_health_handler(ngx_http_request_t *r);
void tl_settle(struct tl_req *q);
void tl_test_reading(ngx_http_request_t *r);
void tl_hold(void);
void tl_now(void);
struct tl_loc_conf *tl_loc(ngx_http_request_t *r);

/* ngx_body.c */
void tl_host_body(struct flow *f);
void tl_body_run(struct tl_req *q);    /* starts or continues reading */

/* ngx_send.c */
enum flow_write tl_host_head(struct flow *f, const struct flow_head *h);
enum flow_write tl_host_write(struct flow *f, const struct slice *s, size_t n, bool last);
void tl_host_cut(struct flow *f);
void tl_host_reset(struct flow *f);
void tl_no_body(ngx_http_request_t *r);
ngx_int_t tl_push(ngx_http_request_t *r, const char *name, size_t name_n, struct slice value);
ngx_int_t tl_send_page(ngx_http_request_t *r, ngx_uint_t status, const char *type, struct slice body);

/* ngx_file.c */
int64_t tl_host_file_read(struct flow *f, int fd, uint64_t off, uint8_t *out, size_t n);

/* ngx_peer.c */
void tl_peers_start(const ngx_str_t *dir);
void tl_peers_stop(void);
void tl_host_kick(struct flow_worker *w);

/* ngx_module.c */
extern ngx_module_t ngx_http_tillit_module;

#endif
