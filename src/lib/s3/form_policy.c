/* SPDX-License-Identifier: Apache-2.0
 * Judges the policy a form was signed with: not expired, every condition met, every field covered.
 * Role: the gate, after the signature over the policy's text was right; the signer's word then covers the fields.
 * Trusts: nothing. Distrusts: a policy that says less than the form does, and JSON that two readers would read differently.
 * Law: 3 (fields are believed because a signed policy names them).
 * Spec: S3 API reference, "Creating an HTML form (using AWS Signature Version 4)", "POST policy".
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

#include <jansson.h>

struct check {
    struct slice fields, bucket;
    struct s3_post *post;
    struct s3_fault *f;
};

static enum s3_error bad_policy(struct s3_fault *f, const char *why) { return s3_fault_set(f, S3E_InvalidPolicyDocument, why); }

static enum s3_error not_met(struct check *c, struct slice name)
{
    s3_fault_add(c->f, "Condition", name);
    return s3_fault_set(c->f, S3E_AccessDenied, "Invalid according to Policy: Policy Condition failed");
}

static struct slice text_of(const json_t *v) { return slice_of(json_string_value(v), json_string_length(v)); }

/* What a condition on `name` is about: the key as it will be, the bucket that was sent to, else the field. */
static struct slice value_of(const struct check *c, struct slice name)
{
    struct reader r = reader_of(c->fields);
    struct slice n, v;
    if (slice_ieq(name, SLICE_LIT("key"))) return c->post->key;
    if (slice_ieq(name, SLICE_LIT("bucket"))) return c->bucket;
    while (s3_field_next(&r, &n, &v))
        if (slice_ieq(n, name)) return v.n ? v : slice_of("", 0);
    return slice_of(NULL, 0);
}

static enum s3_error check_value(struct check *c, struct slice name, struct slice want, bool prefix)
{
    struct slice got = value_of(c, name);
    /* AWS takes a field that is not there for an empty one where anything goes. */
    if (!got.p && !(prefix && want.n == 0)) return not_met(c, name);
    return (prefix ? slice_starts(got, want) : slice_eq(got, want)) ? S3E_NONE : not_met(c, name);
}

static enum s3_error check_range(struct check *c, const json_t *low, const json_t *high)
{
    if (!json_is_integer(low) || !json_is_integer(high) || json_integer_value(low) < 0 || json_integer_value(high) < json_integer_value(low))
        return bad_policy(c->f, "Invalid Policy: Invalid content-length-range");
    c->post->size_min = MAX(c->post->size_min, (uint64_t)json_integer_value(low));
    c->post->size_max = MIN(c->post->size_max, (uint64_t)json_integer_value(high));
    return S3E_NONE;
}

static enum s3_error check_list(struct check *c, const json_t *list)
{
    const json_t *op = json_array_get(list, 0), *name = json_array_get(list, 1), *value = json_array_get(list, 2);
    if (json_array_size(list) != 3 || !json_is_string(op)) return bad_policy(c->f, "Invalid Policy: Invalid Condition");
    if (slice_ieq(text_of(op), SLICE_LIT("content-length-range"))) return check_range(c, name, value);
    bool prefix = slice_ieq(text_of(op), SLICE_LIT("starts-with"));
    if (!prefix && !slice_ieq(text_of(op), SLICE_LIT("eq"))) return bad_policy(c->f, "Invalid Policy: Unknown operation");
    if (!json_is_string(name) || !json_is_string(value) || text_of(name).n < 2 || text_of(name).p[0] != '$')
        return bad_policy(c->f, "Invalid Policy: Invalid Condition");
    struct slice field = text_of(name);
    return check_value(c, slice_of(field.p + 1, field.n - 1), text_of(value), prefix);
}

static enum s3_error check_condition(struct check *c, json_t *condition)
{
    const char *name;
    json_t *value;
    if (json_is_array(condition)) return check_list(c, condition);
    if (!json_is_object(condition) || json_object_size(condition) != 1) return bad_policy(c->f, "Invalid Policy: Invalid Simple-Condition");
    json_object_foreach(condition, name, value) {
        if (!json_is_string(value)) return bad_policy(c->f, "Invalid Policy: Invalid Simple-Condition value");
        return check_value(c, slice_str(name), text_of(value), false);
    }
    return S3E_NONE;
}

/* The field a condition is about; empty for content-length-range. */
static struct slice subject_of(json_t *condition)
{
    if (json_is_array(condition)) {
        struct slice s = text_of(json_array_get(condition, 1));
        return s.n && s.p[0] == '$' ? slice_of(s.p + 1, s.n - 1) : slice_of("", 0);
    }
    return slice_str(json_object_iter_key(json_object_iter(condition)));
}

static bool needs_none(struct slice name, bool v2)
{
    static const char *const free_names[] = {"x-amz-signature", "file", "policy", "bucket"};
    static const char *const free_v2[] = {"signature", "awsaccesskeyid"};
    for (size_t i = 0; i < ARRAY_LEN(free_names); i++)
        if (slice_ieq(name, slice_str(free_names[i]))) return true;
    for (size_t i = 0; i < ARRAY_LEN(free_v2) && v2; i++)
        if (slice_ieq(name, slice_str(free_v2[i]))) return true;
    struct slice ignored = SLICE_LIT("x-ignore-"), sum = SLICE_LIT("x-amz-checksum-");
    if (name.n >= ignored.n && slice_ieq(slice_of(name.p, ignored.n), ignored)) return true;
    return name.n >= sum.n && slice_ieq(slice_of(name.p, sum.n), sum);     /* it can only make the upload fail */
}

static bool covered(const json_t *conditions, struct slice name)
{
    size_t i;
    json_t *condition;
    json_array_foreach(conditions, i, condition)
        if (slice_ieq(subject_of(condition), name)) return true;
    return false;
}

static enum s3_error check_covered(struct check *c, const json_t *conditions)
{
    struct reader r = reader_of(c->fields);
    struct slice name, value;
    if (!covered(conditions, SLICE_LIT("bucket"))) return not_met(c, SLICE_LIT("bucket"));   /* else it would be good for all of them */
    while (s3_field_next(&r, &name, &value)) {
        if (needs_none(name, c->post->v2) || covered(conditions, name)) continue;
        s3_fault_add(c->f, "Field", name);
        return s3_fault_set(c->f, S3E_AccessDenied, "Invalid according to Policy: Extra input fields");      /* F05 */
    }
    return S3E_NONE;
}

static enum s3_error judge(struct check *c, json_t *root, uint64_t now_ms)
{
    const char *name;
    json_t *value, *conditions = NULL, *expiration = NULL;
    uint64_t until;
    size_t i;
    if (!json_is_object(root)) return bad_policy(c->f, "Invalid Policy: Invalid JSON.");
    json_object_foreach(root, name, value) {
        if (strcmp(name, "expiration") == 0) expiration = value;
        else if (strcmp(name, "conditions") == 0) conditions = value;
        else return bad_policy(c->f, "Invalid Policy: Unexpected element");
    }
    if (!json_is_string(expiration)) return bad_policy(c->f, "Invalid Policy: Policy missing expiration.");
    if (!json_is_array(conditions)) return bad_policy(c->f, "Invalid Policy: Policy missing conditions.");
    if (json_array_size(conditions) > S3_POST_CONDITIONS_MAX) return bad_policy(c->f, "Invalid Policy: Too many conditions");
    if (time_parse_iso8601(text_of(expiration), &until) != ERR_OK) return bad_policy(c->f, "Invalid Policy: Invalid 'expiration' value");
    if (now_ms >= until) return s3_fault_set(c->f, S3E_AccessDenied, "Invalid according to Policy: Policy expired.");         /* F04 */
    /* A policy that is none is refused as such whatever its conditions say: look at all of them first. */
    enum s3_error first = S3E_NONE;
    struct s3_fault kept = {0}, *f = c->f;
    for (i = 0; i < json_array_size(conditions); i++) {
        struct s3_fault one = {0};
        c->f = &one;
        enum s3_error e = check_condition(c, json_array_get(conditions, i));
        if (e == S3E_NONE || (first != S3E_NONE && e != S3E_InvalidPolicyDocument)) continue;
        first = e;
        kept = one;
        if (e == S3E_InvalidPolicyDocument) break;
    }
    c->f = f;
    if (first != S3E_NONE && f) *f = kept;
    return first != S3E_NONE ? first : check_covered(c, conditions);
}

enum s3_error s3_post_policy(struct slice policy_json, struct slice fields, struct slice bucket, uint64_t now_ms, struct s3_post *post, struct s3_fault *f)
{
    struct check c = {fields, bucket, post, f};
    json_error_t why;
    if (policy_json.n == 0 || policy_json.n > FORM_BYTES_MAX) return bad_policy(f, "Invalid Policy: Invalid JSON.");
    json_t *root = json_loadb((const char *)policy_json.p, policy_json.n, JSON_REJECT_DUPLICATES, &why);
    if (!root) return bad_policy(f, "Invalid Policy: Invalid JSON.");
    enum s3_error e = judge(&c, root, now_ms);
    json_decref(root);
    return e;
}
