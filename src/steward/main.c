/* SPDX-License-Identifier: Apache-2.0
 * tillit-steward DIR [--uid N] [--lifecycle-day-ms N]: tends the store: asks the gate, at its times, to do what nobody has to ask for.
 *       And it tells people what stands on their control log (notice.h).
 * Role: a clock with one connection to the gate and a principal of its own; every effect is the gate's decision and leaf. The store
 *       serves without it: nothing that a customer asks for waits on the steward.
 * Trusts: the gate's socket path. Distrusts: whom it calls (send.c); of the gate it is told "done", and what to tell.
 * Law: 2 (no hand of its own on data)
 * Spec: DESIGN "Processes"; docs/spec/wire.md (TEND, NOTICES)
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "jail/jail.h"
#include "steward/notice.h"

#define GRAVE_EVERY_MS 60000           /* bytes past their due time go within a minute */
#define SUMMARIES_EVERY_MS 3600000     /* a summary leaf per reader and hour */
#define LIFECYCLE_EVERY_MS 3600000     /* of a real day; when lifecycle rules' days are shorter, LIFECYCLE_PER_DAY looks in one of them */
#define LIFECYCLE_PER_DAY 5
#define GRANTS_EVERY_MS 1000           /* what time does to a grant is on the log, and its streams are stopped, within that */
#define NOTICES_EVERY_MS 1000
#define CURSORS_EVERY_MS 30000         /* written when nobody was told, and the logs have grown all the same */
#define RECONNECT_MS 100

struct errand {
    uint8_t what;
    const char *every_break;           /* tests shorten the wait with "steward-grave-ms=N" */
    uint64_t every_ms;
    struct loop_timer timer;
};
static struct steward {
    struct loop *loop;
    char path[1200];
    struct wire_conn *gate;
    uint64_t next_id;
    struct loop_timer reconnect;
    uint8_t boot[ID_BYTES];
    struct conf conf;
    struct notice_queue *notices;      /* NULL: the cursors cannot be read, nobody is told */
    char cursors[1200];
    struct loop_timer look;
    uint64_t asked_id, written_ms;     /* asked_id: of the NOTICES under way, 0: none */
    bool asked_back, more, cannot_write;
} steward;
static struct errand errands[] = {{WIRE_TEND_GRAVE, "steward-grave-ms", GRAVE_EVERY_MS, {0}},
                                  {WIRE_TEND_SUMMARIES, "steward-summaries-ms", SUMMARIES_EVERY_MS, {0}},
                                  {WIRE_TEND_LIFECYCLE, "steward-lifecycle-ms", LIFECYCLE_EVERY_MS, {0}},
                                  {WIRE_TEND_GRANTS, "steward-grants-ms", GRANTS_EVERY_MS, {0}}};

/* notices ------------------------------------------------------------------------------------------------------------------------------- */

static void tell(void)
{
    while (send_room()) {
        struct notice_target *t = notice_next(steward.notices, loop_now_ms(steward.loop));
        if (!t) return;
        send_begin(t);
    }
}

/* Forward, then for those who are behind, in turns: neither waits for the other to come to an end. */
static void ask(void)
{
    uint64_t now = loop_now_ms(steward.loop);
    bool back = !steward.asked_back && notice_behind(steward.notices, now);
    if (!steward.gate || steward.asked_id != 0 || !(steward.more || back)) return;
    AUTO(buf) struct buf cursors = BUF_INIT(WIRE_DATA_BYTES_MAX);
    notice_ask(steward.notices, back, now, &cursors);
    const struct wire_notices m = {.cursors = buf_slice(&cursors)};
    steward.asked_id = ++steward.next_id, steward.asked_back = back;
    if (!back) steward.more = false;
    enum err e = wire_put_notices(wire_conn_out(steward.gate), steward.asked_id, &m);
    ASSERT(e == ERR_OK);
    wire_conn_kick(steward.gate);
}

static void write_cursors(bool all)
{
    uint64_t now = loop_now_ms(steward.loop);
    enum notice_change c = notice_changed(steward.notices);
    if (c == NOTICE_SAME || (c == NOTICE_MOVED && !all && now - steward.written_ms < CURSORS_EVERY_MS)) return;
    enum err e = cursors_write(steward.cursors, steward.notices);
    if (e == ERR_OK) notice_written(steward.notices), steward.written_ms = now;
    if (e != ERR_OK && !steward.cannot_write) log_line(LOG_WARN, "cursors", "err=%s what=\"steward/cursors cannot be written: after a restart some are told twice\"", err_name(e));
    steward.cannot_write = e != ERR_OK;
}

static void look(struct loop_timer *t)
{
    loop_timer_set(steward.loop, t, NOTICES_EVERY_MS);
    steward.more = true, steward.asked_back = false;
    ask();
    tell();
    write_cursors(false);
}

static void on_told(struct notice_target *t, bool told)
{
    notice_done(steward.notices, t, told, loop_now_ms(steward.loop));
    tell();
    ask();
}

static enum err on_noticed(uint64_t id, struct slice payload)
{
    struct wire_noticed m;
    TRY(wire_get_noticed(payload, &m));
    if (!steward.notices || id != steward.asked_id) return ERR_INPUT;
    steward.asked_id = 0;
    TRY(notice_take(steward.notices, m.rows, loop_now_ms(steward.loop)));
    if (!steward.asked_back && m.more) steward.more = true;
    tell();
    ask();
    if (steward.asked_id == 0 && steward.asked_back) steward.asked_back = false, ask();
    return ERR_OK;
}

/* the gate ------------------------------------------------------------------------------------------------------------------------------ */

static void tend(struct loop_timer *t)
{
    struct errand *e = t->ctx;
    loop_timer_set(steward.loop, t, break_value(e->every_break, e->every_ms));
    if (!steward.gate) return;
    const struct wire_tend m = {.what = e->what};
    enum err err = wire_put_tend(wire_conn_out(steward.gate), ++steward.next_id, &m);
    ASSERT(err == ERR_OK);
    wire_conn_kick(steward.gate);
}

static enum err on_frame(struct wire_conn *c, uint8_t type, uint64_t id, struct slice payload)
{
    struct wire_answer a;
    (void)c;
    if (type == WIRE_HELLO) return ERR_OK;
    if (type == WIRE_NOTICED) return on_noticed(id, payload);
    TRY(wire_get_answer(payload, &a));
    if (a.status >= 300) log_line(LOG_WARN, "tend", "status=%u", a.status);
    return ERR_OK;
}

static void on_closed(struct wire_conn *c, enum err why)
{
    (void)c;
    if (why == ERR_INPUT) log_line(LOG_ERROR, "gate", "what=\"an answer that was not asked for\"");
    steward.gate = NULL, steward.asked_id = 0;
    loop_timer_set(steward.loop, &steward.reconnect, RECONNECT_MS);
}
static const struct wire_handler handler = {.frame = on_frame, .closed = on_closed};

static void connect_gate(struct loop_timer *t)
{
    int fd;
    if (wire_connect(steward.path, &fd) != ERR_OK) {
        loop_timer_set(steward.loop, t, RECONNECT_MS);
        return;
    }
    struct wire_hello h = {.role = WIRE_ROLE_STEWARD, .version = WIRE_VERSION};
    memcpy(h.boot, steward.boot, ID_BYTES);
    steward.gate = wire_conn_new(steward.loop, fd, WIRE_ROLE_STEWARD, WIRE_ROLE_GATE, &h, &handler, NULL);
}

static void on_signal(void *ctx, int sig)
{
    (void)ctx;
    if (sig != SIGHUP) loop_stop(steward.loop);
}

/* False: the configuration, which serve had accepted, cannot be read. Whatever else is amiss, the rest of the steward's work goes on. */
static bool open_notices(const char *dir)
{
    char path[1200];
    const char *what;
    size_t line;
    AUTO(buf) struct buf why = BUF_INIT(2048);
    conf_path(dir, "tillit.conf", path, sizeof path);
    enum err e = conf_read(path, &steward.conf, &why);
    if (e != ERR_OK) log_line(LOG_ERROR, "config", "%.*s", (int)why.n, (const char *)why.p);
    if (e != ERR_OK) return false;
    e = send_init(steward.loop, &steward.conf, dir, on_told, &what);
    if (e != ERR_OK) {
        log_line(LOG_ERROR, "notices", "err=%s key=%s what=\"nobody is told anything: in [notices] login must name a file with one line user:password, mode 0600, and ca one with certificates in PEM\"",
                 err_name(e), what);
        return true;
    }
    conf_path(dir, "steward/cursors", steward.cursors, sizeof steward.cursors);
    steward.notices = notice_queue_new();
    e = cursors_read(steward.cursors, steward.notices, &line);
    if (e == ERR_OK || e == ERR_MISSING) return true;
    /* Told from the first leaf, everybody would be told everything again; that is for a person to choose. */
    log_line(LOG_ERROR, "notices", "err=%s what=\"steward/cursors:%zu cannot be read: nobody is told anything; put the file back, or remove it to have everything told again\"",
             err_name(e), line);
    notice_queue_free(steward.notices);
    steward.notices = NULL;
    return true;
}

int main(int argc, char **argv)
{
    jail_early();
    log_init("steward", LOG_INFO);
    uint64_t uid = 0, day_ms = UINT64_MAX;
    bool ok = argc >= 2;
    for (int i = 2; ok && i < argc; i += 2) {
        uint64_t *to = strcmp(argv[i], "--uid") == 0 ? &uid : strcmp(argv[i], "--lifecycle-day-ms") == 0 ? &day_ms : NULL;
        ok = to && i + 1 < argc && slice_u64(slice_str(argv[i + 1]), to == &uid ? UINT32_MAX : UINT64_MAX, to) == ERR_OK;
    }
    if (!ok) {
        fprintf(stderr, "usage: tillit-steward DIR [--uid N] [--lifecycle-day-ms N]   (tillit serve starts it)\n");
        return 2;
    }
    for (size_t i = 0; i < ARRAY_LEN(errands); i++)
        if (errands[i].what == WIRE_TEND_LIFECYCLE) errands[i].every_ms = MAX(1, MIN((uint64_t)LIFECYCLE_EVERY_MS, day_ms / LIFECYCLE_PER_DAY));
    char gate_dir[1100], breaks[1100], dir[1100];
    snprintf(steward.path, sizeof steward.path, "%s/run/gate/steward", argv[1]);
    snprintf(gate_dir, sizeof gate_dir, "%s/run", argv[1]);
    snprintf(breaks, sizeof breaks, "%s/run/breaks", argv[1]);
    snprintf(dir, sizeof dir, "%s/steward", argv[1]);
    breaks_init(breaks);
    steward.loop = loop_new();
    loop_signal(steward.loop, SIGTERM, on_signal, NULL);
    loop_signal(steward.loop, SIGHUP, on_signal, NULL);
    /* Only to be told apart from its predecessor in a log line: no secret, no randomness needed. */
    put_be64(steward.boot, (uint64_t)getpid());
    if (!open_notices(argv[1])) return 4;
    const char *const read_only[] = {gate_dir, "/etc/resolv.conf", "/run/systemd/resolve", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
                                     "/etc/ssl/certs", NULL}, *const read_write[] = {dir, NULL};
    struct jail_state walls;
    enum err e = jail_enter(&(struct jail){.uid = (uid_t)uid, .read_only = read_only, .read_write = read_write, .outbound = true}, &walls);
    if (e != ERR_OK) {
        log_line(LOG_ERROR, "jail", "err=%s", err_name(e));
        return 4;
    }
    for (size_t i = 0; i < ARRAY_LEN(errands); i++) {
        errands[i].timer.fire = tend, errands[i].timer.ctx = &errands[i];
        loop_timer_set(steward.loop, &errands[i].timer, break_value(errands[i].every_break, errands[i].every_ms));
    }
    steward.reconnect.fire = connect_gate, steward.look.fire = look;
    loop_timer_set(steward.loop, &steward.reconnect, 0);
    if (steward.notices) loop_timer_set(steward.loop, &steward.look, 0);
    loop_run(steward.loop);
    send_end();
    if (steward.notices) write_cursors(true);
    return 0;
}
