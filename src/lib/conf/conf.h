/* SPDX-License-Identifier: Apache-2.0
 * conf: DIR/tillit.conf. One schema for all processes, so that a misspelt key is an error and not a silent default.
 *
 *   # comment                 blank lines and comments are free
 *   [section]
 *   key = value               blanks around both are dropped; the value goes to the end of the line
 *
 * Errors name file, line and remedy: `tillit.conf:7: unknown key "prot" in [s3]; did you mean "port"?`
 * Limits: file 64 KiB, line 1024 bytes. Threads: none kept. Source: DESIGN "one config file".
 */
#ifndef TILLIT_CONF_H
#define TILLIT_CONF_H

#include "base/base.h"
#include "base/limits.h"

/* Every setting, once: CONF(field, section, key, type, default) with types PORT (0..65535), TEXT (<= 255), MS, COUNT (1..64),
 * BOOL (yes or no), OWNERSHIP (BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter), SMTP (smtp://host[:port] or smtps://host[:port]),
 * MAIL (an address that needs no quotes). In a key '-' and '_' are the same.
 *
 * [s3-tests] makes the store answer as the conformance suite expects AWS of 2019 to 2022 to have answered. Without `on = yes` nothing of that
 * section has an effect: conf_parse() then gives the settings of production (conf_tests_off), whatever stands there.
 *
 * [quota] holds for every tenant, [quota NAME] for that one, key by key; 0 is no bound. */
#define CONF_TABLE(CONF)                                                                                              \
    CONF(region, "s3", "region", TEXT, "eu-north-1")                                                                  \
    CONF(listen, "s3", "listen", TEXT, "127.0.0.1")                                                                   \
    CONF(s3_port, "s3", "port", PORT, "9000")                                                                         \
    CONF(s3_tls_port, "s3", "tls_port", PORT, "9443")                                                                 \
    CONF(domain, "s3", "domain", TEXT, "")                                                                            \
    CONF(anonymous_tenant, "s3", "anonymous_tenant", TEXT, "")                                                        \
    CONF(part_min_bytes, "s3", "part_min_bytes", MS, "5242880")                                                       \
    CONF(s3_tests, "s3-tests", "on", BOOL, "no")                                                                      \
    CONF(object_ownership, "s3-tests", "object_ownership", OWNERSHIP, "ObjectWriter")                                 \
    CONF(public_access_block, "s3-tests", "public_access_block", BOOL, "no")                                          \
    CONF(form_v2, "s3-tests", "form_v2", BOOL, "yes")                                                                 \
    CONF(any_region, "s3-tests", "any_region", BOOL, "yes")                                                           \
    CONF(lifecycle_day_ms, "s3-tests", "lifecycle_day_ms", MS, "10000")                                               \
    CONF(display_name, "s3-tests", "display_name", BOOL, "yes")                                                       \
    CONF(tls_cert, "s3", "tls_cert", TEXT, "front/tls/cert.pem")                                                      \
    CONF(tls_key, "s3", "tls_key", TEXT, "front/tls/key.pem")                                                         \
    CONF(api_port, "api", "port", PORT, "9001")                                                                       \
    CONF(access_port, "access", "port", PORT, "9002")                                                                 \
    CONF(access_tls_port, "access", "tls_port", PORT, "9444")                                                         \
    CONF(access_workers, "access", "workers", COUNT, "1")                                                             \
    CONF(log_origin, "log", "origin", TEXT, "tillit.example")                                                         \
    CONF(log_url, "log", "url", TEXT, "")                                                                             \
    CONF(root_key, "keys", "root", TEXT, "gate/keys/root")                                                            \
    CONF(workers, "front", "workers", COUNT, "2")                                                                     \
    CONF(grave_ms, "grave", "keep_ms", MS, "86400000")                                                                \
    CONF(quota_objects, "quota", "objects", MS, "0")                                                                  \
    CONF(quota_bytes, "quota", "bytes", MS, "0")                                                                      \
    CONF(quota_requests_per_second, "quota", "requests_per_second", MS, "0")                                          \
    CONF(quota_records_per_day, "quota", "records_per_day", MS, "0")                                                  \
    CONF(notices_smtp, "notices", "smtp", SMTP, "")                                                                   \
    CONF(notices_from, "notices", "from", MAIL, "")                                                                   \
    CONF(notices_login, "notices", "login", TEXT, "")                                                                 \
    CONF(notices_starttls, "notices", "starttls", BOOL, "no")                                                         \
    CONF(notices_ca, "notices", "ca", TEXT, "")                                                                       \
    CONF(notices_allow_private, "notices", "allow_private", BOOL, "no")                                               \
    CONF(gate_uid, "process", "gate_uid", MS, "64101")                                                                \
    CONF(keeper_uid, "process", "keeper_uid", MS, "64102")                                                            \
    CONF(front_uid, "process", "front_uid", MS, "64103")                                                              \
    CONF(steward_uid, "process", "steward_uid", MS, "64104")                                                          \
    CONF(access_uid, "process", "access_uid", MS, "64105")

#define CONF_TEXT_MAX 256
#define CONF_TENANT_CHARS_MAX 63
enum { CONF_QUOTA_KEYS = 4 };
/* What one tenant may keep and ask for; 0: no bound. */
struct conf_quota {
    uint64_t objects, bytes, requests_per_second, records_per_day;
};
struct conf_tenant_quota {                         /* a section [quota NAME] */
    char tenant[CONF_TENANT_CHARS_MAX + 1];
    uint64_t value[CONF_QUOTA_KEYS];               /* in the order of struct conf_quota */
    bool given[CONF_QUOTA_KEYS];
};
struct conf {
#define CONF_FIELD_TEXT(f) char f[CONF_TEXT_MAX];
#define CONF_FIELD_PORT(f) uint64_t f;
#define CONF_FIELD_MS(f) uint64_t f;
#define CONF_FIELD_COUNT(f) uint64_t f;
#define CONF_FIELD_BOOL(f) bool f;
#define CONF_FIELD_OWNERSHIP(f) char f[CONF_TEXT_MAX];
#define CONF_FIELD_SMTP(f) char f[CONF_TEXT_MAX];
#define CONF_FIELD_MAIL(f) char f[CONF_TEXT_MAX];
#define CONF(field, section, key, type, dflt) CONF_FIELD_##type(field)
    CONF_TABLE(CONF)
#undef CONF
    size_t tenant_quota_count;
    struct conf_tenant_quota tenant_quotas[CONF_QUOTAS_MAX];
};
#define CONF_DAY_MS 86400000
/* The settings of [s3-tests] as production has them: new buckets are BucketOwnerEnforced and block public access, forms of signature version 2
 * and foreign regions are refused, a lifecycle day is a day, no display names. */
void conf_tests_off(struct conf *c);
/* A tenant's: [quota NAME] where it says something, else [quota]. */
void conf_quota_of(const struct conf *c, struct slice tenant, struct conf_quota *out);
/* All defaults, then the file. A missing file is an error that names `tillit init`. `why` gets the text of the first error. */
MUST_USE enum err conf_read(const char *path, struct conf *out, struct buf *why);
/* The same over bytes; `name` is what errors call the file. */
MUST_USE enum err conf_parse(const char *name, struct slice text, struct conf *out, struct buf *why);
/* DIR/rel, or rel itself when it begins with '/'. */
void conf_path(const char *dir, const char *rel, char *out, size_t out_n);

#endif
