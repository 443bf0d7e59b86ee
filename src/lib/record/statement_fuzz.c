/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: statements, their terms, prefixes and texts. What is read is written again and must be the same bytes.
 * Spec: docs/spec/statement.md sections 1 and 2.
 */
#include "record/record_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void put_terms(const struct record_statement *s, struct buf *out)
{
    static struct record_term_value values[RECORD_LIST_ITEMS_MAX];
    size_t count = 0;
    struct slice value;
    /* From the last to the first: the writer sorts. */
    for (unsigned t = RECORD_TERM_COUNT; t-- > 0;) {
        for (size_t nth = 0; (value = record_term(s, (enum record_term)t, nth)).p; nth++) {
            ASSERT(count < RECORD_LIST_ITEMS_MAX);
            values[count++] = (struct record_term_value){(enum record_term)t, value};
        }
    }
    ASSERT(record_statement_write_terms(s, values, count, out) == ERR_OK);
    if (count == 0) return;
    /* Said twice it is refused. */
    AUTO(buf) struct buf again = BUF_INIT(2 * STATEMENT_BYTES_MAX);
    if (count == RECORD_LIST_ITEMS_MAX) return;
    values[count] = values[count - 1];
    ASSERT(record_statement_write_terms(s, values, count + 1, &again) == ERR_INPUT);
}

static void statement(struct slice in)
{
    static struct slice scope[RECORD_LIST_ITEMS_MAX];
    struct record_statement s;
    size_t count = 0;
    if (record_statement_parse(in, &s) != ERR_OK) return;
    AUTO(buf) struct buf out = BUF_INIT(STATEMENT_BYTES_MAX);
    struct slice list = s.scope;
    while (record_list_text(&list, &scope[count])) count++;
    if (record_kind_has_terms(s.kind))
        put_terms(&s, &out);
    else
        ASSERT(record_statement_write(&s, scope, count, &out) == ERR_OK);
    ASSERT(slice_eq(buf_slice(&out), in));
}

/* A request with the input as its value of one term, so that the fuzzer need not find the rest. */
static void one_term(struct slice in)
{
    if (in.n == 0) return;
    enum record_term t = (enum record_term)(in.p[0] % RECORD_TERM_COUNT);
    struct record_statement s = {.kind = RECORD_STATEMENT_ACCESS_ASK, .have = RECORD_S_SUBJECT | RECORD_S_TENANT, .subject = SLICE_LIT("x")}, r;
    const struct record_term_value request = {RECORD_TERM_REQUEST, SLICE_LIT("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")};
    const struct record_term_value v[] = {request, {t, slice_of(in.p + 1, in.n - 1)}};
    AUTO(buf) struct buf out = BUF_INIT(STATEMENT_BYTES_MAX);
    for (unsigned k = 0; k < RECORD_STATEMENT_COUNT; k++) {
        s.kind = (enum record_statement_kind)k;
        if (!record_kind_has_terms(s.kind)) continue;
        for (unsigned count = 1; count <= 2; count++) {
            buf_reset(&out);
            s.have = k == RECORD_STATEMENT_ACCESS_ASK ? RECORD_S_SUBJECT | RECORD_S_TENANT : RECORD_S_TENANT;
            if (record_statement_write_terms(&s, v + 2 - count, count, &out) != ERR_OK) continue;
            ASSERT(record_statement_parse(buf_slice(&out), &r) == ERR_OK);
            ASSERT(slice_eq(record_term(&r, t, 0), v[1].value));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    AUTO(buf) struct buf key = BUF_INIT(RECORD_TEXT_BYTES_MAX);
    struct record_stmt_value v;
    statement(in);
    one_term(in);
    if (record_prefix_decode(in, &key) == ERR_OK) ASSERT(slice_is_utf8(buf_slice(&key)) && key.n <= n);
    if (record_text_ok(in)) ASSERT(slice_is_utf8(in) && n >= 1 && n <= POLICY_TEXT_BYTES_MAX);
    if (record_stmt_value_get(in, &v) == ERR_OK) statement(v.text);
    return 0;
}
