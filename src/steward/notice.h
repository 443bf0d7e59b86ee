/* SPDX-License-Identifier: Apache-2.0
 * notice: telling people, by webhook and mail, what stands on their tenant's control log.
 *
 *     main.c -- NOTICES {cursors} --> gate -- NOTICED {rows} --> queue.c -- one row a target at a time --> send.c (libcurl) -- told or not --> queue.c
 *                                                                  |  cursors.c: DIR/steward/cursors
 *
 * The queue is the control log itself. Of each tenant the steward keeps up to where it has looked (`seen`), of each target that is behind up to
 * where it was told (`next`); both stand in DIR/steward/cursors. In memory are at most NOTICE_ROWS_MAX rows a target, and they may be dropped at
 * any moment: the gate is asked again. So a target that is down holds up nobody, costs no memory, and is told in order from where it stopped, with
 * signatures made anew (a receiver refuses timestamps that are old). Told twice is possible (a crash between delivery and cursor), with the same
 * id; not told is not, with one exception: whoever is refused thousands of times in a minute must not hide behind that what else happens.
 *
 * Trusts: the gate for rows and signatures. Distrusts: targets, which tenants choose (where they lie, how slow they are, what they answer).
 * Threads: the loop's. Spec: docs/spec/wire.md (NOTICES), docs/ops/notices.md.
 */
#ifndef TILLIT_STEWARD_NOTICE_H
#define TILLIT_STEWARD_NOTICE_H

#include <netinet/in.h>

#include "conf/conf.h"
#include "wire/wire.h"

#define NOTICE_BACKOFF_FIRST_MS 1000
#define NOTICE_BACKOFF_LAST_MS 45000               /* with a call's time below a minute: so soon is one told that is back */
#define NOTICE_STALE_MS 60000                      /* a row that waited longer is asked for again: Standard Webhooks' receivers allow 5 minutes */

/* queue.c: what is to tell, to whom ------------------------------------------------------------------------------------------------- */

struct notice_row {
    struct list node;
    uint64_t index, got_ms;
    struct slice event, signature;                 /* in the row's own memory */
    size_t bytes;
};
struct notice_tenant {
    uint8_t id[ID_BYTES];
    uint64_t seen;                                 /* the next control leaf nobody has looked at */
    uint64_t asked, end;                           /* of the question under way: from where, and behind its answer's last row */
    bool answered;
    bool full;                                     /* of that answer: no more targets can be known */
    unsigned sending, target_count;
    struct list targets;
};
/* Known as long as it is behind: whoever is not here was told everything below `seen`. */
struct notice_target {
    struct list of_tenant, in_order;
    struct notice_tenant *tenant;
    uint8_t kind;                                  /* WIRE_NOTICE_WEBHOOK, WIRE_NOTICE_MAIL */
    uint64_t next;                                 /* told below it */
    uint64_t queued;                               /* told, or in `rows`, below it */
    uint64_t asked;                                /* `queued` when the gate was asked on its account; UINT64_MAX: it was not */
    struct list rows;
    size_t row_count;
    bool sending, full;
    unsigned failures;
    uint64_t due_ms;                               /* not before */
    uint64_t alarms_from_ms, alarms_below;         /* of what was refused: since when, by the log's clock; leaves below were counted */
    unsigned alarms;
    struct slice text, key;                        /* where to; key: tenant, kind, text */
};
struct notice_queue;

struct notice_queue *notice_queue_new(void);
void notice_queue_free(struct notice_queue *q);
/* The cursors list of a NOTICES. back: where targets wait for rows below `seen`, the cursor of the one that has waited longest:
 * of one tenant, so that who is far behind does not fill the answer each time before those who stand behind it. */
void notice_ask(struct notice_queue *q, bool back, uint64_t now_ms, struct buf *cursors);
/* The rows of its answer. INPUT: not an answer to what was asked. */
MUST_USE enum err notice_take(struct notice_queue *q, struct slice rows, uint64_t now_ms);
bool notice_behind(const struct notice_queue *q, uint64_t now_ms);        /* somebody waits for rows below `seen`, and may be asked for now */
/* The next target to call; its first row is what to tell. It is `sending` until notice_done(). NULL: none now. */
struct notice_target *notice_next(struct notice_queue *q, uint64_t now_ms);
void notice_done(struct notice_queue *q, struct notice_target *t, bool told, uint64_t now_ms);
struct notice_row *notice_first(const struct notice_target *t);
uint64_t notice_backoff_ms(unsigned failures);

/* What must be written soon (a target was told), and what may wait (the log has grown). */
enum notice_change { NOTICE_SAME, NOTICE_MOVED, NOTICE_TOLD };
enum notice_change notice_changed(const struct notice_queue *q);
void notice_written(struct notice_queue *q);
void notice_write(const struct notice_queue *q, struct buf *out);
/* ERR_INPUT and *line: that one cannot be read. */
MUST_USE enum err notice_read(struct notice_queue *q, struct slice text, size_t *line);
size_t notice_bytes(const struct notice_queue *q);                        /* of rows in memory */
size_t notice_target_count(const struct notice_queue *q);

/* cursors.c: the file ----------------------------------------------------------------------------------------------------------------- */

/* MISSING: there is none. INPUT: a line is not what this version writes; *line says which. */
MUST_USE enum err cursors_read(const char *path, struct notice_queue *q, size_t *line);
/* The old file or the new one, whatever happens. */
MUST_USE enum err cursors_write(const char *path, const struct notice_queue *q);

/* address.c --------------------------------------------------------------------------------------------------------------------------- */

/* May a webhook be called there? */
bool address_ok(const struct sockaddr *a, bool allow_private);

/* mail.c: an event in a person's words -------------------------------------------------------------------------------------------------- */

struct mail {
    struct buf subject, text;                      /* UTF-8; text has lines ended by LF */
    struct buf event;                              /* to attach: as it came, without object names */
    char message_id[160];                          /* the same for the same event */
    uint64_t t_ms;
};
void mail_init(struct mail *m);
void mail_done(struct mail *m);
/* from: gives the message id its domain. INPUT: not an event. */
MUST_USE enum err mail_write(struct slice event, struct slice from, struct mail *m);

/* send.c ---------------------------------------------------------------------------------------------------------------------------------- */

/* Once, before the jail: reads the files that [notices] names, below dir. CONFIG, MISSING: one of them is not what it must be; *what names its key. */
MUST_USE enum err send_init(struct loop *l, const struct conf *c, const char *dir, void (*done)(struct notice_target *t, bool told), const char **what);
bool send_room(void);
/* Tells t its first row; done() is called later, in a turn of its own or in this one's callbacks. */
void send_begin(struct notice_target *t);
void send_end(void);                               /* gives up what is under way; done() is not called */

#endif
