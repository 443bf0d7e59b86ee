/* SPDX-License-Identifier: Apache-2.0
 * Control and access leaves from an attacker: whatever is folded, the state stays whole and nobody unproven is allowed.
 * Role: fuzz target. Distrusts: everything. Spec: docs/spec/policy.md.
 * Input: lp32 leaf | lp32 opening, again and again.
 */
#include <stdlib.h>

#include "policy/policy_access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact) {
    if (!fact) abort();
}

/* Nobody reads under a grant that a manager and an approver did not sign. LAW-6. */
static void look_grants(const struct policy_state *s) {
    size_t cursor = 0;
    for (const struct policy_grant *g; (g = policy_grant_next(s, &cursor)) != NULL;) {
        struct buf id = BUF_INIT(ID_TEXT_CHARS);
        buf_put_base32(&id, slice_of(g->id, ID_BYTES));
        struct policy_request r = {.auth = POLICY_AUTH_STS, .act = POLICY_ACT_GetObject, .t_ms = s->t_ms};
        must(policy_grant(s, g->id) == g && g->terms != NULL);
        r.who = (struct policy_who){.account = slice_str(g->account), .user = buf_slice(&id)};
        r.bucket = slice_str(g->terms->bucket);
        r.key = g->terms->prefix;
        memcpy(r.grant, g->id, ID_BYTES);
        if (policy_decide(s, &r).allow) must(g->approval_count >= 2 && g->approvals[0].manager && !g->approvals[1].manager);
        buf_done(&id);
    }
}

static void look(const struct policy_state *s) {
    look_grants(s);
    size_t cursor = 0, seen = 0, docs = 0;
    const struct policy_bucket *b;
    while ((b = policy_bucket_next(s, &cursor)) != NULL) {
        struct policy_request anon = {.auth = POLICY_AUTH_ANON, .act = POLICY_ACT_GetObject, .bucket = slice_str(b->name), .object_known = true};
        must(policy_bucket_of_id(s, b->id) == b);
        must(b->name[0] == 0 || policy_bucket(s, slice_str(b->name)) == b);
        /* Everyone gets what a policy gives everyone, and nothing else. */
        if (b->name[0] != 0 && policy_decide(s, &anon).allow) must(b->text[POLICY_DOC_POLICY].n > 0);
        must((b->policy != NULL) == (b->text[POLICY_DOC_POLICY].n > 0));
        for (int k = 0; k < POLICY_DOC__COUNT; k++) docs += b->text[k].n;
        seen++;
    }
    must(seen == s->bucket_count);
    const struct policy_user *users = (const struct policy_user *)(const void *)s->users.p;
    for (size_t i = 0; i < s->users.n / sizeof *users; i++) {
        must(policy_user(s, slice_str(users[i].account), slice_str(users[i].name)) == &users[i]);
        for (size_t j = 0; j < users[i].policy_count; j++) docs += users[i].policies[j].text.n;
    }
    must(docs == s->doc_bytes);
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
