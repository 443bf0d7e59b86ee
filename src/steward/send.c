/* SPDX-License-Identifier: Apache-2.0
 * send: calls targets: webhooks over HTTP, mail over SMTP, with libcurl on the process's own loop.
 * Role: main.c gives a target, gets told or not told. Trusts: the mail server, which the administrator chose.
 * Distrusts: webhooks: the tenant chose them. They are called at public addresses only, led nowhere else by redirects or proxies, given ten
 *            seconds and no ear for what they say, and never keep the loop waiting: names are resolved in libcurl's own threads, and one that
 *            takes for ever is left behind (QUICK_EXIT), not waited for.
 * Law: 2 (what is logged has no target, name or event). Spec: docs/ops/notices.md; Standard Webhooks 1.0; CloudEvents 1.0 HTTP; RFC 5321, 5322
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "steward/notice.h"

#define WEBHOOK_TIMEOUT_MS 10000L
#define MAIL_TIMEOUT_MS 30000L
#define LOGIN_BYTES_MAX 512
#define WATCHES_MAX (NOTICE_SENDS_MAX * 8)         /* two families at once, and the resolver's own pair */
#define CA_FILE "/etc/ssl/certs/ca-certificates.crt"

struct call {
    CURL *easy;                                    /* NULL: free */
    struct notice_target *target;
    struct curl_slist *headers, *to;
    curl_mime *mime;
    bool forbidden;                                /* an address was refused */
};
static struct {
    struct loop *loop;
    const struct conf *conf;
    CURLM *multi;
    struct loop_timer timer, idle;                 /* curl's; and one that reports calls that failed before they began */
    struct loop_fd watches[WATCHES_MAX];
    struct call calls[NOTICE_SENDS_MAX];
    char user[LOGIN_BYTES_MAX], password[LOGIN_BYTES_MAX], smtp_url[2 * CONF_TEXT_MAX];
    struct buf ca;                                 /* empty: the system's */
    void (*done)(struct notice_target *t, bool told);
} sender;

/* ends ----------------------------------------------------------------------------------------------------------------------------------- */

static void call_free(struct call *c)
{
    if (c->easy) curl_multi_remove_handle(sender.multi, c->easy);
    curl_easy_cleanup(c->easy);
    curl_mime_free(c->mime);
    curl_slist_free_all(c->headers);
    curl_slist_free_all(c->to);
    *c = (struct call){0};
}

static void call_done(struct call *c, bool told, const char *why, long status)
{
    struct notice_target *t = c->target;
    unsigned tries = t->failures + 1;
    AUTO(buf) struct buf id = BUF_INIT(ID_TEXT_CHARS);
    buf_put_base32(&id, slice_of(t->tenant->id, ID_BYTES));
    /* Of one that stays away: the first time, and each time twice as many have failed. */
    if (!told && (tries & (tries - 1)) == 0)
        log_line(LOG_WARN, "not-told", "tenant=%.*s kind=%s tries=%u status=%ld why=\"%s\"", (int)id.n, (const char *)id.p, t->kind == WIRE_NOTICE_MAIL ? "mail" : "webhook", tries,
                 status, c->forbidden ? "the address may not be called" : why);
    call_free(c);
    sender.done(t, told);
}

/* resolv.conf was replaced, and the jail knows the old file only: begin anew, behind a new wall. serve starts us again at once. */
static void check_resolver(void)
{
    int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) {
        log_line(LOG_INFO, "again", "why=\"resolv.conf was replaced\"");
        loop_stop(sender.loop);
    }
    if (fd >= 0) close(fd);
}

static void collect(void)
{
    CURLMsg *m;
    for (int left; (m = curl_multi_info_read(sender.multi, &left));) {
        struct call *c;
        long status = 0;
        if (m->msg != CURLMSG_DONE) continue;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        /* A webhook's status is its answer, however the rest of it goes. */
        bool told = c->target->kind == WIRE_NOTICE_WEBHOOK ? status >= 200 && status <= 299 : code == CURLE_OK;
        if (code == CURLE_COULDNT_RESOLVE_HOST) check_resolver();
        call_done(c, told, code == CURLE_OK ? "the answer's status" : curl_easy_strerror(code), status);
    }
}

/* libcurl on the loop ---------------------------------------------------------------------------------------------------------------------- */

static void act(curl_socket_t fd, int events)
{
    int running;
    curl_multi_socket_action(sender.multi, fd, events, &running);
    collect();
}

static void on_ready(struct loop_fd *w, uint32_t events)
{
    int in = events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0, out = events & EPOLLOUT ? CURL_CSELECT_OUT : 0;
    act(w->fd, in | out | (events & EPOLLERR ? CURL_CSELECT_ERR : 0));
}

static void on_timer(struct loop_timer *t)
{
    (void)t;
    act(CURL_SOCKET_TIMEOUT, 0);
}

static int want_timer(CURLM *m, long in_ms, void *ctx)
{
    (void)m, (void)ctx;
    if (in_ms < 0) loop_timer_cancel(sender.loop, &sender.timer);
    else loop_timer_set(sender.loop, &sender.timer, (uint64_t)in_ms);
    return 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *at)
{
    struct loop_fd *w = at;
    (void)easy, (void)ctx;
    if (what == CURL_POLL_REMOVE) {
        if (w) loop_fd_del(sender.loop, w);
        return 0;
    }
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (w) {
        loop_fd_mod(sender.loop, w, events);
        return 0;
    }
    for (size_t i = 0; i < WATCHES_MAX && !w; i++)
        if (!sender.watches[i].active) w = &sender.watches[i];
    if (!w) return -1;
    *w = (struct loop_fd){.fd = fd, .events = events, .ready = on_ready};
    loop_fd_add(sender.loop, w);
    return curl_multi_assign(sender.multi, fd, w) == CURLM_OK ? 0 : -1;
}

/* The address is known here and nowhere earlier. Attack: a tenant names a webhook at 169.254.169.254, at loopback, or under a name that turns to
 * either when it is asked a second time, and has the store fetch what only it can reach. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct call *c = ctx;
    (void)purpose;
    if (c->target->kind == WIRE_NOTICE_WEBHOOK && !BREAK("steward-any-address") && !address_ok(&a->addr, sender.conf->notices_allow_private)) {
        c->forbidden = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t ignore(char *p, size_t size, size_t n, void *ctx)
{
    (void)p, (void)size, (void)n, (void)ctx;
    return CURL_WRITEFUNC_ERROR;                   /* the status has been read: there is nothing more to hear */
}

/* one call ---------------------------------------------------------------------------------------------------------------------------------- */

static bool add(struct curl_slist **list, const char *text)
{
    struct curl_slist *more = curl_slist_append(*list, text);
    if (more) *list = more;
    return more != NULL;
}

static bool add_header(struct call *c, const char *name, struct slice value)
{
    AUTO(buf) struct buf line = BUF_INIT(4096);
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] < 0x20 || value.p[i] == 0x7f) return false;         /* a value that would begin a header of its own */
    buf_printf(&line, "%s: %.*s", name, (int)value.n, (const char *)value.p);
    buf_put_u8(&line, 0);
    return buf_ok(&line) && add(&c->headers, (const char *)line.p);
}

static bool authorities(CURL *e)
{
    struct curl_blob ca = {.data = sender.ca.p, .len = sender.ca.n, .flags = CURL_BLOB_NOCOPY};
    return curl_easy_setopt(e, CURLOPT_CAPATH, NULL) == CURLE_OK &&
           (ca.len > 0 ? curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &ca) : curl_easy_setopt(e, CURLOPT_CAINFO, CA_FILE)) == CURLE_OK;
}

static bool common(struct call *c, const char *url, const char *protocols, long timeout_ms)
{
    CURL *e = c->easy;
    return curl_easy_setopt(e, CURLOPT_URL, url) == CURLE_OK && curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, protocols) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK && curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK && curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK && curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK && authorities(e) &&
           curl_easy_setopt(e, CURLOPT_PRIVATE, c) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK && curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, c) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, ignore) == CURLE_OK;
}

/* The event's own id, as it is signed: what the receiver tells repeats by. Of the outermost object: who acted has an id, too. */
static bool add_id(struct call *c, struct slice event)
{
    json_t *j = json_loadb((const char *)event.p, event.n, JSON_REJECT_DUPLICATES, NULL), *id = json_object_get(j, "id");
    bool ok = json_is_string(id) && json_string_length(id) > 0 && add_header(c, "webhook-id", slice_of(json_string_value(id), json_string_length(id)));
    json_decref(j);
    return ok;
}

static bool begin_webhook(struct call *c, const struct notice_row *r)
{
    char url[NOTICE_TARGET_BYTES_MAX + 1];
    struct slice timestamp, signature = slice_cut(r->signature, ' ', &timestamp);
    if (!signature.p) return false;
    snprintf(url, sizeof url, "%.*s", (int)c->target->text.n, (const char *)c->target->text.p);
    return common(c, url, "http,https", WEBHOOK_TIMEOUT_MS) && add_header(c, "content-type", SLICE_LIT("application/cloudevents+json")) &&
           add_id(c, r->event) && add_header(c, "webhook-timestamp", timestamp) && add_header(c, "webhook-signature", signature) &&
           add(&c->headers, "Expect:") && add(&c->headers, "Accept:") &&
           curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_USERAGENT, "tillit-steward") == CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE, (long)r->event.n) == CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_COPYPOSTFIELDS, (const char *)r->event.p) == CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers) == CURLE_OK;
}

/* RFC 2047: words of at most 75 characters, none of which splits a character. */
static void put_encoded(struct buf *out, struct slice text)
{
    bool plain = true;
    for (size_t i = 0; i < text.n; i++) plain = plain && text.p[i] >= 0x20 && text.p[i] < 0x7f;
    if (plain && text.n <= 900) {
        buf_put_slice(out, text);
        return;
    }
    for (size_t i = 0; i < text.n;) {
        size_t n = MIN(text.n - i, 42);
        while (n > 1 && i + n < text.n && (text.p[i + n] & 0xc0) == 0x80) n--;
        buf_put_str(out, i ? " =?utf-8?B?" : "=?utf-8?B?");
        buf_put_base64(out, slice_of(text.p + i, n));
        buf_put_str(out, "?=");
        i += n;
    }
}

static bool mail_headers(struct call *c, const struct mail *m, const char *to)
{
    char when[TIME_TEXT_MAX + 8];
    AUTO(buf) struct buf subject = BUF_INIT(4096);
    put_encoded(&subject, buf_slice(&m->subject));
    time_http(m->t_ms, when);
    memcpy(when + strlen(when) - 3, "+0000", 6);           /* RFC 5322 has the zone as a number */
    return buf_ok(&subject) && add_header(c, "Date", slice_str(when)) && add_header(c, "From", slice_str(sender.conf->notices_from)) &&
           add_header(c, "To", slice_str(to)) && add_header(c, "Subject", buf_slice(&subject)) && add_header(c, "Message-ID", slice_str(m->message_id)) &&
           add_header(c, "Auto-Submitted", SLICE_LIT("auto-generated"));   /* RFC 3834: nobody's holiday answers it */
}

/* Lines end as RFC 2045 has them; quoted-printable would write a lone LF as a byte of the text. */
static bool add_text(curl_mimepart *part, struct slice text)
{
    AUTO(buf) struct buf out = BUF_INIT(2 * NOTICE_MAIL_BYTES_MAX);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\n') buf_put_u8(&out, '\r');
        buf_put_u8(&out, text.p[i]);
    }
    return buf_ok(&out) && curl_mime_data(part, (const char *)out.p, out.n) == CURLE_OK && curl_mime_type(part, "text/plain; charset=utf-8") == CURLE_OK &&
           curl_mime_encoder(part, "quoted-printable") == CURLE_OK;
}

static bool mail_parts(struct call *c, const struct mail *m)
{
    curl_mimepart *text, *event;
    c->mime = curl_mime_init(c->easy);
    text = c->mime ? curl_mime_addpart(c->mime) : NULL;
    event = c->mime ? curl_mime_addpart(c->mime) : NULL;
    return text && event && add_text(text, buf_slice(&m->text)) &&
           curl_mime_data(event, (const char *)m->event.p, m->event.n) == CURLE_OK &&
           curl_mime_type(event, "application/cloudevents+json") == CURLE_OK && curl_mime_filename(event, "event.json") == CURLE_OK &&
           curl_mime_encoder(event, "base64") == CURLE_OK && curl_easy_setopt(c->easy, CURLOPT_MIMEPOST, c->mime) == CURLE_OK;
}

static bool begin_mail(struct call *c, const struct notice_row *r)
{
    char to[CONF_TEXT_MAX], rcpt[CONF_TEXT_MAX + 2], from[CONF_TEXT_MAX + 2];
    struct mail m;
    mail_init(&m);
    snprintf(to, sizeof to, "%.*s", (int)MIN(c->target->text.n, sizeof to - 1), (const char *)c->target->text.p);
    snprintf(rcpt, sizeof rcpt, "<%s>", to);
    snprintf(from, sizeof from, "<%s>", sender.conf->notices_from);
    bool ok = mail_write(r->event, slice_str(sender.conf->notices_from), &m) == ERR_OK && common(c, sender.smtp_url, "smtp,smtps", MAIL_TIMEOUT_MS) &&
              mail_headers(c, &m, to) && mail_parts(c, &m) && add(&c->to, rcpt) &&
              curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers) == CURLE_OK && curl_easy_setopt(c->easy, CURLOPT_MAIL_FROM, from) == CURLE_OK &&
              curl_easy_setopt(c->easy, CURLOPT_MAIL_RCPT, c->to) == CURLE_OK &&
              curl_easy_setopt(c->easy, CURLOPT_USE_SSL, sender.conf->notices_starttls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE) == CURLE_OK;
    if (ok && sender.user[0])
        ok = curl_easy_setopt(c->easy, CURLOPT_USERNAME, sender.user) == CURLE_OK && curl_easy_setopt(c->easy, CURLOPT_PASSWORD, sender.password) == CURLE_OK;
    mail_done(&m);
    return ok;
}

/* calls ---------------------------------------------------------------------------------------------------------------------------------------- */

bool send_room(void)
{
    for (size_t i = 0; i < NOTICE_SENDS_MAX; i++)
        if (!sender.calls[i].target) return true;
    return false;
}

/* What cannot be begun has failed, and is told so in a turn of its own: its caller is in the midst of beginning others. */
static void report(struct loop_timer *t)
{
    (void)t;
    for (size_t i = 0; i < NOTICE_SENDS_MAX; i++)
        if (sender.calls[i].target && !sender.calls[i].easy) call_done(&sender.calls[i], false, "cannot be called: no mail server in [notices], or a malformed target", 0);
}

void send_begin(struct notice_target *t)
{
    struct call *c = NULL;
    for (size_t i = 0; i < NOTICE_SENDS_MAX && !c; i++)
        if (!sender.calls[i].target) c = &sender.calls[i];
    ASSERT(c);
    *c = (struct call){.target = t, .easy = curl_easy_init()};
    bool mail = t->kind == WIRE_NOTICE_MAIL;
    bool may = !mail || (sender.conf->notices_smtp[0] && slice_is_mail(t->text));
    if (c->easy && may && (mail ? begin_mail(c, notice_first(t)) : begin_webhook(c, notice_first(t))) && curl_multi_add_handle(sender.multi, c->easy) == CURLM_OK) return;
    call_free(c);
    c->target = t;
    loop_timer_set(sender.loop, &sender.idle, 0);
}

void send_end(void)
{
    for (size_t i = 0; i < NOTICE_SENDS_MAX; i++) call_free(&sender.calls[i]);
}

/* One line, user:password, closed to everybody else. */
static enum err read_login(const char *path)
{
    char line[2 * LOGIN_BYTES_MAX + 2] = "";
    struct stat st;
    FILE *f = fopen(path, "re");
    bool read = f && fgets(line, sizeof line, f), closed = f && fstat(fileno(f), &st) == 0 && (st.st_mode & 077) == 0;
    if (f) fclose(f);
    struct slice user, password = slice_cut(slice_of(line, strcspn(line, "\r\n")), ':', &user);
    bool ok = read && closed && password.p && user.n > 0 && user.n < LOGIN_BYTES_MAX && password.n > 0 && password.n < LOGIN_BYTES_MAX;
    if (ok) {
        memcpy(sender.user, user.p, user.n);
        memcpy(sender.password, password.p, password.n);
    }
    wipe(line, sizeof line);
    return ok ? ERR_OK : ERR_CONFIG;
}

static enum err read_ca(const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f) return ERR_MISSING;
    sender.ca = BUF_INIT(NOTICE_CA_BYTES_MAX);
    uint8_t part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) buf_put(&sender.ca, part, n);
    fclose(f);
    return buf_ok(&sender.ca) && memmem(sender.ca.p, sender.ca.n, "-----BEGIN CERTIFICATE-----", 27) ? ERR_OK : ERR_CONFIG;
}

static enum err read_files(const struct conf *c, const char *dir, const char **what)
{
    char path[1200];
    if (c->notices_login[0]) {
        *what = "login";
        conf_path(dir, c->notices_login, path, sizeof path);
        TRY(read_login(path));
    }
    if (c->notices_ca[0]) {
        *what = "ca";
        conf_path(dir, c->notices_ca, path, sizeof path);
        TRY(read_ca(path));
    }
    return ERR_OK;
}

enum err send_init(struct loop *l, const struct conf *c, const char *dir, void (*done)(struct notice_target *t, bool told), const char **what)
{
    struct slice local, domain = slice_cut(slice_str(c->notices_from), '@', &local);
    sender.loop = l, sender.conf = c, sender.done = done;
    sender.timer.fire = on_timer, sender.idle.fire = report;
    *what = "libcurl";
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return ERR_IO;
    TRY(read_files(c, dir, what));
    /* The path is what EHLO says: a name of ours that the server's owner knows, not this machine's. */
    snprintf(sender.smtp_url, sizeof sender.smtp_url, "%s/%.*s", c->notices_smtp, (int)domain.n, domain.n ? (const char *)domain.p : "");
    sender.multi = curl_multi_init();
    if (!sender.multi) return ERR_IO;
    curl_multi_setopt(sender.multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(sender.multi, CURLMOPT_TIMERFUNCTION, want_timer);
    return ERR_OK;
}
