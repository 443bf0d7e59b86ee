/* SPDX-License-Identifier: Apache-2.0
 * Terms of statements: each type at its bounds, one spelling of a list, what a person may be shown.
 * Role: unit test. Spec: docs/spec/statement.md section 2.
 */
#include "record/record_test.h"

#define HEAD "{\"kind\":\""
#define MIDDLE "\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"subject\":\"x\",\"t\":1,\"tenant\":\"aaaqeayeaudaocajbifqydiob4\",\"terms\":["
#define TAIL "],\"v\":1}"
#define FINGERPRINT "SHA256:1IY4tRu7lq62KKR/nQvSkgLvZ07RxlDpo278zX07Oh8"
#define HASH43 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define ES256_65 "BAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-P0A"

static enum err parse_terms(const char *kind, struct slice list)
{
    struct record_statement s;
    AUTO(buf) struct buf b = BUF_INIT(4 * STATEMENT_BYTES_MAX);
    buf_put_str(&b, HEAD);
    buf_put_str(&b, kind);
    buf_put_str(&b, MIDDLE);
    buf_put_slice(&b, list);
    buf_put_str(&b, TAIL);
    assert_true(buf_ok(&b));
    /* Exactly as long as it is: reading past it is seen by the sanitizer. */
    uint8_t *exact = (uint8_t *)malloc(b.n);
    memcpy(exact, b.p, b.n);
    enum err e = record_statement_parse(slice_of(exact, b.n), &s);
    if (e == ERR_OK) assert_true(s.have & RECORD_S_TERMS);
    free(exact);
    return e;
}

/* One term in a kind that takes it beside others that are always there. */
static enum err one(const char *kind, const char *before, const char *name, struct slice value, const char *after)
{
    AUTO(buf) struct buf b = BUF_INIT(4 * STATEMENT_BYTES_MAX);
    buf_put_str(&b, before);
    buf_put_u8(&b, '"');
    buf_put_str(&b, name);
    buf_put_u8(&b, '=');
    buf_put_slice(&b, value);
    buf_put_u8(&b, '"');
    buf_put_str(&b, after);
    assert_true(buf_ok(&b));
    return parse_terms(kind, buf_slice(&b));
}

static struct slice times(struct buf *b, const char *what, size_t n)
{
    buf_reset(b);
    while (n-- > 0) buf_put_str(b, what);
    return buf_slice(b);
}

#define OK(kind, before, name, value, after) assert_err(one(kind, before, name, value, after), ERR_OK, name)
#define NO(kind, before, name, value, after) assert_err(one(kind, before, name, value, after), ERR_INPUT, name)

static void words_numbers_and_names_hold_at_their_bounds(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(8192);
    const char *set = "category.set", *look = "access.look";
    static const char *const words[] = {"a", "z", "0", "9", "a.b_c-d", "-", "."};
    static const char *const no_words[] = {"", "A", "a b", "a/b", "a=b", "\xc3\xa9", "a:", "a\x7f"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) OK(set, "", "category", slice_str(words[i]), "");
    for (size_t i = 0; i < ARRAY_LEN(no_words); i++) NO(set, "", "category", slice_str(no_words[i]), "");
    OK(set, "", "category", times(&b, "a", 64), "");
    NO(set, "", "category", times(&b, "a", 65), "");
    static const char *const ints[] = {"0", "1", "10", "9007199254740991"};
    static const char *const no_ints[] = {"", "00", "01", "9007199254740992", "18446744073709551616", "-1", "+1", "1.0", "1e3", " 1", "0x1"};
    for (size_t i = 0; i < ARRAY_LEN(ints); i++) OK(look, "", "after", slice_str(ints[i]), "");
    for (size_t i = 0; i < ARRAY_LEN(no_ints); i++) NO(look, "", "after", slice_str(no_ints[i]), "");
    static const char *const no_countries[] = {"", "A", "ATT", "at", "A1", "A\xc3"};
    OK("access.login", "", "country", SLICE_LIT("AT"), "");
    for (size_t i = 0; i < ARRAY_LEN(no_countries); i++) NO("access.login", "", "country", slice_str(no_countries[i]), "");
    OK("access.reject", "", "request", SLICE_LIT(HASH43), "");
    NO("access.reject", "", "request", SLICE_LIT(HASH43 "A"), "");
    NO("access.reject", "", "request", slice_of(HASH43, 42), "");
    NO("access.reject", "", "request", SLICE_LIT("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9"), "");     /* bits behind the last byte */
}


static void keys_ids_buckets_and_prefixes_hold_at_their_bounds(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(8192), key = BUF_INIT(2048);
    const char *kind = "recovery.start", *name = ",\"name=x\"";
    OK(kind, "", "key", SLICE_LIT(FINGERPRINT), name);
    OK(kind, "", "key", SLICE_LIT("passkey:ES256:AA:" ES256_65), name);
    OK(kind, "", "key", SLICE_LIT("passkey:EdDSA:AA:" HASH43), name);
    static const char *const no_keys[] = {
        "", "SHA256:", "SHA256:1IY4tRu7lq62KKR/nQvSkgLvZ07RxlDpo278zX07Oh8=", "SHA256:1IY4tRu7lq62KKR/nQvSkgLvZ07RxlDpo278zX07Oh", "MD5:00:11",
        "sha256:1IY4tRu7lq62KKR/nQvSkgLvZ07RxlDpo278zX07Oh8", "SHA256:1IY4tRu7lq62KKR_nQvSkgLvZ07RxlDpo278zX07Oh8", "SHA256:1IY4tRu7lq62KKR/nQvSkgLvZ07RxlDpo278zX07Oh9",
        "passkey:", "passkey:ES256:AA", "passkey:ES256::" ES256_65, "passkey:ES256:AA:" HASH43, "passkey:EdDSA:AA:" ES256_65, "passkey:RS256:AA:" HASH43,
        "passkey:es256:AA:" ES256_65, "passkey:ES256:AB:" ES256_65, "passkey:ES256:A:" ES256_65, "passkey:ES256:AA:" ES256_65 "A", "passkey:ES256:AA:" ES256_65 ":",
        "passkey:ES256:A=:" ES256_65, "passkey:EdDSA:AA:" HASH43 "=", "passkeyx:EdDSA:AA:" HASH43,
        "passkey:ES256:AA:AgECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-P0A",
    };
    for (size_t i = 0; i < ARRAY_LEN(no_keys); i++) NO(kind, "", "key", slice_str(no_keys[i]), name);
    for (size_t past = 0; past <= 1; past++) {
        static const uint8_t id[WEBAUTHN_CREDENTIAL_BYTES_MAX + 1];
        buf_reset(&b);
        buf_put_str(&b, "passkey:ES256:");
        buf_put_base64url(&b, slice_of(id, WEBAUTHN_CREDENTIAL_BYTES_MAX + past));
        buf_put_str(&b, ":" ES256_65);
        assert_err(one(kind, "", "key", buf_slice(&b), name), past ? ERR_INPUT : ERR_OK, "credential");
    }
    const char *request = "\"bytes=1\",\"category=c\",\"country=AT\",\"duration=1\",", *before = "\"bucket=b-1\",\"bytes=1\",\"category=c\",\"country=AT\",\"duration=1\",";
    const char *rest = "\"objects=1\",\"purpose=p\",\"ticket=T\",\"verb=read\"", *after = ",\"objects=1\",\"purpose=p\",\"ticket=T\",\"verb=read\"";
    AUTO(buf) struct buf tail = BUF_INIT(1024);
    buf_printf(&tail, ",%s%s", request, rest);
    buf_put_u8(&tail, 0);
    const char *behind = (const char *)tail.p;
    static const char *const buckets[] = {"abc", "a.b", "1-2", "bucket.name-1"}, *const no_buckets[] = {"", "ab", "Abc", "a_b", "-ab", "ab-", ".ab", "ab.", "a/b", "a b"};
    for (size_t i = 0; i < ARRAY_LEN(buckets); i++) OK("access.request", "", "bucket", slice_str(buckets[i]), behind);
    for (size_t i = 0; i < ARRAY_LEN(no_buckets); i++) NO("access.request", "", "bucket", slice_str(no_buckets[i]), behind);
    OK("access.request", "", "bucket", times(&b, "a", 63), behind);
    NO("access.request", "", "bucket", times(&b, "a", 64), behind);
    OK("access.request", before, "extends", SLICE_LIT("aaaqeayeaudaocajbifqydiob4"), after);
    static const char *const no_ids[] = {"", "aaaqeayeaudaocajbifqydiob", "aaaqeayeaudaocajbifqydiob4a", "AAAQEAYEAUDAOCAJBIFQYDIOB4", "aaaqeayeaudaocajbifqydiob5", "0aaqeayeaudaocajbifqydiob4"};
    for (size_t i = 0; i < ARRAY_LEN(no_ids); i++) NO("access.request", before, "extends", slice_str(no_ids[i]), after);
    const char *approve = ",\"request=" HASH43 "\"";
    static const char *const prefixes[] = {"", "a", "a/b/", "%20", "%2B", "A~_.-9", "%C3%A9", "%F0%9F%98%80", "%25"};
    static const char *const no_prefixes[] = {"%", "%2", "%2b", "%zz", "%41", "%2F", "%7E", "%00", "a b", "a+b", "a*b", "%C3", "%ED%A0%80", "%C0%80", "\xc3\xa9", "%E2%80"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) OK("access.approve", "", "prefix", slice_str(prefixes[i]), approve);
    for (size_t i = 0; i < ARRAY_LEN(no_prefixes); i++) NO("access.approve", "", "prefix", slice_str(no_prefixes[i]), approve);
    OK("access.approve", "", "prefix", times(&b, "a", RECORD_TEXT_BYTES_MAX - 7), approve);
    assert_err(one("access.approve", "", "prefix", times(&b, "a", RECORD_TEXT_BYTES_MAX - 6), approve), ERR_LIMIT, "prefix");
    assert_err(record_prefix_decode(SLICE_LIT("a%20%C3%A9"), &key), ERR_OK, "decode");
    assert_same(buf_slice(&key), SLICE_LIT("a \xc3\xa9"));
    buf_reset(&key);
    assert_err(record_prefix_decode(times(&b, "%20", S3_KEY_BYTES_MAX), &key), ERR_OK, "as long as a key");
    buf_reset(&key);
    assert_err(record_prefix_decode(times(&b, "%20", S3_KEY_BYTES_MAX + 1), &key), ERR_LIMIT, "longer");
}

static void texts_hold_nothing_that_a_person_would_not_see(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(8192);
    static const char *const good[] = {
        "x", " ", "Straße 1, 1010 Wien", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "\xd0\x9f\xd1\x80\xd0\xb8", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x98\x80", "a=b,c;{}[]:'<>&",
        "\xc2\xa0", "\xed\x9f\xbf" /* U+D7FF */, "\xef\xbf\xbd" /* U+FFFD */,
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) OK("rule.off", "", "text", slice_str(good[i]), "");
    static const char *const bad[] = {
        "", "\"", "\\", "\\\"", "\x01", "\t", "\n", "\r", "\x1f", "\x7f", "\xc2\x80", "\xc2\x85", "\xc2\x9f", "\xc2\xad",
        "a\xe2\x80\xae" "b", "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad", "\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9", "\xe2\x80\x8e", "\xe2\x80\x8f",
        "\xd8\x9c" /* bidi, all of it */, "\xe2\x80\x8b", "\xe2\x80\x8c", "\xe2\x80\x8d", "\xe2\x81\xa0", "\xef\xbb\xbf", "\xcd\x8f", "\xe1\xa0\x8e" /* no width */,
        "\xe2\x80\xa8", "\xe2\x80\xa9", "\xef\xb8\x8f", "\xf3\xa0\x84\x80", "\xf3\xa0\x80\xa1" /* tags */, "\xe3\x85\xa4", "\xef\xbe\xa0", "\xe1\x85\x9f", "\xe2\xa0\x80" /* blank letters */,
        "\xee\x80\x80", "\xef\xa3\xbf", "\xf3\xb0\x80\x80", "\xf4\x8f\xbf\xbf" /* private */, "\xef\xb7\x90", "\xef\xbf\xbe", "\xef\xbf\xbf", "\xf0\x9f\xbf\xbe", "\xf1\x80\x80\x80" /* nothing */,
        "\xc0\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xe0\x9f\xbf", "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf" /* overlong */, "\xed\xa0\x80", "\xed\xbf\xbf", "\xed\xa0\xbd\xed\xb8\x80" /* surrogates */,
        "\x80", "\xbf", "\xff", "\xfe", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3(" /* no UTF-8 */,
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (one("rule.off", "", "text", slice_str(bad[i]), "") == ERR_OK) fail_msg("case %zu", i);
        if (record_text_ok(slice_str(bad[i]))) fail_msg("case %zu, alone", i);
    }
    assert_false(record_text_ok(SLICE_LIT("a\0b")));
    OK("rule.off", "", "text", times(&b, "x", 512), "");
    NO("rule.off", "", "text", times(&b, "x", 513), "");
    OK("rule.off", "", "text", times(&b, "\xc3\xa9", 256), "");
    buf_put_u8(&b, 'x');
    NO("rule.off", "", "text", buf_slice(&b), "");
    /* Bytes from 0x80 on: in texts alone, nowhere else in a statement. */
    struct record_statement s;
    static const char *const elsewhere[] = {
        "{\"kind\":\"rule.off\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"subject\":\"\xc3\xa9\",\"t\":1,\"tenant\":\"aaaqeayeaudaocajbifqydiob4\",\"terms\":[],\"v\":1}",
        "{\"kind\":\"genesis.provider\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"scope\":[\"\xc3\xa9\"],\"t\":1,\"v\":1}",
    };
    for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++)
        if (record_statement_parse(slice_str(elsewhere[i]), &s) == ERR_OK) fail_msg("%s", elsewhere[i]);
}

static void a_list_has_one_spelling(void **state)
{
    (void)state;
    static const struct { const char *kind, *list; enum err want; } cases[] = {
        {"rule.off", "", ERR_OK},                                                     /* nothing is required */
        {"category.set", "", ERR_INPUT},                                              /* something is */
        {"category.set", "\"category=a\",\"category=b\"", ERR_OK},
        {"category.set", "\"category=b\",\"category=a\"", ERR_INPUT},
        {"category.set", "\"category=a\",\"category=a\"", ERR_INPUT},
        {"category.set", "\"category=a\",\"category=a.b\"", ERR_OK},
        {"category.set", "\"category=a\",\"text=x\"", ERR_INPUT},                     /* not of this kind */
        {"category.set", "\"category=a\",\"colour=x\"", ERR_INPUT},                   /* not known */
        {"category.set", "\"Category=a\"", ERR_INPUT},
        {"category.set", "\"category\"", ERR_INPUT},
        {"category.set", "\"=a\"", ERR_INPUT},
        {"category.set", "\"\"", ERR_INPUT},
        {"category.set", "\"category =a\"", ERR_INPUT},
        {"category.set", "\"category= a\"", ERR_INPUT},
        {"category.set", "\"category==a\"", ERR_INPUT},
        {"category.set", "\"category=a\", \"category=b\"", ERR_INPUT},
        {"category.set", "\"category=a\",", ERR_INPUT},
        {"category.set", ",\"category=a\"", ERR_INPUT},
        {"category.set", "\"category=a\"\"category=b\"", ERR_INPUT},
        {"category.set", "1", ERR_INPUT},
        {"category.set", "[\"category=a\"]", ERR_INPUT},
        {"category.set", "{\"category\":\"a\"}", ERR_INPUT},
        {"rule.off", "\"text=a\",\"text=b\"", ERR_INPUT},                             /* once at most */
        {"rule.set", "\"deny-country=AT\",\"deny-country=DE\",\"deny-employer=X=Y\",\"lapse=1\",\"need=1\"", ERR_OK},
        {"rule.set", "\"need=1\",\"need=2\"", ERR_INPUT},
        {"rule.set", "\"need=1\",\"lapse=1\"", ERR_INPUT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum err e = parse_terms(cases[i].kind, slice_str(cases[i].list));
        if ((cases[i].want == ERR_OK) != (e == ERR_OK)) fail_msg("%s %s: %s", cases[i].kind, cases[i].list, err_name(e));
    }
}

static void only_kinds_with_terms_have_the_part_and_they_always_do(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(STATEMENT_BYTES_MAX);
    struct record_statement s;
    for (unsigned k = 0; k < RECORD_STATEMENT_COUNT; k++) {
        enum record_statement_kind kind = (enum record_statement_kind)k, found;
        assert_true(record_statement_kind_of(slice_str(record_statement_kind_text(kind)), &found) && found == kind);
        assert_int_equal(record_kind_has_terms(kind), k >= RECORD_STATEMENT_PERSON_SET);
        /* Every part that some kind takes, with and without terms: of all these the kinds that want none of the rest must refuse. */
        for (unsigned parts = 0; parts < 8; parts++) {
            for (unsigned terms = 0; terms < 2; terms++) {
                buf_reset(&b);
                buf_printf(&b, "{\"kind\":\"%s\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",", record_statement_kind_text(kind));
                if (parts & 1) buf_put_str(&b, "\"scope\":[],");
                if (parts & 2) buf_put_str(&b, "\"subject\":\"x\",");
                buf_put_str(&b, "\"t\":1,");
                if (parts & 4) buf_put_str(&b, "\"tenant\":\"aaaqeayeaudaocajbifqydiob4\",");
                if (terms) buf_put_str(&b, "\"terms\":[],");
                buf_put_str(&b, "\"v\":1}");
                bool ok = record_statement_parse(buf_slice(&b), &s) == ERR_OK;
                if (ok && terms != record_kind_has_terms(kind)) fail_msg("%s: part of terms %u", record_statement_kind_text(kind), terms);
            }
        }
    }
    enum record_statement_kind none;
    assert_false(record_statement_kind_of(SLICE_LIT("access.requests"), &none));
    assert_false(record_statement_kind_of(SLICE_LIT(""), &none));
}

/* What compare() in term.c and its reader rely on. */
static void names_are_sorted_and_none_begins_another(void **state)
{
    (void)state;
    for (unsigned t = 1; t < RECORD_TERM_COUNT; t++) {
        const char *before = record_term_name((enum record_term)(t - 1)), *name = record_term_name((enum record_term)t);
        assert_true(strcmp(before, name) < 0);
        assert_false(slice_starts(slice_str(name), slice_str(before)));
    }
}

#define REQUEST                                                                                                       \
    "{\"kind\":\"access.request\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"subject\":\"aaaqeayeaudaocajbifqydiob4\",\"t\":1764000000000,"     \
    "\"tenant\":\"aaaqeayeaudaocajbifqydiob4\",\"terms\":[\"bucket=demo\",\"bytes=10485760\",\"category=general\",\"country=AT\",\"duration=3600000\","   \
    "\"objects=20\",\"prefix=logs/2026%20\",\"purpose=support\",\"text=Kunde meldet Fehler \xe2\x82\xac\",\"ticket=T-1\",\"verb=list\",\"verb=read\"],\"v\":1}"

static void written_terms_are_the_documented_bytes_and_read_back(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(STATEMENT_BYTES_MAX);
    struct record_statement s = {.kind = RECORD_STATEMENT_ACCESS_REQUEST, .have = RECORD_S_SUBJECT | RECORD_S_TENANT,
                                 .subject = SLICE_LIT("aaaqeayeaudaocajbifqydiob4"), .t = 1764000000000}, r;
    struct record_term_value v[] = {
        {RECORD_TERM_VERB, SLICE_LIT("read")}, {RECORD_TERM_TICKET, SLICE_LIT("T-1")}, {RECORD_TERM_BUCKET, SLICE_LIT("demo")}, {RECORD_TERM_VERB, SLICE_LIT("list")},
        {RECORD_TERM_PREFIX, SLICE_LIT("logs/2026%20")}, {RECORD_TERM_OBJECTS, SLICE_LIT("20")}, {RECORD_TERM_BYTES, SLICE_LIT("10485760")},
        {RECORD_TERM_CATEGORY, SLICE_LIT("general")}, {RECORD_TERM_DURATION, SLICE_LIT("3600000")}, {RECORD_TERM_COUNTRY, SLICE_LIT("AT")},
        {RECORD_TERM_TEXT, SLICE_LIT("Kunde meldet Fehler \xe2\x82\xac")}, {RECORD_TERM_PURPOSE, SLICE_LIT("support")},
    };
    test_count(s.nonce, NONCE_BYTES, 0);
    test_count(s.tenant, ID_BYTES, 0);
    assert_err(record_statement_write_terms(&s, v, ARRAY_LEN(v), &b), ERR_OK, "request");
    assert_same(buf_slice(&b), SLICE_LIT(REQUEST));
    assert_err(record_statement_parse(buf_slice(&b), &r), ERR_OK, "request");
    assert_int_equal(r.have, RECORD_S_SUBJECT | RECORD_S_TENANT | RECORD_S_TERMS);
    assert_same(record_term(&r, RECORD_TERM_VERB, 0), SLICE_LIT("list"));
    assert_same(record_term(&r, RECORD_TERM_VERB, 1), SLICE_LIT("read"));
    assert_null(record_term(&r, RECORD_TERM_VERB, 2).p);
    assert_null(record_term(&r, RECORD_TERM_BUCKET, 1).p);
    assert_null(record_term(&r, RECORD_TERM_START, 0).p);
    assert_int_equal(record_term_int(&r, RECORD_TERM_BYTES, 7), 10485760);
    assert_int_equal(record_term_int(&r, RECORD_TERM_START, 7), 7);
    /* What would not be read is not written. */
    s.have |= RECORD_S_TERMS;
    buf_reset(&b);
    assert_err(record_statement_write_terms(&s, v, ARRAY_LEN(v) - 1, &b), ERR_INPUT, "purpose is missing");
    buf_reset(&b);
    v[1].value = SLICE_LIT("T-1\",\"verb=head");      /* in order, known and allowed: only the quote gives it away */
    assert_err(record_statement_write_terms(&s, v, ARRAY_LEN(v), &b), ERR_INPUT, "a value that would be two items");
    v[1].value = SLICE_LIT("T-1");
    buf_reset(&b);
    v[3] = v[0];
    assert_err(record_statement_write_terms(&s, v, ARRAY_LEN(v), &b), ERR_INPUT, "two equal ones");
    buf_reset(&b);
    assert_err(record_statement_write(&s, NULL, 0, &b), ERR_INPUT, "without its terms");
    s = (struct record_statement){.kind = RECORD_STATEMENT_KEY_OFF, .have = RECORD_S_SUBJECT | RECORD_S_TENANT, .subject = SLICE_LIT("AKIA")};
    buf_reset(&b);
    assert_err(record_statement_write_terms(&s, v, 0, &b), ERR_INPUT, "a kind without terms");
}

static void a_request_cut_or_made_huge_is_refused(void **state)
{
    (void)state;
    struct record_statement s;
    for (size_t n = 0; n < strlen(REQUEST); n++) {
        uint8_t *exact = (uint8_t *)malloc(n + 1);
        memcpy(exact, REQUEST, n);
        if (record_statement_parse(slice_of(exact, n), &s) == ERR_OK) fail_msg("cut at %zu", n);
        free(exact);
    }
    assert_err(record_statement_parse(SLICE_LIT(REQUEST), &s), ERR_OK, "whole");
    assert_err(record_statement_parse(SLICE_LIT(REQUEST REQUEST), &s), ERR_TRAILING, "twice");
    AUTO(buf) struct buf b = BUF_INIT(2 * 1024 * 1024);
    assert_err(record_statement_parse(times(&b, "{\"kind\":", 131072), &s), ERR_LIMIT, "1 MiB");
    assert_err(record_statement_parse(times(&b, REQUEST, 1024 * 1024 / strlen(REQUEST)), &s), ERR_LIMIT, "1 MiB of statements");
}

static void keys_of_the_object_come_once_and_in_order(void **state)
{
    (void)state;
    struct record_statement s;
#define A "{\"kind\":\"rule.off\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"subject\":\"x\",\"t\":1,\"tenant\":\"aaaqeayeaudaocajbifqydiob4\","
    static const char *const bad[] = {
        A "\"terms\":[],\"terms\":[],\"v\":1}", A "\"v\":1,\"terms\":[]}", A "\"tenant\":\"aaaqeayeaudaocajbifqydiob4\",\"terms\":[],\"v\":1}", A "\"v\":1}",
        A "\"terms\":[],\"v\":1,\"v\":1}", A "\"terms\":[],\"v\":1,\"w\":1}", A "\"terms\":\"\",\"v\":1}", A "\"terms\":null,\"v\":1}", A "\"terms\":{},\"v\":1}",
        "{\"kind\":\"rule.off\",\"kind\":\"rule.off\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"subject\":\"x\",\"t\":1,\"tenant\":\"aaaqeayeaudaocajbifqydiob4\",\"terms\":[],\"v\":1}",
        "{\"kind\":\"rule.off\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw\",\"scope\":[],\"subject\":\"x\",\"t\":1,\"tenant\":\"aaaqeayeaudaocajbifqydiob4\",\"terms\":[],\"v\":1}",
    };
    assert_err(record_statement_parse(SLICE_LIT(A "\"terms\":[],\"v\":1}"), &s), ERR_OK, "as it must be");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (record_statement_parse(slice_str(bad[i]), &s) == ERR_OK) fail_msg("%s", bad[i]);
}

static void opened_statements_are_a_text_and_one_of_two_signatures(void **state)
{
    (void)state;
    AUTO(buf) struct buf b = BUF_INIT(65536);
    struct record_stmt_value v;
    static const struct { size_t text; char first; size_t sig; enum err want; bool passkey; } cases[] = {
        {1, '-', 1, ERR_OK, false}, {STATEMENT_BYTES_MAX, '-', SSHSIG_CHARS_MAX, ERR_OK, false}, {STATEMENT_BYTES_MAX, '{', ASSERTION_CHARS_MAX, ERR_OK, true},
        {STATEMENT_BYTES_MAX + 1, '-', 1, ERR_TRUNCATED, false}, {1, '-', SSHSIG_CHARS_MAX + 1, ERR_LIMIT, false}, {1, '{', ASSERTION_CHARS_MAX + 1, ERR_LIMIT, false},
        {0, '-', 1, ERR_INPUT, false}, {1, '-', 0, ERR_INPUT, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_reset(&b);
        buf_put_u16(&b, (uint16_t)cases[i].text);
        for (size_t n = 0; n < cases[i].text; n++) buf_put_u8(&b, 't');
        for (size_t n = 0; n < cases[i].sig; n++) buf_put_u8(&b, (uint8_t)(n == 0 ? cases[i].first : 's'));
        if (record_stmt_value_get(buf_slice(&b), &v) != cases[i].want) fail_msg("case %zu", i);
        if (cases[i].want != ERR_OK) continue;
        assert_int_equal(v.text.n, cases[i].text);
        assert_int_equal(v.signature.n, cases[i].sig);
        assert_int_equal(v.passkey, cases[i].passkey);
    }
    assert_err(record_stmt_value_get(SLICE_LIT("\0"), &v), ERR_TRUNCATED, "no length");
    assert_err(record_stmt_value_get(SLICE_LIT("\0\5abc"), &v), ERR_TRUNCATED, "shorter than it says");
}

/* The decoder takes either case, and what is compared as text would have many names. */
static void an_id_has_one_spelling(void **state)
{
    (void)state;
    uint8_t id[ID_BYTES];
    const char lower[] = "aaaqeayeaudaocajbifqydiob4";
    char text[sizeof lower];
    assert_int_equal(record_id_get(slice_str(lower), id), ERR_OK);
    for (size_t i = 0; i < sizeof lower - 1; i++) {
        memcpy(text, lower, sizeof text);
        text[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 'a' + 'A' : '1');
        assert_err(record_id_get(slice_str(text), id), ERR_INPUT, text);
        assert_true(record_id_get(slice_of(lower, i), id) != ERR_OK);
    }
    assert_true(record_id_get(SLICE_LIT("aaaqeayeaudaocajbifqydiob4a"), id) != ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_numbers_and_names_hold_at_their_bounds),
        cmocka_unit_test(keys_ids_buckets_and_prefixes_hold_at_their_bounds),
        cmocka_unit_test(texts_hold_nothing_that_a_person_would_not_see),
        cmocka_unit_test(a_list_has_one_spelling),
        cmocka_unit_test(only_kinds_with_terms_have_the_part_and_they_always_do),
        cmocka_unit_test(names_are_sorted_and_none_begins_another),
        cmocka_unit_test(written_terms_are_the_documented_bytes_and_read_back),
        cmocka_unit_test(a_request_cut_or_made_huge_is_refused),
        cmocka_unit_test(keys_of_the_object_come_once_and_in_order),
        cmocka_unit_test(an_id_has_one_spelling),
        cmocka_unit_test(opened_statements_are_a_text_and_one_of_two_signatures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
