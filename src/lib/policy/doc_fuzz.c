/* SPDX-License-Identifier: Apache-2.0
 * Policy documents from an attacker, and requests to decide by them: whatever compiles is evaluated without harm.
 * Role: fuzz target. Distrusts: everything. Spec: docs/spec/policy.md sections 4 and 5.
 * Input: u8 flags (1 a user's policy, 2 anonymous, 4 the object is known) | lp16 ctx | lp16 key | the document.
 */
#include <stdlib.h>

#include "policy/policy_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact) {
    if (!fact) abort();
}

/* Every act, as whoever: what is evaluated stays within its bounds. */
static void evaluate(const struct policy_doc *d, uint8_t flags, struct slice ctx, struct slice key) {
    static struct policy_eval e;
    struct policy_state s = {0};
    struct policy_bucket b = {.name = "one", .account = "111122223333", .present = true};
    struct policy_user u = {.account = "111122223333", .name = "alice", .path = "/", .id = "AIDAAAAAAAAAAAAAAAAA"};
    struct policy_request r = {.auth = flags & 2 ? POLICY_AUTH_ANON : POLICY_AUTH_HDR, .bucket = SLICE_LIT("one"), .key = key, .ctx = ctx,
                               .peer = SLICE_LIT("2001:db8::1"), .t_ms = 1795508476000, .object_known = flags & 4,
                               .who = {SLICE_LIT("111122223333"), SLICE_LIT("alice"), SLICE_LIT("AKIAAAAAAAAAAAAAAAAA"), {0}}};
    static const enum policy_act acts[] = {POLICY_ACT_GetObject, POLICY_ACT_PutObjectTagging, POLICY_ACT_ListObjectsV2, POLICY_ACT_CreateUser};
    for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
        r.act = acts[i];
        e = (struct policy_eval){.s = &s, .r = &r, .bucket = &b, .user = flags & 2 ? NULL : &u, .proven = !(flags & 2), .own = !(flags & 2),
                                 .steps = POLICY_DECISION_STEPS_MAX};
        struct policy_verdict v = {POLICY_NO, POLICY_NO};
        policy_doc_says(&e, d, flags & 1, (unsigned)r.act, SLICE_LIT("arn:aws:s3:::one/a/rather/usual/key"), &v);
        must(v.deny != POLICY_UNSURE && v.allow != POLICY_UNSURE);
        must(v.deny != POLICY_MAYBE || !r.object_known);
        must(v.allow != POLICY_MAYBE || !r.object_known);
        must(e.steps <= POLICY_DECISION_STEPS_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader r = reader_of(slice_of(data, size));
    uint8_t flags = reader_u8(&r);
    struct slice ctx = reader_lp16(&r, POLICY_CTX_BYTES_MAX), key = reader_lp16(&r, S3_KEY_BYTES_MAX);
    if (r.bad) return 0;
    struct slice text = reader_slice(&r, reader_left(&r));
    struct policy_doc *d, *again;
    const char *why;
    must(policy_doc_weight(text) <= text.n);
    enum err e = policy_doc_compile(text, flags & 1 ? slice_of(NULL, 0) : SLICE_LIT("one"), &d, &why);
    must((e == ERR_OK) == (d != NULL) && (e == ERR_OK) == (why == NULL));
    if (d == NULL) return 0;
    must(policy_doc_compile(text, flags & 1 ? slice_of(NULL, 0) : SLICE_LIT("one"), &again, &why) == ERR_OK);
    must(again->statement_count == d->statement_count && again->own.n == d->own.n);
    if (!(flags & 1)) must(policy_doc_is_public(text) == policy_doc_gives_everyone(d));
    evaluate(d, flags, ctx, key);
    policy_doc_free(d);
    policy_doc_free(again);
    return 0;
}
