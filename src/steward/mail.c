/* SPDX-License-Identifier: Apache-2.0
 * mail: an event in a person's words.
 * Role: send.c gives the gate's event, and makes a mail of what comes back. Trusts: the gate for what stands in the event.
 * Distrusts: the words in it that people chose (names, a prefix, a reason): none may begin a line of its own, turn the reading direction, or hide.
 *            Object names are left out: a mail lies on servers of others, in clear.
 * Law: 5 (one tenant's event, to that tenant's address). Spec: docs/ops/notices.md; RFC 5322
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "steward/notice.h"

#define TYPE_PREFIX "tillit.access."

/* What happened, by the event's type; NULL todo: what the grant's state says. */
static const struct step {
    const char *type, *headline, *todo;
} steps[] = {
    {"request", "Somebody at your provider asks for access to your data", NULL},
    {"approve", "A request for access to your data was signed", NULL},
    {"reject", "A request for access to your data was rejected", NULL},
    {"ask", "A question was asked about a request for access", NULL},
    {"reply", "A question about a request for access was answered", NULL},
    {"login", "Somebody at your provider has begun to use an access that you approved", NULL},
    {"revoke", "An access to your data was ended by hand", NULL},
    {"complete", "An access to your data was handed back", NULL},
    {"start", "The time of an access to your data has begun", NULL},
    {"expire", "An access to your data has ended: its time is over", NULL},
    {"lapse", "A request for access to your data has lapsed without an answer", NULL},
    {"fail-to-close", "An access was ended, but a download under it could not be confirmed as stopped", "Ask your provider now what became of it. No further keys were released."},
    {"closed", "A download that could not be confirmed as stopped is gone", NULL},
    {"denied", "An attempt to go beyond an access that you approved was refused",
     "Nothing was opened. Ask what was looked for; if the access still runs and should not: tillit access revoke --grant %s"},
    {"refused", "A signed statement about access to your data was refused", "Nothing was changed by it. If nobody of yours made it, find out whose key it was: tillit log query --log control"},
    {"recovery-start", "Somebody has begun to replace all your approvers with a recovery key",
     "If that is none of you, any approver stops it within 7 days: tillit recovery cancel"},
    {"recovery-cancel", "The replacement of your approvers was stopped", "If that is not what you wanted, look who signed: tillit log query --log control"},
    {"recovery-finish", "All your approvers were replaced by a recovery key", "If that is none of you, end what runs and ask your provider: tillit access list"},
};
static const char changed_headline[] = "Something was changed about who decides over access to your data";
static const char changed_todo[] = "If nobody of yours did this, look who signed: tillit log query --log control";

static const struct {
    const char *state, *todo;
} states[] = {
    {"manager-pending", "Nothing yet: a manager of theirs signs first. To look at it: tillit access show --grant %s"},
    {"customer-pending", "Your approvers decide. Look first: tillit access show --grant %s; then tillit access approve, reject or ask, with the same --grant"},
    {"more-info", "It waits for the answer to a question. To look at it: tillit access show --grant %s"},
    {"approved", "Nothing. To end it at once: tillit access revoke --grant %s"},
    {"scheduled", "Nothing. To end it at once: tillit access revoke --grant %s"},
    {"active", "Nothing. To see each read: tillit access watch --grant %s; to end it at once: tillit access revoke, with the same --grant"},
    {"extension-pending", "Your approvers decide about a longer time. Look first: tillit access list; to end what runs: tillit access revoke --grant %s"},
    {"failed-to-close", "Ask your provider now what became of the download (access %s)."},
};
static const char no_grant_todo[] = "Look at your log: tillit log query --log control";
static const char over_todo[] = "Nothing: it is over. What was read stands on your log: tillit access watch --grant %s";

void mail_init(struct mail *m)
{
    *m = (struct mail){.subject = BUF_INIT(1024), .text = BUF_INIT(NOTICE_MAIL_BYTES_MAX), .event = BUF_INIT(NOTICE_MAIL_BYTES_MAX * 2)};
}

void mail_done(struct mail *m)
{
    buf_done(&m->subject);
    buf_done(&m->text);
    buf_done(&m->event);
}

/* Controls, line and paragraph separators, and what turns the reading direction or is not seen at all. */
static bool hides(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x180e || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

/* One line's worth of a value, whatever is in it. jansson gives well-formed UTF-8. */
static void put_value(struct buf *out, struct slice v)
{
    size_t i = 0;
    for (size_t chars = 0; i < v.n && chars < NOTICE_TEXT_CHARS_MAX; chars++) {
        size_t n = v.p[i] < 0x80 ? 1 : v.p[i] < 0xe0 ? 2 : v.p[i] < 0xf0 ? 3 : 4;
        uint32_t c = n == 1 ? v.p[i] : v.p[i] & (0x7fu >> n);
        if (n > v.n - i) break;
        for (size_t k = 1; k < n; k++) c = c << 6 | (v.p[i + k] & 0x3fu);
        if (hides(c)) buf_put_u8(out, '?');
        else buf_put(out, v.p + i, n);
        i += n;
    }
    if (i < v.n) buf_put_str(out, "...");
}

static struct slice text_of(const json_t *j, const char *name)
{
    const json_t *v = json_object_get(j, name);
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : slice_of(NULL, 0);
}

static void put_line(struct buf *out, const char *label, const json_t *j, const char *name)
{
    struct slice v = text_of(j, name);
    if (v.n == 0) return;
    buf_printf(out, "%-13s", label);
    put_value(out, v);
    buf_put_u8(out, '\n');
}

static void put_part(struct buf *out, const char *before, struct slice v, const char *after)
{
    if (v.n == 0) return;
    buf_put_str(out, before);
    put_value(out, v);
    buf_put_str(out, after);
}

/* Ines Berg (ines), of Nord Hosting AB, office in SE */
static void put_who(struct buf *out, const json_t *data)
{
    const json_t *who = json_object_get(data, "who");
    struct slice name = text_of(who, "name"), id = text_of(who, "id"), employer = text_of(who, "employer");
    struct slice key = text_of(who, "key"), person = text_of(data, "person");
    if (person.n && name.n == 0) name = person, employer = text_of(data, "employer");
    if (name.n == 0 && id.n == 0 && key.n == 0) return;
    buf_printf(out, "%-13s", "Who:");
    if (name.n || id.n) put_value(out, name.n ? name : id);
    else put_part(out, "the key ", key, "");
    if (name.n) put_part(out, " (", id, ")");
    put_part(out, ", of ", employer, "");
    put_part(out, ", a subcontractor: ", text_of(who, "subprocessor"), "");
    put_part(out, ", office in ", text_of(who, "office"), "");
    put_part(out, ", now in ", text_of(data, "country"), "");
    buf_put_u8(out, '\n');
}

static void put_scope(struct buf *out, const json_t *data)
{
    const json_t *scope = json_object_get(data, "scope");
    struct slice bucket = text_of(scope, "bucket"), prefix = text_of(scope, "prefix");
    if (bucket.n == 0) bucket = text_of(data, "bucket");
    if (bucket.n == 0) return;
    buf_printf(out, "%-13s", "Scope:");
    put_part(out, "bucket ", bucket, "");
    put_part(out, ", names that begin with ", prefix, "");
    if (scope && prefix.n == 0) buf_put_str(out, ", all of it");
    buf_put_u8(out, '\n');
}

static const struct step *step_of(struct slice type)
{
    static const struct step changed = {"", changed_headline, changed_todo};
    if (!slice_starts(type, SLICE_LIT(TYPE_PREFIX))) return &changed;
    struct slice word = slice_of(type.p + sizeof TYPE_PREFIX - 1, type.n - (sizeof TYPE_PREFIX - 1));
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (slice_is(word, steps[i].type)) return &steps[i];
    return &changed;
}

static void put_todo(struct buf *out, const struct step *s, const json_t *data)
{
    struct slice state = text_of(data, "state"), grant = text_of(data, "grant");
    const char *todo = grant.n || s->todo ? s->todo : no_grant_todo;
    char id[ID_TEXT_CHARS + 1] = "";
    for (size_t i = 0; !todo && i < ARRAY_LEN(states); i++)
        if (slice_is(state, states[i].state)) todo = states[i].todo;
    if (!todo) todo = over_todo;
    if (grant.n == ID_TEXT_CHARS) snprintf(id, sizeof id, "%.*s", ID_TEXT_CHARS, (const char *)grant.p);
    const char *at = strstr(todo, "%s");
    buf_printf(out, "%-13s", "What to do:");
    buf_put(out, todo, at ? (size_t)(at - todo) : strlen(todo));
    if (at) put_value(out, slice_str(id));
    if (at) buf_put_str(out, at + 2);
    buf_put_u8(out, '\n');
}

static void put_text(struct buf *out, const struct step *s, const json_t *event, const json_t *data)
{
    buf_printf(out, "%s.\n\n", s->headline);
    put_who(out, data);
    if (!json_object_get(json_object_get(data, "who"), "employer")) put_line(out, "Requester:", data, "requester");
    put_line(out, "Purpose:", data, "purpose");
    put_scope(out, data);
    put_line(out, "In words:", data, "text");
    put_line(out, "Refused for:", data, "why");
    put_line(out, "Access:", data, "grant");
    put_line(out, "State:", data, "state");
    put_line(out, "When:", event, "time");
    put_line(out, "Tenant:", event, "subject");
    put_line(out, "On your log:", event, "id");
    buf_put_u8(out, '\n');
    put_todo(out, s, data);
    buf_put_str(out, "\nThis mail is a hint; what counts is your log. Do not answer it, and sign nothing because of it alone: look at the request with your own tools.\n");
}

/* What tells this event from others, in characters that a message id may have. */
static void put_message_id(char out[160], struct slice id, struct slice from)
{
    struct slice local, domain = slice_cut(from, '@', &local);
    size_t n = 0;
    out[n++] = '<';
    for (size_t i = id.n > 90 ? id.n - 90 : 0; i < id.n; i++) {    /* its end: the log's name and the index */
        uint8_t c = id.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        out[n++] = plain ? (char)c : '_';
    }
    snprintf(out + n, 160 - n, "@%.*s>", (int)MIN(domain.n, 60), domain.n ? (const char *)domain.p : "");
}

static enum err write_event(json_t *event, json_t *data, struct buf *out)
{
    json_object_del(data, "key");
    char *text = json_dumps(event, JSON_INDENT(1) | JSON_SORT_KEYS);
    if (text) buf_put_str(out, text);
    free(text);
    return text ? ERR_OK : ERR_LIMIT;
}

enum err mail_write(struct slice text, struct slice from, struct mail *m)
{
    json_t *event = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL), *data = json_object_get(event, "data");
    struct slice id = text_of(event, "id"), type = text_of(event, "type"), bucket = text_of(json_object_get(data, "scope"), "bucket");
    enum err e = id.n > 0 && type.n > 0 && json_is_object(data) ? ERR_OK : ERR_INPUT;
    if (e == ERR_OK) {
        const struct step *s = step_of(type);
        buf_put_str(&m->subject, "Tillit: ");
        buf_put_str(&m->subject, s->headline);
        put_part(&m->subject, " (bucket ", bucket, ")");
        put_text(&m->text, s, event, data);
        put_message_id(m->message_id, id, from);
        if (time_parse_iso8601(text_of(event, "time"), &m->t_ms) != ERR_OK) m->t_ms = 0;
        e = write_event(event, data, &m->event);
    }
    json_decref(event);
    if (e == ERR_OK && (!buf_ok(&m->subject) || !buf_ok(&m->text) || !buf_ok(&m->event))) e = ERR_LIMIT;
    return e;
}
