/* SPDX-License-Identifier: Apache-2.0
 * Reads files for flows: at once when the page cache has the bytes, otherwise in a thread of nginx' pool.
 * Role: host->file_read(). The event loop never waits for a disk.
 * Trusts: the file descriptor. Distrusts: lengths: a short read is handed on as it is.
 * Spec: preadv2(2), RWF_NOWAIT.
 */
#include "ngx_tillit.h"

#include <sys/uio.h>

#define FILE_LATER (-2)

struct read_task {
    struct tl_req *q;
    int fd;
    uint64_t off;
    uint8_t *out;
    size_t n;
    int64_t got;
};

/* In a pool thread: touches nothing but the task. */
static void read_run(void *data, ngx_log_t *log)
{
    struct read_task *t = data;
    size_t have = 0;
    (void)log;
    while (have < t->n) {
        ssize_t n = pread(t->fd, t->out + have, t->n - have, (off_t)(t->off + have));
        if (n < 0 && ngx_errno == NGX_EINTR) continue;
        if (n <= 0) break;
        have += (size_t)n;
    }
    t->got = (int64_t)have;
}

static void read_done(ngx_event_t *ev)
{
    struct read_task *t = ev->data;
    struct tl_req *q = t->q;
    ngx_http_request_t *r = q->r;
    ngx_connection_t *c = r->connection;
    ngx_http_set_log_request(c->log, r);
    r->main->blocked--;
    q->reading = 0;
    tl_now();
    if (q->dead) {
        /* The client went while the thread read: the request waits for this to be freed. */
        flow_end(&q->flow);
        r->write_event_handler(r);
        ngx_http_run_posted_requests(c);
        return;
    }
    q->entered = 1;
    flow_file_done(&q->flow, t->got);
    q->entered = 0;
    tl_settle(q);
}

int64_t tl_host_file_read(struct flow *f, int fd, uint64_t off, uint8_t *out, size_t n)
{
    struct tl_req *q = f->ctx;
    struct iovec v = {.iov_base = out, .iov_len = n};
    ssize_t got = preadv2(fd, &v, 1, (off_t)off, RWF_NOWAIT);
    if (got == (ssize_t)n) return got;
    if (!q->task) q->task = ngx_thread_task_alloc(q->r->pool, sizeof(struct read_task));
    if (!q->task) return -1;
    ngx_thread_task_t *task = q->task;             /* one a request: there is never more than one read under way */
    struct read_task *t = task->ctx;
    *t = (struct read_task){.q = q, .fd = fd, .off = off, .out = out, .n = n};
    task->handler = read_run;
    task->event.handler = read_done;
    task->event.data = t;
    if (!tl.threads || ngx_thread_task_post(tl.threads, task) != NGX_OK) return -1;
    q->r->main->blocked++;
    q->reading = 1;
    return FILE_LATER;
}
