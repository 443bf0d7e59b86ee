/* SPDX-License-Identifier: Apache-2.0
 * Reads DIR/tillit.conf against its one schema.
 * Role: first step of every process; nothing is opened before it has been accepted whole.
 * Trusts: the administrator who writes the file. Distrusts: their spelling.
 * Spec: docs/spec/dir.md
 */
#include "conf/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define CONF_FILE_BYTES_MAX 65536
#define CONF_LINE_BYTES_MAX 1024
#define CONF_NUMBER_MAX ((uint64_t)1 << 53)

enum conf_type { CONF_T_PORT, CONF_T_TEXT, CONF_T_MS, CONF_T_COUNT, CONF_T_BOOL, CONF_T_OWNERSHIP, CONF_T_SMTP, CONF_T_MAIL };
struct conf_row {
    const char *section, *key, *dflt;
    enum conf_type type;
    size_t off;
};
static const struct conf_row rows[] = {
#define CONF(field, section, key, type, dflt) {section, key, dflt, CONF_T_##type, offsetof(struct conf, field)},
    CONF_TABLE(CONF)
#undef CONF
};

static bool ownership_ok(struct slice value)
{
    return slice_is(value, "BucketOwnerEnforced") || slice_is(value, "BucketOwnerPreferred") || slice_is(value, "ObjectWriter");
}

/* A host's name or address and perhaps a port; no user, no path: those would go into what is said to the server. */
static bool smtp_ok(struct slice v)
{
    struct slice host, rest;
    uint64_t port = 1;
    if (slice_starts(v, SLICE_LIT("smtp://"))) rest = slice_of(v.p + 7, v.n - 7);
    else if (slice_starts(v, SLICE_LIT("smtps://"))) rest = slice_of(v.p + 8, v.n - 8);
    else return false;
    bool six = rest.n > 0 && rest.p[0] == '[';
    if (six) {
        struct slice inside;
        rest = slice_cut(slice_of(rest.p + 1, rest.n - 1), ']', &inside);
        if (!rest.p || inside.n == 0 || (rest.n > 0 && rest.p[0] != ':')) return false;
        host = inside;
        if (rest.n > 0) rest = slice_of(rest.p + 1, rest.n - 1);
        else rest = (struct slice){0};
    } else rest = slice_cut(rest, ':', &host);
    if (rest.p && (slice_u64(rest, 65535, &port) != ERR_OK || port == 0)) return false;
    for (size_t i = 0; i < host.n; i++) {
        uint8_t c = host.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
        if (!plain && !(six && c == ':')) return false;
    }
    return host.n > 0;
}

/* Texts of one of the forms; "" is the default of those that may be left out. */
static bool text_ok(enum conf_type type, struct slice value, const char **want)
{
    switch (type) {
    case CONF_T_OWNERSHIP: *want = "BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter"; return ownership_ok(value);
    case CONF_T_SMTP: *want = "smtp://host:port or smtps://host:port"; return value.n == 0 || smtp_ok(value);
    case CONF_T_MAIL: *want = "a mail address such as tillit@example.org"; return value.n == 0 || slice_is_mail(value);
    default: *want = "a text of at most 255 bytes without control characters"; return true;
    }
}

static enum err set(struct conf *c, const struct conf_row *r, struct slice value, const char **want)
{
    char *at = (char *)c + r->off;
    if (r->type == CONF_T_BOOL) {
        bool on = slice_is(value, "yes");
        *want = "yes or no";
        memcpy(at, &on, sizeof on);
        return on || slice_is(value, "no") ? ERR_OK : ERR_CONFIG;
    }
    if (r->type == CONF_T_TEXT || r->type >= CONF_T_OWNERSHIP) {
        if (!text_ok(r->type, value, want)) return ERR_CONFIG;
        if (value.n >= CONF_TEXT_MAX) return ERR_CONFIG;
        for (size_t i = 0; i < value.n; i++)
            if (value.p[i] < 0x20 || value.p[i] == 0x7f) return ERR_CONFIG;
        if (value.n > 0) memcpy(at, value.p, value.n);
        at[value.n] = 0;
        return ERR_OK;
    }
    uint64_t max = r->type == CONF_T_PORT ? 65535 : r->type == CONF_T_COUNT ? 64 : CONF_NUMBER_MAX;
    *want = r->type == CONF_T_PORT ? "a port from 0 to 65535" : r->type == CONF_T_COUNT ? "a number from 1 to 64" : "a whole number";
    uint64_t v;
    if (slice_u64(value, max, &v) != ERR_OK || (r->type == CONF_T_COUNT && v == 0)) return ERR_CONFIG;
    memcpy(at, &v, sizeof v);
    return ERR_OK;
}

/* Keys read like sentences to some and like names to others: "part-min-bytes" is "part_min_bytes". */
static bool key_is(struct slice key, const char *name)
{
    size_t n = strlen(name);
    if (key.n != n) return false;
    for (size_t i = 0; i < n; i++)
        if ((key.p[i] == '-' ? '_' : key.p[i]) != (uint8_t)name[i]) return false;
    return true;
}

/* How many single edits lie between two short words, capped: good enough to say "did you mean". */
static size_t distance(struct slice a, const char *b)
{
    size_t row[64], bn = strlen(b);
    if (a.n > 60 || bn > 60) return 99;
    for (size_t j = 0; j <= bn; j++) row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= bn; j++) {
            size_t up = row[j], same = diagonal + (a.p[i - 1] != (uint8_t)b[j - 1]);
            row[j] = MIN(same, MIN(up, row[j - 1]) + 1);
            diagonal = up;
        }
    }
    return row[bn];
}

static enum err unknown_key(const char *name, size_t line, struct slice section, struct slice key, struct buf *why)
{
    const struct conf_row *best = NULL;
    size_t best_distance = 4;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t d = distance(key, rows[i].key) + (slice_is(section, rows[i].section) ? 0 : 1);
        if (d < best_distance) best = &rows[i], best_distance = d;
    }
    buf_printf(why, "%s:%zu: unknown key \"%.*s\" in [%.*s]; ", name, line, (int)MIN(key.n, 40), key.p, (int)MIN(section.n, 40), section.p);
    if (best) buf_printf(why, "did you mean \"%s\" in [%s]?", best->key, best->section);
    else buf_put_str(why, "docs/spec/dir.md lists every key");
    return ERR_CONFIG;
}

static const char *const quota_keys[CONF_QUOTA_KEYS] = {"objects", "bytes", "requests_per_second", "records_per_day"};

/* The section of that name, made when it is new; NULL: too many. */
static struct conf_tenant_quota *quota_section(struct conf *c, struct slice tenant)
{
    for (size_t i = 0; i < c->tenant_quota_count; i++)
        if (slice_is(tenant, c->tenant_quotas[i].tenant)) return &c->tenant_quotas[i];
    if (c->tenant_quota_count == CONF_QUOTAS_MAX) return NULL;
    struct conf_tenant_quota *q = &c->tenant_quotas[c->tenant_quota_count++];
    memcpy(q->tenant, tenant.p, tenant.n);
    q->tenant[tenant.n] = 0;
    return q;
}

static bool tenant_ok(struct slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!(name.p[i] >= 'a' && name.p[i] <= 'z') && !(name.p[i] >= '0' && name.p[i] <= '9') && name.p[i] != '-' && name.p[i] != '.') return false;
    return name.n >= 3 && name.n <= CONF_TENANT_CHARS_MAX;
}

struct quota_line {
    const char *name;
    size_t line;
    struct slice section, tenant, key, value;
};

static enum err parse_quota(const struct quota_line *l, struct conf *out, struct buf *why)
{
    if (!tenant_ok(l->tenant)) {
        buf_printf(why, "%s:%zu: [%.*s] names no tenant; a section is written [quota NAME]", l->name, l->line, (int)MIN(l->section.n, 80), l->section.p);
        return ERR_CONFIG;
    }
    struct conf_tenant_quota *q = quota_section(out, l->tenant);
    if (!q) {
        buf_printf(why, "%s:%zu: more than %d sections [quota NAME]; give the quotas that most tenants have in [quota]", l->name, l->line, CONF_QUOTAS_MAX);
        return ERR_CONFIG;
    }
    for (size_t i = 0; i < CONF_QUOTA_KEYS; i++) {
        if (!key_is(l->key, quota_keys[i])) continue;
        if (q->given[i]) {
            buf_printf(why, "%s:%zu: \"%s\" stands twice in [quota %s]; keep one", l->name, l->line, quota_keys[i], q->tenant);
            return ERR_CONFIG;
        }
        q->given[i] = true;
        if (slice_u64(l->value, CONF_NUMBER_MAX, &q->value[i]) == ERR_OK) return ERR_OK;
        buf_printf(why, "%s:%zu: \"%s\" in [quota %s] must be a whole number", l->name, l->line, quota_keys[i], q->tenant);
        return ERR_CONFIG;
    }
    return unknown_key(l->name, l->line, SLICE_LIT("quota"), l->key, why);
}

void conf_quota_of(const struct conf *c, struct slice tenant, struct conf_quota *out)
{
    uint64_t v[CONF_QUOTA_KEYS] = {c->quota_objects, c->quota_bytes, c->quota_requests_per_second, c->quota_records_per_day};
    for (size_t i = 0; i < c->tenant_quota_count; i++)
        for (size_t k = 0; k < CONF_QUOTA_KEYS && slice_is(tenant, c->tenant_quotas[i].tenant); k++)
            if (c->tenant_quotas[i].given[k]) v[k] = c->tenant_quotas[i].value[k];
    *out = (struct conf_quota){v[0], v[1], v[2], v[3]};
}

static enum err parse_line(const char *name, size_t line_no, struct slice line, struct slice *section, size_t *seen, struct conf *out, struct buf *why)
{
    if (line.n > CONF_LINE_BYTES_MAX) {
        buf_printf(why, "%s:%zu: line longer than %d bytes; shorten it", name, line_no, CONF_LINE_BYTES_MAX);
        return ERR_CONFIG;
    }
    line = slice_trim(line);
    if (line.n == 0 || line.p[0] == '#') return ERR_OK;
    if (line.p[0] == '[') {
        if (line.n < 3 || line.p[line.n - 1] != ']') {
            buf_printf(why, "%s:%zu: a section is written [name]", name, line_no);
            return ERR_CONFIG;
        }
        *section = slice_of(line.p + 1, line.n - 2);
        return ERR_OK;
    }
    struct slice key, value = slice_cut(line, '=', &key);
    if (!value.p) {
        buf_printf(why, "%s:%zu: expected \"key = value\" or [section]", name, line_no);
        return ERR_CONFIG;
    }
    key = slice_trim(key), value = slice_trim(value);
    if (slice_starts(*section, SLICE_LIT("quota "))) {
        struct quota_line q = {.name = name, .line = line_no, .section = *section, .key = key, .value = value};
        q.tenant = slice_trim(slice_of(section->p + 6, section->n - 6));
        return parse_quota(&q, out, why);
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!slice_is(*section, rows[i].section) || !key_is(key, rows[i].key)) continue;
        const char *want;
        if (seen[i]) {
            buf_printf(why, "%s:%zu: \"%s\" stands twice in [%s]; keep one", name, line_no, rows[i].key, rows[i].section);
            return ERR_CONFIG;
        }
        seen[i] = line_no;
        if (set(out, &rows[i], value, &want) == ERR_OK) return ERR_OK;
        buf_printf(why, "%s:%zu: \"%s\" in [%s] must be %s", name, line_no, rows[i].key, rows[i].section, want);
        return ERR_CONFIG;
    }
    return unknown_key(name, line_no, *section, key, why);
}

void conf_tests_off(struct conf *c)
{
    static const char ownership[] = "BucketOwnerEnforced";
    c->s3_tests = false;
    memcpy(c->object_ownership, ownership, sizeof ownership);
    c->public_access_block = true;
    c->form_v2 = c->any_region = c->display_name = false;
    c->lifecycle_day_ms = CONF_DAY_MS;
}

static size_t line_of(const size_t *seen, const char *section, const char *key)
{
    size_t i = 0;
    while (strcmp(rows[i].section, section) != 0 || strcmp(rows[i].key, key) != 0) i++;
    return seen[i];
}

/* What one line cannot show: half of a mail server's settings, and a password that would travel in clear. */
static enum err notices_check(const char *name, const size_t *seen, const struct conf *c, struct buf *why)
{
    size_t smtp = line_of(seen, "notices", "smtp"), login = line_of(seen, "notices", "login");
    bool on = c->notices_smtp[0] != 0, tls = c->notices_starttls || strncmp(c->notices_smtp, "smtps:", 6) == 0;
    if (on && !c->notices_from[0]) buf_printf(why, "%s:%zu: \"smtp\" in [notices] needs \"from\": add from = an address that this server may send for", name, smtp);
    else if (on && c->notices_login[0] && !tls)
        buf_printf(why, "%s:%zu: \"login\" in [notices] would send its password in clear; set starttls = yes, or smtp = smtps://...", name, login);
    else if (on && c->notices_starttls && strncmp(c->notices_smtp, "smtps:", 6) == 0)
        buf_printf(why, "%s:%zu: smtps:// begins with TLS; take starttls out of [notices]", name, smtp);
    else return ERR_OK;
    return ERR_CONFIG;
}

enum err conf_parse(const char *name, struct slice text, struct conf *out, struct buf *why)
{
    size_t seen[ARRAY_LEN(rows)] = {0};                /* the line; 0: not there */
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *want;
        enum err e = set(out, &rows[i], slice_str(rows[i].dflt), &want);
        ASSERT(e == ERR_OK);
    }
    struct slice section = {0}, rest = text;
    for (size_t line_no = 1; rest.p && rest.n > 0; line_no++) {
        struct slice line;
        rest = slice_cut(rest, '\n', &line);
        if (line.n > 0 && line.p[line.n - 1] == '\r') line.n--;
        TRY(parse_line(name, line_no, line, &section, seen, out, why));
    }
    TRY(notices_check(name, seen, out, why));
    if (!out->s3_tests) conf_tests_off(out);
    if (out->lifecycle_day_ms == 0) {
        buf_printf(why, "%s: lifecycle_day_ms in [s3-tests] must be at least 1", name);
        return ERR_CONFIG;
    }
    return ERR_OK;
}

enum err conf_read(const char *path, struct conf *out, struct buf *why)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        buf_printf(why, "%s: %s; `tillit init DIR --tenant NAME` makes a new store", path, strerror(errno));
        return errno == ENOENT ? ERR_MISSING : ERR_CONFIG;
    }
    static char text[CONF_FILE_BYTES_MAX + 1];
    size_t n = fread(text, 1, sizeof text, f);
    bool failed = ferror(f) != 0;
    fclose(f);
    if (failed || n > CONF_FILE_BYTES_MAX) {
        buf_printf(why, "%s: cannot be read, or is larger than %d bytes", path, CONF_FILE_BYTES_MAX);
        return ERR_CONFIG;
    }
    return conf_parse(path, slice_of(text, n), out, why);
}

void conf_path(const char *dir, const char *rel, char *out, size_t out_n)
{
    if (rel[0] == '/') snprintf(out, out_n, "%s", rel);
    else snprintf(out, out_n, "%s/%s", dir, rel);
}
