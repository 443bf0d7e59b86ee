/* SPDX-License-Identifier: Apache-2.0
 * Fills a stopped store with people and grants, each statement signed, each leaf folded as the gate does it: what the benchmark's rows of a large state
 * are measured on. Not through the gate's door, where a copy's nonce bounds how many are taken in half an hour: what is measured is the state, not its making.
 * usage: bench-state DIR OFFICER_KEY OWNER_KEY TENANT BUCKET PERSONS PAST LIVE
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate/say_rig.h"

#define DAY_MS 86400000ull
#define PATH_MAX_CHARS 1200
#define PURPOSE "bench"

static struct state {
    struct gate g;
    struct gate_tenant *t;
    uint8_t tenant[ID_BYTES];
    struct say_rig_key officer, owner, manager, person;      /* person: the one who speaks */
    const char *bucket;
    uint32_t nonce;
    uint64_t old_ms;                               /* the signers' clock: no nonce of then is kept any more */
    uint8_t digest[HASH_BYTES];                    /* of the last statement's text */
} s;

static void must(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "bench-state: %s\n", what);
    exit(1);
}

static void key_read(const char *path, struct say_rig_key *k)
{
    static char text[65536];
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text, f) : 0;
    if (f) fclose(f);
    *k = (struct say_rig_key){.kind = SAY_RIG_PLAIN};
    must(record_ssh_private_parse(&s.g.hash, slice_of((const uint8_t *)text, n), &k->private) == ERR_OK, path);
    snprintf(k->text, sizeof k->text, "%s", k->private.key.fingerprint);
}

/* Key number 0 is the manager's. */
static void key_make(unsigned number, struct say_rig_key *k)
{
    uint8_t seed[ED25519_SEED_BYTES] = "bench";
    put_be32(seed + 8, number);
    say_rig_key_of(&s.g.hash, k, SAY_RIG_SK, seed);
}

/* Whose files the gate's are: as root it would leave some that the gate may not read. */
static void become_gate(const char *dir)
{
    char path[PATH_MAX_CHARS];
    struct stat st;
    snprintf(path, sizeof path, "%s/gate", dir);
    must(stat(path, &st) == 0, path);
    must(geteuid() == st.st_uid || (setgid(st.st_gid) == 0 && setuid(st.st_uid) == 0), "this must run as root or as the gate's user");
}

static void open_store(const char *dir)
{
    char path[PATH_MAX_CHARS];
    uint8_t wal_key[32];
    AUTO(buf) struct buf why = BUF_INIT(4096);
    struct gate *g = &s.g;
    g->dir = dir;
    g->loop = loop_new();
    g->rng = keys_rng();
    g->crypto = keys_ctx_new();
    snprintf(path, sizeof path, "%s/tillit.conf", dir);
    must(conf_read(path, &g->conf, &why) == ERR_OK, path);
    must(tenants_keys_open(g, wal_key, &why) == ERR_OK, "the keys do not open: is the store served?");
    snprintf(path, sizeof path, "%s/gate", dir);
    struct logbook_config c = {.gate_dir = path, .loop = g->loop, .rng = g->rng, .wal_key = wal_key, .wall_ms = clock_wall_ms()};
    must(logbook_open(&g->logbook, &c, &g->boot, &why) == ERR_OK && tenants_open(g, &why) == ERR_OK, "the logs do not open");
    s.t = map_get(g->tenants, slice_of(s.tenant, ID_BYTES));
    must(s.t != NULL, "there is no such tenant");
}

static void settle(struct gate_log *l)
{
    while (log_durable(l) < log_size(l)) loop_turn(s.g.loop, 1);
}

/* What say.c does with a statement whose signature verified. on_provider: it stands on the provider log. */
static void say(struct say_rig_key *k, bool on_provider, enum record_statement_kind kind, const char *subject, const char *terms)
{
    AUTO(buf) struct buf text = BUF_INIT(STATEMENT_BYTES_MAX), signature = BUF_INIT(4096), value = BUF_INIT(OPENING_BYTES_MAX);
    struct record_statement parsed;
    struct gate_tenant *t = on_provider ? NULL : s.t;
    struct policy_statement st = {.s = &parsed};
    uint8_t grant[ID_BYTES];
    uint64_t index;
    if (s.nonce % 64 == 0) loop_turn(s.g.loop, 0);
    while (!logbook_ready(s.g.logbook, true)) loop_turn(s.g.loop, 1);
    say_rig_statement(s.tenant, s.old_ms, ++s.nonce, kind, subject, terms, &text);
    say_rig_sign(&s.g.hash, k, buf_slice(&text), &signature);
    must(record_statement_parse(buf_slice(&text), &parsed) == ERR_OK, "a statement is none");
    ledger_sha256(&s.g.hash, buf_slice(&text), s.digest);
    memcpy(st.digest, s.digest, HASH_BYTES);
    st.signer = (struct policy_signer){slice_str(k->text), k->kind == SAY_RIG_SK ? POLICY_KEY_SK : POLICY_KEY_SSH};
    must(log_time(t ? t->control : s.g.provider, clock_wall_ms(), &st.t_ms) == ERR_OK, "the clock");
    must(!t || say_mirror(&s.g, t, &st) == ERR_OK, "a mirror is not written");
    must(log_time(t ? t->control : s.g.provider, clock_wall_ms(), &st.t_ms) == ERR_OK, "the clock");
    buf_put_lp16(&value, buf_slice(&text));
    buf_put_slice(&value, buf_slice(&signature));
    bool about = t && base32_fixed(parsed.subject, grant, ID_BYTES) == ERR_OK;
    const struct say_leaf p = {.act = slice_str(record_statement_kind_text(kind)), .auth = k->kind == SAY_RIG_SK ? SLICE_LIT("sk") : SLICE_LIT("ssh"),
                               .peer = SLICE_LIT("127.0.0.1"), .stmt = buf_slice(&value), .who = slice_str(k->text), .grant = about ? grant : NULL};
    enum policy_say answer = t ? policy_say(t->state, &st) : policy_provider_say(&say_state(&s.g)->provider, &st);
    bool taken = answer == POLICY_SAY_DONE || answer == POLICY_SAY_WAITS;
    if (!taken) fprintf(stderr, "bench-state: %s: %s\n", record_statement_kind_text(kind), policy_say_text(answer));
    must(taken && say_append(&s.g, t, &p, st.t_ms, NULL, &index) == ERR_OK, "a statement is refused");
}

static void person(unsigned number, const char *role)
{
    char account[32], terms[1024];
    struct say_rig_key k;
    unsigned long long day = s.old_ms - DAY_MS;
    key_make(number, &k);
    snprintf(account, sizeof account, "bench-%u", number);
    snprintf(terms, sizeof terms, "employer=Provider AB\nkey=%s\nname=Some Person\noffice=SE\nperson=p-%s\nreview=%llu\nrole=%s\nscreening=%llu\ntraining=%llu", k.text,
             account, day, role, day, day);
    say(&s.officer, true, RECORD_STATEMENT_PERSON_SET, account, terms);
}

static void grant(unsigned number, unsigned who, bool live)
{
    uint8_t id[ID_BYTES], digest[HASH_BYTES];
    char subject[ID_TEXT_CHARS + 1], terms[1024], request[80];
    AUTO(buf) struct buf text = BUF_INIT(64);
    ledger_sha256(&s.g.hash, slice_of((const uint8_t *)&number, sizeof number), digest);
    memcpy(id, digest, ID_BYTES);
    tenants_id_text(id, subject);
    key_make(who, &s.person);
    snprintf(terms, sizeof terms, "bucket=%s\nbytes=1000000\ncategory=general\ncountry=SE\nduration=28800000\nobjects=20\nprefix=cases/%u/\npurpose=" PURPOSE
             "\nticket=T-%u\nverb=head\nverb=read", s.bucket, number, number);
    say(&s.person, false, RECORD_STATEMENT_ACCESS_REQUEST, subject, terms);
    buf_put_base64url(&text, slice_of(s.digest, HASH_BYTES));
    snprintf(request, sizeof request, "request=%.*s", (int)text.n, (const char *)text.p);
    if (!live) {
        say(&s.manager, false, RECORD_STATEMENT_ACCESS_REJECT, subject, request);
        return;
    }
    say(&s.manager, false, RECORD_STATEMENT_ACCESS_APPROVE, subject, request);
    say(&s.owner, false, RECORD_STATEMENT_ACCESS_APPROVE, subject, request);
}

int main(int argc, char **argv)
{
    if (argc != 9 || base32_fixed(slice_str(argv[4]), s.tenant, ID_BYTES) != ERR_OK) {
        fprintf(stderr, "usage: bench-state DIR OFFICER_KEY OWNER_KEY TENANT BUCKET PERSONS PAST LIVE\n");
        return 2;
    }
    unsigned persons = (unsigned)atoi(argv[6]), past = (unsigned)atoi(argv[7]), live = (unsigned)atoi(argv[8]);
    must(persons > 0, "nobody asks");
    must(ledger_hash_init(&s.g.hash) == ERR_OK, "no hash");
    key_read(argv[2], &s.officer);
    key_read(argv[3], &s.owner);
    become_gate(argv[1]);
    open_store(argv[1]);
    key_make(0, &s.manager);
    s.bucket = argv[5];
    s.old_ms = clock_wall_ms() - DAY_MS;
    say(&s.officer, true, RECORD_STATEMENT_PURPOSE_SET, PURPOSE, "category=general\nrole=engineer\nverb=head\nverb=read");
    person(0, "manager");
    for (unsigned i = 1; i <= persons; i++) person(i, "engineer");
    settle(s.g.provider);
    for (unsigned i = 0; i < past; i++) grant(live + i, 1 + i % persons, false);
    for (unsigned i = 0; i < live; i++) grant(i, 1 + i % persons, true);
    settle(s.t->control);
    printf("provider %llu control %llu\n", (unsigned long long)log_size(s.g.provider), (unsigned long long)log_size(s.t->control));
    logbook_close(s.g.logbook);
    return 0;
}
