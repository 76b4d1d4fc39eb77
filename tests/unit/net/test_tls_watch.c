/* What the watch makes of bytes, each play once in whole records and once byte by byte. A millisecond passes with each
 * step, so that a moment is the number of its step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "net/tls_watch.h"

#include <string.h>

#define CLIENT TLS_WATCH_CLIENT
#define SERVER TLS_WATCH_SERVER
enum { CCS = 20, ALERT = 21, HANDSHAKE = 22, DATA = 23 };
enum { FINISHED = 69, TICKET = 250, QUIET_MS = 5 };

struct bytes {
    char at[40000];
    size_t len;
};

static void put(struct bytes *bytes, const void *from, size_t len)
{
    assert_true(bytes->len + len <= sizeof(bytes->at));
    memcpy(bytes->at + bytes->len, from, len);
    bytes->len += len;
}

static void put_number(struct bytes *bytes, size_t number, size_t size)
{
    for (size_t i = size; i > 0; i--) {
        char c = (char)(unsigned char)(number >> 8 * (i - 1));
        put(bytes, &c, 1);
    }
}

/* ---- hellos ---- */

struct hello {
    bool has_psk, has_early, is_retry, is_12, is_h2;
    size_t padding;   /* an extension of that length */
    size_t psk_bytes; /* of the keys offered */
};

static void put_extension(struct bytes *bytes, size_t type, const char *body, size_t len)
{
    put_number(bytes, type, 2);
    put_number(bytes, len, 2);
    put(bytes, body, len);
}

static void put_message(struct bytes *bytes, size_t type, const struct bytes *body)
{
    put_number(bytes, type, 1);
    put_number(bytes, body->len, 3);
    put(bytes, body->at, body->len);
}

static struct bytes client_hello(struct hello as)
{
    static char zeros[30000];
    struct bytes extensions = {.len = 0};
    struct bytes body = {.len = 0};
    struct bytes message = {.len = 0};
    put_extension(&extensions, 0, "\0\6\0\0\3a.b", 8);
    if (!as.is_12)
        put_extension(&extensions, 43, "\4\3\4\3\3", 5);
    if (as.padding > 0)
        put_extension(&extensions, 21, zeros, as.padding);
    if (as.has_early)
        put_extension(&extensions, 42, "", 0);
    if (as.has_psk)
        put_extension(&extensions, 41, zeros, as.psk_bytes);
    put_number(&body, 0x0303, 2);
    put(&body, zeros, 32);
    put(&body, "\0\0\2\x13\1\1\0", 7);
    put_number(&body, extensions.len, 2);
    put(&body, extensions.at, extensions.len);
    put_message(&message, 1, &body);
    return message;
}

static struct bytes server_hello(struct hello as)
{
    static const char retry[] = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"
                                "\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c";
    static char zeros[2000];
    struct bytes extensions = {.len = 0};
    struct bytes body = {.len = 0};
    struct bytes message = {.len = 0};
    put_extension(&extensions, 51, zeros, 1100); /* a key share of today */
    if (as.is_h2)
        put_extension(&extensions, 16, "\0\3\2h2", 5);
    if (as.has_psk)
        put_extension(&extensions, 41, "\0\0", 2);
    if (!as.is_12)
        put_extension(&extensions, 43, "\3\4", 2);
    put_number(&body, 0x0303, 2);
    put(&body, as.is_retry ? retry : zeros, 32);
    put_number(&body, 32, 1);
    put(&body, zeros, 32);
    put_number(&body, as.is_12 ? 0xc02f : 0x1302, 2);
    put_number(&body, 0, 1);
    put_number(&body, extensions.len, 2);
    put(&body, extensions.at, extensions.len);
    put_message(&message, 2, &body);
    return message;
}

/* ---- the play ---- */

struct play {
    struct tls_watch watch;
    struct tls_watch_means means;
    struct block_pool *blocks;
    size_t piece; /* bytes that are shown at once */
    uint64_t now_ms;
    unsigned hellos;
};

static void on_hello(void *owner, const struct tls_hello *hello)
{
    struct play *play = owner;
    assert_true(slice_equals(hello->name, SLICE("a.b")));
    play->hellos++;
}

static void play_begin(struct play *play, size_t piece)
{
    static char scratch[TLS_HELLO_MAX];
    *play = (struct play){.piece = piece};
    play->blocks = block_pool_create(0, 0);
    play->means = (struct tls_watch_means){play->blocks, scratch, play, on_hello};
    tls_watch_init(&play->watch, QUIET_MS * NS_PER_MS);
}

static void play_end(struct play *play)
{
    tls_watch_done(&play->watch);
    block_pool_destroy(&play->blocks);
}

static void show(struct play *play, enum tls_watch_side side, const char *at, size_t len)
{
    for (size_t n = 0; n < len; n += play->piece) {
        size_t here = len - n < play->piece ? len - n : play->piece;
        tls_watch_see(&play->watch, side, slice_of(at + n, here), play->now_ms * NS_PER_MS,
                      &play->means);
    }
}

/* One step: a record. */
static void record(struct play *play, enum tls_watch_side side, int type, const struct bytes *body)
{
    struct bytes bytes = {.len = 0};
    play->now_ms++;
    put_number(&bytes, (size_t)type << 16 | 0x0303, 3);
    put_number(&bytes, body->len, 2);
    put(&bytes, body->at, body->len);
    show(play, side, bytes.at, bytes.len);
}

/* One step: a record of which only the length matters. */
static void sealed(struct play *play, enum tls_watch_side side, int type, size_t len)
{
    struct bytes body = {.len = len};
    memset(body.at, 0x55, len);
    record(play, side, type, &body);
}

static void hello(struct play *play, struct hello as)
{
    struct bytes message = client_hello(as);
    record(play, TLS_WATCH_CLIENT, HANDSHAKE, &message);
}

static void answer(struct play *play, struct hello as)
{
    struct bytes message = server_hello(as);
    record(play, TLS_WATCH_SERVER, HANDSHAKE, &message);
}

/* A clear handshake message in a record. */
static void message(struct play *play, enum tls_watch_side side, size_t type, size_t len)
{
    struct bytes body = {.len = len};
    struct bytes whole = {.len = 0};
    memset(body.at, 0, len);
    put_message(&whole, type, &body);
    record(play, side, HANDSHAKE, &whole);
}

static void assert_moments(const struct play *play, uint64_t hello, uint64_t answer, uint64_t done,
                           uint64_t request, uint64_t response)
{
    struct tls_watch_facts facts = tls_watch_facts(&play->watch);
    assert_int_equal(facts.hello_ns / NS_PER_MS, hello);
    assert_int_equal(facts.answer_ns / NS_PER_MS, answer);
    assert_int_equal(facts.done_ns / NS_PER_MS, done);
    assert_int_equal(facts.request_ns / NS_PER_MS, request);
    assert_int_equal(facts.response_ns / NS_PER_MS, response);
}

/* Each play runs in whole records, in pieces of 1,000 bytes, and byte by byte. */
static void play_all(void (*play_it)(struct play *play))
{
    static const size_t pieces[] = {SIZE_MAX / 2, 1000, 1};
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        struct play play;
        play_begin(&play, pieces[i]);
        play_it(&play);
        play_end(&play);
    }
}

/* ---- TLS 1.3 ---- */

static void play_full_13(struct play *play)
{
    hello(play, (struct hello){0});       /* 1 */
    answer(play, (struct hello){0});      /* 2 */
    sealed(play, SERVER, CCS, 1);         /* 3 */
    sealed(play, SERVER, DATA, 3000);     /* 4: certificate and so on */
    sealed(play, SERVER, DATA, FINISHED); /* 5 */
    sealed(play, CLIENT, CCS, 1);         /* 6 */
    sealed(play, CLIENT, DATA, FINISHED); /* 7 */
    sealed(play, CLIENT, DATA, 100);      /* 8: the request */
    sealed(play, SERVER, DATA, TICKET);   /* 9 */
    sealed(play, SERVER, DATA, TICKET);   /* 10 */
    assert_int_equal(play->watch.state, TLS_WATCH_LOOKS);
    sealed(play, SERVER, DATA, 1000); /* 11: the response */
    assert_int_equal(play->watch.state, TLS_WATCH_KNOWS);
    assert_moments(play, 1, 2, 7, 8, 11);
    struct tls_watch_facts facts = tls_watch_facts(&play->watch);
    assert_int_equal(facts.version, 0x0304);
    assert_int_equal(facts.offered, 0x0304);
    assert_int_equal(facts.cipher, 0x1302);
    assert_false(facts.is_resumed || facts.is_retried || facts.has_early_data ||
                 facts.asks_client || facts.is_false_start || facts.has_ech);
    assert_int_equal(facts.alert_by, TLS_WATCH_BY_NOBODY);
    assert_int_equal(play->hellos, 1);
}

static void a_full_handshake_of_13(void **state)
{
    (void)state;
    play_all(play_full_13);
}

static void play_open_13(struct play *play, struct hello as)
{
    hello(play, as);                      /* 1 */
    answer(play, as);                     /* 2 */
    sealed(play, SERVER, DATA, 100);      /* 3 */
    sealed(play, SERVER, DATA, FINISHED); /* 4 */
    sealed(play, CLIENT, DATA, FINISHED); /* 5 */
}

static void play_resumed(struct play *play)
{
    play_open_13(play, (struct hello){.has_psk = true});
    assert_true(tls_watch_facts(&play->watch).is_resumed);
    assert_moments(play, 1, 2, 5, 0, 0);
}

static void a_key_that_is_taken_is_resumption(void **state)
{
    (void)state;
    play_all(play_resumed);
}

static void play_tickets_first(struct play *play)
{
    play_open_13(play, (struct hello){0});
    sealed(play, SERVER, DATA, TICKET); /* 6 */
    play->now_ms = 1000;
    sealed(play, CLIENT, DATA, 100); /* 1001 */
    sealed(play, SERVER, DATA, 40);  /* 1002: small, but long after the handshake */
    assert_moments(play, 1, 2, 5, 1001, 1002);
}

static void what_comes_before_the_request_is_no_response(void **state)
{
    (void)state;
    play_all(play_tickets_first);
}

static void play_small_response(struct play *play)
{
    play_open_13(play, (struct hello){0});
    sealed(play, CLIENT, DATA, 100);    /* 6 */
    sealed(play, SERVER, DATA, TICKET); /* 7 */
    sealed(play, SERVER, DATA, 120);    /* 8: is it a ticket? */
    assert_int_equal(play->watch.state, TLS_WATCH_LOOKS);
    assert_moments(play, 1, 2, 5, 6, 8); /* if nothing more comes, it was none */
    play->now_ms = 100;
    sealed(play, CLIENT, DATA, 100); /* nor if the client asks again */
    assert_int_equal(play->watch.state, TLS_WATCH_KNOWS);
    assert_moments(play, 1, 2, 5, 6, 8);
}

static void a_small_response_is_known_by_what_follows(void **state)
{
    (void)state;
    play_all(play_small_response);
}

static void play_retry(struct play *play)
{
    hello(play, (struct hello){0});                 /* 1 */
    answer(play, (struct hello){.is_retry = true}); /* 2 */
    assert_int_equal(tls_watch_facts(&play->watch).version, 0);
    sealed(play, SERVER, CCS, 1);         /* 3 */
    sealed(play, CLIENT, CCS, 1);         /* 4 */
    hello(play, (struct hello){0});       /* 5 */
    answer(play, (struct hello){0});      /* 6 */
    sealed(play, SERVER, DATA, FINISHED); /* 7 */
    sealed(play, CLIENT, DATA, FINISHED); /* 8 */
    sealed(play, CLIENT, DATA, 100);      /* 9 */
    sealed(play, SERVER, DATA, 1000);     /* 10 */
    assert_moments(play, 1, 2, 8, 9, 10);
    assert_true(tls_watch_facts(&play->watch).is_retried);
    assert_int_equal(tls_watch_facts(&play->watch).version, 0x0304);
    assert_int_equal(play->hellos, 1);
}

static void a_hello_retry_request_is_a_round_trip_more(void **state)
{
    (void)state;
    play_all(play_retry);
}

static void play_certificates(struct play *play)
{
    hello(play, (struct hello){0});       /* 1 */
    answer(play, (struct hello){0});      /* 2 */
    sealed(play, SERVER, DATA, 900);      /* 3 */
    sealed(play, CLIENT, DATA, 700);      /* 4: Certificate */
    sealed(play, CLIENT, DATA, 281);      /* 5: CertificateVerify */
    sealed(play, CLIENT, DATA, FINISHED); /* 6 */
    sealed(play, CLIENT, DATA, 100);      /* 7 */
    sealed(play, SERVER, DATA, 1000);     /* 8 */
    assert_moments(play, 1, 2, 6, 7, 8);
    assert_true(tls_watch_facts(&play->watch).has_client_certificate);
}

static void a_client_certificate_comes_before_finished(void **state)
{
    (void)state;
    play_all(play_certificates);
}

static void play_long_tickets(struct play *play)
{
    hello(play, (struct hello){0});       /* 1 */
    answer(play, (struct hello){0});      /* 2 */
    sealed(play, CLIENT, DATA, 464);      /* 3: Certificate */
    sealed(play, CLIENT, DATA, FINISHED); /* 4 */
    sealed(play, CLIENT, DATA, 100);      /* 5 */
    sealed(play, SERVER, DATA, 700);      /* 6: a ticket with that certificate in it */
    sealed(play, SERVER, DATA, 1000);     /* 7 */
    assert_moments(play, 1, 2, 4, 5, 7);
}

static void a_ticket_may_hold_a_client_certificate(void **state)
{
    (void)state;
    play_all(play_long_tickets);
}

static void play_tickets_like_the_last(struct play *play)
{
    play_open_13(play, (struct hello){.has_psk = true, .psk_bytes = 700});
    sealed(play, CLIENT, DATA, 100); /* 6 */
    sealed(play, SERVER, DATA, 700); /* 7: another such ticket */
    sealed(play, SERVER, DATA, 800); /* 8 */
    assert_moments(play, 1, 2, 5, 6, 8);
}

static void a_ticket_may_be_as_long_as_the_one_offered(void **state)
{
    (void)state;
    play_all(play_tickets_like_the_last);
}

static void play_padded(struct play *play)
{
    hello(play, (struct hello){0});            /* 1 */
    answer(play, (struct hello){0});           /* 2 */
    sealed(play, SERVER, DATA, FINISHED + 16); /* 3 */
    sealed(play, CLIENT, DATA, FINISHED + 16); /* 4 */
    sealed(play, CLIENT, DATA, 68);            /* 5 */
    struct tls_watch_facts facts = tls_watch_facts(&play->watch);
    assert_moments(play, 1, 2, 4, 5, 0);
    assert_false(facts.asks_client);
    sealed(play, SERVER, DATA, 35); /* 6 */
    facts = tls_watch_facts(&play->watch);
    assert_true(facts.alert_by == TLS_WATCH_BY_SERVER && facts.alert_is_hidden);
}

static void padding_hides_neither_finished_nor_alert(void **state)
{
    (void)state;
    play_all(play_padded);
}

static void play_padded_refusal(struct play *play)
{
    hello(play, (struct hello){0});
    answer(play, (struct hello){0});
    sealed(play, CLIENT, DATA, 35);
    struct tls_watch_facts facts = tls_watch_facts(&play->watch);
    assert_true(facts.alert_by == TLS_WATCH_BY_CLIENT && facts.alert_is_hidden);
    assert_false(facts.asks_client);
}

static void padding_hides_no_refusal(void **state)
{
    (void)state;
    play_all(play_padded_refusal);
}

static void play_no_certificate(struct play *play)
{
    hello(play, (struct hello){0});
    answer(play, (struct hello){0});
    sealed(play, CLIENT, DATA, 25);       /* 3: a Certificate message with nothing in it */
    sealed(play, CLIENT, DATA, FINISHED); /* 4 */
    sealed(play, SERVER, DATA, 19);       /* 5: an alert */
    struct tls_watch_facts facts = tls_watch_facts(&play->watch);
    assert_moments(play, 1, 2, 4, 0, 0);
    assert_true(facts.asks_client && !facts.has_client_certificate);
    assert_true(facts.alert_by == TLS_WATCH_BY_SERVER && facts.alert_is_hidden);
    assert_int_equal(play->watch.state, TLS_WATCH_KNOWS);
}

static void a_client_that_has_no_certificate_is_refused(void **state)
{
    (void)state;
    play_all(play_no_certificate);
}

static void play_one_flight(struct play *play)
{
    hello(play, (struct hello){0});
    answer(play, (struct hello){0});
    sealed(play, CLIENT, DATA, 1034); /* 3: all of the client's flight */
    sealed(play, CLIENT, DATA, 100);  /* 4 */
    sealed(play, SERVER, DATA, 1000); /* 5 */
    assert_moments(play, 1, 2, 3, 4, 5);
}

static void a_flight_may_be_one_record(void **state)
{
    (void)state;
    play_all(play_one_flight);
}

static void play_early(struct play *play)
{
    struct hello as = {.has_psk = true, .has_early = true};
    hello(play, as);                      /* 1 */
    sealed(play, CLIENT, CCS, 1);         /* 2 */
    sealed(play, CLIENT, DATA, 100);      /* 3: early data */
    answer(play, as);                     /* 4 */
    sealed(play, SERVER, DATA, 30);       /* 5: EncryptedExtensions */
    sealed(play, SERVER, DATA, FINISHED); /* 6 */
    sealed(play, SERVER, DATA, 500);      /* 7: the response */
    sealed(play, CLIENT, DATA, 21);       /* 8: EndOfEarlyData */
    sealed(play, CLIENT, DATA, FINISHED); /* 9 */
    assert_moments(play, 1, 4, 9, 3, 7);
    assert_true(play->watch.facts.has_early_data && !play->watch.facts.early_data_is_refused);
    assert_int_equal(play->watch.state, TLS_WATCH_KNOWS);
}

static void early_data_is_the_request(void **state)
{
    (void)state;
    play_all(play_early);
}

/* The server has said all before anything follows the ClientHello: 1 to 3. */
static void play_quick_answer(struct play *play)
{
    hello(play, (struct hello){.has_psk = true, .has_early = true});
    answer(play, (struct hello){.has_psk = true});
    sealed(play, SERVER, DATA, FINISHED);
}

static void play_early_overtaken(struct play *play)
{
    play_quick_answer(play);
    sealed(play, CLIENT, DATA, 100); /* 4: early data */
    sealed(play, SERVER, DATA, 500); /* 5: the response */
    sealed(play, CLIENT, DATA, 21);  /* 6: EndOfEarlyData */
    sealed(play, CLIENT, DATA, FINISHED);
    assert_moments(play, 1, 2, 7, 4, 5);
    assert_true(play->watch.facts.has_early_data && !play->watch.facts.asks_client);
}

static void play_early_empty(struct play *play)
{
    play_quick_answer(play);
    sealed(play, CLIENT, DATA, 21); /* 4: EndOfEarlyData, of none */
    sealed(play, CLIENT, DATA, FINISHED);
    sealed(play, CLIENT, DATA, 100);  /* 6 */
    sealed(play, SERVER, DATA, 1000); /* 7 */
    assert_moments(play, 1, 2, 5, 6, 7);
    assert_false(play->watch.facts.has_early_data || play->watch.facts.asks_client);
}

static void a_quick_answer_may_overtake_early_data(void **state)
{
    (void)state;
    play_all(play_early_overtaken);
    play_all(play_early_empty);
}

static void play_early_refused(struct play *play)
{
    hello(play, (struct hello){.has_psk = true, .has_early = true});
    sealed(play, CLIENT, DATA, 100);      /* 2: early data */
    answer(play, (struct hello){0});      /* 3 */
    sealed(play, SERVER, DATA, FINISHED); /* 4 */
    sealed(play, CLIENT, DATA, FINISHED); /* 5: nobody ends what nobody reads */
    sealed(play, CLIENT, DATA, 100);      /* 6: once more */
    sealed(play, SERVER, DATA, 1000);     /* 7 */
    assert_moments(play, 1, 3, 5, 6, 7);
    assert_true(tls_watch_facts(&play->watch).early_data_is_refused);
}

static void early_data_may_be_refused(void **state)
{
    (void)state;
    play_all(play_early_refused);
}

static void play_early_retry(struct play *play)
{
    hello(play, (struct hello){.has_psk = true, .has_early = true});
    sealed(play, CLIENT, DATA, 100);
    answer(play, (struct hello){.is_retry = true});
    hello(play, (struct hello){.has_psk = true}); /* 4 */
    answer(play, (struct hello){.has_psk = true});
    sealed(play, CLIENT, DATA, FINISHED); /* 6 */
    sealed(play, CLIENT, DATA, 100);      /* 7 */
    sealed(play, SERVER, DATA, 1000);     /* 8 */
    assert_moments(play, 1, 3, 6, 7, 8);
    struct tls_watch_facts facts = tls_watch_facts(&play->watch);
    assert_true(facts.is_retried && facts.early_data_is_refused && facts.is_resumed);
}

static void a_hello_retry_request_refuses_early_data(void **state)
{
    (void)state;
    play_all(play_early_retry);
}

static void play_refused_by_client(struct play *play)
{
    hello(play, (struct hello){0});
    answer(play, (struct hello){0});
    sealed(play, CLIENT, DATA, 19);
    struct tls_watch_facts facts = tls_watch_facts(&play->watch);
    assert_true(facts.alert_by == TLS_WATCH_BY_CLIENT && facts.alert_is_hidden);
    assert_moments(play, 1, 2, 0, 0, 0);
}

static void a_hidden_alert_refuses_the_handshake(void **state)
{
    (void)state;
    play_all(play_refused_by_client);
}

static void play_good_bye(struct play *play)
{
    play_open_13(play, (struct hello){0});
    sealed(play, CLIENT, DATA, 19);
    sealed(play, SERVER, DATA, 19);
    assert_int_equal(tls_watch_facts(&play->watch).alert_by, TLS_WATCH_BY_NOBODY);
    assert_moments(play, 1, 2, 5, 0, 0);
}

static void a_good_bye_that_is_answered_is_no_alert(void **state)
{
    (void)state;
    play_all(play_good_bye);
}

/* ---- TLS 1.2 ---- */

static void play_full_12(struct play *play)
{
    struct hello as = {.is_12 = true};
    hello(play, as);                     /* 1 */
    answer(play, as);                    /* 2 */
    message(play, SERVER, 11, 3000);     /* 3 */
    message(play, SERVER, 12, 300);      /* 4 */
    message(play, SERVER, 13, 30);       /* 5: CertificateRequest */
    message(play, SERVER, 14, 0);        /* 6 */
    message(play, CLIENT, 11, 700);      /* 7 */
    message(play, CLIENT, 16, 33);       /* 8 */
    sealed(play, CLIENT, CCS, 1);        /* 9 */
    sealed(play, CLIENT, HANDSHAKE, 40); /* 10 */
    message(play, SERVER, 4, 180);       /* 11: NewSessionTicket */
    sealed(play, SERVER, CCS, 1);        /* 12 */
    sealed(play, SERVER, HANDSHAKE, 40); /* 13 */
    sealed(play, CLIENT, DATA, 100);     /* 14 */
    sealed(play, SERVER, DATA, 50);      /* 15: small, and no ticket */
    assert_moments(play, 1, 2, 13, 14, 15);
    struct tls_watch_facts facts = tls_watch_facts(&play->watch);
    assert_int_equal(facts.version, 0x0303);
    assert_int_equal(facts.offered, 0x0303);
    assert_int_equal(facts.cipher, 0xc02f);
    assert_true(facts.has_client_certificate && !facts.is_resumed && !facts.is_false_start);
}

static void a_full_handshake_of_12(void **state)
{
    (void)state;
    play_all(play_full_12);
}

static void play_abbreviated(struct play *play)
{
    struct hello as = {.is_12 = true};
    hello(play, as);                     /* 1 */
    answer(play, as);                    /* 2 */
    message(play, SERVER, 4, 180);       /* 3: a new ticket */
    sealed(play, SERVER, CCS, 1);        /* 4 */
    sealed(play, SERVER, HANDSHAKE, 40); /* 5 */
    sealed(play, CLIENT, CCS, 1);        /* 6 */
    sealed(play, CLIENT, HANDSHAKE, 40); /* 7 */
    sealed(play, CLIENT, DATA, 100);     /* 8 */
    sealed(play, SERVER, DATA, 50);      /* 9 */
    assert_moments(play, 1, 2, 7, 8, 9);
    assert_true(tls_watch_facts(&play->watch).is_resumed);
}

static void an_abbreviated_handshake_ends_with_the_client(void **state)
{
    (void)state;
    play_all(play_abbreviated);
}

static void play_false_start(struct play *play)
{
    struct hello as = {.is_12 = true, .is_h2 = true};
    hello(play, as);                     /* 1 */
    answer(play, as);                    /* 2 */
    message(play, SERVER, 11, 3000);     /* 3 */
    message(play, SERVER, 14, 0);        /* 4 */
    message(play, CLIENT, 16, 33);       /* 5 */
    sealed(play, CLIENT, CCS, 1);        /* 6 */
    sealed(play, CLIENT, HANDSHAKE, 40); /* 7 */
    sealed(play, CLIENT, DATA, 100);     /* 8 */
    sealed(play, SERVER, CCS, 1);        /* 9 */
    sealed(play, SERVER, HANDSHAKE, 40); /* 10 */
    sealed(play, SERVER, DATA, 60);      /* 11: settings of HTTP/2 */
    sealed(play, SERVER, DATA, 900);     /* 12 */
    assert_moments(play, 1, 2, 10, 8, 12);
    assert_true(tls_watch_facts(&play->watch).is_false_start);
}

static void a_false_start_comes_before_the_end(void **state)
{
    (void)state;
    play_all(play_false_start);
}

static void play_alert(struct play *play)
{
    struct bytes alert = {.at = {2, 40}, .len = 2};
    struct bytes warning = {.at = {1, 112}, .len = 2};
    hello(play, (struct hello){.is_12 = true});
    record(play, TLS_WATCH_SERVER, ALERT, &warning);
    assert_int_equal(play->watch.state, TLS_WATCH_LOOKS);
    record(play, TLS_WATCH_SERVER, ALERT, &alert);
    struct tls_watch_facts facts = tls_watch_facts(&play->watch);
    assert_int_equal(facts.alert_by, TLS_WATCH_BY_SERVER);
    assert_int_equal(facts.alert, 40);
    assert_false(facts.alert_is_hidden);
    assert_moments(play, 1, 0, 0, 0, 0);
}

static void a_fatal_alert_is_told_with_its_code(void **state)
{
    (void)state;
    play_all(play_alert);
}

/* ---- hellos in pieces, and what is none ---- */

static void a_hello_may_lie_in_many_records(void **state)
{
    (void)state;
    struct play play;
    play_begin(&play, SIZE_MAX / 2);
    struct bytes whole = client_hello((struct hello){.padding = 12000});
    for (size_t at = 0; at < whole.len; at += 3000) {
        struct bytes part = {.len = whole.len - at < 3000 ? whole.len - at : 3000};
        memcpy(part.at, whole.at + at, part.len);
        record(&play, TLS_WATCH_CLIENT, HANDSHAKE, &part);
    }
    answer(&play, (struct hello){0});
    sealed(&play, CLIENT, DATA, FINISHED);
    assert_moments(&play, 5, 6, 7, 0, 0);
    assert_int_equal(play.hellos, 1);
    assert_int_equal(block_pool_used(play.blocks), 0); /* the block is back */
    play_end(&play);
}

static void what_is_no_tls_is_seen_at_once(void **state)
{
    (void)state;
    static const struct {
        enum tls_watch_side side;
        const char *text;
    } others[] = {{CLIENT, "SSH-2.0-x"}, {SERVER, "220 a mail server"}, {CLIENT, "GET / HTTP/1.1"}};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct play play;
        play_begin(&play, 1);
        show(&play, others[i].side, others[i].text, 1);
        assert_int_equal(play.watch.state, TLS_WATCH_NOT_TLS);
        assert_false(tls_watch_wants(&play.watch, CLIENT));
        play_end(&play);
    }
}

static void it_does_not_look_for_ever(void **state)
{
    (void)state;
    struct play play;
    play_begin(&play, SIZE_MAX / 2);
    hello(&play, (struct hello){0});
    answer(&play, (struct hello){0});
    for (int i = 0; i < 10; i++)
        sealed(&play, SERVER, DATA, 16000);
    assert_int_equal(play.watch.state, TLS_WATCH_LOST); /* no handshake is that long */
    play_end(&play);

    play_begin(&play, SIZE_MAX / 2);
    play_open_13(&play, (struct hello){0});
    for (int i = 0; i < 6; i++) {
        assert_true(tls_watch_wants(&play.watch, CLIENT));
        sealed(&play, CLIENT, DATA, 16000); /* an upload: only the response is of interest */
    }
    assert_false(tls_watch_wants(&play.watch, CLIENT));
    assert_true(tls_watch_wants(&play.watch, SERVER));
    play_end(&play);
}

static void nonsense_ends_it(void **state)
{
    (void)state;
    struct play play;
    play_begin(&play, 1);
    hello(&play, (struct hello){0});
    show(&play, TLS_WATCH_SERVER, "HTTP/1.1", 8);
    assert_int_equal(play.watch.state, TLS_WATCH_LOST);
    assert_moments(&play, 1, 0, 0, 0, 0); /* what was seen stays */
    play_end(&play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_handshake_of_13),
        cmocka_unit_test(a_key_that_is_taken_is_resumption),
        cmocka_unit_test(what_comes_before_the_request_is_no_response),
        cmocka_unit_test(a_small_response_is_known_by_what_follows),
        cmocka_unit_test(a_hello_retry_request_is_a_round_trip_more),
        cmocka_unit_test(a_client_certificate_comes_before_finished),
        cmocka_unit_test(a_ticket_may_hold_a_client_certificate),
        cmocka_unit_test(a_ticket_may_be_as_long_as_the_one_offered),
        cmocka_unit_test(padding_hides_neither_finished_nor_alert),
        cmocka_unit_test(padding_hides_no_refusal),
        cmocka_unit_test(a_client_that_has_no_certificate_is_refused),
        cmocka_unit_test(a_flight_may_be_one_record),
        cmocka_unit_test(early_data_is_the_request),
        cmocka_unit_test(a_quick_answer_may_overtake_early_data),
        cmocka_unit_test(early_data_may_be_refused),
        cmocka_unit_test(a_hello_retry_request_refuses_early_data),
        cmocka_unit_test(a_hidden_alert_refuses_the_handshake),
        cmocka_unit_test(a_good_bye_that_is_answered_is_no_alert),
        cmocka_unit_test(a_full_handshake_of_12),
        cmocka_unit_test(an_abbreviated_handshake_ends_with_the_client),
        cmocka_unit_test(a_false_start_comes_before_the_end),
        cmocka_unit_test(a_fatal_alert_is_told_with_its_code),
        cmocka_unit_test(a_hello_may_lie_in_many_records),
        cmocka_unit_test(what_is_no_tls_is_seen_at_once),
        cmocka_unit_test(it_does_not_look_for_ever),
        cmocka_unit_test(nonsense_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
