/* SPDX-License-Identifier: Apache-2.0
 * Bodies: checksums against figures of another program, what headers may say, and aws-chunked framing fed in every cut.
 */
#include "s3/s3_test.h"

static struct slice input_named(struct slice name, struct buf *b)
{
    buf_reset(b);
    if (slice_is(name, "bytes 0..255"))
        for (int i = 0; i < 256; i++) buf_put_u8(b, (uint8_t)i);
    else if (slice_is(name, "4096 zero bytes"))
        for (int i = 0; i < 4096; i++) buf_put_u8(b, 0);
    else if (slice_is(name, "(i*7+3)&255 for i<100000"))
        for (int i = 0; i < 100000; i++) buf_put_u8(b, (uint8_t)(i * 7 + 3));
    else if (!slice_is(name, "empty"))
        buf_put_slice(b, name);
    return buf_slice(b);
}

static void crcs_agree_with_the_vectors(void **state)
{
    (void)state;
    char line[512];
    size_t cases = 0;
    struct buf input = BUF_INIT(1 << 17), text = BUF_INIT(64);
    FILE *f = fopen(TEST_VECTORS "/checksums/checksums.tsv", "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));                 /* the head */
    while (fgets(line, sizeof line, f)) {
        struct slice name, crc64, crc32, rest;
        uint8_t out[S3_SUM_BYTES_MAX];
        struct s3_sums s;
        line[strcspn(line, "\n")] = 0;
        rest = slice_cut(slice_str(line), '\t', &name);
        crc32 = slice_cut(rest, '\t', &crc64);
        check_err(s3_sums_init(&s, S3_SUM_BIT(S3_SUM_CRC32) | S3_SUM_BIT(S3_SUM_CRC64NVME)), ERR_OK);
        check_err(s3_sums_add(&s, input_named(name, &input)), ERR_OK);
        check_err(s3_sums_get(&s, S3_SUM_CRC64NVME, out), ERR_OK);
        buf_reset(&text);
        buf_put_base64(&text, slice_of(out, 8));
        check_bytes(buf_slice(&text), crc64);
        check_err(s3_sums_get(&s, S3_SUM_CRC32, out), ERR_OK);
        buf_reset(&text);
        buf_put_base64(&text, slice_of(out, 4));
        check_bytes(buf_slice(&text), crc32);
        s3_sums_done(&s);
        cases++;
    }
    fclose(f);
    assert_int_equal(cases, 7);
    buf_done(&input), buf_done(&text);
}

static void folding_and_table_agree_at_every_length_and_start(void **state)
{
    (void)state;
    uint8_t *p = malloc(1200);
    for (size_t i = 0; i < 1200; i++) p[i] = (uint8_t)(i * i * 31 + i * 7 + 5);
    for (size_t at = 0; at < 17; at++) {
        for (size_t n = 0; n <= 1100; n++) {
            if (s3_crc64nvme(0x123456789abcdefull * n, p + at, n) != s3_crc64nvme_table(0x123456789abcdefull * n, p + at, n)) fail_msg("crc64 %zu+%zu", at, n);
            if (s3_crc32((uint32_t)n * 77777u, p + at, n) != s3_crc32_table((uint32_t)n * 77777u, p + at, n)) fail_msg("crc32 %zu+%zu", at, n);
        }
    }
    free(p);
}

static void every_algorithm_in_one_pass_gives_the_catalogue_values(void **state)
{
    (void)state;
    static const struct {
        enum s3_sum sum;
        const char *hex;                                          /* of "123456789" */
    } rows[] = {
        {S3_SUM_MD5, "25f9e794323b453885f5181f1b624d0b"},
        {S3_SUM_SHA1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"},
        {S3_SUM_SHA256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"},
        {S3_SUM_CRC32, "cbf43926"},
        {S3_SUM_CRC32C, "e3069283"},
        {S3_SUM_CRC64NVME, "ae8b14860a799888"},
    };
    struct s3_sums s;
    uint32_t all = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) all |= S3_SUM_BIT(rows[i].sum);
    check_err(s3_sums_init(&s, all), ERR_OK);
    check_err(s3_sums_add(&s, SLICE_LIT("1234")), ERR_OK);
    check_err(s3_sums_add(&s, SLICE_LIT("")), ERR_OK);
    check_err(s3_sums_add(&s, SLICE_LIT("56789")), ERR_OK);
    assert_int_equal(s.bytes, 9);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t out[S3_SUM_BYTES_MAX], want[S3_SUM_BYTES_MAX];
        size_t n = s3_sum_bytes(rows[i].sum);
        check_err(s3_sums_get(&s, rows[i].sum, out), ERR_OK);
        check_err(hex_fixed(slice_str(rows[i].hex), want, n), ERR_OK);
        check_bytes(slice_of(out, n), slice_of(want, n));
    }
    s3_sums_done(&s);
    assert_int_equal(s3_sum_of_name(SLICE_LIT("crc32c")), S3_SUM_CRC32C);
    assert_int_equal(s3_sum_of_name(SLICE_LIT("FOO")), S3_SUM_NONE);
    assert_int_equal(s3_sum_of_header(SLICE_LIT("X-Amz-Checksum-Sha1")), S3_SUM_SHA1);
}

static void body_headers_are_read_and_contradictions_refused(void **state)
{
    (void)state;
    static const struct {
        const char *row, *headers;
        enum s3_payload payload;
        enum s3_error want;
    } rows[] = {
        {"plain", "Content-Length: 5\n", S3_PAYLOAD_UNSIGNED, S3E_NONE},
        {"H02", "Content-Length: -1\n", S3_PAYLOAD_UNSIGNED, S3E_BadRequest},
        {"5 GiB", "Content-Length: 5368709120\n", S3_PAYLOAD_UNSIGNED, S3E_NONE},
        {"H03", "Content-Length: 5368709121\n", S3_PAYLOAD_UNSIGNED, S3E_EntityTooLarge},
        {"D01", "Content-Length: 5\nContent-MD5: YWJyYWNhZGFicmE=\n", S3_PAYLOAD_UNSIGNED, S3E_InvalidDigest},
        {"D03", "Content-Length: 5\nContent-MD5: \n", S3_PAYLOAD_UNSIGNED, S3E_InvalidDigest},
        {"md5", "Content-Length: 5\nContent-MD5: XUFAKrxLKna5cZ2REBfFkg==\n", S3_PAYLOAD_UNSIGNED, S3E_NONE},
        {"D05", "Content-Length: 5\nx-amz-checksum-crc32: NhCmhg==\nx-amz-checksum-crc64nvme: M3eFcAZSQlc=\n", S3_PAYLOAD_UNSIGNED, S3E_InvalidRequest},
        {"bad value", "Content-Length: 5\nx-amz-checksum-crc32: NhCm\n", S3_PAYLOAD_UNSIGNED, S3E_BadDigest},
        {"D07", "Content-Length: 5\nx-amz-sdk-checksum-algorithm: CRC32\n", S3_PAYLOAD_UNSIGNED, S3E_InvalidRequest},
        {"sdk and header", "Content-Length: 5\nx-amz-sdk-checksum-algorithm: CRC32\nx-amz-checksum-crc32: NhCmhg==\n", S3_PAYLOAD_UNSIGNED, S3E_NONE},
        {"unknown algorithm", "Content-Length: 5\nx-amz-checksum-sha3: xx\n", S3_PAYLOAD_UNSIGNED, S3E_NotImplemented},
        {"trailer", "x-amz-decoded-content-length: 5\nx-amz-trailer: x-amz-checksum-crc32\nx-amz-sdk-checksum-algorithm: CRC32\n",
         S3_PAYLOAD_STREAM_UNSIGNED_TRAILER, S3E_NONE},
        {"C04 missing", "x-amz-trailer: x-amz-checksum-crc32\n", S3_PAYLOAD_STREAM_UNSIGNED_TRAILER, S3E_MissingContentLength},
        {"C04 abc", "x-amz-decoded-content-length: abc\n", S3_PAYLOAD_STREAM_UNSIGNED_TRAILER, S3E_MissingContentLength},
        {"C04 12x", "x-amz-decoded-content-length: 12x\n", S3_PAYLOAD_STREAM_UNSIGNED_TRAILER, S3E_MissingContentLength},
        {"C07", "x-amz-decoded-content-length: 5\nx-amz-trailer: x-amz-checksum-crc32\nx-amz-checksum-crc64nvme: M3eFcAZSQlc=\n",
         S3_PAYLOAD_STREAM_UNSIGNED_TRAILER, S3E_InvalidRequest},
        {"C08", "x-amz-decoded-content-length: 5\nx-amz-trailer: x-amz-checksum-crc64nvme\nx-amz-sdk-checksum-algorithm: sha1\n",
         S3_PAYLOAD_STREAM_UNSIGNED_TRAILER, S3E_InvalidRequest},
        {"C12", "x-amz-decoded-content-length: 5\nx-amz-trailer: x-amz-meta-foo\n", S3_PAYLOAD_STREAM_UNSIGNED_TRAILER, S3E_InvalidRequest},
        {"sha512 in the trailer", "x-amz-decoded-content-length: 5\nx-amz-trailer: x-amz-checksum-sha512\n", S3_PAYLOAD_STREAM_UNSIGNED_TRAILER, S3E_NONE},
        {"xxhash128", "Content-Length: 5\nx-amz-checksum-xxhash128: tXgzWTlHCtnh2UiBP6EXZw==\nx-amz-sdk-checksum-algorithm: XXHASH128\n", S3_PAYLOAD_UNSIGNED, S3E_NONE},
        {"md5 as a checksum", "Content-Length: 5\nx-amz-checksum-md5: XUFAKrxLKna5cZ2REBfFkg==\n", S3_PAYLOAD_UNSIGNED, S3E_NONE},
        {"trailer without framing", "Content-Length: 5\nx-amz-trailer: x-amz-checksum-crc32\n", S3_PAYLOAD_UNSIGNED, S3E_InvalidRequest},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_header h[8];
        struct s3_body b;
        print_message("%s\n", rows[i].row);
        check_s3(s3_body_read(h, headers_of(slice_str(rows[i].headers), h, 8), rows[i].payload, &b, NULL), rows[i].want);
    }
}

static void a_control_body_needs_a_digest(void **state)
{
    (void)state;
    struct s3_body b = {0};
    check_s3(s3_body_need_digest(&b, NULL), S3E_InvalidRequest);
    b.sum_in_trailer = true;
    check_s3(s3_body_need_digest(&b, NULL), S3E_NONE);
    b = (struct s3_body){.md5_given = true};
    check_s3(s3_body_need_digest(&b, NULL), S3E_NONE);
}

static void what_was_computed_is_compared_with_what_was_given(void **state)
{
    (void)state;
    struct s3_header h[8];
    struct s3_body b;
    uint8_t md5[16], crc[4] = {0x36, 0x10, 0xa6, 0x86}, sha[32];
    check_s3(s3_body_read(h, headers_of(slice_str("Content-Length: 5\nContent-MD5: XUFAKrxLKna5cZ2REBfFkg==\nx-amz-checksum-crc32: NhCmhg==\n"), h, 8),
                          S3_PAYLOAD_SHA256, &b, NULL), S3E_NONE);
    check_err(base64_fixed(SLICE_LIT("XUFAKrxLKna5cZ2REBfFkg=="), md5, 16), ERR_OK);
    check_err(hex_fixed(SLICE_LIT(EMPTY_SHA256), sha, 32), ERR_OK);
    check_s3(s3_body_compare(&b, md5, crc, sha, SLICE_LIT(EMPTY_SHA256)), S3E_NONE);
    md5[0] ^= 1;
    check_s3(s3_body_compare(&b, md5, crc, NULL, SLICE_LIT("")), S3E_BadDigest);                       /* D02 */
    md5[0] ^= 1;
    crc[3] ^= 1;
    check_s3(s3_body_compare(&b, md5, crc, NULL, SLICE_LIT("")), S3E_BadDigest);                       /* D04 */
    sha[0] ^= 1;
    check_s3(s3_body_compare(&b, md5, crc, sha, SLICE_LIT(EMPTY_SHA256)), S3E_XAmzContentSHA256Mismatch);   /* A19 */
}

/* Feeds text cut into pieces of `step` bytes; out gets the data. */
static enum s3_error unchunk(struct slice text, size_t step, enum s3_sum trailer, uint64_t length, struct buf *out, struct s3_chunked *c)
{
    struct s3_body b = {.chunked = true, .length_known = true, .length = length, .sum = trailer, .sum_in_trailer = trailer != S3_SUM_NONE};
    buf_reset(out);
    s3_chunked_init(c, &b);
    while (text.n) {
        size_t n = MIN(step, text.n);
        uint8_t *piece = malloc(n);                               /* exact size: a read past it is seen */
        memcpy(piece, text.p, n);
        struct slice in = slice_of(piece, n), data;
        enum s3_error e = S3E_NONE;
        while (in.n && e == S3E_NONE) {
            e = s3_chunked_feed(c, &in, &data);
            buf_put_slice(out, data);
        }
        free(piece);
        if (e != S3E_NONE) return e;
        text = slice_of(text.p + n, text.n - n);
    }
    return s3_chunked_end(c);
}

static void the_body_boto3_sends_is_read_in_every_cut(void **state)
{
    (void)state;
    struct slice body = SLICE_LIT("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n");
    struct buf out = BUF_INIT(1024);
    static struct s3_chunked c;
    for (size_t step = 1; step <= body.n; step++) {
        check_s3(unchunk(body, step, S3_SUM_CRC32, 5, &out, &c), S3E_NONE);
        check_text(buf_slice(&out), "hello");
        assert_true(c.trailer_seen);
        uint8_t want[4] = {0x36, 0x10, 0xa6, 0x86};
        check_bytes(slice_of(c.trailer_value, 4), slice_of(want, 4));
    }
    for (size_t n = 0; n < body.n; n++)                           /* truncated anywhere, never whole */
        assert_int_not_equal(unchunk(slice_of(body.p, n), 7, S3_SUM_CRC32, 5, &out, &c), S3E_NONE);
    buf_done(&out);
}

static void framing_errors_have_their_own_answer(void **state)
{
    (void)state;
    static const struct {
        const char *row, *body;
        enum s3_sum trailer;
        uint64_t length;
        enum s3_error want;
    } rows[] = {
        {"no trailer asked", "5\r\nhello\r\n0\r\n\r\n", S3_SUM_NONE, 5, S3E_NONE},
        {"empty", "0\r\n\r\n", S3_SUM_NONE, 0, S3E_NONE},
        {"one more line", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\n\r\n", S3_SUM_CRC32, 5, S3E_NONE},
        {"half a line more", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\n\r", S3_SUM_CRC32, 5, S3E_IncompleteBody},
        {"two more lines", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\n\r\n\r\n", S3_SUM_CRC32, 5, S3E_IncompleteBody},
        {"one more line, no trailer", "5\r\nhello\r\n0\r\n\r\n\r\n", S3_SUM_NONE, 5, S3E_IncompleteBody},
        {"LF after trailer", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\n", S3_SUM_CRC32, 5, S3E_NONE},
        {"extension", "5;a=b\r\nhello\r\n0\r\n\r\n", S3_SUM_NONE, 5, S3E_NONE},
        {"C02 empty name", "5\r\nhello\r\n0\r\n:M3eFcAZSQlc=\r\n\r\n", S3_SUM_CRC64NVME, 5, S3E_MalformedTrailerError},
        {"C02 unknown", "5\r\nhello\r\n0\r\nx-foo:M3eFcAZSQlc=\r\n\r\n", S3_SUM_CRC64NVME, 5, S3E_MalformedTrailerError},
        {"C02 another", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", S3_SUM_CRC64NVME, 5, S3E_MalformedTrailerError},
        {"no colon", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32\r\n\r\n", S3_SUM_CRC32, 5, S3E_MalformedTrailerError},
        {"twice", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", S3_SUM_CRC32, 5, S3E_MalformedTrailerError},
        {"missing", "5\r\nhello\r\n0\r\n\r\n", S3_SUM_CRC32, 5, S3E_MalformedTrailerError},
        {"not base64", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:zz\r\n\r\n", S3_SUM_CRC32, 5, S3E_InvalidRequest},
        {"too long", "6\r\nhello!\r\n0\r\n\r\n", S3_SUM_NONE, 5, S3E_IncompleteBody},
        {"too short", "5\r\nhello\r\n0\r\n\r\n", S3_SUM_NONE, 6, S3E_IncompleteBody},
        {"C15", "00000000000000000005\r\nhello\r\n0\r\n\r\n", S3_SUM_NONE, 5, S3E_IncompleteBody},
        {"16 digits", "0000000000000005\r\nhello\r\n0\r\n\r\n", S3_SUM_NONE, 5, S3E_NONE},
        {"all ones", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", S3_SUM_NONE, 5, S3E_IncompleteBody},
        {"no digits", "\r\nhello\r\n0\r\n\r\n", S3_SUM_NONE, 5, S3E_IncompleteBody},
        {"not hex", "5x\r\nhello\r\n0\r\n\r\n", S3_SUM_NONE, 5, S3E_IncompleteBody},
        {"bare LF", "5\nhello\r\n0\r\n\r\n", S3_SUM_NONE, 5, S3E_IncompleteBody},
        {"no CRLF after data", "5\r\nhelloX\r\n0\r\n\r\n", S3_SUM_NONE, 5, S3E_IncompleteBody},
        {"behind the end", "5\r\nhello\r\n0\r\n\r\nx", S3_SUM_NONE, 5, S3E_IncompleteBody},
        {"C10", "4\r\nhell\r\n1\r\no\r\n0\r\n\r\n", S3_SUM_NONE, 5, S3E_InvalidChunkSizeError},
        {"signed", "5;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\nhello\r\n0\r\n\r\n", S3_SUM_NONE, 5, S3E_InvalidRequest},
    };
    struct buf out = BUF_INIT(1024);
    static struct s3_chunked c;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("%s\n", rows[i].row);
        check_s3(unchunk(slice_str(rows[i].body), 1000, rows[i].trailer, rows[i].length, &out, &c), rows[i].want);
        check_s3(unchunk(slice_str(rows[i].body), 1, rows[i].trailer, rows[i].length, &out, &c), rows[i].want);
    }
    buf_done(&out);
}

static void bounds_of_framing_hold(void **state)
{
    (void)state;
    struct buf body = BUF_INIT(1 << 16), out = BUF_INIT(1 << 16);
    static struct s3_chunked c;
    for (size_t over = 0; over < 2; over++) {                     /* C16: the line, its CR counted */
        buf_reset(&body);
        buf_put_str(&body, "5;");
        while (body.n < S3_CHUNK_LINE_BYTES_MAX - 1 + over) buf_put_u8(&body, 'x');
        buf_put_str(&body, "\r\nhello\r\n0\r\n\r\n");
        check_s3(unchunk(buf_slice(&body), 100, S3_SUM_NONE, 5, &out, &c), over ? S3E_IncompleteBody : S3E_NONE);
    }
    for (size_t under = 0; under < 2; under++) {                  /* C10: 8192 bytes are enough for a chunk that is not last */
        size_t n = S3_CHUNK_BYTES_MIN - under;
        buf_reset(&body);
        buf_printf(&body, "%zx\r\n", n);
        for (size_t i = 0; i < n; i++) buf_put_u8(&body, 'x');
        buf_put_str(&body, "\r\n1\r\ny\r\n0\r\n\r\n");
        check_s3(unchunk(buf_slice(&body), 1000, S3_SUM_NONE, n + 1, &out, &c), under ? S3E_InvalidChunkSizeError : S3E_NONE);
        if (!under) assert_int_equal(out.n, n + 1);
    }
    buf_done(&body), buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crcs_agree_with_the_vectors),
        cmocka_unit_test(folding_and_table_agree_at_every_length_and_start),
        cmocka_unit_test(every_algorithm_in_one_pass_gives_the_catalogue_values),
        cmocka_unit_test(body_headers_are_read_and_contradictions_refused),
        cmocka_unit_test(a_control_body_needs_a_digest),
        cmocka_unit_test(what_was_computed_is_compared_with_what_was_given),
        cmocka_unit_test(the_body_boto3_sends_is_read_in_every_cut),
        cmocka_unit_test(framing_errors_have_their_own_answer),
        cmocka_unit_test(bounds_of_framing_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
