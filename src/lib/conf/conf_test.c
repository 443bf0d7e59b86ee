/* SPDX-License-Identifier: Apache-2.0
 * What a mistake in tillit.conf is answered with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "conf/conf.h"

static struct conf c;
static char text[512];
static enum err parse(const char *s)
{
    AUTO(buf) struct buf why = BUF_INIT(500);
    enum err e = conf_parse("tillit.conf", slice_str(s), &c, &why);
    snprintf(text, sizeof text, "%.*s", (int)why.n, why.p ? (const char *)why.p : "");
    return e;
}
static void empty_file_gives_defaults(void **state)
{
    (void)state;
    assert_int_equal(parse(""), ERR_OK);
    assert_string_equal(c.region, "eu-north-1");
    assert_int_equal(c.s3_port, 9000);
    assert_int_equal(c.access_port, 9002);
    assert_int_equal(c.access_workers, 1);
    assert_int_equal(c.access_uid, 64105);
}
static void values_comments_and_blanks_are_read(void **state)
{
    (void)state;
    assert_int_equal(parse("# hello\n\n[s3]\n  port =  0 \r\nregion=x-1\n[api]\nport = 7\n[access]\nport=0\ntls-port = 9"), ERR_OK);
    assert_int_equal(c.s3_port, 0);
    assert_string_equal(c.region, "x-1");
    assert_int_equal(c.api_port, 7);
    assert_int_equal(c.access_port, 0);
    assert_int_equal(c.access_tls_port, 9);
}
static void the_test_profile_is_off_and_its_switches_mean_nothing_then(void **state)
{
    (void)state;
    assert_int_equal(parse("[s3-tests]\nform_v2 = yes\nany-region = yes\nlifecycle_day_ms = 5\nobject_ownership = ObjectWriter\n"), ERR_OK);
    assert_false(c.s3_tests || c.form_v2 || c.any_region || c.display_name);
    assert_true(c.public_access_block);
    assert_string_equal(c.object_ownership, "BucketOwnerEnforced");
    assert_int_equal(c.lifecycle_day_ms, 86400000);
    assert_int_equal(c.part_min_bytes, 5242880);
}
static void the_test_profile_is_on_with_single_switches(void **state)
{
    (void)state;
    assert_int_equal(parse("[s3]\npart-min-bytes = 1\n[s3-tests]\non = yes\nform-v2 = no\n"), ERR_OK);
    assert_true(c.s3_tests && !c.form_v2 && c.any_region && c.display_name && !c.public_access_block);
    assert_string_equal(c.object_ownership, "ObjectWriter");
    assert_int_equal(c.lifecycle_day_ms, 10000);
    assert_int_equal(c.part_min_bytes, 1);
    assert_int_equal(parse("[s3-tests]\non = yes\nform-v2 = true\n"), ERR_CONFIG);
    assert_string_equal(text, "tillit.conf:3: \"form_v2\" in [s3-tests] must be yes or no");
    assert_int_equal(parse("[s3-tests]\non = yes\nobject-ownership = Mine\n"), ERR_CONFIG);
    assert_int_equal(parse("[s3-tests]\non = yes\nlifecycle-day-ms = 0\n"), ERR_CONFIG);
}
static void quotas_are_everybodys_and_a_tenants_own_go_before(void **state)
{
    struct conf_quota q;
    (void)state;
    assert_int_equal(parse("[quota]\nobjects = 10\nrequests-per-second = 5\n[quota acme]\nobjects = 0\nbytes=7\n[s3]\nport = 1\n[quota acme]\nrecords-per-day = 3\n"), ERR_OK);
    conf_quota_of(&c, SLICE_LIT("acme"), &q);
    assert_true(q.objects == 0 && q.bytes == 7 && q.requests_per_second == 5 && q.records_per_day == 3);
    conf_quota_of(&c, SLICE_LIT("other"), &q);
    assert_true(q.objects == 10 && q.bytes == 0 && q.requests_per_second == 5 && q.records_per_day == 0);
    assert_int_equal(parse("[quota acme]\nbytes = many\n"), ERR_CONFIG);
    assert_string_equal(text, "tillit.conf:2: \"bytes\" in [quota acme] must be a whole number");
    assert_int_equal(parse("[quota acme]\nbytes = 1\nbytes = 1\n"), ERR_CONFIG);
    assert_int_equal(parse("[quota acme]\nbites = 1\n"), ERR_CONFIG);
    assert_non_null(strstr(text, "did you mean \"bytes\" in [quota]?"));
    assert_int_equal(parse("[quota a_b]\nbytes = 1\n"), ERR_CONFIG);
    assert_int_equal(parse("[quota ]\nbytes = 1\n"), ERR_CONFIG);
}
static void as_many_tenants_have_quotas_of_their_own_as_there_may_and_no_more(void **state)
{
    AUTO(buf) struct buf b = BUF_INIT(65536), why = BUF_INIT(500);
    struct conf_quota q;
    (void)state;
    for (int i = 0; i < CONF_QUOTAS_MAX; i++) buf_printf(&b, "[quota t-%04d]\nbytes=%d\n", i, i + 1);
    assert_int_equal(conf_parse("tillit.conf", buf_slice(&b), &c, &why), ERR_OK);
    conf_quota_of(&c, SLICE_LIT("t-1023"), &q);
    assert_int_equal(q.bytes, CONF_QUOTAS_MAX);
    buf_put_str(&b, "[quota one-more]\nbytes=1\n");
    assert_int_equal(conf_parse("tillit.conf", buf_slice(&b), &c, &why), ERR_CONFIG);
}
static void misspelt_key_names_line_and_remedy(void **state)
{
    (void)state;
    assert_int_equal(parse("[s3]\nprot = 1\n"), ERR_CONFIG);
    assert_string_equal(text, "tillit.conf:2: unknown key \"prot\" in [s3]; did you mean \"port\" in [s3]?");
}
static void bad_number_twice_set_and_no_equals_are_refused(void **state)
{
    (void)state;
    assert_int_equal(parse("[s3]\nport = 65536\n"), ERR_CONFIG);
    assert_string_equal(text, "tillit.conf:2: \"port\" in [s3] must be a port from 0 to 65535");
    assert_int_equal(parse("[s3]\nport = 1\nport = 1\n"), ERR_CONFIG);
    assert_int_equal(parse("[s3]\nport\n"), ERR_CONFIG);
    assert_int_equal(parse("[s3\n"), ERR_CONFIG);
}
static void notices_are_off_until_a_mail_server_is_named(void **state)
{
    (void)state;
    assert_int_equal(parse(""), ERR_OK);
    assert_true(c.notices_smtp[0] == 0 && c.notices_from[0] == 0 && !c.notices_allow_private && !c.notices_starttls);
    assert_int_equal(parse("[notices]\nsmtp = smtp://127.0.0.1:2525\nfrom = tillit@example.org\nallow-private = yes\n"), ERR_OK);
    assert_string_equal(c.notices_smtp, "smtp://127.0.0.1:2525");
    assert_true(c.notices_allow_private);
    static const char *const good[] = {"smtps://mail.example.org", "smtp://[::1]:25", "smtp://[fe80::1]", "smtp://h:65535"};
    static const char *const bad[] = {"mail.example.org", "http://h", "smtp://", "smtp://u@h", "smtp://h:0", "smtp://h:65536", "smtp://h/x", "smtp://[::1", "smtp://[]", "smtp://[::1]2",
                                      "smtp://h:", "smtp://h:25:25", "smtp://h h"};
    char line[200];
    for (size_t i = 0; i < ARRAY_LEN(good) + ARRAY_LEN(bad); i++) {
        bool ok = i < ARRAY_LEN(good);
        snprintf(line, sizeof line, "[notices]\nfrom = a@b\nsmtp = %s\n", ok ? good[i] : bad[i - ARRAY_LEN(good)]);
        if ((parse(line) == ERR_OK) != ok) fail_msg("%s: %s", line, text);
        if (!ok) assert_string_equal(text, "tillit.conf:3: \"smtp\" in [notices] must be smtp://host:port or smtps://host:port");
    }
}
static void a_sender_is_a_plain_mail_address(void **state)
{
    static const char *const good[] = {"a@b", "tillit+x@mail-1.example.org", "o'neill_%@x.se"};
    static const char *const bad[] = {"", "@b", "a@", "ab", "a@b@c", "a b@c", "<a@b>", "a@b,c@d", "a@b\r", "a..b@c", ".a@c", "a.@c", "a@.c", "a@c.", "a@b_c", "a@-c", "\xc3\xa5@b", "a\"@b", "a:b@c"};
    char longest[300];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!slice_is_mail(slice_str(good[i]))) fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (slice_is_mail(slice_str(bad[i]))) fail_msg("taken: %s", bad[i]);
    assert_false(slice_is_mail(slice_of("a@b\0", 4)));
    memset(longest, 'a', sizeof longest);
    longest[64] = '@';
    assert_true(slice_is_mail(slice_of(longest, 65 + 190)));
    assert_false(slice_is_mail(slice_of(longest, 65 + 191)));
    longest[64] = 'a', longest[65] = '@';
    assert_false(slice_is_mail(slice_of(longest, 80)));
    assert_int_equal(parse("[notices]\nfrom = me\n"), ERR_CONFIG);
    assert_string_equal(text, "tillit.conf:2: \"from\" in [notices] must be a mail address such as tillit@example.org");
}
static void half_a_mail_server_and_a_password_in_clear_are_refused_with_line_and_remedy(void **state)
{
    (void)state;
    assert_int_equal(parse("[notices]\n\nsmtp = smtp://h\n"), ERR_CONFIG);
    assert_string_equal(text, "tillit.conf:3: \"smtp\" in [notices] needs \"from\": add from = an address that this server may send for");
    assert_int_equal(parse("[notices]\nsmtp = smtp://h\nfrom = a@b\nlogin = steward/login\n"), ERR_CONFIG);
    assert_string_equal(text, "tillit.conf:4: \"login\" in [notices] would send its password in clear; set starttls = yes, or smtp = smtps://...");
    assert_int_equal(parse("[notices]\nsmtp = smtp://h\nfrom = a@b\nlogin = steward/login\nstarttls = yes\n"), ERR_OK);
    assert_int_equal(parse("[notices]\nsmtp = smtps://h\nfrom = a@b\nlogin = steward/login\n"), ERR_OK);
    assert_int_equal(parse("[notices]\nsmtp = smtps://h\nfrom = a@b\nstarttls = yes\n"), ERR_CONFIG);
    assert_non_null(strstr(text, "tillit.conf:2: "));
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_file_gives_defaults),
        cmocka_unit_test(values_comments_and_blanks_are_read),
        cmocka_unit_test(the_test_profile_is_off_and_its_switches_mean_nothing_then),
        cmocka_unit_test(the_test_profile_is_on_with_single_switches), cmocka_unit_test(quotas_are_everybodys_and_a_tenants_own_go_before),
        cmocka_unit_test(as_many_tenants_have_quotas_of_their_own_as_there_may_and_no_more), cmocka_unit_test(misspelt_key_names_line_and_remedy),
        cmocka_unit_test(bad_number_twice_set_and_no_equals_are_refused),
        cmocka_unit_test(notices_are_off_until_a_mail_server_is_named), cmocka_unit_test(a_sender_is_a_plain_mail_address),
        cmocka_unit_test(half_a_mail_server_and_a_password_in_clear_are_refused_with_line_and_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
