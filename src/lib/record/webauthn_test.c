/* SPDX-License-Identifier: Apache-2.0
 * Passkeys: every step of the check list, JSON of browsers and of attackers, and libfido2's opinion on flags and signatures.
 * Role: unit test. Spec: docs/spec/statement.md section 7; tests/vectors/webauthn.
 */
#include "record/record_test.h"
#include "record/record_json.h"

#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#define RPID "sign.example.com"
#define ORIGIN "https://sign.example.com"
#define AUTH_DATA_BYTES 37

static struct ledger_hash hash;

/* vectors ---------------------------------------------------------------------------------------------------------------------- */

struct row {
    struct slice name, result, key, statement, origin, rpid, seen, assertion;
};

static bool next_row(struct slice *rest, struct row *r)
{
    struct slice line, *const columns[] = {&r->name, &r->result, &r->key, &r->statement, &r->origin, &r->rpid, &r->seen, &r->assertion};
    *rest = slice_cut(*rest, '\n', &line);
    if (line.n == 0) return false;
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) line = slice_cut(line, '\t', columns[i]);
    assert_true(r->assertion.n > 0);
    return true;
}

static enum record_webauthn verify_row(const struct row *r, struct slice text)
{
    struct record_passkey key;
    struct record_assertion a;
    uint64_t seen;
    uint32_t counter;
    assert_err(record_passkey_parse(r->key, &key), ERR_OK, "key");
    assert_err(slice_u64(r->seen, UINT32_MAX, &seen), ERR_OK, "seen");
    if (record_assertion_parse(text, &a) != ERR_OK) return RECORD_WEBAUTHN_MALFORMED;
    enum record_webauthn w = record_webauthn_verify(&hash, &key, &a, r->statement, r->origin, r->rpid, (uint32_t)seen, &counter);
    assert_int_equal(counter, record_assertion_counter(&a));
    return w;
}

static void every_vector_has_its_result_and_every_result_a_vector(void **state)
{
    (void)state;
    struct buf file;
    struct row r;
    unsigned seen[RECORD_WEBAUTHN__COUNT] = {0};
    test_read_file("webauthn/vectors.tsv", &file);
    for (struct slice rest = buf_slice(&file); next_row(&rest, &r);) {
        enum record_webauthn w = verify_row(&r, r.assertion);
        if (!slice_is(r.result, record_webauthn_text(w)))
            fail_msg("%.*s: %s, expected %.*s", (int)r.name.n, (const char *)r.name.p, record_webauthn_text(w), (int)r.result.n, (const char *)r.result.p);
        seen[w]++;
    }
    for (unsigned w = 0; w < RECORD_WEBAUTHN__COUNT; w++)
        if (!seen[w]) fail_msg("no vector for %s", record_webauthn_text((enum record_webauthn)w));
    buf_done(&file);
}

static void no_flipped_bit_and_no_cut_of_an_assertion_verifies(void **state)
{
    (void)state;
    struct buf file;
    struct row r;
    test_read_file("webauthn/vectors.tsv", &file);
    struct slice rest = buf_slice(&file);
    for (unsigned row = 0; row < 2; row++) {
        assert_true(next_row(&rest, &r));
        assert_int_equal(verify_row(&r, r.assertion), RECORD_WEBAUTHN_OK);
        for (size_t n = 0; n < r.assertion.n; n++) {
            uint8_t *exact = (uint8_t *)malloc(n + 1);
            memcpy(exact, r.assertion.p, n);
            if (verify_row(&r, slice_of(exact, n)) == RECORD_WEBAUTHN_OK) fail_msg("cut at %zu", n);
            free(exact);
        }
        uint8_t *copy = (uint8_t *)malloc(r.assertion.n);
        for (size_t bit = 0; bit < r.assertion.n * 8; bit++) {
            memcpy(copy, r.assertion.p, r.assertion.n);
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (verify_row(&r, slice_of(copy, r.assertion.n)) == RECORD_WEBAUTHN_OK) fail_msg("bit %zu", bit);
        }
        free(copy);
    }
    buf_done(&file);
}

static void assertions_have_one_spelling_and_bounds(void **state)
{
    (void)state;
    struct record_assertion a;
    AUTO(buf) struct buf b = BUF_INIT(2 * 1024 * 1024);
    /* Lengths in bytes of the four parts. */
    static const struct { size_t n[4]; enum err want; } cases[] = {
        {{37, 2, 1, 1}, ERR_OK}, {{1024, 4096, 512, 72}, ERR_OK}, {{36, 2, 1, 1}, ERR_INPUT}, {{37, 1, 1, 1}, ERR_INPUT}, {{37, 2, 0, 1}, ERR_INPUT},
        {{37, 2, 1, 0}, ERR_INPUT}, {{1025, 2, 1, 1}, ERR_LIMIT}, {{37, 4097, 1, 1}, ERR_LIMIT}, {{37, 2, 513, 1}, ERR_LIMIT}, {{37, 2, 1, 73}, ERR_LIMIT},
        {{1024 * 1024, 2, 1, 1}, ERR_LIMIT},
    };
    static const char *const names[] = {"{\"authenticatorData\":\"", "\",\"clientDataJSON\":\"", "\",\"credential\":\"", "\",\"signature\":\""};
    static uint8_t zeros[1024 * 1024];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_reset(&b);
        for (size_t k = 0; k < 4; k++) {
            buf_put_str(&b, names[k]);
            buf_put_base64url(&b, slice_of(zeros, cases[i].n[k]));
        }
        buf_put_str(&b, "\"}");
        assert_true(buf_ok(&b));
        if (record_assertion_parse(buf_slice(&b), &a) != cases[i].want) fail_msg("case %zu", i);
    }
#define A37 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define GOOD "{\"authenticatorData\":\"" A37 "\",\"clientDataJSON\":\"AAA\",\"credential\":\"AA\",\"signature\":\"AA\"}"
    static const char *const bad[] = {
        GOOD " ", GOOD GOOD, "[]", "{}", "null",
        "{\"authenticatorData\":\"" A37 "\",\"clientDataJSON\":\"AAA\",\"credential\":\"AA\"}",
        "{\"authenticatorData\":\"" A37 "\",\"clientDataJSON\":\"AAA\",\"credential\":\"AA\",\"signature\":\"AA\",\"userHandle\":\"AA\"}",
        "{\"authenticatorData\":\"" A37 "\",\"authenticatorData\":\"" A37 "\",\"clientDataJSON\":\"AAA\",\"credential\":\"AA\",\"signature\":\"AA\"}",
        "{\"clientDataJSON\":\"AAA\",\"authenticatorData\":\"" A37 "\",\"credential\":\"AA\",\"signature\":\"AA\"}",
        "{\"authenticatorData\":\"" A37 "==\",\"clientDataJSON\":\"AAA\",\"credential\":\"AA\",\"signature\":\"AA\"}",
        "{\"authenticatorData\":\"" A37 "\",\"clientDataJSON\":\"AAA\",\"credential\":\"AB\",\"signature\":\"AA\"}",
        "{\"authenticatorData\":\"" A37 "\",\"clientDataJSON\":\"AAA\",\"credential\":\"AA\",\"signature\":\"A+\"}",
        "{\"authenticatorData\":\"" A37 "\",\"clientDataJSON\":\"AAA\",\"credential\":\"AA\",\"signature\": \"AA\"}",
        "{\"authenticatorData\":\"" A37 "\",\"clientDataJSON\":\"AAA\",\"credential\":\"AA\",\"signature\":1}",
    };
    assert_err(record_assertion_parse(SLICE_LIT(GOOD), &a), ERR_OK, GOOD);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (record_assertion_parse(slice_str(bad[i]), &a) == ERR_OK) fail_msg("%s", bad[i]);
}

/* clientDataJSON --------------------------------------------------------------------------------------------------------------- */

#define BEGIN "{\"type\":\"webauthn.get\",\"challenge\":\"C\",\"origin\":\"" ORIGIN "\""
#define X(more) BEGIN "," more "}"

static enum record_webauthn check(struct slice text)
{
    uint8_t *exact = (uint8_t *)malloc(text.n + 1);
    memcpy(exact, text.p, text.n);
    enum record_webauthn w = record_client_data_check(slice_of(exact, text.n), SLICE_LIT("C"), SLICE_LIT(ORIGIN));
    free(exact);
    return w;
}

static void client_data_is_json_and_only_json(void **state)
{
    (void)state;
    static const char *const good[] = {
        BEGIN "}", " \t\r\n" BEGIN " } ", X("\"x\":null"), X("\"x\":true"), X("\"x\":-0.5e+10"), X("\"x\":0"), X("\"x\":1E5"), X("\"x\":12.25"),
        X("\"x\":[]"), X("\"x\":[1,[2,{\"a\":{}}],\"\"]"), X("\"x\":{\"a\":1,\"b\":2}"), X("\"\":1"), X("\"x\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uD83D\\uDe00\""),
        X("\"x\":\"\xf0\x9f\x98\x80\""), X("\"x\":[[[[[[1]]]]]]"), X("\"crossOrigin\":false"), X("\"cross\\u004frigin\":false"),
        X("\"tokenBinding\":{\"status\":\"supported\"}"), "{\"\\u0074ype\":\"webauthn.\\u0067et\",\"challenge\":\"\\u0043\",\"origin\":\"" ORIGIN "\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (check(slice_str(good[i])) != RECORD_WEBAUTHN_OK) fail_msg("%s: %s", good[i], record_webauthn_text(check(slice_str(good[i]))));
    static const char *const bad[] = {
        "", "[]", "\"\"", "{", BEGIN, BEGIN ",}", BEGIN "}}", BEGIN "} x", X("x:1"), X("'x':1"), X("\"x\""), X("\"x\":"), X("\"x\":01"), X("\"x\":.5"), X("\"x\":1."),
        X("\"x\":1e"), X("\"x\":+1"), X("\"x\":-"), X("\"x\":NaN"), X("\"x\":nul"), X("\"x\":True"), X("\"x\":[1,]"), X("\"x\":[1 2]"), X("\"x\":{\"a\":1,\"a\":1}"),
        X("\"x\":\"\n\""), X("\"x\":\"\\x\""), X("\"x\":\"\\u12\""), X("\"x\":\"\\u12G4\""), X("\"x\":\"\\uD800\""), X("\"x\":\"\\uDC00\""),
        X("\"x\":\"\\uD800\\u0041\""), X("\"x\":\"\\uD800\\uD800\""), X("\"x\":\"\xc0\x80\""), X("\"x\":\"\xed\xa0\x80\""), X("\"x\":\"\xff\""), X("\"x\":\"\xf4\x90\x80\x80\""),
        X("\"x\":1,\"x\":1"), X("\"type\":\"webauthn.get\""), X("\"challenge\":\"C\""), X("\"origin\":\"" ORIGIN "\""), X("\"o\\u0072igin\":\"" ORIGIN "\""),
        X("\"x\":/**/1"), X("\"x\":[[[[[[[[1]]]]]]]]"), "\xef\xbb\xbf" BEGIN "}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (check(slice_str(bad[i])) != RECORD_WEBAUTHN_MALFORMED) fail_msg("%s: %s", bad[i], record_webauthn_text(check(slice_str(bad[i]))));
    assert_int_equal(check(SLICE_LIT(X("\"x\":\"\0\""))), RECORD_WEBAUTHN_MALFORMED);
    for (size_t n = 0; n < strlen(X("\"x\":[1,{\"a\":\"\\u00e9\"}]")); n++)
        assert_int_equal(check(slice_of(X("\"x\":[1,{\"a\":\"\\u00e9\"}]"), n)), RECORD_WEBAUTHN_MALFORMED);
}

static void members_are_what_they_must_be(void **state)
{
    (void)state;
    static const struct { const char *text; enum record_webauthn want; } cases[] = {
        {"{}", RECORD_WEBAUTHN_TYPE},
        {"{\"type\":1,\"challenge\":\"C\",\"origin\":\"" ORIGIN "\"}", RECORD_WEBAUTHN_TYPE},
        {"{\"type\":\"webauthn.get\\u0000\",\"challenge\":\"C\",\"origin\":\"" ORIGIN "\"}", RECORD_WEBAUTHN_TYPE},
        {"{\"type\":\"webauthn.get\",\"challenge\":[\"C\"],\"origin\":\"" ORIGIN "\"}", RECORD_WEBAUTHN_CHALLENGE},
        {"{\"type\":\"webauthn.get\",\"x\":{\"challenge\":\"C\"},\"origin\":\"" ORIGIN "\"}", RECORD_WEBAUTHN_CHALLENGE},
        {"{\"type\":\"webauthn.get\",\"challenge\":\"C\"}", RECORD_WEBAUTHN_ORIGIN},
        {"{\"type\":\"webauthn.get\",\"challenge\":\"C\",\"origin\":\"\"}", RECORD_WEBAUTHN_ORIGIN},
        {X("\"crossOrigin\":true"), RECORD_WEBAUTHN_CROSS_ORIGIN},
        {X("\"crossOrigin\":null"), RECORD_WEBAUTHN_CROSS_ORIGIN},
        {X("\"topOrigin\":null"), RECORD_WEBAUTHN_CROSS_ORIGIN},
        {X("\"tokenBinding\":{}"), RECORD_WEBAUTHN_TOKEN_BINDING},
        {X("\"tokenBinding\":\"supported\""), RECORD_WEBAUTHN_TOKEN_BINDING},
        {X("\"tokenBinding\":{\"status\":\"present\"}"), RECORD_WEBAUTHN_TOKEN_BINDING},
        {X("\"tokenBinding\":{\"status\":\"not-supported\"}"), RECORD_WEBAUTHN_TOKEN_BINDING},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (check(slice_str(cases[i].text)) != cases[i].want) fail_msg("%s: %s", cases[i].text, record_webauthn_text(check(slice_str(cases[i].text))));
    AUTO(buf) struct buf b = BUF_INIT(WEBAUTHN_CLIENT_DATA_BYTES_MAX);
    for (unsigned past = 0; past <= 1; past++) {       /* 32 members, and one more */
        buf_reset(&b);
        buf_put_str(&b, BEGIN);
        for (unsigned i = 0; i < 29 + past; i++) buf_printf(&b, ",\"m%u\":%u", i, i);
        buf_put_str(&b, "}");
        assert_int_equal(check(buf_slice(&b)), past ? RECORD_WEBAUTHN_MALFORMED : RECORD_WEBAUTHN_OK);
    }
}

/* an authenticator ------------------------------------------------------------------------------------------------------------- */

struct device {
    EVP_PKEY *pkey;
    struct record_passkey key;
};

static void device_make(struct device *d, enum record_cose alg)
{
    *d = (struct device){.key = {.alg = alg, .credential = SLICE_LIT("AA")}};
    if (alg == RECORD_COSE_ES256) {
        d->pkey = EVP_EC_gen("P-256");
        assert_int_equal(EVP_PKEY_get_octet_string_param(d->pkey, "pub", d->key.public_key, sizeof d->key.public_key, &d->key.public_key_n), 1);
        assert_int_equal(d->key.public_key_n, 65);
    } else {
        d->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        d->key.public_key_n = sizeof d->key.public_key;
        assert_int_equal(EVP_PKEY_get_raw_public_key(d->pkey, d->key.public_key, &d->key.public_key_n), 1);
    }
}

static void device_sign(const struct device *d, struct slice data, struct slice client_data, struct buf *sig)
{
    uint8_t message[WEBAUTHN_AUTH_DATA_BYTES_MAX + HASH_BYTES];
    size_t n = 128;
    memcpy(message, data.p, data.n);
    ledger_sha256(&hash, client_data, message + data.n);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    buf_reset(sig);
    uint8_t *to = buf_room(sig, n);
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, d->key.alg == RECORD_COSE_ES256 ? EVP_sha256() : NULL, NULL, d->pkey), 1);
    assert_int_equal(EVP_DigestSign(ctx, to, &n, message, data.n + HASH_BYTES), 1);
    sig->n = n;
    EVP_MD_CTX_free(ctx);
}

static enum record_webauthn ours(const struct device *d, struct slice data, struct slice client_data, struct slice sig, struct slice statement)
{
    uint32_t counter;
    AUTO(buf) struct buf b = BUF_INIT(ASSERTION_CHARS_MAX);
    struct record_assertion a;
    buf_put_str(&b, "{\"authenticatorData\":\"");
    buf_put_base64url(&b, data);
    buf_put_str(&b, "\",\"clientDataJSON\":\"");
    buf_put_base64url(&b, client_data);
    buf_put_str(&b, "\",\"credential\":\"AA\",\"signature\":\"");
    buf_put_base64url(&b, sig);
    buf_put_str(&b, "\"}");
    if (record_assertion_parse(buf_slice(&b), &a) != ERR_OK) return RECORD_WEBAUTHN_MALFORMED;
    return record_webauthn_verify(&hash, &d->key, &a, statement, SLICE_LIT(ORIGIN), SLICE_LIT(RPID), 0, &counter);
}

/* libfido2 on the same: rpIdHash, flags, signature. What clientDataJSON says it does not look at. */
static bool fido(const struct device *d, struct slice data, struct slice client_data, struct slice sig)
{
    uint8_t digest[HASH_BYTES];
    fido_assert_t *a = fido_assert_new();
    es256_pk_t *es = es256_pk_new();
    eddsa_pk_t *ed = eddsa_pk_new();
    bool es256 = d->key.alg == RECORD_COSE_ES256;
    ledger_sha256(&hash, client_data, digest);
    bool ok = es256 ? es256_pk_from_ptr(es, d->key.public_key, 65) == FIDO_OK : eddsa_pk_from_ptr(ed, d->key.public_key, 32) == FIDO_OK;
    ok = ok && fido_assert_set_count(a, 1) == FIDO_OK && fido_assert_set_clientdata_hash(a, digest, sizeof digest) == FIDO_OK &&
         fido_assert_set_rp(a, RPID) == FIDO_OK && fido_assert_set_up(a, FIDO_OPT_TRUE) == FIDO_OK && fido_assert_set_uv(a, FIDO_OPT_TRUE) == FIDO_OK &&
         fido_assert_set_authdata_raw(a, 0, data.p, data.n) == FIDO_OK && fido_assert_set_sig(a, 0, sig.p, sig.n) == FIDO_OK &&
         fido_assert_verify(a, 0, es256 ? COSE_ES256 : COSE_EDDSA, es256 ? (void *)es : (void *)ed) == FIDO_OK;
    fido_assert_free(&a);
    es256_pk_free(&es);
    eddsa_pk_free(&ed);
    return ok;
}

static void make_client_data(struct slice statement, struct buf *out)
{
    uint8_t digest[HASH_BYTES];
    ledger_sha256(&hash, statement, digest);
    buf_reset(out);
    buf_put_str(out, "{\"type\":\"webauthn.get\",\"challenge\":\"");
    buf_put_base64url(out, slice_of(digest, sizeof digest));
    buf_put_str(out, "\",\"origin\":\"" ORIGIN "\",\"crossOrigin\":false}");
}

static void agree(const struct device *d, struct slice data, struct slice client_data, struct slice sig, struct slice statement, const char *what, size_t at)
{
    bool we = ours(d, data, client_data, sig, statement) == RECORD_WEBAUTHN_OK, they = fido(d, data, client_data, sig);
    if (we != they) fail_msg("%s %zu: %s, libfido2 says %s", what, at, we ? "taken" : "refused", they ? "good" : "bad");
}

static void agree_on_one_key(enum record_cose alg, unsigned round)
{
    struct device d, other;
    uint8_t data[AUTH_DATA_BYTES];
    AUTO(buf) struct buf client = BUF_INIT(1024), sig = BUF_INIT(128), text = BUF_INIT(64);
    device_make(&d, alg);
    device_make(&other, alg);
    buf_printf(&text, "statement %u", round);
    make_client_data(buf_slice(&text), &client);
    ledger_sha256(&hash, SLICE_LIT(RPID), data);
    put_be32(data + 33, round + 1);
    struct slice in = slice_of(data, sizeof data);
    /* Signed anew with every byte of flags. Where we are stricter: a key is never attested here (0x40), what is backed up can be (0x10 without 0x08). */
    for (unsigned flags = 0; flags < 256; flags++) {
        data[32] = (uint8_t)flags;
        device_sign(&d, in, buf_slice(&client), &sig);
        if (flags & 0x40 || (flags & 0x18) == 0x10)
            assert_int_equal(ours(&d, in, buf_slice(&client), buf_slice(&sig), buf_slice(&text)), RECORD_WEBAUTHN_MALFORMED);
        else
            agree(&d, in, buf_slice(&client), buf_slice(&sig), buf_slice(&text), "flags", flags);
    }
    data[32] = 0x05;
    device_sign(&d, in, buf_slice(&client), &sig);
    assert_int_equal(ours(&d, in, buf_slice(&client), buf_slice(&sig), buf_slice(&text)), RECORD_WEBAUTHN_OK);
    agree(&d, in, buf_slice(&client), buf_slice(&sig), buf_slice(&text), "as signed", 0);
    agree(&other, in, buf_slice(&client), buf_slice(&sig), buf_slice(&text), "another key", 0);
    for (size_t bit = 0; bit < sizeof data * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        agree(&d, in, buf_slice(&client), buf_slice(&sig), buf_slice(&text), "data, bit", bit);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < sig.n * 8; bit++) {
        sig.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        agree(&d, in, buf_slice(&client), buf_slice(&sig), buf_slice(&text), "signature, bit", bit);
        sig.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t n = 1; n < sig.n; n++) agree(&d, in, buf_slice(&client), slice_of(sig.p, n), buf_slice(&text), "signature cut", n);
    EVP_PKEY_free(d.pkey);
    EVP_PKEY_free(other.pkey);
}

static void libfido2_agrees_on_flags_and_signatures(void **state)
{
    (void)state;
    fido_init(0);
    for (unsigned round = 0; round < 4; round++) {
        agree_on_one_key(RECORD_COSE_ES256, round);
        agree_on_one_key(RECORD_COSE_EDDSA, round);
    }
}

/* Other spellings of the same two numbers must not verify: replay compares bytes. */
static void es256_signatures_have_one_spelling(void **state)
{
    (void)state;
    struct device d;
    uint8_t data[AUTH_DATA_BYTES] = {0};
    AUTO(buf) struct buf client = BUF_INIT(1024), sig = BUF_INIT(128);
    make_client_data(SLICE_LIT("x"), &client);
    device_make(&d, RECORD_COSE_ES256);
    ledger_sha256(&hash, SLICE_LIT(RPID), data);
    data[32] = 0x05;
    do
        device_sign(&d, slice_of(data, sizeof data), buf_slice(&client), &sig);
    while (sig.n > 70);                                /* both numbers of 32 bytes or less, no zero before them */
    uint8_t other[80] = {0x30, (uint8_t)(sig.p[1] + 1), 0x02, (uint8_t)(sig.p[3] + 1), 0};
    memcpy(other + 5, sig.p + 4, sig.n - 4);           /* a zero too many */
    assert_int_equal(ours(&d, slice_of(data, sizeof data), buf_slice(&client), buf_slice(&sig), SLICE_LIT("x")), RECORD_WEBAUTHN_OK);
    assert_int_equal(ours(&d, slice_of(data, sizeof data), buf_slice(&client), slice_of(other, sig.n + 1), SLICE_LIT("x")), RECORD_WEBAUTHN_SIGNATURE);
    other[0] = 0x30;                                   /* a length in two bytes */
    other[1] = 0x81;
    memcpy(other + 2, sig.p + 1, sig.n - 1);
    assert_int_equal(ours(&d, slice_of(data, sizeof data), buf_slice(&client), slice_of(other, sig.n + 1), SLICE_LIT("x")), RECORD_WEBAUTHN_SIGNATURE);
    memcpy(other, sig.p, sig.n);                       /* one byte behind, inside the sequence */
    other[1]++;
    other[sig.n] = 0;
    assert_int_equal(ours(&d, slice_of(data, sizeof data), buf_slice(&client), slice_of(other, sig.n + 1), SLICE_LIT("x")), RECORD_WEBAUTHN_SIGNATURE);
    EVP_PKEY_free(d.pkey);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_has_its_result_and_every_result_a_vector),
        cmocka_unit_test(no_flipped_bit_and_no_cut_of_an_assertion_verifies),
        cmocka_unit_test(assertions_have_one_spelling_and_bounds),
        cmocka_unit_test(client_data_is_json_and_only_json),
        cmocka_unit_test(members_are_what_they_must_be),
        cmocka_unit_test(libfido2_agrees_on_flags_and_signatures),
        cmocka_unit_test(es256_signatures_have_one_spelling),
    };
    if (ledger_hash_init(&hash) != ERR_OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
