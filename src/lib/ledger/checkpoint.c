/* SPDX-License-Identifier: Apache-2.0
 * Checkpoints (origin, size, root) and tlog-proofs, as text.
 * Role: what the gate signs, what the front serves, what a stranger checks.
 * Distrusts: every line.
 * Spec: C2SP tlog-checkpoint, tlog-proof; docs/spec/log.md.
 */
#include "ledger/ledger_note.h"

#define TLOG_PROOF_HEAD "c2sp.org/tlog-proof@v1"
/* Origin, two numbers' lines, a signature line: what one log's own checkpoint can reach. */
#define CHECKPOINT_TEXT_BYTES_MAX 1024

enum err ledger_decimal(struct slice text, uint64_t *out)
{
    if (text.n > 1 && text.p[0] == '0') return ERR_INPUT;
    return slice_u64(text, LEDGER_SIZE_MAX, out);
}

/* Cuts a line that must end with a newline. */
static enum err take_line(struct slice *rest, struct slice *line)
{
    struct slice all = *rest;
    *rest = slice_cut(all, '\n', line);
    return line->n < all.n ? ERR_OK : ERR_TRUNCATED;
}

enum err ledger_checkpoint_parse(struct slice text, struct ledger_checkpoint *out)
{
    *out = (struct ledger_checkpoint){0};
    struct slice rest = text, size, root;
    TRY(take_line(&rest, &out->origin));
    TRY(take_line(&rest, &size));
    TRY(take_line(&rest, &root));
    if (out->origin.n == 0) return ERR_INPUT;
    TRY(ledger_decimal(size, &out->size));
    TRY(base64_fixed(root, out->root, HASH_BYTES));
    out->extension = rest.n > 0 ? rest : (struct slice){0};
    while (rest.n > 0) {
        struct slice line;
        TRY(take_line(&rest, &line));
        if (line.n == 0) return ERR_INPUT;
    }
    return ERR_OK;
}

void ledger_checkpoint_format(const struct ledger_checkpoint *c, struct buf *out)
{
    if (!ledger_name_ok(c->origin)) {
        out->bad = true;
        return;
    }
    buf_put_slice(out, c->origin);
    buf_put_u8(out, '\n');
    buf_put_dec(out, c->size);
    buf_put_u8(out, '\n');
    buf_put_base64(out, slice_of(c->root, HASH_BYTES));
    buf_put_u8(out, '\n');
    buf_put_slice(out, c->extension);
}

enum err ledger_checkpoint_sign(const struct ledger_signer *log, uint64_t size, const uint8_t root[HASH_BYTES], struct buf *out)
{
    if (size > LEDGER_SIZE_MAX) return ERR_RANGE;
    struct ledger_checkpoint c = {.origin = slice_str(log->vkey.name), .size = size};
    memcpy(c.root, root, HASH_BYTES);
    AUTO(buf) struct buf text = BUF_INIT(CHECKPOINT_TEXT_BYTES_MAX);
    ledger_checkpoint_format(&c, &text);
    ASSERT(buf_ok(&text));
    buf_put_slice(out, buf_slice(&text));
    buf_put_u8(out, '\n');
    return ledger_note_sign(log, buf_slice(&text), 0, out);
}

enum err ledger_checkpoint_open(struct slice text, const struct ledger_vkey *log, struct ledger_checkpoint *out,
                                struct ledger_note *note)
{
    *out = (struct ledger_checkpoint){0};
    struct ledger_note own;
    if (note == NULL) note = &own;
    struct ledger_checkpoint c;
    TRY(ledger_note_parse(text, note));
    TRY(ledger_note_verify(note, log, NULL));
    TRY(ledger_checkpoint_parse(note->text, &c));
    /* A key may sign notes of other kinds and for other logs: only its own name makes this its head. */
    if (!slice_is(c.origin, log->name)) return ERR_VERIFY;
    *out = c;
    return ERR_OK;
}

/* tlog-proof ------------------------------------------------------------------------------------------------------- */

void ledger_tlog_proof_format(const struct ledger_tlog_proof *p, struct buf *out)
{
    ASSERT(p->proof.count <= TREE_LEVELS_MAX);
    buf_put_str(out, TLOG_PROOF_HEAD "\n");
    if (p->has_extra) {
        buf_put_str(out, "extra ");
        buf_put_slice(out, p->extra_base64);
        buf_put_u8(out, '\n');
    }
    buf_put_str(out, "index ");
    buf_put_dec(out, p->index);
    buf_put_u8(out, '\n');
    for (unsigned i = 0; i < p->proof.count; i++) {
        buf_put_base64(out, slice_of(p->proof.hash[i], HASH_BYTES));
        buf_put_u8(out, '\n');
    }
    buf_put_u8(out, '\n');
    buf_put_slice(out, p->checkpoint);
}

/* The word and a space, then what is returned in *value. */
static bool line_of(struct slice line, const char *word, struct slice *value)
{
    struct slice head;
    *value = slice_cut(line, ' ', &head);
    return head.n < line.n && slice_is(head, word);
}

static enum err parse_extra(struct slice base64)
{
    if (base64.n == 0) return ERR_INPUT;
    if (base64.n > LEDGER_EXTRA_CHARS_MAX) return ERR_LIMIT;
    AUTO(buf) struct buf bytes = BUF_INIT(LEDGER_EXTRA_CHARS_MAX);
    return base64_decode(base64, &bytes);
}

enum err ledger_tlog_proof_parse(struct slice text, struct ledger_tlog_proof *out)
{
    *out = (struct ledger_tlog_proof){0};
    if (text.n > LEDGER_TLOG_PROOF_BYTES_MAX) return ERR_LIMIT;
    struct slice rest = text, line, value;
    TRY(take_line(&rest, &line));
    if (!slice_is(line, TLOG_PROOF_HEAD)) return ERR_VERSION;
    TRY(take_line(&rest, &line));
    if (line_of(line, "extra", &value)) {
        TRY(parse_extra(value));
        out->has_extra = true;
        out->extra_base64 = value;
        TRY(take_line(&rest, &line));
    }
    if (!line_of(line, "index", &value)) return ERR_INPUT;
    TRY(ledger_decimal(value, &out->index));
    for (;;) {
        TRY(take_line(&rest, &line));
        if (line.n == 0) break;
        if (out->proof.count == TREE_LEVELS_MAX) return ERR_LIMIT;
        TRY(base64_fixed(line, out->proof.hash[out->proof.count], HASH_BYTES));
        out->proof.count++;
    }
    if (rest.n == 0) return ERR_TRUNCATED;
    out->checkpoint = rest;
    return ERR_OK;
}

enum err ledger_tlog_proof_verify(struct ledger_hash *h, const struct ledger_tlog_proof *p, const struct ledger_vkey *log,
                                  const uint8_t leaf_hash[HASH_BYTES], uint64_t *size)
{
    struct ledger_checkpoint c;
    TRY(ledger_checkpoint_open(p->checkpoint, log, &c, NULL));
    TRY(ledger_inclusion_verify(h, p->index, c.size, leaf_hash, &p->proof, c.root));
    if (size != NULL) *size = c.size;
    return ERR_OK;
}
