/* SPDX-License-Identifier: Apache-2.0
 * What the files of the flow room share. Nobody else includes it; flow.h is the manual.
 */
#ifndef TILLIT_FLOW_IN_H
#define TILLIT_FLOW_IN_H

#include "flow/flow.h"

#define FLOW_MAGIC 0x464c4f57u
#define FLOW_ID_INDEX_BITS 24
#define FLOW_ID_UNIT_SHIFT 24                      /* READs of one request are told apart by these bits of the id */
#define FLOW_ID_UNIT_MASK ((uint64_t)0xff << FLOW_ID_UNIT_SHIFT)

/* queue.c: frames for a peer. put a frame with wire_put_*(flow_out(q), ...); chunks keep their place among them. */
struct buf *flow_out(struct flow_queue *q);
void flow_queue_init(struct flow_queue *q);
void flow_queue_clear(struct flow_worker *w, struct flow_queue *q);
struct flow_chunk *flow_chunk_new(struct flow *f, size_t cap);
/* Writes the STAGE header before n bytes of data and queues the whole. Takes c. */
enum err flow_queue_stage(struct flow_queue *q, struct flow_chunk *c, uint64_t id, const uint8_t blob[ID_BYTES], uint64_t off,
                          size_t n, bool last);
uint8_t *flow_chunk_data(struct flow_chunk *c);
void flow_put_chunk_written(struct flow *f);

/* flow.c */
uint64_t flow_read_id(const struct flow *f, unsigned unit);
void flow_park(struct flow *f);
bool flow_class_is_log(const struct flow *f);

/* ask.c: reads the request and asks, or parks when a peer is away. */
void flow_ask(struct flow *f, bool again);

/* fair.c: each caller's share of what is with the gate */
struct flow_fair *flow_fair_new(void);             /* NULL: out of memory */
void flow_fair_free(struct flow_fair *s);
/* May f be asked now? False: it waits in line; flow_fair_serve() asks it. */
bool flow_fair_enter(struct flow *f, struct slice credential, struct slice peer);
bool flow_fair_early(struct flow *f, const struct flow_request *q);   /* the same before anything is read: true: it waits */
void flow_fair_leave(struct flow *f);              /* counted or waiting no more; does nothing when it is neither */
void flow_fair_look(struct flow *f);               /* at the end of each entry: leaves when its answer is written, or its client takes no more */
void flow_fair_serve(struct flow_worker *w);       /* asks those who may go now: the last thing of an entry, for others may be gone then */
void flow_fair_tick(struct flow_worker *w);
void flow_fair_proven(struct flow *f);             /* the gate accepted its signature */
void flow_fair_answered(struct flow *f, const struct wire_answer *m);

/* answer.c */
void flow_request_id(struct flow *f, const uint8_t id[ID_BYTES]);
/* The whole answer at once: head and body. */
void flow_reply(struct flow *f, struct flow_head *h, struct slice body);
void flow_on_answer(struct flow *f, const struct wire_answer *m);
void flow_head_fill(struct flow *f, struct flow_head *h);
/* Lets the gate forget us. */
void flow_abort_gate(struct flow *f, const char *code);

/* Methods that the target has, for Allow. */
void flow_put_allow(struct flow *f, struct buf *out);

/* get.c: what a RELEASE gives to read, into the client or (with f->put) into an upload */
void flow_on_release(struct flow *f, struct slice payload);
bool flow_get_waits_gate(const struct flow *f);    /* NEXT was said */
bool flow_get_needs_gate(const struct flow *f);    /* it has not given all rows yet */
void flow_on_more(struct flow *f, struct slice payload);
void flow_on_data(struct flow *f, unsigned unit, const struct wire_data *m);
void flow_get_file_done(struct flow *f, int64_t n);
void flow_get_can_write(struct flow *f);
void flow_get_again(struct flow *f);               /* the keeper is back: send the READs again */
bool flow_get_waits_keeper(const struct flow *f);
void flow_get_end(struct flow *f);

/* form.c: what is read of a body before ASK */
bool flow_form_wanted(const struct flow *f);
void flow_form_begin(struct flow *f, const struct flow_request *q);
size_t flow_form_body(struct flow *f, struct slice in, bool end);
/* The form is asked or parked and its file waits: the body is not taken. */
bool flow_form_holds(const struct flow *f);
/* Fills auth, credential, signature, form and the canonical request's last line. hash: room for its text. */
enum s3_error flow_form_ask(struct flow *f, const struct s3_auth *a, struct wire_ask *m, char hash[2 * HASH_BYTES], struct slice *payload,
                            struct s3_fault *fault);
void flow_form_end(struct flow *f);

/* put.c */
enum s3_error flow_body_read(const struct flow_request *q, enum s3_auth_kind auth, struct s3_body *body, struct slice *sha256, struct s3_fault *fault);
/* The sink of get.c: plaintext in order. BUSY: flow_get_can_write() is called when it was taken. */
enum flow_write flow_put_copy(struct flow *f, const struct slice *s, size_t n, bool last);
/* How much the source of a copy will give: known with its RELEASE. False: the request has been answered. */
bool flow_put_copy_size(struct flow *f, uint64_t size);
enum s3_error flow_put_check(const struct flow_request *q, const struct s3_auth *a, uint64_t *body_size, struct s3_fault *fault);
void flow_on_ticket(struct flow *f, const struct wire_ticket *m);
size_t flow_put_body(struct flow *f, struct slice in, bool end);
void flow_on_credit(struct flow *f, const struct wire_credit *m);
void flow_on_sealed(struct flow *f, const struct wire_sealed *m);
void flow_put_end(struct flow *f);
void flow_puts_done(struct flow_worker *w);        /* frees the idle ones */
void flow_put_drop(struct flow *f);                /* tells the keeper to forget what was staged */

/* list.c */
void flow_on_listing(struct flow *f, const struct wire_listing *m);
void flow_list_end(struct flow *f);

/* control.c */
void flow_on_wantbody(struct flow *f, const struct wire_wantbody *m);
size_t flow_control_body(struct flow *f, struct slice in, bool end);
void flow_control_end(struct flow *f);

/* logs.c */
struct flow_tile {
    bool entries;
    unsigned level;
    uint64_t number, width;
};
/* tile/<L>/<N>[.p/<W>] and tile/entries/<N>[.p/<W>], one spelling each (c2sp.org/tlog-tiles). */
bool flow_tile_parse(struct slice path, struct flow_tile *t);
bool flow_log_split(struct slice target, struct slice *capability, struct slice *path);
void flow_on_logfile(struct flow *f, const struct wire_logfile *m);
void flow_log_can_write(struct flow *f);
void flow_log_file_done(struct flow *f, int64_t n);
void flow_log_end(struct flow *f);

#endif
