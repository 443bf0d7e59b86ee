/* SPDX-License-Identifier: Apache-2.0
 * What is told of grants: looks, watches, notices.
 * Role: unit test of say_look.c, say_event.c and say_notice.c over a real store. Law: 1, 5. Spec: docs/spec/access.md section 8
 */
#include "gate/say_people.h"

/* looking ------------------------------------------------------------------------------------------------------------------------------- */

static const char *member(const json_t *j, const char *a, const char *b)
{
    const char *s = json_string_value(json_object_get(json_object_get(j, a), b));
    return s ? s : "";
}

static void a_look_shows_what_would_be_granted(void **state)
{
    char digest[64], terms[256];
    (void)state;
    request(GRANT, digest);
    char *asked = strdup(r->text);
    approve(&manager, GRANT, digest, "");
    snprintf(terms, sizeof terms, "request=%s\ntext=why so much?", digest);
    taken(SAY(&r->owner, ACCESS_ASK, GRANT, terms));
    assert_int_equal(SAY(&r->owner, ACCESS_LOOK, GRANT, ""), 200);
    assert_string_equal(say_rig_text(r, "id"), GRANT);
    assert_string_equal(say_rig_text(r, "state"), "more-info");
    assert_string_equal(say_rig_text(r, "request"), asked);
    assert_string_equal(say_rig_text(r, "digest"), digest);
    assert_string_equal(say_rig_text(r, "ticket"), "T-1");
    assert_string_equal(member(r->answer, "who", "name"), "Person ines");
    assert_string_equal(member(r->answer, "who", "employer"), "Nord AB");
    assert_string_equal(member(r->answer, "who", "country"), "SE");
    assert_string_equal(member(r->answer, "scope", "bucket"), SAY_RIG_BUCKET);
    assert_string_equal(member(r->answer, "scope", "prefix"), "reports/");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(r->answer, "budget"), "bytes")), 10485760);
    assert_int_equal(json_integer_value(json_object_get(r->answer, "needed")), 1);
    assert_int_equal(json_integer_value(json_object_get(r->answer, "approved")), 0);
    assert_int_equal(json_array_size(json_object_get(r->answer, "approvals")), 1);
    assert_int_equal(json_array_size(json_object_get(r->answer, "questions")), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(r->answer, "questions"), 0), "text")), "why so much?");
    assert_int_equal(json_array_size(json_object_get(r->answer, "events")), 2);
    assert_int_equal(strncmp(say_rig_text(r, "notice_key"), "whpk_", 5), 0);
    free(asked);
}

static void everybody_sees_their_own_part(void **state)
{
    char digest[64];
    (void)state;
    request(GRANT, digest);
    assert_int_equal(SAY(&engineer, ACCESS_LOOK, NULL, ""), 200);
    assert_int_equal(json_array_size(json_object_get(r->answer, "grants")), 1);
    assert_int_equal(SAY(&r->owner, ACCESS_LOOK, NULL, ""), 200);
    assert_int_equal(json_array_size(json_object_get(r->answer, "grants")), 1);
    person(&plain, "paul", "p-paul", "support", "");
    say_rig_key(r, &plain, SAY_RIG_SK, 16);
    person(&plain, "paul", "p-paul", "support", "");
    SAY(&plain, ACCESS_LOOK, NULL, "");
    assert_int_equal(json_array_size(json_object_get(r->answer, "grants")), 0);
    SAY(&plain, ACCESS_LOOK, GRANT, "");
    assert_string_equal(say_rig_text(r, "request"), "");
}

static unsigned look_after(uint64_t after)
{
    char terms[64];
    snprintf(terms, sizeof terms, "after=%llu", (unsigned long long)after);
    return SAY(&r->owner, ACCESS_LOOK, GRANT, terms);
}

/* What happens while the answer waits. */
static void tend_now(struct loop_timer *t)
{
    (void)t;
    say_tend(&r->g);
}

static void a_watch_is_answered_when_something_happens(void **state)
{
    struct loop_timer timer = {.fire = tend_now};
    (void)state;
    granted_for_a_minute();
    uint64_t from = log_size(r->t->control) - 2;
    assert_int_equal(look_after(from), 200);       /* the last approval is there already */
    json_t *events = json_object_get(r->answer, "events");
    assert_int_equal(json_array_size(events), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(events, 0), "act")), "access.approve");
    uint64_t next = (uint64_t)json_integer_value(json_object_get(r->answer, "next"));
    assert_true(next >= from + 1);
    pass(62000);
    loop_timer_set(r->g.loop, &timer, 400);
    uint64_t began = clock_mono_ms();
    assert_int_equal(look_after(next), 200);
    assert_true(clock_mono_ms() - began >= 300 && clock_mono_ms() - began < 5000);
    events = json_object_get(r->answer, "events");
    assert_int_equal(json_array_size(events), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(events, 0), "act")), "Expire");
    assert_string_equal(say_rig_text(r, "state"), "expired");
    assert_int_equal(say_state(&r->g)->watches, 0);
}

/* watching by a capability ---------------------------------------------------------------------------------------------------------------- */

static void watched(void *ctx, uint16_t status, struct slice json)
{
    (void)ctx;
    json_decref(r->answer);
    r->answer = json_loadb((const char *)json.p, json.n, 0, NULL);
    r->status = status;
    r->answered = true;
}

static unsigned watch(const char *capability, uint64_t after)
{
    r->answered = false;
    say_watch(&r->g, slice_str(capability), after, watched, NULL);
    return say_rig_wait(r);
}

/* By the layout of docs/spec/access.md section 8, and what is one thing else. */
static void sealed(char out[512], uint8_t version, uint64_t look, uint64_t over_ms, size_t more)
{
    AUTO(buf) struct buf plain_text = BUF_INIT(256), aad = BUF_INIT(64), bytes = BUF_INIT(512), text = BUF_INIT(512);
    uint8_t grant[ID_BYTES];
    assert_int_equal(base32_fixed(SLICE_LIT(GRANT), grant, ID_BYTES), ERR_OK);
    buf_put_u8(&plain_text, version), buf_put(&plain_text, grant, ID_BYTES), buf_put_u64(&plain_text, look), buf_put_u64(&plain_text, over_ms);
    for (size_t i = 0; i < more; i++) buf_put_u8(&plain_text, 0);
    buf_put_str(&aad, "tillit watch"), buf_put(&aad, r->tenant, ID_BYTES), buf_put(&bytes, r->tenant, ID_BYTES);
    assert_int_equal(keys_seal(r->g.crypto, r->g.rng, &r->t->state_key, buf_slice(&aad), buf_slice(&plain_text), &bytes), ERR_OK);
    buf_put_base64url(&text, buf_slice(&bytes));
    snprintf(out, 512, "%.*s", (int)text.n, (const char *)text.p);
}

static void a_look_gives_a_watch_that_needs_no_signature(void **state)
{
    char capability[512];
    struct loop_timer timer = {.fire = tend_now};
    (void)state;
    granted_for_a_minute();
    assert_int_equal(SAY(&r->owner, ACCESS_LOOK, GRANT, ""), 200);
    snprintf(capability, sizeof capability, "%s", say_rig_text(r, "watch"));
    assert_true(capability[0]);
    uint64_t next = (uint64_t)json_integer_value(json_object_get(r->answer, "next")), size = log_size(r->t->control);
    assert_int_equal(watch(capability, UINT64_MAX), 200);                      /* from the request on: it was approved twice */
    assert_int_equal(json_array_size(json_object_get(r->answer, "events")), 2);
    assert_string_equal(say_rig_text(r, "state"), "approved");
    assert_string_equal(say_rig_text(r, "watch"), "");                         /* it does not go on for ever by itself */
    pass(62000);
    loop_timer_set(r->g.loop, &timer, 400);
    assert_int_equal(watch(capability, next), 200);
    assert_string_equal(say_rig_text(r, "state"), "expired");
    assert_int_equal(log_size(r->t->control), size + 1);                       /* Expire, and no leaf of the watch */
    assert_int_equal(SAY(&r->owner, ACCESS_LOOK, NULL, ""), 200);
    assert_string_equal(say_rig_text(r, "watch"), "");
    say_rig_restart(r);
    assert_int_equal(watch(capability, UINT64_MAX), 200);
}

/* Who fills the room there is for those who wait makes nobody else ask again at once, and again: each look is a leaf. */
static void one_watch_too_many_waits_as_well(void **state)
{
    char capability[512];
    (void)state;
    granted_for_a_minute();
    assert_int_equal(SAY(&r->owner, ACCESS_LOOK, GRANT, ""), 200);
    snprintf(capability, sizeof capability, "%s", say_rig_text(r, "watch"));
    uint64_t next = (uint64_t)json_integer_value(json_object_get(r->answer, "next"));
    r->t->watches = 64;
    uint64_t from = clock_mono_us();
    assert_int_equal(watch(capability, next), 200);
    uint64_t waited = clock_mono_us() - from;
    assert_true(waited > 900000 && waited < 5000000);
    assert_int_equal(json_array_size(json_object_get(r->answer, "events")), 0);
    assert_int_equal(r->t->watches, 64);
    r->t->watches = 0;
    assert_int_equal(watch(capability, 0), 200);                               /* nothing from before the request is looked through */
    assert_int_equal(json_array_size(json_object_get(r->answer, "events")), 2);
}

static void a_watch_that_is_not_ours_or_over_shows_nothing(void **state)
{
    char good[512], bad[512];
    uint64_t now = clock_wall_ms(), look;
    (void)state;
    granted_for_a_minute();
    assert_int_equal(SAY(&r->owner, ACCESS_LOOK, GRANT, ""), 200);
    snprintf(good, sizeof good, "%s", say_rig_text(r, "watch"));
    look = log_size(r->t->control) - 1;
    for (size_t i = 0; i <= strlen(good); i++) {
        snprintf(bad, sizeof bad, "%s", good);
        bad[i] = i == strlen(good) ? 'A' : bad[i] == 'B' ? 'C' : 'B';
        bad[strlen(good) + 1] = 0;
        assert_int_equal(watch(bad, UINT64_MAX), 403);
        assert_string_equal(say_rig_text(r, "code"), "watch-over");
        bad[i] = 0;
        if (i < strlen(good)) assert_int_equal(watch(bad, UINT64_MAX), 403);
    }
    sealed(bad, 1, look, now + 60000, 0);
    assert_int_equal(watch(bad, UINT64_MAX), 200);
    const struct { uint8_t version; uint64_t look, over_ms; size_t more; } wrong[] = {
        {1, look, now - 1, 0}, {2, look, now + 60000, 0}, {1, look, now + 60000, 1}, {1, look + 1, now + 60000, 0}, {1, UINT64_MAX, now + 60000, 0}};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        sealed(bad, wrong[i].version, wrong[i].look, wrong[i].over_ms, wrong[i].more);
        assert_int_equal(watch(bad, UINT64_MAX), 403);
    }
}

/* Put out while the grant lives, and behind its end, when nobody is mirrored for it any more: neither is shown what was theirs. */
static void who_is_put_out_at_the_provider_looks_and_watches_no_more(void **state)
{
    char of_manager[512], of_engineer[512];
    (void)state;
    granted_for_a_minute();
    assert_int_equal(SAY(&manager, ACCESS_LOOK, GRANT, ""), 200);
    snprintf(of_manager, sizeof of_manager, "%s", say_rig_text(r, "watch"));
    assert_int_equal(SAY(&engineer, ACCESS_LOOK, GRANT, ""), 200);
    snprintf(of_engineer, sizeof of_engineer, "%s", say_rig_text(r, "watch"));
    assert_int_equal(watch(of_manager, UINT64_MAX), 200);
    pass(62000);
    say_tend(&r->g);
    assert_int_equal(watch(of_engineer, UINT64_MAX), 200);
    assert_int_equal(SAY(&r->officer, PERSON_OFF, "ines", "text=left"), 200);
    assert_int_equal(watch(of_engineer, UINT64_MAX), 403);
    assert_int_equal(watch(of_manager, UINT64_MAX), 200);
    assert_int_equal(SAY(&r->officer, PERSON_OFF, "mats", "text=left"), 200);
    assert_int_equal(watch(of_manager, UINT64_MAX), 403);
    for (int all = 0; all < 2; all++) {
        assert_int_equal(SAY(&manager, ACCESS_LOOK, all ? NULL : GRANT, ""), 403);
        say_rig_refused(r, r->t, "not-eligible");
    }
}

static void a_watch_ends_with_the_role_of_who_looked(void **state)
{
    char capability[512], terms[1024];
    (void)state;
    granted_for_a_minute();
    snprintf(terms, sizeof terms, "key=%s\nname=Anna", plain.text);
    taken(SAY(&r->owner, APPROVER_SET, "anna", terms));
    snprintf(terms, sizeof terms, "key=%s\nname=Bo", stranger.text);
    taken(SAY(&plain, APPROVER_SET, "bo", terms));
    assert_int_equal(SAY(&plain, ACCESS_LOOK, GRANT, ""), 200);
    snprintf(capability, sizeof capability, "%s", say_rig_text(r, "watch"));
    uint64_t next = (uint64_t)json_integer_value(json_object_get(r->answer, "next"));
    assert_int_equal(watch(capability, UINT64_MAX), 200);
    say_watch(&r->g, slice_str(capability), next, watched, NULL);              /* waits */
    say_rig_begin(r, &stranger, RECORD_STATEMENT_APPROVER_OFF, "anna", "");
    taken(say_rig_wait(r));
    pass(62000);
    say_tend(&r->g);                                                           /* something to tell: not to her */
    r->answered = false;
    assert_int_equal(say_rig_wait(r), 403);
    assert_string_equal(say_rig_text(r, "code"), "watch-over");
    assert_int_equal(watch(capability, UINT64_MAX), 403);
    assert_int_equal(say_state(&r->g)->watches, 0);
}

/* notices ------------------------------------------------------------------------------------------------------------------------------- */

static bool notices(uint64_t from, struct buf *rows)
{
    AUTO(buf) struct buf cursors = BUF_INIT(64);
    bool more;
    const struct wire_cursor c = {.tenant = slice_of(r->tenant, ID_BYTES), .index = from};
    wire_put_cursor(&cursors, &c);
    assert_true(say_notices(&r->g, buf_slice(&cursors), rows, &more));
    return more;
}

static void check_signature(const struct wire_notice *n, struct slice id, const char *public_key)
{
    AUTO(buf) struct buf key = BUF_INIT(64), sig = BUF_INIT(128), text = BUF_INIT(65536);
    struct slice time, value = slice_cut(n->signature, ' ', &time);
    assert_true(slice_starts(value, SLICE_LIT("v1a,")));
    assert_int_equal(base64_decode(slice_of(value.p + 4, value.n - 4), &sig), ERR_OK);
    assert_int_equal(base64_decode(slice_str(public_key + 5), &key), ERR_OK);
    assert_int_equal(key.n, ED25519_KEY_BYTES);
    buf_put_slice(&text, id), buf_put_u8(&text, '.'), buf_put_slice(&text, time), buf_put_u8(&text, '.'), buf_put_slice(&text, n->event);
    assert_int_equal(ledger_ed25519_verify(key.p, buf_slice(&text), buf_slice(&sig)), ERR_OK);
}

static void each_step_is_told_to_each_target_once_and_signed(void **state)
{
    AUTO(buf) struct buf rows = BUF_INIT(WIRE_DATA_BYTES_MAX);
    struct wire_notice n;
    char digest[64], key[128];
    (void)state;
    assert_int_equal(SAY(&r->owner, NOTICE_SET, "desk", "mail=desk@example.test\nwebhook=https://hooks.example.test/x"), 200);
    snprintf(key, sizeof key, "%s", say_rig_text(r, "notice_key"));
    uint64_t from = log_size(r->t->control);
    request(GRANT, digest);
    assert_false(notices(from, &rows));
    struct reader at = reader_of(buf_slice(&rows));
    for (uint8_t kind = WIRE_NOTICE_WEBHOOK; kind <= WIRE_NOTICE_MAIL; kind++) {
        assert_true(wire_next_notice(&at, &n));
        assert_int_equal(n.kind, kind);
        assert_int_equal(n.index, log_size(r->t->control) - 1);                 /* mirrors are told to nobody */
        assert_true(slice_is(n.target, kind == WIRE_NOTICE_MAIL ? "desk@example.test" : "https://hooks.example.test/x"));
    }
    json_t *event = json_loadb((const char *)n.event.p, n.event.n, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(event, "specversion")), "1.0");
    assert_string_equal(json_string_value(json_object_get(event, "type")), "tillit.access.request");
    assert_string_equal(member(event, "data", "grant"), GRANT);
    assert_string_equal(member(event, "data", "receipt"), json_string_value(json_object_get(event, "id")));
    assert_string_equal(json_string_value(json_object_get(event, "id")), say_rig_text(r, "receipt"));
    check_signature(&n, slice_str(json_string_value(json_object_get(event, "id"))), key);
    json_decref(event);
    assert_false(wire_next_notice(&at, &n));
    buf_reset(&rows);
    assert_false(notices(log_size(r->t->control), &rows));
    assert_int_equal(rows.n, 0);
}

static void without_a_target_the_cursor_moves_on(void **state)
{
    AUTO(buf) struct buf rows = BUF_INIT(WIRE_DATA_BYTES_MAX);
    struct wire_notice n;
    bool more;
    (void)state;
    assert_false(notices(0, &rows));
    struct reader at = reader_of(buf_slice(&rows));
    assert_true(wire_next_notice(&at, &n));
    assert_int_equal(n.kind, WIRE_NOTICE_NONE);
    assert_int_equal(n.index, log_size(r->t->control) - 1);
    assert_false(wire_next_notice(&at, &n) || at.bad);
    for (size_t cut = 1; cut < ID_BYTES + 8; cut++)
        assert_false(say_notices(&r->g, slice_of(r->tenant, MIN(cut, (size_t)ID_BYTES)), &rows, &more));
}

static void a_tenant_that_fills_an_answer_is_asked_last(void **state)
{
    AUTO(buf) struct buf rows = BUF_INIT(WIRE_DATA_BYTES_MAX);
    struct wire_notice n;
    bool more;
    (void)state;
    for (int i = 0; i < 80; i++) assert_int_equal(SAY(&r->owner, NOTICE_SET, "desk", "mail=desk@example.test"), 200);
    struct gate_tenant other = *r->t;              /* the same log under another id */
    other.id[0] ^= 1;
    r->g.tenant_list[r->g.tenant_count++] = &other;
    for (int i = 0; i < 4; i++) {
        buf_reset(&rows);
        assert_true(say_notices(&r->g, slice_of(NULL, 0), &rows, &more) && more);
        struct reader at = reader_of(buf_slice(&rows));
        while (wire_next_notice(&at, &n)) assert_memory_equal(n.tenant.p, i % 2 ? other.id : r->t->id, ID_BYTES);
        assert_false(at.bad);
    }
    r->g.tenant_count--;
}

/* who could read ------------------------------------------------------------------------------------------------------------------------- */

static void who_can_asks_the_decision_itself(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(65536);
    size_t i;
    json_t *row;
    unsigned grants = 0, others = 0;
    (void)state;
    granted(GRANT);
    assert_int_equal(SAY(&engineer, ACCESS_LOGIN, GRANT, "country=SE"), 200);
    for (int inside = 0; inside < 2; inside++) {
        buf_reset(&text);
        say_who_can(&r->g, r->t, SLICE_LIT(SAY_RIG_BUCKET), inside ? SLICE_LIT("reports/q1") : SLICE_LIT("other/q1"), clock_wall_ms(), &text);
        json_t *j = json_loadb((const char *)text.p, text.n, 0, NULL);
        assert_non_null(j);
        json_array_foreach(json_object_get(j, "can"), i, row) {
            const char *as = json_string_value(json_object_get(row, "as"));
            others += strcmp(as, "anonymous") == 0 && json_is_false(json_object_get(row, "allow"));
            if (strcmp(as, "grant") != 0) continue;
            grants++;
            assert_string_equal(json_string_value(json_object_get(row, "name")), "Person ines");
            assert_string_equal(json_string_value(json_object_get(row, "reason")), inside ? "allowed" : "grant-scope");
            assert_int_equal(json_is_true(json_object_get(row, "allow")), inside);
        }
        json_decref(j);
    }
    assert_int_equal(grants, 2);
    assert_int_equal(others, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_look_shows_what_would_be_granted),
        T(everybody_sees_their_own_part),
        T(a_watch_is_answered_when_something_happens),
        T(a_look_gives_a_watch_that_needs_no_signature),
        T(a_watch_that_is_not_ours_or_over_shows_nothing),
        T(who_is_put_out_at_the_provider_looks_and_watches_no_more),
        T(a_watch_ends_with_the_role_of_who_looked),
        T(one_watch_too_many_waits_as_well),
        T(each_step_is_told_to_each_target_once_and_signed),
        T(without_a_target_the_cursor_moves_on),
        T(a_tenant_that_fills_an_answer_is_asked_last),
        T(who_can_asks_the_decision_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
