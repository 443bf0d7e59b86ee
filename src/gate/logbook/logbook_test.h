/* SPDX-License-Identifier: Apache-2.0
 * What the logbook's tests share: a directory of their own, a disk that fails on command, logs with known keys and leaves.
 * Role: tests only. Spec: docs/spec/wal.md
 */
#ifndef TILLIT_LOGBOOK_TEST_H
#define TILLIT_LOGBOOK_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/logbook/internal.h"

#define TEST_FILE_BYTES 16384
#define LOG_A 1
#define LOG_B 2
#define LOG_HEADS 9

/* Faults of the disk: the nth call (from 1) of the kind named, by `what`. */
enum test_fault { FAULT_NONE, FAULT_DIE_BEFORE, FAULT_DIE_AFTER, FAULT_LOST, FAULT_KEPT };
enum test_call { CALL_PWRITE, CALL_SYNC, CALL_DIRSYNC, CALL_RENAME };
struct test_disk {
    struct logbook_io io;
    enum test_fault fault;
    enum test_call call;
    enum logbook_io_what what;
    _Atomic unsigned nth;
    _Atomic bool full;                                 /* everything that needs new space answers ENOSPC */
    struct {
        int fd;
        off_t at;
        size_t n;
        uint8_t before[TEST_FILE_BYTES];
    } last;                                            /* last WAL write, to be undone by FAULT_LOST at the sync */
};

struct test_book {
    struct loop *loop;
    struct logbook *lb;
    struct gate_log *a, *b;
    struct test_disk *disk;
    uint32_t boot;
    char why[1024];
};

char *test_dir(char out[64]);                          /* fresh */
void test_copy(const char *from, const char *to);
void test_remove(const char *dir);
void test_disk_init(struct test_disk *d);
/* Opens the book and adds LOG_A and LOG_B; what fails first is the answer (lb is closed again then). */
enum err test_open(struct test_book *t, const char *dir, struct test_disk *disk);
enum err test_open_big(struct test_book *t, const char *dir);    /* WAL files of 1 MiB, the real disk */
enum err test_open_full(struct test_book *t, const char *dir);   /* of WAL_FILE_BYTES, as the gate's */
void test_close(struct test_book *t);
struct log_params test_params(uint8_t id, enum log_kind kind, uint32_t slot);

/* leaf n of a log is a text that only it has; so are opening and command */
void test_append(struct test_book *t, struct gate_log *l, bool command, uint64_t void_ref, void (*durable)(struct log_wait *), struct log_wait *w);
/* Appends one and turns the loop until it is durable. */
uint64_t test_put(struct test_book *t, struct gate_log *l);
uint64_t test_put_command(struct test_book *t, struct gate_log *l);
/* Every leaf and opening below the durable size is what was appended, and the checkpoint's root is that of these leaves. */
void test_check(struct test_book *t, struct gate_log *l, uint64_t size);
void test_until(struct test_book *t, bool (*reached)(struct test_book *), unsigned seconds);
void test_published(struct test_book *t, struct gate_log *l);
unsigned test_wal_files(const char *dir);

#endif
