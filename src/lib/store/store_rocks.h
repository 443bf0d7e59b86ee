/* SPDX-License-Identifier: Apache-2.0
 * The C face of the one C++ file: what the RocksDB engine gives, in plain C types. For this room only.
 * No exception comes out. Codes are STORE_ROCKS_*.
 */
#ifndef TILLIT_STORE_ROCKS_H
#define TILLIT_STORE_ROCKS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    STORE_ROCKS_OK = 0,
    STORE_ROCKS_MISSING = 1,
    STORE_ROCKS_IO = 2,
    STORE_ROCKS_FULL = 3,
    STORE_ROCKS_CORRUPT = 4,
    STORE_ROCKS_WRONG_KEY = 5,
    STORE_ROCKS_VERSION = 6
};

struct store_rocks;
int store_rocks_open(const char *dir, const uint8_t key[32], int clear, struct store_rocks **out, char *message, size_t message_n);
void store_rocks_close(struct store_rocks *r);
int store_rocks_get(struct store_rocks *r, const void *snap, int table, const uint8_t *key, size_t key_n, const uint8_t **value,
                    size_t *value_n, void **pin);
void store_rocks_unpin(void *pin);
void store_rocks_batch_clear(struct store_rocks *r);
void store_rocks_batch_put(struct store_rocks *r, int table, const uint8_t *key, size_t key_n, const uint8_t *value, size_t value_n);
void store_rocks_batch_del(struct store_rocks *r, int table, const uint8_t *key, size_t key_n);
int store_rocks_batch_write(struct store_rocks *r);
int store_rocks_flush(struct store_rocks *r);
const void *store_rocks_snap_open(struct store_rocks *r);
void store_rocks_snap_close(struct store_rocks *r, const void *snap);
void *store_rocks_iter_open(struct store_rocks *r, const void *snap, int table, const uint8_t *upper, size_t upper_n);
void store_rocks_iter_close(void *it);
void store_rocks_iter_seek(void *it, const uint8_t *key, size_t key_n);
void store_rocks_iter_seek_back(void *it, const uint8_t *key, size_t key_n);
void store_rocks_iter_next(void *it);
int store_rocks_iter_valid(void *it);
void store_rocks_iter_key(void *it, const uint8_t **p, size_t *n);
void store_rocks_iter_value(void *it, const uint8_t **p, size_t *n);
int store_rocks_iter_status(void *it);

#ifdef __cplusplus
}
#endif
#endif
