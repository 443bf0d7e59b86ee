/* SPDX-License-Identifier: Apache-2.0
 * Keys by which people sign: whose each is, which were taken away, and the counters of passkeys.
 * Role: under policy_people.c and policy_customer.c. Trusts: that terms were checked (record). Distrusts: nothing.
 * Law: 4. Spec: docs/spec/access.md section 1.
 */
#include "policy/policy_access_internal.h"

void *policy_own_new(size_t size, struct buf *own) {
    *own = BUF_INIT(size);
    uint8_t *p = buf_room(own, size);
    if (p == NULL) return NULL;
    memset(p, 0, size);
    own->n = size;
    return p;
}

/* Of a passkey its credential id: who enrols another public key under a known credential must not get two keys out of one device. A
 * fingerprint has a colon, base64url has none, so the two never meet. */
static struct slice key_id(struct slice key) {
    if (!slice_starts(key, SLICE_LIT("passkey:"))) return key;
    struct slice word, rest = slice_cut(key, ':', &word);
    rest = slice_cut(rest, ':', &word);
    (void)slice_cut(rest, ':', &word);
    return word;
}

enum err policy_ring_init(struct policy_ring *r, size_t keys_max) {
    r->keys = BUF_INIT(keys_max * sizeof(struct policy_ring_key));
    r->by_id = map_new(keys_max);
    return r->by_id == NULL ? ERR_NOMEM : ERR_OK;
}

void policy_ring_done(struct policy_ring *r) {
    for (size_t i = 0; i < policy_ring_count(r); i++) buf_done(&policy_ring_at(r, i)->text);
    buf_done(&r->keys);
    map_free(r->by_id);
    r->by_id = NULL;
}

size_t policy_ring_count(const struct policy_ring *r) { return r->keys.n / sizeof(struct policy_ring_key); }

struct policy_ring_key *policy_ring_at(const struct policy_ring *r, size_t row) {
    ASSERT(row < policy_ring_count(r));
    return (struct policy_ring_key *)(void *)r->keys.p + row;
}

static struct policy_ring_key *by_id(const struct policy_ring *r, struct slice id) {
    void *v = map_get(r->by_id, id);
    return v == NULL ? NULL : policy_ring_at(r, (size_t)(uintptr_t)v - 1);
}

struct policy_ring_key *policy_ring_same(const struct policy_ring *r, struct slice key) { return by_id(r, key_id(key)); }

struct policy_ring_key *policy_ring_find(const struct policy_ring *r, struct slice key) {
    struct policy_ring_key *k = policy_ring_same(r, key);
    return k != NULL && slice_eq(buf_slice(&k->text), key) ? k : NULL;
}

struct policy_ring_key *policy_ring_credential(const struct policy_ring *r, struct slice credential) {
    struct policy_ring_key *k = by_id(r, credential);
    return k != NULL && slice_starts(buf_slice(&k->text), SLICE_LIT("passkey:")) ? k : NULL;
}

bool policy_ring_room(const struct policy_ring *r, size_t more) {
    return more <= r->keys.max / sizeof(struct policy_ring_key) - policy_ring_count(r);
}

enum err policy_ring_add(struct policy_ring *r, struct slice key, uint32_t holder, uint64_t index) {
    size_t row = policy_ring_count(r);
    struct policy_ring_key k = {.text = BUF_INIT(RECORD_TEXT_BYTES_MAX), .index = index, .holder = holder};
    ASSERT(policy_ring_same(r, key) == NULL);
    uint8_t *to = buf_room(&r->keys, sizeof k);
    buf_put_slice(&k.text, key);
    if (to == NULL || !buf_ok(&k.text) || map_put(r->by_id, key_id(buf_slice(&k.text)), (void *)(uintptr_t)(row + 1)) != ERR_OK) {
        r->keys.bad = false;
        buf_done(&k.text);
        return ERR_NOMEM;
    }
    memcpy(to, &k, sizeof k);
    r->keys.n += sizeof k;
    return ERR_OK;
}

void policy_ring_cut(struct policy_ring *r, size_t count) {
    while (policy_ring_count(r) > count) {
        struct policy_ring_key *k = policy_ring_at(r, policy_ring_count(r) - 1);
        (void)map_del(r->by_id, key_id(buf_slice(&k->text)));
        buf_done(&k->text);
        r->keys.n -= sizeof *k;
    }
}

bool policy_ring_twice(const struct record_statement *s, size_t nth) {
    struct slice id = key_id(record_term(s, RECORD_TERM_KEY, nth));
    for (size_t i = 0; i < nth; i++) {
        if (slice_eq(key_id(record_term(s, RECORD_TERM_KEY, i)), id)) return true;
    }
    return false;
}

bool policy_ring_named(const struct record_statement *s, struct slice key) {
    struct slice one, id = key_id(key);
    for (size_t i = 0; (one = record_term(s, RECORD_TERM_KEY, i)).p != NULL; i++) {
        if (slice_eq(key_id(one), id)) return true;
    }
    return false;
}

void policy_ring_count_up(struct policy_ring *r, struct slice key, uint32_t counter) {
    struct policy_ring_key *k = policy_ring_find(r, key);
    if (k != NULL && counter > k->counter) k->counter = counter;
}
