/* SPDX-License-Identifier: Apache-2.0
 * load: sends prepared HTTP/1.1 requests over N keep-alive connections and prints one line of JSON.
 * Role: bench/run.py's generator: no signing, no TLS, as little CPU of its own as can be.
 * Trusts: the file of requests. Spec: none; usage: load HOST PORT CONNECTIONS SECONDS FILE [MAX_REQUESTS]
 *
 * FILE: per request u32 length (little-endian) and the raw bytes. Each connection takes the next one in turn. A status other than 2xx
 * is counted and shown; latencies are kept per request (at most LATENCIES_MAX).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define HEAD_BYTES_MAX 16384
#define LATENCIES_MAX 4000000

struct conn {
    int fd;
    const uint8_t *out;
    size_t out_n, head_n;
    uint64_t body_left, began_ns;
    int in_body;
    char head[HEAD_BYTES_MAX];
};
static struct conn conns[CONNECTIONS_MAX];
static const uint8_t *file, *at, *file_end;
static uint32_t *latency_us;
static uint64_t done, bad, body_bytes, started, limit = UINT64_MAX;
static int bad_status;
static struct sockaddr_in server;
static int ep;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void send_more(struct conn *c)
{
    while (c->out_n > 0) {
        ssize_t n = send(c->fd, c->out, c->out_n, MSG_NOSIGNAL);
        if (n < 0) break;
        c->out += n, c->out_n -= (size_t)n;
    }
    struct epoll_event e = {.events = EPOLLIN | (c->out_n > 0 ? EPOLLOUT : 0u), .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}

static void next(struct conn *c)
{
    if (started >= limit) return;
    started++;
    if (at + 4 > file_end) at = file;
    uint32_t n;
    memcpy(&n, at, 4);
    c->out = at + 4, c->out_n = n;
    at += 4 + n;
    c->head_n = 0, c->in_body = 0;
    c->began_ns = now_ns();
    send_more(c);
}

static int open_conn(struct conn *c)
{
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&server, sizeof server) != 0) return -1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    return epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
}

static void finished(struct conn *c)
{
    if (done < LATENCIES_MAX) latency_us[done] = (uint32_t)((now_ns() - c->began_ns) / 1000);
    done++;
    next(c);
}

static void again(struct conn *c)
{
    close(c->fd);
    bad++;
    if (open_conn(c) == 0) next(c);
}

static void readable(struct conn *c)
{
    static char sink[262144];
    for (;;) {
        char *to = c->in_body ? sink : c->head + c->head_n;
        size_t room = c->in_body ? sizeof sink : HEAD_BYTES_MAX - 1 - c->head_n;
        if (c->in_body && c->body_left < room) room = (size_t)c->body_left;
        ssize_t n = recv(c->fd, to, room, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            again(c);
            return;
        }
        if (c->in_body) {
            c->body_left -= (uint64_t)n;
        } else {
            c->head_n += (size_t)n;
            c->head[c->head_n] = 0;
            char *end = strstr(c->head, "\r\n\r\n");
            if (!end) continue;
            int status = atoi(c->head + 9);
            if (status < 200 || status > 299) bad++, bad_status = status;
            char *length = strcasestr(c->head, "\r\ncontent-length:");
            c->body_left = length && length < end ? strtoull(length + 17, NULL, 10) : 0;
            body_bytes += c->body_left;
            c->body_left -= c->head_n - (size_t)(end + 4 - c->head);
            c->in_body = 1;
        }
        if (c->body_left == 0) {
            finished(c);
            return;
        }
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    if (argc < 6) return 2;
    int n = atoi(argv[3]), fd = open(argv[5], O_RDONLY);
    double seconds = atof(argv[4]);
    struct stat st;
    if (argc > 6) limit = strtoull(argv[6], NULL, 10);
    if (fd < 0 || fstat(fd, &st) != 0 || n < 1 || n > CONNECTIONS_MAX) return 2;
    file = at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    file_end = file + st.st_size;
    latency_us = calloc(LATENCIES_MAX, sizeof *latency_us);
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)atoi(argv[2]));
    inet_pton(AF_INET, argv[1], &server.sin_addr);
    ep = epoll_create1(0);
    for (int i = 0; i < n; i++)
        if (open_conn(&conns[i]) != 0) return 3;
    uint64_t begin = now_ns(), end = begin + (uint64_t)(seconds * 1e9);
    for (int i = 0; i < n; i++) next(&conns[i]);
    while (now_ns() < end && done + bad < limit) {
        struct epoll_event e[64];
        int k = epoll_wait(ep, e, 64, 100);
        for (int i = 0; i < k; i++) {
            struct conn *c = e[i].data.ptr;
            if (e[i].events & EPOLLOUT) send_more(c);
            if (e[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
        }
    }
    double took = (double)(now_ns() - begin) / 1e9;
    uint64_t k = done < LATENCIES_MAX ? done : LATENCIES_MAX;
    qsort(latency_us, k, sizeof *latency_us, by_value);
    printf("{\"requests\":%llu,\"bad\":%llu,\"bad_status\":%d,\"seconds\":%.3f,\"body_bytes\":%llu,\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u}\n",
           (unsigned long long)done, (unsigned long long)bad, bad_status, took, (unsigned long long)body_bytes, k ? latency_us[k / 2] : 0,
           k ? latency_us[k * 99 / 100] : 0, k ? latency_us[k - 1] : 0);
    return 0;
}
