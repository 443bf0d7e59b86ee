/* SPDX-License-Identifier: Apache-2.0
 * Fair share: how many requests of one caller may be with the gate at once while others ask, too.
 * Role: between a request that is ready to be asked (ask.c) and ASK. What is too many waits in its caller's own line; callers take turns.
 * Trusts: the gate's answers, which say whose signature was right. Distrusts: access keys as presented: anybody can write any.
 * Spec: docs/ops/limits.md.
 *
 * Callers are rows, found by a text:
 *   K access key          requests under that key
 *   X access key, peer    the same from an address from which a signature under this key was wrong within FAIR_FAILED_MS
 *   U peer                requests under keys from an address that presented one that does not exist within FAIR_FAILED_MS, or that cannot exist
 *   A peer                requests without a key, and readers of logs
 * X and U do not hold for a connection on which a request under that very key was accepted before: its own share is not hurt by what others do
 * in its name. They may have FAIR_UNPROVEN_MAX requests at once.
 *
 * A row is active while it has requests here or had one within FAIR_ACTIVE_MS. One active row alone has no bound; of n each may have
 * max(FAIR_SHARE_MIN, FAIR_SHARES / n). Workers tell each other how many ask with them, by counters in shared memory. Requests count from ASK until their answer is written or the client takes no more, FAIR_HOLD_MS at
 * most: so nobody waits for ever behind slow clients of the same key. When there are more callers than rows, the rest share one.
 */
#include "flow/flow_in.h"

#include <stdlib.h>

#define KEY_BYTES_MAX (1 + ACCESS_KEY_CHARS + FAIR_PEER_CHARS_MAX)

struct fair_row {
    struct list node;                              /* in idle, dormant or free */
    struct list turn;                              /* in ring while anybody waits */
    struct list waiting;                           /* flow.node */
    uint32_t in_flight;
    bool active, unproven, used;
    uint64_t last_ms;                              /* when it became idle */
    uint64_t failed_ms;                            /* X, U: 0: never */
    size_t key_n;
    uint8_t key[KEY_BYTES_MAX];
};
struct flow_fair {
    struct map *by_key;
    struct fair_row rows[FAIR_KEYS_MAX + 1];       /* the last is everybody's who finds no other */
    struct list free, idle, dormant, ring;
    struct list counted;                           /* flow.fair_node, oldest first */
    uint32_t active;
    uint64_t callers;                              /* with all workers */
    size_t lines;                                  /* rows in ring */
    bool serving;
};

struct flow_fair *flow_fair_new(void)
{
    struct flow_fair *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->by_key = map_new(FAIR_KEYS_MAX);
    list_init(&s->free);
    list_init(&s->idle);
    list_init(&s->dormant);
    list_init(&s->ring);
    list_init(&s->counted);
    for (size_t i = 0; i <= FAIR_KEYS_MAX; i++) {
        struct fair_row *r = &s->rows[i];
        list_init(&r->node);
        list_init(&r->turn);
        list_init(&r->waiting);
        if (i < FAIR_KEYS_MAX) list_add_tail(&s->free, &r->node);
    }
    s->rows[FAIR_KEYS_MAX].unproven = true;
    return s;
}

void flow_fair_free(struct flow_fair *s)
{
    if (!s) return;
    map_free(s->by_key);
    free(s);
}

/* rows --------------------------------------------------------------------------------------------------------------------- */

static bool failed_lately(const struct fair_row *r, uint64_t now) { return r->failed_ms && now - r->failed_ms < FAIR_FAILED_MS; }

static void row_free(struct flow_fair *s, struct fair_row *r)
{
    if (r->used) (void)map_del(s->by_key, slice_of(r->key, r->key_n));
    list_del(&r->node);
    if (r->used) list_add_tail(&s->free, &r->node);
    r->used = false;
    r->failed_ms = 0;
}

/* Who asked nothing for a while is not counted; who failed is remembered for longer. */
static void expire(struct flow_fair *s, uint64_t now)
{
    while (!list_empty(&s->idle)) {
        struct fair_row *r = container_of(s->idle.next, struct fair_row, node);
        if (now - r->last_ms < FAIR_ACTIVE_MS) break;
        r->active = false;
        s->active--;
        list_del(&r->node);
        if (r->used && failed_lately(r, now)) list_add_tail(&s->dormant, &r->node);
        else row_free(s, r);
    }
    while (!list_empty(&s->dormant)) {
        struct fair_row *r = container_of(s->dormant.next, struct fair_row, node);
        if (failed_lately(r, now)) break;
        row_free(s, r);
    }
}

/* FNV-1a. Two callers of one sum would be taken for one while each is alone with its worker: no harm that anybody could choose. */
static uint64_t sum_of(const struct fair_row *r)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < r->key_n; i++) h = (h ^ r->key[i]) * 0x100000001b3u;
    return h ? h : 1;
}

/* Tells the other workers of ours, and counts theirs: who alone asks with several workers is still one. last: who asked here last. */
static void tell(struct flow_worker *w, const struct fair_row *last)
{
    struct flow_fair *s = w->fair;
    uint64_t sole = 0;
    s->callers = s->active;
    if (!w->metrics || !w->all_metrics) return;
    if (s->active == 1) sole = last ? sum_of(last) : w->metrics->sole;
    w->metrics->callers = s->active;
    w->metrics->sole = sole;
    w->metrics->callers_ms = w->now_ms;
    for (size_t i = 0; i < w->all_metrics_count; i++) {
        const struct flow_metrics *m = &w->all_metrics[i];
        if (m == w->metrics || m->callers == 0 || w->now_ms - m->callers_ms >= FAIR_ACTIVE_MS) continue;
        if (m->callers > 1 || m->sole != sole || sole == 0) s->callers += m->callers;
    }
}

static struct fair_row *row_get(struct flow_fair *s, const uint8_t *key, size_t n)
{
    struct fair_row *r = map_get(s->by_key, slice_of(key, n));
    if (r) return r;
    if (list_empty(&s->free) && !list_empty(&s->dormant)) row_free(s, container_of(s->dormant.next, struct fair_row, node));
    if (list_empty(&s->free)) return &s->rows[FAIR_KEYS_MAX];
    r = container_of(s->free.next, struct fair_row, node);
    if (map_put(s->by_key, slice_of(key, n), r) != ERR_OK) return &s->rows[FAIR_KEYS_MAX];
    list_del(&r->node);
    memcpy(r->key, key, n);
    r->key_n = n;
    r->used = true;
    r->unproven = key[0] == 'X' || key[0] == 'U';
    r->failed_ms = 0;
    return r;
}

static size_t key_make(uint8_t out[KEY_BYTES_MAX], char kind, struct slice access_key, struct slice peer)
{
    size_t n = 0;
    out[n++] = (uint8_t)kind;
    if (access_key.n) memcpy(out + n, access_key.p, access_key.n);
    n += access_key.n;
    peer.n = MIN(peer.n, (size_t)FAIR_PEER_CHARS_MAX);
    if (peer.n) memcpy(out + n, peer.p, peer.n);
    return n + peer.n;
}

static bool failed(struct flow_fair *s, char kind, struct slice access_key, struct slice peer, uint64_t now)
{
    uint8_t key[KEY_BYTES_MAX];
    const struct fair_row *r = map_get(s->by_key, slice_of(key, key_make(key, kind, access_key, peer)));
    return r && failed_lately(r, now);
}

static struct fair_row *row_of(struct flow *f, struct slice credential, struct slice peer)
{
    struct flow_fair *s = f->w->fair;
    struct slice none = slice_of(NULL, 0), access_key;
    uint64_t now = f->w->now_ms;
    uint8_t key[KEY_BYTES_MAX];
    slice_cut(credential, '/', &access_key);
    f->fair_key_known = access_key.n == ACCESS_KEY_CHARS;
    if (f->fair_key_known) memcpy(f->fair_key, access_key.p, ACCESS_KEY_CHARS);
    if (!f->fair_key_known) return row_get(s, key, key_make(key, credential.n ? 'U' : 'A', none, peer));
    bool proven = f->proven && f->proven->known && memcmp(f->proven->access_key, access_key.p, ACCESS_KEY_CHARS) == 0;
    if (proven) return row_get(s, key, key_make(key, 'K', access_key, none));
    if (failed(s, 'X', access_key, peer, now)) return row_get(s, key, key_make(key, 'X', access_key, peer));
    if (failed(s, 'U', none, peer, now)) return row_get(s, key, key_make(key, 'U', none, peer));
    return row_get(s, key, key_make(key, 'K', access_key, none));
}

/* counting ------------------------------------------------------------------------------------------------------------------- */

static bool row_busy(const struct fair_row *r) { return r->in_flight || !list_empty(&r->waiting); }

static void row_wake(struct flow_fair *s, struct fair_row *r)
{
    if (r->active && row_busy(r)) return;
    if (!r->active) s->active++;
    r->active = true;
    list_del(&r->node);                            /* out of idle or dormant */
}

static void row_rest(struct flow_fair *s, struct fair_row *r, uint64_t now)
{
    if (row_busy(r)) return;
    r->last_ms = now;
    list_del(&r->node);
    list_add_tail(&s->idle, &r->node);
}

static bool room(const struct flow_fair *s, const struct fair_row *r)
{
    if (s->callers < 2) return true;
    uint64_t share = r->unproven ? FAIR_UNPROVEN_MAX : MAX(FAIR_SHARES / s->callers, (uint64_t)FAIR_SHARE_MIN);
    return r->in_flight < share;
}

static void count(struct flow *f, struct fair_row *r)
{
    f->fair = r;
    f->fair_waits = false;
    f->fair_ms = f->w->now_ms;
    r->in_flight++;
    list_add_tail(&f->w->fair->counted, &f->fair_node);
}

static void line_leave(struct flow_fair *s, struct flow *f, struct fair_row *r)
{
    list_del(&f->node);
    if (!list_empty(&r->waiting)) return;
    list_del(&r->turn);
    s->lines--;
}

static void wait_in(struct flow *f, struct fair_row *r)
{
    struct flow_fair *s = f->w->fair;
    if (f->w->metrics) f->w->metrics->held++;
    if (list_empty(&r->waiting)) {
        list_add_tail(&s->ring, &r->turn);
        s->lines++;
    }
    f->fair = r;
    f->fair_waits = true;
    f->fair_ms = f->w->now_ms;
    list_del(&f->node);
    list_add_tail(&r->waiting, &f->node);
}

bool flow_fair_enter(struct flow *f, struct slice credential, struct slice peer)
{
    struct flow_fair *s = f->w->fair;
    expire(s, f->w->now_ms);
    if (f->fair) {                                 /* it waited by what it seemed to be, and was let in */
        struct slice access_key;
        slice_cut(credential, '/', &access_key);
        bool same = f->fair_key_known ? slice_eq(access_key, slice_of(f->fair_key, ACCESS_KEY_CHARS)) : access_key.n != ACCESS_KEY_CHARS;
        if (same) return true;
        flow_fair_leave(f);
    }
    struct fair_row *r = row_of(f, credential, peer);
    row_wake(s, r);
    tell(f->w, r);
    if (list_empty(&r->waiting) && room(s, r)) {
        count(f, r);
        return true;
    }
    wait_in(f, r);
    return false;
}

/* The access key that a request seems to present, without reading it. Empty: no telling. */
static struct slice seems(const struct flow_request *q)
{
    static const char in_header[] = "Credential=", in_query[] = "X-Amz-Credential=";
    struct slice value = s3_header_value(q->headers, q->header_count, "authorization");
    bool header = value.p != NULL;
    const char *word = header ? in_header : in_query;
    size_t word_n = header ? sizeof in_header - 1 : sizeof in_query - 1;
    if (!header) value = q->target;
    const uint8_t *at = value.n ? memmem(value.p, value.n, word, word_n) : NULL;
    if (!at || (size_t)(value.p + value.n - at) < word_n + ACCESS_KEY_CHARS + 1) return slice_of(NULL, 0);
    uint8_t behind = at[word_n + ACCESS_KEY_CHARS];
    return behind == '/' || behind == '%' ? slice_of(at + word_n, ACCESS_KEY_CHARS) : slice_of(NULL, 0);
}

/* Most of a flood is held here, before any of it is parsed, and parsed once, when its turn comes. */
bool flow_fair_early(struct flow *f, const struct flow_request *q)
{
    struct flow_fair *s = f->w->fair;
    struct slice key = f->fair ? slice_of(NULL, 0) : seems(q);
    if (!key.n) return false;
    expire(s, f->w->now_ms);
    struct fair_row *r = row_of(f, key, q->peer);
    row_wake(s, r);
    tell(f->w, r);
    if (list_empty(&r->waiting) && room(s, r)) {
        row_rest(s, r, f->w->now_ms);              /* it counts when it is asked */
        return false;
    }
    wait_in(f, r);
    return true;
}

void flow_fair_leave(struct flow *f)
{
    struct flow_fair *s = f->w->fair;
    struct fair_row *r = f->fair;
    if (!r) return;
    f->fair = NULL;
    if (f->fair_waits) {
        line_leave(s, f, r);
    } else {
        ASSERT(r->in_flight > 0);
        r->in_flight--;
        list_del(&f->fair_node);
    }
    f->fair_waits = false;
    row_rest(s, r, f->w->now_ms);
}

void flow_fair_look(struct flow *f)
{
    if (!f->fair || f->fair_waits) return;
    if (f->step == FLOW_SENDING || f->step == FLOW_DONE || f->step == FLOW_PARKED || f->writing) flow_fair_leave(f);
}

/* The next in the line of the row whose turn it is, now counted; NULL: nobody who may go. */
static struct flow *next(struct flow_fair *s)
{
    for (size_t looked = s->lines; looked > 0; looked--) {
        struct fair_row *r = container_of(s->ring.next, struct fair_row, turn);
        list_del(&r->turn);
        list_add_tail(&s->ring, &r->turn);
        if (!room(s, r)) continue;
        struct flow *f = container_of(r->waiting.next, struct flow, node);
        line_leave(s, f, r);
        count(f, r);
        return f;
    }
    return NULL;
}

void flow_fair_serve(struct flow_worker *w)
{
    struct flow_fair *s = w->fair;
    struct flow *f;
    if (s->serving || s->lines == 0) return;
    s->serving = true;
    expire(s, w->now_ms);
    tell(w, NULL);
    while ((f = next(s))) {
        f->step = FLOW_NEW;
        flow_ask(f, f->asked_before);
        flow_fair_look(f);
        w->host->after(f);                         /* f may be gone */
    }
    s->serving = false;
}

void flow_fair_tick(struct flow_worker *w)
{
    struct flow_fair *s = w->fair;
    while (!list_empty(&s->counted)) {
        struct flow *f = container_of(s->counted.next, struct flow, fair_node);
        if (w->now_ms - f->fair_ms < FAIR_HOLD_MS) break;
        flow_fair_leave(f);
    }
    for (size_t left = s->lines; left > 0 && s->lines > 0; left--) {      /* each line is in its order of coming */
        struct fair_row *r = container_of(s->ring.next, struct fair_row, turn);
        struct flow *f = container_of(r->waiting.next, struct flow, node);
        list_del(&r->turn);
        list_add_tail(&s->ring, &r->turn);
        if (w->now_ms - f->fair_ms < FAIR_WAIT_MS) continue;
        flow_fair_leave(f);
        flow_fail(f, S3E_SlowDown, NULL);
        w->host->after(f);
        left = s->lines + 1;
    }
    flow_fair_serve(w);
}

/* what the gate found ---------------------------------------------------------------------------------------------------------- */

void flow_fair_proven(struct flow *f)
{
    if (!f->proven || !f->fair_key_known) return;
    memcpy(f->proven->access_key, f->fair_key, ACCESS_KEY_CHARS);
    f->proven->known = true;
}

/* The row of what failed is made here, so that the next one finds it. */
static void note(struct flow *f, char kind, struct slice access_key, struct slice peer)
{
    struct flow_fair *s = f->w->fair;
    uint8_t key[KEY_BYTES_MAX];
    struct fair_row *r = row_get(s, key, key_make(key, kind, access_key, peer));
    if (!r->used) return;
    r->failed_ms = MAX(f->w->now_ms, (uint64_t)1);
    if (r->active) return;
    list_del(&r->node);
    list_add_tail(&s->dormant, &r->node);
}

void flow_fair_answered(struct flow *f, const struct wire_answer *m)
{
    struct flow_request q;
    bool wrong = slice_is(m->code, "SignatureDoesNotMatch");
    bool unknown = slice_is(m->code, "InvalidAccessKeyId") || slice_is(m->code, "InvalidClientTokenId");
    if (m->receipt.n) {                            /* a proven caller's refusals have one, too */
        flow_fair_proven(f);
        return;
    }
    if ((!wrong && !unknown) || !f->fair_key_known) return;
    if (f->proven && f->proven->known && memcmp(f->proven->access_key, f->fair_key, ACCESS_KEY_CHARS) == 0) f->proven->known = false;
    f->w->host->request(f, &q);
    note(f, wrong ? 'X' : 'U', wrong ? slice_of(f->fair_key, ACCESS_KEY_CHARS) : slice_of(NULL, 0), q.peer);
}
