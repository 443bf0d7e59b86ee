/* SPDX-License-Identifier: Apache-2.0
 * Writes DIR/run/gate/status.json: how the gate is, for `tillit doctor` and `tillit tenant list`. No name, no key; of data only how much is kept,
 * by tenant id, which who runs the disks sees anyway.
 * Role: a timer of main.c calls status_write(); a reader finds the old or the new file, never half of one.
 * Trusts: nothing. Law: 2 (no socket beside the door: the gate says, nobody asks), 7.
 * Spec: docs/spec/dir.md
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "gate/flow.h"
#include "gate/say_internal.h"
#include "gate/tenants.h"

/* A quota of 0 is none; records are counted only where there is one. */
static void put_quota(struct buf *b, struct gate *g, struct gate_tenant *t)
{
    if (!t->flow) return;
    const struct quota *q = &t->flow->quota;
    buf_printf(b, ",\"objects\":%llu,\"bytes\":%llu,\"records_today\":%llu,", (unsigned long long)q->objects, (unsigned long long)q->bytes,
               (unsigned long long)quota_records(g, t));
    buf_printf(b, "\"quota\":{\"objects\":%llu,\"bytes\":%llu,\"requests_per_second\":%llu,\"records_per_day\":%llu}", (unsigned long long)q->limit.objects,
               (unsigned long long)q->limit.bytes, (unsigned long long)q->limit.requests_per_second, (unsigned long long)q->limit.records_per_day);
}

#define DUE_SOON_MS (14ull * 86400000)

/* How many, never who: this file is read by whoever may read the disk. */
static void put_people(struct buf *b, struct gate *g, uint64_t now)
{
    struct gate_say *s = say_state(g);
    const struct policy_person *p;
    size_t cursor = 0, on = 0, overdue = 0, soon = 0, failed = 0;
    while ((p = policy_person_next(s->provider.people, &cursor))) {
        if (!p->on) continue;
        bool eligible = policy_eligible(p, now);
        on++;
        overdue += !eligible;
        soon += eligible && !policy_eligible(p, now + DUE_SOON_MS);
    }
    for (const struct list *at = s->failed.next; at != &s->failed; at = at->next) failed++;
    buf_printf(b, "\"people\":{\"on\":%zu,\"overdue\":%zu,\"due_soon\":%zu},\"failed_to_close\":%zu,", on, overdue, soon, failed);
}

static void put_grants(struct buf *b, struct gate_tenant *t, uint64_t now)
{
    static const struct { unsigned pending, live; } kinds[POLICY_GRANT__COUNT] = {
#define KIND_NONE {0, 0}
#define KIND_PENDING {1, 0}
#define KIND_LIVE {0, 1}
#define KIND_OVER {0, 0}
#define GRANT_STATE(NAME, text, kind) [POLICY_GRANT_##NAME] = KIND_##kind,
#include "policy/grant_state.def"
    };
    const struct policy_grant *x;
    size_t cursor = 0, pending = 0, live = 0;
    while ((x = policy_grant_next(t->state, &cursor))) {
        enum policy_grant_state state = policy_grant_state(t->state, x, now);
        pending += kinds[state].pending, live += kinds[state].live;
    }
    buf_printf(b, ",\"grants\":{\"pending\":%zu,\"live\":%zu}", pending, live);
}

static const char *yes(bool b) { return b ? "true" : "false"; }

void status_write(struct gate *g, bool keeper_ready, int landlock_abi)
{
    AUTO(buf) struct buf b = BUF_INIT(GATE_STATUS_BYTES_MAX);
    char path[1200], tmp[1208], id[ID_TEXT_CHARS + 1];
    struct logbook_stats s;
    struct secret_status m = secret_status();
    logbook_stats(g->logbook, &s);
    buf_printf(&b, "{\"boot\":%u,\"keeper\":%s,\"landlock\":%s,\"memory_locked\":%s,\"clock\":%s,\"space\":%s,", g->boot, yes(keeper_ready), yes(landlock_abi > 0),
               yes(m.locked_bytes == m.mapped_bytes), yes(!s.degraded_clock), yes(!s.at_reserve && g->writable));
    buf_printf(&b, "\"batches\":%llu,\"records\":%llu,\"wal_files\":%llu,", (unsigned long long)s.batches, (unsigned long long)s.records,
               (unsigned long long)s.wal_files);
    if (s.age_of_full_check_ms <= INT64_MAX) buf_printf(&b, "\"full_check_age_ms\":%llu,", (unsigned long long)s.age_of_full_check_ms);
    if (g->conf.s3_tests) buf_put_str(&b, "\"profile\":\"s3-tests\",");
    uint64_t now = clock_wall_ms();
    put_people(&b, g, now);
    buf_put_str(&b, "\"tenants\":[");
    for (size_t i = 0; i < g->tenant_count; i++) {
        struct gate_tenant *t = g->tenant_list[i];
        tenants_id_text(t->id, id);
        buf_printf(&b, "%s{\"id\":\"%s\",\"served\":%s,\"why\":\"%s\"", i > 0 ? "," : "", id, yes(t->served), t->served ? "" : t->unserved_why);
        put_quota(&b, g, t);
        if (t->served) put_grants(&b, t, now);
        buf_put_u8(&b, '}');
    }
    buf_put_str(&b, "]}\n");
    if (!buf_ok(&b)) return;
    snprintf(path, sizeof path, "%s/run/gate/status.json", g->dir);
    snprintf(tmp, sizeof tmp, "%s.new", path);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return;
    bool ok = write(fd, b.p, b.n) == (ssize_t)b.n;
    close(fd);
    if (ok) rename(tmp, path);
}
