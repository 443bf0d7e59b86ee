/* SPDX-License-Identifier: Apache-2.0
 * Bodies that are the question: forms, cut anywhere, and the calls of IAM and STS.
 * Role: unit tests. Trusts: nothing. Distrusts: the flows. Law: 3. Spec: flow.h, docs/spec/wire.md ASK.form.
 */
#include "flow/flow_kit.h"

#include <stdio.h>

#define SHA256_OF_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* A form as browsers send it: fields before the file, one behind it. */
struct form_text {
    struct buf text;
    size_t file_at;                                /* where the file begins */
};

static void put_field(struct buf *b, const char *name, const char *value)
{
    buf_put_str(b, "--AaB03x\r\nContent-Disposition: form-data; name=\"");
    buf_put_str(b, name);
    buf_put_str(b, "\"\r\n\r\n");
    buf_put_str(b, value);
    buf_put_str(b, "\r\n");
}

/* fields: name, value, ..., NULL */
static void form_of(struct form_text *t, const char *const *fields, size_t file_n)
{
    buf_init(&t->text, 16 << 20);
    for (; *fields; fields += 2) put_field(&t->text, fields[0], fields[1]);
    buf_put_str(&t->text, "--AaB03x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n");
    t->file_at = t->text.n;
    for (size_t i = 0; i < file_n; i++) buf_put_u8(&t->text, plain_at(i));
    buf_put_str(&t->text, "\r\n--AaB03x\r\nContent-Disposition: form-data; name=\"submit\"\r\n\r\nUpload\r\n--AaB03x--\r\n");
}

static const char *const v4_fields[] = {"key", "user/${filename}", "Policy", "eyJ9", "X-Amz-Credential", "AKIATEST/20261124/eu-north-1/s3/aws4_request",
                                        "x-amz-signature", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", NULL};

static struct rig *posting(const struct form_text *t)
{
    struct rig *r = malloc(sizeof *r);
    rig_init(r);
    r->q = (struct flow_request){.method = slice_str("POST"), .target = slice_str("/b"), .peer = slice_str("127.0.0.1"),
                                 .has_body = true, .length_known = true, .length = t->text.n};
    rig_header(r, "Host", "x");
    rig_header(r, "Content-Type", "multipart/form-data; boundary=AaB03x");
    rig_up(r);
    rig_start(r);
    assert_int_equal(r->f.step, FLOW_FORM);
    assert_int_equal(r->bodies, 1);                /* the fields must be read before anyone can be asked */
    return r;
}

/* Feeds t from *at on, at most to `to`, in pieces; stops when the flow takes no more. */
static void feed_to(struct rig *r, const struct form_text *t, size_t *at, size_t to, size_t step)
{
    while (*at < to) {
        size_t n = MIN(step, to - *at), took = flow_body(&r->f, slice_of(t->text.p + *at, n), false);
        *at += took;
        if (took < n) return;
    }
}

static void take_stages(struct rig *r, uint64_t id, struct buf *staged)
{
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    uint8_t type;
    uint64_t got;
    while (rig_next(r, &r->w.keeper, &type, &got, &p)) {
        struct wire_stage m;
        assert_int_equal(type, WIRE_STAGE);
        assert_int_equal(wire_get_stage(buf_slice(&p), &m), ERR_OK);
        assert_int_equal(m.off, staged->n);
        buf_put_slice(staged, m.data);
        if (!m.last) give_credit(r, id, staged->n);
    }
}

/* The whole way of a form of file_n bytes whose first piece ends at `cut`. */
static void post_whole(size_t file_n, size_t cut, size_t step)
{
    AUTO(buf) struct buf want = BUF_INIT(16 << 20), staged = BUF_INIT(16 << 20), p = BUF_INIT(1 << 20);
    struct form_text t;
    struct wire_ask ask;
    struct wire_commit c;
    form_of(&t, v4_fields, file_n);
    seal_all(&want, file_n);
    if (cut > t.text.n) cut = t.text.n;
    struct rig *r = posting(&t);
    size_t at = 0;
    feed_to(r, &t, &at, cut, cut ? cut : 1);
    if (at < t.file_at) feed_to(r, &t, &at, t.text.n, step);
    assert_int_equal(at, t.file_at);               /* the file is not touched before the ticket */
    assert_int_equal(flow_body(&r->f, slice_of(t.text.p + at, t.text.n - at), false), 0);
    uint64_t id = expect_frame(r, &r->w.gate, WIRE_ASK, &p);
    assert_int_equal(wire_get_ask(buf_slice(&p), &ask), ERR_OK);
    assert_int_equal(ask.auth, WIRE_AUTH_FORM);
    expect_silence(r, &r->w.gate);
    give_ticket(r, id, S3_PUT_BYTES_MAX);
    assert_int_equal(r->bodies, 2);
    for (size_t before = SIZE_MAX; at < t.text.n;) {
        feed_to(r, &t, &at, t.text.n, step);
        take_stages(r, id, &staged);
        assert_true(before != at || r->w.keeper.out.bytes);
        before = at;
    }
    flow_body(&r->f, slice_of(NULL, 0), true);
    take_stages(r, id, &staged);
    assert_int_equal(staged.n, want.n);
    if (want.n) assert_memory_equal(staged.p, want.p, want.n);
    give_sealed(r, id, WIRE_SEALED_OK);
    expect_frame(r, &r->w.gate, WIRE_COMMIT, &p);
    assert_int_equal(wire_get_commit(buf_slice(&p), &c), ERR_OK);
    assert_int_equal(c.size, file_n);
    assert_int_equal(c.cipher_size, want.n);
    teardown(r);
    buf_done(&t.text);
}

static void a_form_cut_anywhere_is_the_same_upload(void **state)
{
    (void)state;
    struct form_text t;
    form_of(&t, v4_fields, 20);
    size_t all = t.text.n;
    buf_done(&t.text);
    for (size_t cut = 0; cut <= all; cut++) post_whole(20, cut, 1000000);
    post_whole(20, 0, 1);
}

static void files_of_every_size_are_sealed_as_a_put_would(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 131073, 700000, 4194304, 4194304 + 65536 + 3};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        post_whole(sizes[i], SIZE_MAX, 65536);
        post_whole(sizes[i], 300, 4099);
    }
    post_whole(131072, 0, 7);
}

static void a_form_is_asked_with_its_fields_alone(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct form_text t;
    struct wire_ask m;
    struct wire_header h;
    form_of(&t, v4_fields, 5);
    struct rig *r = posting(&t);
    size_t at = 0;
    feed_to(r, &t, &at, t.text.n, SIZE_MAX);
    expect_frame(r, &r->w.gate, WIRE_ASK, &p);
    assert_int_equal(wire_get_ask(buf_slice(&p), &m), ERR_OK);
    assert_true(slice_is(m.canonical, "POST\n/b\n\n\n\nUNSIGNED-PAYLOAD"));
    assert_true(slice_is(m.credential, v4_fields[5]) && slice_is(m.signature, v4_fields[7]));
    assert_int_equal(m.unsigned_headers.n, 0);     /* the request's Content-Type speaks of the form */
    assert_int_equal(m.body_size, WIRE_SIZE_UNKNOWN);
    struct reader fields = reader_of(m.form);
    for (size_t i = 0; v4_fields[i]; i += 2) {
        assert_true(wire_next_header(&fields, &h));
        assert_true(slice_is(h.name, v4_fields[i]) && slice_is(h.value, v4_fields[i + 1]));
    }
    assert_true(wire_next_header(&fields, &h));
    assert_true(slice_is(h.name, "file") && slice_is(h.value, "a.txt"));
    assert_false(wire_next_header(&fields, &h));
    assert_int_equal(reader_end(&fields), ERR_OK);
    teardown(r);
    buf_done(&t.text);
}

/* Starts a form and feeds all of it; the ASK, if there was one, lands in *m. */
static struct rig *post_all(struct form_text *t, const char *const *fields, size_t file_n, struct buf *p, bool *was_asked, struct wire_ask *m)
{
    uint8_t type;
    uint64_t id;
    form_of(t, fields, file_n);
    struct rig *r = posting(t);
    size_t at = 0;
    feed_to(r, t, &at, t->text.n, SIZE_MAX);
    *was_asked = rig_next(r, &r->w.gate, &type, &id, p);
    if (*was_asked) assert_int_equal(wire_get_ask(buf_slice(p), m), ERR_OK);
    return r;
}

static void who_signed_a_form_stands_in_its_fields(void **state)
{
    (void)state;
    static const struct { const char *fields[8]; bool asked; uint8_t auth; const char *credential, *signature; } rows[] = {
        {{"key", "k"}, true, WIRE_AUTH_NONE, "", ""},
        {{"AWSAccessKeyId", "AKIATEST", "policy", "eyJ9", "signature", "c2ln"}, true, WIRE_AUTH_FORM, "AKIATEST", "c2ln"},
        {{"key", "k", "AWSAccessKeyId", "AKIATEST", "policy", "eyJ9"}, false, 0, "", ""},
        {{"key", "k", "signature", "c2ln", "policy", "eyJ9"}, false, 0, "", ""},
        {{"key", "k", "AWSAccessKeyId", "AKIATEST", "signature", "c2ln"}, false, 0, "", ""},
        {{"x-amz-credential", "a/b", "x-amz-signature", "00"}, false, 0, "", ""},
        {{"x-amz-credential", "a/b", "policy", "eyJ9"}, false, 0, "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf) struct buf p = BUF_INIT(1 << 20);
        struct form_text t;
        struct wire_ask m;
        bool was_asked;
        struct rig *r = post_all(&t, rows[i].fields, 3, &p, &was_asked, &m);
        if (was_asked != rows[i].asked) fail_msg("row %zu", i);
        if (was_asked) {
            assert_int_equal(m.auth, rows[i].auth);
            assert_true(slice_is(m.credential, rows[i].credential) && slice_is(m.signature, rows[i].signature));
        } else {
            assert_int_equal(r->status, 400);
            assert_true(body_has(r, "<Code>InvalidArgument</Code>") && body_has(r, "Bucket POST must contain a field named"));
            assert_true(r->close);                 /* the file is still to come */
        }
        teardown(r);
        buf_done(&t.text);
    }
}

static void a_body_that_ends_while_it_is_asked_is_not_forgotten(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct form_text t;
    form_of(&t, v4_fields, 0);
    struct rig *r = posting(&t);
    size_t at = 0;
    feed_to(r, &t, &at, t.file_at, SIZE_MAX);
    uint64_t id = expect_frame(r, &r->w.gate, WIRE_ASK, &p);
    flow_body(&r->f, slice_of(NULL, 0), true);     /* cut off right where the file would begin */
    assert_int_equal(r->heads, 0);
    give_ticket(r, id, S3_PUT_BYTES_MAX);
    assert_int_equal(r->status, 400);
    assert_true(body_has(r, "IncompleteBody"));
    expect_frame(r, &r->w.gate, WIRE_ABORT, &p);
    teardown(r);
    buf_done(&t.text);
}

static void forms_that_are_none_are_refused_unasked(void **state)
{
    (void)state;
    static const struct { const char *type, *body, *code; } rows[] = {
        {"text/plain", "hello", "MalformedPOSTRequest"},
        {"multipart/form-data", "hello", "MalformedPOSTRequest"},
        {"multipart/form-data; boundary=AaB03x", "--AaB03x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--AaB03x--\r\n", "InvalidArgument"},
        {"multipart/form-data; boundary=AaB03x", "--AaB03x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk", "MalformedPOSTRequest"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig *r = malloc(sizeof *r);
        rig_init(r);
        r->q = (struct flow_request){.method = slice_str("POST"), .target = slice_str("/b"), .peer = slice_str("127.0.0.1"), .has_body = true};
        rig_header(r, "Host", "x");
        rig_header(r, "Content-Type", rows[i].type);
        rig_up(r);
        rig_start(r);
        flow_body(&r->f, slice_str(rows[i].body), false);
        flow_body(&r->f, slice_of(NULL, 0), true);
        assert_int_equal(r->status, 400);
        if (!body_has(r, rows[i].code)) fail_msg("row %zu: %.*s", i, (int)r->body.n, r->body.p);
        expect_silence(r, &r->w.gate);
        teardown(r);
    }
}

static void a_file_past_its_ticket_or_with_another_digest_is_dropped(void **state)
{
    (void)state;
    static const char *const with_sum[] = {"key", "k", "x-amz-checksum-crc32", "AAAAAA==", NULL};
    for (int how = 0; how < 3; how++) {
        AUTO(buf) struct buf p = BUF_INIT(1 << 20);
        struct form_text t;
        form_of(&t, how == 1 ? with_sum : v4_fields, 1000);
        struct rig *r = posting(&t);
        size_t at = 0;
        feed_to(r, &t, &at, t.text.n, SIZE_MAX);
        uint64_t id = expect_frame(r, &r->w.gate, WIRE_ASK, &p);
        give_ticket(r, id, how == 0 ? 999 : how == 1 ? S3_PUT_BYTES_MAX : 1000);
        feed_to(r, &t, &at, t.text.n, SIZE_MAX);
        flow_body(&r->f, slice_of(NULL, 0), true);
        if (how == 2) {                            /* just as much as it may be */
            assert_int_equal(r->heads, 0);
            expect_frame(r, &r->w.keeper, WIRE_STAGE, &p);
        } else {
            assert_int_equal(r->status, 400);
            assert_true(body_has(r, how ? "BadDigest" : "EntityTooLarge"));
            expect_frame(r, &r->w.gate, WIRE_ABORT, &p);
            expect_silence(r, &r->w.keeper);
        }
        teardown(r);
        buf_done(&t.text);
    }
}

static void a_form_is_asked_again_after_the_gate(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20), first = BUF_INIT(1 << 20);
    struct form_text t;
    struct wire_ask m;
    form_of(&t, v4_fields, 100);
    struct rig *r = posting(&t);
    size_t at = 0;
    feed_to(r, &t, &at, t.text.n, SIZE_MAX);
    uint64_t id = expect_frame(r, &r->w.gate, WIRE_ASK, &p);
    assert_int_equal(wire_get_ask(buf_slice(&p), &m), ERR_OK);
    buf_put_slice(&first, m.form);
    flow_peer_lost(&r->w, &r->w.gate);
    assert_int_equal(flow_body(&r->f, slice_of(t.text.p + at, 1), false), 0);   /* parked: still not taken */
    rig_up(r);
    assert_int_equal(expect_frame(r, &r->w.gate, WIRE_ASK, &p), id);
    assert_int_equal(wire_get_ask(buf_slice(&p), &m), ERR_OK);
    assert_true(slice_eq(m.form, buf_slice(&first)));
    give_ticket(r, id, S3_PUT_BYTES_MAX);
    feed_to(r, &t, &at, t.text.n, SIZE_MAX);
    assert_int_equal(at, t.text.n);
    teardown(r);
    buf_done(&t.text);
}

static void forms_are_bounded_in_number(void **state)
{
    (void)state;
    struct form_text t;
    form_of(&t, v4_fields, 0);
    struct rig *r = posting(&t);
    struct flow *many = calloc(FLOW_FORMS_MAX, sizeof *many);
    for (size_t i = 0; i < FLOW_FORMS_MAX - 1; i++) {
        many[i].ctx = r;
        flow_start(&many[i], &r->w);
        assert_int_equal(many[i].step, FLOW_FORM);
    }
    many[FLOW_FORMS_MAX - 1].ctx = r;
    flow_start(&many[FLOW_FORMS_MAX - 1], &r->w);
    assert_int_equal(r->status, 503);
    for (size_t i = 0; i < FLOW_FORMS_MAX; i++) flow_end(&many[i]);
    assert_int_equal(r->w.forms, 1);
    free(many);
    teardown(r);
    buf_done(&t.text);
}

/* IAM and STS ------------------------------------------------------------------------------------------------------------------------ */

static struct rig *calling(const char *service, bool stated)
{
    static char authorization[512];
    struct rig *r = malloc(sizeof *r);
    rig_init(r);
    r->q = (struct flow_request){.method = slice_str("POST"), .target = slice_str("/"), .peer = slice_str("127.0.0.1"), .has_body = true};
    rig_header(r, "Host", "x");
    rig_header(r, "Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    if (service) {
        snprintf(authorization, sizeof authorization,
                 "AWS4-HMAC-SHA256 Credential=AKIATESTTESTTESTTEST/20261124//%s/aws4_request, SignedHeaders=content-type;host%s;x-amz-date, "
                 "Signature=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", service, stated ? ";x-amz-content-sha256" : "");
        rig_header(r, "X-Amz-Date", "20261124T082116Z");
        rig_header(r, "Authorization", authorization);
        if (stated) rig_header(r, "X-Amz-Content-SHA256", SHA256_OF_EMPTY);
    }
    rig_up(r);
    rig_start(r);
    return r;
}

/* LAW-3 */
static void a_call_is_asked_with_its_body_and_the_digest_of_it(void **state)
{
    (void)state;
    static const char body[] = "Action=GetCallerIdentity&Version=2011-06-15";   /* printf %s BODY | sha256sum */
    static const char hash[] = "ab821ae955788b0e33ebd34c208442ccfc2d406e2edc5e7a39bd6458fbb4f843";
    static const char *const services[] = {"sts", "iam", NULL};
    for (size_t i = 0; i < ARRAY_LEN(services); i++) {
        AUTO(buf) struct buf p = BUF_INIT(1 << 20);
        struct wire_ask m;
        struct rig *r = calling(services[i], false);
        assert_int_equal(r->bodies, 1);
        flow_body(&r->f, slice_of(body, 10), false);
        expect_silence(r, &r->w.gate);
        flow_body(&r->f, slice_of(body + 10, sizeof body - 11), true);
        expect_frame(r, &r->w.gate, WIRE_ASK, &p);
        assert_int_equal(wire_get_ask(buf_slice(&p), &m), ERR_OK);
        assert_true(slice_is(m.form, body));
        assert_int_equal(m.auth, services[i] ? WIRE_AUTH_HEADER : WIRE_AUTH_NONE);
        struct slice end = slice_of(m.canonical.p + m.canonical.n - 64, 64);
        if (services[i]) assert_true(slice_is(end, hash));
        else assert_true(slice_is(m.canonical, "POST\n/\n\n\n\nUNSIGNED-PAYLOAD"));
        teardown(r);
    }
}

static void a_digest_that_is_stated_is_not_taken_for_the_bodys(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct wire_ask m;
    struct rig *r = calling("iam", true);
    flow_body(&r->f, slice_str("Action=ListUsers"), true);
    expect_frame(r, &r->w.gate, WIRE_ASK, &p);
    assert_int_equal(wire_get_ask(buf_slice(&p), &m), ERR_OK);
    assert_null(memmem(m.canonical.p + m.canonical.n - 64, 64, SHA256_OF_EMPTY, 64));
    teardown(r);
}

static void a_call_as_long_as_the_bound_is_asked_and_a_longer_one_is_not(void **state)
{
    (void)state;
    uint8_t *text = malloc(FORM_BYTES_MAX + 1);
    memset(text, 'a', FORM_BYTES_MAX + 1);
    for (size_t more = 0; more < 2; more++) {
        AUTO(buf) struct buf p = BUF_INIT(1 << 20);
        struct wire_ask m;
        struct rig *r = calling("iam", false);
        flow_body(&r->f, slice_of(text, 1000), false);
        flow_body(&r->f, slice_of(text, FORM_BYTES_MAX - 1000 + more), false);
        flow_body(&r->f, slice_of(NULL, 0), true);
        if (more == 0) {
            expect_frame(r, &r->w.gate, WIRE_ASK, &p);
            assert_int_equal(wire_get_ask(buf_slice(&p), &m), ERR_OK);
            assert_int_equal(m.form.n, FORM_BYTES_MAX);
        } else {
            expect_silence(r, &r->w.gate);
            assert_int_equal(r->status, 400);
            assert_true(body_has(r, "<ErrorResponse") && body_has(r, "<RequestId>"));
        }
        teardown(r);
    }
    free(text);
}

static void refusals_of_a_call_are_in_iams_words(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct rig *r = calling("sts", false);
    flow_body(&r->f, slice_str("Action=GetCallerIdentity"), true);
    uint64_t id = expect_frame(r, &r->w.gate, WIRE_ASK, &p);
    give_answer(r, id, 403, "SignatureDoesNotMatch", slice_of(NULL, 0));
    assert_int_equal(r->status, 403);
    assert_true(body_has(r, "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code>"));
    teardown(r);
    r = calling("iam", false);                     /* one of the front's own: nobody is there to ask */
    flow_body(&r->f, slice_str("Action=ListUsers"), true);
    flow_peer_lost(&r->w, &r->w.gate);
    r->w.now_ms += PARK_MS;
    flow_tick(&r->w);
    assert_true(r->status >= 500);
    assert_true(body_has(r, "<ErrorResponse") && body_has(r, "iam.amazonaws.com"));
    teardown(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_cut_anywhere_is_the_same_upload),
        cmocka_unit_test(files_of_every_size_are_sealed_as_a_put_would),
        cmocka_unit_test(a_form_is_asked_with_its_fields_alone),
        cmocka_unit_test(who_signed_a_form_stands_in_its_fields),
        cmocka_unit_test(a_body_that_ends_while_it_is_asked_is_not_forgotten),
        cmocka_unit_test(forms_that_are_none_are_refused_unasked),
        cmocka_unit_test(a_file_past_its_ticket_or_with_another_digest_is_dropped),
        cmocka_unit_test(a_form_is_asked_again_after_the_gate),
        cmocka_unit_test(forms_are_bounded_in_number),
        cmocka_unit_test(a_call_is_asked_with_its_body_and_the_digest_of_it),
        cmocka_unit_test(a_digest_that_is_stated_is_not_taken_for_the_bodys),
        cmocka_unit_test(a_call_as_long_as_the_bound_is_asked_and_a_longer_one_is_not),
        cmocka_unit_test(refusals_of_a_call_are_in_iams_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
