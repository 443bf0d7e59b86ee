/* SPDX-License-Identifier: Apache-2.0
 * Leaves and openings against Python's json and hmac, their strictness, their bounds; HMAC against wycheproof.
 * Role: unit test. Spec: docs/spec/record.md; tests/vectors/{record,hmac}.
 */
#include "record/record_test.h"

static struct ledger_hash hash;

/* The leaf of tests/vectors/record, written by us. */
static void write_golden(struct buf *leaf, struct buf *opening)
{
    struct record_writer w;
    uint8_t salt[SALT_BYTES], id[ID_BYTES];
    struct buf value = BUF_INIT(4096);
    record_begin(&w, RECORD_K_ACC, leaf, opening);
    record_put_text(&w, RECORD_F_ACT, SLICE_LIT("PutObject"));
    record_put_text(&w, RECORD_F_AUTH, SLICE_LIT("hdr"));
    test_count(id, ID_BYTES, 0);
    record_put_id(&w, RECORD_F_BKT, id);
    record_put_text(&w, RECORD_F_BODY, SLICE_LIT("sha256"));
    record_put_int(&w, RECORD_F_BYTES, 5);
    record_put_int(&w, RECORD_F_CTL, 7);
    record_put_text(&w, RECORD_F_DEC, SLICE_LIT("allow"));
    record_put_int(&w, RECORD_F_ENG, 1);
    test_count(id, ID_BYTES, 100);
    record_put_id(&w, RECORD_F_ID, id);
    struct record_new new = {.size = 5, .etag = SLICE_LIT("5d41402abc4b2a76b9719d911017c592"), .sum_kind = 1,
                             .sum = SLICE_LIT("\x01\x02\x03\x04")};
    test_count(new.bucket, ID_BYTES, 0);
    test_count(new.blob, ID_BYTES, 16);
    memset(new.entry_hash, 9, HASH_BYTES);
    record_new_put(&value, &new);
    memset(salt, 0x15, sizeof salt);
    record_put_commit(&w, &hash, RECORD_F_NEW, salt, buf_slice(&value));
    buf_reset(&value);
    record_obj_put(&value, &(struct record_obj){SLICE_LIT("photos"), SLICE_LIT("\xc3\xa5 b/c.jpg")});
    memset(salt, 0x11, sizeof salt);
    record_put_commit(&w, &hash, RECORD_F_OBJ, salt, buf_slice(&value));
    memset(salt, 0x13, sizeof salt);
    record_put_commit(&w, &hash, RECORD_F_PEER, salt, SLICE_LIT("192.0.2.7"));
    record_put_int(&w, RECORD_F_T, 1764000000123);
    record_put_int(&w, RECORD_F_TLS, 1);
    const struct slice uns[] = {SLICE_LIT("content-type"), SLICE_LIT("range")};
    record_put_texts(&w, RECORD_F_UNS, uns, ARRAY_LEN(uns));
    buf_reset(&value);
    record_ver_put(&value, RECORD_VER_NONE, RECORD_VER_NONE);
    memset(salt, 0x14, sizeof salt);
    record_put_commit(&w, &hash, RECORD_F_VER, salt, buf_slice(&value));
    record_put_int(&w, RECORD_F_W, 1);
    memset(salt, 0x12, sizeof salt);
    record_put_commit(&w, &hash, RECORD_F_WHO, salt, SLICE_LIT("000000000001:root:AKIAAAAAAAAAAAAAAAAA"));
    assert_err(record_end(&w), ERR_OK, "golden leaf");
    buf_done(&value);
}

static void golden_leaf_and_opening_are_byte_for_byte(void **state)
{
    (void)state;
    struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX), want, hex, bytes = BUF_INIT(4096);
    write_golden(&leaf, &opening);
    test_read_file("record/put.leaf", &want);
    assert_same(buf_slice(&leaf), buf_slice(&want));
    test_read_file("record/put.opening.hex", &hex);
    assert_err(hex_decode(slice_of(hex.p, hex.n - 1), &bytes), ERR_OK, "hex");
    assert_int_equal(opening.n, bytes.n);
    assert_memory_equal(opening.p, bytes.p, bytes.n);
    buf_done(&leaf);
    buf_done(&opening);
    buf_done(&want);
    buf_done(&hex);
    buf_done(&bytes);
}

static void golden_leaf_reads_back_and_its_opening_opens_it(void **state)
{
    (void)state;
    struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX), again = BUF_INIT(OPENING_BYTES_MAX);
    write_golden(&leaf, &opening);
    struct record_leaf l;
    struct record_opening o;
    assert_err(record_leaf_parse(buf_slice(&leaf), RECORD_LOG_ACCESS, &l), ERR_OK, "parse");
    assert_int_equal(l.kind, RECORD_K_ACC);
    assert_int_equal(record_int(&l, RECORD_F_T, 0), 1764000000123);
    assert_int_equal(record_int(&l, RECORD_F_REP, 1), 1);
    assert_same(record_text(&l, RECORD_F_DEC), SLICE_LIT("allow"));
    assert_int_equal(record_text(&l, RECORD_F_WHY).n, 0);
    struct slice list = l.f[RECORD_F_UNS].text, item;
    assert_int_equal(l.f[RECORD_F_UNS].n, 2);
    assert_true(record_list_text(&list, &item));
    assert_same(item, SLICE_LIT("content-type"));
    assert_true(record_list_text(&list, &item));
    assert_same(item, SLICE_LIT("range"));
    assert_false(record_list_text(&list, &item));
    assert_err(record_opening_parse(buf_slice(&opening), &o), ERR_OK, "opening");
    assert_err(record_opening_check(&hash, &l, &o), ERR_OK, "check");
    record_opening_put(&o, &again);
    assert_same(buf_slice(&again), buf_slice(&opening));
    struct record_obj obj;
    struct record_new new;
    uint64_t ver, rev;
    assert_err(record_obj_get(record_opened_field(&o, RECORD_F_OBJ)->value, &obj), ERR_OK, "obj");
    assert_same(obj.bucket, SLICE_LIT("photos"));
    assert_err(record_new_get(record_opened_field(&o, RECORD_F_NEW)->value, &new), ERR_OK, "new");
    assert_int_equal(new.size, 5);
    assert_err(record_ver_get(record_opened_field(&o, RECORD_F_VER)->value, &ver, &rev), ERR_OK, "ver");
    assert_true(ver == RECORD_VER_NONE);
    buf_done(&leaf);
    buf_done(&opening);
    buf_done(&again);
}

static void every_flipped_bit_of_an_opening_is_noticed(void **state)
{
    (void)state;
    struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX);
    write_golden(&leaf, &opening);
    struct record_leaf l;
    struct record_opening o;
    assert_err(record_leaf_parse(buf_slice(&leaf), RECORD_LOG_ACCESS, &l), ERR_OK, "parse");
    for (size_t i = 0; i < opening.n * 8; i++) {
        opening.p[i / 8] ^= (uint8_t)(1u << i % 8);
        bool ok = record_opening_parse(buf_slice(&opening), &o) == ERR_OK && record_opening_check(&hash, &l, &o) == ERR_OK;
        if (ok) fail_msg("bit %zu flipped and it still opens", i);
        opening.p[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t n = 0; n < opening.n; n++) {
        uint8_t *exact = (uint8_t *)malloc(n + 1);
        memcpy(exact, opening.p, n);
        bool ok = record_opening_parse(slice_of(exact, n), &o) == ERR_OK && record_opening_check(&hash, &l, &o) == ERR_OK;
        free(exact);
        if (ok) fail_msg("cut at %zu and it still opens", n);
    }
    buf_done(&leaf);
    buf_done(&opening);
}

static void an_erased_field_is_gone_and_the_rest_still_opens(void **state)
{
    (void)state;
    struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX), erased = BUF_INIT(OPENING_BYTES_MAX);
    write_golden(&leaf, &opening);
    struct record_leaf l;
    struct record_opening o;
    assert_err(record_leaf_parse(buf_slice(&leaf), RECORD_LOG_ACCESS, &l), ERR_OK, "parse");
    assert_err(record_opening_parse(buf_slice(&opening), &o), ERR_OK, "opening");
    assert_err(record_opening_erase(&o, RECORD_F_WHO), ERR_OK, "erase");
    assert_err(record_opening_erase(&o, RECORD_F_QRY), ERR_MISSING, "erase what is not there");
    record_opening_put(&o, &erased);
    assert_int_equal(opening.n - erased.n, SALT_BYTES + 2 + strlen("000000000001:root:AKIAAAAAAAAAAAAAAAAA"));
    assert_null(memmem(erased.p, erased.n, "AKIA", 4));
    assert_err(record_opening_parse(buf_slice(&erased), &o), ERR_OK, "erased opening");
    assert_err(record_opening_check(&hash, &l, &o), ERR_OK, "check");
    assert_null(record_opened_field(&o, RECORD_F_WHO));
    assert_non_null(record_opened_field(&o, RECORD_F_PEER));
    buf_done(&leaf);
    buf_done(&opening);
    buf_done(&erased);
}

static void a_leaf_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct buf file;
    struct record_leaf l;
    test_read_file("record/put.leaf", &file);
    for (size_t n = 0; n < file.n; n++) {
        uint8_t *exact = (uint8_t *)malloc(n + 1);
        memcpy(exact, file.p, n);
        if (record_leaf_parse(slice_of(exact, n), RECORD_LOG_ANY, &l) == ERR_OK) fail_msg("cut at %zu is taken", n);
        free(exact);
    }
    buf_put_u8(&file, '\n');
    assert_err(record_leaf_parse(buf_slice(&file), RECORD_LOG_ANY, &l), ERR_TRAILING, "newline behind");
    buf_done(&file);
}

static enum err parse(const char *text, unsigned log)
{
    struct record_leaf l;
    return record_leaf_parse(slice_str(text), log, &l);
}

#define VOID "{\"kind\":\"void\",\"ref\":5,\"t\":9,\"v\":1,\"why\":\"gone\"}"
static void other_spellings_of_a_leaf_are_refused(void **state)
{
    (void)state;
    assert_err(parse(VOID, RECORD_LOG_ACCESS), ERR_OK, VOID);
    assert_err(parse(VOID, RECORD_LOG_CONTROL), ERR_INPUT, "a void on the control log");
    static const char *const bad[] = {
        "{}", "[]", "null", "{\"kind\":\"void\"}", "{\"kind\":\"void\",\"ref\":5,\"t\":9,\"why\":\"gone\"}",
        " " VOID, "{ \"kind\":\"void\",\"ref\":5,\"t\":9,\"v\":1,\"why\":\"gone\"}", "{\"kind\":\"void\", \"ref\":5,\"t\":9,\"v\":1,\"why\":\"gone\"}",
        "{\"kind\" :\"void\",\"ref\":5,\"t\":9,\"v\":1,\"why\":\"gone\"}", "{\"ref\":5,\"kind\":\"void\",\"t\":9,\"v\":1,\"why\":\"gone\"}",
        "{\"kind\":\"void\",\"ref\":5,\"ref\":5,\"t\":9,\"v\":1,\"why\":\"gone\"}", "{\"kind\":\"void\",\"ref\":05,\"t\":9,\"v\":1,\"why\":\"gone\"}",
        "{\"kind\":\"void\",\"ref\":-5,\"t\":9,\"v\":1,\"why\":\"gone\"}", "{\"kind\":\"void\",\"ref\":5.0,\"t\":9,\"v\":1,\"why\":\"gone\"}",
        "{\"kind\":\"void\",\"ref\":5e0,\"t\":9,\"v\":1,\"why\":\"gone\"}", "{\"kind\":\"void\",\"ref\":\"5\",\"t\":9,\"v\":1,\"why\":\"gone\"}",
        "{\"kind\":\"void\",\"ref\":9007199254740992,\"t\":9,\"v\":1,\"why\":\"gone\"}", "{\"kind\":\"void\",\"ref\":,\"t\":9,\"v\":1,\"why\":\"gone\"}",
        "{\"kind\":\"void\",\"ref\":5,\"t\":9,\"v\":1,\"why\":\"g\\u006fne\"}", "{\"kind\":\"void\",\"ref\":5,\"t\":9,\"v\":1,\"why\":\"g\xc3\xb6ne\"}",
        "{\"kind\":\"void\",\"ref\":5,\"t\":9,\"v\":1,\"why\":\"go\tne\"}", "{\"kind\":\"void\",\"ref\":5,\"t\":9,\"v\":1,\"why\":\"go\x7fne\"}",
        "{\"kind\":\"void\",\"ref\":5,\"t\":9,\"v\":1,\"why\":\"gone\",}", "{,\"kind\":\"void\",\"ref\":5,\"t\":9,\"v\":1,\"why\":\"gone\"}",
        "{\"kind\":\"void\",\"ref\":5,\"t\":9,\"v\":1,\"w\":1,\"why\":\"gone\"}", "{\"kind\":\"void\",\"ref\":5,\"t\":9,\"v\":1,\"x\":1}",
        "{\"aaa\":1,\"kind\":\"void\",\"ref\":5,\"t\":9,\"v\":1,\"why\":\"gone\"}", "{\"kind\":\"void\",\"ref\":5,\"t\":9,\"v\":1}",
        "{\"kind\":\"void\",\"ref\":{},\"t\":9,\"v\":1,\"why\":\"gone\"}", "{\"kind\":\"void\",\"ref\":true,\"t\":9,\"v\":1,\"why\":\"gone\"}",
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        if (parse(bad[i], RECORD_LOG_ANY) == ERR_OK) fail_msg("taken: %s", bad[i]);
    assert_err(parse("{\"kind\":\"void\",\"ref\":5,\"t\":9,\"v\":2,\"why\":\"gone\"}", RECORD_LOG_ANY), ERR_VERSION, "v 2");
    assert_err(parse("{\"kind\":\"vaid\",\"ref\":5,\"t\":9,\"v\":1,\"why\":\"gone\"}", RECORD_LOG_ANY), ERR_VERSION, "kind");
    assert_err(parse("{\"kind\":\"void\",\"ref\":9007199254740991,\"t\":9,\"v\":1,\"why\":\"gone\"}", RECORD_LOG_ANY), ERR_OK, "2^53-1");
    struct record_leaf l;
    assert_err(record_leaf_parse(SLICE_LIT("{\"kind\":\"void\",\"ref\":5,\"t\":9,\"v\":1,\"why\":\"go\0ne\"}"), RECORD_LOG_ANY, &l),
               ERR_INPUT, "NUL in a text");
}

/* Puts text in place of the first `from` of the golden leaf. */
static enum err parse_changed(const char *from, const char *to)
{
    struct buf file, b = BUF_INIT(TEST_FILE_BYTES_MAX);
    struct record_leaf l;
    test_read_file("record/put.leaf", &file);
    uint8_t *at = (uint8_t *)memmem(file.p, file.n, from, strlen(from));
    assert_non_null(at);
    buf_put(&b, file.p, (size_t)(at - file.p));
    buf_put_str(&b, to);
    at += strlen(from);
    buf_put(&b, at, (size_t)(file.p + file.n - at));
    enum err e = record_leaf_parse(buf_slice(&b), RECORD_LOG_ANY, &l);
    buf_done(&file);
    buf_done(&b);
    return e;
}

static void ids_hashes_and_lists_have_one_spelling(void **state)
{
    (void)state;
    assert_err(parse_changed("\"uns\":[\"content-type\",\"range\"]", "\"uns\":[]"), ERR_OK, "empty list");
    static const struct { const char *from, *to; } bad[] = {
        {"\"uns\":[\"content-type\"", "\"uns\":[\"content-type\","}, {"\"range\"]", "\"range\",]"}, {"\"uns\":[", "\"uns\":[,"},
        {"\"uns\":[\"content-type\",\"range\"]", "\"uns\":[1]"}, {"\"uns\":[\"content-type\",\"range\"]", "\"uns\":\"range\""},
        {"\"bkt\":\"aaaqe", "\"bkt\":\"AAAQE"}, {"\"bkt\":\"aaaqe", "\"bkt\":\"aaaq"}, {"\"bkt\":\"aaaqe", "\"bkt\":\"aaaqea"},
        {"\"new\":\"", "\"new\":\"A"}, {"\"act\":\"PutObject\",", ""},
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) assert_err(parse_changed(bad[i].from, bad[i].to), ERR_INPUT, bad[i].to);
}

static void leaf_bounds_hold_at_the_bound_and_one_past_it(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(TEST_FILE_BYTES_MAX);
    for (unsigned past = 0; past <= 1; past++) {
        buf_reset(&text);
        buf_put_str(&text, "\"uns\":[");
        for (unsigned i = 0; i < RECORD_LIST_ITEMS_MAX + past; i++) buf_put_str(&text, i ? ",\"a\"" : "\"a\"");
        buf_put(&text, "]", 2);
        assert_err(parse_changed("\"uns\":[\"content-type\",\"range\"]", (const char *)text.p), past ? ERR_LIMIT : ERR_OK, "list");
        buf_reset(&text);
        buf_put_str(&text, "\"act\":\"");
        for (unsigned i = 0; i < RECORD_TEXT_BYTES_MAX + past; i++) buf_put_u8(&text, 'a');
        buf_put(&text, "\"", 2);
        assert_err(parse_changed("\"act\":\"PutObject\"", (const char *)text.p), past ? ERR_LIMIT : ERR_OK, "text");
        /* the whole leaf: 59 long texts, then one that fits exactly */
        struct buf file;
        test_read_file("record/put.leaf", &file);
        size_t other = file.n - strlen("\"content-type\",\"range\""), want = LEAF_BYTES_MAX + past;
        buf_reset(&text);
        buf_put_str(&text, "\"uns\":[");
        size_t left = want - other;
        while (left > 0) {
            size_t n = MIN(left - 2, (size_t)1000);
            if (left - 2 - n < 3) n = left - 2;
            buf_put_u8(&text, '"');
            for (size_t i = 0; i < n; i++) buf_put_u8(&text, 'x');
            buf_put_u8(&text, '"');
            left -= n + 2;
            if (left == 0) break;
            buf_put_u8(&text, ',');
            left--;
        }
        buf_put(&text, "]", 2);
        assert_err(parse_changed("\"uns\":[\"content-type\",\"range\"]", (const char *)text.p), past ? ERR_LIMIT : ERR_OK, "leaf");
        buf_done(&file);
    }
    buf_done(&text);
}

static void text_that_is_not_canonical_spoils_the_leaf_being_written(void **state)
{
    (void)state;
    static const char *const bad[] = {"a\"b", "a\\b", "a\nb", "\xc3\xa5", "\x7f"};
    struct buf leaf = BUF_INIT(LEAF_BYTES_MAX);
    for (unsigned i = 0; i <= ARRAY_LEN(bad); i++) {
        struct record_writer w;
        record_begin(&w, RECORD_K_VOID, &leaf, NULL);
        record_put_int(&w, RECORD_F_REF, 5);
        record_put_int(&w, RECORD_F_T, 9);
        record_put_text(&w, RECORD_F_WHY, i == 0 ? SLICE_LIT("gone") : slice_str(bad[i - 1]));
        assert_err(record_end(&w), i == 0 ? ERR_OK : ERR_LIMIT, "text");
        if (i == 0) assert_same(buf_slice(&leaf), SLICE_LIT(VOID));
    }
    buf_done(&leaf);
}

static void openings_refuse_other_orders_numbers_and_versions(void **state)
{
    (void)state;
    struct record_opening o;
    static const uint8_t version[] = {2}, number[] = {1, 0x9f}, zero[] = {1, 0x80}, order[] = {1, 0x82, 0x81}, twice[] = {1, 0x81, 0x81},
                         fine[] = {1, 0x81, 0x82}, empty[] = {1};
    assert_err(record_opening_parse(slice_of(fine, sizeof fine), &o), ERR_OK, "two erased");
    assert_err(record_opening_parse(slice_of(empty, sizeof empty), &o), ERR_OK, "none");
    assert_err(record_opening_parse(slice_of(version, sizeof version), &o), ERR_VERSION, "version");
    assert_err(record_opening_parse(slice_of(number, sizeof number), &o), ERR_INPUT, "unknown number");
    assert_err(record_opening_parse(slice_of(zero, sizeof zero), &o), ERR_INPUT, "number 0");
    assert_err(record_opening_parse(slice_of(order, sizeof order), &o), ERR_INPUT, "order");
    assert_err(record_opening_parse(slice_of(twice, sizeof twice), &o), ERR_INPUT, "twice");
    static uint8_t big[OPENING_BYTES_MAX + 1] = {1};
    assert_err(record_opening_parse(slice_of(big, sizeof big), &o), ERR_LIMIT, "one past the maximum");
    /* items (lp32) up to exactly the maximum */
    struct buf b = BUF_INIT(OPENING_BYTES_MAX + 1);
    buf_put_u8(&b, 1);
    buf_put_u8(&b, 9);
    buf_put(&b, big, SALT_BYTES);
    buf_put_lp32(&b, slice_of(big, OPENING_BYTES_MAX - 2 - SALT_BYTES - 4));
    assert_int_equal(b.n, OPENING_BYTES_MAX);
    assert_err(record_opening_parse(buf_slice(&b), &o), ERR_OK, "at the maximum");
    buf_done(&b);
}

static void the_table_is_sorted_and_every_commitment_has_its_own_number(void **state)
{
    (void)state;
    for (unsigned f = 1; f < RECORD_FIELD_COUNT; f++)
        assert_true(strcmp(record_field_key((enum record_field)(f - 1)), record_field_key((enum record_field)f)) < 0);
    uint64_t numbers = 0, commits = 0;
#define OPENS(NAME, number)                                                                                           \
    assert_true(number > 0 && number < 64 && !(numbers >> number & 1));                                               \
    numbers |= 1ull << number;                                                                                        \
    commits |= 1ull << RECORD_F_##NAME;
#include "record/record.def"
    for (unsigned f = 0; f < RECORD_FIELD_COUNT; f++)
        assert_true((record_field_type((enum record_field)f) == RECORD_COMMIT) == (commits >> f & 1));
    assert_true(__builtin_popcountll(commits) <= RECORD_COMMITS_MAX);
}

static void values_refuse_every_cut_and_anything_behind(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(4096);
    struct record_new new = {.etag = SLICE_LIT("e"), .sum = SLICE_LIT("s")};
    struct record_qry qry = {.prefix = SLICE_LIT("p/"), .delimiter = SLICE_LIT("/"), .after = SLICE_LIT("p/a"), .keys_max = 1000};
    struct record_res res = {.truncated = true, .next = SLICE_LIT("p/b"), .count = 2};
    struct record_obj obj;
    uint64_t ver, rev;
    record_new_put(&b, &new);
    for (size_t n = 0; n < b.n; n++) assert_err(record_new_get(slice_of(b.p, n), &new), ERR_TRUNCATED, "new");
    buf_put_u8(&b, 0);
    assert_err(record_new_get(buf_slice(&b), &new), ERR_TRAILING, "new");
    buf_reset(&b);
    record_qry_put(&b, &qry);
    assert_err(record_qry_get(buf_slice(&b), &qry), ERR_OK, "qry");
    assert_int_equal(qry.keys_max, 1000);
    for (size_t n = 0; n < b.n; n++) assert_err(record_qry_get(slice_of(b.p, n), &qry), ERR_TRUNCATED, "qry");
    buf_reset(&b);
    record_res_put(&b, &res);
    assert_err(record_res_get(buf_slice(&b), &res), ERR_OK, "res");
    for (size_t n = 0; n < b.n; n++) assert_err(record_res_get(slice_of(b.p, n), &res), ERR_TRUNCATED, "res");
    b.p[0] = 2;
    assert_err(record_res_get(buf_slice(&b), &res), ERR_INPUT, "res flag");
    assert_err(record_ver_get(SLICE_LIT("1234567"), &ver, &rev), ERR_TRUNCATED, "ver");
    assert_err(record_ver_get(SLICE_LIT("123456789"), &ver, &rev), ERR_TRUNCATED, "ver");
    for (unsigned past = 0; past <= 1; past++) {
        static const uint8_t key[S3_KEY_BYTES_MAX + 1];
        buf_reset(&b);
        record_obj_put(&b, &(struct record_obj){SLICE_LIT("b"), slice_of(key, S3_KEY_BYTES_MAX + past)});
        assert_err(record_obj_get(buf_slice(&b), &obj), past ? ERR_LIMIT : ERR_OK, "obj key");
        buf_reset(&b);
        record_obj_put(&b, &(struct record_obj){slice_of(key, RECORD_BUCKET_BYTES_MAX + past), SLICE_LIT("k")});
        assert_err(record_obj_get(buf_slice(&b), &obj), past ? ERR_TRUNCATED : ERR_OK, "obj bucket");
        buf_reset(&b);
        record_row_put(&b, 1, slice_of(key, S3_KEY_BYTES_MAX + past), 7);
        struct reader r = reader_of(buf_slice(&b));
        uint8_t kind;
        struct slice k;
        assert_err(record_row_get(&r, &kind, &k, &ver), past ? ERR_TRUNCATED : ERR_OK, "row key");
    }
    buf_done(&b);
}

static void the_longest_statement_fits_a_leaf_and_its_opening(void **state)
{
    (void)state;
    struct ledger_hash h;
    uint8_t id[ID_BYTES] = {0}, salt[SALT_BYTES] = {0};
    static uint8_t value[2 + STATEMENT_BYTES_MAX + ASSERTION_CHARS_MAX], who[RECORD_TEXT_BYTES_MAX];
    struct buf leaf = BUF_INIT(LEAF_BYTES_MAX), opening = BUF_INIT(OPENING_BYTES_MAX);
    struct record_writer w;
    struct record_leaf l;
    struct record_opening o;
    struct record_stmt_value v;
    assert_err(ledger_hash_init(&h), ERR_OK, "hash");
    put_be16(value, STATEMENT_BYTES_MAX);
    value[2 + STATEMENT_BYTES_MAX] = '{';
    record_begin(&w, RECORD_K_STMT, &leaf, &opening);
    record_put_text(&w, RECORD_F_ACT, SLICE_LIT("access.request"));
    record_put_text(&w, RECORD_F_AUTH, SLICE_LIT("passkey"));
    record_put_int(&w, RECORD_F_CTL, RECORD_INT_MAX);
    record_put_text(&w, RECORD_F_DEC, SLICE_LIT("deny"));
    record_put_int(&w, RECORD_F_ENG, 1);
    record_put_id(&w, RECORD_F_GRANT, id);
    record_put_id(&w, RECORD_F_ID, id);
    record_put_commit(&w, &h, RECORD_F_PEER, salt, SLICE_LIT("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"));
    record_put_int(&w, RECORD_F_REF, RECORD_INT_MAX);
    record_put_commit(&w, &h, RECORD_F_STMT, salt, slice_of(value, sizeof value));
    record_put_int(&w, RECORD_F_T, RECORD_INT_MAX);
    record_put_commit(&w, &h, RECORD_F_WHO, salt, slice_of(who, sizeof who));
    record_put_text(&w, RECORD_F_WHY, SLICE_LIT("own-request"));
    assert_err(record_end(&w), ERR_OK, "end");
    assert_err(record_leaf_parse(buf_slice(&leaf), RECORD_LOG_CONTROL, &l), ERR_OK, "leaf");
    assert_err(record_leaf_parse(buf_slice(&leaf), RECORD_LOG_PROVIDER, &l), ERR_OK, "leaf");
    assert_err(record_leaf_parse(buf_slice(&leaf), RECORD_LOG_ACCESS, &l), ERR_INPUT, "not on the access log");
    assert_err(record_opening_parse(buf_slice(&opening), &o), ERR_OK, "opening");
    assert_err(record_opening_check(&h, &l, &o), ERR_OK, "it opens");
    assert_err(record_stmt_value_get(record_opened_field(&o, RECORD_F_STMT)->value, &v), ERR_OK, "value");
    assert_int_equal(v.text.n, STATEMENT_BYTES_MAX);
    assert_int_equal(v.signature.n, ASSERTION_CHARS_MAX);
    buf_done(&leaf);
    buf_done(&opening);
    ledger_hash_done(&h);
}

static void slot_value_and_text_are_the_golden_ones(void **state)
{
    (void)state;
    struct buf file, b = BUF_INIT(1024);
    uint8_t want[HASH_BYTES], got[HASH_BYTES], root[HASH_BYTES];
    struct record_slot s = {.number = 3, .origin = SLICE_LIT("log.example/tenant-1")}, t;
    test_count(s.salt, SLOT_SALT_BYTES, 0);
    test_read_file("record/slot.txt", &file);
    assert_err(hex_fixed(slice_of(file.p, 64), want, sizeof want), ERR_OK, "hex");
    assert_err(base64_fixed(SLICE_LIT("6h6Tv1rREuXiImxSG8F2BWpEVHKCztefqS9sRweEgaU="), root, sizeof root), ERR_OK, "root");
    record_slot_value(&hash, s.salt, s.origin, 300, root, got);
    assert_memory_equal(got, want, HASH_BYTES);
    record_slot_format(&s, &b);
    assert_same(buf_slice(&b), SLICE_LIT("slot 3\nsalt AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\norigin log.example/tenant-1\n"));
    assert_err(record_slot_parse(buf_slice(&b), &t), ERR_OK, "parse");
    assert_int_equal(t.number, 3);
    for (size_t n = 0; n < b.n; n++) assert_int_not_equal(record_slot_parse(slice_of(b.p, n), &t), ERR_OK);
    buf_put_u8(&b, '\n');
    assert_err(record_slot_parse(buf_slice(&b), &t), ERR_TRAILING, "line behind");
    buf_done(&file);
    buf_done(&b);
}

static void all_wycheproof_hmac_cases_agree(void **state)
{
    (void)state;
    struct buf file, key = BUF_INIT(65536), msg = BUF_INIT(65536), tag = BUF_INIT(1024);
    unsigned cases = 0;
    test_read_file("hmac/wycheproof.txt", &file);
    struct slice rest = buf_slice(&file), line, f[5];
    for (; rest.n > 0; cases++) {
        rest = slice_cut(rest, '\n', &line);
        for (unsigned i = 0; i < ARRAY_LEN(f); i++) line = slice_cut(line, ' ', &f[i]);
        buf_reset(&key);
        buf_reset(&msg);
        buf_reset(&tag);
        if (!slice_is(f[1], "-")) assert_err(hex_decode(f[1], &key), ERR_OK, "key");
        if (!slice_is(f[2], "-")) assert_err(hex_decode(f[2], &msg), ERR_OK, "msg");
        assert_err(hex_decode(f[3], &tag), ERR_OK, "tag");
        uint8_t mac[HASH_BYTES];
        record_hmac(&hash, key.n ? buf_slice(&key) : SLICE_LIT(""), msg.n ? buf_slice(&msg) : SLICE_LIT(""), mac);
        bool same = memcmp(mac, tag.p, tag.n) == 0;
        if (same != slice_is(f[4], "valid")) fail_msg("case %.*s", (int)f[0].n, (const char *)f[0].p);
    }
    assert_int_equal(cases, 174);
    buf_done(&file);
    buf_done(&key);
    buf_done(&msg);
    buf_done(&tag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_leaf_and_opening_are_byte_for_byte),
        cmocka_unit_test(golden_leaf_reads_back_and_its_opening_opens_it),
        cmocka_unit_test(every_flipped_bit_of_an_opening_is_noticed),
        cmocka_unit_test(an_erased_field_is_gone_and_the_rest_still_opens),
        cmocka_unit_test(a_leaf_cut_anywhere_is_refused),
        cmocka_unit_test(other_spellings_of_a_leaf_are_refused),
        cmocka_unit_test(ids_hashes_and_lists_have_one_spelling),
        cmocka_unit_test(leaf_bounds_hold_at_the_bound_and_one_past_it),
        cmocka_unit_test(text_that_is_not_canonical_spoils_the_leaf_being_written),
        cmocka_unit_test(openings_refuse_other_orders_numbers_and_versions),
        cmocka_unit_test(the_table_is_sorted_and_every_commitment_has_its_own_number),
        cmocka_unit_test(values_refuse_every_cut_and_anything_behind),
        cmocka_unit_test(the_longest_statement_fits_a_leaf_and_its_opening),
        cmocka_unit_test(slot_value_and_text_are_the_golden_ones),
        cmocka_unit_test(all_wycheproof_hmac_cases_agree),
    };
    if (ledger_hash_init(&hash) != ERR_OK) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ledger_hash_done(&hash);
    return failed;
}
