/* SPDX-License-Identifier: Apache-2.0
 * Unit tests of session.c: what was sealed comes back; nothing else opens.
 */
#include <stdio.h>

#include "base/test.h"
#include "gate/session.h"

static struct gate gate;
static struct gate_tenant tenants[2];
static struct policy_state states[2];              /* only that there is one matters here */

static int setup(void **state)
{
    (void)state;
    gate.rng = keys_rng();
    gate.crypto = keys_ctx_new();
    gate.tenants = map_new(4);
    for (size_t i = 0; i < 2; i++) {
        memset(tenants[i].id, (int)(0x41 + i), ID_BYTES);
        tenants[i].state = &states[i];
        check_err(keys_new(gate.rng, &tenants[i].state_key), ERR_OK);
        check_err(map_put(gate.tenants, slice_of(tenants[i].id, ID_BYTES), &tenants[i]), ERR_OK);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) secret_done(&tenants[i].state_key);
    map_free(gate.tenants);
    keys_ctx_free(gate.crypto);
    return 0;
}

static void session(struct session *s, size_t account_n)
{
    memset(s, 0, sizeof *s);
    memcpy(s->country, "SE", 3);
    s->expires_ms = 1766666666666;
    memset(s->grant, 7, ID_BYTES);
    memset(s->account, 'a', account_n);
}

static void a_session_comes_back_as_it_was_sealed(void **state)
{
    (void)state;
    for (size_t n = 1; n <= POLICY_WORD_CHARS_MAX; n++) {
        AUTO(buf) struct buf token = BUF_INIT(SESSION_TOKEN_CHARS_MAX);
        struct session s, back;
        session(&s, n);
        check_err(session_make(&gate, &tenants[0], &s, &token), ERR_OK);
        check_err(session_open(&gate, buf_slice(&token), &back), ERR_OK);
        assert_memory_equal(&s, &back, sizeof s);
        assert_memory_equal(s.tenant, tenants[0].id, ID_BYTES);
        if (n == POLICY_WORD_CHARS_MAX) assert_int_equal(token.n, SESSION_TOKEN_CHARS_MAX);
    }
}

static void keys_are_fresh_and_look_like_temporary_ones(void **state)
{
    (void)state;
    AUTO(buf) struct buf token = BUF_INIT(2 * SESSION_TOKEN_CHARS_MAX);
    struct session a, b;
    session(&a, 5);
    session(&b, 5);
    check_err(session_make(&gate, &tenants[0], &a, &token), ERR_OK);
    check_err(session_make(&gate, &tenants[0], &b, &token), ERR_OK);
    assert_int_equal(strlen(a.access_key), SESSION_ACCESS_KEY_CHARS);
    assert_int_equal(strlen(a.secret_key), SECRET_KEY_CHARS);
    assert_memory_equal(a.access_key, "ASIA", 4);
    for (const char *c = a.access_key; *c; c++) assert_true((*c >= 'A' && *c <= 'Z') || (*c >= '2' && *c <= '7'));
    assert_string_not_equal(a.access_key, b.access_key);
    assert_string_not_equal(a.secret_key, b.secret_key);
}

static void a_token_that_does_not_fit_its_buffer_is_limit(void **state)
{
    (void)state;
    AUTO(buf) struct buf token = BUF_INIT(SESSION_TOKEN_CHARS_MAX - 1);
    struct session s;
    session(&s, POLICY_WORD_CHARS_MAX);
    check_err(session_make(&gate, &tenants[0], &s, &token), ERR_LIMIT);
}

static void nothing_but_what_was_sealed_opens(void **state)
{
    (void)state;
    AUTO(buf) struct buf token = BUF_INIT(SESSION_TOKEN_CHARS_MAX), bytes = BUF_INIT(256);
    struct session s, back;
    session(&s, 9);
    check_err(session_make(&gate, &tenants[0], &s, &token), ERR_OK);
    for (size_t n = 0; n < token.n; n++) check_err(session_open(&gate, slice_of(token.p, n), &back), ERR_VERIFY);
    check_err(base64url_decode(buf_slice(&token), &bytes), ERR_OK);
    for (size_t i = 0; i < bytes.n * 8; i++) {
        AUTO(buf) struct buf text = BUF_INIT(512);
        bytes.p[i / 8] ^= (uint8_t)(1 << i % 8);
        buf_put_base64url(&text, buf_slice(&bytes));
        check_err(session_open(&gate, buf_slice(&text), &back), i < ID_BYTES * 8 ? ERR_MISSING : ERR_VERIFY);
        bytes.p[i / 8] ^= (uint8_t)(1 << i % 8);
        static const struct session nothing;
        assert_memory_equal(&back, &nothing, sizeof back);           /* no part of it stays behind */
    }
    buf_put_u8(&bytes, 0);
    AUTO(buf) struct buf longer = BUF_INIT(512);
    buf_put_base64url(&longer, buf_slice(&bytes));
    check_err(session_open(&gate, buf_slice(&longer), &back), ERR_VERIFY);
    check_err(session_open(&gate, SLICE_LIT("not base64url!"), &back), ERR_VERIFY);
}

/* LAW-5: the tenant in clear says only whose key must open it. */
static void a_token_moved_to_another_tenant_does_not_open(void **state)
{
    (void)state;
    AUTO(buf) struct buf token = BUF_INIT(SESSION_TOKEN_CHARS_MAX), bytes = BUF_INIT(256), moved = BUF_INIT(512);
    struct session s, back;
    session(&s, 9);
    check_err(session_make(&gate, &tenants[0], &s, &token), ERR_OK);
    check_err(base64url_decode(buf_slice(&token), &bytes), ERR_OK);
    memcpy(bytes.p, tenants[1].id, ID_BYTES);
    buf_put_base64url(&moved, buf_slice(&bytes));
    check_err(session_open(&gate, buf_slice(&moved), &back), ERR_VERIFY);
    /* Not under the same key either: the tenant is part of what is sealed. */
    struct secret own = tenants[1].state_key;
    tenants[1].state_key = tenants[0].state_key;
    check_err(session_open(&gate, buf_slice(&moved), &back), ERR_VERIFY);
    tenants[1].state_key = own;
    memset(bytes.p, 0x99, ID_BYTES);
    buf_reset(&moved);
    buf_put_base64url(&moved, buf_slice(&bytes));
    check_err(session_open(&gate, buf_slice(&moved), &back), ERR_MISSING);
}

static void seal(struct slice plain, struct buf *text)
{
    AUTO(buf) struct buf aad = BUF_INIT(64), bytes = BUF_INIT(512);
    buf_put_str(&aad, "tillit session");
    buf_put(&aad, tenants[0].id, ID_BYTES);
    buf_put(&bytes, tenants[0].id, ID_BYTES);
    check_err(keys_seal(gate.crypto, gate.rng, &tenants[0].state_key, buf_slice(&aad), plain, &bytes), ERR_OK);
    buf_reset(text);
    buf_put_base64url(text, buf_slice(&bytes));
}

/* Sealed here, and still only whole sessions of this version within their bounds are taken. */
static void what_is_sealed_is_parsed_to_its_last_byte(void **state)
{
    (void)state;
    AUTO(buf) struct buf plain = BUF_INIT(512), text = BUF_INIT(1024);
    struct session back;
    for (size_t account_n = 0; account_n <= POLICY_WORD_CHARS_MAX + 1; account_n++) {
        char account[POLICY_WORD_CHARS_MAX + 2];
        memset(account, 'a', sizeof account);
        buf_reset(&plain);
        buf_put_u8(&plain, 1);
        buf_put(&plain, tenants[1].id, ID_BYTES);
        buf_put_lp16(&plain, slice_of(account, account_n));
        buf_put_str(&plain, "NOASIAAAAAAAAAAAAAAAAA");
        for (int i = 0; i < SECRET_KEY_CHARS; i++) buf_put_u8(&plain, 's');
        buf_put_u64(&plain, 5);
        seal(buf_slice(&plain), &text);
        bool fits = account_n > 0 && account_n <= POLICY_WORD_CHARS_MAX;
        check_err(session_open(&gate, buf_slice(&text), &back), fits ? ERR_OK : ERR_VERIFY);
        if (account_n != 3) continue;
        for (size_t n = 1; n < plain.n; n++) {
            seal(slice_of(plain.p, n), &text);
            check_err(session_open(&gate, buf_slice(&text), &back), ERR_VERIFY);
        }
        buf_put_u8(&plain, 0);
        seal(buf_slice(&plain), &text);
        check_err(session_open(&gate, buf_slice(&text), &back), ERR_VERIFY);
        plain.n--;
        plain.p[0] = 2;
        seal(buf_slice(&plain), &text);
        check_err(session_open(&gate, buf_slice(&text), &back), ERR_VERIFY);
    }
}

static struct s3_auth auth_of(struct slice token, const char *day)
{
    static char scope[64];
    snprintf(scope, sizeof scope, "%s/eu-north-1/s3/aws4_request", day);
    return (struct s3_auth){.token = token, .date = slice_str(day), .region = SLICE_LIT("eu-north-1"), .service = SLICE_LIT("s3"), .scope = slice_str(scope)};
}

static void signs_as(struct s3_signing_key *k, const struct s3_auth *a, const char *secret)
{
    struct s3_signing_key own;
    uint8_t x[HASH_BYTES], y[HASH_BYTES];
    check_err(s3_signing_key_init(&own, slice_str(secret), a->date, a->region, a->service), ERR_OK);
    check_err(s3_sign(&own, SLICE_LIT("20261124T120000Z"), a->scope, SLICE_LIT("x"), x), ERR_OK);
    check_err(s3_sign(k, SLICE_LIT("20261124T120000Z"), a->scope, SLICE_LIT("x"), y), ERR_OK);
    assert_memory_equal(x, y, sizeof x);
    s3_signing_key_done(&own);
}

/* More sessions than are kept, each asked for again, on two days: always its own key. */
static void a_kept_session_is_the_one_of_its_token_and_scope(void **state)
{
    (void)state;
    enum { MANY = SESSIONS_KEPT + 50 };
    static char tokens[MANY][SESSION_TOKEN_CHARS_MAX + 1], secrets[MANY][SECRET_KEY_CHARS + 1], names[MANY][SESSION_ACCESS_KEY_CHARS + 1];
    for (size_t i = 0; i < MANY; i++) {
        AUTO(buf) struct buf token = BUF_INIT(SESSION_TOKEN_CHARS_MAX);
        struct session s;
        session(&s, 1 + i % POLICY_WORD_CHARS_MAX);
        check_err(session_make(&gate, &tenants[i % 2], &s, &token), ERR_OK);
        memcpy(tokens[i], token.p, token.n);
        tokens[i][token.n] = 0;
        memcpy(secrets[i], s.secret_key, sizeof secrets[i]);
        memcpy(names[i], s.access_key, sizeof names[i]);
    }
    for (unsigned round = 0; round < 4; round++)
        for (size_t i = 0; i < MANY; i++) {
            const struct s3_auth a = auth_of(slice_str(tokens[i]), round == 1 ? "20261124" : "20261125");
            struct session s;
            struct s3_signing_key *k;
            for (int twice = 0; twice < 2; twice++) {
                check_err(session_signing(&gate, &a, &s, &k), ERR_OK);
                assert_string_equal(s.access_key, names[i]);
                assert_memory_equal(s.tenant, tenants[i % 2].id, ID_BYTES);
                assert_string_equal(s.secret_key, "");
                signs_as(k, &a, secrets[i]);
            }
        }
    char changed[SESSION_TOKEN_CHARS_MAX + 1];
    memcpy(changed, tokens[0], sizeof changed);
    changed[30] = changed[30] == 'a' ? 'b' : 'a';  /* its slot is the same: nothing of the kept one is given */
    const struct s3_auth a = auth_of(slice_str(changed), "20261125");
    struct session s;
    struct s3_signing_key *k;
    check_err(session_signing(&gate, &a, &s, &k), ERR_VERIFY);
    const struct s3_auth none = auth_of(SLICE_LIT(""), "20261125");
    check_err(session_signing(&gate, &none, &s, &k), ERR_VERIFY);
    session_forget(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_comes_back_as_it_was_sealed),
        cmocka_unit_test(keys_are_fresh_and_look_like_temporary_ones),
        cmocka_unit_test(a_token_that_does_not_fit_its_buffer_is_limit),
        cmocka_unit_test(nothing_but_what_was_sealed_opens),
        cmocka_unit_test(a_token_moved_to_another_tenant_does_not_open),
        cmocka_unit_test(what_is_sealed_is_parsed_to_its_last_byte),
        cmocka_unit_test(a_kept_session_is_the_one_of_its_token_and_scope),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
