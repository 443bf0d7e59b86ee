/* SPDX-License-Identifier: Apache-2.0
 * SSH keys and signatures against OpenSSH's own.
 * Role: unit test. Spec: docs/spec/statement.md section 3; tests/vectors/sshsig.
 */
#include "record/record_test.h"
#include "record/record_ssh.h"

static struct ledger_hash hash;
static struct buf message;

static enum err verify(const char *file, const char *name_space, struct record_sshsig *out)
{
    struct buf sig;
    test_read_file(file, &sig);
    enum err e = record_sshsig_verify(&hash, buf_slice(&sig), buf_slice(&message), name_space, out);
    buf_done(&sig);
    return e;
}

static void opensshs_signatures_verify_and_name_their_key(void **state)
{
    (void)state;
    struct record_sshsig s;
    struct buf print;
    assert_err(verify("sshsig/ed25519.sig", RECORD_STATEMENT_NAMESPACE, &s), ERR_OK, "ed25519");
    assert_string_equal(s.key.fingerprint, "SHA256:a9KkNsfSgtrijQsrTTc6LH6i9Nkr8GnqbKqahhE446E");
    assert_err(verify("sshsig/testkey-sha512.sig", RECORD_STATEMENT_NAMESPACE, &s), ERR_OK, "sha512");
    test_read_file("sshsig/testkey.fingerprint", &print);
    assert_same(slice_str(s.key.fingerprint), slice_of(print.p, print.n - 1));
    assert_err(verify("sshsig/testkey-sha256.sig", RECORD_STATEMENT_NAMESPACE, &s), ERR_OK, "sha256");
    assert_false(s.key.sk);
    buf_done(&print);
}

static void a_device_key_must_have_been_touched(void **state)
{
    (void)state;
    struct record_sshsig s;
    assert_err(verify("sshsig/sk.sig", RECORD_STATEMENT_NAMESPACE, &s), ERR_OK, "sk");
    assert_true(s.key.sk);
    assert_string_equal(s.key.application, "ssh:tillit");
    assert_int_equal(s.sk_flags, RECORD_SK_PRESENT | RECORD_SK_VERIFIED);
    assert_int_equal(s.sk_counter, 42);
    assert_err(verify("sshsig/sk-nobody.sig", RECORD_STATEMENT_NAMESPACE, &s), ERR_VERIFY, "nobody touched it");
}

static void other_namespaces_texts_and_algorithms_are_refused_apart(void **state)
{
    (void)state;
    struct record_sshsig s;
    struct buf sig, text;
    assert_err(verify("sshsig/wrong-namespace.sig", RECORD_STATEMENT_NAMESPACE, &s), ERR_VERIFY, "namespace");
    assert_err(verify("sshsig/wrong-namespace.sig", "git", &s), ERR_OK, "its own namespace");
    assert_err(verify("sshsig/ed25519.sig", "tillit-statement@v2", &s), ERR_VERIFY, "v2");
    assert_err(verify("sshsig/ecdsa.sig", RECORD_STATEMENT_NAMESPACE, &s), ERR_VERSION, "ecdsa");
    test_read_file("sshsig/ed25519.sig", &sig);
    test_read_file("sshsig/tampered.json", &text);
    assert_err(record_sshsig_verify(&hash, buf_slice(&sig), buf_slice(&text), RECORD_STATEMENT_NAMESPACE, &s), ERR_VERIFY, "text");
    buf_done(&sig);
    buf_done(&text);
}

static enum err verify_bytes(struct slice blob)
{
    struct buf text = BUF_INIT(8192);
    struct record_sshsig s;
    record_ssh_armor(blob, "SSH SIGNATURE", &text);
    enum err e = record_sshsig_verify(&hash, buf_slice(&text), buf_slice(&message), RECORD_STATEMENT_NAMESPACE, &s);
    buf_done(&text);
    return e;
}

static void every_cut_and_every_flipped_bit_of_a_signature_is_refused(void **state)
{
    (void)state;
    static const char *const files[] = {"sshsig/ed25519.sig", "sshsig/sk.sig", "sshsig/testkey-sha256.sig"};
    for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
        struct buf text, blob = BUF_INIT(4096);
        struct record_sshsig s;
        test_read_file(files[i], &text);
        assert_err(record_ssh_dearmor(buf_slice(&text), "SSH SIGNATURE", &blob), ERR_OK, files[i]);
        assert_err(verify_bytes(buf_slice(&blob)), ERR_OK, files[i]);
        for (size_t n = 0; n < blob.n; n++)
            if (verify_bytes(slice_of(blob.p, n)) == ERR_OK) fail_msg("%s cut at %zu", files[i], n);
        for (size_t bit = 0; bit < blob.n * 8; bit++) {
            blob.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (verify_bytes(buf_slice(&blob)) == ERR_OK) fail_msg("%s bit %zu", files[i], bit);
            blob.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        buf_put_u8(&blob, 0);
        assert_err(verify_bytes(buf_slice(&blob)), ERR_TRAILING, "a byte behind");
        for (size_t n = 0; n + 1 < text.n; n++) {     /* the last newline may lack */
            enum err e = record_sshsig_verify(&hash, slice_of(text.p, n), buf_slice(&message), RECORD_STATEMENT_NAMESPACE, &s);
            if (e == ERR_OK) fail_msg("%s armor cut at %zu", files[i], n);
        }
        buf_done(&text);
        buf_done(&blob);
    }
}

static void a_filled_reserved_field_is_refused_as_not_understood(void **state)
{
    (void)state;
    struct buf text, blob = BUF_INIT(4096), changed = BUF_INIT(4096);
    test_read_file("sshsig/ed25519.sig", &text);
    assert_err(record_ssh_dearmor(buf_slice(&text), "SSH SIGNATURE", &blob), ERR_OK, "armor");
    size_t at = 6 + 4 + 4 + 51 + 4 + strlen(RECORD_STATEMENT_NAMESPACE);        /* magic, version, key, namespace */
    assert_int_equal(get_be32(blob.p + at), 0);
    buf_put(&changed, blob.p, at);
    buf_put_lp32(&changed, SLICE_LIT("x"));
    buf_put(&changed, blob.p + at + 4, blob.n - at - 4);
    assert_err(verify_bytes(buf_slice(&changed)), ERR_INPUT, "reserved");
    buf_done(&text);
    buf_done(&blob);
    buf_done(&changed);
}

#define BEGIN "-----BEGIN SSH SIGNATURE-----\n"
#define END "-----END SSH SIGNATURE-----\n"
static void armor_has_one_form(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(4096);
    static const struct { const char *text; enum err want; } cases[] = {
        {BEGIN "AAAA\n" END, ERR_OK}, {BEGIN "AAAA\nAAAA\n" END, ERR_OK}, {BEGIN "AAAAAAAA\nAAAA\n" END, ERR_OK},
        {BEGIN "AAAA\n-----END SSH SIGNATURE-----", ERR_OK},
        {"", ERR_INPUT}, {BEGIN, ERR_TRUNCATED}, {BEGIN "AAAA\n", ERR_TRUNCATED}, {" " BEGIN "AAAA\n" END, ERR_INPUT},
        {BEGIN "\nAAAA\n" END, ERR_INPUT}, {BEGIN "AAAA\n\n" END, ERR_INPUT}, {BEGIN "AAAA\nAAAAAAAA\n" END, ERR_INPUT},
        {BEGIN "AAAAAAAA\nAAAA\nAAAA\n" END, ERR_INPUT}, {BEGIN "AAAA\r\n" END, ERR_INPUT}, {BEGIN "AAAA \n" END, ERR_INPUT},
        {BEGIN "AAAA\n" END "x", ERR_TRAILING}, {BEGIN "AAAA\n" END "\n", ERR_TRAILING}, {BEGIN "AAA\n" END, ERR_INPUT},
        {"-----BEGIN SSH SIGNATURE----\nAAAA\n" END, ERR_INPUT}, {BEGIN "AAAA\n-----END SSH SIGNATURE----\n", ERR_INPUT},
        {"-----BEGIN PGP SIGNATURE-----\nAAAA\n" END, ERR_INPUT}, {BEGIN "AAAA\n-----END PGP SIGNATURE-----\n", ERR_INPUT},
        {BEGIN "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" END, ERR_OK},
        {BEGIN "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" END, ERR_INPUT},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        buf_reset(&b);
        assert_err(record_ssh_dearmor(slice_str(cases[i].text), "SSH SIGNATURE", &b), cases[i].want, cases[i].text);
    }
    static char big[SSHSIG_CHARS_MAX + 1];
    struct record_sshsig s;
    memset(big, 'A', sizeof big);
    assert_err(record_sshsig_verify(&hash, slice_of(big, SSHSIG_CHARS_MAX), SLICE_LIT(""), "n", &s), ERR_INPUT, "at the bound");
    assert_err(record_sshsig_verify(&hash, slice_of(big, SSHSIG_CHARS_MAX + 1), SLICE_LIT(""), "n", &s), ERR_LIMIT, "past it");
    buf_done(&b);
}

static void public_key_lines_are_strict(void **state)
{
    (void)state;
    struct buf file, b = BUF_INIT(4096);
    struct record_ssh_key k;
    static const char *const files[] = {"sshsig/testkey.pub", "sshsig/sk.pub"};
    static const char *const comments[] = {"test key, not a secret", "device"};
    for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
        test_read_file(files[i], &file);
        struct slice line = slice_of(file.p, file.n - 1);
        assert_err(record_ssh_key_parse(&hash, line, &k), ERR_OK, files[i]);
        buf_reset(&b);
        record_ssh_key_format(&k, slice_str(comments[i]), &b);
        assert_same(buf_slice(&b), line);
        size_t bare = line.n - strlen(comments[i]) - 1;
        for (size_t n = 0; n < bare; n++) assert_int_not_equal(record_ssh_key_parse(&hash, slice_of(line.p, n), &k), ERR_OK);
        assert_err(record_ssh_key_parse(&hash, slice_of(line.p, bare), &k), ERR_OK, "without comment");
        assert_err(record_ssh_key_parse(&hash, buf_slice(&file), &k), ERR_INPUT, "newline");
        buf_done(&file);
    }
    test_read_file("sshsig/ecdsa.pub", &file);
    assert_err(record_ssh_key_parse(&hash, slice_of(file.p, file.n - 1), &k), ERR_VERSION, "ecdsa");
    buf_done(&file);
    assert_err(record_ssh_key_parse(&hash, SLICE_LIT("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIPltWaxdTMGJGWiMeMx5/rV9WrB8EI6W3TeN2H8860Vk"), &k),
               ERR_INPUT, "word and blob differ");
    for (size_t past = 0; past <= 1; past++) {
        buf_reset(&b);
        buf_put_str(&b, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPltWaxdTMGJGWiMeMx5/rV9WrB8EI6W3TeN2H8860Vk ");
        while (b.n < SSH_KEY_CHARS_MAX + past) buf_put_u8(&b, 'c');
        assert_err(record_ssh_key_parse(&hash, buf_slice(&b), &k), past ? ERR_LIMIT : ERR_OK, "length");
    }
    buf_done(&b);
}

static void our_signature_is_the_one_that_ssh_keygen_makes(void **state)
{
    (void)state;
    struct buf file, want, got = BUF_INIT(4096);
    struct record_ssh_private k;
    test_read_file("sshsig/testkey", &file);
    test_read_file("sshsig/testkey-sha512.sig", &want);
    assert_err(record_ssh_private_parse(&hash, buf_slice(&file), &k), ERR_OK, "testkey");
    assert_err(record_sshsig_sign(&k, buf_slice(&message), RECORD_STATEMENT_NAMESPACE, &got), ERR_OK, "sign");
    assert_same(buf_slice(&got), buf_slice(&want));
    record_ssh_private_done(&k);
    buf_done(&file);
    buf_done(&want);
    buf_done(&got);
}

static void private_keys_are_read_written_and_otherwise_refused(void **state)
{
    (void)state;
    struct buf file, b = BUF_INIT(SSH_PRIVATE_CHARS_MAX), bytes = BUF_INIT(4096);
    struct record_ssh_private k, again;
    test_read_file("sshsig/encrypted", &file);
    assert_err(record_ssh_private_parse(&hash, buf_slice(&file), &k), ERR_VERSION, "encrypted");
    buf_done(&file);
    test_read_file("sshsig/ecdsa_private", &file);
    assert_err(record_ssh_private_parse(&hash, buf_slice(&file), &k), ERR_VERSION, "ecdsa");
    buf_done(&file);
    test_read_file("sshsig/testkey", &file);
    assert_err(record_ssh_dearmor(buf_slice(&file), "OPENSSH PRIVATE KEY", &bytes), ERR_OK, "armor");
    assert_err(record_ssh_private_parse(&hash, buf_slice(&file), &k), ERR_OK, "testkey");
    /* the same file, written by us: the check number stands behind the header, the public blob and a length */
    uint32_t check = get_be32(bytes.p + 15 + 8 + 8 + 4 + 4 + 4 + 51 + 4);
    assert_err(record_ssh_private_format(&k, check, SLICE_LIT("test key, not a secret"), &b), ERR_OK, "format");
    assert_same(buf_slice(&b), buf_slice(&file));
    for (size_t n = 0; n < bytes.n; n++) {
        buf_reset(&b);
        record_ssh_armor(slice_of(bytes.p, n), "OPENSSH PRIVATE KEY", &b);
        if (record_ssh_private_parse(&hash, buf_slice(&b), &again) == ERR_OK) fail_msg("cut at %zu", n);
    }
    /* a public key that is not the seed's: each of its copies in turn */
    unsigned copies = 0;
    for (size_t i = 0; i + ED25519_KEY_BYTES <= bytes.n; i++) {
        if (memcmp(bytes.p + i, k.key.public_key, ED25519_KEY_BYTES) != 0) continue;
        copies++;
        bytes.p[i] ^= 1;
        buf_reset(&b);
        record_ssh_armor(buf_slice(&bytes), "OPENSSH PRIVATE KEY", &b);
        assert_err(record_ssh_private_parse(&hash, buf_slice(&b), &again), ERR_INPUT, "another public key");
        bytes.p[i] ^= 1;
    }
    assert_int_equal(copies, 3);
    bytes.p[bytes.n - 1] ^= 1;                        /* the padding counts 1, 2, 3 ... */
    buf_reset(&b);
    record_ssh_armor(buf_slice(&bytes), "OPENSSH PRIVATE KEY", &b);
    assert_err(record_ssh_private_parse(&hash, buf_slice(&b), &again), ERR_INPUT, "padding");
    static char big[SSH_PRIVATE_CHARS_MAX + 1];
    assert_err(record_ssh_private_parse(&hash, slice_of(big, SSH_PRIVATE_CHARS_MAX), &again), ERR_INPUT, "at the bound");
    assert_err(record_ssh_private_parse(&hash, slice_of(big, sizeof big), &again), ERR_LIMIT, "past it");
    record_ssh_private_done(&k);
    buf_done(&file);
    buf_done(&b);
    buf_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opensshs_signatures_verify_and_name_their_key),
        cmocka_unit_test(a_device_key_must_have_been_touched),
        cmocka_unit_test(other_namespaces_texts_and_algorithms_are_refused_apart),
        cmocka_unit_test(every_cut_and_every_flipped_bit_of_a_signature_is_refused),
        cmocka_unit_test(a_filled_reserved_field_is_refused_as_not_understood),
        cmocka_unit_test(armor_has_one_form),
        cmocka_unit_test(public_key_lines_are_strict),
        cmocka_unit_test(our_signature_is_the_one_that_ssh_keygen_makes),
        cmocka_unit_test(private_keys_are_read_written_and_otherwise_refused),
    };
    if (ledger_hash_init(&hash) != ERR_OK) return 1;
    test_read_file("sshsig/statement.json", &message);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_done(&message);
    ledger_hash_done(&hash);
    return failed;
}
