/* SPDX-License-Identifier: Apache-2.0
 * Actions and resources of a statement, compiled.
 * Role: part of the compiler of documents. Distrusts: every byte of a document.
 * Law: 4. Spec: docs/spec/policy.md section 4; "IAM JSON policy elements: Action", "Resource".
 */
#include "policy/policy_internal.h"

#define ARN_S3 "arn:aws:s3:::"

/* Action ------------------------------------------------------------------------------------------------------------------ */

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c; }

/* Actions are short: this needs no bound of its own. */
static bool action_like(struct slice pattern, struct slice text) {
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.n && (pattern.p[p] == '?' || lower(pattern.p[p]) == lower(text.p[t]))) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*') p++;
    return p == pattern.n;
}

static bool action_syntax(struct slice text) {
    struct slice service, name = slice_cut(text, ':', &service);
    if (slice_is(text, "*")) return true;
    if (service.n == 0 || name.p == NULL || name.n == 0 || text.n > POLICY_NAME_CHARS_MAX) return false;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = lower(text.p[i]);
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        if (!plain && !(i == service.n ? c == ':' : c == '*' || c == '?')) return false;
    }
    return true;
}

bool policy_build_action(struct policy_build *b, struct slice text, uint32_t *out) {
    bool known = false, wild = text.n > 0 && (memchr(text.p, '*', text.n) != NULL || memchr(text.p, '?', text.n) != NULL);
    if (!action_syntax(text)) return policy_build_bad(b, "an action that is none");
    for (unsigned ask = 1; ask < POLICY_ASK__COUNT; ask++) {
        struct slice name = slice_str(policy_ask_action(ask));
        if (name.n == 0 || (!wild && name.n != text.n) || !action_like(text, name)) continue;
        b->at.asks[ask / 64] |= (uint64_t)1 << (ask % 64);
        known = known || slice_starts(name, SLICE_LIT("s3:"));
    }
    /* A bucket's policy is about buckets and objects; a user's may name what other services have. */
    if (b->bucket.n > 0 && !known) return policy_build_bad(b, "an action that is none of S3's");
    *out = policy_build_node(b, sizeof(uint32_t));
    return *out != 0;
}

/* Resource ---------------------------------------------------------------------------------------------------------------- */

/* Past stars and variables at the start: each may be anything, and so a run of them is one. */
static struct slice past_any(struct slice p) {
    while (p.n > 0) {
        size_t n = 1;
        if (p.p[0] == '$' && p.n > 1 && p.p[1] == '{') {
            while (n < p.n && p.p[n - 1] != '}') n++;
        } else if (p.p[0] != '*') {
            break;
        }
        p = slice_of(p.p + n, p.n - n);
    }
    return p;
}

/* Can the pattern's bucket be this one: is there a text that begins with the bucket's name, and then ends or has a slash, that it
 * matches? A variable may be anything. p: where in the pattern, t: where in the name. Depth is at most that of a name's
 * characters and the wildcards between them. */
static bool of_bucket(struct slice p, struct slice name, unsigned *steps) {
    while (true) {
        if (++*steps > POLICY_WILDCARD_STEPS_MAX) return false;
        if (name.n == 0) {
            if (p.n == 0) return true;
            return p.p[0] == '/' || p.p[0] == '?' || past_any(p).n < p.n;
        }
        if (p.n == 0) return false;
        struct slice rest = past_any(p);
        if (rest.n < p.n) {
            for (size_t i = 0; i <= name.n; i++) {
                if (of_bucket(rest, slice_of(name.p + i, name.n - i), steps)) return true;
            }
            return rest.n == 0;
        }
        if (p.p[0] != '?' && p.p[0] != name.p[0]) return false;
        p = slice_of(p.p + 1, p.n - 1);
        name = slice_of(name.p + 1, name.n - 1);
    }
}

/* Six parts, or a wildcard that may be the last of them; "You can't use a wildcard in the service segment", and variables "only in the
 * resource portion of the ARN". */
static bool arn_syntax(const struct policy_build *b, struct slice text) {
    unsigned colons = 0;
    bool open_end = false;
    if (!slice_starts(text, SLICE_LIT("arn:"))) return false;
    for (size_t i = 0; i < text.n && colons < 5; i++) {
        uint8_t c = text.p[i];
        if (c == ':') colons++;
        if ((c == '*' || c == '?') && colons == 2) return false;
        if (c == '$' && b->variables && i + 1 < text.n && text.p[i + 1] == '{') return false;
        open_end = open_end || (c == '*' && colons > 2);
    }
    return colons == 5 || open_end;
}

bool policy_build_resource(struct policy_build *b, struct slice text, uint32_t *out) {
    struct slice prefix = SLICE_LIT(ARN_S3);
    bool s3 = slice_starts(text, prefix), all = slice_is(text, "*");
    struct slice rest = s3 ? slice_of(text.p + prefix.n, text.n - prefix.n) : text;
    if (s3 && rest.n == 0) return policy_build_bad(b, "a resource without a bucket");
    if (b->bucket.n > 0 && !all) {
        unsigned steps = 0;
        if (!s3) return policy_build_bad(b, "a resource that is none of S3's");
        if (!b->any_bucket && !of_bucket(rest, b->bucket, &steps)) return policy_build_bad(b, "a resource of another bucket");
    }
    if (!all && !arn_syntax(b, text)) return policy_build_bad(b, "a resource that is none");
    if (!policy_build_pattern(b, rest, true, out)) return false;
    struct policy_pattern *p = policy_build_at(b, *out);
    p->in_s3 = s3;
    p->all = all;
    return true;
}
