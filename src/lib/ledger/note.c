/* SPDX-License-Identifier: Apache-2.0
 * Signed notes and their keys: parse, verify, sign.
 * Role: every checkpoint goes out and comes in through here.
 * Trusts: the signer's key. Distrusts: notes and vkeys: sizes, spelling, signatures.
 * Spec: C2SP signed-note, tlog-cosignature (cosignature/v1); docs/spec/log.md.
 */
#include "ledger/ledger_note.h"

#include <openssl/evp.h>

#define KEY_ID_BYTES 4
#define TIME_BYTES 8
#define DASH "\xe2\x80\x94 "                          /* em dash, space: how a signature line begins */

static bool is_unicode_space(const uint8_t *p, size_t n)
{
    if (n >= 2 && p[0] == 0xc2) return p[1] == 0x85 || p[1] == 0xa0;
    if (n < 3) return false;
    if (p[0] == 0xe1) return p[1] == 0x9a && p[2] == 0x80;
    if (p[0] == 0xe3) return p[1] == 0x80 && p[2] == 0x80;
    if (p[0] != 0xe2) return false;
    if (p[1] == 0x81) return p[2] == 0x9f;
    return p[1] == 0x80 && (p[2] <= 0x8a || p[2] == 0xa8 || p[2] == 0xa9 || p[2] == 0xaf);
}

bool ledger_name_ok(struct slice name)
{
    if (name.n == 0 || name.n > LEDGER_NAME_BYTES_MAX || !slice_is_utf8(name)) return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] == 0x7f || name.p[i] == '+' || is_unicode_space(name.p + i, name.n - i)) return false;
    return true;
}

/* Note text: UTF-8, no control characters but newline (as Go's x/mod/sumdb/note has it), newline at the end. */
static bool text_ok(struct slice text)
{
    if (text.n == 0 || text.p[text.n - 1] != '\n' || !slice_is_utf8(text)) return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < ' ' && text.p[i] != '\n') return false;
    return true;
}

enum err ledger_base64_small(struct slice text, uint8_t out[LEDGER_SIG_BYTES_MAX], size_t *out_n)
{
    if (text.n == 0 || text.n % 4 != 0) return ERR_INPUT;
    size_t n = text.n / 4 * 3 - (text.p[text.n - 1] == '=') - (text.p[text.n - 2] == '=');
    if (n > LEDGER_SIG_BYTES_MAX) return ERR_LIMIT;
    *out_n = n;
    return base64_fixed(text, out, n);
}

/* keys ------------------------------------------------------------------------------------------------------------- */

enum err ledger_vkey_make(struct ledger_hash *h, struct slice name, enum ledger_alg alg,
                          const uint8_t public_key[ED25519_KEY_BYTES], struct ledger_vkey *out)
{
    *out = (struct ledger_vkey){0};
    if (!ledger_name_ok(name)) return ERR_INPUT;
    memcpy(out->name, name.p, name.n);
    out->alg = alg;
    memcpy(out->public_key, public_key, ED25519_KEY_BYTES);
    uint8_t text[LEDGER_NAME_BYTES_MAX + 2 + ED25519_KEY_BYTES], hash[HASH_BYTES];
    memcpy(text, name.p, name.n);
    text[name.n] = '\n';
    text[name.n + 1] = (uint8_t)alg;
    memcpy(text + name.n + 2, public_key, ED25519_KEY_BYTES);
    ledger_sha256(h, slice_of(text, name.n + 2 + ED25519_KEY_BYTES), hash);
    out->key_id = get_be32(hash);
    return ERR_OK;
}

enum err ledger_vkey_parse(struct ledger_hash *h, struct slice text, struct ledger_vkey *out)
{
    *out = (struct ledger_vkey){0};
    struct slice name, hex;
    struct slice rest = slice_cut(slice_cut(text, '+', &name), '+', &hex);
    uint8_t id[KEY_ID_BYTES], key[LEDGER_SIG_BYTES_MAX];
    size_t key_n = 0;
    TRY(hex_fixed(hex, id, sizeof id));
    TRY(ledger_base64_small(rest, key, &key_n));
    /* One spelling per key: a list of keys must not hold one twice. */
    for (size_t i = 0; i < hex.n; i++)
        if (hex.p[i] >= 'A' && hex.p[i] <= 'F') return ERR_INPUT;
    if (key[0] != LEDGER_ALG_ED25519 && key[0] != LEDGER_ALG_COSIGNATURE) return ERR_VERSION;
    if (key_n != 1 + ED25519_KEY_BYTES) return ERR_INPUT;
    TRY(ledger_vkey_make(h, name, (enum ledger_alg)key[0], key + 1, out));
    if (out->key_id == get_be32(id)) return ERR_OK;
    *out = (struct ledger_vkey){0};
    return ERR_VERIFY;
}

void ledger_vkey_format(const struct ledger_vkey *k, struct buf *out)
{
    uint8_t id[KEY_ID_BYTES], key[1 + ED25519_KEY_BYTES];
    put_be32(id, k->key_id);
    key[0] = (uint8_t)k->alg;
    memcpy(key + 1, k->public_key, ED25519_KEY_BYTES);
    buf_put_str(out, k->name);
    buf_put_u8(out, '+');
    buf_put_hex(out, slice_of(id, sizeof id));
    buf_put_u8(out, '+');
    buf_put_base64(out, slice_of(key, sizeof key));
}

enum err ledger_signer_init(struct ledger_signer *s, struct ledger_hash *h, struct slice name, enum ledger_alg alg,
                            const uint8_t seed[ED25519_SEED_BYTES])
{
    *s = (struct ledger_signer){0};
    uint8_t public_key[ED25519_KEY_BYTES];
    size_t n = sizeof public_key;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_SEED_BYTES);
    if (pkey == NULL || EVP_PKEY_get_raw_public_key(pkey, public_key, &n) != 1 || n != sizeof public_key) {
        EVP_PKEY_free(pkey);
        return ERR_CRYPTO;
    }
    enum err e = ledger_vkey_make(h, name, alg, public_key, &s->vkey);
    if (e != ERR_OK)
        EVP_PKEY_free(pkey);
    else
        s->pkey = pkey;
    return e;
}

void ledger_signer_done(struct ledger_signer *s)
{
    EVP_PKEY_free(s->pkey);
    *s = (struct ledger_signer){0};
}

/* notes ------------------------------------------------------------------------------------------------------------ */

static enum err parse_sig_line(struct slice line, struct ledger_note_sig *out)
{
    struct slice dash = SLICE_LIT(DASH);
    if (!slice_starts(line, dash)) return ERR_INPUT;
    out->base64 = slice_cut(slice_of(line.p + dash.n, line.n - dash.n), ' ', &out->name);
    if (!ledger_name_ok(out->name)) return ERR_INPUT;
    uint8_t sig[LEDGER_SIG_BYTES_MAX];
    size_t n = 0;
    TRY(ledger_base64_small(out->base64, sig, &n));
    if (n <= KEY_ID_BYTES) return ERR_INPUT;
    out->key_id = get_be32(sig);
    return ERR_OK;
}

enum err ledger_note_parse(struct slice note, struct ledger_note *out)
{
    *out = (struct ledger_note){0};
    if (note.n > LEDGER_NOTE_BYTES_MAX) return ERR_LIMIT;
    if (!text_ok(note)) return ERR_INPUT;
    /* The signatures are what stands behind the last empty line: the text may have empty lines of its own. */
    size_t i = note.n - 1;
    while (i > 0 && !(note.p[i] == '\n' && note.p[i - 1] == '\n')) i--;
    if (i == 0) return ERR_INPUT;
    out->text = slice_of(note.p, i);
    struct slice rest = slice_of(note.p + i + 1, note.n - i - 1), line;
    if (rest.n == 0) return ERR_INPUT;
    while (rest.n > 0) {
        if (out->sig_count == LEDGER_NOTE_SIGS_MAX) return ERR_LIMIT;
        rest = slice_cut(rest, '\n', &line);
        TRY(parse_sig_line(line, &out->sig[out->sig_count]));
        out->sig_count++;
    }
    return ERR_OK;
}

/* What a cosignature signs: cosignature/v1 and the time before the text. */
static enum err cosigned(struct slice text, uint64_t time_s, struct buf *out)
{
    buf_put_str(out, "cosignature/v1\ntime ");
    buf_put_dec(out, time_s);
    buf_put_u8(out, '\n');
    buf_put_slice(out, text);
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}
#define COSIGNED_BYTES_MAX (LEDGER_NOTE_BYTES_MAX + 64)

static enum err verify_sig(const struct ledger_note *n, const struct ledger_note_sig *s, const struct ledger_vkey *key,
                           uint64_t *time_s)
{
    uint8_t sig[LEDGER_SIG_BYTES_MAX];
    size_t sig_n = 0;
    TRY(ledger_base64_small(s->base64, sig, &sig_n));
    if (key->alg == LEDGER_ALG_ED25519) {
        if (sig_n != KEY_ID_BYTES + ED25519_SIG_BYTES) return ERR_VERIFY;
        return ledger_ed25519_verify(key->public_key, n->text, slice_of(sig + KEY_ID_BYTES, ED25519_SIG_BYTES));
    }
    ASSERT(key->alg == LEDGER_ALG_COSIGNATURE);
    if (sig_n != KEY_ID_BYTES + TIME_BYTES + ED25519_SIG_BYTES) return ERR_VERIFY;
    uint64_t t = get_be64(sig + KEY_ID_BYTES);
    if (t > INT64_MAX) return ERR_VERIFY;
    AUTO(buf) struct buf message = BUF_INIT(COSIGNED_BYTES_MAX);
    TRY(cosigned(n->text, t, &message));
    TRY(ledger_ed25519_verify(key->public_key, buf_slice(&message),
                              slice_of(sig + KEY_ID_BYTES + TIME_BYTES, ED25519_SIG_BYTES)));
    *time_s = t;
    return ERR_OK;
}

enum err ledger_note_verify(const struct ledger_note *n, const struct ledger_vkey *key, uint64_t *time_s)
{
    uint64_t t = 0;
    if (time_s != NULL) *time_s = 0;
    for (unsigned i = 0; i < n->sig_count; i++) {
        if (n->sig[i].key_id != key->key_id || !slice_is(n->sig[i].name, key->name)) continue;
        /* The first line of a key decides, as in x/mod/sumdb/note: work per key stays one verification. */
        TRY(verify_sig(n, &n->sig[i], key, &t));
        if (time_s != NULL) *time_s = t;
        return ERR_OK;
    }
    return ERR_MISSING;
}

static enum err ed25519_sign(EVP_PKEY *key, struct slice message, uint8_t out[ED25519_SIG_BYTES])
{
    size_t n = ED25519_SIG_BYTES;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestSign(ctx, out, &n, message.p, message.n) == 1 && n == ED25519_SIG_BYTES;
    EVP_MD_CTX_free(ctx);
    return ok ? ERR_OK : ERR_CRYPTO;
}

enum err ledger_note_sign(const struct ledger_signer *s, struct slice text, uint64_t time_s, struct buf *out)
{
    ASSERT(s->pkey != NULL);
    if (text.n > LEDGER_NOTE_BYTES_MAX || !text_ok(text)) return ERR_INPUT;
    uint8_t sig[KEY_ID_BYTES + TIME_BYTES + ED25519_SIG_BYTES];
    size_t n = KEY_ID_BYTES;
    put_be32(sig, s->vkey.key_id);
    AUTO(buf) struct buf message = BUF_INIT(COSIGNED_BYTES_MAX);
    if (s->vkey.alg == LEDGER_ALG_COSIGNATURE) {
        if (time_s > INT64_MAX) return ERR_RANGE;
        put_be64(sig + n, time_s);
        n += TIME_BYTES;
        TRY(cosigned(text, time_s, &message));
        text = buf_slice(&message);
    }
    TRY(ed25519_sign(s->pkey, text, sig + n));
    buf_put_str(out, DASH);
    buf_put_str(out, s->vkey.name);
    buf_put_u8(out, ' ');
    buf_put_base64(out, slice_of(sig, n + ED25519_SIG_BYTES));
    buf_put_u8(out, '\n');
    return buf_ok(out) ? ERR_OK : ERR_LIMIT;
}
