/* SPDX-License-Identifier: Apache-2.0
 * Secret memory: locked, left out of dumps, not inherited, wiped; small secrets share pages.
 * Role: home of every key and signing secret. Trusts: the kernel. Distrusts: dumps, swap, forks.
 * Law: 2. Spec: docs/spec/keys.md section 6.
 */
#include "keys/keys_internal.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_BYTES 65536
#define CHUNK_MAGIC 0x5453434831ull /* "TSCH1" */
#define CHUNK_SLOTS (CHUNK_BYTES / SECRET_SLOT_BYTES)

/* The head lies in the chunk's first slots: a chunk is found from any of its slots by the address alone. */
struct chunk {
    uint64_t magic;
    struct list node;                  /* in slabs.open while a slot is free */
    uint32_t used_count;
    uint64_t used[CHUNK_SLOTS / 64];
    bool locked;
};
#define CHUNK_FIRST_SLOT ((uint32_t)((sizeof(struct chunk) + SECRET_SLOT_BYTES - 1) / SECRET_SLOT_BYTES))
static_assert(CHUNK_SLOTS % 64 == 0, "the bitmap is whole words");

/* The one state of the process: secrets are handed from thread to thread. Chunks are kept for reuse, never given back. */
static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    struct list open;
    struct secret_status status;
} slabs = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static void in_child(void) {
    /* MADV_DONTFORK left the chunks behind: begin again without touching them. */
    pthread_mutex_init(&slabs.lock, NULL);
    list_init(&slabs.open);
    slabs.status = (struct secret_status){0};
}

static void set_up(void) {
    list_init(&slabs.open);
    ASSERT(pthread_atfork(NULL, NULL, in_child) == 0);
}

/* Maps n bytes at a multiple of CHUNK_BYTES. NULL when memory or SECRET_TOTAL_BYTES_MAX is used up. */
static void *map_locked(size_t n, bool *locked) {
    *locked = false;
    if (slabs.status.mapped_bytes + n > SECRET_TOTAL_BYTES_MAX) return NULL;
    uint8_t *p = mmap(NULL, n + CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    size_t before = (CHUNK_BYTES - (uintptr_t)p % CHUNK_BYTES) % CHUNK_BYTES;
    if (before > 0) munmap(p, before);
    if (before < CHUNK_BYTES) munmap(p + before + n, CHUNK_BYTES - before);
    p += before;
    if (madvise(p, n, MADV_DONTDUMP) != 0 || madvise(p, n, MADV_DONTFORK) != 0) {
        munmap(p, n);
        return NULL;
    }
    *locked = mlock(p, n) == 0;
    slabs.status.mapped_bytes += n;
    if (*locked) slabs.status.locked_bytes += n;
    return p;
}

static struct chunk *chunk_new(void) {
    bool locked;
    struct chunk *c = map_locked(CHUNK_BYTES, &locked);
    if (c == NULL) return NULL;
    c->magic = CHUNK_MAGIC;
    c->locked = locked;
    for (uint32_t i = 0; i < CHUNK_FIRST_SLOT; i++) c->used[i / 64] |= 1ull << i % 64;
    c->used_count = CHUNK_FIRST_SLOT;
    list_add_tail(&slabs.open, &c->node);
    return c;
}

static uint8_t *slot_take(void) {
    struct chunk *c = list_empty(&slabs.open) ? chunk_new() : container_of(slabs.open.next, struct chunk, node);
    if (c == NULL) return NULL;
    ASSERT(c->magic == CHUNK_MAGIC);
    for (uint32_t w = 0; w < ARRAY_LEN(c->used); w++) {
        if (c->used[w] == UINT64_MAX) continue;
        uint32_t bit = (uint32_t)__builtin_ctzll(~c->used[w]);
        c->used[w] |= 1ull << bit;
        if (++c->used_count == CHUNK_SLOTS) list_del(&c->node);
        return (uint8_t *)c + (size_t)(w * 64 + bit) * SECRET_SLOT_BYTES;
    }
    ASSERT(!"a chunk on the open list has a free slot");
    return NULL;
}

static void slot_give(uint8_t *p) {
    struct chunk *c = (struct chunk *)((uintptr_t)p & ~(uintptr_t)(CHUNK_BYTES - 1));
    uint32_t slot = (uint32_t)((size_t)(p - (uint8_t *)c) / SECRET_SLOT_BYTES);
    ASSERT(c->magic == CHUNK_MAGIC);
    ASSERT(slot >= CHUNK_FIRST_SLOT && (c->used[slot / 64] >> slot % 64 & 1) == 1); /* not given back twice */
    c->used[slot / 64] &= ~(1ull << slot % 64);
    /* To the front: full pages are filled first, so that few pages are open. */
    if (c->used_count-- == CHUNK_SLOTS) list_add_tail(slabs.open.next, &c->node);
}

static size_t own_pages(size_t n) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (n + page - 1) / page * page;
}

enum err secret_new(struct secret *s, size_t n) {
    *s = SECRET_INIT;
    if (n == 0 || n > SECRET_BYTES_MAX) return ERR_LIMIT;
    bool locked;
    pthread_once(&slabs.once, set_up);
    pthread_mutex_lock(&slabs.lock);
    uint8_t *p = n <= SECRET_SLOT_BYTES ? slot_take() : map_locked(own_pages(n), &locked);
    if (p != NULL) slabs.status.live_count++;
    pthread_mutex_unlock(&slabs.lock);
    if (p == NULL) return ERR_NOMEM;
    s->p = p;
    s->n = n;
    return ERR_OK;
}

enum err secret_copy(struct secret *s, struct slice bytes) {
    TRY(secret_new(s, bytes.n));
    memcpy(s->p, bytes.p, bytes.n);
    return ERR_OK;
}

void secret_done(struct secret *s) {
    if (s->p == NULL) return;
    wipe(s->p, s->n);
    pthread_mutex_lock(&slabs.lock);
    ASSERT(slabs.status.live_count > 0);
    slabs.status.live_count--;
    if (s->n <= SECRET_SLOT_BYTES) {
        slot_give(s->p);
    } else {
        size_t n = own_pages(s->n);
        slabs.status.mapped_bytes -= n;
        /* Locked or not is not kept per mapping; the count may only err on the low side. */
        slabs.status.locked_bytes -= MIN(n, slabs.status.locked_bytes);
        munmap(s->p, n);
    }
    pthread_mutex_unlock(&slabs.lock);
    *s = SECRET_INIT;
}

struct secret secret_take(struct secret *s) {
    struct secret t = *s;
    *s = SECRET_INIT;
    return t;
}

struct secret_status secret_status(void) {
    pthread_mutex_lock(&slabs.lock);
    struct secret_status s = slabs.status;
    pthread_mutex_unlock(&slabs.lock);
    return s;
}
