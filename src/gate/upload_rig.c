/* SPDX-License-Identifier: Apache-2.0
 * upload_rig: a client of uploads in parts, for tests.
 * Role: tests only; above gate_rig.c. Trusts: the test. Law: none. Spec: docs/spec/entry.md section 2
 */
#include "gate/upload_rig.h"

#include <stdio.h>

/* src/keeper/command.c, compiled under another name: the reader of what this room writes. */
enum err keeper_command_check(struct slice raw, uint64_t index, size_t *claims);

/* Every command is read by the keeper's own reader, too, before the rig's keeper acts on it. */
struct rig_seen rig_seen;
uint64_t rig_next;

static bool keeper_also(struct rig *r, uint8_t type, uint64_t id, struct slice payload)
{
    struct wire_apply m;
    size_t claims;
    (void)r, (void)id;
    if (type != WIRE_APPLY) return false;
    assert_int_equal(wire_get_apply(payload, &m), ERR_OK);
    buf_put_slice(&rig_seen.pieces, m.command);
    if (!m.last) return false;
    assert_int_equal(keeper_command_check(buf_slice(&rig_seen.pieces), m.index, &claims), ERR_OK);
    struct reader in = reader_of(buf_slice(&rig_seen.pieces));
    reader_u8(&in);
    rig_seen.kind = reader_u8(&in);
    reader_slice(&in, 8 + ID_BYTES);
    reader_lp16(&in, S3_KEY_BYTES_MAX);
    reader_slice(&in, ID_BYTES + 2 + 8);
    if (rig_seen.kind == COMMAND_PART) rig_seen.source = reader_u8(&in);
    buf_reset(&rig_seen.pieces);
    return false;
}

size_t rig_parts_there(const struct rig *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->part_count; i++) n += r->parts[i].entry.n > 0;
    return n;
}

/* the client --------------------------------------------------------------------------------------------------------------- */

struct rig *rig_begin(void)
{
    struct rig *r = rig_new();
    buf_done(&rig_seen.pieces);
    buf_init(&rig_seen.pieces, COMMAND_BYTES_MAX);
    r->keeper_also = keeper_also;
    r->g->conf.part_min_bytes = 1;
    rig_next = 1;
    return r;
}

/* <tag>text</tag> of a document, into out. */
void rig_element(struct slice xml, const char *tag, char *out, size_t out_n)
{
    char open[64];
    snprintf(open, sizeof open, "<%s>", tag);
    const char *at = memmem(xml.p, xml.n, open, strlen(open));
    if (!at) fail_msg("no %s in %.*s", open, (int)xml.n, xml.p);
    at += strlen(open);
    size_t n = 0;
    while (at[n] != '<') n++;
    assert_true(n < out_n);
    memcpy(out, at, n);
    out[n] = 0;
}

/* The upload's id as text. */
void rig_create(struct rig *r, const char *name, const char *value, char id[ID_TEXT_CHARS + 1])
{
    uint64_t n = rig_next++;
    rig_ask(r, n, (struct rig_ask){.method = "POST", .path = "/bucket/up", .query = "uploads=", .header = name, .value = value});
    rig_status(r, n, 200, "");
    rig_element(rig_answer(r, n).body, "UploadId", id, ID_TEXT_CHARS + 1);
}

void rig_query(char out[128], const char *id, const char *number)
{
    if (number) snprintf(out, 128, "partNumber=%s&uploadId=%s", number, id);
    else snprintf(out, 128, "uploadId=%s", id);
}

void rig_part_ask(struct rig *r, uint64_t n, const char *id, const char *number, const char *body)
{
    char query[128];
    rig_query(query, id, number);
    rig_ask(r, n, (struct rig_ask){.method = "PUT", .path = "/bucket/up", .query = query, .body = body});
}

void rig_ticket(struct rig *r, uint64_t n)
{
    struct rig_frame *f = rig_wait(r, n);
    assert_int_equal(f->type, WIRE_TICKET);
    f->id = UINT64_MAX;
}

/* Gives the request's number; ETag in etag. */
uint64_t rig_part_put(struct rig *r, const char *id, const char *number, const char *body, char etag[40])
{
    uint64_t n = rig_next++;
    rig_part_ask(r, n, id, number, body);
    rig_ticket(r, n);
    rig_commit(r, n, body);
    rig_status(r, n, 200, "");
    struct slice e = rig_header(rig_answer(r, n).headers, "etag");
    assert_true(e.n == 34);
    memcpy(etag, e.p + 1, 32);
    etag[32] = 0;
    return n;
}

void rig_body(struct rig *r, uint64_t n, struct slice body)
{
    struct rig_frame *f = rig_wait(r, n);
    if (f->type != WIRE_WANTBODY) return;          /* refused before */
    f->id = UINT64_MAX;
    while (body.n) {
        size_t m = MIN(body.n, (size_t)WIRE_DATA_BYTES_MAX);
        struct wire_body b = {.last = m == body.n, .data = slice_of(body.p, m)};
        assert_int_equal(wire_put_body(wire_conn_out(r->front), n, &b), ERR_OK);
        body = slice_of(body.p + m, body.n - m);
    }
    wire_conn_kick(r->front);
}

uint64_t rig_complete(struct rig *r, const char *id, const char *body, const char *name, const char *value)
{
    char query[128];
    uint64_t n = rig_next++;
    rig_query(query, id, NULL);
    rig_ask(r, n, (struct rig_ask){.method = "POST", .path = "/bucket/up", .query = query, .body = body, .header = name, .value = value});
    rig_body(r, n, slice_str(body));
    return n;
}

void rig_complete_xml(char out[1024], size_t count, const char *const *numbers, char etags[][40])
{
    size_t n = (size_t)snprintf(out, 1024, "<CompleteMultipartUpload>");
    for (size_t i = 0; i < count; i++) n += (size_t)snprintf(out + n, 1024 - n, "<Part><ETag>\"%s\"</ETag><PartNumber>%s</PartNumber></Part>", etags[i], numbers[i]);
    snprintf(out + n, 1024 - n, "</CompleteMultipartUpload>");
}

const char *const rig_one_two[2] = {"1", "2"};

uint64_t rig_leaf_at(struct rig *r, uint64_t n) { return rig_receipt(rig_answer(r, n).receipt); }

void rig_assert_up(const struct rig_leaf *l, const char *id, uint16_t number)
{
    uint8_t up[ID_BYTES], want[ID_BYTES];
    uint16_t part_number;
    const struct record_opened *o = record_opened_field(&l->opening, RECORD_F_UP);
    assert_non_null(o);
    assert_int_equal(record_up_get(o->value, up, &part_number), ERR_OK);
    assert_int_equal(base32_fixed(slice_str(id), want, sizeof want), ERR_OK);
    assert_memory_equal(up, want, sizeof up);
    assert_int_equal(part_number, number);
}

/* MD5 of MD5s, in hex, and "-N". */
void rig_etag_want(char etags[][40], size_t count, char out[64])
{
    struct s3_sums s;
    uint8_t md5[S3_SUM_BYTES_MAX];
    AUTO(buf) struct buf hex = BUF_INIT(64);
    assert_int_equal(s3_sums_init(&s, S3_SUM_BIT(S3_SUM_MD5)), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(hex_fixed(slice_str(etags[i]), md5, 16), ERR_OK);
        assert_int_equal(s3_sums_add(&s, slice_of(md5, 16)), ERR_OK);
    }
    assert_int_equal(s3_sums_get(&s, S3_SUM_MD5, md5), ERR_OK);
    s3_sums_done(&s);
    buf_put_hex(&hex, slice_of(md5, 16));
    snprintf(out, 64, "%.*s-%zu", (int)hex.n, hex.p, count);
}

static struct slice object_of(const struct rig *r)
{
    for (size_t i = 0; i < r->object_count; i++)
        if (r->objects[i].state == RIG_CURRENT && strcmp(r->objects[i].key, "up") == 0) return buf_slice(&r->objects[i].entry);
    fail_msg("no object");
    return slice_of(NULL, 0);
}

/* LAW-2: each row opens under the set's key at its own place, and nowhere else. */
void rig_assert_rows_open(struct rig *r, const char *id, const char *const *bodies, size_t count)
{
    struct entry e = {0};
    struct gate_bucket *b = tenants_bucket(r->t, SLICE_LIT(RIG_BUCKET));
    struct entry_place place = {.tenant = r->t->id, .bucket = b->id, .key = SLICE_LIT("up")};
    AUTO(buf) struct buf meta = BUF_INIT(ENTRY_META_BYTES_MAX);
    AUTO(secret) struct secret key = SECRET_INIT;
    uint8_t set[ID_BYTES];
    uint64_t off = 0;
    assert_int_equal(entry_parse(object_of(r), &e), ERR_OK);
    assert_int_equal(entry_open_all(r->g->crypto, &r->g->hash, &b->key, &r->t->key, &place, &e, &meta), ERR_OK);
    assert_int_equal(base32_fixed(slice_str(id), set, sizeof set), ERR_OK);
    assert_memory_equal(e.set, set, sizeof set);
    assert_int_equal(e.parts, count);
    assert_int_equal(secret_new(&key, KEYS_BYTES), ERR_OK);
    assert_int_equal(r->row_count, count);
    for (size_t i = 0; i < count; i++) {
        struct entry_part p;
        assert_int_equal(r->rows[i].off, off);
        struct slice sealed = buf_slice(&r->rows[i].sealed);
        assert_int_equal(entry_part_open(r->g->crypto, &e.keys, r->t->id, e.set, off + 1, sealed, &p, key.p), ERR_CORRUPT);
        assert_int_equal(entry_part_open(r->g->crypto, &e.keys, r->t->id, e.set, off, sealed, &p, key.p), ERR_OK);
        assert_int_equal(p.plain_size, strlen(bodies[i]));
        off += p.plain_size;
    }
    assert_int_equal(e.facts.size, off);
    assert_int_equal(e.facts.parts, count);
    entry_done(&e);
}
