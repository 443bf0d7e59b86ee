/* SPDX-License-Identifier: Apache-2.0
 * Randomness from a locked page per thread, filled by RAND_bytes.
 * Role: salts, nonces, keys and ids. Trusts: OpenSSL's generator. Distrusts: forks (two processes must never share
 * bytes), dumps.
 * Law: 2. Spec: docs/spec/keys.md section 5.
 */
#include "keys/keys_internal.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <sys/mman.h>

#define RNG_MAGIC 0x54524e47u /* "TRNG"; a forked child sees a zero here, because the kernel wipes the page */
#define RNG_PAGE_BYTES 4096

struct rng_page {
    uint32_t magic;
    uint32_t left_bytes;
    uint64_t unused;
    uint8_t bytes[KEYS_RNG_BYTES];
};
static_assert(sizeof(struct rng_page) == RNG_PAGE_BYTES, "one page, head included");

static __thread struct rng_page *page;
static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void thread_ends(void *p) {
    wipe(p, sizeof(struct rng_page));
    munmap(p, sizeof(struct rng_page));
    page = NULL;
}

static void make_key(void) { ASSERT(pthread_key_create(&at_exit, thread_ends) == 0); }

static void page_new(void) {
    pthread_once(&once, make_key);
    void *p = mmap(NULL, sizeof(struct rng_page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT(p != MAP_FAILED);
    /* Without WIPEONFORK a child would hand out its parent's bytes: better no process at all. */
    ASSERT(madvise(p, sizeof(struct rng_page), MADV_WIPEONFORK) == 0);
    ASSERT(madvise(p, sizeof(struct rng_page), MADV_DONTDUMP) == 0);
    (void)mlock(p, sizeof(struct rng_page)); /* short-lived bytes; where the limit is met, swap is the risk left */
    ASSERT(pthread_setspecific(at_exit, p) == 0);
    page = p;
}

static void fill(void *ctx, void *out, size_t n) {
    (void)ctx;
    uint8_t *to = out;
    if (n > KEYS_RNG_BYTES / 4) { /* long requests would empty the page for nothing */
        ASSERT(n <= INT32_MAX && RAND_bytes(to, (int)n) == 1);
        return;
    }
    if (page == NULL) page_new();
    if (page->magic != RNG_MAGIC || page->left_bytes < n) {
        ASSERT(RAND_bytes(page->bytes, KEYS_RNG_BYTES) == 1);
        page->left_bytes = KEYS_RNG_BYTES;
        page->magic = RNG_MAGIC;
    }
    uint8_t *from = page->bytes + (KEYS_RNG_BYTES - page->left_bytes);
    memcpy(to, from, n);
    wipe(from, n);
    page->left_bytes -= (uint32_t)n;
}

const struct rng *keys_rng(void) {
    static const struct rng rng = {fill, NULL};
    return &rng;
}
