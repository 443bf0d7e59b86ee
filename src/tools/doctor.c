/* SPDX-License-Identifier: Apache-2.0
 * `tillit doctor`: what is on, what is wrong, what to do about it.
 * Role: reads what the store says of itself (run/gate/status.json) and what the kernel says of its processes.
 * Trusts: /proc. Law: 7 (LAW-7: we say what we cannot prove: a wall that is not up is named).
 * Spec: docs/spec/dir.md
 */
#include "tools/tools.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <fcntl.h>
#include <unistd.h>

#define STATUS_WAIT_MS 3000
#define STATUS_POLL_MS 50

static const char usage[] = "usage: tillit doctor DIR [--json]\n\nExit code 0: all is well; 1: something named needs attention; 3: the store is not running.\n";

struct report {
    json_t *items;
    bool bad;
};

static void say(struct report *r, bool ok, const char *what, const char *remedy)
{
    r->bad = r->bad || !ok;
    json_array_append_new(r->items, json_pack("{s:b, s:s, s:s}", "ok", ok, "what", what, "remedy", ok ? "" : remedy));
}

static bool running(const char *dir)
{
    char path[TOOLS_PATH_MAX];
    snprintf(path, sizeof path, "%s/lock", dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
    if (fd >= 0) close(fd);
    return held;
}

/* The value of a line "Name:\tvalue" of /proc/PID/status. */
static long proc_status(long pid, const char *name)
{
    char path[64], line[256];
    long v = -1;
    snprintf(path, sizeof path, "/proc/%ld/status", pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') v = strtol(line + strlen(name) + 1, NULL, 10);
    if (f) fclose(f);
    return v;
}

static void wall(struct report *r, const char *role, long pid)
{
    char text[200];
    bool master = strcmp(role, "nginx") == 0 || strcmp(role, "access") == 0, front = strcmp(role, "nginx") == 0 || strcmp(role, "worker") == 0;
    long seccomp = proc_status(pid, "Seccomp"), uid = proc_status(pid, "Uid");
    bool filtered = master || seccomp == 2, own_uid = geteuid() != 0 || uid != 0;
    snprintf(text, sizeof text, "%s (pid %ld): uid %ld%s", front ? "front" : role, pid, uid, seccomp == 2 ? ", seccomp on" : "");
    say(r, filtered && own_uid, text, !filtered ? "its system calls are not filtered: the kernel must support seccomp filters"
                                                : "it runs as root: start `tillit serve` as root, so that each process gets a uid of its own");
}

/* serve writes who they are; nginx's workers are the kernel's to tell. */
static void walls(struct report *r, const char *dir)
{
    char path[TOOLS_PATH_MAX], role[32];
    long pid, worker;
    snprintf(path, sizeof path, "%s/run/pids", dir);
    FILE *f = fopen(path, "re");
    if (!f) say(r, false, "serve has not said which processes are its own", "wait a second; if it stays so, read the server's log on stderr");
    while (f && fscanf(f, "%31s %ld", role, &pid) == 2) {
        wall(r, role, pid);
        bool access_front = strcmp(role, "access") == 0;
        if (strcmp(role, "nginx") != 0 && !access_front) continue;
        snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pid, pid);
        FILE *children = fopen(path, "re");
        while (children && fscanf(children, "%ld", &worker) == 1) wall(r, access_front ? "access worker" : "worker", worker);
        if (children) fclose(children);
    }
    if (f) fclose(f);
}

static long long count(const json_t *j, const char *name) { return (long long)json_integer_value(json_object_get(j, name)); }

/* Access by the provider's people: whom to review, and what a front left open. */
static void access_says(struct report *r, const json_t *j)
{
    char text[200];
    const json_t *people = json_object_get(j, "people");
    long long on = count(people, "on"), overdue = count(people, "overdue"), soon = count(people, "due_soon"), failed = count(j, "failed_to_close");
    snprintf(text, sizeof text, "the provider's people: %lld are on, %lld of them overdue, %lld within 14 days", on, overdue, soon);
    if (on > 0) say(r, overdue == 0 && soon == 0, text, "training, screening or review is due: an officer says the new dates (tillit person set; docs/ops/access-officer.md)");
    snprintf(text, sizeof text, "%lld grants failed to close: a front did not say that a download ended", failed);
    if (failed > 0) say(r, false, text, "it is asked again each second; if this stays so, stop the front (SIGTERM to tillit serve) and start again");
}

static void gate_says(struct report *r, const char *dir)
{
    char path[TOOLS_PATH_MAX], text[800];
    snprintf(path, sizeof path, "%s/run/gate/status.json", dir);
    /* The gate says how it is once a second: right after a start nothing is said yet. */
    for (int i = 0; access(path, F_OK) != 0 && i < STATUS_WAIT_MS / STATUS_POLL_MS; i++) {
        struct timespec wait = {0, STATUS_POLL_MS * 1000000L};
        nanosleep(&wait, NULL);
    }
    json_t *j = gate_status_read(dir);
    if (!j) {
        say(r, false, "the gate has not said how it is", "wait a second; if it stays so, read the server's log on stderr");
        return;
    }
    static const struct { const char *key, *good, *bad, *remedy; } flags[] = {
        {"keeper", "keeper connected, index open", "keeper not connected, or its index not open", "the keeper is not there or its index does not open: read the server's log on stderr"},
        {"landlock", "gate: Landlock on", "gate: Landlock is off", "the kernel has no Landlock: files are guarded by owners and modes only"},
        {"memory_locked", "gate: secrets are locked in memory", "gate: secrets are not locked in memory", "raise the limit for locked memory (LimitMEMLOCK, ulimit -l): secrets may be swapped out"},
        {"clock", "clock runs with the record", "clock is behind the record", "the wall clock is behind the newest record by more than 5 s: set it right (chrony)"},
        {"space", "disk above its reserve", "disk at its reserve", "the disk is at its reserve: writes stop, reads go on; make room"},
    };
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        const json_t *v = json_object_get(j, flags[i].key);
        if (v) say(r, json_is_true(v), json_is_true(v) ? flags[i].good : flags[i].bad, flags[i].remedy);
    }
    const char *profile = json_string_value(json_object_get(j, "profile"));
    snprintf(text, sizeof text, "the test profile [%.32s] is on: new buckets take public policies, days of lifecycle rules are short", profile ? profile : "");
    if (profile) say(r, false, text, "for anything but the conformance suite: set `on = no` in that section of tillit.conf and start again");
    access_says(r, j);
    size_t i;
    json_t *t, *tenants = json_object_get(j, "tenants");
    json_array_foreach(tenants, i, t) {
        const char *why = json_string_value(json_object_get(t, "why"));
        AUTO(buf) struct buf kept = BUF_INIT(1024);
        tenant_usage_text(t, &kept);
        const json_t *grants = json_object_get(t, "grants");
        if (grants) buf_printf(&kept, "; access: requests waiting %lld, live grants %lld", count(grants, "pending"), count(grants, "live"));
        snprintf(text, sizeof text, "tenant %s %s; %.*s", json_string_value(json_object_get(t, "id")), json_is_true(json_object_get(t, "served")) ? "is served" : "is NOT served",
                 (int)kept.n, (const char *)kept.p);
        say(r, json_is_true(json_object_get(t, "served")), text, why && *why ? why : "read the server's log on stderr");
    }
    json_decref(j);
}

int cmd_doctor(int argc, char **argv)
{
    const char *dir[1] = {NULL};
    bool as_json = false;
    const struct option o[] = {{"--json", NULL, &as_json}};
    int n = options_read(argc, argv, o, ARRAY_LEN(o), dir, 1, usage);
    if (n == -2) return EXIT_DONE;
    if (n != 1) {
        if (n >= 0) fputs(usage, stderr);
        return EXIT_USAGE;
    }
    struct report r = {.items = json_array()};
    bool up = running(dir[0]);
    say(&r, up, up ? "the store is running" : "the store is not running", "tillit serve DIR");
    if (up) {
        walls(&r, dir[0]);
        gate_says(&r, dir[0]);
    }
    size_t i;
    json_t *x;
    if (as_json) json_dumpf(r.items, stdout, JSON_INDENT(1)), putchar('\n');
    else
        json_array_foreach(r.items, i, x) {
            bool ok = json_is_true(json_object_get(x, "ok"));
            printf("%-4s %s\n", ok ? "ok" : "MEND", json_string_value(json_object_get(x, "what")));
            if (!ok) printf("       -> %s\n", json_string_value(json_object_get(x, "remedy")));
        }
    json_decref(r.items);
    return !up ? EXIT_REACH : r.bad ? EXIT_REFUSED : EXIT_DONE;
}
