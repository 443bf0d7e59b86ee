/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target of encode.c, time.c and slice.c: what a decoder accepts must encode to the same text again (one text for one
 * byte string), and a date that parses must come back from its own format.
 */
#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_decoder(struct slice text, enum err (*decode)(struct slice, struct buf *), void (*encode)(struct buf *, struct slice),
                          bool any_case) {
    AUTO(buf) struct buf bytes = BUF_INIT(65536);
    AUTO(buf) struct buf again = BUF_INIT(131072);
    if (decode(text, &bytes) != ERR_OK) return;
    encode(&again, buf_slice(&bytes));
    ASSERT(any_case ? slice_ieq(buf_slice(&again), text) : slice_eq(buf_slice(&again), text));
}

static void check_time(struct slice text, enum err (*parse)(struct slice, uint64_t *), void (*format)(uint64_t, char[TIME_TEXT_MAX])) {
    uint64_t ms, back;
    char out[TIME_TEXT_MAX];
    if (parse(text, &ms) != ERR_OK) return;
    format(ms, out);
    ASSERT(parse(slice_str(out), &back) == ERR_OK && back == ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice text = slice_of(data, MIN(size, (size_t)65536)), head;
    uint64_t number;
    check_decoder(text, hex_decode, buf_put_hex, true);
    check_decoder(text, base64_decode, buf_put_base64, false);
    check_decoder(text, base64url_decode, buf_put_base64url, false);
    check_decoder(text, base32_decode, buf_put_base32, true);
    check_time(text, time_parse_amz, time_amz);
    check_time(text, time_parse_http, time_http);
    check_time(text, time_parse_iso8601, time_iso8601);
    if (slice_u64(text, 1000000, &number) == ERR_OK) ASSERT(number <= 1000000);
    struct slice rest = slice_cut(text, ',', &head);
    ASSERT(rest.p == NULL ? head.n == text.n : head.n + 1 + rest.n == text.n);
    (void)slice_is_utf8(text);
    return 0;
}
