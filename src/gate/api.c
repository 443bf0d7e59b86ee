/* SPDX-License-Identifier: Apache-2.0
 * Port 9001's questions to the gate: statements, watches, and a tenant's own record with its openings.
 * Role: step.c hands over what is not S3; `tillit log` and auditors' tools ask here.
 * Trusts: struct verified for signed requests; statements.c for the others. Distrusts: parameters.
 * Law: 1 (reading the record is recorded before a byte of it leaves), 5 (a tenant names its own two logs, nothing else).
 * Spec: docs/spec/record.md, docs/spec/export.md
 */
#include "gate/request.h"
#include "gate/say.h"
#include "gate/tenants.h"

#define OPENINGS_COUNT_MAX 256
#define OPENINGS_BYTES_MAX (16 * 1024 * 1024)
#define STATEMENT_BODY_BYTES_MAX 65536
#define WHO_CAN_BYTES_MAX (8 * 1024 * 1024)

struct openings_ask {
    struct gate_log *log;
    uint64_t from, end;
};

/* statements -------------------------------------------------------------------------------------------------------------- */

static void statement_answer(void *ctx, uint16_t status, struct slice json)
{
    struct gate_request *r = ctx;
    request_put_header(r, "content-type", status < 300 ? SLICE_LIT("application/json") : SLICE_LIT("application/problem+json"));
    request_put_header(r, "cache-control", SLICE_LIT("no-store"));
    request_answer(r, NULL, status, json);
}

static void statement_body(struct gate_request *r, struct slice data, bool last)
{
    buf_put_slice(&r->body_bytes, data);
    if (!buf_ok(&r->body_bytes) || r->body_bytes.n > STATEMENT_BODY_BYTES_MAX) request_fail_code(r, S3E_EntityTooLarge, "A statement is at most 64 KiB");
    else if (last) statements_submit(r->gate, buf_slice(&r->body_bytes), r->ask.peer, statement_answer, r);
}

/* openings ------------------------------------------------------------------------------------------------------------------ */

static bool number(const struct gate_request *r, const char *name, uint64_t otherwise, uint64_t *out)
{
    const struct s3_param *p = request_param(r, name);
    *out = otherwise;
    return !p || slice_u64(p->value, UINT64_MAX - 1, out) == ERR_OK;
}

static bool openings_parse(const struct gate_request *r, struct openings_ask *a)
{
    const struct s3_param *log = request_param(r, "log");
    uint64_t count;
    if (!log || !number(r, "from", 0, &a->from) || !number(r, "count", OPENINGS_COUNT_MAX, &count)) return false;
    a->log = slice_is(log->value, "access") ? r->tenant->access : slice_is(log->value, "control") ? r->tenant->control : NULL;
    if (!a->log || count == 0 || count > OPENINGS_COUNT_MAX) return false;
    /* Fixed before the leaf: the answer is what was there when it was asked, not its own record. */
    uint64_t n = log_durable(a->log);
    a->from = MIN(a->from, n);
    a->end = a->from + MIN(count, n - a->from);
    return true;
}

static enum err openings_write(const struct openings_ask *a, struct buf *out)
{
    AUTO(buf) struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX);
    for (uint64_t i = a->from; i < a->end; i++) {
        buf_reset(&leaf), buf_reset(&opening);
        TRY(log_read(a->log, i, &leaf, &opening));
        export_line(i, buf_slice(&leaf), buf_slice(&opening), out);
    }
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

static void openings_durable(struct gate_request *r, const struct recorded *rec)
{
    struct openings_ask a;
    AUTO(buf) struct buf out = BUF_INIT(OPENINGS_BYTES_MAX);
    ASSERT(recorded_durable(rec) || BREAK("release-before-durable"));   /* LAW-1 */
    bool ok = buf_ok(&r->scratch) && r->scratch.n == sizeof a;
    ASSERT(ok);
    memcpy(&a, r->scratch.p, sizeof a);
    if (openings_write(&a, &out) != ERR_OK) {
        s3_fault_set(&r->fault, S3E_InternalError, "A record could not be read back; tillit doctor says more");
        request_fail(r, rec);
        return;
    }
    request_put_header(r, "content-type", SLICE_LIT("application/jsonl"));
    request_put_header(r, "cache-control", SLICE_LIT("no-store"));
    request_answer(r, rec, 200, buf_slice(&out));
}

static void openings_begin(struct gate_request *r)
{
    struct openings_ask a;
    AUTO(buf) struct buf qry = BUF_INIT(4096), from = BUF_INIT(32);
    r->act = "ReadOpenings";
    if (!step_decide_and_bind(r)) {
        step_refuse(r);
        return;
    }
    if (!openings_parse(r, &a)) {
        s3_fault_set(&r->fault, S3E_InvalidArgument, "log must be access or control, from a number, count 1 to 256");
        step_refuse(r);
        return;
    }
    if (!request_may_record(r, false)) return;
    buf_put_dec(&from, a.from);
    const struct record_qry q = {.prefix = a.log == r->tenant->access ? SLICE_LIT("access") : SLICE_LIT("control"), .after = buf_slice(&from),
                                 .keys_max = (uint32_t)(a.end - a.from)};
    record_qry_put(&qry, &q);
    buf_reset(&r->scratch);
    buf_put(&r->scratch, &a, sizeof a);
    const struct leaf_says says = {.qry = buf_slice(&qry)};
    step_record_or_fail(r, &says, NULL, openings_durable);
}

/* who can ---------------------------------------------------------------------------------------------------------------------- */

static void who_can_durable(struct gate_request *r, const struct recorded *rec)
{
    AUTO(buf) struct buf out = BUF_INIT(WHO_CAN_BYTES_MAX);
    ASSERT(recorded_durable(rec));                 /* LAW-1 */
    say_who_can(r->gate, r->tenant, request_param(r, "bucket")->value, request_param(r, "key")->value, r->now_ms, &out);
    if (!buf_ok(&out)) {
        s3_fault_set(&r->fault, S3E_InternalError, "There are too many who could be told of");
        request_fail(r, rec);
        return;
    }
    request_put_header(r, "content-type", SLICE_LIT("application/json"));
    request_put_header(r, "cache-control", SLICE_LIT("no-store"));
    request_answer(r, rec, 200, buf_slice(&out));
}

static void who_can_begin(struct gate_request *r)
{
    const struct s3_param *bucket = request_param(r, "bucket"), *key = request_param(r, "key");
    AUTO(buf) struct buf qry = BUF_INIT(4096);
    r->act = "WhoCan";
    if (!step_decide_and_bind(r)) {
        step_refuse(r);
        return;
    }
    if (!bucket || !key || s3_bucket_name_check(bucket->value) != S3E_NONE || key->value.n == 0 || key->value.n > S3_KEY_BYTES_MAX) {
        s3_fault_set(&r->fault, S3E_InvalidArgument, "bucket and key name an object");
        step_refuse(r);
        return;
    }
    if (!request_may_record(r, false)) return;
    const struct record_qry q = {.prefix = bucket->value, .after = key->value};
    record_qry_put(&qry, &q);
    const struct leaf_says says = {.qry = buf_slice(&qry)};
    step_record_or_fail(r, &says, NULL, who_can_durable);
}

/* watching: by what a look gave, which is its record -------------------------------------------------------------------------------- */

#define WATCH_PATH "/v1/watch/"

static void watch_begin(struct gate_request *r)
{
    uint64_t after;
    if (!number(r, "after", UINT64_MAX, &after)) request_fail_code(r, S3E_InvalidArgument, "after is an index of the control log");
    else say_watch(r->gate, slice_of(r->s3.path.p + sizeof WATCH_PATH - 1, r->s3.path.n - (sizeof WATCH_PATH - 1)), after, statement_answer, r);
}

void api_ask(struct gate_request *r)
{
    if (r->ask.auth != WIRE_AUTH_NONE) {
        if (slice_is(r->s3.path, "/v1/openings") && slice_is(r->s3.method, "GET")) openings_begin(r);
        else if (slice_is(r->s3.path, "/v1/who-can") && slice_is(r->s3.method, "GET")) who_can_begin(r);
        else request_fail_code(r, S3E_NoSuchKey, "There is nothing at this path; docs/spec/export.md lists the API");
        return;
    }
    if (s3_canon_parse(r->ask.canonical, &r->mem, &r->s3) != ERR_OK) request_fail_code(r, S3E_InvalidRequest, NULL);
    else if (slice_is(r->s3.path, "/v1/statements") && slice_is(r->s3.method, "POST")) request_want_body(r, STATEMENT_BODY_BYTES_MAX, statement_body);
    else if (slice_starts(r->s3.path, SLICE_LIT(WATCH_PATH)) && slice_is(r->s3.method, "GET")) watch_begin(r);
    else request_fail_code(r, S3E_AccessDenied, "This path wants a signed request");
}
