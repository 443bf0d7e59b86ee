/* SPDX-License-Identifier: Apache-2.0
 * Signs a statement and sends it.
 * Role: an unencrypted ed25519 file is read here; everything else (security keys, agents, passphrases, PINs) is `ssh-keygen -Y sign`'s matter.
 * Trusts: ssh-keygen of its user's PATH. Distrusts: the signature it gives: it is verified before it is sent, so that a key that is not taken is told apart
 *         from a statement that is not. Law: 6. Spec: docs/spec/statement.md section 3
 */
#include "tools/say.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int say_key_fingerprint(const char *command, const char *path, struct buf *out)
{
    AUTO(buf) struct buf text = BUF_INIT(SSH_KEY_CHARS_MAX);
    struct record_ssh_key key;
    struct ledger_hash h;
    if (ledger_hash_init(&h) != ERR_OK) return EXIT_INTERNAL;
    enum err e = file_read(path, &text);
    bool private = e == ERR_OK && slice_starts(buf_slice(&text), SLICE_LIT("-----BEGIN"));
    struct slice line = buf_slice(&text);
    if (line.n > 0 && line.p[line.n - 1] == '\n') line.n--;
    if (e == ERR_OK) e = record_ssh_key_parse(&h, line, &key);
    ledger_hash_done(&h);
    if (e == ERR_OK) {
        buf_put_str(out, key.fingerprint);
        return EXIT_DONE;
    }
    fprintf(stderr, "tillit %s: key=%s: %s\n", command, path,
            private             ? "that is a private key: give the file with .pub behind its name"
            : e == ERR_MISSING  ? "no such file; a key is SHA256:... (ssh-keygen -l), passkey:..., or a public key file"
            : e == ERR_VERSION  ? "keys here are ed25519 or ed25519-sk (ssh-keygen -t ed25519-sk)"
                                : "is no public key file");
    return EXIT_USAGE;
}

void say_digest(struct slice text, struct buf *out)
{
    uint8_t digest[HASH_BYTES];
    int ok = EVP_Digest(text.p, text.n, digest, NULL, EVP_sha256(), NULL);
    ASSERT(ok == 1);
    buf_put_base64url(out, slice_of(digest, sizeof digest));
}

/* ssh-keygen reads the statement from its stdin and writes the signature to its stdout; it asks for passphrase, PIN and touch on the terminal. */
static bool ssh_keygen(const char *key, struct slice text, struct buf *signature)
{
    int in[2], out[2], status = -1;
    ssize_t n = -1;
    if (pipe(in) != 0 || pipe(out) != 0) return false;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], 0), dup2(out[1], 1);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        execlp("ssh-keygen", "ssh-keygen", "-q", "-Y", "sign", "-n", RECORD_STATEMENT_NAMESPACE, "-f", key, (char *)NULL);
        fprintf(stderr, "tillit: ssh-keygen: %s; install OpenSSH's client\n", strerror(errno));
        _exit(127);
    }
    close(in[0]), close(out[1]);
    /* A statement fits into a pipe: nothing can wait here for ever. */
    bool ok = pid > 0 && write(in[1], text.p, text.n) == (ssize_t)text.n;
    close(in[1]);
    for (uint8_t *at; ok && (at = buf_room(signature, 4096)) && (n = read(out[0], at, 4096)) > 0;) signature->n += (size_t)n;
    close(out[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return ok && n == 0 && status == 0;
}

int say_sign(const struct say *s, struct slice text, struct buf *signature)
{
    struct record_ssh_private key = {0};
    struct record_sshsig by;
    struct ledger_hash h;
    if (access(s->key, R_OK) != 0) {
        fprintf(stderr, "tillit %s: --key %s: %s\n", s->command, s->key, strerror(errno));
        return EXIT_USAGE;
    }
    enum err e = ssh_key_read(s->key, &key);
    if (e == ERR_OK) e = record_sshsig_sign(&key, text, RECORD_STATEMENT_NAMESPACE, signature);
    record_ssh_private_done(&key);
    if (e != ERR_OK) {
        buf_reset(signature);
        if (!ssh_keygen(s->key, text, signature)) {
            fprintf(stderr, "tillit %s: --key %s: nothing was signed (ssh-keygen -Y sign says why, above)\n", s->command, s->key);
            return EXIT_REFUSED;
        }
    }
    if (ledger_hash_init(&h) != ERR_OK) return EXIT_INTERNAL;
    e = record_sshsig_verify(&h, buf_slice(signature), text, RECORD_STATEMENT_NAMESPACE, &by);
    ledger_hash_done(&h);
    if (e == ERR_OK) return EXIT_DONE;
    fprintf(stderr, "tillit %s: --key %s: %s\n", s->command, s->key,
            e == ERR_VERSION ? "statements are signed with ed25519 or ed25519-sk keys only (ssh-keygen -t ed25519-sk); others are refused"
                             : "the signature would be refused: a security key must be touched (a key made with no-touch-required says nothing)");
    return EXIT_REFUSED;
}

static int refused(const struct say *s, long status, struct slice body)
{
    json_t *j = json_loadb((const char *)body.p, body.n, 0, NULL);
    const char *detail = json_string_value(json_object_get(j, "detail")), *code = json_string_value(json_object_get(j, "code"));
    if (s->json && j) json_dumpf(j, stdout, JSON_COMPACT), putchar('\n');
    fprintf(stderr, "tillit %s: refused (%s): %s\n", s->command, code ? shown(code) : status == 503 ? "not now" : "no code", detail ? shown(detail) : "no reason given");
    json_decref(j);
    return EXIT_REFUSED;
}

int say_send(const struct say *s, struct slice text, struct slice signature, long *status, struct buf *answer)
{
    json_t *j = json_pack("{s:s%, s:s%}", "statement", (const char *)text.p, text.n, "signature", (const char *)signature.p, signature.n);
    char *body = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    if (!body) {
        fprintf(stderr, "tillit %s: the statement or its signature is not UTF-8\n", s->command);
        return EXIT_USAGE;
    }
    int code = client_request(&s->client, "/v1/statements", slice_str(body), false, status, answer);
    free(body);
    if (code != EXIT_DONE) return code;
    return *status == 200 || *status == 202 ? EXIT_DONE : refused(s, *status, buf_slice(answer));
}
