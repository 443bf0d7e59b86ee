/* SPDX-License-Identifier: Apache-2.0
 * time: clocks, and the three ways S3 writes a moment.
 * Role: processes ask the clocks; rooms get the time as an argument and only format or parse here.
 * Distrusts: text to parse; only real dates from 1970 to 9999 are accepted, and no locale or time zone is asked.
 * Spec: RFC 9110 section 5.6.7 (HTTP dates), RFC 3339, SigV4 (x-amz-date)
 */
#include "base/base.h"

#include <time.h>

#define MS_PER_SECOND 1000u
#define SECONDS_PER_DAY 86400u
#define DAYS_PER_400_YEARS 146097u
#define YEAR_FIRST 1970u
#define YEAR_LAST 9999u

static const char weekday_names[7][10] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct civil {
    uint64_t year;
    unsigned month, day, hour, minute, second, ms, weekday; /* month and day from 1, weekday from 0 = Sunday */
};

static uint64_t clock_ns(clockid_t id) {
    struct timespec ts;
    int failed = clock_gettime(id, &ts);
    ASSERT(failed == 0 && ts.tv_sec >= 0);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t clock_wall_ms(void) { return clock_ns(CLOCK_REALTIME) / 1000000u; }

uint64_t clock_mono_ms(void) { return clock_ns(CLOCK_MONOTONIC) / 1000000u; }

uint64_t clock_mono_us(void) { return clock_ns(CLOCK_MONOTONIC) / 1000u; }

/* Years are counted from the first of March, so that the leap day is the last one; an era is 400 years. */
static struct civil civil_from_ms(uint64_t ms) {
    struct civil c;
    uint64_t seconds = ms / MS_PER_SECOND, days = seconds / SECONDS_PER_DAY;
    unsigned in_day = (unsigned)(seconds % SECONDS_PER_DAY);
    c.ms = (unsigned)(ms % MS_PER_SECOND);
    c.hour = in_day / 3600;
    c.minute = in_day / 60 % 60;
    c.second = in_day % 60;
    c.weekday = (unsigned)((days + 4) % 7); /* 1970-01-01 was a Thursday */
    uint64_t shifted = days + 719468;       /* days from 0000-03-01 to 1970-01-01 */
    uint64_t era = shifted / DAYS_PER_400_YEARS;
    unsigned of_era = (unsigned)(shifted % DAYS_PER_400_YEARS);
    unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned march_month = (5 * of_year + 2) / 153;
    c.day = of_year - (153 * march_month + 2) / 5 + 1;
    c.month = march_month < 10 ? march_month + 3 : march_month - 9;
    c.year = year_of_era + era * 400 + (c.month <= 2 ? 1 : 0);
    return c;
}

static enum err civil_to_ms(const struct civil *c, uint64_t *ms) {
    static const unsigned month_days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (c->year < YEAR_FIRST || c->year > YEAR_LAST || c->month < 1 || c->month > 12) return ERR_INPUT;
    bool leap = c->year % 4 == 0 && (c->year % 100 != 0 || c->year % 400 == 0);
    unsigned days_max = month_days[c->month - 1] + (leap && c->month == 2 ? 1 : 0);
    if (c->day < 1 || c->day > days_max || c->hour > 23 || c->minute > 59 || c->second > 59) return ERR_INPUT;
    uint64_t year = c->year - (c->month <= 2 ? 1 : 0), of_era = year % 400;
    unsigned march_month = c->month > 2 ? c->month - 3 : c->month + 9;
    uint64_t of_year = (153 * march_month + 2) / 5 + c->day - 1;
    uint64_t days = year / 400 * DAYS_PER_400_YEARS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
    uint64_t seconds = days * SECONDS_PER_DAY + c->hour * 3600u + c->minute * 60u + c->second;
    *ms = seconds * MS_PER_SECOND + c->ms;
    return ERR_OK;
}

/* By hand: a GET writes one of these, and snprintf costs as much as a hash of it. */
static char *put_number(char *at, uint64_t v, int digits) {
    for (int i = digits - 1; i >= 0; i--, v /= 10) at[i] = (char)('0' + v % 10);
    return at + digits;
}

static char *put_text(char *at, const char *text, size_t n) {
    memcpy(at, text, n);
    return at + n;
}

/* date and time of day, with what stands between their numbers; separators of 0 bytes are none */
static char *put_clock(char *at, const struct civil *c, const char *between, size_t between_n) {
    at = put_text(put_number(at, c->hour, 2), between, between_n);
    at = put_text(put_number(at, c->minute, 2), between, between_n);
    return put_number(at, c->second, 2);
}

void time_iso8601(uint64_t ms, char out[TIME_TEXT_MAX]) {
    struct civil c = civil_from_ms(ms);
    char *at = put_text(put_number(out, c.year, 4), "-", 1);
    at = put_text(put_number(at, c.month, 2), "-", 1);
    at = put_text(put_number(at, c.day, 2), "T", 1);
    at = put_text(put_clock(at, &c, ":", 1), ".", 1);
    (void)put_text(put_number(at, c.ms, 3), "Z", 2);
}

void time_http(uint64_t ms, char out[TIME_TEXT_MAX]) {
    struct civil c = civil_from_ms(ms);
    char *at = put_text(put_text(out, weekday_names[c.weekday], 3), ", ", 2);
    at = put_text(put_number(at, c.day, 2), " ", 1);
    at = put_text(put_text(at, month_names[c.month - 1], 3), " ", 1);
    at = put_text(put_number(at, c.year, 4), " ", 1);
    (void)put_text(put_clock(at, &c, ":", 1), " GMT", 5);
}

void time_amz(uint64_t ms, char out[TIME_TEXT_MAX]) {
    struct civil c = civil_from_ms(ms);
    char *at = put_number(put_number(put_number(out, c.year, 4), c.month, 2), c.day, 2);
    (void)put_text(put_clock(put_text(at, "T", 1), &c, "", 0), "Z", 2);
}

/* Parsing by a pattern: Y year of four digits, y of two, o month by number, N by name, d day, D day of asctime (two
 * digits, or blank and one), h hour, m minute, s second; every other character stands for itself. */
struct scan {
    struct slice left;
    struct civil c;
    bool bad;
};

static unsigned scan_digits(struct scan *s, size_t digits) {
    uint64_t v = 0;
    if (s->left.n < digits || slice_u64(slice_of(s->left.p, digits), YEAR_LAST, &v) != ERR_OK) {
        s->bad = true;
        return 0;
    }
    s->left = slice_of(s->left.p + digits, s->left.n - digits);
    return (unsigned)v;
}

static void scan_literal(struct scan *s, struct slice text) {
    if (!slice_starts(s->left, text)) {
        s->bad = true;
        return;
    }
    s->left = slice_of(s->left.p + text.n, s->left.n - text.n);
}

static unsigned scan_month_name(struct scan *s) {
    for (unsigned i = 0; i < ARRAY_LEN(month_names); i++) {
        if (!slice_starts(s->left, slice_str(month_names[i]))) continue;
        scan_literal(s, slice_str(month_names[i]));
        return i + 1;
    }
    s->bad = true;
    return 0;
}

static unsigned scan_asctime_day(struct scan *s) {
    if (!slice_starts(s->left, SLICE_LIT(" "))) return scan_digits(s, 2);
    scan_literal(s, SLICE_LIT(" "));
    return scan_digits(s, 1);
}

static bool scan_pattern(struct scan *s, const char *pattern) {
    for (const char *p = pattern; *p != '\0' && !s->bad; p++) {
        switch (*p) {
        case 'Y': s->c.year = scan_digits(s, 4); break;
        /* RFC 9110 wants a sliding century; a fixed one needs no clock and holds until 2069. */
        case 'y': s->c.year = scan_digits(s, 2); s->c.year += s->c.year < 70 ? 2000 : 1900; break;
        case 'o': s->c.month = scan_digits(s, 2); break;
        case 'N': s->c.month = scan_month_name(s); break;
        case 'd': s->c.day = scan_digits(s, 2); break;
        case 'D': s->c.day = scan_asctime_day(s); break;
        case 'h': s->c.hour = scan_digits(s, 2); break;
        case 'm': s->c.minute = scan_digits(s, 2); break;
        case 's': s->c.second = scan_digits(s, 2); break;
        default: scan_literal(s, slice_of(p, 1)); break;
        }
    }
    return !s->bad;
}

static enum err scan_end(const struct scan *s, uint64_t *ms) {
    if (s->bad || s->left.n != 0) return ERR_INPUT;
    return civil_to_ms(&s->c, ms);
}

enum err time_parse_amz(struct slice text, uint64_t *ms) {
    struct scan s = {.left = text};
    scan_pattern(&s, "YodThmsZ");
    return scan_end(&s, ms);
}

/* A fraction of any length is read; what is finer than a millisecond is dropped. */
static void scan_fraction(struct scan *s) {
    if (!slice_starts(s->left, SLICE_LIT("."))) return;
    scan_literal(s, SLICE_LIT("."));
    unsigned scale = 100;
    size_t digits = 0;
    for (; digits < s->left.n && s->left.p[digits] >= '0' && s->left.p[digits] <= '9'; digits++) {
        s->c.ms += scale * (unsigned)(s->left.p[digits] - '0');
        scale /= 10;
    }
    if (digits == 0) s->bad = true;
    s->left = slice_of(s->left.p + digits, s->left.n - digits);
}

enum err time_parse_iso8601(struct slice text, uint64_t *ms) {
    struct scan s = {.left = text};
    if (scan_pattern(&s, "Y-o-dTh:m:s")) scan_fraction(&s);
    scan_literal(&s, SLICE_LIT("Z"));
    return scan_end(&s, ms);
}

/* The name of the day is checked to be one, not to be the right one: RFC 9110 asks recipients for no more. */
enum err time_parse_http(struct slice text, uint64_t *ms) {
    for (size_t i = 0; i < ARRAY_LEN(weekday_names); i++) {
        struct slice whole = slice_str(weekday_names[i]), abbreviated = slice_of(weekday_names[i], 3);
        struct scan s = {.left = text};
        if (slice_starts(text, whole)) {
            scan_literal(&s, whole);
            scan_pattern(&s, ", d-N-y h:m:s GMT");
            return scan_end(&s, ms);
        }
        if (slice_starts(text, abbreviated)) {
            scan_literal(&s, abbreviated);
            scan_pattern(&s, slice_starts(s.left, SLICE_LIT(",")) ? ", d N Y h:m:s GMT" : " N D h:m:s Y");
            return scan_end(&s, ms);
        }
    }
    return ERR_INPUT;
}
