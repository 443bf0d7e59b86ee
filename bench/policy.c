/* SPDX-License-Identifier: Apache-2.0
 * What a decision costs under a bucket policy of 100 statements: prints `us N`, the dearer of two documents (statements that differ in their principal, and in their
 * resource), median of five rounds. Leaves are written as the unit tests of the policy room write them.
 */
#include "policy/policy_rig.h"

#define STATEMENTS 100
#define ROUNDS 5
#define TURNS 20000

#define LEAF(...) fold(s, (struct says){__VA_ARGS__})

static void must(enum err e)
{
    if (e == ERR_OK) return;
    fprintf(stderr, "bench-policy: a leaf does not fold: %s\n", err_name(e));
    exit(1);
}

static void fold(struct policy_state *s, struct says says)
{
    says.ctl = s->size;
    build(says);
    must(policy_apply(s, s->size, &leaf, &opening));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_us(const struct policy_state *s, const struct policy_request *r, bool allow)
{
    double took[ROUNDS];
    for (unsigned k = 0; k < ROUNDS; k++) {
        uint64_t from = clock_mono_us();
        for (unsigned i = 0; i < TURNS; i++)
            if (policy_decide(s, r).allow != allow) exit(1);
        took[k] = (double)(clock_mono_us() - from) / TURNS;
    }
    qsort(took, ROUNDS, sizeof took[0], by_value);
    return took[ROUNDS / 2];
}

int main(void)
{
    struct policy_state state, *s = &state;
    struct buf doc = BUF_INIT(S3_POLICY_BYTES_MAX);
    if (set_up(NULL) != 0) return 1;
    must(policy_init(s));
    LEAF(.kind = RECORD_K_GENESIS, .account = ACCOUNT1, .signer = OWNER, .name = "acme");
    LEAF(.kind = RECORD_K_KEY, .account = ACCOUNT1, .key = KEY1, .on = 1, .signer = OWNER);
    LEAF(.kind = RECORD_K_BKT, .act = "CreateBucket", .id = 1, .name = "one", .on = 1, .who = WHO1);
    double worst = 0;
    for (int resources = 0; resources < 2; resources++) {
        buf_reset(&doc);
        buf_put_str(&doc, "{\"Version\":\"2012-10-17\",\"Statement\":[");
        for (unsigned i = 0; i < STATEMENTS; i++) {
            if (resources) buf_printf(&doc, "%s{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::one/team%u/*\"}", i ? "," : "", i + 100);
            else buf_printf(&doc, "%s{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"%012u\"},\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::one/*\"}", i ? "," : "", 999000000u + i);
        }
        buf_put_str(&doc, "]}");
        buf_put_u8(&doc, 0);
        LEAF(.kind = RECORD_K_CFG, .act = "PutBucketPolicy", .id = 1, .name = "one", .on = 1, .who = WHO1, .doc = (const char *)doc.p);
        const struct policy_request anon = {.auth = POLICY_AUTH_ANON, .act = POLICY_ACT_GetObject, .bucket = SLICE_LIT("one"), .key = SLICE_LIT("team7/a/rather/usual/key.parquet")};
        double us = median_us(s, &anon, false);
        if (us > worst) worst = us;
    }
    printf("us %.3f\n", worst);
    policy_done(s);
    buf_done(&doc);
    return tear_down(NULL);
}
