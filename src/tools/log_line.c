/* SPDX-License-Identifier: Apache-2.0
 * One line of /v1/openings, or of a log's export.
 * Role: `tillit log`, `tillit person list`. Distrusts: every byte: a store may answer anything.
 * Law: 4 (the leaf's bytes come out as they are hashed). Spec: docs/spec/export.md
 */
#include "tools/tools.h"

enum err log_line_parse(struct slice line, uint64_t *index, struct slice *leaf, struct buf *opening)
{
    static const char a[] = "{\"index\":", b[] = ",\"leaf\":", c[] = ",\"opening\":\"", d[] = "\"}";
    struct slice number, rest = line;
    if (!slice_starts(rest, slice_str(a))) return ERR_INPUT;
    rest = slice_cut(slice_of(rest.p + strlen(a), rest.n - strlen(a)), ',', &number);
    TRY(slice_u64(number, RECORD_VER_NONE - 1, index));
    if (!rest.p || !slice_starts(slice_of(rest.p - 1, rest.n + 1), slice_str(b))) return ERR_INPUT;
    rest = slice_of(rest.p - 1 + strlen(b), rest.n + 1 - strlen(b));
    const uint8_t *at = memmem(rest.p, rest.n, c, strlen(c));
    if (!at) return ERR_INPUT;
    struct slice coded = slice_of(at + strlen(c), rest.n - (size_t)(at - rest.p) - strlen(c));
    if (coded.n < strlen(d) || memcmp(coded.p + coded.n - strlen(d), d, strlen(d)) != 0) return ERR_INPUT;
    coded.n -= strlen(d);
    *leaf = slice_of(rest.p, (size_t)(at - rest.p));
    return base64url_decode(coded, opening);
}
