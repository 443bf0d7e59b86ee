/* SPDX-License-Identifier: Apache-2.0
 * Control and access leaves from an attacker: whatever is folded, the state stays whole and nobody unproven is allowed.
 * Role: fuzz target. Distrusts: everything. Spec: docs/spec/policy.md.
 * Input: lp32 leaf | lp32 opening, again and again.
 */
#include <stdlib.h>

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact) {
    if (!fact) abort();
}

static void look(const struct policy_state *s) {
    struct policy_request anon = {.auth = POLICY_AUTH_ANON, .act = POLICY_ACT_GetObject, .bucket = SLICE_LIT("one")};
    must(!policy_decide(s, &anon).allow);
    size_t cursor = 0, seen = 0;
    const struct policy_bucket *b;
    while ((b = policy_bucket_next(s, &cursor)) != NULL) {
        must(policy_bucket_of_id(s, b->id) == b);
        must(b->name[0] == 0 || policy_bucket(s, slice_str(b->name)) == b);
        seen++;
    }
    must(seen == s->bucket_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader r = reader_of(slice_of(data, size));
    struct policy_state s;
    must(policy_init(&s) == ERR_OK);
    while (reader_left(&r) > 0) {
        struct record_leaf leaf;
        struct record_opening opening;
        struct policy_decision d;
        struct slice text = reader_lp32(&r, LEAF_BYTES_MAX), opened = reader_lp32(&r, OPENING_BYTES_MAX);
        if (r.bad) break;
        if (record_leaf_parse(text, RECORD_LOG_ANY, &leaf) != ERR_OK) continue;
        bool has_opening = record_opening_parse(opened, &opening) == ERR_OK;
        (void)!policy_check(&s, &leaf, has_opening ? &opening : NULL, &d);
        uint64_t before = s.size;
        enum err can = policy_can_apply(&s, s.size, &leaf, has_opening ? &opening : NULL);
        enum err e = policy_apply(&s, s.size, &leaf, has_opening ? &opening : NULL);
        must(can == e);
        must(s.size == before + (e == ERR_OK ? 1 : 0));
        look(&s);
    }
    policy_done(&s);
    return 0;
}
