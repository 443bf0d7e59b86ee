/* SPDX-License-Identifier: Apache-2.0
 * What a statement means, in words: in the help, and before it is signed.
 * Role: shows what the statement holds, as it will be signed. Trusts: nothing of the store.
 * Law: 7. Spec: docs/spec/statement.md, docs/spec/access.md
 */
#include "tools/say.h"

#include <stdio.h>
#include <unistd.h>

static const struct say_kind kinds[RECORD_STATEMENT_COUNT] = {
#define S(PART) RECORD_S_##PART
#define T(TERM) (1ull << RECORD_TERM_##TERM)
#define STATEMENT(NAME, text, required, allowed, terms, more_terms) [RECORD_STATEMENT_##NAME] = {required, allowed, terms, more_terms},
#include "record/statement.def"
#undef S
#undef T
};

static const char *const meanings[RECORD_STATEMENT_COUNT] = {
    [RECORD_STATEMENT_GENESIS_PROVIDER] = "who the provider's officers are, at the very beginning",
    [RECORD_STATEMENT_GENESIS_TENANT] = "who owns this tenant, at its very beginning",
    [RECORD_STATEMENT_TENANT_CREATE] = "a new tenant, and whose it is",
    [RECORD_STATEMENT_KEY_ADD] = "the root user of this account gets an access key",
    [RECORD_STATEMENT_KEY_OFF] = "this access key is off from now on",
    [RECORD_STATEMENT_READER_ADD] = "whoever has the capability may read this log",
    [RECORD_STATEMENT_READER_OFF] = "this capability reads no more",
    [RECORD_STATEMENT_PERSON_SET] = "an account of the provider's people: who it is, with which keys and roles, and when training, screening and review were",
    [RECORD_STATEMENT_PERSON_OFF] = "this account of the provider's people is off: its keys say nothing any more, its grants release nothing",
    [RECORD_STATEMENT_PURPOSE_SET] = "what staff may ask access for, which roles may, and which verbs and categories that allows",
    [RECORD_STATEMENT_APPROVER_SET] = "an approver of this tenant, and the keys they sign with",
    [RECORD_STATEMENT_APPROVER_OFF] = "this approver is none any more; approvals by them do not count from now on",
    [RECORD_STATEMENT_QUORUM_SET] = "how many approvers must agree to a change of approvers, rules and recovery",
    [RECORD_STATEMENT_RULE_SET] = "how many approvers, and which, access there needs; which countries and employers never get it",
    [RECORD_STATEMENT_RULE_OFF] = "this rule is gone; the next wider one counts",
    [RECORD_STATEMENT_CATEGORY_SET] = "what kinds of data lie in this bucket",
    [RECORD_STATEMENT_PURPOSE_LIMIT] = "what this tenant allows of the provider's purpose: these verbs and categories, no others; without any it is off",
    [RECORD_STATEMENT_ORIGIN_SET] = "the web page on which this tenant's approvers sign with passkeys",
    [RECORD_STATEMENT_RECOVERY_SET] = "recovery keys: when all approvers are lost, this many of them may name a new one, after 7 days",
    [RECORD_STATEMENT_RECOVERY_START] = "RECOVERY: after 7 days this one becomes the only approver of the tenant, unless an approver cancels it",
    [RECORD_STATEMENT_RECOVERY_CANCEL] = "the recovery that runs is cancelled",
    [RECORD_STATEMENT_RECOVERY_FINISH] = "the 7 days are over: the new approver becomes the only one",
    [RECORD_STATEMENT_AGREE] = "agreement to a proposal, which is named by the digest of its text",
    [RECORD_STATEMENT_NOTICE_SET] = "where notices of requests and access are sent",
    [RECORD_STATEMENT_NOTICE_OFF] = "no notices are sent there any more",
    [RECORD_STATEMENT_ACCESS_REQUEST] = "a request for access to a customer's data",
    [RECORD_STATEMENT_ACCESS_APPROVE] = "the approval of exactly this request, and at most of what it asked for",
    [RECORD_STATEMENT_ACCESS_REJECT] = "the request is rejected, for good",
    [RECORD_STATEMENT_ACCESS_ASK] = "a question about the request: it waits for the answer",
    [RECORD_STATEMENT_ACCESS_REPLY] = "the answer to a question about the request",
    [RECORD_STATEMENT_ACCESS_REVOKE] = "the access ends at once, downloads included",
    [RECORD_STATEMENT_ACCESS_COMPLETE] = "the access is not needed any more and ends at once",
    [RECORD_STATEMENT_ACCESS_LOGIN] = "temporary credentials under the grant, for where the person is now",
    [RECORD_STATEMENT_ACCESS_LOOK] = "a look at requests and grants",
};

const char *say_meaning(enum record_statement_kind k) { return meanings[k]; }
const struct say_kind *say_kind(enum record_statement_kind k) { return &kinds[k]; }

static const char *example(enum record_term t)
{
    if (t == RECORD_TERM_DURATION || t == RECORD_TERM_LAPSE) return "1h30min";
    if (t == RECORD_TERM_BYTES) return "10MiB";
    switch (say_term_type(t)) {
    case SAY_WORD: return "WORD";
    case SAY_BUCKET: return "BUCKET";
    case SAY_PREFIX: return "PREFIX";
    case SAY_INT: return "NUMBER";
    case SAY_TIME: return "2026-11-24";
    case SAY_ID: return "ID";
    case SAY_HASH: return "DIGEST";
    case SAY_KEY: return "FILE.pub";
    case SAY_COUNTRY: return "SE";
    case SAY_TEXT: break;
    }
    return "\"TEXT\"";
}

static void usage_terms(FILE *f, const char *head, uint64_t set)
{
    if (set == 0) return;
    fprintf(f, "%s", head);
    for (unsigned t = 0; t < RECORD_TERM_COUNT; t++)
        if (set >> t & 1) fprintf(f, " %s=%s%s", record_term_name((enum record_term)t), example((enum record_term)t), say_term_many((enum record_term)t) ? "..." : "");
    fputc('\n', f);
}

void say_usage(FILE *f, enum record_statement_kind k, const char *command)
{
    const char *subject = kinds[k].allowed & RECORD_S_SUBJECT ? (strncmp(record_statement_kind_text(k), "access.", 7) == 0 ? " --grant ID" : " SUBJECT") : "";
    fprintf(f, "usage: tillit %s%s name=value ... --key FILE (--dir DIR | --endpoint URL)%s [--yes] [--json] [--print]\n", command, subject,
            kinds[k].allowed & RECORD_S_TENANT ? " [--tenant ID]" : "");
    fprintf(f, "       tillit %s --statement FILE --signature FILE (--dir DIR | --endpoint URL) [--json]\n\n", command);
    if (k == RECORD_STATEMENT_AGREE) fprintf(f, "       tillit %s --proposal FILE ...   (the proposal's text, shown in words; its digest is signed)\n", command);
    fprintf(f, "%s: %s.\n", record_statement_kind_text(k), meanings[k]);
    usage_terms(f, "  must have:", kinds[k].terms);
    usage_terms(f, "  may have: ", kinds[k].more);
    fputs("\n`...`: any number, verb=list,head or verb=list verb=head. --name value is the same as name=value, --key aside: that is the key\n"
          "you sign with (a private key, or a public one whose private half an agent or a security key holds; ssh-keygen signs).\n"
          "--print writes the statement and sends nothing: `ssh-keygen -Y sign -n " RECORD_STATEMENT_NAMESPACE "` signs it, --statement and --signature send it.\n"
          "TILLIT_ENDPOINT, TILLIT_TENANT and TILLIT_KEY stand in for --endpoint, --tenant and --key.\n", f);
}

static void line(FILE *f, const char *name, struct slice value)
{
    fprintf(f, "  %-14s %.*s\n", name, (int)value.n, value.n > 0 ? (const char *)value.p : "");
}

void say_describe(FILE *f, const struct say *s)
{
    fprintf(f, "%s: %s\n", record_statement_kind_text(s->kind), meanings[s->kind]);
    if (s->tenant && kinds[s->kind].allowed & RECORD_S_TENANT) line(f, "tenant", slice_str(s->tenant));
    if (s->subject) line(f, strncmp(s->command, "access", 6) == 0 ? "grant" : "about", slice_str(s->subject));
    for (size_t i = 0; i < s->scope_count; i++) line(f, "scope", slice_str(s->scope[i]));
    for (unsigned t = 0; t < RECORD_TERM_COUNT; t++)
        for (size_t i = 0; i < s->term_count; i++) {
            AUTO(buf) struct buf words = BUF_INIT(4096);
            if (s->term[i].term != t) continue;
            say_value_words((enum record_term)t, slice_str(s->term[i].value), &words);
            line(f, record_term_name((enum record_term)t), buf_slice(&words));
        }
    if (s->key) line(f, "signed with", slice_str(s->key));
}

bool say_agreed(const struct say *s, const char *question)
{
    char answer[16] = "";
    if (s->yes || !isatty(STDIN_FILENO)) return true;
    fprintf(stderr, "%s [y/N] ", question);
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}
