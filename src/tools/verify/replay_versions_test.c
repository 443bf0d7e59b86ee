/* SPDX-License-Identifier: Apache-2.0
 * Versions, markers, parts and copies in a tenant's log: replayed whole, and each time with one thing wrong.
 * Spec: docs/spec/record.md section 4
 */
#include "verify/replay_test.h"

#define NONE RECORD_VER_NONE

static const char *vid_of(uint64_t index)
{
    static char text[4][ID_TEXT_CHARS + 1];
    static unsigned turn;
    char *to = text[turn++ % 4];
    uint8_t id[ID_BYTES] = {0};
    AUTO(buf) struct buf b = BUF_INIT(64);
    put_be64(id, ~index);
    put_be64(id + 8, index + 7);                      /* as push() says it */
    buf_put_base32(&b, slice_of(id, ID_BYTES));
    memcpy(to, b.p, ID_TEXT_CHARS);
    to[ID_TEXT_CHARS] = 0;
    return to;
}

static struct slice up_of(struct buf *b, uint64_t upload, uint16_t part)
{
    uint8_t id[ID_BYTES] = {0};
    put_be64(id, upload);
    buf_reset(b);
    record_up_put(b, id, part);
    return buf_slice(b);
}

static void get_version(struct tenant *t, const char *key, const char *vid, uint64_t ver, uint64_t revision, const char *why)
{
    acc(t, &(struct says){.act = "GetObjectVersion", .key = key, .vid = vid, .has_ver = true, .ver = ver, .revision = revision, .has_bytes = !why, .bytes = 7, .why = why});
}
static void get_now(struct tenant *t, const char *key, uint64_t ver, const char *why)
{
    acc(t, &(struct says){.act = "GetObject", .key = key, .has_ver = true, .ver = ver, .has_bytes = !why, .bytes = 7, .why = why});
}
static void del_version(struct tenant *t, const char *key, const char *vid, uint64_t ver)
{
    acc(t, &(struct says){.act = "DeleteObjectVersion", .key = key, .vid = vid, .write = true, .has_ver = true, .ver = ver});
}
static void retag(struct tenant *t, const char *key, uint64_t ver, uint64_t revision)
{
    acc(t, &(struct says){.act = "PutObjectTagging", .key = key, .vid = vid_of(ver), .write = true, .has_ver = true, .ver = ver, .revision = revision});
}

static const struct slice nothing = {NULL, 0};

/* Off, enabled, suspended, on one key: what the versions are after each is said by the reads between. */
static void story(struct tenant *t)
{
    tenant_init(t);
    tenant_bucket(t, "photos", 1);
    push(t, "PutObject", "k", NONE, nothing, nothing);          /* 0: null version */
    tenant_doc(t, "PutBucketVersioning", "Enabled");
    push(t, "PutObject", "k", 0, nothing, nothing);             /* 1 */
    push(t, "PutObject", "k", 1, nothing, nothing);             /* 2 */
    del(t, "k", 2);                                             /* 3: marker */
    get_now(t, "k", 3, "NoSuchKey");                            /* 4 */
    get_version(t, "k", "null", 0, 0, NULL);                    /* 5 */
    get_version(t, "k", vid_of(1), 1, 0, NULL);                 /* 6 */
    list_kind(t, 1, "", NULL, 7, (struct row[]){{2, "k", 3}, {0, "k", 2}, {0, "k", 1}, {0, "k", 0}}, 4, false);   /* 7 */
    retag(t, "k", 2, 0);                                        /* 8 */
    get_version(t, "k", vid_of(2), 2, 8, NULL);                 /* 9 */
    del_version(t, "k", vid_of(3), 3);                          /* 10: the marker goes, 2 is current */
    get_now(t, "k", 2, "PreconditionFailed");                   /* 11: names no revision: 2 was changed at 8 */
}

static void versions_of_every_mode_hold(void **state)
{
    (void)state;
    struct tenant t;
    story(&t);
    expect(&t, "stale-version", "access", 11);                  /* the read that passed over the new tags */
    story(&t);
    t.access.count--, t.access.files.count--;
    tenant_doc(&t, "PutBucketVersioning", "Suspended");
    acc(&t, &(struct says){.act = "DeleteObject", .key = "k", .write = true, .has_ver = true, .ver = 2, .revision = 8});   /* 11: null marker in place of null version 0 */
    acc(&t, &(struct says){.act = "GetObjectVersion", .key = "k", .vid = "null", .has_ver = true, .ver = 11, .why = "MethodNotAllowed"});
    list_kind(&t, 1, "", NULL, 12, (struct row[]){{2, "k", 11}, {0, "k", 2}, {0, "k", 1}}, 3, false);
    expect(&t, NULL, NULL, VERIFY_NOWHERE);
}

static void what_is_wrong_with_versions_is_named(void **state)
{
    (void)state;
    struct tenant t;
#define WRONG(name, index, ...)                                   \
    do {                                                              \
        story(&t);                                                    \
        t.access.count--, t.access.files.count--;                     \
        uint64_t at = t.access.count;                                 \
        (void)at;                                                     \
        __VA_ARGS__;                                                  \
        expect(&t, name, "access", index);                            \
    } while (0)
    WRONG("stale-version", at, get_version(&t, "k", vid_of(1), NONE, 0, "NoSuchVersion"));
    WRONG("stale-version", at, get_version(&t, "k", vid_of(3), 3, 0, "MethodNotAllowed"));   /* it was removed */
    WRONG("stale-version", at, get_version(&t, "k", vid_of(2), 2, 0, NULL));                 /* tags of before */
    WRONG("stale-version", at, get_version(&t, "k", "null", 1, 0, NULL));
    WRONG("wrong-answer", at, acc(&t, &(struct says){.act = "GetObject", .key = "k", .has_ver = true, .ver = 2, .revision = 8, .why = "NoSuchKey"}));
    WRONG("bad-write", at, del_version(&t, "k", vid_of(9), 9));
    WRONG("wrong-listing", at, list_kind(&t, 1, "", NULL, at, (struct row[]){{0, "k", 2}, {0, "k", 1}}, 2, false));
    WRONG("wrong-listing", at, list_kind(&t, 1, "", NULL, 7, (struct row[]){{0, "k", 3}, {0, "k", 2}, {0, "k", 1}, {0, "k", 0}}, 4, false));
    WRONG("bad-write", at, batch(&t, (struct row[]){{2, "k", 2}}, 1));                       /* ends a version where a marker is due */
#undef WRONG
}

static void parts(struct tenant *t)
{
    AUTO(buf) struct buf up = BUF_INIT(64), fresh = BUF_INIT(1024);
    struct record_new n = {.size = 7, .etag = SLICE_LIT("p")};
    tenant_init(t);
    tenant_bucket(t, "photos", 1);
    memcpy(n.bucket, t->bucket, ID_BYTES);
    record_new_put(&fresh, &n);
    acc(t, &(struct says){.act = "CreateMultipartUpload", .key = "big", .write = true, .up = up_of(&up, 0, 0)});                                  /* 0 */
    acc(t, &(struct says){.act = "UploadPart", .key = "big", .write = true, .has_ver = true, .ver = NONE, .fresh = buf_slice(&fresh), .up = up_of(&up, 0, 1)});   /* 1 */
    acc(t, &(struct says){.act = "UploadPart", .key = "big", .write = true, .has_ver = true, .ver = 1, .fresh = buf_slice(&fresh), .up = up_of(&up, 0, 1)});      /* 2 */
    acc(t, &(struct says){.act = "UploadPart", .key = "big", .write = true, .has_ver = true, .ver = NONE, .fresh = buf_slice(&fresh), .up = up_of(&up, 0, 2)});   /* 3 */
}

static void uploads_hold_and_a_part_that_came_too_late_needs_its_void(void **state)
{
    (void)state;
    struct tenant t;
    AUTO(buf) struct buf up = BUF_INIT(64);
    uint8_t id[ID_BYTES] = {0};
    for (int voids = 0; voids < 2; voids++) {
        parts(&t);
        list_kind(&t, 3, "big", id, 4, (struct row[]){{4, "\0\1", 2}, {4, "\0\2", 3}}, 0, true);      /* 4: no row, all beyond */
        list_kind(&t, 2, "", NULL, 5, (struct row[]){{3, "big", 0}}, 1, false);                       /* 5 */
        push(&t, "CompleteMultipartUpload", "big", NONE, up_of(&up, 0, 0), nothing);                  /* 6 */
        list_kind(&t, 2, "", NULL, 7, NULL, 0, false);                                                /* 7 */
        acc(&t, &(struct says){.act = "UploadPart", .key = "big", .write = true, .has_ver = true, .ver = 3, .up = up_of(&up, 0, 2)});   /* 8 */
        if (voids) voided(&t, 8);
        get_now(&t, "big", 6, NULL);
        expect(&t, voids ? NULL : "late-part", "access", voids ? VERIFY_NOWHERE : 8);
    }
    parts(&t);
    push(&t, "CompleteMultipartUpload", "big", NONE, up_of(&up, 0, 0), nothing);                      /* 4 */
    voided(&t, 4);                                                                                    /* 5: the upload goes on */
    acc(&t, &(struct says){.act = "UploadPart", .key = "big", .write = true, .has_ver = true, .ver = 3, .up = up_of(&up, 0, 2)});       /* 6 */
    acc(&t, &(struct says){.act = "AbortMultipartUpload", .key = "big", .write = true, .up = up_of(&up, 0, 0)});                        /* 7 */
    get_now(&t, "big", NONE, "NoSuchKey");
    expect(&t, NULL, NULL, VERIFY_NOWHERE);
    parts(&t);
    acc(&t, &(struct says){.act = "UploadPart", .key = "big", .write = true, .has_ver = true, .ver = 1, .up = up_of(&up, 0, 1)});       /* 4: the part of before */
    expect(&t, "stale-version", "access", 4);
}

static void a_copy_names_the_source_that_stands(void **state)
{
    (void)state;
    struct tenant t;
    AUTO(buf) struct buf copy = BUF_INIT(4096);
    for (uint64_t source = 0; source < 2; source++) {
        tenant_init(&t);
        tenant_bucket(&t, "photos", 1);
        push(&t, "PutObject", "a", NONE, nothing, nothing);     /* 0 */
        push(&t, "PutObject", "a", 0, nothing, nothing);        /* 1 */
        buf_reset(&copy);
        record_copy_put(&copy, &(struct record_copy){.bucket = SLICE_LIT("photos"), .key = SLICE_LIT("a"), .ver = source, .revision = source});
        push(&t, "CopyObject", "b", NONE, nothing, buf_slice(&copy));   /* 2 */
        get_now(&t, "b", 2, NULL);
        expect(&t, source ? NULL : "stale-version", "access", source ? VERIFY_NOWHERE : 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_of_every_mode_hold),
        cmocka_unit_test(what_is_wrong_with_versions_is_named),
        cmocka_unit_test(uploads_hold_and_a_part_that_came_too_late_needs_its_void),
        cmocka_unit_test(a_copy_names_the_source_that_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
