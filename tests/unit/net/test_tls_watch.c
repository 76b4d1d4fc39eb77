/* What the watch makes of bytes. */
#include "watch_play.h"

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
