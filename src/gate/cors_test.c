/* SPDX-License-Identifier: Apache-2.0
 * What browsers are told about other origins, and what of it is on record.
 * Role: tests of cors.c. Trusts: gate_rig.c. Law: 1. Spec: docs/spec/order.md
 */
#include "gate/gate_rig.h"

#define RULES "<CORSConfiguration><CORSRule><AllowedOrigin>*.suffix</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedHeader>x-*</AllowedHeader>" \
    "<ExposeHeader>etag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>"

static void set_rules(struct rig *r)
{
    rig_control(r, 1000, (struct rig_ask){.method = "PUT", .path = "/bucket", .query = "cors=", .body = RULES});
    rig_status(r, 1000, 200, "");
}

static void preflight(struct rig *r, uint64_t id, const char *path, const char *origin, const char *method, const char *headers)
{
    struct rig_ask a = {.method = "OPTIONS", .path = path, .anonymous = true};
    size_t n = 0;
    if (origin) a.headers[n++] = (struct s3_header){SLICE_LIT("origin"), slice_str(origin)};
    if (method) a.headers[n++] = (struct s3_header){SLICE_LIT("access-control-request-method"), slice_str(method)};
    if (headers) a.headers[n++] = (struct s3_header){SLICE_LIT("access-control-request-headers"), slice_str(headers)};
    rig_ask(r, id, a);
}

static void an_answer_says_what_the_rules_say_of_its_origin(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    set_rules(r);
    rig_ask(r, 1, (struct rig_ask){.method = "GET", .path = "/bucket/k", .unsigned_header = "origin", .unsigned_value = "foo.suffix"});
    struct wire_answer m = rig_answer(r, 1);
    assert_int_equal(m.status, 404);
    assert_true(slice_is(rig_header(m.headers, "access-control-allow-origin"), "foo.suffix"));
    assert_true(slice_is(rig_header(m.headers, "access-control-allow-methods"), "GET"));
    assert_true(slice_is(rig_header(m.headers, "access-control-expose-headers"), "etag"));
    assert_true(slice_is(rig_header(m.headers, "vary"), "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"));
    rig_put(r, 2, "/bucket/k", "hello");
    rig_status(r, 2, 200, "");
    rig_ask(r, 3, (struct rig_ask){.method = "GET", .path = "/bucket/k", .unsigned_header = "origin", .unsigned_value = "foo.suffix"});
    assert_true(slice_is(rig_header(rig_release(r, 3).headers, "access-control-allow-origin"), "foo.suffix"));
    rig_ask(r, 4, (struct rig_ask){.method = "GET", .path = "/bucket/k", .unsigned_header = "origin", .unsigned_value = "foo.bar"});
    assert_null(rig_header(rig_release(r, 4).headers, "access-control-allow-origin").p);
    rig_ask(r, 5, (struct rig_ask){.method = "GET", .path = "/bucket/k"});
    assert_null(rig_header(rig_release(r, 5).headers, "access-control-allow-origin").p);
    rig_free(r);
}

/* LAW-1 */
static void a_preflight_that_fits_is_recorded_and_one_that_does_not_is_counted(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->anonymous = true;
    set_rules(r);
    uint64_t leaves = log_size(r->t->access);
    preflight(r, 1, "/bucket/k", "foo.suffix", "GET", "x-one, X-Two");
    struct wire_answer m = rig_answer(r, 1);
    assert_int_equal(m.status, 200);
    assert_true(slice_is(rig_header(m.headers, "access-control-allow-origin"), "foo.suffix"));
    assert_true(slice_is(rig_header(m.headers, "access-control-max-age"), "60"));
    assert_non_null(rig_header(m.headers, "access-control-allow-headers").p);
    assert_int_equal(log_durable(r->t->access), leaves + 1);
    struct rig_leaf l;
    rig_leaf(r, leaves, &l);
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_ACT), "ObjectPreflight"));
    assert_true(slice_is(record_text(&l.leaf, RECORD_F_AUTH), "anon"));
    rig_leaf_done(&l);
    static const struct { const char *path, *origin, *method, *headers; unsigned status; const char *code; } rows[] = {
        {"/bucket", "foo.suffix", "GET", NULL, 200, ""}, {"/bucket", "foo.bar", "GET", NULL, 403, "AccessForbidden"},
        {"/bucket", "foo.suffix", "PUT", NULL, 403, "AccessForbidden"}, {"/bucket", "foo.suffix", "GET", "y-one", 403, "AccessForbidden"},
        {"/bucket", NULL, "GET", NULL, 400, "BadRequest"}, {"/bucket", "foo.suffix", NULL, NULL, 400, "BadRequest"},
        {"/none", "foo.suffix", "GET", NULL, 403, "AccessDenied"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        preflight(r, 10 + i, rows[i].path, rows[i].origin, rows[i].method, rows[i].headers);
        rig_status(r, 10 + i, rows[i].status, rows[i].code);
    }
    rig_free(r);
}

/* LAW-1: an anonymous caller who is refused has no leaf, and learns nothing of the rules. */
static void who_is_refused_without_a_record_is_told_no_rules(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->anonymous = true;
    set_rules(r);
    struct rig_ask a = {.method = "GET", .path = "/bucket/k", .anonymous = true, .headers = {{SLICE_LIT("origin"), SLICE_LIT("foo.suffix")}}};
    rig_ask(r, 1, a);
    rig_status(r, 1, 403, "AccessDenied");
    assert_null(rig_header(rig_answer(r, 1).headers, "access-control-allow-origin").p);
    rig_ask(r, 2, (struct rig_ask){.method = "GET", .path = "/bucket/k", .key = RIG_KEY_OTHER, .unsigned_header = "origin", .unsigned_value = "foo.suffix"});
    rig_status(r, 2, 403, "AccessDenied");
    assert_true(slice_is(rig_header(rig_answer(r, 2).headers, "access-control-allow-origin"), "foo.suffix"));
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_says_what_the_rules_say_of_its_origin),
        cmocka_unit_test(a_preflight_that_fits_is_recorded_and_one_that_does_not_is_counted),
        cmocka_unit_test(who_is_refused_without_a_record_is_told_no_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
