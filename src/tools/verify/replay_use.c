/* SPDX-License-Identifier: Apache-2.0
 * replay_use: one `acc` leaf of the control log: what a person of the provider saw under a grant, and which keys went out.
 * Role: replay.c asks before the leaf is folded, so that what the grant has used is what stands before it. Trusts: the fold of both logs up to there.
 * Distrusts: the leaf: that it was allowed, where it stands, what it opened, and of which stream it is a part.
 * Law: 1, 4. Spec: docs/spec/access.md sections 5 and 7
 */
#include "verify/replay_in.h"

#include "frame/frame.h"

#include <stdlib.h>

/* What was released of one object, from its first leaf on. */
struct stream {
    uint8_t about[HASH_BYTES];                        /* grant, object, version */
    uint64_t next, last;                              /* segments: that comes (VERIFY_NOWHERE: any), and the last one asked for (not known) */
    uint64_t size;                                    /* of an object in one blob; VERIFY_NOWHERE */
    uint64_t left;                                    /* of the object, not released in this stream yet; VERIFY_NOWHERE: not known */
    const struct verify_upload *parts;                /* of which it was made; NULL: none, or not known */
    uint64_t acc;                                     /* where the read stands */
};

static bool is_get(const struct record_leaf *l)
{
    struct slice act = record_text(l, RECORD_F_ACT);
    return slice_is(act, "GetObject") || slice_is(act, "GetObjectVersion") || slice_is(act, "GetObjectPart");
}

static struct slice opened(const struct replay *p, enum record_field f)
{
    const struct record_opened *o = record_opened_field(p->opening, f);
    return o ? o->value : slice_of(NULL, 0);
}

static void find(struct replay *p, const char *name, uint64_t index, const char *what) { verify_find(p->report, name, "control", index, "%s", what); }

/* who ----------------------------------------------------------------------------------------------------------------------------- */

/* The leaf says in its own words who read, for whom and why: what a customer reads must be what the signatures say. NULL: it does. */
static const char *who_wrong(struct replay *p, const struct record_leaf *l)
{
    struct policy_request r;
    struct policy_use use;
    struct slice person = opened(p, RECORD_F_PERSON), employer = opened(p, RECORD_F_ENT);
    if (policy_request_of(l, p->opening, &r) != ERR_OK) return NULL;              /* told by the decision */
    if (!record_has(l, RECORD_F_GRANT) || !policy_use_of(&p->state, &r, &use)) return "the leaf names no grant that there is";
    if (memcmp(use.grant->id, l->f[RECORD_F_GRANT].bytes, ID_BYTES) != 0) return "the leaf names another grant than the caller";
    if (!record_has(l, RECORD_F_PERSON) || !record_has(l, RECORD_F_ENT)) return "the leaf does not name the person and the employer";
    if (person.p && !slice_is(person, use.person->person)) return "the leaf names another person than the account's";
    if (employer.p && !slice_is(employer, use.person->employer)) return "the leaf names another employer than the person's";
    if (!slice_is(record_text(l, RECORD_F_PURPOSE), use.grant->purpose)) return "the leaf names another purpose than the grant's";
    if (record_has(l, RECORD_F_BKT) && !slice_eq(record_text(l, RECORD_F_CAT), policy_bucket_categories(&p->state, l->f[RECORD_F_BKT].bytes)))
        return "the leaf names other categories than the bucket's";
    return slice_is(record_text(l, RECORD_F_CTRY), use.grant->country) ? NULL : "the leaf names another country than the grant's";
}

/* where it stands ----------------------------------------------------------------------------------------------------------------- */

/* Both logs were appended in one order: exactly the access leaves below `acc` stand before this one. Anything else would let a read choose its
 * own moment. False: it stands past the access log's export, and what it saw cannot be compared. */
static bool placed(struct replay *p, uint64_t index, const struct record_leaf *l)
{
    bool saw = record_has(l, RECORD_F_VER) || record_has(l, RECORD_F_ASOF);
    uint64_t acc = record_int(l, RECORD_F_ACC, VERIFY_NOWHERE);
    p->at = p->before;
    if (acc == VERIFY_NOWHERE) {
        if (saw) find(p, "wrong-acc", index, "the leaf does not say where on the access log it stands");
        return !saw;
    }
    if (acc == p->before) return true;
    if (acc > p->before && p->ended) {
        p->ahead++;
        return false;
    }
    verify_find(p->report, "wrong-acc", "control", index, "acc is %llu, %llu leaves of the access log stand before it", (unsigned long long)acc,
                (unsigned long long)p->before);
    return false;
}

/* what went out ------------------------------------------------------------------------------------------------------------------- */

static bool about(struct replay *p, const struct record_leaf *l, uint8_t out[HASH_BYTES])
{
    AUTO(buf) struct buf b = BUF_INIT(OPENING_BYTES_MAX);
    struct slice obj = opened(p, RECORD_F_OBJ), ver = opened(p, RECORD_F_VER);
    if (!obj.p || !ver.p || !record_has(l, RECORD_F_GRANT)) return false;
    buf_put(&b, l->f[RECORD_F_GRANT].bytes, ID_BYTES);
    buf_put_lp16(&b, obj);
    buf_put_lp16(&b, ver);
    ledger_sha256(&p->hash, buf_slice(&b), out);
    return buf_ok(&b);
}

/* The write that made the version a leaf names; NULL: none did. */
static const struct verify_write *written(const struct replay *p, uint64_t ver)
{
    size_t low = 0, high = p->fold.write_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->fold.writes[middle].index < ver) low = middle + 1;
        else high = middle;
    }
    return low < p->fold.write_count && p->fold.writes[low].index == ver ? &p->fold.writes[low] : NULL;
}

/* The segments that a stream may give: of an object in one blob those of the range. Of others the log does not say which parts were taken: each counts its
 * segments from 0, and holds what some part of the upload does. */
static void bounds(struct replay *p, const struct record_leaf *l, struct stream *s)
{
    uint64_t ver, revision, first = 0, last = 0;
    struct frame_range range;
    struct slice list = l->f[RECORD_F_RANGE].text;
    *s = (struct stream){.next = VERIFY_NOWHERE, .last = VERIFY_NOWHERE, .size = VERIFY_NOWHERE, .left = VERIFY_NOWHERE};
    if (record_ver_get(opened(p, RECORD_F_VER), &ver, &revision) != ERR_OK) return;
    const struct verify_write *w = written(p, ver);
    if (w) s->parts = w->ends;
    const struct verify_write *push = w && w->ends && w + 1 < p->fold.writes + p->fold.write_count && w[1].index == ver ? w + 1 : w;
    if (push && push->size > 0) s->left = push->size; /* 0: it is empty, or its `new` was erased */
    if (!w || !w->one || w->size == 0 || w->size > FRAME_BLOB_BYTES_MAX) return;
    bool part = record_has(l, RECORD_F_RANGE) && record_list_int(&list, &first) && record_list_int(&list, &last) && first <= last;
    if (frame_range(w->size, first, part ? last - first + 1 : w->size, &range) != ERR_OK) return;      /* told as wrong-bytes */
    s->size = w->size;
    s->next = range.segment_first;
    s->last = range.segment_last;
}

/* One release: the next segments in order, few at a time, and as many bytes as they hold. */
static const char *release_wrong(const struct record_leaf *l, struct stream *s, uint64_t first, uint64_t last)
{
    uint64_t bytes = record_int(l, RECORD_F_BYTES, 0), from = first * SEGMENT_PLAIN_BYTES;
    bool part = s->size == VERIFY_NOWHERE && (first == 0 || s->next == VERIFY_NOWHERE);
    if (first != s->next && !part) return "segs does not begin where the stream stands";
    if (last < first || last - first >= METER_SEGMENTS_MAX) return "segs are more than are released at once";
    if (s->last != VERIFY_NOWHERE && last > s->last) return "segs goes past what was asked for";
    if (bytes > s->left) return "bytes are more than the object has left in this stream";
    if (s->left != VERIFY_NOWHERE) s->left -= bytes;
    s->next = last + 1;
    uint64_t most = (last - first + 1) * SEGMENT_PLAIN_BYTES;
    if (s->size == VERIFY_NOWHERE && bytes > most) return "bytes are more than the segments can hold";
    if (s->size == VERIFY_NOWHERE) return !s->parts || verify_upload_holds(s->parts, from, most, bytes) ? NULL : "bytes is not what these segments of any part hold";
    return bytes == MIN(most, s->size - from) ? NULL : "bytes is not what the segments hold";
}

static void segments(struct replay *p, uint64_t index, const struct record_leaf *l, struct stream *s)
{
    uint64_t first, last;
    struct slice list = l->f[RECORD_F_SEGS].text;
    if (!record_has(l, RECORD_F_SEGS) || !record_list_int(&list, &first) || !record_list_int(&list, &last) || list.n > 0 || last >= (uint64_t)1 << 32) {
        find(p, "wrong-release", index, "a release without its first and last segment");
        return;
    }
    const char *why = release_wrong(l, s, first, last);
    if (why) find(p, strncmp(why, "bytes", 5) == 0 ? "wrong-bytes" : "wrong-release", index, why);
}

static struct slice stream_key(uint8_t key[8], uint64_t index)
{
    put_be64(key, index);
    return slice_of(key, 8);
}

/* The first leaf: it stands where `acc` says, like any read. Not `there`: past the export, what it saw cannot be compared, but what it began can. */
static void begins(struct replay *p, uint64_t index, const struct record_leaf *l, bool there)
{
    uint8_t key[8];
    struct stream s, *kept;
    if (there) replay_look(p, index, l);
    bool allow = slice_is(record_text(l, RECORD_F_DEC), "allow");
    if (!allow || record_has(l, RECORD_F_WHY) || !is_get(l)) {
        /* A refused release says what it would have opened. */
        if (record_has(l, RECORD_F_SEGS) || (allow && record_int(l, RECORD_F_BYTES, 0) > 0)) find(p, "wrong-release", index, "keys went out with what opens nothing");
        return;
    }
    bounds(p, l, &s);
    s.acc = record_int(l, RECORD_F_ACC, p->at);
    segments(p, index, l, &s);
    if (!about(p, l, s.about)) return;                /* erased: what goes on under it cannot be compared */
    kept = malloc(sizeof *kept);
    if (!kept || map_put(p->streams, stream_key(key, index), kept) != ERR_OK) {
        free(kept);
        p->broken = true;
        return;
    }
    *kept = s;
}

/* A further release of a stream: it shows the version with which the stream began, whatever was written since. */
static void goes_on(struct replay *p, uint64_t index, const struct record_leaf *l)
{
    uint8_t key[8], is[HASH_BYTES];
    struct stream *s = map_get(p->streams, stream_key(key, record_int(l, RECORD_F_REF, 0)));
    if (!slice_is(record_text(l, RECORD_F_DEC), "allow")) return;                 /* it was not released */
    if (!about(p, l, is)) p->erased++;
    else if (!s) find(p, "wrong-release", index, "ref is no first leaf of a stream");
    else if (memcmp(is, s->about, HASH_BYTES) != 0) find(p, "wrong-release", index, "ref is a stream of another grant, object or version");
    else if (record_int(l, RECORD_F_ACC, VERIFY_NOWHERE) != s->acc) find(p, "wrong-acc", index, "acc is another place than where the stream began");
    else segments(p, index, l, s);
}

/* A listing is decided by the prefix in `ctx`, and gives what `qry` says. */
static bool listed_as_decided(struct replay *p, const struct record_leaf *l)
{
    struct slice qry = opened(p, RECORD_F_QRY), ctx = opened(p, RECORD_F_CTX), name, v, prefix = {0};
    struct record_qry q;
    if (!qry.p || record_qry_get(qry, &q) != ERR_OK || (record_has(l, RECORD_F_CTX) && !ctx.p)) return true;      /* none, erased, or told as bad-opening */
    struct reader in = reader_of(ctx);
    while (ctx.p && record_ctx_next(&in, &name, &v))
        if (slice_is(name, "?prefix")) prefix = v;
    return slice_eq(prefix, q.prefix);
}

/* The decision again. policy_check() also looks at who it says it was; that has a name of its own. */
static void decided(struct replay *p, uint64_t index, const struct record_leaf *l, bool allow)
{
    struct policy_decision d;
    const char *why;
    enum err e = policy_check(&p->state, l, p->opening, &d);
    p->decisions += e != ERR_MISSING && !p->unknown;
    if (p->unknown && e == ERR_VERIFY) {
        p->erased++;                                  /* what was erased may have allowed it */
        return;
    }
    bool same = d.allow == allow && (allow || slice_is(record_text(l, RECORD_F_WHY), policy_reason_text(d.reason)));
    if (e == ERR_VERIFY && allow && !d.allow && d.reason == POLICY_GRANT_BUDGET)
        find(p, "budget", index, "the release opens more than the grant's budget has left");
    else if (e != ERR_VERIFY || !same) replay_decision(p, "control", index, l, e, &d);
    else if (!listed_as_decided(p, l)) find(p, "wrong-listing", index, "the listing is of another prefix than was decided about");
    else find(p, "wrong-grant", index, (why = who_wrong(p, l)) ? why : "the leaf says otherwise who it was, or where");
}

void replay_use(struct replay *p, uint64_t index, const struct record_leaf *l, const struct record_opening *o)
{
    bool allow = slice_is(record_text(l, RECORD_F_DEC), "allow");
    p->log = "control";
    p->opening = o;
    decided(p, index, l, allow);
    p->uses += allow && record_has(l, RECORD_F_SEGS);
    p->used_bytes += allow ? record_int(l, RECORD_F_BYTES, 0) : 0;
    if (!slice_is(record_text(l, RECORD_F_AUTH), "sts")) find(p, "wrong-grant", index, "a request without a grant on the control log");
    if (record_int(l, RECORD_F_W, 0) != 0 || record_has(l, RECORD_F_ITEMS) || record_has(l, RECORD_F_NEW)) {
        find(p, "wrong-grant", index, "nothing is written under a grant");
        return;
    }
    if (record_has(l, RECORD_F_REF)) goes_on(p, index, l);
    else begins(p, index, l, placed(p, index, l));
}

void replay_use_done(struct replay *p)
{
    size_t cursor = 0;
    for (struct stream *s; p->streams && (s = map_next(p->streams, &cursor, NULL));) free(s);
    map_free(p->streams);
}
