/* SPDX-License-Identifier: Apache-2.0
 * source: a log's files by HTTP, from a mirrored directory of tiles, or from a directory of flat files.
 * Role: the only file that reaches outside. Trusts: nothing; what it gives is verified by its callers. Distrusts: lengths: bounded.
 * Spec: C2SP tlog-tiles; docs/spec/log.md sections 2 and 3
 */
#include "verify/verify.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static size_t receive(char *p, size_t size, size_t n, void *ctx)
{
    struct buf *out = ctx;
    buf_put(out, p, size * n);
    return buf_ok(out) ? n : 0;
}

enum err verify_source_open(struct verify_source *s, const char *place, const char *ca)
{
    *s = (struct verify_source){0};
    size_t n = strlen(place);
    while (n > 1 && place[n - 1] == '/') n--;
    if (n == 0 || n > VERIFY_PLACE_CHARS_MAX) return ERR_INPUT;
    memcpy(s->base, place, n);
    if (strncmp(place, "http://", 7) != 0 && strncmp(place, "https://", 8) != 0) {
        char path[VERIFY_PLACE_CHARS_MAX + 16];
        struct stat st;
        snprintf(path, sizeof path, "%s/tile", s->base);
        bool tiles = stat(path, &st) == 0;
        snprintf(path, sizeof path, "%s/hashes.0", s->base);
        s->flat = !tiles && stat(path, &st) == 0;
        return ERR_OK;
    }
    CURL *c = curl_easy_init();
    if (!c) return ERR_NOMEM;
    s->curl = c;
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)VERIFY_FETCH_SECONDS);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "tillit-verify");
    if (ca) curl_easy_setopt(c, CURLOPT_CAINFO, ca);
    return ERR_OK;
}

void verify_source_close(struct verify_source *s)
{
    if (s->curl) curl_easy_cleanup(s->curl);
    s->curl = NULL;
}

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

/* A busy or restarting server is asked again for a while: it is no difference. */
static enum err url_get(struct verify_source *s, const char *path, struct buf *out)
{
    char url[VERIFY_PLACE_CHARS_MAX + LEDGER_TILE_PATH_BYTES_MAX + 32];
    snprintf(url, sizeof url, "%s/%s", s->base, path);
    curl_easy_setopt(s->curl, CURLOPT_URL, url);
    curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, out);
    for (unsigned try = 0;; try++) {
        buf_reset(out);
        long status = 0;
        CURLcode code = curl_easy_perform(s->curl);
        curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
        if (code == CURLE_OK && status == 200) return ERR_OK;
        if (code == CURLE_OK && (status == 404 || status == 410)) return ERR_MISSING;
        if (code == CURLE_WRITE_ERROR) return ERR_LIMIT;
        if (code == CURLE_OK) snprintf(s->why, sizeof s->why, "HTTP status %ld", status);
        else snprintf(s->why, sizeof s->why, "%s", curl_easy_strerror(code));
        bool again = code == CURLE_OK ? status == 503 || status == 429 : code != CURLE_COULDNT_RESOLVE_HOST && code != CURLE_URL_MALFORMAT;
        if (!again || try == 3) return ERR_IO;
        pause_ms(VERIFY_HEAD_WAIT_MS);
    }
}

enum err verify_file_read(const char *path, struct buf *out)
{
    buf_reset(out);
    FILE *f = fopen(path, "re");
    if (!f) return errno == ENOENT || errno == ENOTDIR ? ERR_MISSING : ERR_IO;
    uint8_t chunk[16384];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0 && buf_ok(out);) buf_put(out, chunk, n);
    bool bad = ferror(f) != 0;
    fclose(f);
    return bad ? ERR_IO : buf_ok(out) ? ERR_OK : ERR_LIMIT;
}

/* n bytes of a flat file; MISSING when it does not have them. */
static enum err flat_read(struct verify_source *s, const char *name, uint64_t at, size_t n, struct buf *out)
{
    char path[VERIFY_PLACE_CHARS_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", s->base, name);
    FILE *f = fopen(path, "re");
    if (!f) return errno == ENOENT ? ERR_MISSING : ERR_IO;
    uint8_t *to = buf_room(out, n);
    bool there = to && fseeko(f, (off_t)at, SEEK_SET) == 0 && fread(to, 1, n, f) == n;
    fclose(f);
    if (!to) return ERR_LIMIT;
    if (!there) return ERR_MISSING;
    out->n += n;
    return ERR_OK;
}

static enum err flat_offset(struct verify_source *s, uint64_t index, uint64_t *out)
{
    AUTO(buf) struct buf b = BUF_INIT(8);
    TRY(flat_read(s, "offsets", index * 8, 8, &b));
    *out = get_be64(b.p);
    return ERR_OK;
}

static enum err flat_get(struct verify_source *s, const struct ledger_tile *t, struct buf *out)
{
    uint64_t from, bytes;
    char name[16];
    buf_reset(out);
    if (!t->entries) {
        TRY(ledger_tile_range(t, &from, &bytes));
        snprintf(name, sizeof name, "hashes.%u", t->level);
        return flat_read(s, name, from, (size_t)bytes, out);
    }
    uint64_t last;
    AUTO(buf) struct buf length = BUF_INIT(2);
    TRY(flat_offset(s, t->index * TILE_LEAVES, &from));
    TRY(flat_offset(s, t->index * TILE_LEAVES + t->width - 1, &last));
    TRY(flat_read(s, "entries", last, 2, &length));
    bytes = last - from + 2 + get_be16(length.p);
    if (last < from || bytes > out->max) return ERR_LIMIT;
    return flat_read(s, "entries", from, (size_t)bytes, out);
}

enum err verify_source_get(struct verify_source *s, const char *path, struct buf *out)
{
    if (s->curl) return url_get(s, path, out);
    struct ledger_tile t;
    enum err e;
    if (s->flat && ledger_tile_parse(slice_str(path), &t) == ERR_OK) {
        e = flat_get(s, &t, out);
    } else {
        char file[VERIFY_PLACE_CHARS_MAX + LEDGER_TILE_PATH_BYTES_MAX + 32];
        snprintf(file, sizeof file, "%s/%s", s->base, path);
        e = verify_file_read(file, out);
    }
    if (e == ERR_IO) snprintf(s->why, sizeof s->why, "%s", strerror(errno));
    return e;
}
