/* SPDX-License-Identifier: Apache-2.0
 * op_put: PutObject: from the verified ASK to the ticket, and from COMMIT to the settled write.
 * Role: decides before a byte of the body is read, commits under the key's hold. Trusts: the ticket's own numbers.
 * Distrusts: what COMMIT says: sums are compared with what is under the signature.
 * Law: 1 (leaf before effect), 3. Spec: docs/spec/order.md (PUT), docs/spec/entry.md.
 */
#include "frame/frame.h"
#include "gate/conn.h"
#include "gate/object.h"
#include "record/record.h"

static struct list tickets;
static struct list *tickets_list(void)
{
    if (!tickets.next) list_init(&tickets);
    return &tickets;
}

static void put_cleanup(struct gate_request *r)
{
    secret_done(&r->u.put.key);
    request_get_done(&r->u.get);
    if (r->u.put.job_cleanup) r->u.put.job_cleanup(r);
}

/* headers ------------------------------------------------------------------------------------------------------------------- */

/* Who owns an object is the bucket's matter: an ACL that says what holds anyway is passed over, others wait for an ACL engine. */
static enum s3_error put_acl(const struct gate_request *r)
{
    static const char *const grants[] = {"x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write-acp"};
    const struct policy_bucket *b = object_bucket(r);
    enum s3_error no = !b || b->ownership == POLICY_OWNERSHIP_ENFORCED ? S3E_AccessControlListNotSupported : S3E_NotImplemented;
    struct slice acl = request_header(r, "x-amz-acl");
    for (size_t i = 0; i < ARRAY_LEN(grants); i++)
        if (request_header(r, grants[i]).p) return no;
    return acl.p && !slice_is(acl, "private") && !slice_is(acl, "bucket-owner-full-control") ? no : S3E_NONE;
}

/* Headers that ask for what is not here: never passed over in silence. */
static enum s3_error put_unsupported(const struct gate_request *r)
{
    static const struct { const char *name; enum s3_error code; } refused[] = {
        {"x-amz-server-side-encryption-customer-algorithm", S3E_AccessDenied},
        {"x-amz-server-side-encryption-aws-kms-key-id", S3E_NotImplemented},
        {"x-amz-object-lock-mode", S3E_NotImplemented},
        {"x-amz-object-lock-retain-until-date", S3E_NotImplemented},
        {"x-amz-object-lock-legal-hold", S3E_NotImplemented},
        {"x-amz-website-redirect-location", S3E_NotImplemented},
        {"x-amz-write-offset-bytes", S3E_NotImplemented},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (request_header(r, refused[i].name).p) return refused[i].code;
    struct slice sse = request_header(r, "x-amz-server-side-encryption");
    if (sse.p && !slice_is(sse, "AES256")) return slice_is(sse, "aws:kms") ? S3E_NotImplemented : S3E_InvalidArgument;
    struct slice class = request_header(r, "x-amz-storage-class");
    if (class.p && !slice_is(class, "STANDARD")) return S3E_InvalidStorageClass;
    return put_acl(r);
}

enum s3_error op_put_headers(struct gate_request *r)
{
    AUTO(buf) struct buf tags = BUF_INIT(S3_TAGGING_BYTES_MAX);
    size_t count;
    enum s3_error e = put_unsupported(r);
    struct slice asked = request_header(r, "x-amz-tagging");
    if (e == S3E_NONE && asked.n) e = s3_tags_query(asked, S3_TAGS_MAX, &tags, &count, &r->fault);
    if (e == S3E_NONE) e = s3_meta_check(r->headers, r->header_count, &r->fault);
    return e == S3E_NONE || r->fault.code != S3E_NONE ? e : s3_fault_set(&r->fault, e, NULL);
}

/* "aws-chunked" is framing, not an encoding of the object. */
static void put_encoding(struct buf *out, struct slice value)
{
    AUTO(buf) struct buf kept = BUF_INIT(S3_CANONICAL_BYTES_MAX);
    while (value.n) {
        struct slice one, rest = slice_cut(value, ',', &one);
        one = slice_trim(one);
        if (one.n && !slice_ieq(one, SLICE_LIT("aws-chunked"))) {
            if (kept.n) buf_put_str(&kept, ", ");
            buf_put_slice(&kept, one);
        }
        value = rest;
    }
    if (kept.n) wire_put_header(out, SLICE_LIT("content-encoding"), buf_slice(&kept));
}

void op_put_meta(struct gate_request *r, struct buf *out, uint8_t *tags)
{
    AUTO(buf) struct buf canonical = BUF_INIT(S3_TAGGING_BYTES_MAX);
    struct slice asked = request_header(r, "x-amz-tagging");
    size_t count = 0;
    for (size_t i = 0; i < r->header_count; i++) {
        const struct s3_header *h = &r->headers[i];
        bool user = slice_starts(h->name, SLICE_LIT("x-amz-meta-"));
        if (!user && s3_unsigned_class(h->name) != S3_UNSIGNED_STORED) continue;
        if (slice_is(h->name, "content-encoding")) put_encoding(out, slice_trim(h->value));
        else wire_put_header(out, h->name, slice_trim(h->value));
    }
    if (asked.n && s3_tags_query(asked, S3_TAGS_MAX, &canonical, &count, NULL) != S3E_NONE) out->bad = true;   /* op_put_headers() took them */
    if (count) wire_put_header(out, SLICE_LIT("x-amz-tagging"), buf_slice(&canonical));
    *tags = (uint8_t)count;
}

/* ticket ------------------------------------------------------------------------------------------------------------------- */

/* Plaintext bytes that may come. */
static uint64_t put_limit(const struct request_put *q) { return q->body.length_known ? q->body.length : q->size_max; }

/* False: it ended the request. */
static bool put_ticket(struct gate_request *r, bool copy)
{
    struct gate *g = r->gate;
    struct request_put *q = &r->u.put;
    if (!request_may_record(r, true)) return false;
    if (!r->conn) {
        request_end(r);
        return false;
    }
    rng_fill(g->rng, q->blob, sizeof q->blob);
    if (keys_new(g->rng, &q->key) != ERR_OK) {
        request_fail_code(r, S3E_ServiceUnavailable, NULL);
        return false;
    }
    q->ticket_ms = loop_now_ms(g->loop);
    struct wire_ticket m = {.size_max = put_limit(q), .copy = copy};
    m.sums = S3_SUM_BIT(S3_SUM_MD5) | S3_SUM_BIT(q->body.sum);
    if (q->also != S3_SUM_NONE) m.sums |= S3_SUM_BIT(q->also);
    if (!copy && r->s3.payload == S3_PAYLOAD_SHA256) m.sums |= S3_SUM_BIT(S3_SUM_SHA256);
    memcpy(m.request, r->id, ID_BYTES);
    memcpy(m.tenant, r->tenant->id, ID_BYTES);
    memcpy(m.blob, q->blob, ID_BYTES);
    memcpy(m.key, q->key.p, KEYS_BYTES);
    keeper_grant(g, q->blob, r->ask.front_id, frame_cipher_size(put_limit(q)));
    r->state = REQUEST_TICKET;
    list_add_tail(tickets_list(), &r->waiting);
    conn_put_ticket(r->conn, r->wire_id, &m);
    wipe(&m, sizeof m);
    return true;
}

static void put_keeper_back(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    if (!m) request_fail_code(r, S3E_ServiceUnavailable, NULL);
    else put_ticket(r, false);
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

static void put_refuse(struct gate_request *r, enum s3_error e)
{
    if (r->fault.code == S3E_NONE) s3_fault_set(&r->fault, e, NULL);
    step_refuse(r);
}

void op_put_open(struct gate_request *r, void (*commit)(struct gate_request *r))
{
    struct request_put *q = &r->u.put;
    bool form = r->op == S3_OP_PostObject;
    r->cleanup = put_cleanup;
    q->commit = commit;
    if (!form) put_length(r);
    enum s3_error e = s3_body_read(r->headers, r->header_count, r->s3.payload, &q->body, &r->fault);
    if (form) q->body.length_known = false;        /* a form's length is not its file's */
    if (e == S3E_NONE && !q->body.length_known && !form) e = S3E_MissingContentLength;
    if (e == S3E_NONE && q->body.length_known && q->body.length > S3_PUT_BYTES_MAX) e = S3E_EntityTooLarge;
    if (q->also == q->body.sum) q->also = S3_SUM_NONE;
    if (!q->bounded || q->size_max > S3_PUT_BYTES_MAX) q->size_max = S3_PUT_BYTES_MAX;
    if (e == S3E_NONE) e = put_chain(r);
    if (e == S3E_NONE) e = quota_take(r, 1, q->body.length_known ? frame_cipher_size(q->body.length) : 0);
    if (e != S3E_NONE) put_refuse(r, e);
    else if (keeper_ready(r->gate)) put_ticket(r, false);
    else object_find(r, WIRE_FIND_CURRENT, put_keeper_back);         /* a FIND waits for the keeper; its answer is not looked at */
}

bool op_put_open_copy(struct gate_request *r, uint64_t size, enum s3_sum sum, void (*commit)(struct gate_request *r))
{
    struct request_put *q = &r->u.put;
    ASSERT(size <= S3_PUT_BYTES_MAX);
    r->cleanup = put_cleanup;
    q->commit = commit;
    q->copy = true;
    q->body = (struct s3_body){.length_known = true, .length = size, .sum = sum};
    if (!put_ticket(r, true)) return false;
    conn_tickets_leave();                          /* what is released goes behind it */
    return true;
}

void op_put_begin(struct gate_request *r)
{
    enum s3_error e = op_put_headers(r);
    if (e != S3E_NONE) put_refuse(r, e);
    else op_put_open(r, op_put_commit_object);
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
    const struct entry_facts *f = &r->u.get.entry.facts;
    r->write = NULL;
    if (!applied) {                                /* rule 4: the void is durable */
        buf_reset(&r->headers_out);
        s3_fault_set(&r->fault, S3E_ServiceUnavailable, "What was uploaded is not there any more; try again");
        request_fail(r, request_recorded(r));
        return;
    }
    if (r->op == S3_OP_PostObject) op_form_answer(r, request_recorded(r), slice_of(f->etag, f->etag_n));
    else request_answer(r, request_recorded(r), 200, slice_of(NULL, 0));
}

void op_put_entry(const struct gate_request *r, struct entry *e)
{
    static const char hex[] = "0123456789abcdef";
    const struct request_put *q = &r->u.put;
    *e = (struct entry){.row_count = 1, .keys = q->key};
    memcpy(e->row[0].blob, q->blob, ID_BYTES);
    e->row[0].cipher_size = q->cipher_size;
    e->row[0].plain_size = q->size;
    e->facts = (struct entry_facts){.size = q->size, .sum = (uint8_t)q->body.sum, .sum_n = s3_sum_bytes(q->body.sum)};
    for (size_t i = 0; i < sizeof q->md5; i++) {
        e->facts.etag[2 * i] = hex[q->md5[i] >> 4];
        e->facts.etag[2 * i + 1] = hex[q->md5[i] & 15];
    }
    e->facts.etag_n = 2 * sizeof q->md5;
    memcpy(e->facts.sum_value, q->sum, e->facts.sum_n);
}

/* Under the hold: guards, then command and leaf in one record. */
static void put_found(struct keeper_ask *a, const struct wire_found *m)
{
    struct gate_request *r = a->ctx;
    struct object_there there;
    struct entry e;
    if (!object_seen(r, m, &there)) return;
    enum s3_error code = object_write_guards(r, &there);
    if (code != S3E_NONE) {
        object_refuse(r, code, &there, slice_of(NULL, 0));
        return;
    }
    AUTO(buf) struct buf meta = BUF_INIT(ENTRY_META_BYTES_MAX);
    op_put_entry(r, &e);
    op_put_meta(r, &meta, &e.facts.tags);
    if (!buf_ok(&meta)) {
        object_refuse(r, S3E_MetadataTooLarge, &there, slice_of(NULL, 0));
        return;
    }
    struct object_write o = {.e = &e, .meta = buf_slice(&meta), .there = &there, .found = m, .done = put_done};
    object_write(r, &o);
}

void op_put_commit_object(struct gate_request *r) { object_hold_find(r, WIRE_FIND_CURRENT, put_found); }

/* The digests of COMMIT: all that the ticket asked for, of the right length, each once. */
static bool put_sums(struct request_put *q, struct slice list)
{
    struct reader r = reader_of(list);
    struct wire_sum_item s;
    bool md5 = false, sum = false, also = q->also == S3_SUM_NONE;
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
        if (q->also != S3_SUM_NONE && s.sum == (uint8_t)q->also) {
            memcpy(q->also_value, s.digest.p, s.digest.n);
            also = true;
        }
    }
    return !r.bad && md5 && sum && also;
}

/* A form's file has bounds instead of a length. */
static enum s3_error put_size(const struct request_put *q, const struct wire_commit *m)
{
    if (m->size > S3_PUT_BYTES_MAX || frame_cipher_size(m->size) != m->cipher_size) return S3E_IncompleteBody;
    if (q->body.length_known) return m->size == q->body.length ? S3E_NONE : S3E_IncompleteBody;
    return m->size > q->size_max ? S3E_EntityTooLarge : m->size < q->size_min ? S3E_EntityTooSmall : S3E_NONE;
}

void op_put_commit(struct gate_request *r, const struct wire_commit *m)
{
    struct request_put *q = &r->u.put;
    bool signed_digest = !q->copy && r->s3.payload == S3_PAYLOAD_SHA256;
    q->size = m->size;
    q->cipher_size = m->cipher_size;
    bool proven = !q->body.chunk_signed || s3_chain_whole(&q->chain) || BREAK("chunk-chain-unchecked");   /* LAW-3 */
    enum s3_error code = proven ? put_size(q, m) : q->chain.broken ? S3E_SignatureDoesNotMatch : S3E_IncompleteBody;
    if (code == S3E_NONE && (!put_sums(q, m->sums) || (signed_digest && !q->has_sha256))) code = S3E_InternalError;
    if (code == S3E_NONE)
        code = s3_body_compare(&q->body, q->md5, q->sum, q->has_sha256 ? q->sha256 : NULL,
                               signed_digest ? r->s3.payload_hash : slice_of(NULL, 0));
    if (code == S3E_NONE && !q->body.length_known) code = quota_take(r, 0, q->cipher_size);      /* of a form's file nobody knew before */
    if (code != S3E_NONE) put_refuse(r, code);
    else q->commit(r);
}
