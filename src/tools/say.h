/* SPDX-License-Identifier: Apache-2.0
 * What the commands for people, approvers and access share: one statement, from what was typed to what came of it. Files: say.c (what was typed),
 * say_value.c (values as people write them), say_sign.c (signature, sending), say_words.c (in words, before it is signed), say_answer.c (what came of it),
 * access.c (looking, watching), who_can.c, person_list.c.
 * Spec: docs/spec/statement.md, docs/spec/access.md
 */
#ifndef TILLIT_TOOLS_SAY_H
#define TILLIT_TOOLS_SAY_H

#include <stdio.h>

#include "tools/tools.h"

#define SAY_TERMS_MAX 64
#define SAY_SCOPE_MAX 16
#define SAY_COMMAND_CHARS_MAX 40

enum say_type { SAY_WORD, SAY_BUCKET, SAY_PREFIX, SAY_INT, SAY_TIME, SAY_ID, SAY_HASH, SAY_KEY, SAY_COUNTRY, SAY_TEXT };

struct say {
    enum record_statement_kind kind;
    char command[SAY_COMMAND_CHARS_MAX];           /* "access approve": begins messages */
    const char *endpoint, *dir, *tenant, *key, *subject, *statement, *signature, *proposal;
    bool json, yes, print;
    const char *scope[SAY_SCOPE_MAX];
    size_t scope_count;
    struct say_term {
        enum record_term term;
        char value[RECORD_TEXT_BYTES_MAX + 1];     /* as it stands in the statement */
    } term[SAY_TERMS_MAX];
    size_t term_count;
    char made_subject[RECORD_TEXT_BYTES_MAX + 1];  /* what `subject` points to when it was made or encoded here */
    struct store_client client;
};

/* say_value.c ------------------------------------------------------------------------------------------------------------------ */

bool say_term_of(struct slice name, enum record_term *out);
enum say_type say_term_type(enum record_term t);
bool say_term_many(enum record_term t);
/* Appends what a statement says for a value as a person writes it: 1h30min, 10MiB, 2026-11-24, now, +2h; keys are not its matter. NULL: done; else
 * what is wrong with it and what to write instead. */
const char *say_value(enum record_term t, struct slice typed, uint64_t now_ms, struct buf *out);
/* The other way: a statement's value in words. */
void say_value_words(enum record_term t, struct slice value, struct buf *out);
void say_bytes_words(uint64_t bytes, struct buf *out);
void say_duration_words(uint64_t ms, struct buf *out);
/* `bucket/prefix` as a person writes it: the prefix percent-encoded. */
void say_place(struct slice typed, struct buf *out);

/* say.c ------------------------------------------------------------------------------------------------------------------------ */

/* Reads options and terms behind the command's words. Gives an exit code, or -1: go on. */
int say_read(struct say *s, int argc, char **argv);
struct slice say_term(const struct say *s, enum record_term t);      /* the first value; p NULL: none */
int say_term_add(struct say *s, enum record_term t, struct slice value);
/* Writes the statement; prints what is missing or too much, by name. Gives an exit code. */
int say_write(struct say *s, struct buf *text);
/* For kinds that are said on the way to another one: the same store, tenant, key. */
void say_like(const struct say *from, enum record_statement_kind kind, struct say *out);
int say_open(struct say *s);                         /* the store to speak to, and the tenant when the kind wants one */

/* say_sign.c ------------------------------------------------------------------------------------------------------------------- */

int say_key_fingerprint(const char *command, const char *path, struct buf *out);   /* of a public key file */
int say_sign(const struct say *s, struct slice text, struct buf *signature);
int say_send(const struct say *s, struct slice text, struct slice signature, long *status, struct buf *answer);
/* Write, sign, send; *answer NULL when it was refused, which was printed then. */
int say_now(struct say *s, json_t **answer, struct buf *text);
void say_digest(struct slice text, struct buf *out);  /* base64url of SHA-256: how approvals name a request */

/* say_words.c ------------------------------------------------------------------------------------------------------------------ */

struct say_kind {
    unsigned required, allowed;                    /* RECORD_S_* */
    uint64_t terms, more;                          /* 1 << RECORD_TERM_*: required, allowed beside them */
};
const struct say_kind *say_kind(enum record_statement_kind k);
const char *say_meaning(enum record_statement_kind k);
void say_usage(FILE *f, enum record_statement_kind k, const char *command);
void say_describe(FILE *f, const struct say *s);
bool say_agreed(const struct say *s, const char *question);          /* asks on a terminal; true without one, and with --yes */

/* say_answer.c, access.c, who_can.c -------------------------------------------------------------------------------------------- */

void say_answer(const struct say *s, long status, json_t *answer, struct slice text);
void say_terms_words(FILE *f, const struct record_statement *st);
void access_grant_words(FILE *f, const json_t *grant);
void access_list_line(FILE *f, const json_t *grant);
void access_event_words(FILE *f, const json_t *event);
int access_special(struct say *s);                   /* kinds that look first, or print nothing but their answer; -1: nothing special */
int access_local(const char *word, const char *verb, int argc, char **argv);     /* show, list, watch; -1: not one of these */

#endif
