/* SPDX-License-Identifier: Apache-2.0
 * The fold: control leaves into a tenant's state.
 * Role: first half of policy. Trusts: checked openings. Distrusts: leaves out of order, twice, unsigned, or senseless.
 * Law: 4, 6. Spec: docs/spec/policy.md section 1.
 */
#include "policy/policy_access_internal.h"

/* Rows lie in a buf that may move, so maps hold row numbers from 1 on, never addresses. */
static void *row_value(size_t row) { return (void *)(uintptr_t)(row + 1); }
static size_t value_row(const void *value) { return (size_t)(uintptr_t)value - 1; }

struct policy_key *policy_key_row(const struct policy_state *s, struct slice access_key) {
    void *v = map_get(s->key_by_text, access_key);
    if (v == NULL) return NULL;
    ASSERT(value_row(v) < s->keys.n / sizeof(struct policy_key));
    return (struct policy_key *)(void *)s->keys.p + value_row(v);
}

struct policy_bucket *policy_bucket_row(const struct policy_state *s, const uint8_t id[ID_BYTES]) {
    void *v = map_get(s->bucket_by_id, slice_of(id, ID_BYTES));
    return v == NULL ? NULL : (struct policy_bucket *)(void *)s->buckets.p + value_row(v);
}

static struct policy_bucket *bucket_row(const struct policy_state *s, size_t row) {
    ASSERT(row < s->buckets.n / sizeof(struct policy_bucket));
    return (struct policy_bucket *)(void *)s->buckets.p + row;
}

enum err policy_init(struct policy_state *s) {
    *s = (struct policy_state){.magic = POLICY_STATE_MAGIC, .grave_ms = GRAVE_DEFAULT_MS};
    s->keys = BUF_INIT(POLICY_KEYS_MAX * sizeof(struct policy_key));
    s->buckets = BUF_INIT(S3_BUCKETS_PER_TENANT_MAX * sizeof(struct policy_bucket));
    s->users = BUF_INIT(POLICY_USERS_MAX * sizeof(struct policy_user));
    s->key_by_text = map_new(POLICY_KEYS_MAX);
    s->bucket_by_name = map_new(S3_BUCKETS_PER_TENANT_MAX);
    s->bucket_by_id = map_new(S3_BUCKETS_PER_TENANT_MAX);
    s->readers = map_new(POLICY_READERS_MAX);
    if (s->key_by_text == NULL || s->bucket_by_name == NULL || s->bucket_by_id == NULL || s->readers == NULL || policy_access_init(s) != ERR_OK) {
        policy_done(s);
        return ERR_NOMEM;
    }
    return ERR_OK;
}

void policy_bucket_docs_done(struct policy_bucket *b) {
    for (int k = 0; k < POLICY_DOC__COUNT; k++) buf_done(&b->text[k]);
    policy_doc_free(b->policy);
}

void policy_done(struct policy_state *s) {
    for (size_t i = 0; i < s->buckets.n / sizeof(struct policy_bucket); i++) policy_bucket_docs_done(bucket_row(s, i));
    for (size_t i = 0; i < s->users.n / sizeof(struct policy_user); i++) policy_user_done((struct policy_user *)(void *)s->users.p + i);
    buf_done(&s->keys);
    buf_done(&s->buckets);
    buf_done(&s->users);
    if (s->key_by_text != NULL) map_free(s->key_by_text);
    if (s->bucket_by_name != NULL) map_free(s->bucket_by_name);
    if (s->bucket_by_id != NULL) map_free(s->bucket_by_id);
    if (s->readers != NULL) map_free(s->readers);
    policy_access_done(s);
    *s = (struct policy_state){0};
}

/* reading the state ---------------------------------------------------------------------------------------------------- */

const struct policy_bucket *policy_bucket(const struct policy_state *s, struct slice name) {
    ASSERT(s->magic == POLICY_STATE_MAGIC);
    void *v = map_get(s->bucket_by_name, name);
    return v == NULL ? NULL : bucket_row(s, value_row(v));
}

const struct policy_bucket *policy_bucket_of_id(const struct policy_state *s, const uint8_t id[ID_BYTES]) {
    ASSERT(s->magic == POLICY_STATE_MAGIC);
    return policy_bucket_row(s, id);
}

const struct policy_key *policy_key(const struct policy_state *s, struct slice access_key) {
    ASSERT(s->magic == POLICY_STATE_MAGIC);
    return policy_key_row(s, access_key);
}

const struct policy_bucket *policy_bucket_next(const struct policy_state *s, size_t *cursor) {
    while (*cursor < s->buckets.n / sizeof(struct policy_bucket)) {
        const struct policy_bucket *b = bucket_row(s, (*cursor)++);
        if (b->present) return b;
    }
    return NULL;
}

struct slice policy_bucket_doc(const struct policy_bucket *b, enum policy_doc_kind k) {
    ASSERT((unsigned)k < POLICY_DOC__COUNT);
    return b->text[k].n == 0 ? slice_of(NULL, 0) : buf_slice(&b->text[k]);
}

static char reader_on, reader_off;
bool policy_reader_on(const struct policy_state *s, struct slice capability) {
    return map_get(s->readers, capability) == &reader_on;
}

bool policy_is_owner(const struct policy_state *s, struct slice fingerprint) {
    for (uint32_t i = 0; i < s->owner_count; i++) {
        if (slice_is(fingerprint, s->owners[i])) return true;
    }
    return false;
}

/* small checks ----------------------------------------------------------------------------------------------------------- */

bool policy_account_ok(struct slice account) {
    if (account.n != ACCOUNT_CHARS) return false;
    for (size_t i = 0; i < account.n; i++) {
        if (account.p[i] < '0' || account.p[i] > '9') return false;
    }
    return true;
}

bool policy_access_key_ok(struct slice key) {
    if (key.n != ACCESS_KEY_CHARS) return false;
    for (size_t i = 0; i < key.n; i++) {
        bool upper = key.p[i] >= 'A' && key.p[i] <= 'Z', digit = key.p[i] >= '0' && key.p[i] <= '9';
        if (!upper && !digit) return false;
    }
    return true;
}

/* The shape only; all of S3's rules on names are the s3 room's and were applied before the leaf. */
bool policy_bucket_name_ok(struct slice name) {
    if (name.n < S3_BUCKET_CHARS_MIN || name.n > S3_BUCKET_CHARS_MAX) return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.')) return false;
    }
    return true;
}

void policy_copy_text(char *to, struct slice from) {
    if (from.n > 0) memcpy(to, from.p, from.n);
    to[from.n] = 0;
}

/* The opened value; *erased when the customer had it erased. MISSING when the leaf has no such commitment or no opening. */
enum err policy_opened(const struct record_leaf *leaf, const struct record_opening *opening, enum record_field f,
                       struct slice *value, bool *erased) {
    *value = slice_of(NULL, 0);
    *erased = false;
    if (!record_has(leaf, f) || opening == NULL) return ERR_MISSING;
    for (unsigned i = 0; i < opening->count; i++) {
        if (opening->item[i].field != f) continue;
        *erased = opening->item[i].erased;
        if (!*erased) *value = opening->item[i].value;
        return ERR_OK;
    }
    return ERR_MISSING;
}

/* LAW-6: keys and readers change by a statement of an owner's, or by the first account's root user. Leaves without either are under
 * the genesis statement itself and stand directly after it. */
static enum err check_author(const struct policy_state *s, const struct record_leaf *leaf,
                             const struct record_opening *opening, bool *under_genesis) {
    *under_genesis = false;
    if (record_has(leaf, RECORD_F_SIGNER)) {
        struct slice list = leaf->f[RECORD_F_SIGNER].text, one;
        bool any = false;
        while (record_list_text(&list, &one)) {
            if (!policy_is_owner(s, one)) return ERR_AUTH;
            any = true;
        }
        return any ? ERR_OK : ERR_AUTH;
    }
    if (record_has(leaf, RECORD_F_WHO)) {
        struct slice text;
        struct policy_who who;
        bool erased;
        TRY(policy_opened(leaf, opening, RECORD_F_WHO, &text, &erased));
        if (erased) return ERR_OK; /* it was checked when it was written; a person's right to be forgotten comes after */
        if (policy_who_parse(POLICY_AUTH_HDR, text, &who) != ERR_OK) return ERR_AUTH;
        const struct policy_key *k = policy_key(s, who.access_key);
        bool root = k != NULL && k->on && slice_is(who.account, k->account) && slice_is(who.user, POLICY_USER_ROOT) &&
                    strcmp(k->user, POLICY_USER_ROOT) == 0 && slice_is(who.account, s->account);
        return root ? ERR_OK : ERR_AUTH;
    }
    *under_genesis = true;
    return s->founding ? ERR_OK : ERR_AUTH;
}

/* leaves ------------------------------------------------------------------------------------------------------------------- */

/* Each checks first and changes last; with `dry` it only checks. */
static enum err apply_genesis(struct policy_state *s, uint64_t index, const struct record_leaf *leaf,
                              const struct record_opening *opening, bool dry) {
    if (index != 0 || s->founded) return ERR_EXISTS;
    struct slice account = record_text(leaf, RECORD_F_ACCOUNT), name = slice_of(NULL, 0);
    struct slice list = leaf->f[RECORD_F_SIGNER].text, one;
    char owners[POLICY_OWNERS_MAX][SSH_FINGERPRINT_CHARS + 1];
    uint32_t count = 0;
    bool erased = false;
    if (!policy_account_ok(account)) return ERR_INPUT;
    if (record_has(leaf, RECORD_F_NAME)) TRY(policy_opened(leaf, opening, RECORD_F_NAME, &name, &erased));
    if (name.n > S3_BUCKET_CHARS_MAX) return ERR_INPUT;
    while (record_list_text(&list, &one)) {
        if (count == POLICY_OWNERS_MAX) return ERR_LIMIT;
        if (one.n == 0 || one.n > SSH_FINGERPRINT_CHARS) return ERR_INPUT;
        policy_copy_text(owners[count++], one);
    }
    if (count == 0) return ERR_INPUT;
    if (dry) return ERR_OK;
    memcpy(s->owners, owners, sizeof owners[0] * count);
    s->owner_count = count;
    policy_copy_text(s->account, account);
    if (name.n > 0) policy_copy_text(s->name, name);
    s->founded = s->founding = true;
    return policy_customer_genesis(s);
}

enum err policy_key_add(struct policy_state *s, const struct policy_key *row, bool dry) {
    size_t at = s->keys.n / sizeof *row;
    struct slice text = slice_str(row->access_key);
    if (at >= POLICY_KEYS_MAX) return ERR_LIMIT;
    if (dry) return ERR_OK;
    uint8_t *to = buf_room(&s->keys, sizeof *row);
    if (to == NULL) {
        s->keys.bad = false; /* refused, nothing stored: the state goes on as it was */
        return ERR_LIMIT;
    }
    if (text.n > 0) TRY(map_put(s->key_by_text, text, row_value(at)));
    memcpy(to, row, sizeof *row);
    s->keys.n += sizeof *row;
    return ERR_OK;
}

static enum err apply_key(struct policy_state *s, uint64_t index, const struct record_leaf *leaf,
                          const struct record_opening *opening, bool dry) {
    struct slice account = record_text(leaf, RECORD_F_ACCOUNT), text;
    bool erased, under_genesis;
    uint64_t on = record_int(leaf, RECORD_F_ON, 2);
    if (on > 1 || !policy_account_ok(account)) return ERR_INPUT;
    TRY(policy_opened(leaf, opening, RECORD_F_KEYC, &text, &erased));
    if (!erased && !policy_access_key_ok(text)) return ERR_INPUT;
    TRY(check_author(s, leaf, opening, &under_genesis));
    struct policy_key *k = erased ? NULL : policy_key_row(s, text);
    if (k == NULL && !erased && on == 0) return ERR_MISSING;
    if (k != NULL) {
        if (!slice_is(account, k->account) || k->gone) return ERR_INPUT; /* a key never changes hands, and never comes back */
        if (k->on == (on == 1)) return on == 1 ? ERR_EXISTS : ERR_INPUT;
        if (dry) return ERR_OK;
        k->on = on == 1;
        k->index = index;
    } else if (on == 1) {
        struct policy_key row = {.on = true, .index = index, .created_ms = record_int(leaf, RECORD_F_T, 0), .user = POLICY_USER_ROOT};
        policy_copy_text(row.account, account);
        if (!erased) policy_copy_text(row.access_key, text);
        TRY(policy_key_add(s, &row, dry));
    }
    if (!under_genesis && !dry) s->founding = false;
    return ERR_OK;
}

enum err policy_own_record(const struct record_leaf *leaf, uint64_t index) {
    if (record_int(leaf, RECORD_F_CTL, index) != index) return ERR_INPUT;
    if (record_has(leaf, RECORD_F_DEC) && !slice_is(record_text(leaf, RECORD_F_DEC), "allow")) return ERR_INPUT;
    return record_int(leaf, RECORD_F_ENG, POLICY_ENGINE_VERSION) > POLICY_ENGINE_VERSION ? ERR_VERSION : ERR_OK;
}

static enum err bucket_row_take(struct policy_state *s, size_t *row) {
    size_t rows = s->buckets.n / sizeof(struct policy_bucket);
    /* Rows of deleted buckets are used again; looked for only when there are any. */
    for (*row = 0; s->bucket_count < rows && *row < rows; (*row)++) {
        if (!bucket_row(s, *row)->present) return ERR_OK;
    }
    *row = rows;
    uint8_t *to = buf_room(&s->buckets, sizeof(struct policy_bucket));
    if (to == NULL) {
        s->buckets.bad = false;
        return ERR_LIMIT;
    }
    memset(to, 0, sizeof(struct policy_bucket));
    s->buckets.n += sizeof(struct policy_bucket);
    return ERR_OK;
}

static enum err bucket_add(struct policy_state *s, const struct policy_bucket *b, bool dry) {
    size_t row;
    struct slice name = slice_str(b->name), id = slice_of(b->id, ID_BYTES);
    if (map_get(s->bucket_by_id, id) != NULL) return ERR_EXISTS;
    if (name.n > 0 && map_get(s->bucket_by_name, name) != NULL) return ERR_EXISTS;
    if (s->bucket_count >= S3_BUCKETS_PER_TENANT_MAX) return ERR_LIMIT;
    if (dry) return ERR_OK;
    TRY(bucket_row_take(s, &row));
    TRY(map_put(s->bucket_by_id, id, row_value(row)));
    if (name.n > 0) {
        enum err e = map_put(s->bucket_by_name, name, row_value(row));
        if (e != ERR_OK) (void)map_del(s->bucket_by_id, id);
        TRY(e);
    }
    *bucket_row(s, row) = *b;
    s->bucket_count++;
    return ERR_OK;
}

static enum err bucket_del(struct policy_state *s, const uint8_t id[ID_BYTES], struct slice name, bool dry) {
    void *v = map_get(s->bucket_by_id, slice_of(id, ID_BYTES));
    if (v == NULL) return ERR_MISSING;
    struct policy_bucket *b = bucket_row(s, value_row(v));
    /* Id and name must mean the same bucket, else the request's record and its effect are two things. */
    if (name.n > 0 && b->name[0] != 0 && !slice_is(name, b->name)) return ERR_INPUT;
    if (dry) return ERR_OK;
    if (b->name[0] != 0) (void)map_del(s->bucket_by_name, slice_str(b->name));
    (void)map_del(s->bucket_by_id, slice_of(id, ID_BYTES));
    for (int k = 0; k < POLICY_DOC__COUNT; k++) s->doc_bytes -= b->text[k].n;
    policy_bucket_docs_done(b);
    *b = (struct policy_bucket){0};
    ASSERT(s->bucket_count > 0);
    s->bucket_count--;
    return ERR_OK;
}

/* Whose bucket: as the leaf says, else its caller's, else the first account's. */
static enum err bucket_account(const struct policy_state *s, const struct record_leaf *leaf,
                               const struct record_opening *opening, struct slice *account) {
    struct slice text;
    struct policy_who who;
    bool erased;
    *account = slice_str(s->account);
    if (record_has(leaf, RECORD_F_ACCOUNT)) {
        *account = record_text(leaf, RECORD_F_ACCOUNT);
    } else if (record_has(leaf, RECORD_F_WHO)) {
        TRY(policy_opened(leaf, opening, RECORD_F_WHO, &text, &erased));
        if (!erased && policy_who_parse(POLICY_AUTH_HDR, text, &who) == ERR_OK) *account = who.account;
    }
    return policy_account_ok(*account) ? ERR_OK : ERR_INPUT;
}

static enum err apply_bkt(struct policy_state *s, uint64_t index, const struct record_leaf *leaf,
                          const struct record_opening *opening, bool dry) {
    struct slice name = slice_of(NULL, 0), account;
    bool erased = false;
    uint64_t on = record_int(leaf, RECORD_F_ON, 2);
    if (on > 1) return ERR_INPUT;
    TRY(policy_own_record(leaf, index));
    if (record_has(leaf, RECORD_F_NAME)) TRY(policy_opened(leaf, opening, RECORD_F_NAME, &name, &erased));
    if (!erased && (name.n > 0 || on == 1) && !policy_bucket_name_ok(name)) return ERR_INPUT;
    const uint8_t *id = leaf->f[RECORD_F_BKT].bytes;
    if (on == 1) {
        struct policy_bucket b = {.created_ms = record_int(leaf, RECORD_F_T, 0), .index = index, .present = true};
        TRY(bucket_account(s, leaf, opening, &account));
        memcpy(b.id, id, ID_BYTES);
        policy_copy_text(b.account, account);
        if (!erased) policy_copy_text(b.name, name);
        struct slice begins = slice_of(NULL, 0);
        bool begins_erased = true; /* then, or without it, it begins with nothing: no one but its owner's account */
        if (record_has(leaf, RECORD_F_DOC)) TRY(policy_opened(leaf, opening, RECORD_F_DOC, &begins, &begins_erased));
        if (!begins_erased) TRY(policy_bucket_begins(s, &b, begins, true));
        TRY(bucket_add(s, &b, dry));
        if (!begins_erased && !dry) TRY(policy_bucket_begins(s, policy_bucket_row(s, id), begins, false));
    } else {
        TRY(bucket_del(s, id, name, dry));
    }
    if (!dry) s->founding = false;
    return ERR_OK;
}

static enum err apply_rdr(struct policy_state *s, uint64_t index, const struct record_leaf *leaf,
                          const struct record_opening *opening, bool dry) {
    (void)index;
    struct slice capability;
    bool erased, under_genesis;
    uint64_t on = record_int(leaf, RECORD_F_ON, 2);
    if (on > 1) return ERR_INPUT;
    TRY(policy_opened(leaf, opening, RECORD_F_RDR, &capability, &erased));
    if (!erased && (capability.n == 0 || capability.n > POLICY_CAPABILITY_BYTES_MAX)) return ERR_INPUT;
    TRY(check_author(s, leaf, opening, &under_genesis));
    if (!erased) {
        void *have = map_get(s->readers, capability);
        if (on == 1 && have != NULL) return ERR_EXISTS; /* a revoked one never comes back either */
        if (on == 0 && have == NULL) return ERR_MISSING;
        if (on == 0 && have == &reader_off) return ERR_INPUT;
        if (on == 1 && map_count(s->readers) >= POLICY_READERS_MAX) return ERR_LIMIT;
        if (dry) return ERR_OK;
        if (on == 0) ASSERT(map_del(s->readers, capability) == &reader_on);
        TRY(map_put(s->readers, capability, on == 1 ? &reader_on : &reader_off));
    }
    if (!under_genesis && !dry) s->founding = false;
    return ERR_OK;
}

static enum err fold(struct policy_state *s, uint64_t index, const struct record_leaf *leaf,
                     const struct record_opening *opening, bool dry) {
    ASSERT(s->magic == POLICY_STATE_MAGIC);
    uint64_t t = record_int(leaf, RECORD_F_T, 0);
    if (index != s->size || t < s->t_ms) return ERR_INPUT;
    if (leaf->kind != RECORD_K_GENESIS && !s->founded) return ERR_INPUT;
    switch (leaf->kind) {
    case RECORD_K_GENESIS: TRY(apply_genesis(s, index, leaf, opening, dry)); break;
    case RECORD_K_KEY: TRY(apply_key(s, index, leaf, opening, dry)); break;
    case RECORD_K_BKT: TRY(apply_bkt(s, index, leaf, opening, dry)); break;
    case RECORD_K_CFG: TRY(policy_apply_cfg(s, index, leaf, opening, dry)); break;
    case RECORD_K_IAM: TRY(policy_apply_iam(s, index, leaf, opening, dry)); break;
    case RECORD_K_RDR: TRY(apply_rdr(s, index, leaf, opening, dry)); break;
    case RECORD_K_STMT: TRY(policy_apply_stmt(s, index, leaf, opening, dry)); break;
    case RECORD_K_GRANT: TRY(policy_apply_grant(s, index, leaf, dry)); break;
    case RECORD_K_ACC: TRY(policy_apply_use(s, index, leaf, dry)); break;
    default: return ERR_INPUT;
    }
    if (dry) return ERR_OK;
    s->size++;
    s->t_ms = t;
    if (leaf->kind != RECORD_K_ACC) s->changed = s->size;
    return ERR_OK;
}

enum err policy_apply(struct policy_state *s, uint64_t index, const struct record_leaf *leaf,
                      const struct record_opening *opening) {
    return fold(s, index, leaf, opening, false);
}

enum err policy_can_apply(const struct policy_state *s, uint64_t index, const struct record_leaf *leaf,
                          const struct record_opening *opening) {
    /* Dry: nothing behind the pointer is written. */
    return fold((struct policy_state *)(uintptr_t)s, index, leaf, opening, true);
}
