/* SPDX-License-Identifier: Apache-2.0
 * op_put: PutObject: from the verified ASK to the ticket, and from COMMIT to the settled write.
 * Role: decides before a byte of the body is read, commits under the key's hold. Trusts: the ticket's own numbers.
 * Distrusts: what COMMIT says: sums are compared with what is under the signature.
 * Law: 1 (leaf before effect), 3. Spec: docs/spec/order.md (PUT), docs/spec/entry.md.
 */
#include "frame/frame.h"
#include "gate/conn.h"
#include "gate/recent.h"
#include "gate/request.h"
#include "record/record.h"

static struct list tickets;
static struct list *tickets_list(void)
{
    if (!tickets.next) list_init(&tickets);
    return &tickets;
}

static void put_cleanup(struct gate_request *r) { secret_done(&r->u.put.key); }

/* Headers that ask for what is not here: never passed over in silence. */
static enum s3_error put_unsupported(const struct gate_request *r)
{
    static const struct { const char *name; enum s3_error code; } refused[] = {
        {"x-amz-server-side-encryption-customer-algorithm", S3E_AccessDenied},
        {"x-amz-server-side-encryption-aws-kms-key-id", S3E_NotImplemented},
        {"x-amz-tagging", S3E_NotImplemented},
        {"x-amz-object-lock-mode", S3E_NotImplemented},
        {"x-amz-object-lock-retain-until-date", S3E_NotImplemented},
        {"x-amz-object-lock-legal-hold", S3E_NotImplemented},
        {"x-amz-website-redirect-location", S3E_NotImplemented},
        {"x-amz-write-offset-bytes", S3E_NotImplemented},
        {"x-amz-grant-full-control", S3E_AccessControlListNotSupported},
        {"x-amz-grant-read", S3E_AccessControlListNotSupported},
        {"x-amz-grant-read-acp", S3E_AccessControlListNotSupported},
        {"x-amz-grant-write-acp", S3E_AccessControlListNotSupported},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (request_header(r, refused[i].name).p) return refused[i].code;
    struct slice sse = request_header(r, "x-amz-server-side-encryption");
    if (sse.p && !slice_is(sse, "AES256")) return slice_is(sse, "aws:kms") ? S3E_NotImplemented : S3E_InvalidArgument;
    struct slice class = request_header(r, "x-amz-storage-class");
    if (class.p && !slice_is(class, "STANDARD")) return S3E_InvalidStorageClass;
    struct slice acl = request_header(r, "x-amz-acl");
    if (acl.p && !slice_is(acl, "private") && !slice_is(acl, "bucket-owner-full-control")) return S3E_AccessControlListNotSupported;
    return S3E_NONE;
}

/* "aws-chunked" is framing, not an encoding of the object. */
static void put_encoding(struct buf *out, struct slice value)
{
    AUTO(buf) struct buf kept = BUF_INIT(S3_CANONICAL_BYTES_MAX);
    while (value.n) {
        struct slice one, rest = slice_cut(value, ',', &one);
        one = slice_trim(one);
        if (one.n && !slice_ieq(one, SLICE_LIT("aws-chunked"))) {
            if (kept.n) buf_put_u8(&kept, ',');
            buf_put_slice(&kept, one);
        }
        value = rest;
    }
    if (kept.n) wire_put_header(out, SLICE_LIT("content-encoding"), buf_slice(&kept));
}

/* The headers list that lies sealed as meta. */
static void put_meta(const struct gate_request *r, struct buf *out)
{
    for (size_t i = 0; i < r->header_count; i++) {
        const struct s3_header *h = &r->headers[i];
        bool user = slice_starts(h->name, SLICE_LIT("x-amz-meta-"));
        if (!user && s3_unsigned_class(h->name) != S3_UNSIGNED_STORED) continue;
        if (slice_is(h->name, "content-encoding")) put_encoding(out, slice_trim(h->value));
        else wire_put_header(out, h->name, slice_trim(h->value));
    }
}

/* ticket ------------------------------------------------------------------------------------------------------------------- */

static void put_ticket(struct gate_request *r)
{
    struct gate *g = r->gate;
    struct request_put *q = &r->u.put;
    if (!request_may_record(r, true)) return;
    if (!r->conn) {
        request_end(r);
        return;
    }
    rng_fill(g->rng, q->blob, sizeof q->blob);
    if (keys_new(g->rng, &q->key) != ERR_OK) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    q->ticket_ms = loop_now_ms(g->loop);
    struct wire_ticket m = {.size_max = q->body.length};
    m.sums = (uint8_t)(1u << WIRE_SUM_MD5 | 1u << q->body.sum);
    if (r->s3.payload == S3_PAYLOAD_SHA256) m.sums |= 1u << WIRE_SUM_SHA256;
    memcpy(m.request, r->id, ID_BYTES);
    memcpy(m.tenant, r->tenant->id, ID_BYTES);
    memcpy(m.blob, q->blob, ID_BYTES);
    memcpy(m.key, q->key.p, KEYS_BYTES);
    keeper_grant(g, q->blob, r->ask.front_id, frame_cipher_size(q->body.length));
    r->state = REQUEST_TICKET;
    list_add_tail(tickets_list(), &r->waiting);
    conn_put_ticket(r->conn, r->wire_id, &m);
    wipe(&m, sizeof m);
}

static void put_keeper_back(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    if (!m) request_fail_code(r, S3E_ServiceUnavailable, NULL);
    else put_ticket(r);
}

static void put_find(struct gate_request *r, void (*found)(struct keeper_ask *a, const struct wire_found *m))
{
    r->find.found = found;
    r->find.sending = NULL;
    r->find.ctx = r;
    r->find.find = (struct wire_find){.key = r->name.key};
    memcpy(r->find.find.bucket, r->bucket->id, ID_BYTES);
    keeper_find(r->gate, &r->find);
}

/* Content-Length is mostly not signed. The front's number only bounds the upload; what was staged is what counts at COMMIT. */
static void put_length(struct gate_request *r)
{
    if (r->ask.body_size == WIRE_SIZE_UNKNOWN || s3_header_find(r->headers, r->header_count, "content-length")) return;
    if (r->header_count == ARRAY_LEN(r->headers)) return;
    buf_reset(&r->scratch);
    buf_put_dec(&r->scratch, r->ask.body_size);
    r->headers[r->header_count++] = (struct s3_header){.name = SLICE_LIT("content-length"), .value = buf_slice(&r->scratch)};
}

/* The chain of a body in signed chunks begins at the request's own signature. */
static enum s3_error put_chain(struct gate_request *r)
{
    struct request_put *q = &r->u.put;
    uint8_t seed[HASH_BYTES];
    if (!q->body.chunk_signed) return S3E_NONE;
    if (!verified_key(r->verified)) return S3E_InvalidRequest;
    if (hex_fixed(r->ask.signature, seed, sizeof seed) != ERR_OK) return S3E_InvalidRequest;
    s3_chain_init(&q->chain, seed, q->body.length, q->body.trailer_signed);
    return S3E_NONE;
}

void op_put_begin(struct gate_request *r)
{
    struct request_put *q = &r->u.put;
    r->cleanup = put_cleanup;
    put_length(r);
    enum s3_error e = put_unsupported(r);
    if (e == S3E_NONE) e = s3_body_read(r->headers, r->header_count, r->s3.payload, &q->body, &r->fault);
    if (e == S3E_NONE) e = s3_meta_check(r->headers, r->header_count, &r->fault);
    if (e == S3E_NONE && !q->body.length_known) e = S3E_MissingContentLength;
    if (e == S3E_NONE && q->body.length > S3_PUT_BYTES_MAX) e = S3E_EntityTooLarge;
    if (e == S3E_NONE) e = put_chain(r);
    if (e != S3E_NONE) {
        if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, e, NULL);
        step_refuse(r);
        return;
    }
    if (keeper_ready(r->gate)) put_ticket(r);
    else put_find(r, put_keeper_back);             /* a FIND waits for the keeper; its answer is not looked at */
}

void op_put_sweep(struct gate *g)
{
    uint64_t now = loop_now_ms(g->loop);
    while (!list_empty(tickets_list())) {
        struct gate_request *r = container_of(tickets_list()->next, struct gate_request, waiting);
        if (now - r->u.put.ticket_ms < TICKET_MS) break;
        request_fail_code(r, S3E_RequestTimeout, NULL);
    }
}

/* chunks ---------------------------------------------------------------------------------------------------------------------- */

/* A wrong one ends the ticket's use at once; the answer waits for COMMIT, so that a ticket has one answer whatever is under way. */
enum err op_put_chunks(struct gate_request *r, const struct wire_chunks *m)
{
    struct request_put *q = &r->u.put;
    if (!q->body.chunk_signed || m->rows.n % WIRE_CHUNK_ROW_BYTES != 0) return ERR_INPUT;
    if (m->trailer.n != (m->last && q->body.trailer_signed ? WIRE_CHUNK_ROW_BYTES : 0)) return ERR_INPUT;
    if (!q->chain.broken) step_verify_chunks(r, &q->chain, m->rows, m->trailer);
    if (m->last && !q->chain.ended) q->chain.broken = true;
    return ERR_OK;
}

/* commit ---------------------------------------------------------------------------------------------------------------------- */

static void put_done(struct gate_write *w, bool applied)
{
    struct gate_request *r = w->ctx;
    struct request_put *q = &r->u.put;
    r->write = NULL;
    buf_reset(&r->headers_out);
    if (!applied) {                                /* rule 4: the void is durable */
        s3_fault_set(&r->fault, S3E_ServiceUnavailable, "What was uploaded is not there any more; try again");
        request_fail(r, request_recorded(r));
        return;
    }
    AUTO(buf) struct buf text = BUF_INIT(128);
    buf_put_u8(&text, '"');
    buf_put_hex(&text, slice_of(q->md5, sizeof q->md5));
    buf_put_u8(&text, '"');
    request_put_header(r, "ETag", buf_slice(&text));
    buf_reset(&text);
    buf_put_base64(&text, slice_of(q->sum, s3_sum_bytes(q->body.sum)));
    request_put_header(r, s3_sum_header(q->body.sum), buf_slice(&text));
    request_put_header(r, "x-amz-checksum-type", SLICE_LIT("FULL_OBJECT"));
    request_put_header(r, "x-amz-server-side-encryption", SLICE_LIT("AES256"));
    request_answer(r, request_recorded(r), 200, slice_of(NULL, 0));
}

static void put_unhold(struct gate_write *w) { request_unhold(w->ctx); }

static void entry_of_put(struct gate_request *r, uint64_t at, struct entry *e)
{
    struct request_put *q = &r->u.put;
    *e = (struct entry){.index = log_size(r->tenant->access), .row_count = 1, .keys = q->key};
    rng_fill(r->gate->rng, e->order, sizeof e->order);
    memcpy(e->row[0].blob, q->blob, ID_BYTES);
    e->row[0].cipher_size = q->cipher_size;
    e->row[0].plain_size = q->size;
    e->facts = (struct entry_facts){.size = q->size, .mtime_ms = at, .sum = (uint8_t)q->body.sum, .sum_n = s3_sum_bytes(q->body.sum)};
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof q->md5; i++) {
        e->facts.etag[2 * i] = hex[q->md5[i] >> 4];
        e->facts.etag[2 * i + 1] = hex[q->md5[i] & 15];
    }
    e->facts.etag_n = 2 * sizeof q->md5;
    memcpy(e->facts.sum_value, q->sum, e->facts.sum_n);
}

/* Under the hold, with every guard decided: command and leaf, in one record. */
static enum err put_write(struct gate_request *r, uint64_t guard, struct gate_write *w, struct buf *fresh)
{
    struct gate *g = r->gate;
    struct gate_tenant *t = r->tenant;
    struct entry_place place = {.tenant = t->id, .bucket = r->bucket->id, .key = r->name.key};
    struct entry e;
    uint64_t at;
    TRY(log_time(t->access, loop_wall_ms(g->loop), &at));
    entry_of_put(r, at, &e);
    AUTO(buf) struct buf meta = BUF_INIT(ENTRY_META_BYTES_MAX);
    put_meta(r, &meta);
    if (!buf_ok(&meta)) return ERR_LIMIT;
    buf_reset(&r->body_bytes);
    TRY(entry_seal(g->crypto, &g->hash, g->rng, &r->bucket->key, &t->key, &place, &e, buf_slice(&meta), &r->body_bytes));

    struct record_new n = {.size = e.facts.size, .etag_kind = e.facts.etag_kind, .etag = slice_of(e.facts.etag, e.facts.etag_n),
                           .sum_kind = e.facts.sum, .sum = slice_of(e.facts.sum_value, e.facts.sum_n)};
    memcpy(n.bucket, r->bucket->id, ID_BYTES);
    memcpy(n.blob, r->u.put.blob, ID_BYTES);
    entry_hash(&g->hash, &e, buf_slice(&meta), n.entry_hash);
    record_new_put(fresh, &n);

    command_begin(&w->command, COMMAND_PUT, at);
    command_key(&w->command, r->bucket->id, r->name.key, guard, t->grave_ms);
    command_entry(&w->command, buf_slice(&r->body_bytes));
    w->slot = r->slot;
    w->slot_count = 1;
    w->grave_due_ms = guard == COMMAND_GUARD_ABSENT ? 0 : at + MAX(t->grave_ms, (uint64_t)GRAVE_MIN_MS);
    w->unhold = put_unhold;
    w->done = put_done;
    w->ctx = r;
    return buf_ok(&w->command) && buf_ok(fresh) ? ERR_OK : ERR_LIMIT;
}

static void put_refused(struct gate_request *r, const struct recorded *rec) { request_fail(r, rec); }

static void put_refuse(struct gate_request *r, enum s3_error code, uint64_t ver)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, code, NULL);
    struct leaf_says says = {.why = s3_error_code(code), .has_ver = true, .ver = ver};
    step_record_or_fail(r, &says, NULL, put_refused);
}

/* What is there now, for If-*; S3E_NONE also sets *ver. */
static enum s3_error put_guards(struct gate_request *r, const struct wire_found *m, uint64_t *ver)
{
    struct s3_conditions c;
    struct entry e = {0};
    const char *condition = NULL;
    *ver = UINT64_MAX;
    s3_conditions_of(r->headers, r->header_count, &c);
    if (m->present == WIRE_FOUND_PRESENT) {
        struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = r->name.key};
        if (entry_parse(m->entry, &e) != ERR_OK) return S3E_InternalError;
        *ver = e.index;
        /* Facts are opened only when a condition needs the tag. */
        if (s3_conditions_any(&c) && entry_open_facts(r->gate->crypto, &r->bucket->key, &place, e.facts_sealed, e.index, e.row_count,
                                                      &e.facts, NULL) != ERR_OK)
            return S3E_InternalError;
    }
    enum s3_error code = s3_condition_write(&c, *ver != UINT64_MAX && !e.delete_marker, slice_of(e.facts.etag, e.facts.etag_n), &condition);
    if (code != S3E_NONE) {
        s3_fault_set(&r->fault, code, NULL);
        if (condition) s3_fault_add(&r->fault, "Condition", slice_str(condition));
    }
    return code;
}

static void put_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    if (!m || m->present == WIRE_FOUND_IO) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    if (!step_still_allowed(r)) {
        step_refuse(r);
        return;
    }
    if (!request_may_record(r, true)) return;
    uint64_t ver;
    enum s3_error code = put_guards(r, m, &ver);
    if (code != S3E_NONE) {
        put_refuse(r, code, ver);
        return;
    }
    struct gate_write *w = flow_write_new(r->gate, r->tenant);
    AUTO(buf) struct buf fresh = BUF_INIT(512);
    if (put_write(r, ver, w, &fresh) != ERR_OK) {
        flow_write_free(w);
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return;
    }
    struct leaf_says says = {.write = true, .has_ver = true, .ver = ver, .has_bytes = true, .bytes = r->u.put.size, .fresh = buf_slice(&fresh)};
    r->write = w;
    if (step_record(r, r->decided, &says, w, NULL) == ERR_OK) return;
    r->write = NULL;
    flow_write_free(w);
    request_fail_code(r, S3E_ServiceUnavailable, NULL);
}

static void put_held(struct hold_wait *w, bool yes)
{
    struct gate_request *r = w->ctx;
    if (yes) put_find(r, put_found);
    else request_fail_code(r, S3E_SlowDown, NULL); /* 2 s, before the leaf */
}

/* The digests of COMMIT: all that the ticket asked for, of the right length, each once. */
static bool put_sums(struct request_put *q, struct slice list)
{
    struct reader r = reader_of(list);
    struct wire_sum_item s;
    bool md5 = false, sum = false;
    while (wire_next_sum(&r, &s)) {
        if (s.sum >= S3_SUM__COUNT || s.digest.n != s3_sum_bytes((enum s3_sum)s.sum)) return false;
        if (s.sum == S3_SUM_MD5) {
            memcpy(q->md5, s.digest.p, sizeof q->md5);
            md5 = true;
        }
        if (s.sum == S3_SUM_SHA256) {
            memcpy(q->sha256, s.digest.p, sizeof q->sha256);
            q->has_sha256 = true;
        }
        if (s.sum == (uint8_t)q->body.sum) {
            memcpy(q->sum, s.digest.p, s.digest.n);
            sum = true;
        }
    }
    return !r.bad && md5 && sum;
}

void op_put_commit(struct gate_request *r, const struct wire_commit *m)
{
    struct request_put *q = &r->u.put;
    bool signed_digest = r->s3.payload == S3_PAYLOAD_SHA256;
    enum s3_error code = S3E_NONE;
    q->size = m->size;
    q->cipher_size = m->cipher_size;
    bool proven = !q->body.chunk_signed || s3_chain_whole(&q->chain) || BREAK("chunk-chain-unchecked");   /* LAW-3 */
    if (!proven) code = q->chain.broken ? S3E_SignatureDoesNotMatch : S3E_IncompleteBody;
    else if (m->size > S3_PUT_BYTES_MAX || m->size != q->body.length || frame_cipher_size(m->size) != m->cipher_size) code = S3E_IncompleteBody;
    else if (!put_sums(q, m->sums) || (signed_digest && !q->has_sha256)) code = S3E_InternalError;
    else
        code = s3_body_compare(&q->body, q->md5, q->sum, q->has_sha256 ? q->sha256 : NULL,
                               signed_digest ? r->s3.payload_hash : slice_of(NULL, 0));
    if (code != S3E_NONE) {
        s3_fault_set(&r->fault, code, NULL);
        step_refuse(r);
        return;
    }
    r->slot = recent_slot(r->gate->recent, r->bucket->id, r->name.key);
    switch (request_hold(r, put_held)) {
    case HOLD_TAKEN: put_find(r, put_found); break;
    case HOLD_WAITING: break;
    case HOLD_FULL: request_fail_code(r, S3E_SlowDown, NULL); break;
    }
}
