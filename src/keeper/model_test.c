/* SPDX-License-Identifier: Apache-2.0
 * model_test: random commands on three keys against a small model of what the index must hold, all its rows compared.
 * Role: unit tests over socket pairs; the mem engine fails writes now and then, persisted or not, and the rocksdb engine is started again.
 * Law: LAW-2: what no command asks for does not change
 * Spec: docs/spec/entry.md sections 2 and 3; DESIGN rules 1, 2, 10
 */
#include "keeper/lines.h"

#define ABSENT COMMAND_GUARD_ABSENT
#define KEYS 3
#define VERSIONS_MAX 400
#define GRAVES_MAX 4000
#define UPLOADS_MAX 8
#define SETS_MAX 400
#define PARTS 6 /* numbers 1 to 6 */
#define BURST_MAX 6

struct version {
    uint64_t leaf, revision;
    uint8_t flags;
    size_t blob_count;
    struct blob blobs[2];
    uint8_t set[ID_BYTES];
    uint16_t parts;
};
struct buried {
    size_t key;
    uint64_t burial, due;
    struct version v;
};
struct part {
    uint64_t leaf; /* ABSENT: none */
    struct blob blob;
};
struct upload {
    uint8_t id[ID_BYTES];
    size_t key;
    bool open;
    struct part parts[PARTS + 1];
};
struct set {
    uint8_t id[ID_BYTES];
    size_t count;
    unsigned number[PARTS];
    uint64_t off[PARTS], size[PARTS];
    struct blob blobs[PARTS];
};
struct model {
    struct rig r;
    uint64_t random, at;
    struct version versions[KEYS][VERSIONS_MAX]; /* by leaf; the last is the current one */
    size_t version_count[KEYS];
    struct buried graves[GRAVES_MAX];
    size_t grave_count;
    struct upload uploads[UPLOADS_MAX];
    struct set sets[SETS_MAX];
    size_t set_count;
    uint64_t id_number;
    /* sent and not answered */
    struct buf frames;
    uint8_t expected[BURST_MAX];
    size_t burst;
    unsigned done[12], refused[12];
};

static const char *const names[KEYS] = {"a", "a/b", "k\xc3\xa5"};

static uint64_t roll(struct model *m, uint64_t below) {
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return m->random % below;
}

static bool is_null(const struct version *v) { return (v->flags & ENTRY_FLAG_NULL) != 0; }
static bool is_marker(const struct version *v) { return (v->flags & ENTRY_FLAG_DELETE_MARKER) != 0; }

static struct version *current_of(struct model *m, size_t key) {
    return m->version_count[key] == 0 ? NULL : &m->versions[key][m->version_count[key] - 1];
}

/* what the index must hold -------------------------------------------------------------------------------------------- */

static void version_text(const struct version *v, char out[128]) {
    const uint8_t *ids[2] = {v->blobs[0].id, v->blobs[1].id};
    lines_bytes(v->parts > 0 ? v->set : NULL, v->parts, v->blob_count, ids, out);
}

struct tally {
    uint64_t id[20000];
    unsigned count[20000];
    size_t n;
};
static unsigned *tally_of(struct tally *t, const uint8_t *id) {
    uint64_t number = get_be64(id);
    for (size_t i = 0; i < t->n; i++)
        if (t->id[i] == number) return &t->count[i];
    t->id[t->n] = number;
    t->count[t->n] = 0;
    return &t->count[t->n++];
}

static void tally_version(struct tally *t, const struct version *v) {
    for (size_t i = 0; i < v->blob_count; i++) ++*tally_of(t, v->blobs[i].id);
    if (v->parts > 0) ++*tally_of(t, v->set);
}

static void expect_versions(struct model *m, struct lines *l) {
    char what[128];
    for (size_t k = 0; k < KEYS; k++) {
        for (size_t i = 0; i < m->version_count[k]; i++) {
            const struct version *v = &m->versions[k][i];
            bool current = i + 1 == m->version_count[k];
            version_text(v, what);
            lines_add(l, "%c %s %llu rev=%llu flags=%u %s", current ? 'E' : 'V', names[k], U64(v->leaf), U64(v->revision), v->flags, what);
            if (is_null(v) && !current) lines_add(l, "U %s %llu", names[k], U64(v->leaf));
        }
    }
    for (size_t i = 0; i < m->grave_count; i++) {
        const struct buried *g = &m->graves[i];
        version_text(&g->v, what);
        lines_add(l, "G %s %llu %llu due=%llu flags=%u %s", names[g->key], U64(g->burial), U64(g->v.leaf), U64(g->due), g->v.flags, what);
        lines_add(l, "D %llu %llu %llu %s", U64(g->due), U64(g->burial), U64(g->v.leaf), names[g->key]);
    }
}

static void expect(struct model *m, struct lines *l) {
    static struct tally t;
    t.n = 0;
    expect_versions(m, l);
    for (size_t k = 0; k < KEYS; k++)
        for (size_t i = 0; i < m->version_count[k]; i++) tally_version(&t, &m->versions[k][i]);
    for (size_t i = 0; i < m->grave_count; i++) tally_version(&t, &m->graves[i].v);
    for (size_t i = 0; i < UPLOADS_MAX; i++) {
        struct upload *u = &m->uploads[i];
        if (!u->open) continue;
        lines_add(l, "M %s %llu", names[u->key], U64(get_be64(u->id)));
        for (unsigned n = 1; n <= PARTS; n++) {
            if (u->parts[n].leaf == ABSENT) continue;
            lines_add(l, "T %llu %u %llu blob=%llu", U64(get_be64(u->id)), n, U64(u->parts[n].leaf), U64(get_be64(u->parts[n].blob.id)));
            ++*tally_of(&t, u->parts[n].blob.id);
        }
    }
    for (size_t i = 0; i < m->set_count;) {
        struct set *s = &m->sets[i];
        if (*tally_of(&t, s->id) == 0) { /* nobody refers to it any more */
            *s = m->sets[--m->set_count];
            continue;
        }
        for (size_t n = 0; n < s->count; n++) {
            lines_add(l, "O %llu %llu %u size=%llu blob=%llu", U64(get_be64(s->id)), U64(s->off[n]), s->number[n], U64(s->size[n]), U64(get_be64(s->blobs[n].id)));
            ++*tally_of(&t, s->blobs[n].id);
        }
        i++;
    }
    for (size_t i = 0; i < t.n; i++) {
        if (t.count[i] == 0) continue;
        lines_add(l, "B %llu %u", U64(t.id[i]), t.count[i]);
        bool set = false;
        for (size_t k = 0; k < m->set_count; k++) set = set || get_be64(m->sets[k].id) == t.id[i];
        if (!set) lines_add(l, "I %llu", U64(t.id[i]));
    }
}

static void compare(struct model *m) {
    static struct lines want;
    static struct lines seen;
    lines_of_index(&seen, m->r.k.store);
    expect(m, &want);
    lines_compare(&want, &seen, m->r.index);
    struct usage counted = lines_usage(m->r.k.store);
    if (counted.objects != m->r.usage.objects || counted.bytes != m->r.usage.bytes)
        fail_msg("leaf %llu: the index holds %llu objects, %llu bytes; the keeper says %llu, %llu", U64(m->r.index), U64(counted.objects), U64(counted.bytes),
                 U64(m->r.usage.objects), U64(m->r.usage.bytes));
}

/* commands --------------------------------------------------------------------------------------------------------------- */

static void send_one(struct model *m, uint8_t kind, struct buf *c, uint8_t expected) {
    struct wire_apply a = {.index = m->r.index, .last = 1, .command = buf_slice(c)};
    memcpy(a.log, rig_log, ID_BYTES);
    assert_true(buf_ok(c));
    assert_int_equal(wire_put_apply(&m->frames, 100 + m->r.index, &a), ERR_OK);
    buf_done(c);
    assert_true(m->burst < BURST_MAX);
    m->expected[m->burst++] = expected;
    m->r.index++;
    if (expected == WIRE_SETTLED_DONE) m->done[kind]++;
    else m->refused[kind]++;
}

static void finish(struct model *m) {
    peer_send(&m->r.gate, &m->frames); /* in one piece: one turn, one batch */
    buf_reset(&m->frames);
    uint64_t first = m->r.index - m->burst;
    for (size_t i = 0; i < m->burst; i++) {
        uint8_t outcome = rig_outcome(&m->r, first + i);
        if (outcome != m->expected[i]) fail_msg("leaf %llu: outcome %u", U64(first + i), outcome);
    }
    m->burst = 0;
}

static void bury(struct model *m, size_t key, const struct version *v, uint64_t grave_ms) {
    if (is_marker(v)) return;
    assert_true(m->grave_count < GRAVES_MAX);
    m->graves[m->grave_count++] = (struct buried){.key = key, .burial = m->r.index, .due = m->at + MAX(grave_ms, (uint64_t)GRAVE_MIN_MS), .v = *v};
}

static void drop_version(struct model *m, size_t key, size_t i) {
    memmove(&m->versions[key][i], &m->versions[key][i + 1], (m->version_count[key] - i - 1) * sizeof(struct version));
    m->version_count[key]--;
}

/* A turn that fits the model's state; `next` takes the place, or nothing does. */
static struct command_turn turn_for(struct model *m, size_t key, const struct version *next) {
    const struct version *current = current_of(m, key);
    struct command_turn t = {.guard = current != NULL ? current->leaf : ABSENT, .null_leaf = ABSENT, .grave_ms = roll(m, 3) * 50000};
    bool two_nulls = next != NULL && is_null(next) && current != NULL && is_null(current);
    t.keep = next != NULL && !two_nulls && roll(m, 3) > 0;
    for (size_t i = 0; i + 1 < m->version_count[key]; i++) {
        bool must = next != NULL && is_null(next);
        if (is_null(&m->versions[key][i]) && (must || roll(m, 8) == 0)) t.null_leaf = m->versions[key][i].leaf;
    }
    return t;
}

static void take_turn(struct model *m, size_t key, const struct command_turn *t, const struct version *next) {
    for (size_t i = 0; i < m->version_count[key]; i++) {
        if (m->versions[key][i].leaf != t->null_leaf) continue;
        bury(m, key, &m->versions[key][i], t->grave_ms);
        drop_version(m, key, i);
        break;
    }
    if (t->guard != ABSENT && !t->keep) {
        bury(m, key, current_of(m, key), t->grave_ms);
        drop_version(m, key, m->version_count[key] - 1);
    }
    if (next == NULL) return;
    assert_true(m->version_count[key] < VERSIONS_MAX);
    m->versions[key][m->version_count[key]++] = *next;
}

static void entry_of(struct buf *out, const struct version *v) {
    const struct entry_parts e = {.flags = v->flags, .leaf = v->leaf, .revision = v->revision, .blobs = v->blobs, .blob_count = v->blob_count,
                                  .set = v->parts > 0 ? v->set : NULL, .parts = v->parts};
    build_entry_lp32(out, &e);
}

static struct version fresh(struct model *m) {
    return (struct version){.leaf = m->r.index, .revision = m->r.index, .flags = roll(m, 2) ? ENTRY_FLAG_NULL : 0};
}

static void put_staged(struct model *m, size_t key) {
    struct version v = fresh(m);
    bool marker = roll(m, 4) == 0;
    bool there = marker || roll(m, 10) > 0;
    if (marker) v.flags |= ENTRY_FLAG_DELETE_MARKER;
    v.blob_count = marker ? 0 : 1 + roll(m, 2);
    for (size_t i = 0; i < v.blob_count; i++) v.blobs[i] = there ? rig_staged(&m->r, 20) : rig_blob(&m->r, 20);
    struct command_turn t = turn_for(m, key, &v);
    struct buf c = BUF_INIT(8192);
    build_head(&c, COMMAND_PUT, m->at);
    build_place(&c, names[key]);
    build_turn(&c, &t);
    buf_put_u8(&c, SOURCE_STAGED);
    entry_of(&c, &v);
    if (there) take_turn(m, key, &t, &v);
    send_one(m, COMMAND_PUT, &c, there ? WIRE_SETTLED_DONE : WIRE_SETTLED_REFUSED);
}

/* Any version of any key that has bytes, or NULL. */
static const struct version *source_for(struct model *m, size_t *key) {
    *key = roll(m, KEYS);
    if (m->version_count[*key] == 0) return NULL;
    const struct version *v = &m->versions[*key][roll(m, m->version_count[*key])];
    return is_marker(v) ? NULL : v;
}

static void put_shared(struct model *m, size_t key) {
    size_t from = 0;
    const struct version *source = source_for(m, &from);
    if (source == NULL) return;
    bool there = roll(m, 10) > 0;
    uint64_t leaf = there ? source->leaf : m->r.index + 5;
    struct version v = *source;
    v.leaf = v.revision = m->r.index;
    v.flags = (uint8_t)((v.flags & ENTRY_FLAG_SET) | (roll(m, 2) ? ENTRY_FLAG_NULL : 0));
    struct command_turn t = turn_for(m, key, &v);
    struct buf c = BUF_INIT(8192);
    build_head(&c, COMMAND_PUT, m->at);
    build_place(&c, names[key]);
    build_turn(&c, &t);
    buf_put_u8(&c, SOURCE_SHARED);
    build_place(&c, names[from]);
    buf_put_u64(&c, leaf);
    entry_of(&c, &v);
    if (there) take_turn(m, key, &t, &v);
    send_one(m, COMMAND_PUT, &c, there ? WIRE_SETTLED_DONE : WIRE_SETTLED_REFUSED);
}

static void delete_current(struct model *m, size_t key) {
    if (m->version_count[key] > 1) return; /* only keys that were never versioned are deleted so */
    struct command_turn t = turn_for(m, key, NULL);
    struct buf c = BUF_INIT(8192);
    build_head(&c, COMMAND_DELETE, m->at);
    build_place(&c, names[key]);
    build_turn(&c, &t);
    take_turn(m, key, &t, NULL);
    send_one(m, COMMAND_DELETE, &c, WIRE_SETTLED_DONE);
}

static void delver_fields(struct model *m, struct buf *c, size_t key, size_t i) {
    uint64_t grave_ms = roll(m, 3) * 50000;
    build_place(c, names[key]);
    buf_put_u64(c, m->versions[key][i].leaf);
    buf_put_u64(c, grave_ms);
    bury(m, key, &m->versions[key][i], grave_ms);
    drop_version(m, key, i);
}

static void delete_version(struct model *m, size_t key) {
    if (m->version_count[key] == 0) return;
    struct buf c = BUF_INIT(8192);
    build_head(&c, COMMAND_DELVER, m->at);
    size_t n = m->version_count[key];
    delver_fields(m, &c, key, roll(m, 3) == 0 ? n - 1 : roll(m, n));
    send_one(m, COMMAND_DELVER, &c, WIRE_SETTLED_DONE);
}

/* Several versions of one key in one command, the current ones first: each promotes the next. */
static void delete_in_batch(struct model *m, size_t key) {
    size_t n = 1 + roll(m, 4);
    n = MIN(n, m->version_count[key]);
    if (n == 0) return;
    struct buf c = BUF_INIT(8192);
    build_head(&c, COMMAND_BATCH, m->at);
    buf_put_u16(&c, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        size_t left = m->version_count[key];
        buf_put_u8(&c, COMMAND_DELVER);
        delver_fields(m, &c, key, roll(m, 2) == 0 ? left - 1 : roll(m, left));
    }
    send_one(m, COMMAND_BATCH, &c, WIRE_SETTLED_DONE);
}

static void rewrite(struct model *m, size_t key) {
    if (m->version_count[key] == 0) return;
    struct version *v = &m->versions[key][roll(m, m->version_count[key])];
    struct buf c = BUF_INIT(8192);
    build_head(&c, COMMAND_REWRITE, m->at);
    build_place(&c, names[key]);
    buf_put_u64(&c, v->leaf);
    buf_put_u64(&c, v->revision);
    v->revision = m->r.index;
    entry_of(&c, v);
    send_one(m, COMMAND_REWRITE, &c, WIRE_SETTLED_DONE);
}

static void undelete(struct model *m) {
    if (m->grave_count == 0) return;
    size_t i = roll(m, m->grave_count);
    struct buried g = m->graves[i];
    bool there = roll(m, 6) > 0;
    struct version v = g.v;
    v.leaf = v.revision = m->r.index;
    v.flags = (uint8_t)((v.flags & ENTRY_FLAG_SET) | (roll(m, 2) ? ENTRY_FLAG_NULL : 0));
    struct command_turn t = turn_for(m, g.key, &v);
    struct buf c = BUF_INIT(8192);
    build_head(&c, COMMAND_UNDELETE, m->at);
    build_place(&c, names[g.key]);
    build_turn(&c, &t);
    buf_put_u64(&c, there ? g.v.leaf : g.v.leaf + 100000);
    entry_of(&c, &v);
    if (there) {
        m->graves[i] = m->graves[--m->grave_count];
        take_turn(m, g.key, &t, &v);
    }
    send_one(m, COMMAND_UNDELETE, &c, there ? WIRE_SETTLED_DONE : WIRE_SETTLED_REFUSED);
}

static void purge(struct model *m) {
    bool gone = roll(m, 20) == 0;
    uint64_t before = m->at + roll(m, 120000);
    struct buf c = BUF_INIT(256);
    command_purge(&c, before, gone);
    for (size_t i = 0; i < m->grave_count;) {
        if (m->graves[i].due <= before) m->graves[i] = m->graves[--m->grave_count];
        else i++;
    }
    for (size_t i = 0; gone && i < UPLOADS_MAX; i++) m->uploads[i].open = false;
    send_one(m, COMMAND_PURGE, &c, WIRE_SETTLED_DONE);
}

static void head_upload(struct model *m, struct buf *c, uint8_t kind, const struct upload *u) {
    build_head(c, kind, m->at);
    build_place(c, names[u->key]);
    if (kind != COMMAND_COMPLETE) buf_put(c, u->id, ID_BYTES);
}

static void begin_upload(struct model *m, struct upload *u) {
    *u = (struct upload){.key = roll(m, KEYS), .open = true};
    put_be64(u->id, 1000000 + ++m->id_number);
    u->id[15] = 'u';
    for (unsigned n = 0; n <= PARTS; n++) u->parts[n].leaf = ABSENT;
    const struct entry_parts e = {.flags = ENTRY_FLAG_UPLOAD, .leaf = m->r.index};
    struct buf c = BUF_INIT(8192);
    head_upload(m, &c, COMMAND_UPLOAD, u);
    build_entry_lp32(&c, &e);
    send_one(m, COMMAND_UPLOAD, &c, WIRE_SETTLED_DONE);
}

static void put_part(struct model *m, struct upload *u) {
    struct part *p = &u->parts[1 + roll(m, PARTS)];
    size_t from = 0;
    const struct version *source = roll(m, 3) == 0 ? source_for(m, &from) : NULL;
    bool shared = source != NULL && source->parts == 0 && source->blob_count == 1;
    bool guard_good = roll(m, 8) > 0;
    bool fits = u->open && guard_good;
    struct blob blob = shared ? source->blobs[0] : rig_staged(&m->r, 20);
    const struct entry_parts e = {.flags = ENTRY_FLAG_PART, .leaf = m->r.index, .blobs = &blob, .blob_count = 1};
    struct buf c = BUF_INIT(8192);
    head_upload(m, &c, COMMAND_PART, u);
    buf_put_u16(&c, (uint16_t)(p - u->parts));
    buf_put_u64(&c, guard_good ? p->leaf : p->leaf ^ 1);
    buf_put_u8(&c, shared ? SOURCE_SHARED : SOURCE_STAGED);
    if (shared) {
        build_place(&c, names[from]);
        buf_put_u64(&c, source->leaf);
    }
    build_entry_lp32(&c, &e);
    if (fits) *p = (struct part){.leaf = m->r.index, .blob = blob};
    send_one(m, COMMAND_PART, &c, fits ? WIRE_SETTLED_DONE : WIRE_SETTLED_REFUSED);
}

static void complete(struct model *m, struct upload *u) {
    struct version v = fresh(m);
    struct set s = {0};
    struct command_turn t;
    bool chosen[PARTS + 1] = {false};
    bool guards_good = roll(m, 6) > 0;
    for (unsigned n = 1; n <= PARTS; n++) {
        chosen[n] = u->parts[n].leaf != ABSENT && roll(m, 4) > 0;
        if (!chosen[n]) continue;
        s.blobs[s.count] = u->parts[n].blob;
        s.number[s.count] = n;
        s.size[s.count] = 1 + roll(m, 1000);
        s.off[s.count] = s.count == 0 ? 0 : s.off[s.count - 1] + s.size[s.count - 1];
        s.count++;
    }
    if (s.count == 0) return;
    bool fits = u->open && guards_good;
    memcpy(s.id, u->id, ID_BYTES);
    memcpy(v.set, u->id, ID_BYTES);
    v.flags |= ENTRY_FLAG_SET;
    v.parts = (uint16_t)s.count;
    t = turn_for(m, u->key, &v);
    struct buf c = BUF_INIT(8192);
    head_upload(m, &c, COMMAND_COMPLETE, u);
    build_turn(&c, &t);
    buf_put(&c, u->id, ID_BYTES);
    entry_of(&c, &v);
    buf_put_u16(&c, v.parts);
    for (unsigned n = 1, at = 0; n <= PARTS; n++) {
        if (!chosen[n]) continue;
        buf_put_u16(&c, (uint16_t)n);
        buf_put_u64(&c, guards_good ? u->parts[n].leaf : u->parts[n].leaf ^ 1);
        buf_put_u64(&c, s.off[at]);
        buf_put_u64(&c, s.size[at++]);
        buf_put_lp16(&c, SLICE_LIT("sealed"));
    }
    if (fits) {
        assert_true(m->set_count < SETS_MAX);
        m->sets[m->set_count++] = s;
        u->open = false;
        take_turn(m, u->key, &t, &v);
    }
    send_one(m, COMMAND_COMPLETE, &c, fits ? WIRE_SETTLED_DONE : WIRE_SETTLED_REFUSED);
}

static void abort_upload(struct model *m, struct upload *u) {
    struct buf c = BUF_INIT(8192);
    head_upload(m, &c, COMMAND_ABORT, u);
    send_one(m, COMMAND_ABORT, &c, u->open ? WIRE_SETTLED_DONE : WIRE_SETTLED_REFUSED);
    u->open = false;
}

/* settled: what these look at is found in the engine only, so the one before must be settled, as it is under the gate's hold */
static void step(struct model *m, bool settled) {
    size_t key = roll(m, KEYS);
    struct upload *u = &m->uploads[roll(m, UPLOADS_MAX)];
    if (m->version_count[key] > 25) {
        delete_version(m, key);
        return;
    }
    switch (roll(m, settled ? 16 : 14)) {
    case 0: case 1: case 2: put_staged(m, key); break;
    case 3: put_shared(m, key); break;
    case 4: delete_current(m, key); break;
    case 5: case 6: delete_version(m, key); break;
    case 7: delete_in_batch(m, key); break;
    case 8: rewrite(m, key); break;
    case 9: case 10: case 11:
        if (u->open) put_part(m, u);
        else if (get_be64(u->id) != 0 && roll(m, 8) == 0) put_part(m, u); /* refused: it is gone */
        else begin_upload(m, u);
        break;
    case 12: if (get_be64(u->id) != 0) complete(m, u); break;
    case 13: if (get_be64(u->id) != 0) abort_upload(m, u); break;
    case 14: undelete(m); break;
    default: purge(m); break;
    }
}

enum trouble { TROUBLE_NONE, TROUBLE_FAILURES, TROUBLE_RESTARTS };

static void run(unsigned steps, uint64_t seed, enum trouble trouble) {
    const struct store_engine *engine = trouble == TROUBLE_RESTARTS ? &store_engine_rocksdb : &store_engine_mem;
    struct model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    rig_open(&m->r, engine);
    m->random = seed;
    m->frames = BUF_INIT(SIZE_MAX / 2);
    m->at = 1000;
    for (unsigned i = 0; i < steps;) {
        size_t size = roll(m, 3) == 0 ? 1 + roll(m, BURST_MAX) : 1;
        for (size_t n = 0; n < size; n++, i++) step(m, size == 1);
        if (m->burst == 0) continue;
        if (trouble == TROUBLE_FAILURES && roll(m, 25) == 0) store_mem_fail(m->r.k.store, 1, roll(m, 2) == 0, 0);
        finish(m);
        m->at += roll(m, 20000);
        if (trouble == TROUBLE_RESTARTS && roll(m, 60) == 0) {
            rig_halt(&m->r);
            rig_start(&m->r, engine);
        }
        compare(m);
    }
    for (uint8_t k = COMMAND_PUT; k <= COMMAND_REWRITE; k++) assert_true(m->done[k] > steps / 200); /* the walk went everywhere */
    static const uint8_t may_refuse[] = {COMMAND_PUT, COMMAND_UNDELETE, COMMAND_PART, COMMAND_COMPLETE, COMMAND_ABORT};
    for (size_t k = 0; k < ARRAY_LEN(may_refuse); k++) assert_true(m->refused[may_refuse[k]] > 0);
    buf_done(&m->frames);
    rig_close(&m->r);
    free(m);
}

static void the_index_is_what_the_model_says_after_every_command(void **state) {
    (void)state;
    const char *seed = getenv("KEEPER_TEST_SEED");
    uint64_t n = 7;
    if (seed != NULL) assert_int_equal(slice_u64(slice_str(seed), UINT64_MAX, &n), ERR_OK);
    run(2500, n * 0x9e3779b97f4a7c15u + 1, TROUBLE_NONE);
}

static void so_it_is_when_writes_fail_in_between(void **state) {
    (void)state;
    run(1500, 0x123456789abcdefu, TROUBLE_FAILURES);
}

static void so_it_is_when_the_keeper_is_started_again_in_between(void **state) {
    (void)state;
    run(800, 0xfedcba987654321u, TROUBLE_RESTARTS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_is_what_the_model_says_after_every_command),
        cmocka_unit_test(so_it_is_when_writes_fail_in_between),
        cmocka_unit_test(so_it_is_when_the_keeper_is_started_again_in_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
