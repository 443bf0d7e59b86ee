/* SPDX-License-Identifier: Apache-2.0
 * Upload forms taken apart: the same result wherever the pieces are cut, and nothing that is not a form.
 */
#include "s3/s3_test.h"

#include "s3/s3_config.h"
#include "s3/s3_inner.h"

#define TYPE SLICE_LIT("multipart/form-data; boundary=XX")

struct result {
    enum s3_error error;
    struct buf fields, data;
};

/* Feeds body in two pieces, cut at `cut`, each again in pieces of `step`. */
static void run(struct slice type, struct slice body, size_t cut, size_t step, struct result *r)
{
    enum s3_error e;
    struct s3_form *f = s3_form_new(type, &e);
    r->error = e;
    r->fields = BUF_INIT(1 << 20);
    r->data = BUF_INIT(1 << 20);
    if (!f) return;
    for (size_t at = 0; at < body.n && e == S3E_NONE;) {
        size_t n = MIN(step, (at < cut ? cut : body.n) - at);
        struct slice in = slice_of(body.p + at, n), data;
        at += n;
        do {
            e = s3_form_feed(f, &in, &data);
            if (e != S3E_NONE) break;
            if (data.n) assert_true(s3_form_at_file(f));
            buf_put_slice(&r->data, data);
        } while (in.n || data.n);
    }
    r->error = e == S3E_NONE ? s3_form_end(f) : e;
    buf_put_slice(&r->fields, s3_form_fields(f));
    s3_form_free(f);
}

static void result_done(struct result *r) { buf_done(&r->fields), buf_done(&r->data); }

static void check_field(struct slice fields, const char *name, const char *want)
{
    struct slice got = s3_field(fields, name);
    if (!want) {
        assert_null(got.p);
        return;
    }
    assert_non_null(got.p);
    check_text(got, want);
}

/* As Python's requests writes it: a file name on every part. The file is full of beginnings of the boundary. */
static const char sample[] =
    "preamble\r\n--X\r\n--XX \t\r\nContent-Disposition: form-data; name=\"key\"; filename=\"key\"\r\n\r\nuser/${filename}\r\n"
    "--XX\r\nContent-Type: text/plain\r\nCONTENT-disposition:form-data;name=\"q\\\"\\\\u\xC3\xBC\"\r\n\r\na\r\nb\r\n\r\n--X\r\n"
    "--XX\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n"
    "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\dir\\f \xC3\xBC.txt\"\r\nContent-Type: image/png\r\n\r\n"
    "\r\n\r\n-\r\n--\r\n--X\r\n--XY\r\r\n--X\r\n--\r\n"
    "\r\n--XX\r\nContent-Disposition: form-data; name=\"submit\"\r\n\r\nUpload\r\n--XX--\r\nepilogue\r\n--XX\r\n";
static const char sample_data[] = "\r\n\r\n-\r\n--\r\n--X\r\n--XY\r\r\n--X\r\n--\r\n";

static void check_sample(const struct result *r)
{
    check_s3(r->error, S3E_NONE);
    check_text(buf_slice(&r->data), sample_data);
    check_field(buf_slice(&r->fields), "KEY", "user/${filename}");
    check_field(buf_slice(&r->fields), "q\"\\u\xC3\xBC", "a\r\nb\r\n\r\n--X");
    check_field(buf_slice(&r->fields), "empty", "");
    check_field(buf_slice(&r->fields), "file", "C:\\dir\\f \xC3\xBC.txt");
    check_field(buf_slice(&r->fields), "submit", NULL);           /* behind the file: passed over */
}

static void a_form_is_the_same_wherever_it_is_cut(void **state)
{
    (void)state;
    struct slice body = slice_of(sample, sizeof sample - 1);
    struct result r;
    for (size_t cut = 0; cut <= body.n; cut++) {
        run(TYPE, body, cut, body.n, &r);
        check_sample(&r);
        result_done(&r);
    }
    for (size_t step = 1; step < 100; step++) {
        run(TYPE, body, 0, step, &r);
        check_sample(&r);
        result_done(&r);
    }
}

static void a_truncated_form_is_never_whole(void **state)
{
    (void)state;
    struct slice body = slice_of(sample, sizeof sample - 1);
    size_t end = (size_t)(strstr(sample, "--XX--") - sample) + 6, file = (size_t)(strstr(sample, "image/png\r\n\r\n") - sample) + 13;
    for (size_t n = 0; n <= body.n; n++) {
        struct result r;
        run(TYPE, slice_of(body.p, n), 0, 17, &r);
        check_s3(r.error, n >= end ? S3E_NONE : n >= file ? S3E_IncompleteBody : S3E_MalformedPOSTRequest);
        result_done(&r);
    }
}

static void content_types_without_a_boundary_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        enum s3_error want;
    } rows[] = {
        {"multipart/form-data; boundary=a", S3E_NONE},
        {"Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b\"", S3E_NONE},
        {"multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890123456789", S3E_NONE},
        {"multipart/form-data; boundary=01234567890123456789012345678901234567890123456789012345678901234567890", S3E_MalformedPOSTRequest},
        {"multipart/form-data", S3E_MalformedPOSTRequest},
        {"multipart/form-data; boundary=", S3E_MalformedPOSTRequest},
        {"multipart/form-data; boundary=\"a", S3E_MalformedPOSTRequest},
        {"multipart/form-data; boundary=\"a \"", S3E_MalformedPOSTRequest},
        {"multipart/form-data; boundary=\"a\rb\"", S3E_MalformedPOSTRequest},
        {"multipart/form-data boundary=a", S3E_MalformedPOSTRequest},
        {"multipart/mixed; boundary=a", S3E_MalformedPOSTRequest},
        {"application/x-www-form-urlencoded", S3E_MalformedPOSTRequest},
        {"", S3E_MalformedPOSTRequest},
    };
    enum s3_error e;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {                /* F01 */
        print_message("%s\n", rows[i].type);
        struct s3_form *f = s3_form_new(slice_str(rows[i].type), &e);
        check_s3(e, rows[i].want);
        assert_int_equal(f != NULL, e == S3E_NONE);
        s3_form_free(f);
    }
    assert_null(s3_form_new(slice_of(NULL, 0), &e));
    check_s3(e, S3E_MalformedPOSTRequest);
}

#define PART(head, value) "--XX\r\nContent-Disposition: " head "\r\n\r\n" value "\r\n"
#define FILE_PART PART("form-data; name=\"file\"; filename=\"f\"", "bar")
#define END "--XX--\r\n"

static void what_is_no_form_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *row, *body;
        enum s3_error want;
    } rows[] = {
        {"whole", PART("form-data; name=\"key\"", "k") FILE_PART END, S3E_NONE},
        {"no line end behind the last boundary", PART("form-data; name=\"key\"", "k") FILE_PART "--XX--", S3E_NONE},
        {"F02", PART("form-data; name=\"key\"", "k") END, S3E_InvalidArgument},
        {"no parts", END, S3E_InvalidArgument},
        {"empty", "", S3E_MalformedPOSTRequest},
        {"not a form", "key=value&file=x", S3E_MalformedPOSTRequest},
        {"two files", FILE_PART FILE_PART END, S3E_InvalidArgument},
        {"another disposition", PART("attachment; name=\"file\"", "x") END, S3E_MalformedPOSTRequest},
        {"no name", PART("form-data", "x") END, S3E_MalformedPOSTRequest},
        {"empty name", PART("form-data; name=\"\"", "x") END, S3E_MalformedPOSTRequest},
        {"two names", PART("form-data; name=\"a\"; name=\"file\"", "x") END, S3E_MalformedPOSTRequest},
        {"two dispositions", PART("form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"file\"", "x") END, S3E_MalformedPOSTRequest},
        {"open quote", PART("form-data; name=\"file", "x") END, S3E_MalformedPOSTRequest},
        {"text behind the quote", PART("form-data; name=\"file\" x", "x") END, S3E_MalformedPOSTRequest},
        {"control character in the name", PART("form-data; name=\"a\tb\"", "x") END, S3E_MalformedPOSTRequest},
        {"name that is not UTF-8", PART("form-data; name=\"a\xFF\"", "x") END, S3E_MalformedPOSTRequest},
        {"file name that is not UTF-8", PART("form-data; name=\"file\"; filename=\"\xFF\"", "x") END, S3E_MalformedPOSTRequest},
        {"no headers", "--XX\r\n\r\nx\r\n" END, S3E_MalformedPOSTRequest},
        {"text behind the boundary", "--XXY\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n" END, S3E_MalformedPOSTRequest},
        {"one dash", "--XX-\r\n", S3E_MalformedPOSTRequest},
        {"bare line feeds", "--XX\nContent-Disposition: form-data; name=\"file\"\n\nx\n--XX--\n", S3E_MalformedPOSTRequest},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t step = 1; step < 40; step += 13) {
            struct result r;
            print_message("%s\n", rows[i].row);
            run(TYPE, slice_str(rows[i].body), 0, step, &r);
            check_s3(r.error, rows[i].want);
            result_done(&r);
        }
    }
}

static void forms_have_bounds(void **state)
{
    (void)state;
    struct buf body = BUF_INIT(1 << 20);
    struct result r;
    for (size_t over = 0; over < 2; over++) {
        /* bytes of fields: two length words and the name of the one field */
        buf_reset(&body);
        buf_put_str(&body, "--XX\r\nContent-Disposition: form-data; name=\"k\"\r\n\r\n");
        for (size_t i = 0; i < S3_FORM_FIELDS_BYTES_MAX - 5 - (2 + 4 + 2 + 1) + over; i++) buf_put_u8(&body, 'x');
        buf_put_str(&body, "\r\n" FILE_PART END);
        run(TYPE, buf_slice(&body), 0, 1000, &r);
        check_s3(r.error, over ? S3E_MaxPostPreDataLengthExceededError : S3E_NONE);
        result_done(&r);
        /* fields, the file among them */
        buf_reset(&body);
        for (size_t i = 0; i < S3_FORM_FIELDS_MAX - 1 + over; i++) buf_put_str(&body, PART("form-data; name=\"a\"", "v"));
        buf_put_str(&body, FILE_PART END);
        run(TYPE, buf_slice(&body), 0, 1000, &r);
        check_s3(r.error, over ? S3E_MalformedPOSTRequest : S3E_NONE);
        result_done(&r);
        /* fields behind the file */
        buf_reset(&body);
        buf_put_str(&body, FILE_PART);
        for (size_t i = 0; i < S3_FORM_TAIL_FIELDS_MAX + over; i++) buf_put_str(&body, PART("form-data; name=\"a\"", "v"));
        buf_put_str(&body, END);
        run(TYPE, buf_slice(&body), 0, 1000, &r);
        check_s3(r.error, over ? S3E_MalformedPOSTRequest : S3E_NONE);
        result_done(&r);
        /* headers of one part */
        static const char head[] = "Content-Disposition: form-data; name=\"file\"\r\nX: ";
        buf_reset(&body);
        buf_put_str(&body, "--XX\r\n");
        buf_put_str(&body, head);
        for (size_t i = sizeof head - 1; i < S3_FORM_HEAD_BYTES_MAX - 4 + over; i++) buf_put_u8(&body, 'x');
        buf_put_str(&body, "\r\n\r\nbar\r\n" END);
        run(TYPE, buf_slice(&body), 0, 1000, &r);
        check_s3(r.error, over ? S3E_MalformedPOSTRequest : S3E_NONE);
        result_done(&r);
    }
    buf_done(&body);
}

static void a_large_file_is_handed_out_without_copies_or_loss(void **state)
{
    (void)state;
    struct buf body = BUF_INIT(1 << 20), file = BUF_INIT(1 << 20);
    for (size_t i = 0; i < 300000; i++) buf_put_u8(&file, (uint8_t)(i * i + i / 251));
    buf_put_str(&body, "--XX\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n");
    buf_put_slice(&body, buf_slice(&file));
    buf_put_str(&body, "\r\n" END);
    for (size_t step = 7; step < 300000; step *= 3) {
        struct result r;
        run(TYPE, buf_slice(&body), 0, step, &r);
        check_s3(r.error, S3E_NONE);
        assert_true(slice_eq(buf_slice(&r.data), buf_slice(&file)));
        result_done(&r);
    }
    buf_done(&body), buf_done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_is_the_same_wherever_it_is_cut),
        cmocka_unit_test(a_truncated_form_is_never_whole),
        cmocka_unit_test(content_types_without_a_boundary_are_refused),
        cmocka_unit_test(what_is_no_form_is_refused),
        cmocka_unit_test(forms_have_bounds),
        cmocka_unit_test(a_large_file_is_handed_out_without_copies_or_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
