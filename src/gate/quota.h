/* SPDX-License-Identifier: Apache-2.0
 * quota: how much a tenant may keep and ask for: objects, stored bytes, requests a second, records a day.
 *
 * What is kept the keeper says (USAGE, SETTLED); what is in flight is added here, request by request, from the check to the request's end: two
 * writes that fit alone and not together cannot both pass. Limits are tillit.conf's ([quota], [quota TENANT]); 0 is none.
 *   objects, bytes      past them, what adds is refused with a leaf (403 QuotaExceeded); reads and deletes go on
 *   requests a second   a bucket of tokens that holds two seconds' worth; past it 503 SlowDown before the leaf
 *   records a day       leaves of the access log since midnight UTC; past it 503 SlowDown before the leaf, but for what reads the log or deletes
 * Statements (POST /v1/statements) are not counted: who lost a key to somebody who floods with it can still take it away.
 * Threads: the loop's. Source: docs/ops/limits.md.
 */
#ifndef TILLIT_GATE_QUOTA_H
#define TILLIT_GATE_QUOTA_H

#include "conf/conf.h"
#include "s3/s3.h"
#include "wire/wire.h"

struct gate;
struct gate_tenant;
struct gate_request;

struct quota {
    struct conf_quota limit;
    uint64_t objects, bytes;                       /* kept, as the keeper last said */
    uint64_t objects_in_flight, bytes_in_flight;
    bool told;                                     /* by the USAGE frames of this READY */
    uint64_t tokens, tokens_ms;                    /* thousandths of a request; when they were counted */
    bool day_known;
    uint64_t day, day_begin;                       /* since the epoch; its first leaf's index on the access log */
};

void quota_begin(struct gate *g, struct gate_tenant *t);           /* from flow_begin(): its log is open */
/* May this request go on to its decision? False: answer SlowDown. Takes a token. */
bool quota_admit(struct gate_request *r);
/* Room for so much more? QuotaExceeded, with r->fault set: refuse with a leaf. What is taken is given back by request_end(). */
MUST_USE enum s3_error quota_take(struct gate_request *r, uint64_t objects, uint64_t bytes);
void quota_give(struct gate_request *r);
void quota_settled(struct gate_tenant *t, const struct wire_settled *m);
MUST_USE enum err quota_usage(struct gate *g, const struct wire_usage *m);     /* INPUT: it does not parse */
void quota_ready(struct gate *g);                  /* READY: who was not told of keeps nothing */
uint64_t quota_records(struct gate *g, struct gate_tenant *t);     /* on the access log since midnight; 0 while nobody counts */

#endif
