/* SPDX-License-Identifier: Apache-2.0
 * Unit tests of message.c and list.c: the table of messages is walked, so that a new row is tested the day it is added.
 */
#include "base/test.h"
#include "wire/wire.h"

#include <stdlib.h>

static uint8_t filler[COMMAND_BYTES_MAX + 65536];

static uint8_t next_byte(void) {
    static uint32_t seed = 11;
    return (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
}

static void fill(void *p, size_t n) {
    uint8_t *b = p;
    for (size_t i = 0; i < n; i++) b[i] = next_byte();
}

static uint64_t number(void) {
    uint64_t v;
    fill(&v, sizeof v);
    return v;
}

/* Every message filled with numbers; bytes fields have size_of(max) bytes. */
typedef size_t (*size_of)(size_t max);
static size_t small(size_t max) { return MIN(max, (size_t)(next_byte() % 9)); }
static size_t whole(size_t max) { return max; }

#define MSG(NAME, name, number_, senders, receiver, text)                                                             \
    static void fill_##name(struct wire_##name *m, size_of size) {                                                    \
        (void)size;
#define U8(name, text) m->name = next_byte();
#define U16(name, text) m->name = (uint16_t)number();
#define U32(name, text) m->name = (uint32_t)number();
#define U64(name, text) m->name = number();
#define ID(name, text) fill(m->name, sizeof m->name);
#define HASH(name, text) fill(m->name, sizeof m->name);
#define BYTES(name, max, text) m->name = slice_of(filler + next_byte(), size(max));
#define END(NAME, name) }
#include "wire/wire.def"
#undef MSG
#undef U8
#undef U16
#undef U32
#undef U64
#undef ID
#undef HASH
#undef BYTES
#undef END

#define MSG(NAME, name, number_, senders, receiver, text)                                                             \
    static void same_##name(const struct wire_##name *a, const struct wire_##name *b) {
#define U8(name, text) assert_int_equal(a->name, b->name);
#define U16(name, text) assert_int_equal(a->name, b->name);
#define U32(name, text) assert_int_equal(a->name, b->name);
#define U64(name, text) assert_true(a->name == b->name);
#define ID(name, text) assert_memory_equal(a->name, b->name, sizeof a->name);
#define HASH(name, text) assert_memory_equal(a->name, b->name, sizeof a->name);
#define BYTES(name, max, text) check_bytes(a->name, b->name);
#define END(NAME, name) }
#include "wire/wire.def"
#undef MSG
#undef U8
#undef U16
#undef U32
#undef U64
#undef ID
#undef HASH
#undef BYTES
#undef END

#define U8(name, text)
#define U16(name, text)
#define U32(name, text)
#define U64(name, text)
#define ID(name, text)
#define HASH(name, text)
#define BYTES(name, max, text)
#define END(NAME, name)

#define MSG(NAME, name, number_, senders, receiver, text)                                                             \
    {                                                                                                                 \
        struct wire_##name a, b;                                                                                      \
        AUTO(buf) struct buf out = BUF_INIT(WIRE_HEADER_BYTES + WIRE_FRAME_BYTES_MAX);                                \
        fill_##name(&a, size);                                                                                        \
        check_err(wire_put_##name(&out, 0x1122334455667788u, &a), ERR_OK);                                            \
        uint8_t type;                                                                                                 \
        uint64_t id;                                                                                                  \
        struct slice payload;                                                                                         \
        size_t frame_n;                                                                                               \
        check_err(wire_split(buf_slice(&out), &type, &id, &payload, &frame_n), ERR_OK);                               \
        assert_int_equal(type, number_);                                                                              \
        assert_true(id == 0x1122334455667788u);                                                                       \
        assert_int_equal(frame_n, out.n);                                                                             \
        check_err(wire_get_##name(payload, &b), ERR_OK);                                                              \
        same_##name(&a, &b);                                                                                          \
        for (size_t n = 0; n < payload.n; n += 1 + payload.n / 500) {                                                 \
            check_err(wire_get_##name(slice_of(payload.p, n), &b), ERR_TRUNCATED);                                    \
        }                                                                                                             \
        check_err(wire_get_##name(slice_of(payload.p, payload.n - 1), &b), ERR_TRUNCATED);                            \
        buf_put_u8(&out, 0);                                                                                          \
        if (buf_ok(&out)) check_err(wire_get_##name(slice_of(out.p + WIRE_HEADER_BYTES, payload.n + 1), &b), ERR_TRAILING); \
    }

static void round_trips(size_of size) {
#include "wire/wire.def"
}
#undef MSG

static void every_message_comes_back_and_is_refused_at_every_truncation(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) round_trips(small);
}

static void every_message_fits_a_frame_with_all_fields_at_their_max(void **state) {
    (void)state;
    round_trips(whole);
}

/* Each BYTES field in turn one past its bound: refused by the encoder, and a frame made by hand by the decoder. */
#undef BYTES
#undef END
#define MSG(NAME, name, number_, senders, receiver, text)                                                             \
    {                                                                                                                 \
        enum err (*put)(struct buf *, uint64_t, const struct wire_##name *) = wire_put_##name;                        \
        enum err (*get)(struct slice, struct wire_##name *) = wire_get_##name;                                        \
        struct wire_##name m, back;                                                                                   \
        AUTO(buf) struct buf out = BUF_INIT(WIRE_FRAME_BYTES_MAX * 2);                                                \
        fill_##name(&m, small);                                                                                       \
        (void)put;                                                                                                    \
        (void)get;                                                                                                    \
        (void)back;
#define BYTES(name, max, text)                                                                                        \
    {                                                                                                                 \
        struct slice kept = m.name;                                                                                   \
        buf_reset(&out);                                                                                              \
        buf_put_u8(&out, 7);                                                                                          \
        m.name = slice_of(filler, (size_t)(max) + 1);                                                                 \
        check_err(put(&out, 1, &m), ERR_LIMIT);                                                                       \
        assert_int_equal(out.n, 1);                                                                                   \
        assert_true(buf_ok(&out));                                                                                    \
        /* With an empty field put, its length follows what stands before it: find it by making it longer. */         \
        m.name = slice_of(filler, 0);                                                                                 \
        buf_reset(&out);                                                                                              \
        check_err(put(&out, 1, &m), ERR_OK);                                                                          \
        m.name = slice_of(filler, 1);                                                                                 \
        AUTO(buf) struct buf other = BUF_INIT(WIRE_FRAME_BYTES_MAX * 2);                                              \
        check_err(put(&other, 1, &m), ERR_OK);                                                                        \
        size_t at = WIRE_HEADER_BYTES;                                                                                \
        while (out.p[at] == other.p[at]) at++;                                                                        \
        put_be32(other.p + at - 3, (uint32_t)(max) + 1);                                                              \
        check_err(get(slice_of(other.p + WIRE_HEADER_BYTES, other.n - WIRE_HEADER_BYTES), &back), ERR_LIMIT);         \
        m.name = kept;                                                                                                \
    }
#define END(NAME, name) }

static void a_field_one_past_its_bound_is_refused_by_both_sides(void **state) {
    (void)state;
#include "wire/wire.def"
}
#undef MSG
#undef BYTES
#undef END

static void a_full_buffer_is_limit_and_stays_usable(void **state) {
    (void)state;
    AUTO(buf) struct buf out = BUF_INIT(WIRE_HEADER_BYTES + 1 + 1 + ID_BYTES + 8 - 1);
    struct wire_hello m = {.role = 1};
    buf_put_u8(&out, 1);
    check_err(wire_put_hello(&out, 0, &m), ERR_LIMIT);
    assert_int_equal(out.n, 1);
    assert_true(buf_ok(&out));
}

static void split_waits_for_the_whole_frame_and_refuses_bad_lengths(void **state) {
    (void)state;
    AUTO(buf) struct buf out = BUF_INIT(1024);
    struct wire_mark m = {.mark = 5};
    check_err(wire_put_mark(&out, 9, &m), ERR_OK);
    size_t one = out.n;
    check_err(wire_put_mark(&out, 10, &m), ERR_OK);
    uint8_t type;
    uint64_t id;
    struct slice payload;
    size_t frame_n;
    for (size_t n = 0; n < one; n++) check_err(wire_split(slice_of(out.p, n), &type, &id, &payload, &frame_n), ERR_TRUNCATED);
    check_err(wire_split(buf_slice(&out), &type, &id, &payload, &frame_n), ERR_OK);
    assert_int_equal(frame_n, one);
    assert_int_equal(id, 9);
    uint8_t head[WIRE_HEADER_BYTES] = {0};
    put_be32(head, 9 + WIRE_FRAME_BYTES_MAX);
    check_err(wire_split(slice_of(head, 4), &type, &id, &payload, &frame_n), ERR_TRUNCATED);
    put_be32(head, 9 + WIRE_FRAME_BYTES_MAX + 1);
    check_err(wire_split(slice_of(head, 4), &type, &id, &payload, &frame_n), ERR_LIMIT);
    put_be32(head, 8);
    check_err(wire_split(slice_of(head, sizeof head), &type, &id, &payload, &frame_n), ERR_INPUT);
    put_be32(head, 9);
    check_err(wire_split(slice_of(head, sizeof head), &type, &id, &payload, &frame_n), ERR_OK);
    assert_int_equal(payload.n, 0);
}

static void only_the_row_says_who_may_send(void **state) {
    (void)state;
    assert_true(wire_allowed(WIRE_ASK, WIRE_ROLE_FRONT, WIRE_ROLE_GATE));
    assert_true(wire_allowed(WIRE_ASK, WIRE_ROLE_STEWARD, WIRE_ROLE_GATE));
    assert_false(wire_allowed(WIRE_ASK, WIRE_ROLE_KEEPER, WIRE_ROLE_GATE));
    assert_false(wire_allowed(WIRE_ASK, WIRE_ROLE_FRONT, WIRE_ROLE_KEEPER));
    assert_false(wire_allowed(WIRE_APPLY, WIRE_ROLE_FRONT, WIRE_ROLE_KEEPER));  /* law 2: nothing changes but on the gate's word */
    assert_false(wire_allowed(WIRE_GRANT, WIRE_ROLE_FRONT, WIRE_ROLE_KEEPER));
    assert_false(wire_allowed(WIRE_FIND, WIRE_ROLE_FRONT, WIRE_ROLE_KEEPER));   /* the front cannot ask for names */
    assert_false(wire_allowed(WIRE_SCAN, WIRE_ROLE_FRONT, WIRE_ROLE_KEEPER));
    assert_false(wire_allowed(WIRE_RELEASE, WIRE_ROLE_GATE, WIRE_ROLE_STEWARD)); /* the steward gets no read keys */
    assert_false(wire_allowed(WIRE_KILLED, WIRE_ROLE_FRONT, WIRE_ROLE_GATE));
    assert_false(wire_allowed(WIRE_NOTICES, WIRE_ROLE_ACCESS, WIRE_ROLE_GATE));
}

/* What the access front may say is all there is for the provider's people: nothing that stages, applies, looks for names or reads logs. */
static void the_access_front_may_ask_and_read_and_no_more(void **state) {
    (void)state;
    static const uint8_t to_gate[] = {WIRE_HELLO, WIRE_ASK, WIRE_BODY, WIRE_ABORT, WIRE_NEXT, WIRE_KILLED};
    for (unsigned type = 0; type < 256; type++) {
        bool gate = memchr(to_gate, (int)type, sizeof to_gate) != NULL;
        assert_int_equal(wire_allowed((uint8_t)type, WIRE_ROLE_ACCESS, WIRE_ROLE_GATE), gate);
        assert_int_equal(wire_allowed((uint8_t)type, WIRE_ROLE_ACCESS, WIRE_ROLE_KEEPER), type == WIRE_HELLO || type == WIRE_READ);
    }
}

static void only_known_types_have_a_name(void **state) {
    (void)state;
    size_t rows = 0;
    for (unsigned type = 0; type < 256; type++) {
        bool known = wire_type_name((uint8_t)type) != NULL;
        rows += known;
        assert_int_equal(wire_allowed((uint8_t)type, WIRE_ROLE_ANY, WIRE_ROLE_ANY), known);
    }
    assert_true(rows > 25);
    assert_string_equal(wire_type_name(WIRE_STAGE), "STAGE");
}

/* lists */

static void check_list(struct slice list, bool (*next)(struct reader *r), size_t want, size_t item_n) {
    struct reader r = reader_of(list);
    size_t n = 0;
    while (next(&r)) n++;
    assert_int_equal(n, want);
    check_err(reader_end(&r), ERR_OK);
    for (size_t cut = 1; cut < list.n; cut++) {
        r = reader_of(slice_of(list.p, cut));
        while (next(&r)) continue;
        assert_int_equal(r.bad, cut % item_n != 0);
    }
}

static bool next_header(struct reader *r) {
    struct wire_header h;
    bool more = wire_next_header(r, &h);
    if (more) {
        check_text(h.name, "etag");
        check_text(h.value, "");
    }
    return more;
}

static bool next_sum(struct reader *r) {
    struct wire_sum_item s;
    bool more = wire_next_sum(r, &s);
    if (more) assert_true(s.sum == WIRE_SUM_MD5 && s.digest.n == 16);
    return more;
}

static bool next_release_row(struct reader *r) {
    struct wire_release_row row;
    bool more = wire_next_release_row(r, &row);
    if (more) {
        assert_int_equal(row.keys.n, 64);
        assert_true(row.plain_size == 7 && row.plain_off == 8 && row.first_segment == 9);
        check_text(row.location, "here");
    }
    return more;
}

static bool next_listing_row(struct reader *r) {
    struct wire_listing_row row;
    bool more = wire_next_listing_row(r, &row);
    if (more) {
        check_text(row.key, "k");
        check_text(row.etag, "e");
        check_text(row.id, "i");
        check_text(row.sum_value, "s");
        assert_true(row.kind == WIRE_ROW_PART && row.size == 1 && row.mtime_ms == 2 && row.sum == 3 && row.composite == 1 && row.latest == 1 && row.number == 9);
    }
    return more;
}

static bool next_scan_row(struct reader *r) {
    struct wire_scan_row row;
    bool more = wire_next_scan_row(r, &row);
    if (more) {
        check_text(row.key, "k");
        check_text(row.facts, "f");
        assert_true(row.kind == WIRE_ROW_PREFIX && row.flags == 2 && row.current == 1 && row.leaf_index == 4 && row.order == 5 && row.revision == 6 && row.number == 7);
        assert_int_equal(row.upload.n, ID_BYTES);
    }
    return more;
}

static bool next_cursor(struct reader *r) {
    struct wire_cursor row;
    bool more = wire_next_cursor(r, &row);
    if (more) assert_true(row.index == 4 && slice_eq(row.tenant, slice_of(filler, ID_BYTES)));
    return more;
}

static bool next_notice(struct reader *r) {
    struct wire_notice row;
    bool more = wire_next_notice(r, &row);
    if (more) {
        check_text(row.target, "t");
        check_text(row.event, "e");
        check_text(row.signature, "s");
        assert_true(row.index == 4 && row.kind == WIRE_NOTICE_MAIL && slice_eq(row.tenant, slice_of(filler, ID_BYTES)));
    }
    return more;
}

static bool next_part_row(struct reader *r) {
    struct wire_part_row row;
    bool more = wire_next_part_row(r, &row);
    if (more) {
        check_text(row.location, "l");
        check_text(row.sealed, "s");
        assert_true(row.number == 3 && row.off == 4 && row.plain_size == 5 && row.cipher_size == 6);
    }
    return more;
}

static void lists_come_back_and_a_cut_item_makes_the_reader_bad(void **state) {
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(4096);
    wire_put_header(&b, SLICE_LIT("etag"), SLICE_LIT(""));
    wire_put_header(&b, SLICE_LIT("etag"), SLICE_LIT(""));
    check_list(buf_slice(&b), next_header, 2, b.n / 2);
    buf_reset(&b);
    for (int i = 0; i < 2; i++) {
        buf_put_u8(&b, WIRE_SUM_MD5);
        buf_put_lp16(&b, slice_of(filler, 16));
    }
    check_list(buf_slice(&b), next_sum, 2, b.n / 2);
    buf_reset(&b);
    for (int i = 0; i < 3; i++) {
        buf_put(&b, filler, ID_BYTES);
        buf_put_u64(&b, 7);
        buf_put_u64(&b, 8);
        buf_put_u32(&b, 9);
        buf_put_u16(&b, 2);
        buf_put(&b, filler, 64);
        buf_put_lp16(&b, SLICE_LIT("here"));
    }
    check_list(buf_slice(&b), next_release_row, 3, b.n / 3);
    buf_reset(&b);
    for (int i = 0; i < 2; i++) {
        const struct wire_listing_row row = {.kind = WIRE_ROW_PART, .key = SLICE_LIT("k"), .size = 1, .mtime_ms = 2, .etag = SLICE_LIT("e"), .sum = 3, .composite = 1,
                                             .sum_value = SLICE_LIT("s"), .id = SLICE_LIT("i"), .latest = 1, .number = 9};
        wire_put_listing_row(&b, &row);
    }
    check_list(buf_slice(&b), next_listing_row, 2, b.n / 2);
    buf_reset(&b);
    for (int i = 0; i < 2; i++) {
        const struct wire_scan_row row = {.kind = WIRE_ROW_PREFIX, .flags = 2, .current = 1, .key = SLICE_LIT("k"), .leaf_index = 4, .order = 5, .revision = 6, .number = 7,
                                          .facts = SLICE_LIT("f")};
        wire_put_scan_row(&b, &row);
    }
    check_list(buf_slice(&b), next_scan_row, 2, b.n / 2);
    buf_reset(&b);
    for (int i = 0; i < 2; i++) {
        const struct wire_part_row row = {.number = 3, .off = 4, .plain_size = 5, .blob = slice_of(filler, ID_BYTES), .cipher_size = 6, .location = SLICE_LIT("l"), .sealed = SLICE_LIT("s")};
        wire_put_part_row(&b, &row);
    }
    check_list(buf_slice(&b), next_part_row, 2, b.n / 2);
    buf_reset(&b);
    for (int i = 0; i < 2; i++) {
        const struct wire_cursor row = {.tenant = slice_of(filler, ID_BYTES), .index = 4};
        wire_put_cursor(&b, &row);
    }
    check_list(buf_slice(&b), next_cursor, 2, b.n / 2);
    buf_reset(&b);
    for (int i = 0; i < 2; i++) {
        const struct wire_notice row = {.tenant = slice_of(filler, ID_BYTES), .index = 4, .kind = WIRE_NOTICE_MAIL, .target = SLICE_LIT("t"), .event = SLICE_LIT("e"), .signature = SLICE_LIT("s")};
        wire_put_notice(&b, &row);
    }
    check_list(buf_slice(&b), next_notice, 2, b.n / 2);
}

static void list_items_past_their_bounds_make_the_reader_bad(void **state) {
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(4096);
    struct wire_scan_row row;
    for (size_t key_n = S3_KEY_BYTES_MAX; key_n <= S3_KEY_BYTES_MAX + 1; key_n++) {
        buf_reset(&b);
        const struct wire_scan_row put = {.key = slice_of(filler, key_n), .leaf_index = 4, .facts = SLICE_LIT("f")};
        wire_put_scan_row(&b, &put);
        struct reader r = reader_of(buf_slice(&b));
        assert_int_equal(wire_next_scan_row(&r, &row), key_n == S3_KEY_BYTES_MAX);
    }
    b.p[0] = WIRE_ROW_PART + 1;
    struct reader r = reader_of(buf_slice(&b));
    assert_false(wire_next_scan_row(&r, &row));
    struct wire_sum_item sum;
    r = reader_of(SLICE_LIT("\x00\x00\x00"));
    assert_false(wire_next_sum(&r, &sum));
    assert_true(r.bad);
    for (uint8_t kind = WIRE_NOTICE_NONE; kind <= WIRE_NOTICE_MAIL + 1; kind++)
        for (int target = 0; target < 2; target++) {          /* who is told nothing has no target, and the other way round */
            struct wire_notice notice = {.tenant = slice_of(filler, ID_BYTES), .kind = kind, .target = target ? SLICE_LIT("t") : slice_of(NULL, 0)};
            buf_reset(&b);
            wire_put_notice(&b, &notice);
            r = reader_of(buf_slice(&b));
            assert_int_equal(wire_next_notice(&r, &notice), kind <= WIRE_NOTICE_MAIL && (kind != WIRE_NOTICE_NONE) == target);
        }
    struct wire_header h;
    r = reader_of(SLICE_LIT("\x00\x00\x00\x01v"));
    assert_false(wire_next_header(&r, &h));
    assert_true(r.bad);
}

int main(void) {
    fill(filler, sizeof filler);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back_and_is_refused_at_every_truncation),
        cmocka_unit_test(every_message_fits_a_frame_with_all_fields_at_their_max),
        cmocka_unit_test(a_field_one_past_its_bound_is_refused_by_both_sides),
        cmocka_unit_test(a_full_buffer_is_limit_and_stays_usable),
        cmocka_unit_test(split_waits_for_the_whole_frame_and_refuses_bad_lengths),
        cmocka_unit_test(only_the_row_says_who_may_send),
        cmocka_unit_test(the_access_front_may_ask_and_read_and_no_more),
        cmocka_unit_test(only_known_types_have_a_name),
        cmocka_unit_test(lists_come_back_and_a_cut_item_makes_the_reader_bad),
        cmocka_unit_test(list_items_past_their_bounds_make_the_reader_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
