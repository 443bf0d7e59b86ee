/* SPDX-License-Identifier: Apache-2.0
 * Lifecycle rules as a client sends them: checked, and written as the canonical document.
 * Role: the gate, on PutBucketLifecycleConfiguration; what this file lets pass, lifecycle.c can read.
 * Trusts: the reader for structure and bounds. Distrusts: ids, numbers, dates, and that a rule does anything.
 * Spec: S3 API reference (PutBucketLifecycleConfiguration); S3 user guide, "Lifecycle configuration elements".
 *
 * Wider than AWS in one place: a Filter may hold several conditions without an And; all of them count. AWS refuses that, others take it, and
 * a rule is only narrower for it.
 */
#include "s3/s3_config.h"
#include "s3/s3_inner.h"

struct doc {
    struct s3_xml *x;
    const struct s3_xml_node *nodes;
    struct buf *out;
    struct s3_fault *f;
    const uint8_t *seed;
    size_t place;                                  /* of the rule at hand */
    bool transitions;                              /* a sound one was seen: NotImplemented, when nothing worse is wrong */
    bool actions, tagged, narrow_marker, aborts;   /* of the rule at hand */
};

static enum s3_error malformed(struct doc *d) { return s3_fault_set(d->f, S3E_MalformedXML, NULL); }
static enum s3_error bad_value(struct doc *d, const char *why) { return s3_fault_set(d->f, S3E_InvalidArgument, why); }
static enum s3_error bad_rule(struct doc *d, const char *why) { return s3_fault_set(d->f, S3E_InvalidRequest, why); }

bool s3_lifecycle_date(struct slice text, uint64_t *ms)
{
    char full[TIME_TEXT_MAX];
    if (text.n == 10) {                            /* a date alone is its midnight */
        memcpy(full, text.p, 10);
        memcpy(full + 10, "T00:00:00Z", 11);
        text = slice_str(full);
    }
    return text.p && time_parse_iso8601(text, ms) == ERR_OK;
}

/* Days of an action: a whole number; 0 only where zero is allowed. */
static enum s3_error put_days(struct doc *d, size_t parent, enum s3_node node, const char *name, uint64_t least, uint64_t most)
{
    struct slice text = s3_xml_child_text(d->x, parent, node);
    uint64_t n;
    if (!text.p) return S3E_NONE;
    if (text.n > 1 && text.p[0] == '-') return bad_value(d, "The number in a lifecycle action must be a positive integer");
    if (slice_u64(text, UINT32_MAX, &n) != ERR_OK) return malformed(d);
    if (n < least || n > most) return bad_value(d, "The number in a lifecycle action must be a positive integer");
    s3_put_element_dec(d->out, name, n);
    return S3E_NONE;
}

static enum s3_error check_date(struct doc *d, struct slice text, uint64_t *ms)
{
    if (!s3_lifecycle_date(text, ms)) return malformed(d);
    if (*ms % 86400000 != 0) return bad_value(d, "'Date' must be at midnight GMT");
    return S3E_NONE;
}

static enum s3_error put_size(struct doc *d, size_t parent, enum s3_node node, const char *name)
{
    struct slice text = s3_xml_child_text(d->x, parent, node);
    uint64_t n;
    if (!text.p) return S3E_NONE;
    if (slice_u64(text, INT64_MAX, &n) != ERR_OK) return bad_rule(d, "The object size of a filter is not valid");
    s3_put_element_dec(d->out, name, n);
    return S3E_NONE;
}

static enum s3_error put_prefix(struct doc *d, size_t parent)
{
    size_t i = s3_xml_child(d->x, parent, N_PREFIX);
    if (i == 0) return S3E_NONE;
    struct slice text = s3_xml_text(d->x, &d->nodes[i]);
    if (text.n > S3_KEY_BYTES_MAX) return bad_rule(d, "The maximum size of a prefix is 1024.");
    s3_put_element(d->out, "Prefix", text);
    return S3E_NONE;
}

static enum s3_error put_tag(struct doc *d, size_t tag)
{
    size_t key = s3_xml_child(d->x, tag, N_KEY), value = s3_xml_child(d->x, tag, N_VALUE);
    if (key == 0 || value == 0) return malformed(d);
    struct slice k = s3_xml_text(d->x, &d->nodes[key]), v = s3_xml_text(d->x, &d->nodes[value]);
    enum s3_error e = s3_tag_check(k, v, d->f);
    if (e != S3E_NONE) return e;
    d->tagged = true;
    s3_put_open(d->out, "Tag");
    s3_put_element(d->out, "Key", k);
    s3_put_element(d->out, "Value", v);
    s3_put_close(d->out, "Tag");
    return S3E_NONE;
}

/* Filter and And hold the same things. */
static enum s3_error put_conditions(struct doc *d, size_t parent)
{
    enum s3_error e = put_prefix(d, parent);
    size_t tags = 0;
    for (size_t i = 0; s3_xml_next(d->x, parent, &i) && e == S3E_NONE;) {
        if (d->nodes[i].node != N_TAG) continue;
        e = tags++ == S3_TAGS_MAX ? bad_rule(d, "A filter has more tags than an object") : put_tag(d, i);
    }
    if (e == S3E_NONE) e = put_size(d, parent, N_LARGER, "ObjectSizeGreaterThan");
    if (e == S3E_NONE) e = put_size(d, parent, N_SMALLER, "ObjectSizeLessThan");
    return e;
}

static enum s3_error put_filter(struct doc *d, size_t rule)
{
    size_t filter = s3_xml_child(d->x, rule, N_FILTER), prefix = s3_xml_child(d->x, rule, N_PREFIX);
    if ((filter == 0) == (prefix == 0)) return malformed(d);      /* one of the two, the old form or the new */
    if (filter == 0) return put_prefix(d, rule);
    s3_put_open(d->out, "Filter");
    enum s3_error e = put_conditions(d, filter);
    size_t both = s3_xml_child(d->x, filter, N_AND);
    if (both && e == S3E_NONE) {
        s3_put_open(d->out, "And");
        e = put_conditions(d, both);
        s3_put_close(d->out, "And");
    }
    s3_put_close(d->out, "Filter");
    return e;
}

static enum s3_error put_expiration(struct doc *d, size_t rule)
{
    size_t at = s3_xml_child(d->x, rule, N_EXPIRATION), children = 0;
    uint64_t ms;
    bool marker;
    if (at == 0) return S3E_NONE;
    for (size_t i = 0; s3_xml_next(d->x, at, &i);) children++;
    if (children != 1) return malformed(d);                       /* Days, Date or ExpiredObjectDeleteMarker */
    d->actions = true;
    s3_put_open(d->out, "Expiration");
    enum s3_error e = put_days(d, at, N_DAYS, "Days", 1, S3_LIFECYCLE_DAYS_MAX);
    struct slice date = s3_xml_child_text(d->x, at, N_DATE), word = s3_xml_child_text(d->x, at, N_MARKER);
    if (date.p && e == S3E_NONE) {
        e = check_date(d, date, &ms);
        if (e == S3E_NONE) s3_put_element_time(d->out, "Date", ms);
    }
    if (word.p && e == S3E_NONE) {
        if (!s3_xml_bool(word, &marker)) return malformed(d);
        s3_put_element_str(d->out, "ExpiredObjectDeleteMarker", marker ? "true" : "false");
        d->narrow_marker = true;
    }
    s3_put_close(d->out, "Expiration");
    return e;
}

static enum s3_error put_noncurrent(struct doc *d, size_t rule)
{
    size_t at = s3_xml_child(d->x, rule, N_NONCURRENT);
    if (at == 0) return S3E_NONE;
    if (!s3_xml_child(d->x, at, N_DAYS)) return malformed(d);
    d->actions = true;
    s3_put_open(d->out, "NoncurrentVersionExpiration");
    enum s3_error e = put_days(d, at, N_DAYS, "NoncurrentDays", 1, S3_LIFECYCLE_DAYS_MAX);
    if (e == S3E_NONE) e = put_days(d, at, N_NEWER, "NewerNoncurrentVersions", 1, S3_LIFECYCLE_NEWER_MAX);
    s3_put_close(d->out, "NoncurrentVersionExpiration");
    return e;
}

static enum s3_error put_abort(struct doc *d, size_t rule)
{
    size_t at = s3_xml_child(d->x, rule, N_ABORT);
    if (at == 0) return S3E_NONE;
    if (!s3_xml_child(d->x, at, N_DAYS)) return malformed(d);
    d->actions = d->aborts = true;
    s3_put_open(d->out, "AbortIncompleteMultipartUpload");
    enum s3_error e = put_days(d, at, N_DAYS, "DaysAfterInitiation", 1, S3_LIFECYCLE_DAYS_MAX);
    s3_put_close(d->out, "AbortIncompleteMultipartUpload");
    return e;
}

/* One storage class is kept: a transition that is wrong is told so, one that is right is not implemented. */
static enum s3_error check_transitions(struct doc *d, size_t rule)
{
    static const char *const classes[] = {"STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "GLACIER_IR", "DEEP_ARCHIVE"};
    for (size_t i = 0; s3_xml_next(d->x, rule, &i);) {
        if (d->nodes[i].node != N_TRANSITION) continue;
        struct slice date = s3_xml_child_text(d->x, i, N_DATE), days = s3_xml_child_text(d->x, i, N_DAYS);
        struct slice word = s3_xml_child_text(d->x, i, N_CLASS);
        uint64_t n;
        bool known = false;
        for (size_t c = 0; c < ARRAY_LEN(classes); c++) known = known || slice_is(word, classes[c]);
        if (!known || (date.p && days.p)) return malformed(d);
        if (date.p) {
            enum s3_error e = check_date(d, date, &n);
            if (e != S3E_NONE) return e;
        }
        if (days.p && slice_u64(days, S3_LIFECYCLE_DAYS_MAX, &n) != ERR_OK)
            return bad_value(d, "'Days' in Transition action must be nonnegative");
        d->actions = d->transitions = true;
    }
    return S3E_NONE;
}

static void put_id(struct doc *d, struct slice id)
{
    if (id.n) {
        s3_put_element(d->out, "ID", id);
        return;
    }
    uint8_t made[ID_BYTES];
    memcpy(made, d->seed, sizeof made);
    made[ID_BYTES - 1] ^= (uint8_t)d->place;
    made[ID_BYTES - 2] ^= (uint8_t)(d->place >> 8);
    s3_put_open(d->out, "ID");
    buf_put_hex(d->out, slice_of(made, sizeof made));
    s3_put_close(d->out, "ID");
}

static enum s3_error put_rule(struct doc *d, size_t rule)
{
    struct slice id = s3_xml_child_text(d->x, rule, N_ID), status = s3_xml_child_text(d->x, rule, N_STATUS);
    d->actions = d->tagged = d->narrow_marker = d->aborts = false;
    if (id.n > S3_LIFECYCLE_ID_CHARS_MAX) return bad_value(d, "ID length should not exceed allowed limit of 255");
    if (!slice_is(status, "Enabled") && !slice_is(status, "Disabled")) return malformed(d);   /* X06 */
    s3_put_open(d->out, "Rule");
    put_id(d, id);
    enum s3_error e = put_filter(d, rule);
    s3_put_element(d->out, "Status", status);
    if (e == S3E_NONE) e = put_expiration(d, rule);
    if (e == S3E_NONE) e = put_noncurrent(d, rule);
    if (e == S3E_NONE) e = put_abort(d, rule);
    if (e == S3E_NONE) e = check_transitions(d, rule);
    s3_put_close(d->out, "Rule");
    if (e != S3E_NONE) return e;
    if (!d->actions) return bad_rule(d, "At least one action needs to be specified in a rule.");
    if (d->tagged && d->narrow_marker) return bad_rule(d, "ExpiredObjectDeleteMarker cannot be specified with Tags.");
    if (d->tagged && d->aborts) return bad_rule(d, "AbortIncompleteMultipartUpload cannot be specified with Tags.");
    return S3E_NONE;
}

static bool id_taken(struct doc *d, size_t rule)
{
    struct slice id = s3_xml_child_text(d->x, rule, N_ID);
    for (size_t i = 0; id.n && s3_xml_next(d->x, 0, &i) && i < rule;)
        if (slice_eq(s3_xml_child_text(d->x, i, N_ID), id)) return true;
    return false;
}

/* A rule of thousands of transitions would be walked for each rule behind it. */
static bool few_children(struct doc *d, size_t rule)
{
    size_t n = 0;
    for (size_t i = 0; s3_xml_next(d->x, rule, &i);)
        if (n++ == S3_LIFECYCLE_RULE_ELEMENTS_MAX) return false;
    return true;
}

enum s3_error s3_xml_lifecycle_end(struct s3_xml *x, const uint8_t seed[ID_BYTES], struct buf *canonical, struct s3_fault *f)
{
    size_t count;
    struct doc d = {.x = x, .out = canonical, .f = f, .seed = seed};
    ASSERT(s3_xml_kind_of(x) == S3_XML_LIFECYCLE);
    enum s3_error e = s3_xml_finish(x);
    if (e != S3E_NONE) return s3_fault_set(f, e, NULL);
    d.nodes = s3_xml_nodes(x, &count);
    buf_put_str(canonical, S3_XML_HEAD "<LifecycleConfiguration" S3_XML_NS);
    for (size_t i = 0; s3_xml_next(x, 0, &i); d.place++) {
        if (d.place == S3_LIFECYCLE_RULES_MAX || !few_children(&d, i)) return malformed(&d);
        if (id_taken(&d, i)) return bad_value(&d, "Rule ID must be unique. Found same ID for more than one rule");
        e = put_rule(&d, i);
        if (e != S3E_NONE) return e;
    }
    buf_put_str(canonical, "</LifecycleConfiguration>");
    if (d.place == 0 || !buf_ok(canonical) || canonical->n > S3_CONFIG_DOC_BYTES_MAX) return malformed(&d);
    if (d.transitions) return s3_fault_set(f, S3E_NotImplemented, "Transitions between storage classes are not implemented");
    return S3E_NONE;
}
