/* SPDX-License-Identifier: Apache-2.0
 * gate_rig_ask: requests as a front would send them, answers and leaves as a test wants to see them.
 * Role: tests only. Trusts: the test. Law: none. Spec: docs/spec/wire.md, docs/spec/record.md
 */
#include "gate/gate_rig.h"

#include <stdio.h>

#include "frame/frame.h"

/* requests -------------------------------------------------------------------------------------------------------------------------- */

static void hash_hex(struct rig *r, const char *body, char out[65])
{
    uint8_t h[HASH_BYTES];
    AUTO(buf) struct buf hex = BUF_INIT(64);
    ledger_sha256(&r->g->hash, slice_str(body ? body : ""), h);
    buf_put_hex(&hex, slice_of(h, sizeof h));
    memcpy(out, hex.p, 64);
    out[64] = 0;
}

/* The headers that are signed: three always, then the test's. */
static size_t ask_headers(const struct rig_ask *a, const char *date, const char *hash, struct s3_header *h)
{
    size_t n = 0;
    h[n++] = (struct s3_header){SLICE_LIT("host"), SLICE_LIT("localhost")};
    if (!a->service) h[n++] = (struct s3_header){SLICE_LIT("x-amz-content-sha256"), slice_str(hash)};
    h[n++] = (struct s3_header){SLICE_LIT("x-amz-date"), slice_str(date)};
    if (a->header) h[n++] = (struct s3_header){slice_str(a->header), slice_str(a->value)};
    for (size_t i = 0; i < RIG_HEADERS_MAX && a->headers[i].name.p; i++) h[n++] = a->headers[i];
    return n;
}

void rig_ask(struct rig *r, uint64_t id, struct rig_ask a)
{
    AUTO(buf) struct buf mem = BUF_INIT(65536), canon = BUF_INIT(32768), authorization = BUF_INIT(2048), uns = BUF_INIT(4096), target = BUF_INIT(4096);
    char date[TIME_TEXT_MAX], hash[65] = "UNSIGNED-PAYLOAD";
    time_amz(clock_wall_ms(), date);
    if (a.form || a.body || a.body_size == 0) hash_hex(r, a.form ? a.form : a.body, hash);
    struct s3_header h[5 + RIG_HEADERS_MAX];
    size_t n = ask_headers(&a, date, hash, h);
    buf_put_str(&target, a.path);
    if (a.query) {
        buf_put_u8(&target, '?');
        buf_put_str(&target, a.query);
    }
    struct s3_client_key key = {.access_key = slice_str(a.key ? a.key : RIG_KEY), .secret = slice_str(a.secret ? a.secret : RIG_SECRET), .region = SLICE_LIT("eu-north-1"),
                                .service = slice_str(a.service ? a.service : a.api ? "tillit" : "s3")};
    assert_int_equal(s3_client_sign(&key, slice_str(a.method), buf_slice(&target), h, n, clock_wall_ms(), slice_str(hash), &authorization), ERR_OK);
    h[n] = (struct s3_header){SLICE_LIT("authorization"), buf_slice(&authorization)};
    struct s3_target t;
    struct slice none = slice_of(NULL, 0), rest, names = none, text = buf_slice(&authorization);
    assert_int_equal(s3_target_parse(buf_slice(&target), &mem, &t), S3E_NONE);
    /* AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=... */
    struct slice credential, signature_text;
    rest = slice_cut(text, '=', &credential);
    rest = slice_cut(rest, ',', &credential);
    rest = slice_cut(rest, '=', &names);
    rest = slice_cut(rest, ',', &names);
    signature_text = slice_cut(rest, '=', &rest);
    assert_int_equal(s3_canon_build(&canon, slice_str(a.method), &t, h, n, a.anonymous ? none : names, slice_str(hash), false, NULL), S3E_NONE);
    if (a.unsigned_header) wire_put_header(&uns, slice_str(a.unsigned_header), slice_str(a.unsigned_value));
    for (size_t i = 0; a.anonymous && i < RIG_HEADERS_MAX && a.headers[i].name.p; i++) wire_put_header(&uns, a.headers[i].name, a.headers[i].value);
    char signature[65];
    memcpy(signature, signature_text.p, 64);
    if (a.wrong_signature) signature[3] = signature[3] == '0' ? '1' : '0';
    struct wire_ask m = {.flags = a.api ? WIRE_ASK_API : 0, .auth = a.anonymous ? WIRE_AUTH_NONE : WIRE_AUTH_HEADER, .front_id = 1, .body_size = a.body ? strlen(a.body) : a.body_size,
                         .peer = SLICE_LIT("192.0.2.7"), .canonical = buf_slice(&canon), .credential = a.anonymous ? none : credential,
                         .signature = a.anonymous ? none : slice_of(signature, 64), .unsigned_headers = buf_slice(&uns),
                         .form = slice_str(a.form ? a.form : "")};
    struct wire_conn *to = a.access ? r->access : r->front;
    assert_int_equal(wire_put_ask(wire_conn_out(to), id, &m), ERR_OK);
    wire_conn_kick(to);
}

static void commit_put(struct rig *r, uint64_t id, uint64_t size, const struct buf *sums)
{
    struct wire_commit m = {.size = size, .cipher_size = frame_cipher_size(size), .sums = buf_slice(sums)};
    assert_int_equal(wire_put_commit(wire_conn_out(r->front), id, &m), ERR_OK);
    wire_conn_kick(r->front);
}

void rig_commit(struct rig *r, uint64_t id, const char *body)
{
    AUTO(buf) struct buf list = BUF_INIT(512);
    struct s3_sums s;
    uint8_t digest[S3_SUM_BYTES_MAX];
    uint32_t all = 0;
    for (enum s3_sum i = S3_SUM_MD5; i < S3_SUM__COUNT; i++) all |= S3_SUM_BIT(i);
    assert_int_equal(s3_sums_init(&s, all), ERR_OK);
    assert_int_equal(s3_sums_add(&s, slice_str(body)), ERR_OK);
    for (enum s3_sum i = S3_SUM_MD5; i < S3_SUM__COUNT; i++) {
        assert_int_equal(s3_sums_get(&s, i, digest), ERR_OK);
        buf_put_u8(&list, (uint8_t)i);
        buf_put_lp16(&list, slice_of(digest, s3_sum_bytes(i)));
    }
    s3_sums_done(&s);
    commit_put(r, id, strlen(body), &list);
}

void rig_commit_size(struct rig *r, uint64_t id, uint64_t size)
{
    AUTO(buf) struct buf list = BUF_INIT(512);
    uint8_t digest[S3_SUM_BYTES_MAX];
    for (enum s3_sum i = S3_SUM_MD5; i < S3_SUM__COUNT; i++) {
        memset(digest, (int)(size + i), sizeof digest);
        buf_put_u8(&list, (uint8_t)i);
        buf_put_lp16(&list, slice_of(digest, s3_sum_bytes(i)));
    }
    commit_put(r, id, size, &list);
}

void rig_control(struct rig *r, uint64_t id, struct rig_ask a)
{
    uint8_t md5[S3_SUM_BYTES_MAX];
    struct s3_sums s;
    AUTO(buf) struct buf text = BUF_INIT(64);
    assert_true(a.body && !a.header);
    assert_int_equal(s3_sums_init(&s, S3_SUM_BIT(S3_SUM_MD5)), ERR_OK);
    assert_int_equal(s3_sums_add(&s, slice_str(a.body)), ERR_OK);
    assert_int_equal(s3_sums_get(&s, S3_SUM_MD5, md5), ERR_OK);
    s3_sums_done(&s);
    buf_put_base64(&text, slice_of(md5, 16));
    buf_put_u8(&text, 0);
    a.header = "content-md5";
    a.value = (char *)text.p;
    rig_ask(r, id, a);
    struct rig_frame *f = rig_wait(r, id);
    if (f->type != WIRE_WANTBODY) return;          /* refused by its beginning */
    rig_forget(r, id);
    struct wire_body m = {.last = 1, .data = slice_str(a.body)};
    assert_int_equal(wire_put_body(wire_conn_out(r->front), id, &m), ERR_OK);
    wire_conn_kick(r->front);
}

void rig_forget(struct rig *r, uint64_t id)
{
    struct rig_frame *f = rig_frame_of(r, id);
    assert_non_null(f);
    f->id = UINT64_MAX;
}

struct wire_answer rig_answer(struct rig *r, uint64_t id)
{
    struct rig_frame *f = rig_wait(r, id);
    struct wire_answer m;
    if (f->type != WIRE_ANSWER) fail_msg("%s, not ANSWER", wire_type_name(f->type));
    assert_int_equal(wire_get_answer(buf_slice(&f->payload), &m), ERR_OK);
    return m;
}

struct wire_release rig_release(struct rig *r, uint64_t id)
{
    struct rig_frame *f = rig_wait(r, id);
    struct wire_release m;
    if (f->type == WIRE_ANSWER) fail_msg("%u %.*s, not RELEASE", rig_answer(r, id).status, (int)rig_answer(r, id).code.n, rig_answer(r, id).code.p);
    assert_int_equal(f->type, WIRE_RELEASE);
    assert_int_equal(wire_get_release(buf_slice(&f->payload), &m), ERR_OK);
    return m;
}

void rig_status(struct rig *r, uint64_t id, unsigned status, const char *code)
{
    struct wire_answer m = rig_answer(r, id);
    if (m.status != status || !slice_is(m.code, code))
        fail_msg("%u %.*s (%.*s), not %u %s", m.status, (int)m.code.n, m.code.p, (int)m.message.n, m.message.p, status, code);
}

struct slice rig_header(struct slice headers, const char *name)
{
    struct reader list = reader_of(headers);
    struct wire_header h;
    while (wire_next_header(&list, &h))
        if (slice_ieq(h.name, slice_str(name))) return h.value;
    return slice_of(NULL, 0);
}

void rig_put(struct rig *r, uint64_t id, const char *path, const char *body)
{
    rig_ask(r, id, (struct rig_ask){.method = "PUT", .path = path, .body = body});
    struct rig_frame *f = rig_wait(r, id);
    assert_int_equal(f->type, WIRE_TICKET);
    f->id = UINT64_MAX;                            /* seen */
    rig_commit(r, id, body);
}

void rig_put_done(struct rig *r, uint64_t id, const char *path, const char *body)
{
    rig_put(r, id, path, body);
    rig_status(r, id, 200, "");
}

/* leaves ------------------------------------------------------------------------------------------------------------------------------ */

void rig_leaf(struct rig *r, uint64_t index, struct rig_leaf *out)
{
    memset(out, 0, sizeof *out);
    buf_init(&out->bytes, LEAF_BYTES_MAX);
    buf_init(&out->opening_bytes, OPENING_BYTES_MAX);
    assert_int_equal(log_read(r->t->access, index, &out->bytes, &out->opening_bytes), ERR_OK);
    assert_int_equal(record_leaf_parse(buf_slice(&out->bytes), RECORD_LOG_ACCESS, &out->leaf), ERR_OK);
    if (!out->opening_bytes.n) return;
    assert_int_equal(record_opening_parse(buf_slice(&out->opening_bytes), &out->opening), ERR_OK);
    assert_int_equal(record_opening_check(&r->g->hash, &out->leaf, &out->opening), ERR_OK);
}

uint64_t rig_leaf_ver(const struct rig_leaf *l)
{
    uint64_t ver, rev;
    const struct record_opened *o = record_opened_field(&l->opening, RECORD_F_VER);
    assert_non_null(o);
    assert_int_equal(record_ver_get(o->value, &ver, &rev), ERR_OK);
    return ver;
}

void rig_leaf_done(struct rig_leaf *l)
{
    buf_done(&l->bytes);
    buf_done(&l->opening_bytes);
}

uint64_t rig_receipt(struct slice receipt)
{
    struct slice log, index = slice_cut(receipt, '/', &log);
    uint64_t n;
    assert_int_equal(slice_u64(index, UINT64_MAX, &n), ERR_OK);
    return n;
}
