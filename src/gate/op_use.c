/* SPDX-License-Identifier: Apache-2.0
 * op_use: GetObject under a grant: from its place in line to the last segment that was sent.
 *
 *     line -> FIND (op_read.c) -> what is there, conditions, range (op_get.c) -> use_release():
 *     decide about one segment -> leaf, folded -> durable -> RELEASE of its key -> NEXT -> line -> use_release() again, or over
 *
 * Role: between op_get.c and step_release.c for the provider's people. Trusts: meter.c's turns. Distrusts: NEXT, and rows of sets.
 * Law: 1 (each key has its own durable leaf), 2, 4 (each release is decided by the state then). Spec: docs/spec/access.md section 5.
 */
#include "gate/conn.h"
#include "gate/request.h"

bool use_is(const struct gate_request *r) { return verified_session(r->verified) && !slice_is(r->s3.method, "HEAD"); }

/* the end --------------------------------------------------------------------------------------------------------------------------- */

bool use_cut(struct gate_request *r)
{
    if (!r->stream.released || (!r->stream.killed && step_grant_lives(r))) return false;
    if (!r->conn) {
        request_end(r);
        return true;
    }
    meter_put_kill(r);                             /* what lies in sockets would still drain: it is reset, and over when the front says so */
    r->u.get.awaits_next = false;
    r->state = REQUEST_NEXT;
    return true;
}

void use_over(struct gate_request *r, const struct recorded *rec)
{
    if (use_cut(r)) return;
    s3_fault_set(&r->fault, S3E_AccessDenied, "The grant ended");
    buf_reset(&r->headers_out);
    request_fail(r, rec);
}

static void use_fail(struct gate_request *r, enum err e)
{
    log_line(LOG_ERROR, "use-failed", "err=%s", err_name(e));
    buf_reset(&r->headers_out);
    s3_fault_set(&r->fault, S3E_InternalError, NULL);
    request_fail(r, request_recorded(r));
}

/* one segment ------------------------------------------------------------------------------------------------------------------------ */

static void use_durable(struct gate_request *r, const struct recorded *rec)
{
    (void)rec;
    step_release_metered(r, &r->u.get, request_recorded(r));
}

void use_release(struct gate_request *r)
{
    struct request_get *q = &r->u.get;
    if (!r->conn) {                                /* nobody to give it to: the budget is not touched */
        request_end(r);
        return;
    }
    if (r->stream.killed) {                        /* nor here, whatever the grant is by now: KILLED is all that may come */
        r->state = REQUEST_NEXT;
        return;
    }
    enum err e = step_release_segment(r, q, &r->opens);
    if (e != ERR_OK) {
        use_fail(r, e);
        return;
    }
    r->opens.known = true;
    r->opens.goes_on = q->set_begun;
    r->decided = step_decide(r, r->verified);      /* now, about these bytes: state, budget, who stands */
    if (!decided_allow(r->decided)) {
        if (!q->set_begun) buf_reset(&r->headers_out);
        s3_fault_set(&r->fault, decided_code(r->decided), NULL);
        step_refuse(r);
        return;
    }
    if (!request_may_record(r, false)) return;
    uint64_t here = log_size(r->tenant->control), read = log_size(r->tenant->access);
    if (!q->set_begun) q->first_leaf = here, q->read = read;
    struct leaf_says says = {.has_ver = true, .ver = q->entry.index, .rev = q->entry.revision, .has_read = true, .read = q->read,
                             .has_bytes = true, .bytes = r->opens.bytes, .has_segment = true, .segment = r->opens.segment,
                             .ref = q->set_begun ? &q->first_leaf : NULL,
                             .has_range = q->part, .range_first = q->off, .range_last = q->off + q->len - 1};
    step_record_or_fail(r, &says, NULL, use_durable);
}

/* of sets: rows before the leaf, because what a key opens hangs on its row ------------------------------------------------------------ */

void use_takes(struct gate_request *r)
{
    struct request_get *q = &r->u.get;
    q->says = (struct release_says){.status = q->part ? 206 : 200, .size = q->entry.facts.size, .off = q->off, .len = q->len};
    if (BREAK("staff-range-ignored")) q->says.off = 0, q->says.len = q->entry.facts.size;
    q->released = q->says.off;
}

bool use_find_rows(struct gate_request *r, void (*found)(struct keeper_ask *a, const struct wire_found *m))
{
    struct request_get *q = &r->u.get;
    if (!(q->entry.flags & ENTRY_SET) || step_release_rows_there(q)) return false;
    if (q->says.size == 0) {
        read_find_part(r, q, 1, 1, found);
        return true;
    }
    r->find.found = found;
    r->find.sending = NULL;                        /* rule 8 counts from the FIND of the entry */
    r->find.ctx = r;
    r->find.find = (struct wire_find){.mode = WIRE_FIND_SET, .off = q->released, .len = q->says.off + q->says.len - q->released};
    memcpy(r->find.find.bucket, r->bucket->id, ID_BYTES);
    memcpy(r->find.find.id, q->entry.set, ID_BYTES);
    keeper_find(r->gate, &r->find);
    return true;
}

static void use_rows_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    if (!m || m->present != WIRE_FOUND_PRESENT) {
        use_fail(r, ERR_MISSING);
        return;
    }
    buf_reset(&r->u.get.parts);
    buf_put_slice(&r->u.get.parts, m->parts);
    use_release(r);
}

/* the stream ---------------------------------------------------------------------------------------------------------------------------- */

/* Its turn again. The rows of a set never change while something names it, and the stream's first leaf stands. */
static void use_goes_on(struct gate_request *r)
{
    if (!use_find_rows(r, use_rows_found)) use_release(r);
}

enum err use_next(struct gate_request *r, uint64_t sent)
{
    struct request_get *q = &r->u.get;
    if (r->stream.killed) return ERR_OK;           /* it crossed the KILL */
    if (!q->awaits_next || sent != q->released - q->says.off) return ERR_INPUT;
    q->awaits_next = false;
    meter_sent(r);
    if (step_release_whole(q)) request_end(r);
    else if (!meter_enter(r, use_goes_on)) panic_at(__FILE__, __LINE__, __func__, "a stream that is in");
    return ERR_OK;
}

static void use_read(struct gate_request *r) { op_read(r, r->u.get.got); }

void use_begin(struct gate_request *r, void (*got)(struct gate_request *r))
{
    r->u.get.got = got;
    r->u.get.metered = true;
    if (!meter_enter(r, use_read)) request_fail_code(r, S3E_SlowDown, NULL);
}
