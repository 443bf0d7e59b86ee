/* SPDX-License-Identifier: Apache-2.0
 * base: bytes, errors, assertions, encodings, time. No domain word lives here.
 *
 * Shapes
 *   struct slice   borrowed bytes; whoever hands it out keeps them alive.
 *   struct buf     owned bytes that grow up to `max`; a put past `max` sets `bad` and stores nothing (sticky), so a
 *                  builder checks once at the end with buf_ok().
 *   struct reader  cursor over a slice; the first short or out-of-bounds read sets `bad` (sticky) and every later read
 *                  gives zero; reader_end() is mandatory and says whether all was read and nothing was left over.
 * Integers on wires and disks are big-endian.
 * Threads: nothing here keeps global state, except panic_context (per thread), log_init (once, before threads start) and, in the
 * test build, breaks (locked).
 */
#ifndef TILLIT_BASE_H
#define TILLIT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* errors -------------------------------------------------------------------------------------------------------- */

enum err {
#define ERR(name, class, text) ERR_##name,
#include "err.def"
#undef ERR
    ERR__COUNT
};
enum err_class { ERRC_NONE, ERRC_INPUT, ERRC_AUTH, ERRC_LIMIT, ERRC_BUSY, ERRC_GONE, ERRC_IO };

const char *err_name(enum err e);     /* "TRUNCATED" */
const char *err_text(enum err e);     /* "input ends early" */
enum err_class err_class(enum err e);

#define MUST_USE __attribute__((warn_unused_result))
/* The one control-flow macro: leave with a non-zero err. */
#define TRY(expr)                                                                                                     \
    do {                                                                                                              \
        enum err try_err_ = (expr);                                                                                   \
        if (try_err_ != ERR_OK) return try_err_;                                                                      \
    } while (0)

/* assertions: for our mistakes, never for input; they stay on in release ------------------------------------------ */

#define ASSERT(cond)                                                                                                  \
    do {                                                                                                              \
        if (__builtin_expect(!(cond), 0)) panic_at(__FILE__, __LINE__, __func__, #cond);                              \
    } while (0)
/* Prints file, line, condition and panic_context (no names, keys or bodies) to stderr as one logfmt line; aborts. */
_Noreturn void panic_at(const char *file, int line, const char *func, const char *what);
/* What this thread is at: shown by a panic. `step` must be a string constant. */
void panic_context(const char *step, uint64_t request_id, uint64_t log_index);

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

/* AUTO(buf) struct buf b = ...: runs buf_done at scope end; AUTO(x) works for every x with x_done(x *). */
#define AUTO(type) __attribute__((cleanup(type##_done)))

/* checked arithmetic: false when it would wrap */
static inline bool add_size(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline bool mul_size(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }

/* slices -------------------------------------------------------------------------------------------------------- */

struct slice {
    const uint8_t *p;
    size_t n;
};
#define SLICE_LIT(s) ((struct slice){(const uint8_t *)(s), sizeof(s) - 1})
static inline struct slice slice_of(const void *p, size_t n) { return (struct slice){(const uint8_t *)p, n}; }
static inline struct slice slice_str(const char *s) { return (struct slice){(const uint8_t *)s, s ? strlen(s) : 0}; }
static inline bool slice_eq(struct slice a, struct slice b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }
static inline bool slice_is(struct slice a, const char *s) { return slice_eq(a, slice_str(s)); }
bool slice_ieq(struct slice a, struct slice b);               /* ASCII case-insensitive */
int slice_cmp(struct slice a, struct slice b);                /* bytewise, then shorter first */
bool slice_starts(struct slice a, struct slice prefix);
struct slice slice_trim(struct slice a);                      /* SP and TAB off both ends */
/* Cuts a at the first `c`: *head is before it, the return value after it; without c, head is all and the rest empty
 * with p NULL. */
struct slice slice_cut(struct slice a, uint8_t c, struct slice *head);
bool slice_is_utf8(struct slice a);                           /* well-formed, no surrogates, no overlong forms */
bool slice_is_mail(struct slice a);                           /* local@domain of letters, digits and what needs no quotes: fits into a mail's header and RCPT TO */
/* Decimal digits only, no sign, no blank, at least one digit, no overflow past max. */
MUST_USE enum err slice_u64(struct slice a, uint64_t max, uint64_t *out);

/* Constant time for equal lengths; the length itself is not secret. */
bool ct_equal(const void *a, const void *b, size_t n);
void wipe(void *p, size_t n);                                 /* not optimised away */

/* buffers ------------------------------------------------------------------------------------------------------- */

struct buf {
    uint8_t *p;
    size_t n, cap, max;
    bool bad;
};
#define BUF_INIT(max_bytes) ((struct buf){.max = (max_bytes)})
void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);                                 /* frees; the struct is empty and reusable, max kept */
void buf_wipe_done(struct buf *b);                            /* the same for secrets */
void buf_reset(struct buf *b);                                /* n = 0, bad = false, memory kept */
static inline bool buf_ok(const struct buf *b) { return !b->bad; }
static inline struct slice buf_slice(const struct buf *b) { return (struct slice){b->p, b->n}; }
/* Room for n more bytes at b->p + b->n, NULL (and bad) when past max; the caller then adds to b->n. */
uint8_t *buf_room(struct buf *b, size_t n);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_slice(struct buf *b, struct slice s);
void buf_put_str(struct buf *b, const char *s);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_lp16(struct buf *b, struct slice s);             /* u16 length, bytes; bad when longer */
void buf_put_lp32(struct buf *b, struct slice s);
void buf_put_dec(struct buf *b, uint64_t v);                  /* decimal text */
void buf_put_hex(struct buf *b, struct slice s);              /* lower case */
void buf_put_base64(struct buf *b, struct slice s);           /* RFC 4648 section 4, padded */
void buf_put_base64url(struct buf *b, struct slice s);        /* section 5, no padding */
void buf_put_base32(struct buf *b, struct slice s);           /* section 6 alphabet in lower case, no padding */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));   /* cold paths only */
void buf_drop_front(struct buf *b, size_t n);                 /* forget the first n bytes, move the rest down */

/* decoders: exact alphabet; non-canonical trailing bits, wrong padding and blanks are ERR_INPUT. out->n grows. */
MUST_USE enum err hex_decode(struct slice text, struct buf *out);                  /* either case */
MUST_USE enum err base64_decode(struct slice text, struct buf *out);
MUST_USE enum err base64url_decode(struct slice text, struct buf *out);
MUST_USE enum err base32_decode(struct slice text, struct buf *out);               /* either case */
MUST_USE enum err hex_fixed(struct slice text, uint8_t *out, size_t out_n);        /* exactly out_n bytes */
MUST_USE enum err base64_fixed(struct slice text, uint8_t *out, size_t out_n);
MUST_USE enum err base64url_fixed(struct slice text, uint8_t *out, size_t out_n);
MUST_USE enum err base32_fixed(struct slice text, uint8_t *out, size_t out_n);

/* reader -------------------------------------------------------------------------------------------------------- */

struct reader {
    const uint8_t *p, *end;
    bool bad;
};
static inline struct reader reader_of(struct slice s) { return (struct reader){s.p, s.p + s.n, false}; }
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
struct slice reader_slice(struct reader *r, size_t n);                 /* borrowed */
void reader_fixed(struct reader *r, void *out, size_t n);              /* copies; zeroes out when bad */
struct slice reader_lp16(struct reader *r, size_t max);                /* a length past max makes it bad */
struct slice reader_lp32(struct reader *r, size_t max);
static inline size_t reader_left(const struct reader *r) { return r->bad ? 0 : (size_t)(r->end - r->p); }
/* ERR_OK: all read, nothing left. ERR_TRUNCATED: a read went past the end. ERR_TRAILING: bytes are left. */
MUST_USE enum err reader_end(const struct reader *r);

static inline void put_be16(uint8_t *p, uint16_t v) { p[0] = (uint8_t)(v >> 8); p[1] = (uint8_t)v; }
static inline void put_be32(uint8_t *p, uint32_t v) { put_be16(p, (uint16_t)(v >> 16)); put_be16(p + 2, (uint16_t)v); }
static inline void put_be64(uint8_t *p, uint64_t v) { put_be32(p, (uint32_t)(v >> 32)); put_be32(p + 4, (uint32_t)v); }
static inline uint16_t get_be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t get_be32(const uint8_t *p) { return (uint32_t)get_be16(p) << 16 | get_be16(p + 2); }
static inline uint64_t get_be64(const uint8_t *p) { return (uint64_t)get_be32(p) << 32 | get_be32(p + 4); }

/* intrusive doubly linked list; a head points to itself when empty -------------------------------------------------- */

struct list {
    struct list *next, *prev;
};
static inline void list_init(struct list *h) { h->next = h->prev = h; }
static inline bool list_empty(const struct list *h) { return h->next == h; }
static inline void list_add_tail(struct list *h, struct list *x) { x->prev = h->prev; x->next = h; h->prev->next = x; h->prev = x; }
static inline void list_del(struct list *x) { x->prev->next = x->next; x->next->prev = x->prev; list_init(x); }

/* open-addressing hash map from bytes to pointers: keys are copied; a bound is required ---------------------------- */

struct map;
struct map *map_new(size_t entries_max);
void map_free(struct map *m);
/* The slot's value pointer, NULL when absent. */
void *map_get(const struct map *m, struct slice key);
/* ERR_EXISTS when there; ERR_LIMIT past entries_max. value must not be NULL. */
MUST_USE enum err map_put(struct map *m, struct slice key, void *value);
void *map_del(struct map *m, struct slice key);               /* the value that was there, or NULL */
size_t map_count(const struct map *m);
/* Iterates in no order, another one in each process; begin with *cursor = 0; NULL at the end. No put or del while iterating:
 * *key points into the map. */
void *map_next(const struct map *m, size_t *cursor, struct slice *key);

/* randomness is an argument ------------------------------------------------------------------------------------- */

struct rng {
    void (*fill)(void *ctx, void *out, size_t n);             /* never fails: it aborts */
    void *ctx;
};
static inline void rng_fill(const struct rng *r, void *out, size_t n) { r->fill(r->ctx, out, n); }

/* time ---------------------------------------------------------------------------------------------------------- */

uint64_t clock_wall_ms(void);                                 /* CLOCK_REALTIME, ms since 1970 */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);
#define TIME_TEXT_MAX 40
void time_iso8601(uint64_t ms, char out[TIME_TEXT_MAX]);      /* 2026-11-24T08:21:16.000Z */
void time_http(uint64_t ms, char out[TIME_TEXT_MAX]);         /* Tue, 24 Nov 2026 08:21:16 GMT */
void time_amz(uint64_t ms, char out[TIME_TEXT_MAX]);          /* 20261124T082116Z */
MUST_USE enum err time_parse_amz(struct slice s, uint64_t *ms);       /* exactly yyyymmddThhmmssZ, real dates only */
MUST_USE enum err time_parse_http(struct slice s, uint64_t *ms);      /* RFC 9110: IMF-fixdate, rfc850, asctime */
MUST_USE enum err time_parse_iso8601(struct slice s, uint64_t *ms);   /* UTC with Z, fraction optional */

/* crc ------------------------------------------------------------------------------------------------------------ */

uint32_t crc32c(uint32_t crc, const void *p, size_t n);       /* begin with 0; hardware where there is */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);      /* the same without the CPU's instruction */

/* logging: for processes, not for library rooms. logfmt on stderr: time level room event key=value ------------------ */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
void log_init(const char *room, enum log_level level);
/* `fields` is a printf of key=value pairs; never names of objects, keys, addresses of people or bodies. */
void log_line(enum log_level level, const char *event, const char *fields, ...) __attribute__((format(printf, 3, 4)));

/* breaks and faults: one test build (-DTILLIT_BREAKS). BREAK("x") is false forever in release builds. ---------------- */

#ifdef TILLIT_BREAKS
/* True when the file named by breaks_init() holds a line equal to name; read again when its mtime changes, checked at
 * most every 50 ms (calls between are one compare). */
bool break_on(const char *name);
/* A line "name=number" gives number, otherwise `otherwise`. */
uint64_t break_value(const char *name, uint64_t otherwise);
void breaks_init(const char *path);
#define BREAK(name) (__builtin_expect(break_on(name), 0))
#else
#define BREAK(name) (false)
static inline void breaks_init(const char *path) { (void)path; }
static inline uint64_t break_value(const char *name, uint64_t otherwise) { (void)name; return otherwise; }
#endif

#endif
