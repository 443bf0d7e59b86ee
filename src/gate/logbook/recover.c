/* SPDX-License-Identifier: Apache-2.0
 * Start: reads the WAL to where its chain ends, and writes what is still needed into a fresh, synced file before anyone sees it.
 * Role: logbook_open(); afterwards the committer goes on behind the base that was written here.
 * Distrusts: the WAL: what is torn is dropped, what is damaged refuses the start.
 * Law: 1. Spec: docs/spec/wal.md sections 3, 4 (rule 6)
 */
#include "gate/logbook/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAL_NAME_DIGITS 8

struct disk_file {
    uint32_t number;
    uint64_t bytes;
    uint8_t *p;                                        /* NULL until read */
};
struct read_record {
    struct gate_log *log;
    struct wal_record rec;                             /* loans into the files */
};
struct recovery {
    struct logbook *lb;
    struct buf *why;
    struct disk_file *files;                           /* by number */
    size_t file_count, file_cap;
    uint32_t *spares;
    size_t spare_count, spare_cap;
    struct read_record *records;
    size_t record_count, record_cap;
    bool begun;                                        /* chain and sequence are those of a batch that was read */
    uint32_t boot;
};

static void recovery_done(struct recovery *r) {
    for (size_t i = 0; i < r->file_count; i++) free(r->files[i].p);
    free(r->files);
    free(r->spares);
    free(r->records);
}

static enum err corrupt(struct recovery *r, uint32_t file, const char *what) {
    buf_printf(r->why, "WAL file wal/%08u: %s; restore the gate directory from a copy, nothing was changed", file, what);
    return ERR_CORRUPT;
}

/* the directory -------------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b) {
    const struct disk_file *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}
static int by_value(const void *a, const void *b) {
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static bool wal_number(const char *name, uint32_t *out) {
    uint64_t n;
    struct slice s = slice_str(name);
    if (s.n != WAL_NAME_DIGITS || slice_u64(s, UINT32_MAX, &n) != ERR_OK) return false;
    *out = (uint32_t)n;
    return true;
}

static enum err directory_read(struct recovery *r) {
    int fd = openat(r->lb->wal_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) return ERR_IO;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        uint32_t number;
        struct stat st;
        bool spare = strncmp(e->d_name, "spare-", 6) == 0;
        if (!wal_number(e->d_name + (spare ? 6 : 0), &number)) {
            if (strcmp(e->d_name, "new") == 0) (void)unlinkat(r->lb->wal_dir, "new", 0);
            continue;
        }
        if (fstatat(r->lb->wal_dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) continue;
        if (spare && (uint64_t)st.st_size != r->lb->file_bytes) {
            (void)unlinkat(r->lb->wal_dir, e->d_name, 0);
        } else if (spare) {
            logbook_array_room((void **)&r->spares, &r->spare_cap, r->spare_count + 1, sizeof *r->spares);
            r->spares[r->spare_count++] = number;
        } else {
            logbook_array_room((void **)&r->files, &r->file_cap, r->file_count + 1, sizeof *r->files);
            r->files[r->file_count++] = (struct disk_file){.number = number, .bytes = (uint64_t)st.st_size};
        }
    }
    closedir(d);
    if (r->file_count > 0) qsort(r->files, r->file_count, sizeof *r->files, by_number);
    if (r->spare_count > 0) qsort(r->spares, r->spare_count, sizeof *r->spares, by_value);
    return ERR_OK;
}

static enum err file_read(struct recovery *r, struct disk_file *f) {
    if (f->p != NULL) return ERR_OK;
    char name[16];
    (void)snprintf(name, sizeof name, "%08u", f->number);
    f->p = malloc(f->bytes + 1);
    if (f->p == NULL) return ERR_NOMEM;
    int fd = openat(r->lb->wal_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return ERR_IO;
    enum err e = logbook_io_read(fd, f->p, f->bytes, 0);
    close(fd);
    return e == ERR_TRUNCATED ? ERR_IO : e;
}

/* The whole batch at `at` of a file, if there is one that says it belongs into this file. */
static enum err batch_at(struct recovery *r, const struct disk_file *f, uint64_t at, struct wal_header *h, struct slice *body) {
    enum err e = logbook_wal_header(&r->lb->hash, slice_of(f->p + at, f->bytes - at), h, body);
    if (e == ERR_OK && h->file != f->number) e = ERR_CORRUPT;
    return e;
}

/* where to begin: the newest file that begins with a base, else the oldest */
static enum err find_start(struct recovery *r, size_t *start) {
    struct wal_header h;
    struct slice body;
    *start = 0;
    for (size_t i = r->file_count; i-- > 0;) {
        TRY(file_read(r, &r->files[i]));
        enum err e = batch_at(r, &r->files[i], 0, &h, &body);
        if (e == ERR_VERSION) {
            buf_printf(r->why, "WAL file wal/%08u was written by a newer version of Tillit; start that version", r->files[i].number);
            return e;
        }
        if (e != ERR_OK || (h.flags & WAL_FLAG_BASE) == 0) continue;
        *start = i;
        return ERR_OK;
    }
    enum err e = batch_at(r, &r->files[0], 0, &h, &body);
    if (e != ERR_OK || (h.flags & WAL_FLAG_FIRST) == 0) return corrupt(r, r->files[0].number, "no WAL file can be the beginning");
    return ERR_OK;
}

/* reading -------------------------------------------------------------------------------------------------------------------- */

static enum err batch_apply(struct recovery *r, const struct wal_header *h, struct slice body) {
    struct logbook *lb = r->lb;
    struct reader in = reader_of(body);
    uint32_t records, rows;
    bool base = (h->flags & WAL_FLAG_BASE) != 0;
    logbook_wal_counts(&in, &records, &rows);
    for (uint32_t i = 0; i < records && !in.bad; i++) {
        struct wal_record rec;
        logbook_wal_record(&in, &rec);
        if (in.bad) break;
        struct gate_log *l = logbook_log_find(lb, rec.id);
        if (l == NULL) l = logbook_log_new(lb, rec.id);
        if (l == NULL) return ERR_LIMIT;
        /* Leaves follow on, but in a base, which has only what is needed, and where this log is met for the first time. */
        if (!base) {
            if (l->next > 0 && rec.index != l->next) return corrupt(r, h->file, "a leaf is missing between two others");
            l->next = rec.index + 1;
        }
        logbook_array_room((void **)&r->records, &r->record_cap, r->record_count + 1, sizeof *r->records);
        r->records[r->record_count++] = (struct read_record){l, rec};
    }
    for (uint32_t i = 0; i < rows && !in.bad; i++) {
        struct wal_row row;
        logbook_wal_row(&in, &row);
        if (in.bad) break;
        struct gate_log *l = logbook_log_find(lb, row.id);
        if (l == NULL) l = logbook_log_new(lb, row.id);
        if (l == NULL) return ERR_LIMIT;
        if (!base && l->next > 0 && row.size != l->next) return corrupt(r, h->file, "a log's size is not that of its leaves");
        if (row.mark < l->found.mark || row.flushed < l->found.flushed || row.size < l->found.size) {
            return corrupt(r, h->file, "a mark or size goes back");
        }
        l->next = row.size;
        l->found = row;
    }
    if (reader_end(&in) != ERR_OK) return corrupt(r, h->file, "a batch with a right chain is malformed");
    r->begun = true;
    r->boot = MAX(r->boot, h->boot);
    lb->sequence = h->sequence;
    memcpy(lb->chain, h->chain, WAL_CHAIN_BYTES);
    return ERR_OK;
}

/* A whole batch behind the end with a higher sequence: it was written after the ones before it were synced, so those were there. */
static bool later_batch(struct recovery *r, const struct disk_file *f, uint64_t from) {
    uint8_t magic[4];
    put_be32(magic, WAL_MAGIC);
    for (uint64_t at = from; f->bytes - at >= WAL_HEADER_BYTES;) {
        const uint8_t *hit = memmem(f->p + at, f->bytes - at, magic, sizeof magic);
        if (hit == NULL) return false;
        at = (uint64_t)(hit - f->p);
        struct wal_header h;
        struct slice body;
        /* The sequence first: recycled bytes are full of older batches, which need no hashing. */
        if (f->bytes - at >= WAL_HEADER_BYTES && get_be64(f->p + at + 16) > r->lb->sequence &&
            batch_at(r, f, at, &h, &body) == ERR_OK) {
            return true;
        }
        at++;
    }
    return false;
}

static bool follows(const struct recovery *r, const struct wal_header *h) {
    return !r->begun || (h->sequence == r->lb->sequence + 1 && memcmp(h->previous, r->lb->chain, WAL_CHAIN_BYTES) == 0);
}

static enum err files_read(struct recovery *r, size_t start) {
    bool ended = false;
    for (size_t i = start; i < r->file_count; i++) {
        struct disk_file *f = &r->files[i];
        uint64_t at = 0;
        TRY(file_read(r, f));
        if (i > start && f->number != r->files[i - 1].number + 1) return corrupt(r, f->number, "the file before it is missing");
        while (!ended) {
            struct wal_header h;
            struct slice body;
            enum err e = batch_at(r, f, at, &h, &body);
            if (e == ERR_VERSION) return e;
            if (e != ERR_OK || !follows(r, &h)) break;
            TRY(batch_apply(r, &h, body));
            at += WAL_HEADER_BYTES + body.n;
        }
        if (at == 0) ended = true; /* nothing of this file follows on: so ends the WAL, if nothing later is whole */
        if (later_batch(r, f, at)) return corrupt(r, f->number, "a synced batch before a whole one is damaged");
    }
    return ERR_OK;
}

/* what is still needed ---------------------------------------------------------------------------------------------------------- */

static bool still_pending(const struct gate_log *l, const struct wal_record *rec) {
    return rec->has_command && rec->index >= l->found.mark;
}

static void drop_voided(struct recovery *r) {
    for (size_t i = 0; i < r->record_count; i++) {
        const struct read_record *v = &r->records[i];
        if (v->rec.void_ref == WAL_NO_VOID) continue;
        for (size_t k = i; k-- > 0;) {
            struct read_record *c = &r->records[k];
            if (c->log != v->log || c->rec.index != v->rec.void_ref) continue;
            c->rec.has_command = false;
            c->rec.command = slice_of(NULL, 0);
            break;
        }
    }
}

static enum err found_keep(struct gate_log *l, const struct wal_record *rec) {
    uint8_t *p = malloc(rec->leaf.n + rec->opening.n + rec->command.n + 1);
    if (p == NULL) return ERR_NOMEM;
    logbook_array_room((void **)&l->found_records, &l->found_cap, l->found_count + 1, sizeof *l->found_records);
    struct wal_record *to = &l->found_records[l->found_count++].rec;
    *to = *rec;
    to->leaf = slice_of(p, rec->leaf.n);
    to->opening = slice_of(p + rec->leaf.n, rec->opening.n);
    to->command = slice_of(p + rec->leaf.n + rec->opening.n, rec->command.n);
    memcpy(p, rec->leaf.p, rec->leaf.n);
    if (rec->opening.n > 0) memcpy(p + rec->leaf.n, rec->opening.p, rec->opening.n);
    if (rec->command.n > 0) memcpy(p + rec->leaf.n + rec->opening.n, rec->command.p, rec->command.n);
    return ERR_OK;
}

static enum err records_keep(struct recovery *r) {
    drop_voided(r);
    size_t kept = 0;
    for (size_t i = 0; i < r->record_count; i++) {
        struct read_record *x = &r->records[i];
        if (!still_pending(x->log, &x->rec)) {
            x->rec.has_command = false;
            x->rec.command = slice_of(NULL, 0);
        }
        if (x->rec.index >= x->log->found.size) return corrupt(r, 0, "a leaf lies past its log's size");
        if (!x->rec.has_command && x->rec.index < x->log->found.flushed) continue;
        TRY(found_keep(x->log, &x->rec));
        r->records[kept++] = *x;
    }
    r->record_count = kept;
    return ERR_OK;
}

/* the base ------------------------------------------------------------------------------------------------------------------------ */


/* All rows in the first batch, then as many records a batch as the committer would write. */
static void base_encode(struct recovery *r, uint32_t number, struct buf *out, struct wal_file *file) {
    struct logbook *lb = r->lb;
    size_t at = 0;
    bool first = true;
    AUTO(buf) struct buf b = BUF_INIT(UINT32_MAX);
    while (first || at < r->record_count) {
        uint8_t zero[WAL_HEADER_BYTES + 8] = {0};
        uint32_t records = 0, rows = 0;
        buf_reset(&b);
        buf_put(&b, zero, sizeof zero);
        for (; at < r->record_count && b.n < MIN((uint64_t)WAL_BATCH_BYTES_MAX, lb->file_bytes / 4); at++, records++) {
            struct gate_log *l = r->records[at].log;
            const struct wal_record *rec = &r->records[at].rec;
            logbook_wal_put_record(&b, rec);
            if (l->c_file != number) {
                logbook_array_room((void **)&file->slots, &file->slot_cap, file->slot_count + 1, sizeof *file->slots);
                l->c_file = number;
                l->c_file_slot = (uint32_t)file->slot_count++;
                file->slots[l->c_file_slot] = (struct wal_slot){.log = l};
            }
            struct wal_slot *slot = &file->slots[l->c_file_slot];
            slot->end = MAX(slot->end, rec->index + 1);
            if (rec->has_command) slot->mark_need = MAX(slot->mark_need, rec->index + 1);
        }
        for (size_t i = 0; first && i < lb->log_count; i++) {
            if (lb->logs[i]->found.size == 0) continue;
            logbook_wal_put_row(&b, &lb->logs[i]->found);
            rows++;
        }
        logbook_wal_put_counts(&b, records, rows);
        struct wal_header h = {.flags = WAL_FLAG_BASE | (first ? WAL_FLAG_FIRST : 0), .file = number, .boot = lb->boot,
                               .sequence = ++lb->sequence};
        memcpy(h.previous, lb->chain, WAL_CHAIN_BYTES);
        logbook_wal_seal(&lb->hash, &h, &b);
        memcpy(lb->chain, h.chain, WAL_CHAIN_BYTES);
        buf_put_slice(out, buf_slice(&b));
        first = false;
    }
    ASSERT(buf_ok(out));
}

/* Spares are renumbered without gaps: the flusher counts on it. */
static void spares_number(struct recovery *r) {
    struct logbook *lb = r->lb;
    lb->spares = 0;
    for (size_t i = 0; i < r->spare_count; i++) {
        char from[24], to[24];
        (void)snprintf(from, sizeof from, "spare-%08u", r->spares[i]);
        (void)snprintf(to, sizeof to, "spare-%08u", lb->spares + 1);
        if (strcmp(from, to) == 0 || renameat(lb->wal_dir, from, lb->wal_dir, to) == 0) lb->spares++;
    }
    lb->spare_number = lb->spares;
}

/* On any failure the file goes: its pages may be called clean without being on the disk (wal.md section 3). */
static enum err base_write(struct recovery *r, struct wal_file *file, struct slice bytes) {
    struct logbook *lb = r->lb;
    char name[24];
    (void)snprintf(name, sizeof name, "%08u", file->number);
    char from[24] = "new";
    enum err e = ERR_OK;
    file->bytes = lb->file_bytes;
    if (lb->spares > 0 && bytes.n <= lb->file_bytes) {
        (void)snprintf(from, sizeof from, "spare-%08u", lb->spare_number);
        file->fd = openat(lb->wal_dir, from, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        lb->spare_number--;
        lb->spares--;
        if (file->fd < 0) e = ERR_IO;
    } else {
        file->bytes = MAX(lb->file_bytes, (uint64_t)bytes.n);
        e = logbook_file_make(lb, "new", file->bytes, &file->fd);
    }
    if (e == ERR_OK) e = logbook_io_write(lb->io, LOGBOOK_IO_WAL, file->fd, bytes.p, bytes.n, 0);
    if (e == ERR_OK && lb->io->fdatasync(lb->io->ctx, LOGBOOK_IO_WAL, file->fd) != 0) e = ERR_IO;
    if (e == ERR_OK && lb->io->rename(lb->io->ctx, lb->wal_dir, from, name) != 0) e = ERR_IO;
    if (e != ERR_OK) (void)unlinkat(lb->wal_dir, from, 0);
    if (e == ERR_OK && lb->io->dirsync(lb->io->ctx, lb->wal_dir) != 0) e = ERR_IO;
    if (e != ERR_OK) {
        buf_printf(r->why, "the disk does not take the fresh WAL file (%s)", err_text(e));
        return e;
    }
    lb->file_at = bytes.n;
    return ERR_OK;
}

static void old_files_drop(struct recovery *r, uint32_t base) {
    struct logbook *lb = r->lb;
    for (size_t i = 0; i < r->file_count; i++) {
        char from[24], to[24];
        (void)snprintf(from, sizeof from, "%08u", r->files[i].number);
        (void)snprintf(to, sizeof to, "spare-%08u", lb->spare_number + 1);
        ASSERT(r->files[i].number < base);
        if (lb->spares < WAL_SPARE_FILES && r->files[i].bytes == lb->file_bytes) {
            if (renameat(lb->wal_dir, from, lb->wal_dir, to) != 0) continue;
            lb->spares++;
            lb->spare_number++;
        } else {
            (void)unlinkat(lb->wal_dir, from, 0);
        }
    }
}

/* A directory logs/ with logs in it and no WAL: the WAL was taken away. */
static enum err no_wal(struct recovery *r) {
    int fd = openat(r->lb->logs_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) return ERR_IO;
    bool any = false;
    for (struct dirent *e; (e = readdir(d)) != NULL && !any;) any = strlen(e->d_name) == ID_TEXT_CHARS;
    closedir(d);
    if (!any) return ERR_OK;
    buf_printf(r->why, "logs/ has logs but wal/ has no WAL file: the write-ahead log is missing; restore it from a copy");
    return ERR_CORRUPT;
}

static enum err recover(struct recovery *r, uint64_t wall_ms) {
    struct logbook *lb = r->lb;
    TRY(directory_read(r));
    size_t start = 0;
    if (r->file_count == 0) {
        TRY(no_wal(r));
    } else {
        TRY(find_start(r, &start));
        TRY(files_read(r, start));
        TRY(records_keep(r));
    }
    TRY(keys_next_boot(r->boot, wall_ms, &lb->boot));
    for (size_t i = 0; i < lb->log_count; i++) {
        struct gate_log *l = lb->logs[i];
        ASSERT(l->next == l->found.size);
        l->frontier.size = l->found.size;
        memcpy(l->c_root, l->found.root, HASH_BYTES);
        l->mark = l->c_mark = l->found.mark;
        l->c_flushed = l->synced = l->found.flushed;
        l->durable = l->found.size;
        l->mark_durable = l->found.mark;
        l->flushed_durable = l->found.flushed;
    }
    struct wal_file *file = calloc(1, sizeof *file);
    if (file == NULL) return ERR_NOMEM;
    list_init(&file->node);
    file->fd = -1;
    file->number = r->file_count == 0 ? 1 : r->files[r->file_count - 1].number + 1;
    AUTO(buf) struct buf bytes = BUF_INIT(SIZE_MAX);
    base_encode(r, file->number, &bytes, file);
    spares_number(r);
    enum err e = base_write(r, file, buf_slice(&bytes));
    if (e != ERR_OK) {
        logbook_file_free(file);
        return e;
    }
    lb->file = file;
    lb->file_left = file->bytes - lb->file_at;
    lb->next_number = file->number + 1;
    old_files_drop(r, file->number);
    return ERR_OK;
}

enum err logbook_recover(struct logbook *lb, uint64_t wall_ms, struct buf *why) {
    struct recovery r = {.lb = lb, .why = why};
    enum err e = recover(&r, wall_ms);
    recovery_done(&r);
    if (e != ERR_OK && why->n == 0) buf_printf(why, "reading the WAL: %s", err_text(e));
    return e;
}
