/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: notes, checkpoints and vkeys from strangers. What is read must be written back the same.
 * Spec: C2SP signed-note, tlog-checkpoint.
 */
#include "ledger/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct ledger_hash hash;
static struct ledger_vkey key;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    if (hash.ctx == NULL) {
        ASSERT(ledger_hash_init(&hash) == ERR_OK);
        ASSERT(ledger_vkey_parse(&hash, SLICE_LIT("log.example/tenant-1+f472fbc0+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"),
                                 &key) == ERR_OK);
    }
    AUTO(buf) struct buf out = BUF_INIT(LEDGER_NOTE_BYTES_MAX);
    struct ledger_note note;
    if (ledger_note_parse(in, &note) == ERR_OK) {
        enum err e = ledger_note_verify(&note, &key, NULL);
        ASSERT(e == ERR_OK || e == ERR_MISSING || e == ERR_VERIFY);
        in = note.text;
    }
    struct ledger_checkpoint c;
    if (ledger_checkpoint_parse(in, &c) == ERR_OK && ledger_name_ok(c.origin)) {
        ledger_checkpoint_format(&c, &out);
        ASSERT(!buf_ok(&out) || slice_eq(buf_slice(&out), in));
    }
    struct ledger_vkey k;
    if (ledger_vkey_parse(&hash, slice_of(data, n), &k) == ERR_OK) {
        buf_reset(&out);
        ledger_vkey_format(&k, &out);
        ASSERT(slice_eq(buf_slice(&out), slice_of(data, n)));
    }
    return 0;
}
