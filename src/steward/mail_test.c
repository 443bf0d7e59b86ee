/* SPDX-License-Identifier: Apache-2.0
 * mail_test: what a person reads, and what somebody's words cannot do to it.
 * Role: unit test of mail.c. Spec: docs/ops/notices.md; RFC 5322
 */
#include "base/test.h"

#include <jansson.h>
#include <string.h>

#include "steward/notice.h"

#define HEAD "{\"id\":\"acme/t/x/41\",\"subject\":\"ten\",\"time\":\"2026-11-24T08:21:16.000Z\",\"type\":\"tillit.access."
#define FROM SLICE_LIT("tillit@example.org")

static struct mail m;

static int begin(void **state)
{
    (void)state;
    mail_init(&m);
    return 0;
}
static int end(void **state)
{
    (void)state;
    mail_done(&m);
    return 0;
}

static void write_ok(const char *event) { check_err(mail_write(slice_str(event), FROM, &m), ERR_OK); }

static bool says(const char *text) { return memmem(m.text.p, m.text.n, text, strlen(text)) != NULL; }
#define check_says(t)                                                                                                      \
    do {                                                                                                                   \
        if (!says(t)) fail_msg("'%s' is not in '%.*s'", t, (int)m.text.n, (const char *)m.text.p);                         \
    } while (0)

static size_t lines(void)
{
    size_t n = 0;
    for (size_t i = 0; i < m.text.n; i++) n += m.text.p[i] == '\n';
    return n;
}

static void a_request_is_told_in_words(void **state)
{
    (void)state;
    write_ok(HEAD "request\",\"data\":{\"who\":{\"id\":\"ines\",\"name\":\"Ines Berg\",\"employer\":\"Nord AB\",\"subprocessor\":\"sub\",\"office\":\"SE\"},"
                  "\"purpose\":\"support-ticket\",\"state\":\"customer-pending\",\"grant\":\"aaaaaaaaaaaaaaaaaaaaaaaaaa\",\"scope\":{\"bucket\":\"docs\",\"prefix\":\"r/\"},\"text\":\"why\"}}");
    check_text(buf_slice(&m.subject), "Tillit: Somebody at your provider asks for access to your data (bucket docs)");
    check_says("Who:         Ines Berg (ines), of Nord AB, a subcontractor: sub, office in SE\n");
    check_says("Purpose:     support-ticket\n");
    check_says("Scope:       bucket docs, names that begin with r/\n");
    check_says("In words:    why\n");
    check_says("State:       customer-pending\n");
    check_says("When:        2026-11-24T08:21:16.000Z\n");
    check_says("Tenant:      ten\n");
    check_says("On your log: acme/t/x/41\n");
    check_says("tillit access show --grant aaaaaaaaaaaaaaaaaaaaaaaaaa;");
    assert_string_equal(m.message_id, "<acme_t_x_41@example.org>");
    assert_int_equal(m.t_ms, 1795508476000);
}

static void an_alarm_names_who_tried_and_no_object(void **state)
{
    (void)state;
    write_ok(HEAD "denied\",\"data\":{\"person\":\"Ines Berg\",\"employer\":\"Nord AB\",\"country\":\"SE\",\"why\":\"grant-scope\",\"bucket\":\"docs\",\"key\":\"secret/name\"}}");
    check_says("An attempt to go beyond an access that you approved was refused");
    check_says("Who:         Ines Berg, of Nord AB, now in SE\n");
    check_says("Refused for: grant-scope\n");
    check_says("Nothing was opened.");
    assert_null(memmem(m.event.p, m.event.n, "secret", 6));
    assert_false(says("secret"));
}

static void every_step_and_state_has_words(void **state)
{
    static const char *const types[] = {"request", "approve", "reject", "ask", "reply", "login", "revoke", "complete", "start", "expire", "lapse", "fail-to-close", "closed", "denied",
                                        "refused", "recovery-start", "recovery-cancel", "recovery-finish", "approver-set", "notice-off", "something-new"};
    char event[512], seen[ARRAY_LEN(types)][1024];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        mail_done(&m);
        mail_init(&m);
        snprintf(event, sizeof event, HEAD "%s\",\"data\":{}}", types[i]);
        write_ok(event);
        check_says("What to do:");
        snprintf(seen[i], sizeof seen[i], "%.*s", (int)m.subject.n, (const char *)m.subject.p);
        for (size_t k = 0; k < i && i < 18; k++) assert_string_not_equal(seen[i], seen[k]);
    }
}

/* Attack: a name, a prefix or a reason that begins a line ("State: approved"), or turns or hides what follows. */
static void words_of_others_stay_in_their_line(void **state)
{
    (void)state;
    write_ok(HEAD "request\",\"data\":{}}");
    size_t plain = lines();
    mail_done(&m);
    mail_init(&m);
    write_ok(HEAD "request\",\"data\":{\"text\":\"a\\r\\nState: approved\\n\\u2028x\\u0085\\u202e\\u2066\\u200b\\u00ad\\ufeff\\udb40\\udc41\\u007f\\u001b[2Jz\",\"scope\":{\"bucket\":\"b\\r\\nBcc: x\",\"prefix\":\"\\n\"}}}");
    assert_int_equal(lines(), plain + 2);
    check_says("In words:    a??State: approved??x?????????[2Jz\n");
    check_text(buf_slice(&m.subject), "Tillit: Somebody at your provider asks for access to your data (bucket b??Bcc: x)");
}

static void letters_of_all_alphabets_stay(void **state)
{
    (void)state;
    write_ok(HEAD "request\",\"data\":{\"text\":\"\\u00c4rende \\u0416 \\u6f22 \\ud83d\\ude00\"}}");
    check_says("In words:    \xc3\x84rende \xd0\x96 \xe6\xbc\xa2 \xf0\x9f\x98\x80\n");
}

static void a_long_value_is_cut_at_its_bound(void **state)
{
    (void)state;
    for (size_t n = NOTICE_TEXT_CHARS_MAX - 1; n <= NOTICE_TEXT_CHARS_MAX + 1; n++) {
        AUTO(buf) struct buf event = BUF_INIT(65536);
        buf_put_str(&event, HEAD "request\",\"data\":{\"text\":\"");
        for (size_t i = 0; i < n; i++) buf_put_str(&event, "\xc3\xa4");
        buf_put_str(&event, "\"}}");
        mail_done(&m);
        mail_init(&m);
        check_err(mail_write(buf_slice(&event), FROM, &m), ERR_OK);
        assert_int_equal(says("\xc3\xa4...\n"), n > NOTICE_TEXT_CHARS_MAX);
    }
}

static void a_message_id_has_plain_characters_and_a_bound(void **state)
{
    AUTO(buf) struct buf event = BUF_INIT(65536);
    (void)state;
    buf_put_str(&event, "{\"id\":\"");
    for (unsigned i = 0; i < 500; i++) buf_put_str(&event, "<\\r\\n>");
    buf_put_str(&event, "9\",\"type\":\"x\",\"data\":{}}");
    check_err(mail_write(buf_slice(&event), SLICE_LIT("a@bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.example"), &m), ERR_OK);
    assert_true(strlen(m.message_id) < sizeof m.message_id - 1);
    assert_int_equal(strspn(m.message_id + 1, "_9"), 90);
    assert_int_equal(m.message_id[strlen(m.message_id) - 1], '>');
}

static void what_is_no_event_is_refused(void **state)
{
    static const char whole[] = HEAD "request\",\"data\":{\"who\":{\"name\":\"I\"}}}";
    static const char *const bad[] = {"[]", "{}", "null", "{\"id\":\"\",\"type\":\"x\",\"data\":{}}", "{\"id\":\"x\",\"type\":\"x\",\"data\":[]}", "{\"id\":\"x\",\"type\":\"x\"}",
                                      "{\"id\":1,\"type\":\"x\",\"data\":{}}", "{\"id\":\"x\",\"id\":\"x\",\"type\":\"x\",\"data\":{}}"};
    (void)state;
    for (size_t n = 0; n < sizeof whole - 1; n++) check_err(mail_write(slice_of(whole, n), FROM, &m), ERR_INPUT);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) check_err(mail_write(slice_str(bad[i]), FROM, &m), ERR_INPUT);
    write_ok(whole);
}

static void values_of_other_kinds_are_passed_over(void **state)
{
    (void)state;
    write_ok(HEAD "request\",\"data\":{\"who\":[],\"purpose\":1,\"scope\":\"x\",\"text\":{},\"grant\":\"short\",\"state\":\"approved\"}}");
    assert_false(says("Purpose:") || says("Who:") || says("Scope:"));
}

int main(void)
{
#define FACT(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        FACT(a_request_is_told_in_words), FACT(an_alarm_names_who_tried_and_no_object), FACT(every_step_and_state_has_words), FACT(words_of_others_stay_in_their_line),
        FACT(letters_of_all_alphabets_stay), FACT(a_long_value_is_cut_at_its_bound), FACT(a_message_id_has_plain_characters_and_a_bound), FACT(what_is_no_event_is_refused),
        FACT(values_of_other_kinds_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
