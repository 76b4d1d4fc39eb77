#include "record_test.h"

#include "base/check.h"
#include "record/shelf.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
    struct record_shelf shelf;
    struct record record;
    struct record back;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    record_shelf_init(&f->shelf);
    record_begin(&f->record);
    memset(f->back.text, 'x', sizeof(f->back.text));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    record_shelf_done(&f->shelf);
    free(f);
    return 0;
}

static void assert_is_as_it_was(struct fixture *f, const struct record_kept *kept)
{
    memset(&f->back, 'x', sizeof(f->back));
    record_shelf_get(kept, &f->back);
    size_t attempts = f->record.attempt_count * sizeof(f->record.attempts[0]);
    assert_memory_equal(&f->back, &f->record, offsetof(struct record, attempts) + attempts);
    assert_memory_equal(f->back.text, f->record.text, f->record.text_len);
}

/* What was put comes back as it was, to the last byte, before it is packed and after that; gives what it took. */
static size_t assert_comes_back(struct fixture *f)
{
    struct record_kept kept = {0};
    record_seal(&f->record);
    assert_int_equal(record_shelf_put(&f->shelf, &f->record, &kept), ST_OK);
    assert_is_as_it_was(f, &kept);
    (void)record_shelf_tidy(&f->shelf);
    assert_is_as_it_was(f, &kept);
    size_t bytes = record_packed_bytes(&kept);
    assert_true(bytes > 0);
    record_shelf_drop(&f->shelf, &kept);
    assert_int_equal(record_packed_bytes(&kept), 0);
    record_shelf_drop(&f->shelf, &kept); /* takes an empty one */
    return bytes;
}

static struct inet_endpoint endpoint_of(const char *text)
{
    struct inet_endpoint endpoint;
    assert_int_equal(inet_endpoint_parse(slice_from_string(text), &endpoint), ST_OK);
    return endpoint;
}

/* As CONNECT leaves it: between IPv4 addresses, to a host of 28 bytes, 70 days after the machine began. */
static void fill_as_usual(struct record *record)
{
    static const enum mark marks[] = {MARK_C_ACCEPT, MARK_C_FIRST, MARK_C_HEAD, MARK_P_POLICY,
                                      MARK_P_SLOT,   MARK_U_DNS0,  MARK_U_DNS1, MARK_U_SYN0,
                                      MARK_U_SYN1,   MARK_D_TX0,   MARK_D_TX1,  MARK_T_OPEN};
    record->kind = RECORD_TUNNEL;
    record->id = 0x0001000000abcdef;
    record->status = 200;
    record->client_major = record->client_minor = 1;
    record->client = endpoint_of("192.0.2.17:51234");
    record->listener = endpoint_of("192.0.2.1:3128");
    record->upstream = endpoint_of("198.51.100.23:443");
    record->source = endpoint_of("192.0.2.1:40123");
    record->client_conn_id = 0x0001000000abcdee;
    record->upstream_conn_id = 0x0001000000abcdf0;
    record->client_use = record->upstream_use = 1;
    record->client_in_bytes = 310;
    record->client_out_bytes = 39;
    record->timeline.wall_ns = 1780000000123456789;
    record->timeline.base_ns = 6048000123456789;
    for (size_t i = 0; i < COUNT_OF(marks); i++)
        record->timeline.at_ns[marks[i]] = 6048000123456789 + i * 1234567;
    record->dns_source = DNS_CACHE;
    record->dns_answers = 2;
    record->attempt_count = 1;
    record->attempts[0] = (struct record_attempt){
        .peer = record->upstream, .begin_ns = 6048000125926000, .end_ns = 6048000127160456};
    record_set(record, &record->method, SLICE("CONNECT"), 32);
    record_set(record, &record->url, SLICE("images.static.example.org.uk:443"), RECORD_URL_MAX);
    record_set(record, &record->host, SLICE("images.static.example.org.uk"), 255);
    record_set(record, &record->user_agent, SLICE("Mozilla/5.0 (X11; Linux x86_64)"), 256);
}

/* A packed record is small: an idle tunnel keeps one. */
static void a_usual_record_is_small(void **state)
{
    struct fixture *f = *state;
    fill_as_usual(&f->record);
    size_t bytes = assert_comes_back(f);
    assert_true(bytes <= 384);
    assert_true(bytes >= 256); /* else this record is not a usual one */
}

/* A record without a fact needs no more than the bits that say so. */
static void an_empty_record_is_smaller_still(void **state)
{
    struct fixture *f = *state;
    assert_true(assert_comes_back(f) <= 32);
}

/* A record with this in each byte of its fixed part, but for the two that say what of it is there: all attempts, and no
 * text. */
static void fill_with(struct record *record, int byte)
{
    memset(record, byte, offsetof(struct record, text));
    record->attempt_count = RECORD_ATTEMPTS_MAX;
    record->text_len = 0;
}

static bool says_what_is_there(size_t at)
{
    return at < sizeof((struct record){0}.size) || at == offsetof(struct record, attempt_count) ||
           at == offsetof(struct record, text_len) || at == offsetof(struct record, text_len) + 1;
}

/* Each byte of the fixed part comes back by itself, and beside all others. */
static void each_byte_comes_back(void **state)
{
    struct fixture *f = *state;
    unsigned char *bytes = (unsigned char *)&f->record;
    for (size_t i = 0; i < offsetof(struct record, text); i++) {
        if (says_what_is_there(i))
            continue;
        fill_with(&f->record, 0);
        bytes[i] = 0x80;
        (void)assert_comes_back(f);
        bytes[i] = 1;
        (void)assert_comes_back(f);
    }
    fill_with(&f->record, 0xff);
    (void)assert_comes_back(f);
    for (size_t i = 0; i < offsetof(struct record, text); i += 3)
        bytes[i] = says_what_is_there(i) ? bytes[i] : 0;
    (void)assert_comes_back(f);
}

/* Attempts that were not made take no room, whatever lies there. */
static void attempts_that_were_not_made_are_left_out(void **state)
{
    struct fixture *f = *state;
    fill_as_usual(&f->record);
    f->record.text_len = SHELF_FRESH_TEXT_MAX + 1; /* packed at once */
    size_t bytes = assert_comes_back(f);
    memset(&f->record.attempts[1], 0xee,
           sizeof(f->record.attempts) - sizeof(f->record.attempts[0]));
    assert_int_equal(assert_comes_back(f), bytes);
}

/* Texts of every length come back, so that each size of the shelf was used, up to a record that is full. */
static void texts_of_every_length_come_back(void **state)
{
    struct fixture *f = *state;
    for (size_t len = 0; len <= RECORD_TEXT_MAX; len += len < 1024 ? 1 : 61) {
        fill_as_usual(&f->record);
        f->record.text_len = (uint16_t)len;
        for (size_t i = 0; i < len; i++)
            f->record.text[i] = (char)('a' + i % 26);
        (void)assert_comes_back(f);
    }
    fill_with(&f->record, 0xff);
    f->record.text_len = RECORD_TEXT_MAX;
    (void)assert_comes_back(f);
}

/* Records stay as they were put while others come and go. */
static void records_do_not_disturb_each_other(void **state)
{
    enum { MANY = 500 };
    struct fixture *f = *state;
    static struct record_kept kept[MANY];
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < MANY; i++) {
            record_shelf_drop(&f->shelf, &kept[i]);
            record_begin(&f->record);
            f->record.id = i + 1;
            f->record.text_len = (uint16_t)(i * (round + 1));
            memset(f->record.text, 'a' + (int)(i % 26), f->record.text_len);
            assert_int_equal(record_shelf_put(&f->shelf, &f->record, &kept[i]), ST_OK);
        }
        if (round == 1)
            (void)record_shelf_tidy(&f->shelf);
        for (size_t i = 0; i < MANY; i++) {
            record_shelf_get(&kept[i], &f->back);
            assert_int_equal(f->back.id, i + 1);
            assert_int_equal(f->back.text_len, i * (round + 1));
            for (size_t at = 0; at < f->back.text_len; at++)
                assert_int_equal(f->back.text[at], 'a' + i % 26);
        }
    }
    for (size_t i = 0; i < MANY; i++)
        record_shelf_drop(&f->shelf, &kept[i]);
}

/* Of many records the oldest are packed as others come, and the last ones lie as they are until somebody asks: a
 * record that is dropped soon was never packed. */
static void the_oldest_are_packed_as_others_come(void **state)
{
    enum { MANY = SHELF_FRESH_MAX + 3 };
    struct fixture *f = *state;
    static struct record_kept kept[MANY];
    fill_as_usual(&f->record);
    record_seal(&f->record);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(record_shelf_put(&f->shelf, &f->record, &kept[i]), ST_OK);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(record_packed_bytes(&kept[i]) > 0, i < 3);
    record_shelf_drop(&f->shelf, &kept[5]);
    struct record_kept next = {0};
    assert_int_equal(record_shelf_put(&f->shelf, &f->record, &next), ST_OK);
    assert_int_equal(record_packed_bytes(&kept[3]), 0); /* there was room */
    (void)record_shelf_tidy(&f->shelf);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(record_packed_bytes(&kept[i]) > 0, i != 5);
    for (size_t i = 0; i < MANY; i++)
        record_shelf_drop(&f->shelf, &kept[i]);
    record_shelf_drop(&f->shelf, &next);
}

/* A record with much text is packed at once. */
static void much_text_is_packed_at_once(void **state)
{
    struct fixture *f = *state;
    struct record_kept kept = {0};
    for (unsigned more = 0; more < 2; more++) {
        f->record.text_len = (uint16_t)(SHELF_FRESH_TEXT_MAX + more);
        assert_int_equal(record_shelf_put(&f->shelf, &f->record, &kept), ST_OK);
        assert_int_equal(record_packed_bytes(&kept) > 0, more);
        record_shelf_drop(&f->shelf, &kept);
    }
}

/* What the records took before they were packed goes back with the second call after that. */
static void packing_gives_back_what_was_not_needed(void **state)
{
    enum { MANY = 100 };
    struct fixture *f = *state;
    static struct record_kept kept[MANY];
    fill_as_usual(&f->record);
    record_seal(&f->record);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(record_shelf_put(&f->shelf, &f->record, &kept[i]), ST_OK);
    (void)record_shelf_tidy(&f->shelf); /* under the address sanitizer all goes back at once */
    assert_false(record_shelf_tidy(&f->shelf));
    for (size_t i = 0; i < MANY; i++) {
        assert_is_as_it_was(f, &kept[i]);
        record_shelf_drop(&f->shelf, &kept[i]);
    }
}

/* Where it lies as it was its fixed part can be changed; packed, it is put anew. */
static void a_record_is_changed(void **state)
{
    struct fixture *f = *state;
    struct record_kept kept = {0};
    assert_null(record_shelf_front(&kept));
    assert_false(record_is_kept(&kept));
    fill_as_usual(&f->record);
    record_seal(&f->record);
    assert_int_equal(record_shelf_put(&f->shelf, &f->record, &kept), ST_OK);
    record_shelf_front(&kept)->inside.turns = f->record.inside.turns = 7;
    assert_is_as_it_was(f, &kept);
    (void)record_shelf_tidy(&f->shelf);
    assert_is_as_it_was(f, &kept);
    assert_null(record_shelf_front(&kept));

    record_set(&f->record, &f->record.sni, SLICE("www.example.org"), 255);
    record_seal(&f->record);
    record_shelf_renew(&f->shelf, &f->record, &kept);
    assert_true(record_is_kept(&kept));
    assert_is_as_it_was(f, &kept);
    record_shelf_drop(&f->shelf, &kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_usual_record_is_small, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_record_is_smaller_still, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_byte_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(attempts_that_were_not_made_are_left_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(texts_of_every_length_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(records_do_not_disturb_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_oldest_are_packed_as_others_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(much_text_is_packed_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_record_is_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(packing_gives_back_what_was_not_needed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
