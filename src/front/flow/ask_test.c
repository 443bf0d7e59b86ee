/* SPDX-License-Identifier: Apache-2.0
 * What the flows ask, and how the paths of logs are spelled.
 * Role: unit tests. Trusts: nothing. Distrusts: the flows. Law: 3. Spec: flow.h, docs/spec/wire.md, log.md.
 */
#include "flow/flow_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct rig *setup(struct rig *r, const char *method, const char *target)
{
    rig_init(r);
    rig_request(r, method, target);
    rig_up(r);
    return r;
}

static void only_the_closed_list_goes_beside_the_signature(void **state)
{
    (void)state;
    AUTO(buf) struct buf p = BUF_INIT(1 << 20);
    struct wire_ask m;
    struct rig rig, *r = setup(&rig, "GET", "/b/a//b/../c?x-id=GetObject");
    rig_header(r, "Range", " bytes=0-1 ");
    rig_header(r, "User-Agent", "quiet");
    rig_header(r, "X-Other", "x");
    rig_start(r);
    uint8_t type;
    uint64_t id;
    assert_true(rig_next(r, &r->w.gate, &type, &id, &p));
    assert_int_equal(type, WIRE_ASK);
    assert_int_equal(wire_get_ask(buf_slice(&p), &m), ERR_OK);
    struct reader rd = reader_of(m.unsigned_headers);
    struct wire_header h;
    assert_true(wire_next_header(&rd, &h));
    assert_true(slice_is(h.name, "range") && slice_is(h.value, "bytes=0-1"));
    assert_false(wire_next_header(&rd, &h));
    assert_int_equal(reader_end(&rd), ERR_OK);
    assert_true(slice_starts(m.canonical, SLICE_LIT("GET\n/b/a//b/../c\nx-id=GetObject\n")));
    assert_int_equal(m.front_id, 77);
    rig_done(r);
}

static void a_header_said_twice_is_refused(void **state)
{
    (void)state;
    struct rig rig, *r = setup(&rig, "GET", "/b/k");
    rig_header(r, "range", "bytes=0-1");
    rig_header(r, "Range", "bytes=5-9");
    rig_start(r);
    assert_int_equal(r->w.gate.out.bytes + r->w.gate.out.small.n, 0);
    assert_int_equal(r->status, 400);
    rig_done(r);
}

static void tile_paths_have_one_spelling(void **state)
{
    (void)state;
    static const struct { const char *path; bool ok, entries; unsigned level; uint64_t number, width; } rows[] = {
        {"tile/0/000", true, false, 0, 0, 256}, {"tile/0/001.p/5", true, false, 0, 1, 5}, {"tile/0/x001/234", true, false, 0, 1234, 256},
        {"tile/3/x001/x234/067.p/255", true, false, 3, 1234067, 255}, {"tile/entries/999.p/1", true, true, 0, 999, 1},
        {"tile/0/x000/001", false, false, 0, 0, 0}, {"tile/0/1", false, false, 0, 0, 0}, {"tile/0/0001", false, false, 0, 0, 0}, {"tile/0/000.p/0", false, false, 0, 0, 0}, {"tile/0/000.p/256", false, false, 0, 0, 0},
        {"tile/0/000.p/05", false, false, 0, 0, 0}, {"tile/00/000", false, false, 0, 0, 0}, {"tile/8/000", false, false, 0, 0, 0}, {"tile/-1/000", false, false, 0, 0, 0}, {"tile/0/x001", false, false, 0, 0, 0},
        {"tile/0/001/234", false, false, 0, 0, 0}, {"tile/0/000.p/5/", false, false, 0, 0, 0}, {"tile/0/000.q/5", false, false, 0, 0, 0}, {"tile//000", false, false, 0, 0, 0}, {"", false, false, 0, 0, 0},
        {"tiles/0/000", false, false, 0, 0, 0}, {"tile/0/x001/x001/x001/x001/x001/x001/001", false, false, 0, 0, 0}, {"tile/0/+01", false, false, 0, 0, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct flow_tile t;
        if (flow_tile_parse(slice_str(rows[i].path), &t) != rows[i].ok) fail_msg("%s", rows[i].path);
        if (!rows[i].ok) continue;
        assert_int_equal(t.entries, rows[i].entries);
        assert_int_equal(t.level, rows[i].level);
        assert_int_equal(t.number, rows[i].number);
        assert_int_equal(t.width, rows[i].width);
    }
    static const char whole[] = "tile/3/x001/x234/067.p/255";
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        struct flow_tile t;
        bool ok = flow_tile_parse(slice_of(whole, n), &t);
        bool want = n == 20 || n == 24 || n == 25; /* without .p/..., or a shorter width */
        if (ok != want) fail_msg("cut at %zu", n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_closed_list_goes_beside_the_signature),
        cmocka_unit_test(a_header_said_twice_is_refused),
        cmocka_unit_test(tile_paths_have_one_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
