/* SPDX-License-Identifier: Apache-2.0
 * All ten checksums against figures of other programs, sums of sums, and what an upload in parts may ask for.
 */
#include "s3/s3_test.h"

#include "s3/s3_config.h"

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

static void check_sum(struct s3_sums *s, enum s3_sum which, struct slice want)
{
    uint8_t out[S3_SUM_BYTES_MAX];
    struct buf text = BUF_INIT(128);
    check_err(s3_sums_get(s, which, out), ERR_OK);
    buf_put_base64(&text, slice_of(out, s3_sum_bytes(which)));
    if (!slice_eq(buf_slice(&text), want)) print_error("%s\n", s3_sum_name(which));
    check_bytes(buf_slice(&text), want);
    buf_done(&text);
}

static void all_algorithms_in_one_pass_agree_with_other_programs(void **state)
{
    (void)state;
    static const enum s3_sum columns[] = {S3_SUM_MD5, S3_SUM_SHA1, S3_SUM_SHA256, S3_SUM_SHA512, S3_SUM_CRC32C, S3_SUM_XXHASH64, S3_SUM_XXHASH3, S3_SUM_XXHASH128};
    char line[1024];
    size_t cases = 0;
    struct buf input = BUF_INIT(1 << 17);
    FILE *f = fopen(TEST_VECTORS "/checksums/all.tsv", "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    while (fgets(line, sizeof line, f)) {
        struct slice name, rest, want;
        line[strcspn(line, "\n")] = 0;
        rest = slice_cut(slice_str(line), '\t', &name);
        struct slice data = input_named(name, &input);
        for (size_t step = 1; step <= 100000; step *= 7) {        /* in pieces of any size */
            struct slice columns_left = rest, left = data;
            struct s3_sums s;
            check_err(s3_sums_init(&s, S3_SUM_BIT(S3_SUM__COUNT) - 2u), ERR_OK);
            while (left.n) {
                size_t n = MIN(step, left.n);
                check_err(s3_sums_add(&s, slice_of(left.p, n)), ERR_OK);
                left = slice_of(left.p + n, left.n - n);
            }
            assert_int_equal(s.bytes, data.n);
            for (size_t c = 0; c < ARRAY_LEN(columns); c++) {
                columns_left = slice_cut(columns_left, '\t', &want);
                check_sum(&s, columns[c], want);
            }
            s3_sums_done(&s);
        }
        cases++;
    }
    fclose(f);
    assert_int_equal(cases, 7);
    buf_done(&input);
}

static void names_headers_and_elements_lead_back_to_their_algorithm(void **state)
{
    (void)state;
    for (unsigned i = S3_SUM_MD5; i < S3_SUM__COUNT; i++) {
        enum s3_sum s = (enum s3_sum)i;
        assert_int_equal(s3_sum_of_name(slice_str(s3_sum_name(s))), i);
        assert_int_equal(s3_sum_of_header(slice_str(s3_sum_header(s))), i);
        assert_true(s3_sum_bytes(s) > 0 && s3_sum_bytes(s) <= S3_SUM_BYTES_MAX);
        assert_int_equal(strncmp(s3_sum_element(s), "Checksum", 8), 0);
        assert_string_equal(s3_sum_element(s) + 8, s3_sum_name(s));
    }
    assert_string_equal(s3_sum_header(S3_SUM_XXHASH3), "x-amz-checksum-xxhash3");
    assert_int_equal(s3_sum_of_header(SLICE_LIT("x-amz-checksum-mode")), S3_SUM_NONE);
}

/* 5 MiB of 'A', of 'B', of 'C', as ceph/s3-tests states them. */
static void objects_of_parts_have_the_stated_checksums(void **state)
{
    (void)state;
    enum { PART = 5 * 1024 * 1024 };
    char line[1024];
    size_t cases = 0;
    uint8_t *part = malloc(PART);
    FILE *f = fopen(TEST_VECTORS "/checksums/parts.tsv", "r");
    assert_non_null(part);
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    while (fgets(line, sizeof line, f)) {
        struct slice name, type_name, want, rest;
        enum s3_sum_type type;
        struct s3_sums whole;
        uint8_t object[S3_SUM_BYTES_MAX], one[S3_SUM_BYTES_MAX];
        struct buf text = BUF_INIT(128);
        line[strcspn(line, "\n")] = 0;
        rest = slice_cut(slice_cut(slice_str(line), '\t', &name), '\t', &type_name);
        enum s3_sum sum = s3_sum_of_name(name);
        assert_true(sum != S3_SUM_NONE && s3_sum_type_of_name(type_name, &type));
        check_err(s3_sums_init(&whole, S3_SUM_BIT(sum)), ERR_OK);
        for (int i = 0; i < 3; i++) {
            struct s3_sums s;
            memset(part, 'A' + i, PART);
            check_err(s3_sums_init(&s, S3_SUM_BIT(sum)), ERR_OK);
            check_err(s3_sums_add(&s, slice_of(part, PART)), ERR_OK);
            rest = slice_cut(rest, '\t', &want);
            check_sum(&s, sum, want);
            s3_sums_done(&s);
            assert_int_equal(base64_fixed(want, one, s3_sum_bytes(sum)), ERR_OK);
            if (type == S3_SUM_COMPOSITE) check_err(s3_sums_add(&whole, slice_of(one, s3_sum_bytes(sum))), ERR_OK);
            else if (i == 0) memcpy(object, one, sizeof one);
            else s3_sum_combine(sum, object, one, PART);
        }
        if (type == S3_SUM_COMPOSITE) check_err(s3_sums_get(&whole, sum, object), ERR_OK);
        s3_sum_text(&text, type, slice_of(object, s3_sum_bytes(sum)), 3);
        check_bytes(buf_slice(&text), rest.p ? rest : slice_of("", 0));
        buf_done(&text);
        s3_sums_done(&whole);
        cases++;
    }
    fclose(f);
    free(part);
    assert_int_equal(cases, 5);
}

static void combined_crcs_are_those_of_the_joined_bytes(void **state)
{
    (void)state;
    static const enum s3_sum crcs[] = {S3_SUM_CRC32, S3_SUM_CRC32C, S3_SUM_CRC64NVME};
    uint8_t data[600];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * i * 13 + i);
    for (size_t k = 0; k < ARRAY_LEN(crcs); k++) {
        for (size_t cut = 0; cut <= sizeof data; cut++) {
            uint8_t sum[3][S3_SUM_BYTES_MAX];
            struct slice pieces[3] = {{data, cut}, {data + cut, sizeof data - cut}, {data, sizeof data}};
            for (size_t i = 0; i < 3; i++) {
                struct s3_sums s;
                check_err(s3_sums_init(&s, S3_SUM_BIT(crcs[k])), ERR_OK);
                check_err(s3_sums_add(&s, pieces[i]), ERR_OK);
                check_err(s3_sums_get(&s, crcs[k], sum[i]), ERR_OK);
                s3_sums_done(&s);
            }
            s3_sum_combine(crcs[k], sum[0], sum[1], sizeof data - cut);
            check_bytes(slice_of(sum[0], s3_sum_bytes(crcs[k])), slice_of(sum[2], s3_sum_bytes(crcs[k])));
        }
    }
}

static void an_upload_asks_for_a_checksum_that_fits_its_type(void **state)
{
    (void)state;
    static const struct {
        const char *row, *headers;
        enum s3_error want;
        enum s3_sum sum;
        enum s3_sum_type type;
    } rows[] = {
        {"nothing", "", S3E_NONE, S3_SUM_NONE, S3_SUM_FULL},
        {"boto3", "x-amz-checksum-algorithm: CRC32\n", S3E_NONE, S3_SUM_CRC32, S3_SUM_COMPOSITE},
        {"crc32 full", "x-amz-checksum-algorithm: CRC32\nx-amz-checksum-type: FULL_OBJECT\n", S3E_NONE, S3_SUM_CRC32, S3_SUM_FULL},
        {"crc64", "x-amz-checksum-algorithm: CRC64NVME\n", S3E_NONE, S3_SUM_CRC64NVME, S3_SUM_FULL},
        {"sha512", "x-amz-checksum-algorithm: sha512\n", S3E_NONE, S3_SUM_SHA512, S3_SUM_COMPOSITE},
        {"xxhash3 composite", "x-amz-checksum-algorithm: XXHASH3\nx-amz-checksum-type: COMPOSITE\n", S3E_NONE, S3_SUM_XXHASH3, S3_SUM_COMPOSITE},
        {"D08", "x-amz-checksum-algorithm: FOO\n", S3E_InvalidRequest, S3_SUM_NONE, S3_SUM_FULL},
        {"D09", "x-amz-checksum-type: FULL_OBJECT\n", S3E_InvalidRequest, S3_SUM_NONE, S3_SUM_FULL},
        {"D10", "x-amz-checksum-algorithm: SHA256\nx-amz-checksum-type: FULL_OBJECT\n", S3E_InvalidRequest, S3_SUM_SHA256, S3_SUM_FULL},
        {"D10", "x-amz-checksum-algorithm: CRC64NVME\nx-amz-checksum-type: COMPOSITE\n", S3E_InvalidRequest, S3_SUM_CRC64NVME, S3_SUM_FULL},
        {"no type", "x-amz-checksum-algorithm: CRC32\nx-amz-checksum-type: full\n", S3E_InvalidRequest, S3_SUM_CRC32, S3_SUM_FULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_header h[4];
        struct s3_fault f = {0};
        enum s3_sum sum;
        enum s3_sum_type type;
        print_message("%s\n", rows[i].row);
        check_s3(s3_sum_of_upload(h, headers_of(slice_str(rows[i].headers), h, 4), &sum, &type, &f), rows[i].want);
        check_s3(f.code, rows[i].want);
        assert_int_equal(sum, rows[i].sum);
        assert_int_equal(type, rows[i].type);
    }
}

static void a_composite_checksum_says_how_many_parts(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(64);
    s3_sum_text(&out, S3_SUM_COMPOSITE, SLICE_LIT("1234"), 7);
    check_text(buf_slice(&out), "MTIzNA==-7");
    buf_reset(&out);
    s3_sum_text(&out, S3_SUM_FULL, SLICE_LIT("1234"), 7);
    check_text(buf_slice(&out), "MTIzNA==");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_algorithms_in_one_pass_agree_with_other_programs),
        cmocka_unit_test(names_headers_and_elements_lead_back_to_their_algorithm),
        cmocka_unit_test(objects_of_parts_have_the_stated_checksums),
        cmocka_unit_test(combined_crcs_are_those_of_the_joined_bytes),
        cmocka_unit_test(an_upload_asks_for_a_checksum_that_fits_its_type),
        cmocka_unit_test(a_composite_checksum_says_how_many_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
