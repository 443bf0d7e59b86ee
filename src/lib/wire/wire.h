/* SPDX-License-Identifier: Apache-2.0
 * wire: the frames between Tillit's processes. Every message stands in wire.def, with who may send it.
 *
 * A frame on a stream socket: u32 length of all that follows | u8 type | u64 id | payload. Big-endian. The id is chosen by
 * who asks and repeated by who answers; messages without an answer carry 0 or the id of the request they belong to.
 * Fields follow in table order without tags; a new field means a new WIRE_VERSION.
 *
 * Lists (inside BYTES fields), each item:
 *   chunk rows list     32 bytes SHA-256 of the chunk's data | 32 bytes signature the client sent
 *   headers list        lp16 name (lower case) | lp16 value
 *   sums list           u8 WIRE_SUM_* | lp16 raw digest
 *   release rows list   id blob | u64 plain_size of the blob | u64 plain_off of the blob in the object | u32 first_segment |
 *                       u16 key_count | key_count x 32 bytes of segment keys | lp16 location
 *   listing rows list   u8 kind WIRE_ROW_* | lp16 key | u64 size | u64 mtime_ms | lp16 etag (without quotes) | u8 WIRE_SUM_* of the
 *                       checksum or 0 | u8 composite | lp16 sum (PART only, raw) | lp16 id (text: version id, "null", upload id; empty in a listing of
 *                       keys) | u8 latest | u16 number (PART)              (a prefix has zeros and empties)
 *   watermarks list     id log | u64 watermark (first index not settled)
 *   usages list         id log | u64 objects | u64 bytes
 *   locations list      lp16 location
 *   scan rows list      u8 kind WIRE_ROW_* | u8 entry's flags | u8 current | lp16 key (PART: empty) | u64 leaf index | u64 order | u64 revision |
 *                       id upload (UPLOAD; else zeros) | u16 number (PART) | lp16 facts (sealed; empty for a prefix; PART: the whole entry)
 *   cursors list        id tenant | u64 index: the next control leaf that was not looked at
 *   notices list        id tenant | u64 index of the leaf | u8 1 webhook, 2 mail | lp16 target | lp16 event (CloudEvents JSON) | lp16 `<timestamp> v1a,<signature>`:
 *                       what `webhook-timestamp` and `webhook-signature` of Standard Webhooks are, signed over `<event's id>.<timestamp>.<event>`; kind 0, all three
 *                       empty: nothing for anybody up to index. Behind a tenant's last row for an index the cursor is index + 1
 *   part rows list      u16 number | u64 off | u64 plain size | id blob | u64 cipher size | lp16 location | lp16 sealed row
 *
 * Threads: a wire_conn belongs to its loop's thread. Ownership: decoded BYTES point into the frame's buffer and live until
 * the callback returns. Source of the shape: OpenSSH's monitor dispatch table (permission bits per message).
 */
#ifndef TILLIT_WIRE_H
#define TILLIT_WIRE_H

#include "base/base.h"
#include "base/limits.h"
#include "loop/loop.h"

#define WIRE_VERSION 3
#define WIRE_HEADER_BYTES 13
#define WIRE_SIZE_UNKNOWN UINT64_MAX

enum wire_role {
    WIRE_ROLE_FRONT = 1,
    WIRE_ROLE_GATE = 2,
    WIRE_ROLE_KEEPER = 4,
    WIRE_ROLE_STEWARD = 8,
    WIRE_ROLE_ACCESS = 16,                         /* a front for the sessions of the provider's people */
    WIRE_ROLE_ANY = 31
};
enum { WIRE_ASK_TLS = 1, WIRE_ASK_API = 2, WIRE_ASK_AGAIN = 4 };
enum { WIRE_AUTH_NONE = 0, WIRE_AUTH_HEADER = 1, WIRE_AUTH_QUERY = 2, WIRE_AUTH_FORM = 3 };
enum { WIRE_BODY_NONE = 0, WIRE_BODY_ERROR = 1, WIRE_BODY_RAW = 2 };
enum wire_sum {
    WIRE_SUM_NONE = 0, WIRE_SUM_MD5 = 1, WIRE_SUM_SHA1 = 2, WIRE_SUM_SHA256 = 3,
    WIRE_SUM_CRC32 = 4, WIRE_SUM_CRC32C = 5, WIRE_SUM_CRC64NVME = 6,
    WIRE_SUM_SHA512 = 7, WIRE_SUM_XXHASH64 = 8, WIRE_SUM_XXHASH3 = 9, WIRE_SUM_XXHASH128 = 10
};
enum { WIRE_TEND_GRAVE = 1, WIRE_TEND_SUMMARIES = 2, WIRE_TEND_LIFECYCLE = 3, WIRE_TEND_GRANTS = 4 };
enum {
    WIRE_FIND_CURRENT = 0, WIRE_FIND_GRAVE = 1, WIRE_FIND_NULLVER = 2, WIRE_FIND_VERSION = 3, WIRE_FIND_UPLOAD = 4, WIRE_FIND_PART = 5,
    WIRE_FIND_SET = 6, WIRE_FIND_SETPART = 7
};
enum { WIRE_SCAN_KEYS = 0, WIRE_SCAN_VERSIONS = 1, WIRE_SCAN_UPLOADS = 2, WIRE_SCAN_PARTS = 3 };
enum { WIRE_ROW_ENTRY = 0, WIRE_ROW_PREFIX = 1, WIRE_ROW_MARKER = 2, WIRE_ROW_UPLOAD = 3, WIRE_ROW_PART = 4 };
enum { WIRE_READY_OK = 0, WIRE_READY_WRONG_KEY = 1, WIRE_READY_CORRUPT = 2, WIRE_READY_VERSION = 3, WIRE_READY_IO = 4 };
enum { WIRE_FOUND_ABSENT = 0, WIRE_FOUND_PRESENT = 1, WIRE_FOUND_IO = 2 };
enum { WIRE_SETTLED_DONE = 1, WIRE_SETTLED_REFUSED = 2 };
enum { WIRE_SEALED_OK = 0, WIRE_SEALED_FULL = 1, WIRE_SEALED_IO = 2 };
enum { WIRE_DATA_OK = 0, WIRE_DATA_GONE = 1, WIRE_DATA_IO = 2 };
enum { WIRE_NOTICE_NONE = 0, WIRE_NOTICE_WEBHOOK = 1, WIRE_NOTICE_MAIL = 2 };

enum wire_type {
#define MSG(NAME, name, number, senders, receiver, text) WIRE_##NAME = number,
#define U8(name, text)
#define U16(name, text)
#define U32(name, text)
#define U64(name, text)
#define ID(name, text)
#define HASH(name, text)
#define BYTES(name, max, text)
#define END(NAME, name)
#include "wire/wire.def"
#undef MSG
#undef U8
#undef U16
#undef U32
#undef U64
#undef ID
#undef HASH
#undef BYTES
#undef END
};

#define MSG(NAME, name, number, senders, receiver, text) struct wire_##name {
#define U8(name, text) uint8_t name;
#define U16(name, text) uint16_t name;
#define U32(name, text) uint32_t name;
#define U64(name, text) uint64_t name;
#define ID(name, text) uint8_t name[ID_BYTES];
#define HASH(name, text) uint8_t name[HASH_BYTES];
#define BYTES(name, max, text) struct slice name;
#define END(NAME, name) };
#include "wire/wire.def"
#undef MSG
#undef END

/* wire_put_<name>(out, id, &m): appends the whole frame to out; ERR_LIMIT when a field is past its max (nothing stays in out).
 * wire_get_<name>(payload, &m): ERR_TRUNCATED, ERR_TRAILING, ERR_LIMIT. */
#define MSG(NAME, name, number, senders, receiver, text)                                                              \
    MUST_USE enum err wire_put_##name(struct buf *out, uint64_t id, const struct wire_##name *m);                     \
    MUST_USE enum err wire_get_##name(struct slice payload, struct wire_##name *m);
#undef U8
#undef U16
#undef U32
#undef U64
#undef ID
#undef HASH
#undef BYTES
#define U8(name, text)
#define U16(name, text)
#define U32(name, text)
#define U64(name, text)
#define ID(name, text)
#define HASH(name, text)
#define BYTES(name, max, text)
#define END(NAME, name)
#include "wire/wire.def"
#undef MSG
#undef U8
#undef U16
#undef U32
#undef U64
#undef ID
#undef HASH
#undef BYTES
#undef END

const char *wire_type_name(uint8_t type);                              /* NULL when unknown */
bool wire_allowed(uint8_t type, uint8_t sender_role, uint8_t receiver_role);

/* One frame off the front of `in`: ERR_OK and *frame_n bytes to drop; ERR_TRUNCATED: wait for more; ERR_LIMIT: too long,
 * close. For hosts that have their own event loop (nginx). */
MUST_USE enum err wire_split(struct slice in, uint8_t *type, uint64_t *id, struct slice *payload, size_t *frame_n);

/* list items: false at the end or when malformed (then r->bad) */
struct wire_header { struct slice name, value; };
bool wire_next_header(struct reader *r, struct wire_header *out);
void wire_put_header(struct buf *b, struct slice name, struct slice value);
struct wire_sum_item { uint8_t sum; struct slice digest; };
bool wire_next_sum(struct reader *r, struct wire_sum_item *out);
struct wire_release_row { struct slice blob; uint64_t plain_size, plain_off; uint32_t first_segment; uint16_t key_count; struct slice keys, location; };
bool wire_next_release_row(struct reader *r, struct wire_release_row *out);
struct wire_listing_row {
    uint8_t kind;
    struct slice key;
    uint64_t size, mtime_ms;
    struct slice etag;
    uint8_t sum, composite;
    struct slice sum_value, id;
    uint8_t latest;
    uint16_t number;
};
bool wire_next_listing_row(struct reader *r, struct wire_listing_row *out);
void wire_put_listing_row(struct buf *b, const struct wire_listing_row *row);
struct wire_scan_row {
    uint8_t kind, flags, current;
    struct slice key;
    uint64_t leaf_index, order, revision;
    struct slice upload;                           /* ID_BYTES */
    uint16_t number;
    struct slice facts;
};
bool wire_next_scan_row(struct reader *r, struct wire_scan_row *out);
void wire_put_scan_row(struct buf *b, const struct wire_scan_row *row);   /* upload p NULL: zeros */
struct wire_part_row { uint16_t number; uint64_t off, plain_size; struct slice blob; uint64_t cipher_size; struct slice location, sealed; };
bool wire_next_part_row(struct reader *r, struct wire_part_row *out);
void wire_put_part_row(struct buf *b, const struct wire_part_row *row);

struct wire_cursor { struct slice tenant; uint64_t index; };
bool wire_next_cursor(struct reader *r, struct wire_cursor *out);
void wire_put_cursor(struct buf *b, const struct wire_cursor *row);
struct wire_notice { struct slice tenant; uint64_t index; uint8_t kind; struct slice target, event, signature; };   /* kind WIRE_NOTICE_* */
bool wire_next_notice(struct reader *r, struct wire_notice *out);
void wire_put_notice(struct buf *b, const struct wire_notice *row);

/* connections over a loop ------------------------------------------------------------------------------------------- */

struct wire_conn;
struct wire_handler {
    /* One frame whose type the sender's role may send. A returned error closes the connection. */
    enum err (*frame)(struct wire_conn *c, uint8_t type, uint64_t id, struct slice payload);
    /* The peer is gone, or broke a rule (why != ERR_CLOSED). The conn is freed after this returns. */
    void (*closed)(struct wire_conn *c, enum err why);
    /* Output fell below WIRE_BATCH_BYTES again after wire_conn_full() was true; may be NULL. */
    void (*drained)(struct wire_conn *c);
};
/* Takes fd (non-blocking is set here). own_role: ours; peer_roles: which roles the path allows. HELLO is sent at once and the
 * peer's HELLO is checked (role, version) before the first frame callback, which is given the HELLO too. */
struct wire_conn *wire_conn_new(struct loop *l, int fd, uint8_t own_role, uint8_t peer_roles, const struct wire_hello *hello,
                                const struct wire_handler *h, void *ctx);
void *wire_conn_ctx(const struct wire_conn *c);
uint8_t wire_conn_peer_role(const struct wire_conn *c);
/* The output buffer: put frames with wire_put_*(wire_conn_out(c), ...) and then call wire_conn_kick(c); all frames of a turn leave
 * in one send() at the end of the turn. */
struct buf *wire_conn_out(struct wire_conn *c);
void wire_conn_kick(struct wire_conn *c);
bool wire_conn_flush(struct wire_conn *c);                             /* now; true when nothing is left */
bool wire_conn_full(const struct wire_conn *c);                        /* more than WIRE_BATCH_BYTES queued: hold back new requests */
/* Reads what has arrived and dispatches it now, outside the turn (the keeper drains the gate before it judges a front). */
void wire_conn_pump(struct wire_conn *c);
void wire_conn_pause(struct wire_conn *c, bool paused);                /* stop or go on reading */
void wire_conn_close(struct wire_conn *c);                             /* calls closed(ERR_OK) later in this turn */

/* Listening and connecting on unix stream sockets. Peers must have uid 0, our own, or allowed_uid (SO_PEERCRED); others are
 * closed at once. */
struct wire_listener;
struct wire_listener *wire_listen(struct loop *l, const char *path, int mode, int allowed_uid, void (*accepted)(void *ctx, int fd), void *ctx);
void wire_listener_free(struct wire_listener *w);
MUST_USE enum err wire_connect(const char *path, int *fd);             /* ERR_MISSING, ERR_BUSY, ERR_IO */

#endif
