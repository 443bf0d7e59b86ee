/* SPDX-License-Identifier: Apache-2.0
 * tillit-steward DIR [--uid N] [--lifecycle-day-ms N]: tends the store: asks the gate, at its times, to do what nobody has to ask for.
 * Role: a clock with one connection to the gate and a principal of its own; every effect is the gate's decision and leaf. The store
 *       serves without it: nothing that a customer asks for waits on the steward.
 * Trusts: the gate's socket path. Distrusts: nothing it is told, because it is told only "done".
 * Law: 2 (no hand of its own on data)
 * Spec: DESIGN "Processes"; docs/spec/wire.md (TEND)
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "jail/jail.h"
#include "wire/wire.h"

#define GRAVE_EVERY_MS 60000           /* bytes past their due time go within a minute */
#define SUMMARIES_EVERY_MS 3600000     /* a summary leaf per reader and hour */
#define LIFECYCLE_EVERY_MS 3600000     /* of a real day; when lifecycle rules' days are shorter, LIFECYCLE_PER_DAY looks in one of them */
#define LIFECYCLE_PER_DAY 5
#define GRANTS_EVERY_MS 1000           /* what time does to a grant is on the log, and its streams are stopped, within that */
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
} steward;
static struct errand errands[] = {{WIRE_TEND_GRAVE, "steward-grave-ms", GRAVE_EVERY_MS, {0}},
                                  {WIRE_TEND_SUMMARIES, "steward-summaries-ms", SUMMARIES_EVERY_MS, {0}},
                                  {WIRE_TEND_LIFECYCLE, "steward-lifecycle-ms", LIFECYCLE_EVERY_MS, {0}},
                                  {WIRE_TEND_GRANTS, "steward-grants-ms", GRANTS_EVERY_MS, {0}}};

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
    (void)c, (void)id;
    if (type == WIRE_HELLO) return ERR_OK;
    TRY(wire_get_answer(payload, &a));
    if (a.status >= 300) log_line(LOG_WARN, "tend", "status=%u", a.status);
    return ERR_OK;
}

static void on_closed(struct wire_conn *c, enum err why)
{
    (void)c, (void)why;
    steward.gate = NULL;
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
    char gate_dir[1100], breaks[1100];
    snprintf(steward.path, sizeof steward.path, "%s/run/gate/steward", argv[1]);
    snprintf(gate_dir, sizeof gate_dir, "%s/run", argv[1]);
    snprintf(breaks, sizeof breaks, "%s/run/breaks", argv[1]);
    breaks_init(breaks);
    steward.loop = loop_new();
    loop_signal(steward.loop, SIGTERM, on_signal, NULL);
    loop_signal(steward.loop, SIGHUP, on_signal, NULL);
    /* Only to be told apart from its predecessor in a log line: no secret, no randomness needed. */
    put_be64(steward.boot, (uint64_t)getpid());
    const char *const read_only[] = {gate_dir, NULL};
    struct jail_state walls;
    enum err e = jail_enter(&(struct jail){.uid = (uid_t)uid, .read_only = read_only}, &walls);
    if (e != ERR_OK) {
        log_line(LOG_ERROR, "jail", "err=%s", err_name(e));
        return 4;
    }
    for (size_t i = 0; i < ARRAY_LEN(errands); i++) {
        errands[i].timer.fire = tend, errands[i].timer.ctx = &errands[i];
        loop_timer_set(steward.loop, &errands[i].timer, break_value(errands[i].every_break, errands[i].every_ms));
    }
    steward.reconnect.fire = connect_gate;
    loop_timer_set(steward.loop, &steward.reconnect, 0);
    loop_run(steward.loop);
    return 0;
}
