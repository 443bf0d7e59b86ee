/* SPDX-License-Identifier: Apache-2.0
 * What the files of the s3 room share and nobody else needs.
 */
#ifndef TILLIT_S3_INNER_H
#define TILLIT_S3_INNER_H

#include "s3/s3.h"

/* SignedHeaders as SigV4 wants it: lower-case tokens, ascending, none twice. */
bool s3_signed_list_ok(struct slice list);
/* Cuts the next name off *list; false at the end. */
bool s3_signed_next(struct slice *list, struct slice *name);

#endif
