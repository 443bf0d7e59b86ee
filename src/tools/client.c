/* SPDX-License-Identifier: Apache-2.0
 * Speaks to a store's API as any customer's program would: HTTP, signed with an access key.
 * Role: the commands that need a served store.
 * Trusts: the endpoint it is pointed at. Law: 2 (no side door: what the command line can, `curl` can).
 * Spec: AWS Signature Version 4 with service `tillit`
 */
#include "tools/tools.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "s3/s3.h"

/* others' words --------------------------------------------------------------------------------------------------------------------- */

void shown_put(struct slice s, struct buf *out)
{
    for (struct slice rest = s; rest.n > 0;) {
        size_t n = MIN(rest.n, (size_t)512);
        while (n > 0 && n < rest.n && (rest.p[n] & 0xc0) == 0x80) n--;
        if (n == 0) n = 1;
        struct slice part = slice_of(rest.p, n);
        if (record_text_ok(part)) buf_put_slice(out, part);
        else
            for (size_t i = 0; i < n; i++) buf_put_u8(out, part.p[i] >= 0x20 && part.p[i] < 0x7f ? part.p[i] : '?');
        rest = slice_of(rest.p + n, rest.n - n);
    }
}

const char *shown(const char *text)
{
    static char ring[SHOWN_AT_ONCE_MAX][SHOWN_CHARS_MAX];
    static size_t next;
    AUTO(buf) struct buf words = BUF_INIT(SHOWN_CHARS_MAX - 1);
    char *out = ring[next++ % SHOWN_AT_ONCE_MAX];
    if (text) shown_put(slice_of(text, strnlen(text, SHOWN_CHARS_MAX - 1)), &words);
    snprintf(out, SHOWN_CHARS_MAX, "%.*s", (int)words.n, words.n > 0 ? (const char *)words.p : "");
    return out;
}

/* a store to speak to ------------------------------------------------------------------------------------------------------------- */

static bool from_dir(struct store_client *c, const char *dir)
{
    char path[TOOLS_PATH_MAX];
    AUTO(buf) struct buf text = BUF_INIT(TOOLS_FILE_BYTES_MAX);
    snprintf(path, sizeof path, "%s/run/endpoints.json", dir);
    if (file_read(path, &text) != ERR_OK) return false;
    json_t *j = json_loadb((const char *)text.p, text.n, 0, NULL);
    const char *api = json_string_value(json_object_get(j, "api")), *region = json_string_value(json_object_get(j, "region"));
    const char *s3 = json_string_value(json_object_get(j, "s3")), *tenant = json_string_value(json_object_get(j, "tenant"));
    if (s3) snprintf(c->s3, sizeof c->s3, "%s", s3);
    if (tenant) snprintf(c->tenant, sizeof c->tenant, "%s", tenant);
    if (api) snprintf(c->api, sizeof c->api, "%s", api);
    if (region) snprintf(c->region, sizeof c->region, "%s", region);
    json_decref(j);
    return c->api[0] != 0;
}

/* The file aws cli and SDKs read: `aws_access_key_id = ...`. */
static bool from_file(struct store_client *c, const char *path)
{
    AUTO(buf) struct buf text = BUF_INIT(TOOLS_FILE_BYTES_MAX);
    if (file_read(path, &text) != ERR_OK) return false;
    struct slice rest = buf_slice(&text), line, name;
    while (rest.p && rest.n > 0) {
        rest = slice_cut(rest, '\n', &line);
        struct slice value = slice_trim(slice_cut(line, '=', &name));
        name = slice_trim(name);
        if (slice_is(name, "aws_access_key_id")) snprintf(c->access_key, sizeof c->access_key, "%.*s", (int)value.n, value.p);
        if (slice_is(name, "aws_secret_access_key")) snprintf(c->secret, sizeof c->secret, "%.*s", (int)value.n, value.p);
    }
    wipe(text.p, text.n);
    return c->access_key[0] && c->secret[0];
}

int client_open(struct store_client *c, const char *dir, const char *endpoint, const char *credentials, bool need_credentials)
{
    char path[TOOLS_PATH_MAX];
    *c = (struct store_client){.region = "eu-north-1"};
    if (dir) from_dir(c, dir);
    if (endpoint) snprintf(c->api, sizeof c->api, "%s", endpoint);
    if (!c->api[0]) {
        fprintf(stderr, "tillit: no endpoint: %s/run/endpoints.json is not there (is the store served?); or give --endpoint http://HOST:9001\n", dir ? dir : "DIR");
        return EXIT_REACH;
    }
    if (!need_credentials) return EXIT_DONE;
    const char *id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");
    if (credentials) {
        if (from_file(c, credentials)) return EXIT_DONE;
        fprintf(stderr, "tillit: %s: no aws_access_key_id and aws_secret_access_key in it\n", credentials);
        return EXIT_USAGE;
    }
    if (id && secret) {
        snprintf(c->access_key, sizeof c->access_key, "%s", id);
        snprintf(c->secret, sizeof c->secret, "%s", secret);
        return EXIT_DONE;
    }
    snprintf(path, sizeof path, "%s/demo/credentials", dir ? dir : ".");
    if (from_file(c, path)) return EXIT_DONE;
    fprintf(stderr, "tillit: no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give --credentials FILE\n");
    return EXIT_USAGE;
}

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
    struct buf *out = ctx;
    buf_put(out, p, size * n);
    return buf_ok(out) ? size * n : 0;
}

static struct curl_slist *header(struct curl_slist *l, const char *name, const char *value)
{
    char line[1024];
    snprintf(line, sizeof line, "%s: %s", name, value);
    return curl_slist_append(l, line);
}

static enum err sign_headers(const struct store_client *c, const char *base, const char *service, const char *target, struct slice body,
                             struct curl_slist **headers)
{
    AUTO(buf) struct buf hash = BUF_INIT(80), authorization = BUF_INIT(2048);
    uint8_t digest[HASH_BYTES];
    char date[TIME_TEXT_MAX];
    const char *host = strstr(base, "://");
    host = host ? host + 3 : base;
    uint64_t now = clock_wall_ms();
    if (EVP_Digest(body.p ? body.p : (const uint8_t *)"", body.n, digest, NULL, EVP_sha256(), NULL) != 1) return ERR_CRYPTO;
    buf_put_hex(&hash, slice_of(digest, sizeof digest));
    time_amz(now, date);
    const struct s3_header signed_headers[] = {{SLICE_LIT("host"), slice_str(host)}, {SLICE_LIT("x-amz-content-sha256"), buf_slice(&hash)},
                                               {SLICE_LIT("x-amz-date"), slice_str(date)}};
    const struct s3_client_key key = {slice_str(c->access_key), slice_str(c->secret), slice_str(c->region), slice_str(service)};
    TRY(s3_client_sign(&key, body.p ? SLICE_LIT("POST") : SLICE_LIT("GET"), slice_str(target), signed_headers, ARRAY_LEN(signed_headers), now, buf_slice(&hash), &authorization));
    buf_put_u8(&hash, 0), buf_put_u8(&authorization, 0);
    *headers = header(*headers, "x-amz-date", date);
    *headers = header(*headers, "x-amz-content-sha256", (const char *)hash.p);
    *headers = header(*headers, "Authorization", (const char *)authorization.p);
    return ERR_OK;
}

static int waiting(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct store_client *client = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return client->interrupted(client->interrupted_ctx);
}

static int send_request(const struct store_client *c, const char *base, const char *target, struct slice body, struct curl_slist *headers, long *status, struct buf *out)
{
    char url[4096];
    headers = header(headers, "Expect", "");
    snprintf(url, sizeof url, "%s%s", base, target);
    CURL *h = curl_easy_init();
    if (!h) return EXIT_INTERNAL;
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(h, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(h, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
    if (c->interrupted) {
        curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, waiting);
        curl_easy_setopt(h, CURLOPT_XFERINFODATA, c);
    }
    if (body.p) {
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, body.p);
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE, (long)body.n);
    }
    CURLcode code = curl_easy_perform(h);
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, status);
    curl_easy_cleanup(h);
    curl_slist_free_all(headers);
    if (code == CURLE_OK) return EXIT_DONE;
    if (code == CURLE_ABORTED_BY_CALLBACK) return EXIT_REACH;      /* who broke it off knows */
    fprintf(stderr, "tillit: %s: %s; is the store served?\n", base, curl_easy_strerror(code));
    return EXIT_REACH;
}

int client_request(const struct store_client *c, const char *target, struct slice body, bool sign, long *status, struct buf *out)
{
    struct curl_slist *headers = NULL;
    if (sign && sign_headers(c, c->api, "tillit", target, body, &headers) != ERR_OK) return EXIT_INTERNAL;
    headers = header(headers, "Content-Type", "application/json");
    return send_request(c, c->api, target, body, headers, status, out);
}

int client_iam(const struct store_client *c, struct slice body, long *status, struct buf *out)
{
    struct curl_slist *headers = NULL;
    if (!c->s3[0]) {
        fprintf(stderr, "tillit: no S3 endpoint known: is the store served? or give --endpoint http://HOST:9000\n");
        return EXIT_REACH;
    }
    if (sign_headers(c, c->s3, "iam", "/", body, &headers) != ERR_OK) return EXIT_INTERNAL;
    headers = header(headers, "Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    return send_request(c, c->s3, "/", body, headers, status, out);
}

int client_refused(const char *command, long status, struct slice body)
{
    json_t *j = json_loadb((const char *)body.p, body.n, 0, NULL);
    const char *detail = json_string_value(json_object_get(j, "detail"));
    fprintf(stderr, "tillit %s: refused (%ld): %s\n", command, status, detail ? shown(detail) : "no reason given");
    json_decref(j);
    return EXIT_REFUSED;
}
