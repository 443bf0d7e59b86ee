/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: SSH signatures, public key lines and private keys, armored and (so that the fuzzer gets past the base64) bare.
 * Spec: docs/spec/statement.md section 3.
 */
#include "record/record_ssh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct ledger_hash hash;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    struct record_sshsig s;
    struct record_ssh_key k;
    struct record_ssh_private p;
    if (hash.ctx == NULL) ASSERT(ledger_hash_init(&hash) == ERR_OK);
    AUTO(buf) struct buf out = BUF_INIT(16384);
    if (record_ssh_key_parse(&hash, in, &k) == ERR_OK) {
        record_ssh_key_format(&k, SLICE_LIT(""), &out);
        ASSERT(slice_starts(in, buf_slice(&out)));
    }
    (void)!record_sshsig_verify(&hash, in, SLICE_LIT("text"), RECORD_STATEMENT_NAMESPACE, &s);
    if (record_ssh_private_parse(&hash, in, &p) == ERR_OK) record_ssh_private_done(&p);
    buf_reset(&out);
    record_ssh_armor(in, "SSH SIGNATURE", &out);
    if (buf_ok(&out)) (void)!record_sshsig_verify(&hash, buf_slice(&out), SLICE_LIT("text"), RECORD_STATEMENT_NAMESPACE, &s);
    buf_reset(&out);
    record_ssh_armor(in, "OPENSSH PRIVATE KEY", &out);
    if (buf_ok(&out) && record_ssh_private_parse(&hash, buf_slice(&out), &p) == ERR_OK) record_ssh_private_done(&p);
    return 0;
}
