/* SPDX-License-Identifier: Apache-2.0
 * SSHSIG: the signature under a statement, verified and made.
 * Role: the gate verifies persons' signatures with it; the command line signs.
 * Distrusts: the armored text, its lengths, its algorithms, its namespace.
 * Law: 3, 6. Spec: docs/spec/statement.md section 3; OpenSSH PROTOCOL.sshsig, PROTOCOL.u2f.
 */
#include "record/record_ssh.h"

#include <openssl/evp.h>

#define SIG_WHAT "SSH SIGNATURE"
#define SIG_MAGIC "SSHSIG"
#define SIG_VERSION 1
#define SIG_BYTES_MAX SSHSIG_CHARS_MAX
#define SHA512_BYTES 64

/* SHA-512 is not what the ledger's context is for; a statement comes rarely enough to fetch it each time. */
static enum err hash_message(struct ledger_hash *h, struct slice alg, struct slice message, uint8_t out[SHA512_BYTES], size_t *n)
{
    *n = slice_is(alg, "sha512") ? SHA512_BYTES : HASH_BYTES;
    if (*n == SHA512_BYTES) return EVP_Digest(message.p, message.n, out, NULL, EVP_sha512(), NULL) == 1 ? ERR_OK : ERR_CRYPTO;
    if (!slice_is(alg, "sha256")) return ERR_VERSION;
    ledger_sha256(h, message, out);
    return ERR_OK;
}

/* What the key signs: magic, namespace, reserved, hash algorithm, hash. */
static enum err signed_bytes(struct ledger_hash *h, const char *name_space, struct slice alg, struct slice message, struct buf *out)
{
    uint8_t hash[SHA512_BYTES];
    size_t n = 0;
    TRY(hash_message(h, alg, message, hash, &n));
    buf_put_str(out, SIG_MAGIC);
    buf_put_lp32(out, slice_str(name_space));
    buf_put_lp32(out, SLICE_LIT(""));
    buf_put_lp32(out, alg);
    buf_put_lp32(out, slice_of(hash, n));
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

/* The signature blob: string algorithm, string signature, and for sk keys flags and counter. */
static enum err parse_sig(struct slice blob, struct record_sshsig *out, struct slice *sig)
{
    struct reader r = reader_of(blob);
    struct slice alg = reader_lp32(&r, SIG_BYTES_MAX);
    *sig = reader_lp32(&r, SIG_BYTES_MAX);
    if (out->key.sk) {
        out->sk_flags = reader_u8(&r);
        out->sk_counter = reader_u32(&r);
    }
    TRY(reader_end(&r));
    if (!slice_is(alg, out->key.sk ? SSH_SK_ED25519 : SSH_ED25519)) return ERR_INPUT;
    return sig->n == ED25519_SIG_BYTES ? ERR_OK : ERR_INPUT;
}

/* A device signs SHA-256(application) || flags || counter || SHA-256(what a plain key would sign). */
static void device_bytes(struct ledger_hash *h, const struct record_sshsig *s, struct slice message, uint8_t out[2 * HASH_BYTES + 5])
{
    ledger_sha256(h, slice_str(s->key.application), out);
    out[HASH_BYTES] = s->sk_flags;
    put_be32(out + HASH_BYTES + 1, s->sk_counter);
    ledger_sha256(h, message, out + HASH_BYTES + 5);
}

static enum err verify(struct ledger_hash *h, struct slice blob, struct slice message, const char *name_space,
                       struct record_sshsig *out)
{
    struct reader r = reader_of(blob);
    struct slice magic = reader_slice(&r, sizeof SIG_MAGIC - 1);
    uint32_t version = reader_u32(&r);
    if (r.bad) return ERR_TRUNCATED;
    if (!slice_is(magic, SIG_MAGIC)) return ERR_INPUT;
    if (version != SIG_VERSION) return ERR_VERSION;
    struct slice key = reader_lp32(&r, SIG_BYTES_MAX), ns = reader_lp32(&r, SIG_BYTES_MAX);
    struct slice reserved = reader_lp32(&r, SIG_BYTES_MAX), alg = reader_lp32(&r, SIG_BYTES_MAX);
    struct slice sig_blob = reader_lp32(&r, SIG_BYTES_MAX), sig;
    TRY(reader_end(&r));
    TRY(record_ssh_blob_get(h, key, &out->key));
    TRY(parse_sig(sig_blob, out, &sig));
    if (reserved.n != 0) return ERR_INPUT;
    if (!slice_is(ns, name_space)) return ERR_VERIFY;
    AUTO(buf) struct buf text = BUF_INIT(SIG_BYTES_MAX);
    TRY(signed_bytes(h, name_space, alg, message, &text));
    if (!out->key.sk) return ledger_ed25519_verify(out->key.public_key, buf_slice(&text), sig);
    uint8_t device[2 * HASH_BYTES + 5];
    device_bytes(h, out, buf_slice(&text), device);
    TRY(ledger_ed25519_verify(out->key.public_key, slice_of(device, sizeof device), sig));
    /* A device that nobody touched answers malware as well as its owner. */
    return out->sk_flags & RECORD_SK_PRESENT ? ERR_OK : ERR_VERIFY;
}

enum err record_sshsig_verify(struct ledger_hash *h, struct slice armored, struct slice message, const char *name_space,
                              struct record_sshsig *out)
{
    *out = (struct record_sshsig){0};
    if (armored.n > SSHSIG_CHARS_MAX) return ERR_LIMIT;
    AUTO(buf) struct buf blob = BUF_INIT(SIG_BYTES_MAX);
    TRY(record_ssh_dearmor(armored, SIG_WHAT, &blob));
    struct record_sshsig s = {0};
    TRY(verify(h, buf_slice(&blob), message, name_space, &s));
    *out = s;
    return ERR_OK;
}

static enum err ed25519_sign(const uint8_t seed[ED25519_SEED_BYTES], struct slice message, uint8_t out[ED25519_SIG_BYTES])
{
    size_t n = ED25519_SIG_BYTES;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_SEED_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = pkey != NULL && ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
              EVP_DigestSign(ctx, out, &n, message.p, message.n) == 1 && n == ED25519_SIG_BYTES;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return ok ? ERR_OK : ERR_CRYPTO;
}

enum err record_sshsig_sign(const struct record_ssh_private *k, struct slice message, const char *name_space, struct buf *out)
{
    ASSERT(!k->key.sk);
    uint8_t sig[ED25519_SIG_BYTES];
    AUTO(buf) struct buf text = BUF_INIT(SIG_BYTES_MAX);
    AUTO(buf) struct buf blob = BUF_INIT(SIG_BYTES_MAX);
    AUTO(buf) struct buf part = BUF_INIT(SSH_KEY_CHARS_MAX);
    TRY(signed_bytes(NULL, name_space, SLICE_LIT("sha512"), message, &text));
    TRY(ed25519_sign(k->seed, buf_slice(&text), sig));
    buf_put_str(&blob, SIG_MAGIC);
    buf_put_u32(&blob, SIG_VERSION);
    record_ssh_blob_put(&k->key, &part);
    buf_put_lp32(&blob, buf_slice(&part));
    buf_put_lp32(&blob, slice_str(name_space));
    buf_put_lp32(&blob, SLICE_LIT(""));
    buf_put_lp32(&blob, SLICE_LIT("sha512"));
    buf_reset(&part);
    buf_put_lp32(&part, SLICE_LIT(SSH_ED25519));
    buf_put_lp32(&part, slice_of(sig, sizeof sig));
    buf_put_lp32(&blob, buf_slice(&part));
    if (!buf_ok(&blob) || !buf_ok(&part)) return ERR_LIMIT;
    record_ssh_armor(buf_slice(&blob), SIG_WHAT, out);
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}
