/* SPDX-License-Identifier: Apache-2.0
 * op_list: what the files of listings share: op_list.c (SCAN to LISTING), op_list_args.c (where a page begins and ends), op_list_rows.c (rows).
 * Threads: the loop's.
 */
#ifndef TILLIT_GATE_OP_LIST_H
#define TILLIT_GATE_OP_LIST_H

#include "gate/request.h"

/* Reads the parameters of r->op into u.list: kind, args, after, after_index, after_id, upload. A version-id-marker "null" is left to the caller:
 * *find_null. Texts of tokens go to r->headers_out. Errors are the answer, r->fault may be set. */
MUST_USE enum s3_error list_args(struct gate_request *r, bool *find_null);
/* Rows at most; 0: none are wanted. */
uint32_t list_max(const struct request_list *q);
struct slice list_prefix(const struct gate_request *r);
struct slice list_delimiter(const struct request_list *q);
/* The value of LISTING.next, when the page is truncated. r->scratch: the keeper's `next`. */
MUST_USE enum err list_next(struct gate_request *r, struct buf *out);

/* One scan row: opened, added to u.list.out as a listing row and to the result's root. */
MUST_USE enum err list_row(struct gate_request *r, const struct wire_scan_row *row);
/* Owner of the bucket for LISTING: lp16 canonical id | lp16 display name. */
void list_owner(const struct gate_request *r, struct buf *out);
/* Parts: what the upload's entry says, for LISTING.about. */
MUST_USE enum err list_about(struct gate_request *r, struct slice entry);

#endif
