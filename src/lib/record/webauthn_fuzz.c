/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: passkeys. The input as an assertion's text, as clientDataJSON (so that the fuzzer gets past the base64), as authenticator data and
 * signature, and as a key's term. Nothing of it verifies: nobody fuzzes a signature.
 * Spec: docs/spec/statement.md section 7.
 */
#include "record/record_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define KEY_ES256 "passkey:ES256:AA:BGD-1LolWp0xyWHrdMY1bWjASbiSO2H6bOZpYi5g8p-2eQP-EAi4vJmkGunpVii8ZPLxsgwtfp9Rd6PClNRGIpk"
#define KEY_EDDSA "passkey:EdDSA:AA:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define RPID "sign.example.com"
#define ORIGIN "https://sign.example.com"
static struct ledger_hash hash;

static enum record_webauthn verify(const char *term, const struct record_assertion *a)
{
    struct record_passkey key;
    uint32_t counter;
    ASSERT(record_passkey_parse(slice_str(term), &key) == ERR_OK);
    return record_webauthn_verify(&hash, &key, a, SLICE_LIT("text"), SLICE_LIT(ORIGIN), SLICE_LIT(RPID), 0, &counter);
}

/* Input behind the hash that must stand before it: 5 bytes and extensions; signature: the last of it. */
static void with_client_data(struct slice in)
{
    uint8_t digest[HASH_BYTES];
    AUTO(buf) struct buf client = BUF_INIT(256), client64 = BUF_INIT(512), data = BUF_INIT(8192), data64 = BUF_INIT(8192), sig64 = BUF_INIT(128);
    ledger_sha256(&hash, SLICE_LIT("text"), digest);
    buf_put_str(&client, "{\"type\":\"webauthn.get\",\"challenge\":\"");
    buf_put_base64url(&client, slice_of(digest, sizeof digest));
    buf_put_str(&client, "\",\"origin\":\"" ORIGIN "\"}");
    buf_put_base64url(&client64, buf_slice(&client));
    size_t sig = in.n < WEBAUTHN_SIG_BYTES_MAX ? in.n : WEBAUTHN_SIG_BYTES_MAX;
    buf_put_base64url(&sig64, slice_of(in.p + in.n - sig, sig));
    ledger_sha256(&hash, SLICE_LIT(RPID), digest);
    buf_put(&data, digest, sizeof digest);
    buf_put_slice(&data, in);
    buf_put_base64url(&data64, buf_slice(&data));
    if (!buf_ok(&data) || !buf_ok(&data64)) return;
    const struct record_assertion a = {buf_slice(&data64), buf_slice(&client64), SLICE_LIT("AA"), buf_slice(&sig64)};
    ASSERT(verify(KEY_ES256, &a) != RECORD_WEBAUTHN_OK && verify(KEY_EDDSA, &a) != RECORD_WEBAUTHN_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    struct record_passkey key;
    struct record_assertion a;
    if (hash.ctx == NULL) ASSERT(ledger_hash_init(&hash) == ERR_OK);
    (void)!record_passkey_parse(in, &key);
    if (record_assertion_parse(in, &a) == ERR_OK) ASSERT(verify(KEY_ES256, &a) != RECORD_WEBAUTHN_OK && verify(KEY_EDDSA, &a) != RECORD_WEBAUTHN_OK);
    if (n <= WEBAUTHN_CLIENT_DATA_BYTES_MAX) (void)!record_client_data_check(in, SLICE_LIT("C"), SLICE_LIT(ORIGIN));
    if (n > 0) with_client_data(in);
    return 0;
}
