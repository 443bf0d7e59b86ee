/* SPDX-License-Identifier: Apache-2.0
 * heads: the epochs of the heads log, and one log held against what they say of it.
 * Role: finds a skipped epoch, a wrong slot root, silence; and a log that is shown shorter than it was, or forked.
 * Trusts: the heads log's leaves once tree.c has verified them. Distrusts: slot numbers, values.
 * Law: 7 (LAW-7: what the operator shows is held against what it showed everybody). Spec: docs/spec/record.md section 5
 */
#include "verify/verify.h"

#include <stdlib.h>

/* slots: the tree whose root each epoch states. An unpaired last node is its own parent (RFC 6962's split). ------------------- */

static uint64_t level_count(uint64_t slots, unsigned level)
{
    for (; level > 0; level--) slots = (slots + 1) / 2;
    return slots;
}

static void slot_set(struct verify_heads *h, uint64_t slot, const uint8_t value[HASH_BYTES])
{
    ledger_leaf_hash(h->hash, slice_of(value, HASH_BYTES), h->tree[0][slot]);
    for (unsigned k = 0; level_count(h->slots, k) > 1; k++) {
        uint64_t left = slot & ~1ull;
        if (left + 1 < level_count(h->slots, k)) ledger_node_hash(h->hash, h->tree[k][left], h->tree[k][left + 1], h->tree[k + 1][slot / 2]);
        else memcpy(h->tree[k + 1][slot / 2], h->tree[k][left], HASH_BYTES);
        slot /= 2;
    }
}

static void slots_grow(struct verify_heads *h, uint64_t slots)
{
    static const uint8_t never[HASH_BYTES];           /* a slot that was never stated */
    for (unsigned k = h->tree[0] ? VERIFY_SLOT_LEVELS : 0; k < VERIFY_SLOT_LEVELS; k++) {
        h->tree[k] = calloc((size_t)level_count(VERIFY_SLOTS_MAX, k) + 1, HASH_BYTES);
        ASSERT(h->tree[k]);
    }
    while (h->slots < slots) {
        h->slots++;
        slot_set(h, h->slots - 1, never);
    }
}

static void slots_root(struct verify_heads *h, uint8_t out[HASH_BYTES])
{
    unsigned k = 0;
    if (h->slots == 0) {
        ledger_empty_root(h->hash, out);
        return;
    }
    while (level_count(h->slots, k) > 1) k++;
    memcpy(out, h->tree[k][0], HASH_BYTES);
}

static void value_keep(struct verify_heads *h, uint64_t index, uint64_t n, uint64_t t, const uint8_t value[HASH_BYTES])
{
    if (h->value_count == h->value_cap) {
        h->value_cap = MAX(h->value_cap * 2, (size_t)256);
        h->values = realloc(h->values, h->value_cap * sizeof *h->values);
        ASSERT(h->values);
    }
    h->values[h->value_count] = (struct verify_slot_value){.index = index, .n = n, .t_ms = t};
    memcpy(h->values[h->value_count++].value, value, HASH_BYTES);
}

static bool changes(struct verify_heads *h, uint64_t index, const struct record_leaf *l)
{
    struct slice list = l->f[RECORD_F_CHG].text, item, number;
    while (record_list_text(&list, &item)) {
        uint64_t slot;
        uint8_t value[HASH_BYTES];
        struct slice text = slice_cut(item, ':', &number);
        if (!text.p || slice_u64(number, VERIFY_SLOTS_MAX - 1, &slot) != ERR_OK || base64url_fixed(text, value, HASH_BYTES) != ERR_OK || slot >= h->slots) {
            verify_find(h->report, "bad-epoch", h->name, index, "an item of chg is no slot and value");
            return false;
        }
        slot_set(h, slot, value);
        if (slot == h->slot) value_keep(h, index, record_int(l, RECORD_F_N, 0), record_int(l, RECORD_F_T, 0), value);
    }
    return true;
}

static void silence(struct verify_heads *h, uint64_t index, uint64_t from, uint64_t to)
{
    char a[TIME_TEXT_MAX], b[TIME_TEXT_MAX];
    if (to <= from || to - from <= VERIFY_SILENCE_MS) return;
    h->silences++;
    h->silence_max_ms = MAX(h->silence_max_ms, to - from);
    time_iso8601(from, a);
    time_iso8601(to, b);
    if (h->silence_strict_ms && to - from > h->silence_strict_ms) verify_find(h->report, "silence", h->name, index, "no heartbeat from %s to %s", a, b);
    else verify_note(h->report, "%s/%llu: no heartbeat from %s to %s", h->name, (unsigned long long)index, a, b);
}

void verify_heads_epoch(struct verify_heads *h, uint64_t index, const struct record_leaf *l)
{
    uint64_t n = record_int(l, RECORD_F_N, 0), t = record_int(l, RECORD_F_T, 0), slots = record_int(l, RECORD_F_SLOTS, 0);
    uint64_t want = h->epochs ? h->n + 1 : 0;
    uint8_t root[HASH_BYTES];
    if (n != want)
        verify_find(h->report, "skipped-epoch", h->name, index, "epoch number is %llu, not %llu", (unsigned long long)n, (unsigned long long)want);
    if (h->epochs) silence(h, index, h->t_ms, t);
    h->epochs++;
    h->n = n;
    h->t_ms = t;
    if (slots < h->slots || slots > VERIFY_SLOTS_MAX) {
        verify_find(h->report, "bad-epoch", h->name, index, "slots is %llu after %llu", (unsigned long long)slots, (unsigned long long)h->slots);
        return;
    }
    slots_grow(h, slots);
    if (!changes(h, index, l)) return;
    slots_root(h, root);
    if (memcmp(root, l->f[RECORD_F_ROOT].bytes, HASH_BYTES) != 0)
        verify_find(h->report, "wrong-slot-root", h->name, index, "root is not that of the %llu slots as the epochs up to here state them", (unsigned long long)slots);
}

void verify_heads_until(struct verify_heads *h, uint64_t now_ms)
{
    if (h->epochs) silence(h, h->epochs - 1, h->t_ms, now_ms);
}

void verify_heads_done(struct verify_heads *h)
{
    for (unsigned k = 0; k < VERIFY_SLOT_LEVELS; k++) free(h->tree[k]);
    free(h->values);
}

/* a log against its slot --------------------------------------------------------------------------------------------------------- */

struct found {
    uint8_t value[HASH_BYTES];
    uint64_t size;                                    /* VERIFY_NOWHERE: no prefix has this head */
};

static int by_value(const void *a, const void *b) { return memcmp(a, b, HASH_BYTES); }

/* A slot value commits to size and root, so the size is found by asking every prefix of the log. */
static void prefixes_ask(struct verify_log *l, const struct record_slot *slot, struct found *all, size_t count)
{
    struct ledger_frontier f;
    ledger_frontier_init(&f);
    for (uint64_t n = 0; n <= l->size; n++) {
        struct found key;
        uint8_t root[HASH_BYTES];
        ledger_frontier_root(l->hash, &f, root);
        record_slot_value(l->hash, slot->salt, slot->origin, n, root, key.value);
        struct found *at = bsearch(&key, all, count, sizeof *all, by_value);
        /* The same value may stand in several epochs. */
        while (at && at > all && memcmp(at[-1].value, key.value, HASH_BYTES) == 0) at--;
        for (; at && at < all + count && memcmp(at->value, key.value, HASH_BYTES) == 0; at++) at->size = n;
        if (n < l->size) ledger_frontier_append(l->hash, &f, l->leaves[n], NULL, NULL);
    }
}

/* A log is named within two epochs of its first leaf. Whoever serves another slot's number with a shorter log must not get by. */
static bool never_named(struct verify_log *l, struct verify_heads *h, const struct record_slot *slot, struct verify_report *r)
{
    if (l->size == 0 || h->t_ms <= l->first_t_ms + VERIFY_SILENCE_MS) {
        verify_note(r, "the heads log says nothing of slot %llu yet: a new log is named within two epochs", (unsigned long long)slot->number);
        return true;
    }
    verify_find(r, "not-in-heads", l->name, VERIFY_NOWHERE, "the heads log never names slot %llu, though the log is older than two epochs: the slot is another log's",
                (unsigned long long)slot->number);
    return false;
}

bool verify_slot_check(struct verify_log *l, struct verify_heads *h, const struct record_slot *slot, struct verify_report *r)
{
    unsigned before = r->found;
    if (h->value_count == 0) return never_named(l, h, slot, r);
    struct found *all = calloc(h->value_count + 1, sizeof *all);
    ASSERT(all);
    for (size_t i = 0; i < h->value_count; i++) {
        memcpy(all[i].value, h->values[i].value, HASH_BYTES);
        all[i].size = VERIFY_NOWHERE;
    }
    qsort(all, h->value_count, sizeof *all, by_value);
    prefixes_ask(l, slot, all, h->value_count);
    uint64_t last = 0;
    size_t agreed = 0;                                /* values before the last one that a prefix has */
    for (size_t i = 0; i < h->value_count; i++) {
        const struct found *at = bsearch(h->values[i].value, all, h->value_count, sizeof *all, by_value);
        if (at->size == VERIFY_NOWHERE) continue;
        agreed = i + 1;
        if (at->size < last)
            verify_find(r, "split-view", h->name, h->values[i].index, "slot %llu goes back from %llu to %llu leaves", (unsigned long long)slot->number,
                        (unsigned long long)last, (unsigned long long)at->size);
        last = MAX(last, at->size);
    }
    for (size_t i = 0; i < h->value_count; i++) {
        const struct found *at = bsearch(h->values[i].value, all, h->value_count, sizeof *all, by_value);
        char when[TIME_TEXT_MAX];
        if (at->size != VERIFY_NOWHERE) continue;
        time_iso8601(h->values[i].t_ms, when);
        verify_find(r, i >= agreed && agreed > 0 ? "dropped-tail" : "split-view", l->name, l->size,
                    "epoch %llu (%s/%llu, %s) holds a head that none of this log's %llu leaves gives; the newest that agrees has size %llu",
                    (unsigned long long)h->values[i].n, h->name, (unsigned long long)h->values[i].index, when, (unsigned long long)l->size, (unsigned long long)last);
        if (i >= agreed) break;                       /* the later ones say the same */
    }
    free(all);
    verify_fact(r, "epochs of this log", h->value_count);
    verify_fact(r, "bound by heads up to", last);
    return r->found == before;
}
