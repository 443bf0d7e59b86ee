/* SPDX-License-Identifier: Apache-2.0
 * complete_parts: the parts of an upload become the rows of an object: read in pages, checked against the client's list, sealed anew.
 * Role: CompleteMultipartUpload between its guards and its leaf. Trusts: entry.c's seals. Distrusts: every row: it must open as this upload's part of its
 * number, and have the ETag the client names. What changes while this goes on is caught by the guard that each part goes into the command with.
 * Law: 2 (keys of parts are opened one at a time, in locked memory). Spec: docs/spec/entry.md (part sets).
 */
#include <stdio.h>

#include "gate/op_complete.h"

#define JOB_CLOCK_PARTS 8                          /* parts between two looks at the clock: about 50 us */

static void parts_scan(struct complete *c);

static void parts_end(struct complete *c, enum s3_error code)
{
    if (code != S3E_NONE && c->r->fault.code == S3E_NONE) s3_fault_set(&c->r->fault, code, NULL);
    c->done(c, code);
}

/* judging one part -------------------------------------------------------------------------------------------------------- */

static enum s3_error part_bad(struct complete *c, const struct s3_complete_part *p, enum s3_error code)
{
    struct s3_fault *f = &c->r->fault;
    char number[8];
    AUTO(buf) struct buf id = BUF_INIT(ID_TEXT_CHARS);
    buf_put_base32(&id, slice_of(c->id, ID_BYTES));
    snprintf(number, sizeof number, "%u", p->number);
    s3_fault_add(f, "UploadId", buf_slice(&id));
    s3_fault_add(f, "PartNumber", slice_str(number));
    s3_fault_add(f, "ETag", p->etag);
    return s3_fault_set(f, code, NULL);
}

/* M03, M05: is this the part the client means? */
static enum s3_error part_judge(struct complete *c, const struct s3_complete_part *p, const struct entry_facts *f)
{
    if (!slice_ieq(p->etag, slice_of(f->etag, f->etag_n))) return part_bad(c, p, S3E_InvalidPart);
    if (p->sum != S3_SUM_NONE && (p->sum != (enum s3_sum)f->sum || !ct_equal(p->sum_value, f->sum_value, f->sum_n)))
        return part_bad(c, p, S3E_InvalidPart);
    if (f->sum != (uint8_t)c->sum || f->sum_n != s3_sum_bytes(c->sum)) return part_bad(c, p, S3E_InvalidPart);
    uint64_t min = MAX(c->r->gate->conf.part_min_bytes, (uint64_t)1);     /* rows lie by offset: only the last may be empty */
    if (c->at > 0 && c->last_size < min) return part_bad(c, &c->list.parts[c->at - 1], S3E_EntityTooSmall);
    if (f->size > S3_OBJECT_BYTES_MAX - c->total) return s3_fault_set(&c->r->fault, S3E_EntityTooLarge, NULL);
    return S3E_NONE;
}

static enum err part_sum(struct complete *c, const struct entry_facts *f)
{
    uint8_t md5[16];
    TRY(hex_fixed(slice_of(f->etag, f->etag_n), md5, sizeof md5));
    TRY(s3_sums_add(&c->etags, slice_of(md5, sizeof md5)));
    if (c->sum_type == S3_SUM_COMPOSITE) return s3_sums_add(&c->sums, slice_of(f->sum_value, f->sum_n));
    if (c->at == 0) memcpy(c->combined, f->sum_value, f->sum_n);
    else s3_sum_combine(c->sum, c->combined, f->sum_value, f->size);
    return ERR_OK;
}

/* Opens the part's entry, and seals its row under the set's key at its offset. */
static enum s3_error part_take(struct complete *c, const struct s3_complete_part *p, const struct wire_scan_row *row, struct entry *e)
{
    struct gate_request *r = c->r;
    struct gate *g = r->gate;
    AUTO(buf) struct buf name = BUF_INIT(ENTRY_NAME_BYTES_MAX), none = BUF_INIT(ENTRY_META_BYTES_MAX), sealed = BUF_INIT(PART_ROW_BYTES_MAX);
    entry_part_name(&name, r->name.key, c->id, p->number);
    struct entry_place place = {.tenant = r->tenant->id, .bucket = r->bucket->id, .key = buf_slice(&name)};
    enum err err = entry_parse(row->facts, e);
    if (err == ERR_OK && (e->flags != ENTRY_PART || e->row_count != 1)) err = ERR_CORRUPT;
    if (err == ERR_OK) err = entry_open_all(g->crypto, &g->hash, &r->bucket->key, &r->tenant->key, &place, e, &none);
    if (err == ERR_OK) {
        enum s3_error code = part_judge(c, p, &e->facts);
        if (code != S3E_NONE) return code;
        err = part_sum(c, &e->facts);
    }
    if (err == ERR_OK) {
        struct entry_part part = {.number = p->number, .plain_size = e->facts.size, .key = e->keys.p, .sum = e->facts.sum, .sum_n = e->facts.sum_n};
        memcpy(part.blob, e->row[0].blob, ID_BYTES);
        memcpy(part.sum_value, e->facts.sum_value, e->facts.sum_n);
        err = entry_part_seal(g->crypto, g->rng, &c->set_key, r->tenant->id, c->id, c->total, &part, &sealed);
    }
    if (err == ERR_OK) {
        command_part_row(&c->parts, p->number, e->index, c->total, e->facts.size, buf_slice(&sealed));
        if (!buf_ok(&c->parts)) err = ERR_LIMIT;
    }
    if (err == ERR_OK) {
        c->total += e->facts.size;
        c->last_size = e->facts.size;
        c->at++;
        return S3E_NONE;
    }
    log_line(LOG_ERROR, "part-does-not-open", "err=%s index=%llu", err_name(err), (unsigned long long)e->index);
    return s3_fault_set(&r->fault, S3E_InternalError, NULL);
}

/* the job --------------------------------------------------------------------------------------------------------------------- */

/* True: the row is done with. Rows that the list passes over are left to the keeper, which releases them. */
static enum s3_error row_next(struct complete *c, const struct wire_scan_row *row)
{
    const struct s3_complete_part *p = &c->list.parts[c->at];
    if (row->kind != WIRE_ROW_PART || row->number <= c->last_number) return s3_fault_set(&c->r->fault, S3E_InternalError, NULL);
    c->last_number = row->number;
    if (row->number < p->number) return S3E_NONE;
    if (row->number > p->number) return part_bad(c, p, S3E_InvalidPart);
    struct entry e = {0};
    enum s3_error code = part_take(c, p, row, &e);
    entry_done(&e);
    return code;
}

static bool parts_run(struct loop_job *j, uint64_t budget_us)
{
    struct complete *c = j->ctx;
    uint64_t begin = clock_mono_us();
    struct wire_scan_row row;
    for (unsigned n = 1; c->at < c->list.count && wire_next_scan_row(&c->cursor, &row); n++) {
        enum s3_error code = row_next(c, &row);
        if (code != S3E_NONE) {
            parts_end(c, code);
            return false;
        }
        if (n % JOB_CLOCK_PARTS == 0 && clock_mono_us() - begin >= budget_us) return true;
    }
    if (c->cursor.bad) parts_end(c, S3E_InternalError);
    else if (c->at == c->list.count) parts_end(c, S3E_NONE);
    else if (c->more) parts_scan(c);
    else parts_end(c, part_bad(c, &c->list.parts[c->at], S3E_InvalidPart));
    return false;                                  /* c may be gone */
}

static void parts_rows(struct keeper_ask *a, const struct wire_rows *m)
{
    struct complete *c = a->ctx;
    if (!m) {
        parts_end(c, S3E_ServiceUnavailable);
        return;
    }
    buf_put_slice(&c->rows, m->rows);
    if (!m->last) return;
    bool good = !m->failed && buf_ok(&c->rows) && flow_as_of_ok(c->r->tenant, m->as_of, c->mark);
    if (good && m->more && c->rows.n == 0) good = false;     /* a page without rows would be asked for again and again */
    if (!good) {
        parts_end(c, S3E_ServiceUnavailable);
        return;
    }
    c->more = m->more;
    c->cursor = reader_of(buf_slice(&c->rows));
    loop_job_add(c->r->gate->loop, &c->job);
}

/* Asked for the first time, or again because the keeper was lost. */
static void parts_sending(struct keeper_ask *a)
{
    struct complete *c = a->ctx;
    buf_reset(&c->rows);
    c->mark = c->r->tenant->flow->mark;
}

static void parts_scan(struct complete *c)
{
    struct gate_request *r = c->r;
    struct keeper_ask *a = &r->find;
    a->rows = parts_rows;
    a->sending = parts_sending;
    a->ctx = c;
    a->scan = (struct wire_scan){.kind = WIRE_SCAN_PARTS, .prefix = r->name.key, .after_index = c->last_number, .rows_max = GATE_PARTS_PAGE,
                                 .budget = SCAN_ROWS_BUDGET};
    memcpy(a->scan.bucket, r->bucket->id, ID_BYTES);
    memcpy(a->scan.log, log_id(r->tenant->access), ID_BYTES);
    memcpy(a->scan.upload, c->id, ID_BYTES);
    keeper_scan(r->gate, a);
}

void complete_parts(struct complete *c, void (*done)(struct complete *c, enum s3_error code))
{
    c->done = done;
    c->job.run = parts_run;
    c->sum = c->upload.facts.sum == S3_SUM_NONE ? S3_SUM_CRC64NVME : (enum s3_sum)c->upload.facts.sum;
    c->sum_type = (enum s3_sum_type)c->upload.facts.sum_type;
    buf_init(&c->rows, SCAN_ANSWER_BYTES_MAX);
    buf_init(&c->parts, COMMAND_BYTES_MAX - ENTRY_BYTES_MAX - ENTRY_NAME_BYTES_MAX);
    enum err err = keys_new(c->r->gate->rng, &c->set_key);
    if (err == ERR_OK) err = s3_sums_init(&c->etags, S3_SUM_BIT(S3_SUM_MD5));
    if (err == ERR_OK && (err = s3_sums_init(&c->sums, S3_SUM_BIT(c->sum))) != ERR_OK) s3_sums_done(&c->etags);
    if (err != ERR_OK) {
        parts_end(c, S3E_ServiceUnavailable);
        return;
    }
    c->hashing = true;
    parts_scan(c);
}

/* results ------------------------------------------------------------------------------------------------------------------------ */

static void etag_of(struct entry_facts *f, const uint8_t md5[16], size_t parts)
{
    upload_etag(f, md5);
    f->etag_n += (size_t)snprintf(f->etag + f->etag_n, sizeof f->etag - f->etag_n, "-%zu", parts);
    ASSERT(f->etag_n < sizeof f->etag);
}

enum err complete_facts(struct complete *c, struct entry_facts *f)
{
    uint8_t md5[S3_SUM_BYTES_MAX];
    ASSERT(c->hashing && c->at == c->list.count);
    TRY(s3_sums_get(&c->etags, S3_SUM_MD5, md5));
    etag_of(f, md5, c->at);
    f->size = c->total;
    f->parts = (uint16_t)c->at;
    f->sum = (uint8_t)c->sum;
    f->sum_type = (uint8_t)c->sum_type;
    f->sum_n = s3_sum_bytes(c->sum);
    if (c->sum_type == S3_SUM_COMPOSITE) return s3_sums_get(&c->sums, c->sum, f->sum_value);
    memcpy(f->sum_value, c->combined, f->sum_n);
    return ERR_OK;
}

bool complete_listed_etag(const struct complete *c, struct entry_facts *f)
{
    struct s3_sums s;
    uint8_t md5[S3_SUM_BYTES_MAX];
    if (s3_sums_init(&s, S3_SUM_BIT(S3_SUM_MD5)) != ERR_OK) return false;
    bool good = true;
    for (size_t i = 0; i < c->list.count && good; i++)
        good = hex_fixed(c->list.parts[i].etag, md5, 16) == ERR_OK && s3_sums_add(&s, slice_of(md5, 16)) == ERR_OK;
    good = good && s3_sums_get(&s, S3_SUM_MD5, md5) == ERR_OK;
    s3_sums_done(&s);
    if (good) etag_of(f, md5, c->list.count);
    return good;
}

void complete_parts_cleanup(struct complete *c)
{
    loop_job_del(c->r->gate->loop, &c->job);
    if (c->hashing) {
        s3_sums_done(&c->etags);
        s3_sums_done(&c->sums);
    }
    secret_done(&c->set_key);
    buf_done(&c->rows);
    buf_done(&c->parts);
}
