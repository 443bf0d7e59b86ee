/* SPDX-License-Identifier: Apache-2.0
 * OpenSSH's forms of Ed25519 keys: public lines, wire blobs, unencrypted private files, armor.
 * Role: the gate reads public keys; tools also make and read private ones.
 * Distrusts: every byte of them.
 * Law: 6. Spec: docs/spec/statement.md section 3; OpenSSH PROTOCOL.key, PROTOCOL.u2f, RFC 4253 section 6.6, RFC 8709.
 */
#include "record/record_ssh.h"

#include <openssl/evp.h>

#define PRIVATE_WHAT "OPENSSH PRIVATE KEY"
#define PRIVATE_MAGIC "openssh-key-v1"                /* with its NUL */
#define PRIVATE_BLOCK_BYTES 8
#define ARMOR_COLUMNS_MAX 76

static void put_string(struct buf *out, struct slice s)
{
    buf_put_lp32(out, s);
}

enum err record_ssh_blob_get(struct ledger_hash *h, struct slice blob, struct record_ssh_key *out)
{
    *out = (struct record_ssh_key){0};
    struct reader r = reader_of(blob);
    struct slice alg = reader_lp32(&r, SSH_KEY_CHARS_MAX);
    if (r.bad) return ERR_TRUNCATED;
    out->sk = slice_is(alg, SSH_SK_ED25519);
    if (!out->sk && !slice_is(alg, SSH_ED25519)) return ERR_VERSION;
    struct slice key = reader_lp32(&r, SSH_KEY_CHARS_MAX), application = {0};
    if (out->sk) application = reader_lp32(&r, SSH_APPLICATION_BYTES_MAX);
    TRY(reader_end(&r));
    if (key.n != ED25519_KEY_BYTES) return ERR_INPUT;
    memcpy(out->public_key, key.p, key.n);
    for (size_t i = 0; i < application.n; i++) {
        if (application.p[i] <= ' ' || application.p[i] > '~') return ERR_INPUT;
        out->application[i] = (char)application.p[i];
    }
    uint8_t hash[HASH_BYTES];
    AUTO(buf) struct buf text = BUF_INIT(64);
    ledger_sha256(h, blob, hash);
    buf_put_str(&text, "SHA256:");
    buf_put_base64(&text, slice_of(hash, sizeof hash));
    ASSERT(buf_ok(&text) && text.n == SSH_FINGERPRINT_CHARS + 1);       /* one '=' that OpenSSH leaves out */
    memcpy(out->fingerprint, text.p, SSH_FINGERPRINT_CHARS);
    return ERR_OK;
}

void record_ssh_blob_put(const struct record_ssh_key *k, struct buf *out)
{
    put_string(out, slice_str(k->sk ? SSH_SK_ED25519 : SSH_ED25519));
    put_string(out, slice_of(k->public_key, ED25519_KEY_BYTES));
    if (k->sk) put_string(out, slice_str(k->application));
}

enum err record_ssh_key_parse(struct ledger_hash *h, struct slice line, struct record_ssh_key *out)
{
    *out = (struct record_ssh_key){0};
    if (line.n > SSH_KEY_CHARS_MAX) return ERR_LIMIT;
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] < ' ') return ERR_INPUT;
    struct slice alg, base64;
    slice_cut(slice_cut(line, ' ', &alg), ' ', &base64);
    AUTO(buf) struct buf blob = BUF_INIT(SSH_KEY_CHARS_MAX);
    TRY(base64_decode(base64, &blob));
    TRY(record_ssh_blob_get(h, buf_slice(&blob), out));
    /* The word in front must say what the blob says. */
    return slice_is(alg, out->sk ? SSH_SK_ED25519 : SSH_ED25519) ? ERR_OK : ERR_INPUT;
}

void record_ssh_key_format(const struct record_ssh_key *k, struct slice comment, struct buf *out)
{
    AUTO(buf) struct buf blob = BUF_INIT(SSH_KEY_CHARS_MAX);
    record_ssh_blob_put(k, &blob);
    ASSERT(buf_ok(&blob));
    buf_put_str(out, k->sk ? SSH_SK_ED25519 " " : SSH_ED25519 " ");
    buf_put_base64(out, buf_slice(&blob));
    if (comment.n == 0) return;
    buf_put_u8(out, ' ');
    buf_put_slice(out, comment);
}

/* armor ------------------------------------------------------------------------------------------------------------ */

static bool is_mark(struct slice line, const char *begin_or_end, const char *what)
{
    size_t a = strlen(begin_or_end), b = strlen(what);
    return line.n == a + b + 5 && memcmp(line.p, begin_or_end, a) == 0 && memcmp(line.p + a, what, b) == 0 &&
           memcmp(line.p + a + b, "-----", 5) == 0;
}

enum err record_ssh_dearmor(struct slice text, const char *what, struct buf *out)
{
    struct slice line, rest = slice_cut(text, '\n', &line);
    if (!is_mark(line, "-----BEGIN ", what)) return ERR_INPUT;
    AUTO(buf_wipe) struct buf base64 = BUF_INIT(SSHSIG_CHARS_MAX);
    size_t width = 0;
    for (bool last = false;;) {
        if (rest.n == 0) return ERR_TRUNCATED;
        rest = slice_cut(rest, '\n', &line);
        if (line.n > 0 && line.p[0] == '-') break;
        /* All lines but the last are as wide as the first: blank and short lines inside would be a second spelling. */
        if (width == 0) width = line.n;
        if (line.n == 0 || line.n > width || width > ARMOR_COLUMNS_MAX || last) return ERR_INPUT;
        last = line.n < width;
        buf_put_slice(&base64, line);
        if (!buf_ok(&base64)) return ERR_LIMIT;
    }
    if (!is_mark(line, "-----END ", what)) return ERR_INPUT;
    if (rest.n != 0) return ERR_TRAILING;
    return base64_decode(buf_slice(&base64), out);
}

void record_ssh_armor(struct slice bytes, const char *what, struct buf *out)
{
    AUTO(buf_wipe) struct buf base64 = BUF_INIT(SSHSIG_CHARS_MAX);
    buf_put_base64(&base64, bytes);
    if (!buf_ok(&base64)) out->bad = true;
    buf_put_str(out, "-----BEGIN ");
    buf_put_str(out, what);
    buf_put_str(out, "-----\n");
    for (size_t i = 0; i < base64.n; i += SSH_ARMOR_COLUMNS) {
        buf_put(out, base64.p + i, MIN((size_t)SSH_ARMOR_COLUMNS, base64.n - i));
        buf_put_u8(out, '\n');
    }
    buf_put_str(out, "-----END ");
    buf_put_str(out, what);
    buf_put_str(out, "-----\n");
}

/* private keys ----------------------------------------------------------------------------------------------------- */

void record_ssh_private_done(struct record_ssh_private *k)
{
    wipe(k, sizeof *k);
}

enum err record_ssh_private_make(struct ledger_hash *h, const uint8_t seed[ED25519_SEED_BYTES], struct record_ssh_private *out)
{
    *out = (struct record_ssh_private){0};
    uint8_t public_key[ED25519_KEY_BYTES];
    size_t n = sizeof public_key;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_SEED_BYTES);
    bool ok = pkey != NULL && EVP_PKEY_get_raw_public_key(pkey, public_key, &n) == 1 && n == sizeof public_key;
    EVP_PKEY_free(pkey);
    if (!ok) return ERR_CRYPTO;
    struct record_ssh_key plain = {0};
    memcpy(plain.public_key, public_key, sizeof public_key);
    AUTO(buf) struct buf blob = BUF_INIT(SSH_KEY_CHARS_MAX);
    record_ssh_blob_put(&plain, &blob);
    TRY(record_ssh_blob_get(h, buf_slice(&blob), &out->key));
    memcpy(out->seed, seed, ED25519_SEED_BYTES);
    return ERR_OK;
}

/* What stands in the (here clear) private section. */
static enum err parse_private_section(struct slice section, struct slice *seed, struct slice *public_key)
{
    struct reader r = reader_of(section);
    uint32_t check1 = reader_u32(&r), check2 = reader_u32(&r);
    struct slice alg = reader_lp32(&r, SSH_PRIVATE_CHARS_MAX);
    if (r.bad) return ERR_TRUNCATED;
    if (check1 != check2) return ERR_INPUT;
    if (!slice_is(alg, SSH_ED25519)) return ERR_VERSION;
    *public_key = reader_lp32(&r, SSH_PRIVATE_CHARS_MAX);
    struct slice both = reader_lp32(&r, SSH_PRIVATE_CHARS_MAX);
    reader_lp32(&r, SSH_PRIVATE_CHARS_MAX);           /* comment */
    struct slice pad = reader_slice(&r, reader_left(&r));
    TRY(reader_end(&r));
    if (public_key->n != ED25519_KEY_BYTES || both.n != ED25519_SEED_BYTES + ED25519_KEY_BYTES) return ERR_INPUT;
    if (section.n % PRIVATE_BLOCK_BYTES != 0 || pad.n >= PRIVATE_BLOCK_BYTES) return ERR_INPUT;
    for (size_t i = 0; i < pad.n; i++)
        if (pad.p[i] != i + 1) return ERR_INPUT;
    *seed = slice_of(both.p, ED25519_SEED_BYTES);
    return ERR_OK;
}

enum err record_ssh_private_parse(struct ledger_hash *h, struct slice text, struct record_ssh_private *out)
{
    *out = (struct record_ssh_private){0};
    if (text.n > SSH_PRIVATE_CHARS_MAX) return ERR_LIMIT;
    AUTO(buf_wipe) struct buf bytes = BUF_INIT(SSH_PRIVATE_CHARS_MAX);
    TRY(record_ssh_dearmor(text, PRIVATE_WHAT, &bytes));
    struct reader r = reader_of(buf_slice(&bytes));
    struct slice magic = reader_slice(&r, sizeof PRIVATE_MAGIC);
    if (!slice_eq(magic, slice_of(PRIVATE_MAGIC, sizeof PRIVATE_MAGIC))) return ERR_INPUT;
    struct slice cipher = reader_lp32(&r, SSH_PRIVATE_CHARS_MAX), kdf = reader_lp32(&r, SSH_PRIVATE_CHARS_MAX);
    struct slice options = reader_lp32(&r, SSH_PRIVATE_CHARS_MAX);
    uint32_t count = reader_u32(&r);
    struct slice blob = reader_lp32(&r, SSH_PRIVATE_CHARS_MAX), section = reader_lp32(&r, SSH_PRIVATE_CHARS_MAX);
    TRY(reader_end(&r));
    if (!slice_is(cipher, "none")) return ERR_VERSION;
    if (!slice_is(kdf, "none") || options.n != 0 || count != 1) return ERR_INPUT;
    struct slice seed, public_key;
    struct record_ssh_key key;
    TRY(record_ssh_blob_get(h, blob, &key));
    TRY(parse_private_section(section, &seed, &public_key));
    TRY(record_ssh_private_make(h, seed.p, out));
    /* Three copies of the public key must be the seed's own: signing with another one gives the seed away. */
    bool same = memcmp(out->key.public_key, public_key.p, ED25519_KEY_BYTES) == 0 &&
                memcmp(out->key.public_key, seed.p + ED25519_SEED_BYTES, ED25519_KEY_BYTES) == 0 &&
                strcmp(out->key.fingerprint, key.fingerprint) == 0;
    if (same) return ERR_OK;
    record_ssh_private_done(out);
    return ERR_INPUT;
}

enum err record_ssh_private_format(const struct record_ssh_private *k, uint32_t check, struct slice comment, struct buf *out)
{
    AUTO(buf_wipe) struct buf section = BUF_INIT(SSH_PRIVATE_CHARS_MAX);
    AUTO(buf_wipe) struct buf both = BUF_INIT(ED25519_SEED_BYTES + ED25519_KEY_BYTES);
    AUTO(buf_wipe) struct buf bytes = BUF_INIT(SSH_PRIVATE_CHARS_MAX);
    AUTO(buf) struct buf blob = BUF_INIT(SSH_KEY_CHARS_MAX);
    buf_put(&both, k->seed, ED25519_SEED_BYTES);
    buf_put(&both, k->key.public_key, ED25519_KEY_BYTES);
    buf_put_u32(&section, check);
    buf_put_u32(&section, check);
    record_ssh_blob_put(&k->key, &section);
    put_string(&section, buf_slice(&both));
    put_string(&section, comment);
    for (uint8_t i = 1; section.n % PRIVATE_BLOCK_BYTES != 0 && buf_ok(&section); i++) buf_put_u8(&section, i);
    record_ssh_blob_put(&k->key, &blob);
    buf_put(&bytes, PRIVATE_MAGIC, sizeof PRIVATE_MAGIC);
    put_string(&bytes, SLICE_LIT("none"));
    put_string(&bytes, SLICE_LIT("none"));
    put_string(&bytes, SLICE_LIT(""));
    buf_put_u32(&bytes, 1);
    put_string(&bytes, buf_slice(&blob));
    put_string(&bytes, buf_slice(&section));
    if (!buf_ok(&section) || !buf_ok(&bytes) || !buf_ok(&blob)) return ERR_LIMIT;
    record_ssh_armor(buf_slice(&bytes), PRIVATE_WHAT, out);
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}
