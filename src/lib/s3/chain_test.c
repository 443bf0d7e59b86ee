/* SPDX-License-Identifier: Apache-2.0
 * Signed chunks: AWS's two documented uploads of 66560 bytes, read and proven link by link, and every way to bend them refused.
 * Spec: AWS "Transferring payload in multiple chunks" and "Including trailing headers": their seeds and signatures stand below.
 */
#include "s3/s3_test.h"

#define SIZE 66560
#define FIRST 65536

struct row {
    uint8_t digest[HASH_BYTES], signature[HASH_BYTES];
};
struct told {                                      /* what a front tells the gate */
    struct row row[4], trailer;
    size_t count;
    enum s3_error e;
};
struct sample {
    const char *seed, *signature[3], *trailer;
};
static const struct sample plain = {"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    {"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
     "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
     "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"}, NULL};
static const struct sample trailing = {"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    {"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
     "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
     "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"},
    "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"};

static void put_chunk(struct buf *out, size_t n, const char *signature)
{
    buf_printf(out, "%zx;chunk-signature=%s\r\n", n, signature);
    for (size_t i = 0; i < n; i++) buf_put_u8(out, 'a');
    buf_put_str(out, n ? "\r\n" : "");
}

/* The body as the documentation sends it; between: what stands between the trailer's line and its signature. */
static void put_body(struct buf *out, const struct sample *s, const char *between)
{
    put_chunk(out, FIRST, s->signature[0]);
    put_chunk(out, SIZE - FIRST, s->signature[1]);
    put_chunk(out, 0, s->signature[2]);
    if (s->trailer) buf_printf(out, "x-amz-checksum-crc32c:sOO8/Q==%sx-amz-trailer-signature:%s\r\n", between, s->trailer);
    buf_put_str(out, "\r\n");
}

static struct told take(struct slice body, size_t step, const struct sample *s)
{
    static struct s3_chunked c;
    struct told t = {0};
    struct s3_body b = {.chunked = true, .chunk_signed = true, .trailer_signed = s->trailer, .length_known = true, .length = SIZE,
                        .sum = s->trailer ? S3_SUM_CRC32C : S3_SUM_NONE, .sum_in_trailer = s->trailer};
    s3_chunked_init(&c, &b);
    while (body.n && t.e == S3E_NONE) {
        struct slice in = slice_of(body.p, MIN(step, body.n)), data;
        body = slice_of(body.p + in.n, body.n - in.n);
        while (in.n && t.e == S3E_NONE) {
            t.e = s3_chunked_feed(&c, &in, &data);
            if (t.e != S3E_NONE || !c.chunk_whole) continue;
            c.chunk_whole = false;
            assert_true(t.count < ARRAY_LEN(t.row));
            memcpy(t.row[t.count].digest, c.digest, HASH_BYTES);
            memcpy(t.row[t.count++].signature, c.signature, HASH_BYTES);
        }
    }
    if (t.e == S3E_NONE) t.e = s3_chunked_end(&c);
    memcpy(t.trailer.digest, c.trailer_digest, HASH_BYTES);
    memcpy(t.trailer.signature, c.trailer_signature, HASH_BYTES);
    s3_chunked_done(&c);
    return t;
}

/* What the gate makes of it. */
static bool whole(const struct told *t, const struct sample *s, uint64_t length)
{
    struct s3_auth a = {.kind = S3_AUTH_HEADER, .scope = SLICE_LIT("20130524/us-east-1/s3/aws4_request"), .amz_date = "20130524T000000Z"};
    struct s3_signing_key k;
    struct s3_chain c;
    uint8_t seed[HASH_BYTES];
    check_err(s3_signing_key_init(&k, SLICE_LIT(AWS_SECRET), SLICE_LIT("20130524"), SLICE_LIT("us-east-1"), SLICE_LIT("s3")), ERR_OK);
    check_err(hex_fixed(slice_str(s->seed), seed, sizeof seed), ERR_OK);
    s3_chain_init(&c, seed, length, s->trailer);
    for (size_t i = 0; i < t->count; i++) {
        bool broken = c.broken;
        enum s3_error e = s3_chain_chunk(&c, &k, &a, t->row[i].digest, t->row[i].signature);
        assert_true(e == S3E_NONE ? !broken : c.broken);          /* once broken, broken */
        assert_false(s->trailer && s3_chain_whole(&c));
    }
    if (s->trailer && s3_chain_trailer(&c, &k, &a, t->trailer.digest, t->trailer.signature) != S3E_NONE) assert_true(c.broken);
    s3_signing_key_done(&k);
    return s3_chain_whole(&c);
}

static void the_documented_uploads_are_proven_in_every_cut(void **state)
{
    (void)state;
    static const char *const between[] = {"\n\r\n", "\r\n"};      /* the documentation, SDKs */
    struct buf body = BUF_INIT(1 << 17);
    for (size_t i = 0; i < 3; i++) {
        const struct sample *s = i == 0 ? &plain : &trailing;
        buf_reset(&body);
        put_body(&body, s, between[i == 2]);
        static const size_t steps[] = {1, 7, 64, 4096, FIRST + 100, 1 << 20};
        for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
            struct told t = take(buf_slice(&body), steps[k], s);
            check_s3(t.e, S3E_NONE);
            assert_int_equal(t.count, 3);
            assert_true(whole(&t, s, SIZE));
        }
    }
    buf_done(&body);
}

/* C13 */
static void a_flipped_byte_anywhere_is_not_proven(void **state)
{
    (void)state;
    struct buf body = BUF_INIT(1 << 17);
    put_body(&body, &trailing, "\n\r\n");
    size_t after = body.n - 400;
    for (size_t at = 0; at < body.n; at += (at > 90 && at < FIRST) || (at > FIRST + 300 && at < after) ? 97 : 1) {
        body.p[at] ^= 0x01;
        struct told t = take(buf_slice(&body), 1 << 20, &trailing);
        if (t.e == S3E_NONE && whole(&t, &trailing, SIZE)) fail_msg("byte %zu of %zu", at, body.n);
        body.p[at] ^= 0x01;
    }
    struct told t = take(buf_slice(&body), 1 << 20, &trailing);
    assert_true(t.e == S3E_NONE && whole(&t, &trailing, SIZE));
    buf_done(&body);
}

static void a_body_that_ends_early_is_refused_by_the_framing(void **state)
{
    (void)state;
    struct buf body = BUF_INIT(1 << 17);
    put_body(&body, &trailing, "\n\r\n");
    for (size_t n = 0; n < body.n; n += n > 90 && n + 400 < body.n ? 97 : 1) {
        struct told t = take(slice_of(body.p, n), 1 << 20, &trailing);
        if (t.e == S3E_NONE) fail_msg("%zu of %zu bytes", n, body.n);
    }
    buf_done(&body);
}

static void chunks_left_out_swapped_repeated_or_too_many_are_not_proven(void **state)
{
    (void)state;
    struct buf body = BUF_INIT(1 << 17);
    put_body(&body, &plain, "");
    struct told t = take(buf_slice(&body), 1 << 20, &plain), bent = t;
    assert_true(whole(&t, &plain, SIZE));
    bent.count = 2;                                               /* the empty one is missing */
    assert_false(whole(&bent, &plain, SIZE));
    bent = t, bent.row[0] = t.row[1], bent.row[1] = t.row[0];
    assert_false(whole(&bent, &plain, SIZE));
    bent = t, bent.row[3] = t.row[2], bent.count = 4;             /* more behind the end */
    assert_false(whole(&bent, &plain, SIZE));
    bent = t, bent.row[1] = t.row[2], bent.count = 2;             /* the second is missing */
    assert_false(whole(&bent, &plain, SIZE));
    assert_true(whole(&t, &plain, S3_CHUNK_BYTES_MIN));           /* three links are as many as these bytes allow, and one less is not */
    assert_false(whole(&t, &plain, S3_CHUNK_BYTES_MIN - 1));
    bent = t, bent.count = 0;
    assert_false(whole(&bent, &plain, SIZE));
    buf_done(&body);
}

static void a_trailer_is_due_where_it_was_announced_and_nowhere_else(void **state)
{
    (void)state;
    struct buf body = BUF_INIT(1 << 17);
    put_body(&body, &trailing, "\r\n");
    struct told t = take(buf_slice(&body), 1 << 20, &trailing), bent = t;
    bent.trailer.signature[31] ^= 1;
    assert_false(whole(&bent, &trailing, SIZE));
    bent = t, bent.trailer.digest[0] ^= 1;
    assert_false(whole(&bent, &trailing, SIZE));
    bent = t, bent.count = 2;                                     /* the trailer before the end */
    assert_false(whole(&bent, &trailing, SIZE));
    buf_reset(&body);
    put_chunk(&body, FIRST, trailing.signature[0]);
    put_chunk(&body, SIZE - FIRST, trailing.signature[1]);
    put_chunk(&body, 0, trailing.signature[2]);
    buf_put_str(&body, "x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n");
    t = take(buf_slice(&body), 1 << 20, &trailing);
    assert_int_not_equal(t.e, S3E_NONE);                          /* a checksum without its signature */
    buf_reset(&body);
    put_body(&body, &trailing, "\r\n");
    t = take(buf_slice(&body), 1 << 20, &plain);
    assert_int_not_equal(t.e, S3E_NONE);
    buf_done(&body);
}

static void a_chunk_without_a_signature_is_refused(void **state)
{
    (void)state;
    static const char *const heads[] = {"10400\r\n", "10400;\r\n", "10400;chunk-signature=\r\n", "10400;chunk-signature=ad80\r\n",
        "10400;other=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n",
        "10400;chunk-signature=zd80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n",
        "10400;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648ff\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct told t = take(slice_str(heads[i]), 1000, &plain);
        check_s3(t.e, S3E_IncompleteBody);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_uploads_are_proven_in_every_cut),
        cmocka_unit_test(a_flipped_byte_anywhere_is_not_proven),
        cmocka_unit_test(a_body_that_ends_early_is_refused_by_the_framing),
        cmocka_unit_test(chunks_left_out_swapped_repeated_or_too_many_are_not_proven),
        cmocka_unit_test(a_trailer_is_due_where_it_was_announced_and_nowhere_else),
        cmocka_unit_test(a_chunk_without_a_signature_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
