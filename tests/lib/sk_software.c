/* SPDX-License-Identifier: Apache-2.0
 * A security key in software, for OpenSSH's SSH_SK_PROVIDER: tests have no hardware. The key handle is the ed25519 seed itself, so whoever has
 * the key file has the key: it stands for a device in tests and must never stand for one anywhere else.
 * Role: loaded by ssh-sk-helper (tests/lib/people.py builds it). Trusts: ssh-keygen, which calls it.
 * Spec: OpenSSH PROTOCOL.u2f; its middleware interface, version 10 (OpenSSH 9.x). The declarations below are that interface.
 */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { API_VERSION = 0x000a0000, ALG_ED25519 = 1, FLAG_PRESENT = 0x01, FLAG_VERIFIED = 0x04 };
enum { FAILED_GENERAL = -1, FAILED_UNSUPPORTED = -2 };
enum { SEED = 32, PUBLIC = 32, SIGNATURE = 64, DIGEST = 32 };

struct sk_option;
struct sk_resident_key;
struct sk_enroll_response {
    uint8_t flags;
    uint8_t *public_key;
    size_t public_key_len;
    uint8_t *key_handle;
    size_t key_handle_len;
    uint8_t *signature;
    size_t signature_len;
    uint8_t *attestation_cert;
    size_t attestation_cert_len;
    uint8_t *authdata;
    size_t authdata_len;
};
struct sk_sign_response {
    uint8_t flags;
    uint32_t counter;
    uint8_t *sig_r;
    size_t sig_r_len;
    uint8_t *sig_s;
    size_t sig_s_len;
};

uint32_t sk_api_version(void);
int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags, const char *pin,
              struct sk_option **options, struct sk_enroll_response **out);
int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *key_handle, size_t key_handle_len, uint8_t flags,
            const char *pin, struct sk_option **options, struct sk_sign_response **out);
int sk_load_resident_keys(const char *pin, struct sk_option **options, struct sk_resident_key ***out, size_t *count);

uint32_t sk_api_version(void) { return API_VERSION; }

int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags, const char *pin,
              struct sk_option **options, struct sk_enroll_response **out)
{
    (void)challenge, (void)challenge_len, (void)application, (void)pin, (void)options;
    if (alg != ALG_ED25519) return FAILED_UNSUPPORTED;
    struct sk_enroll_response *r = calloc(1, sizeof *r);
    EVP_PKEY *key = NULL;
    size_t n = PUBLIC;
    int code = FAILED_GENERAL;
    if (!r) return FAILED_GENERAL;
    r->flags = flags;
    r->key_handle = malloc(SEED), r->key_handle_len = SEED;
    r->public_key = malloc(PUBLIC), r->public_key_len = PUBLIC;
    r->signature = calloc(1, SIGNATURE), r->signature_len = SIGNATURE;      /* attestation, which nobody here looks at */
    if (r->key_handle && r->public_key && r->signature && RAND_bytes(r->key_handle, SEED) == 1 &&
        (key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, r->key_handle, SEED)) && EVP_PKEY_get_raw_public_key(key, r->public_key, &n) == 1)
        code = 0;
    EVP_PKEY_free(key);
    if (code == 0) *out = r;
    else free(r->key_handle), free(r->public_key), free(r->signature), free(r);
    return code;
}

/* Signed: SHA-256(application) | flags | counter, big-endian | SHA-256(data). */
int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *key_handle, size_t key_handle_len, uint8_t flags,
            const char *pin, struct sk_option **options, struct sk_sign_response **out)
{
    uint8_t text[DIGEST + 1 + 4 + DIGEST];
    size_t n = SIGNATURE;
    (void)pin, (void)options;
    if (alg != ALG_ED25519 || key_handle_len != SEED) return FAILED_UNSUPPORTED;
    struct sk_sign_response *r = calloc(1, sizeof *r);
    uint8_t *signature = malloc(SIGNATURE);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key_handle, SEED);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    /* As the key file asks: a key made with `-O no-touch-required` signs as a device that saw nobody. */
    uint8_t said = flags & (FLAG_PRESENT | FLAG_VERIFIED);
    uint32_t counter = (uint32_t)time(NULL);
    const uint8_t head[] = {said, (uint8_t)(counter >> 24), (uint8_t)(counter >> 16), (uint8_t)(counter >> 8), (uint8_t)counter};
    memcpy(text + DIGEST, head, sizeof head);
    int ok = r && signature && key && ctx && EVP_Digest(application, strlen(application), text, NULL, EVP_sha256(), NULL) == 1 &&
             EVP_Digest(data, data_len, text + DIGEST + sizeof head, NULL, EVP_sha256(), NULL) == 1 && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
             EVP_DigestSign(ctx, signature, &n, text, sizeof text) == 1 && n == SIGNATURE;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    if (!ok) {
        free(signature), free(r);
        return FAILED_GENERAL;
    }
    *r = (struct sk_sign_response){.flags = said, .counter = counter, .sig_r = signature, .sig_r_len = SIGNATURE};
    *out = r;
    return 0;
}

int sk_load_resident_keys(const char *pin, struct sk_option **options, struct sk_resident_key ***out, size_t *count)
{
    (void)pin, (void)options, (void)out, (void)count;
    return FAILED_UNSUPPORTED;
}
