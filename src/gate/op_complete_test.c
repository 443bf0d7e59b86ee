/* SPDX-License-Identifier: Apache-2.0
 * CompleteMultipartUpload at its bounds: ten thousand parts, lost peers, parts that do not open, versions.
 * Role: tests of op_complete.c, complete_parts.c. Trusts: upload_rig.c.
 * Law: 1, 2. Spec: docs/spec/order.md (uploads in parts), docs/spec/entry.md
 */
#include "gate/upload_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* many parts: made here, so that a test does not upload them one by one ------------------------------------------------------ */

#define PAGE 400
#define PART_SIZE (5ull * 1024 * 1024)

static struct many {
    size_t count, scans, pieces;
    struct buf *entries;
    uint8_t id[ID_BYTES];
    struct buf command;
} many;

static void md5_of(size_t number, uint8_t out[S3_SUM_BYTES_MAX])
{
    struct s3_sums s;
    uint8_t text[8];
    put_be64(text, number);
    assert_int_equal(s3_sums_init(&s, S3_SUM_BIT(S3_SUM_MD5)), ERR_OK);
    assert_int_equal(s3_sums_add(&s, slice_of(text, sizeof text)), ERR_OK);
    assert_int_equal(s3_sums_get(&s, S3_SUM_MD5, out), ERR_OK);
    s3_sums_done(&s);
}

static void many_make(struct rig *r, const char *id, size_t count)
{
    struct gate *g = r->g;
    struct gate_bucket *b = tenants_bucket(r->t, SLICE_LIT(RIG_BUCKET));
    AUTO(secret) struct secret key = SECRET_INIT;
    uint8_t md5[S3_SUM_BYTES_MAX];
    many = (struct many){.count = count, .entries = calloc(count, sizeof *many.entries)};
    buf_init(&many.command, COMMAND_BYTES_MAX);
    assert_non_null(many.entries);
    assert_int_equal(base32_fixed(slice_str(id), many.id, ID_BYTES), ERR_OK);
    assert_int_equal(keys_new(g->rng, &key), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        AUTO(buf) struct buf name = BUF_INIT(ENTRY_NAME_BYTES_MAX), hex = BUF_INIT(64);
        struct entry e = {.flags = ENTRY_PART, .row_count = 1, .keys = key};
        md5_of(i + 1, md5);
        put_be64(e.row[0].blob, i);
        e.row[0].plain_size = e.facts.size = PART_SIZE;
        buf_put_hex(&hex, slice_of(md5, 16));
        memcpy(e.facts.etag, hex.p, hex.n);
        e.facts.etag_n = hex.n;
        e.facts.sum = S3_SUM_CRC64NVME;
        e.facts.sum_n = 8;
        put_be64(e.facts.sum_value, i * 0x9e3779b97f4a7c15ull);
        entry_part_name(&name, SLICE_LIT("up"), many.id, (uint16_t)(i + 1));
        struct entry_place place = {.tenant = r->t->id, .bucket = b->id, .key = buf_slice(&name)};
        buf_init(&many.entries[i], ENTRY_BYTES_MAX);
        assert_int_equal(entry_seal(g->crypto, &g->hash, g->rng, &b->key, &r->t->key, &place, &e, slice_of(NULL, 0), &many.entries[i]), ERR_OK);
    }
}

static void many_free(void)
{
    for (size_t i = 0; i < many.count; i++) buf_done(&many.entries[i]);
    free(many.entries);
    buf_done(&many.command);
}

static bool many_scan(struct rig *r, uint64_t id, const struct wire_scan *m)
{
    AUTO(buf) struct buf rows = BUF_INIT(WIRE_DATA_BYTES_MAX);
    size_t i = (size_t)m->after_index, end = MIN(many.count, i + PAGE);
    assert_int_equal(m->kind, WIRE_SCAN_PARTS);
    for (; i < end; i++) {
        struct wire_scan_row row = {.kind = WIRE_ROW_PART, .flags = ENTRY_PART, .number = (uint16_t)(i + 1), .facts = buf_slice(&many.entries[i])};
        wire_put_scan_row(&rows, &row);
    }
    struct wire_rows out = {.last = 1, .more = end < many.count, .as_of = r->watermark, .rows = buf_slice(&rows)};
    assert_true(buf_ok(&rows));
    many.scans++;
    assert_int_equal(wire_put_rows(wire_conn_out(r->keeper), id, &out), ERR_OK);
    wire_conn_kick(r->keeper);
    return true;
}

static bool many_also(struct rig *r, uint8_t type, uint64_t id, struct slice payload)
{
    struct wire_scan scan;
    struct wire_apply m;
    size_t claims;
    if (type == WIRE_SCAN) {
        assert_int_equal(wire_get_scan(payload, &scan), ERR_OK);
        return many_scan(r, id, &scan);
    }
    if (type != WIRE_APPLY) return false;
    assert_int_equal(wire_get_apply(payload, &m), ERR_OK);
    buf_put_slice(&many.command, m.command);
    many.pieces++;
    if (!m.last) return true;
    assert_int_equal(keeper_command_check(buf_slice(&many.command), m.index, &claims), ERR_OK);
    assert_int_equal(claims, 0);
    struct wire_settled out = {.index = m.index, .outcome = WIRE_SETTLED_DONE};
    memcpy(out.log, m.log, ID_BYTES);
    r->watermark = MAX(r->watermark, m.index + 1);
    assert_int_equal(wire_put_settled(wire_conn_out(r->keeper), 0, &out), ERR_OK);
    wire_conn_kick(r->keeper);
    return true;
}

static void many_xml(struct buf *out, size_t count)
{
    uint8_t md5[S3_SUM_BYTES_MAX];
    buf_put_str(out, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 1; i <= count; i++) {
        md5_of(i, md5);
        buf_put_str(out, "<Part><ETag>&quot;");
        buf_put_hex(out, slice_of(md5, 16));
        buf_put_str(out, "&quot;</ETag><PartNumber>");
        buf_put_dec(out, i);
        buf_put_str(out, "</PartNumber></Part>");
    }
    buf_put_str(out, "</CompleteMultipartUpload>");
    buf_put_u8(out, 0);
    assert_true(buf_ok(out));
}

static uint64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* How long the whole took, and the longest turn of the loop (client and keeper of the test share it). */
static void many_complete(size_t count)
{
    struct rig *r = rig_begin();
    AUTO(buf) struct buf xml = BUF_INIT(S3_COMPLETE_BODY_BYTES_MAX);
    char id[ID_TEXT_CHARS + 1], query[128], etag[128], tail[16];
    rig_create(r, NULL, NULL, id);
    many_make(r, id, count);
    many_xml(&xml, count);
    r->keeper_also = many_also;
    rig_query(query, id, NULL);
    rig_ask(r, rig_next, (struct rig_ask){.method = "POST", .path = "/bucket/up", .query = query, .body = (const char *)xml.p});
    rig_body(r, rig_next, slice_of(xml.p, xml.n - 1));
    uint64_t begin = clock_mono_us(), longest[3] = {0};
    while (!rig_frame_of(r, rig_next)) {
        uint64_t turn = cpu_us();
        size_t size = log_size(r->t->access), phase = many.pieces ? 2 : many.scans ? 1 : 0;
        loop_turn(r->g->loop, 2);
        if (log_size(r->t->access) > size) phase = 2;
        longest[phase] = MAX(longest[phase], cpu_us() - turn);
        assert_true(clock_mono_us() - begin < 20000000);
    }
    uint64_t took = clock_mono_us() - begin;
    rig_status(r, rig_next, 200, "");
    rig_element(rig_answer(r, rig_next).body, "ETag", etag, sizeof etag);
    snprintf(tail, sizeof tail, "-%zu", count);
    assert_non_null(strstr(etag, tail));
    assert_int_equal(many.scans, (count + PAGE - 1) / PAGE);
    assert_true(many.command.n < COMMAND_BYTES_MAX);
    assert_true(many.command.n <= WIRE_DATA_BYTES_MAX || many.pieces > 1);
    print_message("complete of %zu parts: %.1f ms from body to answer; longest turn: body %llu us, parts %llu us, leaf and command %llu us; command %zu bytes in %zu pieces\n",
                  count, (double)took / 1000, (unsigned long long)longest[0], (unsigned long long)longest[1], (unsigned long long)longest[2], many.command.n, many.pieces);
    many_free();
    rig_free(r);
}

static void a_thousand_parts_are_completed(void **state)
{
    (void)state;
    many_complete(1000);
}

static void ten_thousand_parts_are_completed(void **state)
{
    (void)state;
    many_complete(PARTS_MAX);
}

static void one_part_more_is_refused(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    AUTO(buf) struct buf xml = BUF_INIT(S3_COMPLETE_BODY_BYTES_MAX);
    char id[ID_TEXT_CHARS + 1];
    rig_create(r, NULL, NULL, id);
    many_xml(&xml, PARTS_MAX + 1);
    rig_status(r, rig_complete(r, id, (const char *)xml.p, NULL, NULL), 400, "MalformedXML");
    rig_free(r);
}

/* lost peers ------------------------------------------------------------------------------------------------------------------- */

static void a_keeper_that_is_lost_is_asked_again(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[2][40], body[1024];
    static const char *const bodies[] = {"hello ", "world"};
    rig_create(r, NULL, NULL, id);
    rig_part_put(r, id, "1", bodies[0], etags[0]);
    rig_part_put(r, id, "2", bodies[1], etags[1]);
    rig_complete_xml(body, 2, rig_one_two, etags);
    r->hold_scans = true;
    uint64_t n = rig_complete(r, id, body, NULL, NULL);
    rig_wait_event(r, "scan", 1);
    r->hold_scans = false;
    rig_drop_keeper(r);
    rig_status(r, n, 200, "");
    rig_assert_rows_open(r, id, bodies, 2);
    rig_free(r);
}

/* Rule 3: what was decided is finished, whoever waits for it. */
static void a_client_that_is_gone_has_its_upload_completed(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[1][40], body[1024];
    static const char *const bodies[] = {"hello"};
    rig_create(r, NULL, NULL, id);
    rig_part_put(r, id, "1", bodies[0], etags[0]);
    rig_complete_xml(body, 1, rig_one_two, etags);
    r->hold_scans = true;
    rig_complete(r, id, body, NULL, NULL);
    rig_wait_event(r, "scan", 1);
    wire_conn_close(r->front);
    rig_turns(r, 20);
    r->hold_scans = false;
    rig_release_held(r);
    rig_wait_event(r, "done 2", 1);
    rig_turns(r, 20);
    rig_assert_rows_open(r, id, bodies, 1);
    assert_int_equal(holds_count(r->g->holds), 0);
    assert_int_equal(requests_count(r->g->requests), 0);
    rig_free(r);
}

/* LAW-2: a keeper cannot pass one part off as another. */
static void a_part_that_does_not_open_completes_nothing(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[2][40], body[1024];
    rig_create(r, NULL, NULL, id);
    rig_part_put(r, id, "1", "hello", etags[0]);
    rig_part_put(r, id, "2", "hello", etags[1]);
    rig_complete_xml(body, 2, rig_one_two, etags);
    struct buf swap = r->parts[0].entry;
    r->parts[0].entry = r->parts[1].entry;
    r->parts[1].entry = swap;
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 500, "InternalError");
    r->parts[1].entry = r->parts[0].entry;
    r->parts[0].entry = swap;
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 200, "");
    rig_free(r);
}

/* Rule 9: a listing of long ago is no basis for an object. */
static void parts_as_they_were_before_are_not_taken(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[1][40], body[1024];
    rig_create(r, NULL, NULL, id);
    rig_part_put(r, id, "1", "hello", etags[0]);
    rig_complete_xml(body, 1, rig_one_two, etags);
    r->as_of = 1;
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 503, "ServiceUnavailable");
    r->as_of = 0;
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 200, "");
    rig_free(r);
}

/* what it replaces ---------------------------------------------------------------------------------------------------------------- */

static void what_was_there_goes_to_the_grave(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[1][40], body[1024];
    rig_put(r, rig_next, "/bucket/up", "before");
    rig_status(r, rig_next++, 200, "");
    rig_create(r, NULL, NULL, id);
    rig_part_put(r, id, "1", "hello", etags[0]);
    rig_complete_xml(body, 1, rig_one_two, etags);
    uint64_t n = rig_complete(r, id, body, NULL, NULL);
    rig_status(r, n, 200, "");
    assert_null(rig_header(rig_answer(r, n).headers, "x-amz-version-id").p);
    struct rig_leaf l;
    rig_leaf(r, rig_leaf_at(r, n), &l);
    assert_int_equal(rig_leaf_ver(&l), 0);
    rig_leaf_done(&l);
    assert_int_equal(r->burials, 1);
    assert_true(r->t->flow->grave_mark_count > 0);
    rig_free(r);
}

static void in_a_versioned_bucket_it_is_a_version(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[1][40], body[1024];
    rig_control(r, rig_next, (struct rig_ask){.method = "PUT", .path = "/bucket", .query = "versioning=",
                                              .body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"});
    rig_status(r, rig_next++, 200, "");
    rig_put(r, rig_next, "/bucket/up", "before");
    rig_status(r, rig_next++, 200, "");
    rig_create(r, NULL, NULL, id);
    rig_part_put(r, id, "1", "hello", etags[0]);
    rig_complete_xml(body, 1, rig_one_two, etags);
    uint64_t n = rig_complete(r, id, body, NULL, NULL);
    rig_status(r, n, 200, "");
    assert_int_equal(rig_header(rig_answer(r, n).headers, "x-amz-version-id").n, ID_TEXT_CHARS);
    assert_int_equal(r->burials, 0);
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 200, "");     /* the same again */
    rig_free(r);
}

/* bounds ---------------------------------------------------------------------------------------------------------------------------- */

static void so_many_at_once_and_no_more(void **state)
{
    (void)state;
    struct rig *r = rig_begin();
    char id[ID_TEXT_CHARS + 1], etags[1][40], body[1024];
    rig_create(r, NULL, NULL, id);
    rig_part_put(r, id, "1", "hello", etags[0]);
    rig_complete_xml(body, 1, rig_one_two, etags);
    r->hold_finds = true;                          /* the first has the key, the others wait for it */
    uint64_t first = rig_next;
    for (size_t i = 0; i < GATE_COMPLETES_MAX; i++) rig_complete(r, id, body, NULL, NULL);
    rig_status(r, rig_complete(r, id, body, NULL, NULL), 503, "SlowDown");
    r->hold_finds = false;
    rig_release_held(r);
    rig_status(r, first, 200, "");
    rig_forget(r, first);
    for (size_t i = 1; i < GATE_COMPLETES_MAX; i++) {
        rig_status(r, first + i, 200, "");         /* repeats of the first */
        rig_forget(r, first + i);
    }
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_parts_are_completed),
        cmocka_unit_test(ten_thousand_parts_are_completed),
        cmocka_unit_test(one_part_more_is_refused),
        cmocka_unit_test(a_keeper_that_is_lost_is_asked_again),
        cmocka_unit_test(a_client_that_is_gone_has_its_upload_completed),
        cmocka_unit_test(a_part_that_does_not_open_completes_nothing),
        cmocka_unit_test(parts_as_they_were_before_are_not_taken),
        cmocka_unit_test(what_was_there_goes_to_the_grave),
        cmocka_unit_test(in_a_versioned_bucket_it_is_a_version),
        cmocka_unit_test(so_many_at_once_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
