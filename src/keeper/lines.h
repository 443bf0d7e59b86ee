/* SPDX-License-Identifier: Apache-2.0
 * The rows of an index as lines of text, to be compared with what a test's model says. Ids are told by the number in their first 8 bytes.
 */
#ifndef TILLIT_KEEPER_LINES_H
#define TILLIT_KEEPER_LINES_H

#include "keeper/keeper_test.h"

#define LINES_MAX 20000
#define U64(x) ((unsigned long long)(x))

struct lines {
    char *line[LINES_MAX];
    size_t n;
};
void lines_add(struct lines *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void lines_bytes(const uint8_t *set, uint16_t parts, size_t count, const uint8_t *const *ids, char out[128]);   /* of an entry */
void lines_of_index(struct lines *l, struct store *s);
/* Counts the index again: what the log's Q row must say when all of the index is one log's. */
struct usage lines_usage(struct store *s);
void lines_compare(struct lines *want, struct lines *seen, uint64_t leaf);    /* fails the test at the first difference; empties both */

#endif
