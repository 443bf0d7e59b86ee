/* SPDX-License-Identifier: Apache-2.0
 * Leaves for the tests of this room: written, parsed and checked as gate and verifier do, then folded.
 * Role: shared by the unit tests; included once by each. Trusts: the test. Spec: docs/spec/record.md.
 */
#ifndef TILLIT_POLICY_RIG_H
#define TILLIT_POLICY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy/policy.h"

#define UNUSED __attribute__((unused))

#define OWNER "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define STRANGER "SHA256:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define ACCOUNT1 "111122223333"
#define ACCOUNT2 "444455556666"
#define KEY1 "AKIAAAAAAAAAAAAAAAAA"
#define KEY2 "AKIABBBBBBBBBBBBBBBB"
#define WHO1 ACCOUNT1 ":root:" KEY1
#define WHO2 ACCOUNT2 ":root:" KEY2

static struct ledger_hash hash;
static struct buf leaf_bytes, opening_bytes;
static struct record_leaf leaf;
static struct record_opening opening;
static uint64_t now_ms;
static struct buf kept_leaves;                     /* lp32 leaf, lp32 opening of what was folded, for tests that fold it again */

UNUSED static int set_up(void **state) {
    (void)state;
    kept_leaves = BUF_INIT(1 << 26);
    leaf_bytes = BUF_INIT(LEAF_BYTES_MAX);
    opening_bytes = BUF_INIT(OPENING_BYTES_MAX);
    return ledger_hash_init(&hash) != ERR_OK;
}

UNUSED static int tear_down(void **state) {
    (void)state;
    ledger_hash_done(&hash);
    buf_done(&kept_leaves);
    buf_done(&leaf_bytes);
    buf_done(&opening_bytes);
    return 0;
}

/* building leaves: what a test does not say is absent -------------------------------------------------------------------- */

struct says {
    enum record_kind kind;
    const char *account, *signer, *who, *name, *key, *reader, *act, *auth, *body, *dec, *why, *bucket, *object, *doc, *vid;
    const char *user, *third, *more;               /* sub */
    struct slice ctx, peer;                        /* p NULL: none; 192.0.2.1 */
    bool tls;
    uint8_t id;                                    /* bucket id: this byte 16 times; 0: absent */
    int on;
    uint64_t ctl, eng, w;
    bool has_ctl;
    uint64_t t;                                    /* 0: the running clock */
};

static void put_text(struct record_writer *w, enum record_field f, const char *text) {
    if (text != NULL) record_put_text(w, f, slice_str(text));
}

static void put_commit(struct record_writer *w, enum record_field f, struct slice value) {
    static uint8_t salt[SALT_BYTES];
    salt[0]++;
    if (value.p != NULL) record_put_commit(w, &hash, f, salt, value);
}

static void put_signer(struct record_writer *w, const char *signer) {
    struct slice list[1] = {slice_str(signer)};
    if (signer != NULL) record_put_texts(w, RECORD_F_SIGNER, list, 1);
}

/* Fields in the order of record.def; leaf and opening are then parsed and checked as gate and verifier do. */
static void build(struct says s) {
    struct record_writer w;
    struct buf obj = BUF_INIT(2000);
    uint8_t id[ID_BYTES], request[ID_BYTES] = {9};
    bool acc = s.kind == RECORD_K_ACC, request_record = acc || s.kind == RECORD_K_BKT || s.kind == RECORD_K_CFG || s.kind == RECORD_K_IAM;
    bool full = acc || s.kind == RECORD_K_CFG || s.kind == RECORD_K_IAM;
    memset(id, s.id, sizeof id);
    buf_reset(&leaf_bytes);
    buf_reset(&opening_bytes);
    record_begin(&w, s.kind, &leaf_bytes, &opening_bytes);
    put_text(&w, RECORD_F_ACCOUNT, s.account);
    put_text(&w, RECORD_F_ACT, s.act);
    put_text(&w, RECORD_F_AUTH, s.auth != NULL ? s.auth : request_record && !acc ? "hdr" : NULL);
    if (s.id != 0) record_put_id(&w, RECORD_F_BKT, id);
    put_text(&w, RECORD_F_BODY, s.body);
    if (request_record) record_put_int(&w, RECORD_F_CTL, s.ctl);
    put_commit(&w, RECORD_F_CTX, s.ctx);
    if (request_record) put_text(&w, RECORD_F_DEC, s.dec != NULL ? s.dec : "allow");
    put_commit(&w, RECORD_F_DOC, slice_str(s.doc));
    if (request_record) record_put_int(&w, RECORD_F_ENG, s.eng != 0 ? s.eng : POLICY_ENGINE_VERSION);
    if (full) record_put_id(&w, RECORD_F_ID, request);
    put_commit(&w, RECORD_F_KEYC, slice_str(s.key));
    put_commit(&w, RECORD_F_NAME, slice_str(s.name));
    if (acc) {
        struct record_obj o = {slice_str(s.bucket), slice_str(s.object)};
        record_obj_put(&obj, &o);
        put_commit(&w, RECORD_F_OBJ, buf_slice(&obj));
    }
    if (s.on >= 0 && !acc && s.kind != RECORD_K_GENESIS) record_put_int(&w, RECORD_F_ON, (uint64_t)s.on);
    if (full) put_commit(&w, RECORD_F_PEER, s.peer.p != NULL ? s.peer : SLICE_LIT("192.0.2.1"));
    put_commit(&w, RECORD_F_RDR, slice_str(s.reader));
    put_signer(&w, s.signer);
    if (s.kind == RECORD_K_GENESIS) put_commit(&w, RECORD_F_STMT, SLICE_LIT("statement"));
    if (s.kind == RECORD_K_IAM || s.user != NULL) {
        struct record_sub sub = {slice_str(s.user), slice_str(s.third), slice_str(s.more)};
        buf_reset(&obj);
        record_sub_put(&obj, &sub);
        put_commit(&w, RECORD_F_SUB, buf_slice(&obj));
    }
    record_put_int(&w, RECORD_F_T, s.t != 0 ? s.t : ++now_ms);
    if (s.tls) record_put_int(&w, RECORD_F_TLS, 1);
    put_commit(&w, RECORD_F_VID, slice_str(s.vid));
    if (s.w != 0) record_put_int(&w, RECORD_F_W, s.w);
    put_commit(&w, RECORD_F_WHO, slice_str(s.who));
    put_text(&w, RECORD_F_WHY, s.why);
    assert_int_equal(record_end(&w), ERR_OK);
    assert_int_equal(record_leaf_parse(buf_slice(&leaf_bytes), acc ? RECORD_LOG_ACCESS : RECORD_LOG_CONTROL, &leaf), ERR_OK);
    assert_int_equal(record_opening_parse(buf_slice(&opening_bytes), &opening), ERR_OK);
    assert_int_equal(record_opening_check(&hash, &leaf, &opening), ERR_OK);
    buf_done(&obj);
}

/* Asking first says the same and changes nothing: every leaf of these tests goes through both. */
static enum err apply_built(struct policy_state *s, uint64_t index) {
    struct policy_state before;
    memcpy(&before, s, sizeof before);
    size_t readers = map_count(s->readers), names = map_count(s->bucket_by_name), keys = map_count(s->key_by_text);
    enum err can = policy_can_apply(s, index, &leaf, &opening);
    assert_memory_equal(&before, s, sizeof before);
    assert_int_equal(map_count(s->readers), readers);
    assert_int_equal(map_count(s->bucket_by_name), names);
    assert_int_equal(map_count(s->key_by_text), keys);
    enum err did = policy_apply(s, index, &leaf, &opening);
    assert_int_equal(can, did);
    if (did != ERR_OK) return did;
    buf_put_lp32(&kept_leaves, buf_slice(&leaf_bytes));
    buf_put_lp32(&kept_leaves, buf_slice(&opening_bytes));
    return did;
}

/* The same log again, into a fresh state: a restart. */
UNUSED static enum err fold_again(struct policy_state *s) {
    struct reader r = reader_of(buf_slice(&kept_leaves));
    for (uint64_t index = 0; reader_left(&r) > 0; index++) {
        struct slice one = reader_lp32(&r, LEAF_BYTES_MAX), opens = reader_lp32(&r, OPENING_BYTES_MAX);
        enum err e = record_leaf_parse(one, RECORD_LOG_CONTROL, &leaf);
        if (e == ERR_OK && opens.n > 0) e = record_opening_parse(opens, &opening);
        if (e == ERR_OK) e = policy_apply(s, index, &leaf, opens.n > 0 ? &opening : NULL);
        if (e != ERR_OK) return e;
    }
    return reader_end(&r);
}

UNUSED static enum err apply(struct policy_state *s, struct says what) {
    bool own = what.kind == RECORD_K_BKT || what.kind == RECORD_K_CFG || what.kind == RECORD_K_IAM;
    if (own && !what.has_ctl) what.ctl = s->size;
    build(what);
    return apply_built(s, s->size);
}

#define GENESIS ((struct says){.kind = RECORD_K_GENESIS, .account = ACCOUNT1, .signer = OWNER, .name = "acme"})
#define KEY(k, acc, o) ((struct says){.kind = RECORD_K_KEY, .account = acc, .key = k, .on = o, .signer = OWNER})
#define BUCKET(n, i, o, w) ((struct says){.kind = RECORD_K_BKT, .name = n, .id = i, .on = o, .who = w, .act = "CreateBucket"})
#define CONFIG(n, i, a, o, d) ((struct says){.kind = RECORD_K_CFG, .name = n, .id = i, .act = a, .on = o, .doc = d, .who = WHO1})
#define IAM(w, acc, a, o, u, th, m) ((struct says){.kind = RECORD_K_IAM, .who = w, .account = acc, .act = a, .on = o, .user = u, \
                                                   .third = th, .more = m})
#define READER(r, o) ((struct says){.kind = RECORD_K_RDR, .reader = r, .on = o, .signer = OWNER})

#endif
