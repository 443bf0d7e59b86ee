/* SPDX-License-Identifier: Apache-2.0
 * Signatures against other people's figures: AWS's own suite, and the worked examples of the S3 documentation.
 */
#include "s3/s3_test.h"

#include <dirent.h>

#define SUITE_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define SUITE_SCOPE "20150830/us-east-1/service/aws4_request"

static const char vectors[] = TEST_VECTORS;

/* A file of one case, without a line end behind it. */
static void read_text(struct buf *out, const char *folder, const char *file)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/sigv4/%s/%s", vectors, folder, file);
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("cannot open %s", path);
    buf_reset(out);
    uint8_t *to = buf_room(out, 65536);
    out->n = fread(to, 1, 65536, f);
    fclose(f);
}

static struct slice chomp(struct slice s)
{
    while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r')) s.n--;
    return s;
}

static void check_chain(const char *folder, const char *form)
{
    struct buf canon = BUF_INIT(1 << 17), want = BUF_INIT(1 << 17), got = BUF_INIT(128);
    struct s3_signing_key k;
    uint8_t sig[32];
    char name[64];
    snprintf(name, sizeof name, "%s-canonical-request.txt", form);
    read_text(&canon, folder, name);
    snprintf(name, sizeof name, "%s-signature.txt", form);
    read_text(&want, folder, name);
    check_err(s3_signing_key_init(&k, SLICE_LIT(SUITE_SECRET), SLICE_LIT("20150830"), SLICE_LIT("us-east-1"), SLICE_LIT("service")), ERR_OK);
    check_err(s3_sign(&k, SLICE_LIT("20150830T123600Z"), SLICE_LIT(SUITE_SCOPE), buf_slice(&canon), sig), ERR_OK);
    buf_put_hex(&got, slice_of(sig, 32));
    print_message("%s %s\n", folder, form);
    check_bytes(buf_slice(&got), chomp(buf_slice(&want)));
    s3_signing_key_done(&k);
    buf_done(&canon), buf_done(&want), buf_done(&got);
}

/* The signed request, read as the front reads it, must give the suite's canonical request. */
static void check_canon(const char *folder, const char *form)
{
    struct buf text = BUF_INIT(1 << 17), want = BUF_INIT(1 << 17), got = BUF_INIT(1 << 17), mem = BUF_INIT(1 << 17);
    struct s3_header h[S3_HEADERS_MAX];
    static struct s3_target t;
    struct slice line, method, target, rest, signed_headers = slice_of("", 0), hash;
    struct s3_fault f = {0};
    char name[64];
    bool query = form[0] == 'q';
    snprintf(name, sizeof name, "%s-signed-request.txt", form);
    read_text(&text, folder, name);
    snprintf(name, sizeof name, "%s-canonical-request.txt", form);
    read_text(&want, folder, name);
    rest = slice_cut(buf_slice(&text), '\n', &line);
    target = slice_cut(line, ' ', &method);
    target.n -= strlen(" HTTP/1.1");
    size_t n = headers_of(rest, h, S3_HEADERS_MAX);
    check_s3(s3_target_parse(target, &mem, &t), S3E_NONE);
    if (query) {
        signed_headers = s3_param_find(t.params, t.param_count, "X-Amz-SignedHeaders")->value;
    } else {
        struct slice a = s3_header_value(h, n, "authorization");
        const char *from = memmem(a.p, a.n, "SignedHeaders=", 14);
        slice_cut(slice_of(from + 14, (size_t)((const char *)a.p + a.n - from - 14)), ',', &signed_headers);
    }
    hash = slice_of(want.p + want.n - 64, 64);
    check_s3(s3_canon_build(&got, method, &t, h, n, signed_headers, hash, query, &f), S3E_NONE);
    if (!slice_eq(buf_slice(&got), buf_slice(&want)))
        fail_msg("%s %s: got\n%.*s\nwant\n%.*s", folder, form, (int)got.n, (char *)got.p, (int)want.n, (char *)want.p);
    /* and the gate must be able to read it again */
    static struct s3_request r;
    buf_reset(&mem);
    check_err(s3_canon_parse(buf_slice(&got), &mem, &r), ERR_OK);
    buf_done(&text), buf_done(&want), buf_done(&got), buf_done(&mem);
}

static bool in(const char *x, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(x, *list) == 0) return true;
    return false;
}

static void every_case_of_the_suite_gives_its_signature_and_its_canonical_request(void **state)
{
    (void)state;
    /* S3 never normalises a path, so these canonical requests are not S3's; their signature chain still counts. */
    static const char *const normalised[] = {"get-relative-normalized", "get-relative-relative-normalized", "get-slash-dot-slash-normalized",
                                             "get-slash-normalized", "get-slash-pointless-dot-normalized", "get-slashes-normalized", NULL};
    /* Its query leaves the token out of the signature, which S3 does not do. */
    static const char *const token_after[] = {"post-sts-header-after", NULL};
    char path[600];
    size_t cases = 0;
    snprintf(path, sizeof path, "%s/sigv4", vectors);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.') continue;
        cases++;
        check_chain(e->d_name, "header");
        check_chain(e->d_name, "query");
        if (in(e->d_name, normalised)) continue;
        check_canon(e->d_name, "header");
        if (!in(e->d_name, token_after)) check_canon(e->d_name, "query");
    }
    closedir(d);
    assert_int_equal(cases, 38);
}

struct example {
    const char *name, *method, *target, *headers, *signed_headers, *hash, *signature;
};

static void worked_examples_of_the_s3_documentation_verify(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"GET object", "GET", "/test.txt",
         "Host: examplebucket.s3.amazonaws.com\nRange: bytes=0-9\nx-amz-content-sha256: " EMPTY_SHA256 "\nx-amz-date: 20130524T000000Z\n",
         "host;range;x-amz-content-sha256;x-amz-date", EMPTY_SHA256, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
        {"PUT object", "PUT", "/test$file.text",
         "Date: Fri, 24 May 2013 00:00:00 GMT\nHost: examplebucket.s3.amazonaws.com\nx-amz-date: 20130524T000000Z\n"
         "x-amz-storage-class: REDUCED_REDUNDANCY\nx-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\n",
         "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
         "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
        {"GET lifecycle", "GET", "/?lifecycle",
         "Host: examplebucket.s3.amazonaws.com\nx-amz-date: 20130524T000000Z\nx-amz-content-sha256: " EMPTY_SHA256 "\n",
         "host;x-amz-content-sha256;x-amz-date", EMPTY_SHA256, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
        {"LIST", "GET", "/?max-keys=2&prefix=J",
         "Host: examplebucket.s3.amazonaws.com\nx-amz-date: 20130524T000000Z\nx-amz-content-sha256: " EMPTY_SHA256 "\n",
         "host;x-amz-content-sha256;x-amz-date", EMPTY_SHA256, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
        {"PUT aws-chunked seed", "PUT", "/examplebucket/chunkObject.txt",
         "Host: s3.amazonaws.com\nx-amz-date: 20130524T000000Z\nx-amz-storage-class: REDUCED_REDUNDANCY\n"
         "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\nContent-Encoding: aws-chunked\n"
         "x-amz-decoded-content-length: 66560\nContent-Length: 66824\n",
         "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
         "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"},
    };
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        const struct example *x = &examples[i];
        struct buf canon = BUF_INIT(8192), mem = BUF_INIT(65536), gate_mem = BUF_INIT(65536), line = BUF_INIT(2048);
        struct s3_header h[S3_HEADERS_MAX];
        static struct s3_target t;
        static struct s3_request r;
        struct s3_auth a, b;
        struct s3_fault f = {0};
        struct s3_signing_key k;
        size_t n = headers_of(slice_str(x->headers), h, S3_HEADERS_MAX - 1);
        buf_put_str(&line, "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=");
        buf_put_str(&line, x->signed_headers);
        buf_put_str(&line, ",Signature=");
        buf_put_str(&line, x->signature);
        h[n++] = (struct s3_header){SLICE_LIT("Authorization"), buf_slice(&line)};
        print_message("%s\n", x->name);
        check_s3(s3_target_parse(slice_str(x->target), &mem, &t), S3E_NONE);
        check_s3(s3_auth_front(&t, h, n, &a, &f), S3E_NONE);
        check_text(a.access_key, "AKIAIOSFODNN7EXAMPLE");
        check_s3(s3_canon_build(&canon, slice_str(x->method), &t, h, n, a.signed_headers, slice_str(x->hash), false, &f), S3E_NONE);
        /* the gate's side */
        check_err(s3_canon_parse(buf_slice(&canon), &gate_mem, &r), ERR_OK);
        check_s3(s3_auth_gate(S3_AUTH_HEADER, a.credential, a.signature, &r, &b, &f), S3E_NONE);
        check_s3(s3_auth_check_scope(&b, SLICE_LIT("us-east-1"), false, SLICE_LIT("s3"), &f), S3E_NONE);
        check_err(s3_signing_key_init(&k, SLICE_LIT(AWS_SECRET), b.date, b.region, b.service), ERR_OK);
        check_s3(s3_verify(&k, &b, buf_slice(&canon)), S3E_NONE);
        check_s3(s3_verify(&k, &b, buf_slice(&canon)), S3E_NONE);            /* the cached key is not used up */
        b.sig[31] ^= 1;
        check_s3(s3_verify(&k, &b, buf_slice(&canon)), S3E_SignatureDoesNotMatch);
        b.sig[31] ^= 1;
        canon.p[0] ^= 1;
        check_s3(s3_verify(&k, &b, buf_slice(&canon)), S3E_SignatureDoesNotMatch);
        s3_signing_key_done(&k);
        buf_done(&canon), buf_done(&mem), buf_done(&gate_mem), buf_done(&line);
    }
}

static void presigned_example_of_the_documentation_verifies_on_both_sides(void **state)
{
    (void)state;
    static const char target[] =
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    struct buf canon = BUF_INIT(8192), mem = BUF_INIT(65536), gate_mem = BUF_INIT(65536);
    struct s3_header h[] = {{SLICE_LIT("Host"), SLICE_LIT("examplebucket.s3.amazonaws.com")}};
    static struct s3_target t;
    static struct s3_request r;
    struct s3_auth a, b;
    struct s3_fault f = {0};
    struct s3_signing_key k;
    check_s3(s3_target_parse(slice_str(target), &mem, &t), S3E_NONE);
    check_s3(s3_auth_front(&t, h, 1, &a, &f), S3E_NONE);
    assert_int_equal(a.kind, S3_AUTH_QUERY);
    check_s3(s3_canon_build(&canon, SLICE_LIT("GET"), &t, h, 1, a.signed_headers, SLICE_LIT("UNSIGNED-PAYLOAD"), true, &f), S3E_NONE);
    check_err(s3_canon_parse(buf_slice(&canon), &gate_mem, &r), ERR_OK);
    check_s3(s3_auth_gate(S3_AUTH_QUERY, a.credential, a.signature, &r, &b, &f), S3E_NONE);
    check_err(s3_signing_key_init(&k, SLICE_LIT(AWS_SECRET), b.date, b.region, b.service), ERR_OK);
    check_s3(s3_verify(&k, &b, buf_slice(&canon)), S3E_NONE);
    s3_signing_key_done(&k);
    buf_reset(&canon);                                                       /* P10: another method */
    check_s3(s3_canon_build(&canon, SLICE_LIT("PUT"), &t, h, 1, a.signed_headers, SLICE_LIT("UNSIGNED-PAYLOAD"), true, &f), S3E_NONE);
    check_err(s3_signing_key_init(&k, SLICE_LIT(AWS_SECRET), b.date, b.region, b.service), ERR_OK);
    check_s3(s3_verify(&k, &b, buf_slice(&canon)), S3E_SignatureDoesNotMatch);
    s3_signing_key_done(&k);
    /* Law 3: a front that presents another credential than the query's is refused */
    check_s3(s3_auth_gate(S3_AUTH_QUERY, SLICE_LIT("AKIAOTHER/20130524/us-east-1/s3/aws4_request"), a.signature, &r, &b, &f),
             S3E_AuthorizationQueryParametersError);
    buf_done(&canon), buf_done(&mem), buf_done(&gate_mem);
}

static void client_signs_what_the_documentation_signs(void **state)
{
    (void)state;
    struct s3_client_key key = {SLICE_LIT("AKIAIOSFODNN7EXAMPLE"), SLICE_LIT(AWS_SECRET), SLICE_LIT("us-east-1"), SLICE_LIT("s3")};
    struct s3_header h[] = {{SLICE_LIT("Host"), SLICE_LIT("examplebucket.s3.amazonaws.com")},
                            {SLICE_LIT("Range"), SLICE_LIT("bytes=0-9")},
                            {SLICE_LIT("x-amz-date"), SLICE_LIT("20130524T000000Z")},
                            {SLICE_LIT("X-Amz-Content-Sha256"), SLICE_LIT(EMPTY_SHA256)}};
    struct buf out = BUF_INIT(1024);
    check_err(s3_client_sign(&key, SLICE_LIT("GET"), SLICE_LIT("/test.txt"), h, ARRAY_LEN(h), 1369353600000, SLICE_LIT(EMPTY_SHA256), &out), ERR_OK);
    check_text(buf_slice(&out), "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                                "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                                "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    buf_done(&out);
}

static void a_secret_of_no_bytes_or_too_many_is_refused(void **state)
{
    (void)state;
    struct s3_signing_key k;
    static char longer[257];
    memset(longer, 'x', sizeof longer);
    check_err(s3_signing_key_init(&k, SLICE_LIT(""), SLICE_LIT("20130524"), SLICE_LIT("r"), SLICE_LIT("s3")), ERR_LIMIT);
    check_err(s3_signing_key_init(&k, slice_of(longer, 257), SLICE_LIT("20130524"), SLICE_LIT("r"), SLICE_LIT("s3")), ERR_LIMIT);
    check_err(s3_signing_key_init(&k, slice_of(longer, 256), SLICE_LIT("20130524"), SLICE_LIT(""), SLICE_LIT("iam")), ERR_OK);
    s3_signing_key_done(&k);
    s3_signing_key_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_of_the_suite_gives_its_signature_and_its_canonical_request),
        cmocka_unit_test(worked_examples_of_the_s3_documentation_verify),
        cmocka_unit_test(presigned_example_of_the_documentation_verifies_on_both_sides),
        cmocka_unit_test(client_signs_what_the_documentation_signs),
        cmocka_unit_test(a_secret_of_no_bytes_or_too_many_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
