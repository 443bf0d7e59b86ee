/* SPDX-License-Identifier: Apache-2.0
 * The fold of configuration and of accounts' users: cfg and iam leaves.
 * Role: second part of the fold. Trusts: checked openings. Distrusts: documents, names, leaves without sense where they stand.
 * Law: 4. Spec: docs/spec/policy.md section 1.
 */
#include "policy/policy_internal.h"

/* documents ----------------------------------------------------------------------------------------------------------------- */

static enum err copy_doc(struct slice text, struct buf *out) {
    *out = BUF_INIT(text.n);
    buf_put_slice(out, text);
    return buf_ok(out) ? ERR_OK : ERR_NOMEM;
}

static enum err room_for(const struct policy_state *s, size_t old, size_t new) {
    ASSERT(s->doc_bytes >= old);
    return s->doc_bytes - old + new > POLICY_DOC_BYTES_TOTAL_MAX ? ERR_LIMIT : ERR_OK;
}

/* What a document of words means; a bucket's copy that is thrown away says whether it has a meaning. */
static enum err set_words(struct policy_bucket *b, enum policy_doc_kind k, struct slice text) {
    if (k == POLICY_DOC_VERSIONING) {
        b->versioning = slice_is(text, "Enabled") ? POLICY_VERSIONING_ENABLED : POLICY_VERSIONING_SUSPENDED;
        return b->versioning == POLICY_VERSIONING_ENABLED || slice_is(text, "Suspended") ? ERR_OK : ERR_INPUT;
    }
    if (k == POLICY_DOC_OWNERSHIP) {
        static const char *const words[] = {"BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"};
        for (int i = 0; i < 3; i++) {
            if (!slice_is(text, words[i])) continue;
            b->ownership = (enum policy_ownership)i;
            b->ownership_set = true;
            return ERR_OK;
        }
        return ERR_INPUT;
    }
    if (text.n != ARRAY_LEN(b->block)) return ERR_INPUT;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '0' && text.p[i] != '1') return ERR_INPUT;
        b->block[i] = text.p[i] == '1';
    }
    return ERR_OK;
}

static void end_words(struct policy_bucket *b, enum policy_doc_kind k) {
    if (k == POLICY_DOC_OWNERSHIP) {
        b->ownership = POLICY_OWNERSHIP_ENFORCED;
        b->ownership_set = false;
    }
    if (k == POLICY_DOC_BLOCK) memset(b->block, 0, sizeof b->block);
}

static bool has_words(enum policy_doc_kind k) {
    static const enum { WORD, POLICY, TEXT } fold[POLICY_DOC__COUNT] = {
#define POLICY_DOC(NAME, put, del, how) how,
#include "policy/policy_doc.def"
#undef POLICY_DOC
    };
    return fold[k] == WORD;
}

static void drop_policy(struct policy_bucket *b, enum policy_doc_kind k) {
    if (k != POLICY_DOC_POLICY) return;
    policy_doc_free(b->policy);
    b->policy = NULL;
    b->is_public = false;
}

static enum err end_doc(struct policy_state *s, struct policy_bucket *b, enum policy_doc_kind k, bool erased, bool dry) {
    if (dry) return ERR_OK;
    s->doc_bytes -= b->text[k].n;
    buf_done(&b->text[k]);
    drop_policy(b, k);
    if (!erased) end_words(b, k); /* of an erased one the meaning is what was known last */
    b->erased[k] = erased;
    return ERR_OK;
}

static enum err set_doc(struct policy_state *s, struct policy_bucket *b, enum policy_doc_kind k, struct slice text, bool dry) {
    const char *why;
    struct buf kept;
    struct policy_doc *doc = NULL;
    struct policy_bucket tried = *b;
    if (text.n == 0 || text.n > S3_CONFIG_DOC_BYTES_MAX) return ERR_INPUT;
    if (has_words(k)) TRY(set_words(&tried, k, text));
    TRY(room_for(s, b->text[k].n, text.n));
    if (k == POLICY_DOC_POLICY) {
        TRY(policy_doc_compile(text, slice_str(b->name), &doc, &why));
        tried.is_public = policy_doc_gives_everyone(doc);
        tried.policy = doc;
    }
    enum err e = tried.is_public && b->block[2] && k == POLICY_DOC_POLICY ? ERR_AUTH : ERR_OK;
    if (e == ERR_OK && !dry) e = copy_doc(text, &kept);
    if (e != ERR_OK || dry) {
        policy_doc_free(doc);
        return e;
    }
    s->doc_bytes = s->doc_bytes - b->text[k].n + text.n;
    buf_done(&b->text[k]);
    drop_policy(b, k);
    tried.text[k] = kept;
    tried.erased[k] = false;
    *b = tried;
    return ERR_OK;
}

/* What a bucket begins with (record.md, `doc` of a bkt leaf): its ownership's word, a blank, its block's digits or "-". dry: b is a copy. */
enum err policy_bucket_begins(struct policy_state *s, struct policy_bucket *b, struct slice text, bool dry) {
    struct slice word, rest = slice_cut(text, ' ', &word);
    TRY(set_doc(s, b, POLICY_DOC_OWNERSHIP, word, dry));
    return slice_is(rest, "-") ? ERR_OK : set_doc(s, b, POLICY_DOC_BLOCK, rest, dry);
}

enum err policy_apply_cfg(struct policy_state *s, uint64_t index, const struct record_leaf *leaf,
                          const struct record_opening *opening, bool dry) {
    struct slice name, text = slice_of(NULL, 0);
    bool on, name_erased, erased = false;
    enum policy_doc_kind k = policy_doc_of_act(policy_act_of(record_text(leaf, RECORD_F_ACT)), &on);
    if (k == POLICY_DOC__COUNT || record_int(leaf, RECORD_F_ON, 2) != (on ? 1 : 0)) return ERR_INPUT;
    TRY(policy_own_record(leaf, index));
    TRY(policy_opened(leaf, opening, RECORD_F_NAME, &name, &name_erased));
    struct policy_bucket *b = policy_bucket_row(s, leaf->f[RECORD_F_BKT].bytes);
    if (b == NULL) return ERR_MISSING;
    if (!name_erased && b->name[0] != 0 && !slice_is(name, b->name)) return ERR_INPUT;
    if (on) TRY(policy_opened(leaf, opening, RECORD_F_DOC, &text, &erased));
    else if (record_has(leaf, RECORD_F_DOC)) return ERR_INPUT;
    /* The name of a bucket whose leaf was erased is not known: its policy is about a bucket that cannot be checked against it. */
    if (k == POLICY_DOC_POLICY && b->name[0] == 0) erased = true;
    TRY(on && !erased ? set_doc(s, b, k, text, dry) : end_doc(s, b, k, on && erased, dry));
    if (!dry) s->founding = false;
    return ERR_OK;
}

/* users ---------------------------------------------------------------------------------------------------------------------- */

void policy_user_done(struct policy_user *u) {
    for (size_t i = 0; i < u->policy_count; i++) {
        buf_done(&u->policies[i].text);
        policy_doc_free(u->policies[i].doc);
    }
}

static struct policy_user *rows(const struct policy_state *s) { return (struct policy_user *)(void *)s->users.p; }
static size_t row_count(const struct policy_state *s) { return s->users.n / sizeof(struct policy_user); }

/* The first row that is not before account and name. */
static size_t place(const struct policy_state *s, struct slice account, struct slice name) {
    size_t low = 0, high = row_count(s);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = slice_cmp(slice_str(rows(s)[mid].account), account);
        if (c == 0) c = slice_cmp(slice_str(rows(s)[mid].name), name);
        if (c < 0) low = mid + 1;
        else high = mid;
    }
    return low;
}

static struct policy_user *user_row(const struct policy_state *s, struct slice account, struct slice name) {
    size_t at = place(s, account, name);
    if (at == row_count(s)) return NULL;
    struct policy_user *u = rows(s) + at;
    return slice_is(account, u->account) && slice_is(name, u->name) ? u : NULL;
}

const struct policy_user *policy_user(const struct policy_state *s, struct slice account, struct slice name) {
    ASSERT(s->magic == POLICY_STATE_MAGIC);
    return user_row(s, account, name);
}

const struct policy_user *policy_user_next(const struct policy_state *s, struct slice account, size_t *cursor) {
    if (*cursor == 0) *cursor = place(s, account, slice_of(NULL, 0)) + 1;
    if (*cursor > row_count(s)) return NULL;
    const struct policy_user *u = rows(s) + *cursor - 1;
    if (!slice_is(account, u->account)) return NULL;
    (*cursor)++;
    return u;
}

const struct policy_key *policy_key_next(const struct policy_state *s, struct slice account, struct slice user, size_t *cursor) {
    const struct policy_key *list = (const struct policy_key *)(const void *)s->keys.p;
    while (*cursor < s->keys.n / sizeof *list) {
        const struct policy_key *k = list + (*cursor)++;
        if (!k->gone && slice_is(account, k->account) && slice_is(user, k->user)) return k;
    }
    return NULL;
}

const struct policy_user_policy *policy_user_policy(const struct policy_user *u, struct slice name) {
    for (size_t i = 0; i < u->policy_count; i++) {
        if (slice_is(name, u->policies[i].name)) return &u->policies[i];
    }
    return NULL;
}

/* What iam leaves are about. */
struct call {
    struct slice account;
    struct record_sub sub;
    uint64_t index, t;
    bool dry;
};

/* "AIDA" and the leaf's index: a user made anew under the name is another one. */
static void user_id(uint64_t index, char out[POLICY_USER_ID_CHARS + 1]) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    memcpy(out, "AIDA", 4);
    out[POLICY_USER_ID_CHARS] = 0;
    for (size_t i = POLICY_USER_ID_CHARS; i > 4; i--) {
        out[i - 1] = digits[index % 32];
        index /= 32;
    }
}

static enum err user_add(struct policy_state *s, const struct call *c, struct slice path) {
    size_t at = place(s, c->account, c->sub.user), count = row_count(s);
    struct policy_user u = {.created_ms = c->t, .index = c->index};
    if (buf_room(&s->users, sizeof u) == NULL) {
        s->users.bad = false;
        return ERR_LIMIT;
    }
    policy_copy_text(u.account, c->account);
    policy_copy_text(u.name, c->sub.user);
    policy_copy_text(u.path, path);
    user_id(c->index, u.id);
    memmove(rows(s) + at + 1, rows(s) + at, (count - at) * sizeof u);
    rows(s)[at] = u;
    s->users.n += sizeof u;
    return ERR_OK;
}

/* "User names are not distinguished by case" in one account. */
static bool name_taken(const struct policy_state *s, struct slice account, struct slice name) {
    size_t cursor = 0;
    const struct policy_user *u;
    while ((u = policy_user_next(s, account, &cursor)) != NULL) {
        if (slice_ieq(slice_str(u->name), name)) return true;
    }
    return false;
}

static size_t keys_of(const struct policy_state *s, struct slice account, struct slice user) {
    size_t cursor = 0, n = 0;
    while (policy_key_next(s, account, user, &cursor) != NULL) n++;
    return n;
}

static bool is_root(struct slice user) { return slice_is(user, POLICY_USER_ROOT); }

/* A user that must be there. Where calls were erased it may be that its own was: it is then made, with what is known. */
static enum err user_there(struct policy_state *s, const struct call *c, struct policy_user **out) {
    *out = user_row(s, c->account, c->sub.user);
    if (*out != NULL) return ERR_OK;
    if (!s->iam_erased || c->dry) return s->iam_erased ? ERR_OK : ERR_MISSING;
    TRY(user_add(s, c, SLICE_LIT("/")));
    *out = user_row(s, c->account, c->sub.user);
    return ERR_OK;
}

static enum err create_user(struct policy_state *s, const struct call *c) {
    struct slice path = c->sub.more.n == 0 ? SLICE_LIT("/") : c->sub.more;
    if (!policy_user_ok(c->sub.user) || slice_ieq(c->sub.user, SLICE_LIT(POLICY_USER_ROOT))) return ERR_INPUT;
    if (c->sub.third.n > 0 || !policy_user_path_ok(path)) return ERR_INPUT;
    if (name_taken(s, c->account, c->sub.user)) return s->iam_erased ? ERR_OK : ERR_EXISTS;
    if (row_count(s) >= POLICY_USERS_MAX) return ERR_LIMIT;
    return c->dry ? ERR_OK : user_add(s, c, path);
}

static enum err delete_user(struct policy_state *s, const struct call *c) {
    struct policy_user *u = user_row(s, c->account, c->sub.user);
    if (u == NULL) return s->iam_erased ? ERR_OK : ERR_MISSING;
    bool bare = u->policy_count == 0 && keys_of(s, c->account, c->sub.user) == 0;
    if (!bare) return s->iam_erased ? ERR_OK : ERR_EXISTS;
    if (c->dry) return ERR_OK;
    size_t at = (size_t)(u - rows(s));
    policy_user_done(u);
    memmove(u, u + 1, (row_count(s) - at - 1) * sizeof *u);
    s->users.n -= sizeof *u;
    return ERR_OK;
}

static enum err create_key(struct policy_state *s, const struct call *c) {
    struct policy_user *u = NULL;
    if (!policy_access_key_ok(c->sub.third) || c->sub.more.n > 0) return ERR_INPUT;
    if (policy_key_row(s, c->sub.third) != NULL) return ERR_EXISTS;
    if (keys_of(s, c->account, c->sub.user) >= POLICY_USER_KEYS_MAX && !s->iam_erased) return ERR_LIMIT;
    if (!is_root(c->sub.user)) TRY(user_there(s, c, &u));
    struct policy_key row = {.on = true, .by_iam = true, .created_ms = c->t, .index = c->index};
    if (c->sub.user.n > POLICY_USER_CHARS_MAX) return ERR_INPUT;
    policy_copy_text(row.access_key, c->sub.third);
    policy_copy_text(row.account, c->account);
    policy_copy_text(row.user, c->sub.user);
    return policy_key_add(s, &row, c->dry);
}

static enum err change_key(struct policy_state *s, const struct call *c, bool gone) {
    struct policy_key *k = policy_key_row(s, c->sub.third);
    bool active = slice_is(c->sub.more, "Active");
    if (gone ? c->sub.more.n > 0 : !active && !slice_is(c->sub.more, "Inactive")) return ERR_INPUT;
    if (k == NULL || k->gone) return s->iam_erased ? ERR_OK : ERR_MISSING;
    if (!slice_is(c->account, k->account) || !slice_is(c->sub.user, k->user)) return ERR_MISSING;
    if (c->dry) return ERR_OK;
    k->on = active && !gone;
    k->gone = gone;
    k->index = c->index;
    return ERR_OK;
}

static bool policy_name_ok(struct slice name) {
    if (name.n == 0 || name.n > POLICY_NAME_CHARS_MAX) return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t ch = name.p[i];
        bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
        if (!letter && (ch == 0 || strchr("+=,.@_-", ch) == NULL)) return false;
    }
    return true;
}

static enum err put_policy(struct policy_state *s, const struct call *c, struct slice text, bool erased) {
    struct policy_user *u;
    const char *why;
    struct policy_user_policy fresh = {0};
    if (!policy_name_ok(c->sub.third) || c->sub.more.n > 0) return ERR_INPUT;
    TRY(user_there(s, c, &u));
    if (u == NULL) return ERR_OK;
    struct policy_user_policy *old = (struct policy_user_policy *)(uintptr_t)policy_user_policy(u, c->sub.third);
    size_t weight = policy_doc_weight(text);
    for (size_t i = 0; i < u->policy_count; i++) {
        if (&u->policies[i] != old) weight += policy_doc_weight(buf_slice(&u->policies[i].text));
    }
    if (weight > POLICY_USER_POLICY_BYTES_MAX || (old == NULL && u->policy_count == POLICY_USER_POLICIES_MAX)) return ERR_LIMIT;
    TRY(room_for(s, old == NULL ? 0 : old->text.n, text.n));
    if (!erased) TRY(policy_doc_compile(text, slice_of(NULL, 0), &fresh.doc, &why));
    enum err e = c->dry ? ERR_OK : copy_doc(text, &fresh.text);
    if (e != ERR_OK || c->dry) {
        policy_doc_free(fresh.doc);
        return e;
    }
    policy_copy_text(fresh.name, c->sub.third);
    s->doc_bytes = s->doc_bytes - (old == NULL ? 0 : old->text.n) + text.n;
    if (old == NULL) {
        old = &u->policies[u->policy_count++];
    } else {
        buf_done(&old->text);
        policy_doc_free(old->doc);
    }
    *old = fresh;
    return ERR_OK;
}

static enum err delete_policy(struct policy_state *s, const struct call *c) {
    struct policy_user *u = user_row(s, c->account, c->sub.user);
    const struct policy_user_policy *have = u == NULL ? NULL : policy_user_policy(u, c->sub.third);
    if (have == NULL) return s->iam_erased ? ERR_OK : ERR_MISSING;
    if (c->dry) return ERR_OK;
    size_t at = (size_t)(have - u->policies);
    s->doc_bytes -= have->text.n;
    buf_done(&u->policies[at].text);
    policy_doc_free(u->policies[at].doc);
    memmove(&u->policies[at], &u->policies[at + 1], (u->policy_count - at - 1) * sizeof u->policies[0]);
    u->policy_count--;
    return ERR_OK;
}

/* An erased call may have been about any user of the account: whoever it may have narrowed is narrowed. */
static void about_anyone(struct policy_state *s, struct slice account, enum policy_act act, bool on) {
    struct policy_key *list = (struct policy_key *)(void *)s->keys.p;
    bool key = act == POLICY_ACT_DeleteAccessKey || (act == POLICY_ACT_UpdateAccessKey && !on);
    bool policy = act == POLICY_ACT_PutUserPolicy || act == POLICY_ACT_DeleteUserPolicy;
    s->iam_erased = true;
    for (size_t i = 0; key && i < s->keys.n / sizeof *list; i++) {
        if (list[i].by_iam && slice_is(account, list[i].account)) list[i].on = false;
    }
    for (size_t i = 0; policy && i < row_count(s); i++) {
        if (slice_is(account, rows(s)[i].account)) rows(s)[i].unknown = true;
    }
}

static enum err call(struct policy_state *s, const struct call *c, enum policy_act act, struct slice text, bool doc_erased) {
    switch (act) {
    case POLICY_ACT_CreateUser: return create_user(s, c);
    case POLICY_ACT_DeleteUser: return delete_user(s, c);
    case POLICY_ACT_CreateAccessKey: return create_key(s, c);
    case POLICY_ACT_UpdateAccessKey: return change_key(s, c, false);
    case POLICY_ACT_DeleteAccessKey: return change_key(s, c, true);
    case POLICY_ACT_PutUserPolicy: return put_policy(s, c, text, doc_erased);
    case POLICY_ACT_DeleteUserPolicy: return delete_policy(s, c);
    default: return ERR_INPUT;
    }
}

static bool turns_on(enum policy_act act, bool on) {
    if (act == POLICY_ACT_UpdateAccessKey) return on;
    return act != POLICY_ACT_DeleteUser && act != POLICY_ACT_DeleteAccessKey && act != POLICY_ACT_DeleteUserPolicy;
}

/* Users are their account's: nobody else's key makes or changes them. */
static enum err check_caller(const struct policy_state *s, const struct record_leaf *leaf, const struct record_opening *opening,
                             struct slice account) {
    struct slice text;
    struct policy_who who;
    bool erased;
    TRY(policy_opened(leaf, opening, RECORD_F_WHO, &text, &erased));
    if (erased) return ERR_OK;
    if (policy_who_parse(POLICY_AUTH_HDR, text, &who) != ERR_OK || !slice_eq(who.account, account)) return ERR_AUTH;
    const struct policy_key *k = policy_key(s, who.access_key);
    if (k == NULL) return s->iam_erased ? ERR_OK : ERR_AUTH;
    return k->on && slice_eq(account, slice_str(k->account)) && slice_is(who.user, k->user) ? ERR_OK : ERR_AUTH;
}

enum err policy_apply_iam(struct policy_state *s, uint64_t index, const struct record_leaf *leaf,
                          const struct record_opening *opening, bool dry) {
    struct call c = {.account = record_text(leaf, RECORD_F_ACCOUNT), .index = index, .t = record_int(leaf, RECORD_F_T, 0), .dry = dry};
    struct slice sub, text = slice_of(NULL, 0);
    bool erased, doc_erased = false;
    enum policy_act act = policy_act_of(record_text(leaf, RECORD_F_ACT));
    uint64_t on = record_int(leaf, RECORD_F_ON, 2);
    if (on > 1 || !policy_account_ok(c.account) || turns_on(act, on == 1) != (on == 1)) return ERR_INPUT;
    TRY(policy_own_record(leaf, index));
    TRY(check_caller(s, leaf, opening, c.account));
    TRY(policy_opened(leaf, opening, RECORD_F_SUB, &sub, &erased));
    if (act == POLICY_ACT_PutUserPolicy) TRY(policy_opened(leaf, opening, RECORD_F_DOC, &text, &doc_erased));
    else if (record_has(leaf, RECORD_F_DOC)) return ERR_INPUT;
    if (erased) {
        if (!dry) about_anyone(s, c.account, act, on == 1);
        return ERR_OK;
    }
    TRY(record_sub_get(sub, &c.sub));
    if (act == POLICY_ACT_UpdateAccessKey && slice_is(c.sub.more, "Active") != (on == 1)) return ERR_INPUT;
    TRY(call(s, &c, act, text, doc_erased));
    if (!dry) s->founding = false;
    return ERR_OK;
}
