/* SPDX-License-Identifier: Apache-2.0
 * provider: the provider log's leaves without their openings, for whom a tenant's mirrors are held against them.
 * Role: replay of a control log asks it for each mirror. Trusts: the provider log's vkey. Distrusts: every leaf; the mirror.
 * Law: 6, 7. Spec: docs/spec/access.md section 2
 */
#include "verify/verify.h"

#include <stdlib.h>

static void leaf_keep(void *ctx, uint64_t index, struct slice entry)
{
    struct verify_provider *p = ctx;
    struct record_leaf l;
    if (index >= p->cap) {
        p->cap = MAX(p->cap * 2, (uint64_t)1024);
        p->leaves = realloc(p->leaves, (size_t)p->cap * sizeof *p->leaves);
        ASSERT(p->leaves);
    }
    struct verify_provider_leaf *to = &p->leaves[p->count++];
    *to = (struct verify_provider_leaf){.kind = RECORD_KIND_COUNT};
    if (record_leaf_parse(entry, RECORD_LOG_PROVIDER, &l) != ERR_OK) return;       /* stands for nothing that a mirror may name */
    to->kind = l.kind;
    to->allow = slice_is(record_text(&l, RECORD_F_DEC), "allow");
    if (l.kind == RECORD_K_STMT) to->known = record_statement_kind_of(record_text(&l, RECORD_F_ACT), &to->act);
    if (l.kind == RECORD_K_GENESIS && p->officers.n == 0) {
        buf_put_slice(&p->officers, l.f[RECORD_F_SIGNER].text);
        p->genesis = index;
    }
}

void verify_provider_load(struct verify_provider *p, struct ledger_hash *h, const struct verify_replay_args *a, uint64_t least, struct verify_report *r)
{
    *p = (struct verify_provider){.officers = BUF_INIT(LEAF_BYTES_MAX)};
    if (verify_log_open(&p->log, h, a->provider_url, a->provider_vkey, a->ca) != ERR_OK) {
        verify_unreachable(r, a->provider_url, "not a URL or directory, or --provider-vkey is no verifier key");
        return;
    }
    p->log.name = "provider";
    p->loaded = verify_head_covering(&p->log, least, r) && verify_log_load(&p->log, r, leaf_keep, p);
    verify_fact(r, "provider records", p->count);
}

void verify_provider_done(struct verify_provider *p)
{
    verify_log_close(&p->log);
    free(p->leaves);
    buf_done(&p->officers);
}

const char *verify_provider_has(const struct verify_provider *p, uint64_t ref, const struct record_statement *s)
{
    ASSERT(ref < p->count);
    const struct verify_provider_leaf *l = &p->leaves[ref];
    if (s->kind == RECORD_STATEMENT_GENESIS_PROVIDER) {
        if (l->kind != RECORD_K_GENESIS || ref != p->genesis) return "the provider log's genesis does not stand there";
        return verify_lists_equal(s->scope, buf_slice(&p->officers)) ? NULL : "the provider log's genesis names other officers";
    }
    if (l->kind != RECORD_K_STMT || !l->known || l->act != s->kind) return "no statement of this kind stands there on the provider log";
    return l->allow ? NULL : "the statement was refused on the provider log";
}
