/* SPDX-License-Identifier: Apache-2.0
 * flow: one request's way through the front, without nginx: ask the gate, follow its answer, move the bytes.
 *
 * The gate's answer to ASK says which way a request goes; the front itself never chooses one:
 *   ANSWER    answer.c   the whole answer (DELETE, configuration, refusals)
 *   RELEASE   get.c      read rows from the keeper or a blob file, open frames, give them to the sink
 *   TICKET    put.c      take bytes from the source, checksum and seal them, STAGE, SEALED, COMMIT, ANSWER
 *   LISTING   list.c     rows to XML
 *   WANTBODY  control.c  pass a control body on, ANSWER
 *   LOGFILE   logs.c     byte ranges of a log's flat files
 * Sources of put.c: the client's body, the file in a form, or (a copy) what a RELEASE behind the TICKET gives to read. Sinks of get.c:
 * the client, or put.c. A form, and the body of an IAM or STS call, is what the request asks: form.c reads it before ASK.
 *
 *   form --> parked --ask--> asked --+--> read ---> sending --> done          (any step) --cut--> done
 *              ^   ^          |      +--> body, copy --> sealing --> committed --> sending
 *              |   waiting    |      +--> control, list, log --> sending
 *              +--gate lost---+
 *
 * Waiting is for a share: callers that ask for more than theirs while others ask, too, wait in fair.c.
 * Under a grant (role ACCESS) a RELEASE is metered: the gate gives a few segments, hears NEXT when the socket has taken all their bytes, and
 * decides about the next ones. KILL resets the connection, whatever the request is doing; so does the loss of the gate for what is metered.
 * Everything happens on one thread. The host (front/ngx, or a test) calls the entry functions below and offers struct
 * flow_host. Each entry ends with host->after(f), in which the host may free the flow; nothing touches it afterwards.
 * Memory per request: GET at most two READ units (or the object, when smaller) and two portions of rows; PUT at most FLOW_CHUNKS_MAX stage
 * messages; a form FORM_BYTES_MAX, and a frame of its file.
 * Errors: what a client gets is an enum s3_error; what is broken on our side is answered 500 or 503, or cuts the connection
 * when the head is out.
 * Law: 1 (no byte before RELEASE), 2 (nothing read without a key from the gate). Spec: docs/spec/wire.md, frame.md, log.md; access.md section 5.
 */
#ifndef TILLIT_FLOW_H
#define TILLIT_FLOW_H

#include "base/base.h"
#include "base/limits.h"
#include "frame/frame.h"
#include "s3/s3.h"
#include "s3/s3_config.h"
#include "wire/wire.h"

struct flow;
struct flow_worker;

/* what the client sent -------------------------------------------------------------------------------------------------- */

enum flow_port { FLOW_PORT_S3, FLOW_PORT_API };
/* Under which key the last good signature came on a connection. The host keeps one, zeroed at first, for each of its connections. */
struct flow_proven {
    bool known;
    uint8_t access_key[ACCESS_KEY_CHARS];
};
/* All slices are loans for the call in which the host fills the struct. */
struct flow_request {
    enum flow_port port;
    bool tls;
    struct slice method, target;                   /* as received */
    struct slice peer;                             /* address as text */
    struct flow_proven *proven;                    /* its connection's; lives longer than the request. NULL: none */
    const struct s3_header *headers;               /* as received, in order */
    size_t header_count;
    enum s3_error refuse;                          /* what the host found wrong with it: answered before anyone is asked */
    bool length_known;                             /* Content-Length */
    uint64_t length;
    bool has_body;                                 /* Content-Length above 0, or Transfer-Encoding: chunked */
};

/* what goes back ---------------------------------------------------------------------------------------------------------- */

struct flow_head {
    uint16_t status;
    struct slice request_id;                       /* text */
    struct slice receipt;                          /* text, may be empty */
    struct slice headers;                          /* headers list of the wire */
    const char *type;                              /* Content-Type when headers have none; NULL: none */
    const char *cache;                             /* Cache-Control when headers have none; NULL: none */
    bool length_known;
    uint64_t length;
    bool part;                                     /* Content-Range: bytes first-(first+length-1)/total */
    uint64_t part_first, part_total;
    bool no_body;                                  /* HEAD, 204, 304: the head is all */
    bool close;                                    /* say Connection: close */
};
enum flow_write { FLOW_WRITTEN, FLOW_BUSY, FLOW_BROKEN };

/* A STAGE frame on its way to the keeper. The host's queue owns it until flow_chunk_written(). */
struct flow_chunk {
    struct flow_chunk *next;
    struct flow *owner;                            /* NULL when the request is gone */
    size_t n, sent;
    size_t cap;                                    /* of data */
    uint8_t data[];
};

struct flow_host {
    /* Fills *out from the request; called at start, when asking again, and by list. */
    void (*request)(struct flow *f, struct flow_request *out);
    /* Memory that lives until the client has the last byte. NULL: out of memory. */
    void *(*alloc)(struct flow *f, size_t n);
    /* Sends the head. Unless no_body, write() follows until one says last. */
    enum flow_write (*head)(struct flow *f, const struct flow_head *h);
    /* Sends slices, which stay untouched until WRITTEN or flow_can_write(). After last the flow is done. Of a metered flow both also mean
     * that the socket has taken them. */
    enum flow_write (*write)(struct flow *f, const struct slice *s, size_t n, bool last);
    /* Resets the connection: what was sent cannot be taken back and what follows must not be. */
    void (*cut)(struct flow *f);
    /* The same, and at once: when this is back nothing leaves any more, not even what the kernel had. */
    void (*reset)(struct flow *f);
    /* Begin to read the body (100-continue leaves now), and go on after flow_body() took less than it was given. The host
     * calls flow_body() later, never from inside this. */
    void (*body)(struct flow *f);
    /* Reads n bytes at off of fd into out: bytes read, -1 failed, -2: later, flow_file_done() says how many. */
    int64_t (*file_read)(struct flow *f, int fd, uint64_t off, uint8_t *out, size_t n);
    /* Frames were put into a peer's queue: send them at the end of this turn. */
    void (*kick)(struct flow_worker *w);
    /* The end of an entry; the host may free the flow's memory here, after flow_end(). */
    void (*after)(struct flow *f);
};

/* workers -------------------------------------------------------------------------------------------------------------------- */

/* What waits to be written to a peer: chunks in order, then small. */
struct flow_queue {
    struct flow_chunk *first, *last;
    struct buf small;
    size_t bytes;                                  /* in chunks and small */
};
struct flow_peer {
    bool up;                                       /* HELLO was exchanged */
    struct flow_queue out;
    uint8_t boot[ID_BYTES];
    uint8_t role;                                  /* expected of the peer */
};
enum flow_class { FLOW_CLASS_READ, FLOW_CLASS_WRITE, FLOW_CLASS_LIST, FLOW_CLASS_CONFIG, FLOW_CLASS_LOG, FLOW_CLASS_OTHER, FLOW_CLASS__COUNT };
struct flow_metrics {                              /* one per worker, in shared memory: plain counters of one writer */
    uint64_t requests[FLOW_CLASS__COUNT][6];       /* by hundred of the status; 0: cut */
    uint64_t bytes_in, bytes_out;                  /* bodies */
    uint64_t frames_bad;                           /* stored frames that did not verify */
    uint64_t parked, asked_again;
    uint64_t grammar;                              /* refused before asking */
    uint64_t held;                                 /* waited for their share */
    uint64_t callers, callers_ms, sole;            /* for the other workers: how many ask here, when that was so, and who if it is one (fair.c) */
};
struct flow_slot {
    struct flow *flow;
    uint32_t generation;
    uint32_t next_free;
};
struct flow_put;
struct flow_fair;
struct fair_row;
struct flow_worker {
    const struct flow_host *host;
    void *ctx;                                     /* the host's own */
    uint8_t role;                                  /* the host's choice: WIRE_ROLE_FRONT (also when 0) or WIRE_ROLE_ACCESS */
    struct rng rng;
    uint64_t now_ms;                               /* monotonic; the host sets it before each entry */
    const char *host_id;                           /* x-amz-id-2 */
    const struct slice *domains;                   /* buckets as labels of these */
    size_t domain_count;
    int blobs_fd, logs_fd;                         /* DIR/keeper/blobs, DIR/gate/logs; -1: not yet */
    struct flow_metrics *metrics;
    const struct flow_metrics *all_metrics;        /* of all workers, ours among them; NULL: there is no other */
    size_t all_metrics_count;

    struct flow_peer gate, keeper;
    uint64_t front_id;                             /* from the keeper's HELLO */
    struct frame_ctx frames;
    struct flow_slot *slots;
    uint32_t slot_count, slot_free, active;
    struct list parked;
    struct flow_fair *fair;                        /* fair.c */
    struct flow_put *puts_free;
    uint32_t puts_free_count;
    uint32_t forms;                                /* held at once: FLOW_FORMS_MAX */
    struct buf mem, canonical, unsigned_headers;   /* scratch of one call */
};
/* metrics may be NULL. CRYPTO, NOMEM. */
MUST_USE enum err flow_worker_init(struct flow_worker *w, const struct flow_host *host, const struct rng *rng);
void flow_worker_done(struct flow_worker *w);      /* all flows have ended */

/* A connection to a peer stands: queues our HELLO. */
void flow_peer_connected(struct flow_worker *w, struct flow_peer *p, const uint8_t boot[ID_BYTES]);
/* What a peer sent, from the front of `in`; *taken says how many bytes were used. An error: close the connection. */
MUST_USE enum err flow_peer_bytes(struct flow_worker *w, struct flow_peer *p, struct slice in, size_t *taken);
/* The connection is gone: parks, asks again later, or answers 503, request by request. */
void flow_peer_lost(struct flow_worker *w, struct flow_peer *p);
/* At least every 100 ms while active > 0: gives up what was parked too long. */
void flow_tick(struct flow_worker *w);
/* Up to max pieces to write; then flow_queue_sent() with what was. */
struct flow_piece { const void *p; size_t n; };
size_t flow_queue_pieces(const struct flow_queue *q, struct flow_piece *out, size_t max);
void flow_queue_sent(struct flow_worker *w, struct flow_queue *q, size_t n);
void flow_metrics_text(struct buf *out, const struct flow_metrics *m, size_t workers, bool gate_up, bool keeper_up);

/* requests ---------------------------------------------------------------------------------------------------------------------- */

enum flow_step {
    FLOW_NEW, FLOW_FORM, FLOW_WAITING, FLOW_PARKED, FLOW_ASKED, FLOW_READ, FLOW_BODY, FLOW_COPY, FLOW_SEALING, FLOW_COMMITTED, FLOW_CONTROL, FLOW_LIST, FLOW_RAW,
    FLOW_LOG, FLOW_SENDING, FLOW_DONE
};
#define FLOW_PORTION_FIRST 2
struct flow_unit {                                 /* frames read together */
    enum { FLOW_UNIT_FREE, FLOW_UNIT_READING, FLOW_UNIT_READY, FLOW_UNIT_WRITING } state;
    uint64_t number;                               /* order in the answer */
    uint64_t frame;                                /* first, counted over the blob */
    uint32_t frame_count, cipher_bytes;
    uint8_t *bytes;
    size_t cap;
    struct slice out[FLOW_UNIT_FRAMES_MAX];
    size_t out_count;
};
struct flow_get {
    uint8_t *payload;                              /* copy of the first RELEASE: keys are in it */
    size_t payload_n;
    struct wire_release rel;                       /* the first one; rows of later ones are in `portion` */
    struct buf portion[2];                         /* later RELEASEs: the one in use, and the one ahead */
    unsigned portion_used;                         /* which is in use; FLOW_PORTION_FIRST: none yet */
    bool more, asked, ahead;                       /* the gate has more rows; was asked for them; gave them: they wait in the other portion */
    bool more_ahead;                               /* and has more behind these */
    struct slice rows_ahead;
    struct reader rows;
    bool row_open, rows_done;
    struct wire_release_row row;
    struct frame_range range;                      /* of the open row */
    uint64_t frame_next;
    uint64_t sent;                                 /* plaintext given to the host */
    uint64_t begun;                                /* plaintext of the rows that were begun */
    uint64_t unit_next, unit_send;                 /* numbers */
    int fd;                                        /* blob file or -1 */
    struct flow_unit unit[FLOW_UNITS];
};
struct flow_list {
    uint8_t kind;                                  /* WIRE_SCAN_* */
    struct buf xml;
    uint64_t rows;
    struct buf mem, headers;                       /* headers: of the first frame */
    struct s3_target target;
    struct slice bucket, key;
    struct s3_list_args args;                      /* by kind */
    struct s3_versions_args versions;
    struct s3_parts_args parts_args;
    struct s3_parts_head parts;
};
struct flow_form {
    struct s3_form *reader;                        /* POST of a form; else NULL and body is an IAM or STS call's */
    struct buf body;
    bool read;                                     /* up to the file, or the whole body: it can be asked */
};
struct flow_control {                              /* a control body in aws-chunked framing */
    struct s3_body body;
    struct s3_chunked chunked;
    struct s3_sums sums;
    bool sums_open;
};
struct flow_log {
    uint64_t off, left;
    int fd;
    uint8_t *bytes;
    size_t want;
    bool reading;
};
struct flow {
    uint32_t magic;
    enum flow_step step;
    struct flow_worker *w;
    void *ctx;                                     /* the host's own */
    struct list node;                              /* in w->parked, or waiting for its share */
    struct list fair_node;
    struct fair_row *fair;                         /* whose share it waits for, or takes; NULL: neither */
    bool fair_waits, fair_key_known;
    uint8_t fair_key[ACCESS_KEY_CHARS];            /* as presented */
    uint64_t fair_ms;
    struct flow_proven *proven;
    uint64_t id;                                   /* 0: no slot */
    uint64_t parked_ms, front_id;
    enum flow_port port;
    enum flow_class class;
    enum s3_op op;
    bool head_method, has_body, body_began, body_ended;
    bool sts;                                      /* signed for STS: its errors have another namespace than IAM's */
    bool gate_open;                                /* the gate holds state of ours: ABORT when we leave */
    bool head_sent, writing, write_last;
    bool metered;                                  /* every RELEASE is told when the socket has taken its bytes */
    bool killed;                                   /* the connection was reset: what the gate still says counts for nothing */
    bool asked_before;
    bool whole_change;                             /* its ASK may be all of a change: no body follows it */
    uint16_t status;
    uint8_t request_id[ID_BYTES];
    bool request_id_known;
    char request_text[ID_TEXT_CHARS + 1];
    struct slice resource;                         /* for the error document; host's memory */
    struct slice log_path;                         /* after /log/<capability>/ */
    uint64_t body_left_max;                        /* control: bytes we still accept */
    struct flow_get *get;
    struct flow_put *put;
    struct flow_form *form;
    struct flow_control *control;
    struct flow_list *list;
    struct flow_log *log;
};

/* The request's line and headers are read. f is zeroed by the host but for ctx. */
void flow_start(struct flow *f, struct flow_worker *w);
/* Part of the body; `end` with the last call (in may be empty then). Returns the bytes taken; fewer than given means: keep
 * the rest until host->body(). */
size_t flow_body(struct flow *f, struct slice in, bool end);
/* The body cannot be read: S3 error to answer (RequestTimeout, IncompleteBody, BadRequest). */
void flow_body_failed(struct flow *f, enum s3_error e);
void flow_can_write(struct flow *f);               /* all slices of the last write() are out */
void flow_file_done(struct flow *f, int64_t n);    /* of the one file_read() that was postponed */
/* The host lets go of the request, for whatever reason: gives the slot back, wipes keys, tells peers. Idempotent. */
void flow_end(struct flow *f);

/* An answer of the front's own; cuts when the head is out. message NULL: the table's. */
void flow_fail(struct flow *f, enum s3_error e, const char *message);
/* The error document alone, for what never becomes a flow (nginx' own errors): status, type and body. */
void flow_error_body(struct buf *out, enum flow_port port, enum s3_error e, const char *message, struct slice resource,
                     struct slice request_id, struct slice host_id);

#endif
