#include "tls_test.h"

#include "base/clock.h"
#include "net/tls_sniff.h"

#include <stdio.h>

/* ---- handshake and facts ---- */

static void a_handshake_leaves_the_facts_on_both_ends(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    assert_true(tls_is_tls(f.server));
    assert_false(tls_is_tls(tls_lower(f.server)));
    assert_int_equal(tls_record(f.server).version, 0x0304);
    assert_int_equal(tls_record(f.client).cipher, 0x1301);
    assert_string_equal(tls_record(f.server).cipher_name, "TLS_AES_128_GCM_SHA256");
    assert_true(slice_equals(tls_sni(f.server), SLICE("proxy.example")));
    assert_true(slice_equals(tls_alpn(f.client), SLICE("http/1.1")));
    assert_true(slice_equals(tls_alpn(f.server), SLICE("http/1.1")));
    assert_false(tls_record(f.client).resumed);
    assert_null(tls_verify_error(f.client));
    end_pair(&f);
}

/* shows 9110-4.3.4-3 */
static void an_address_is_verified_as_one_and_never_sent_as_a_name(void **state)
{
    (void)state;
    const struct slice ADDRESSES[] = {SLICE("127.0.0.1"), SLICE("[::1]")};
    for (size_t i = 0; i < COUNT_OF(ADDRESSES); i++) {
        struct fixture f;
        begin_pair(&f, ROOM);
        add_server(&f, server_context);
        add_client(&f, client_context, ADDRESSES[i], NULL);
        shake_well(&f);
        assert_int_equal(tls_sni(f.server).len, 0);
        end_pair(&f);
    }
}

static void check_client_refuses(struct tls_client_context *context, struct slice name,
                                 const char *words)
{
    struct fixture f;
    enum status server = ST_OK;
    enum status client = ST_OK;
    begin_pair(&f, ROOM);
    add_server(&f, server_context);
    add_client(&f, context, name, NULL);
    shake(&f, &server, &client);
    assert_int_equal(client, ST_BAD);
    check_fault(f.client, words);
    assert_non_null(tls_verify_error(f.client));
    assert_int_equal(tls_is_untrusted(f.client), context != client_context); /* foreign ones */
    assert_int_equal(server, ST_BAD);
    assert_true(tls_peer_alert(f.server) > 0);
    check_fault(f.server, "the peer sent the alert");
    expect_status(f.client, ST_BAD);
    end_pair(&f);
}

/* shows 9110-4.3.4-1 */
static void a_certificate_that_is_not_good_is_refused_with_the_reason(void **state)
{
    (void)state;
    check_client_refuses(client_context, SLICE("other.example"), "not valid for other.example");
    check_client_refuses(client_context, SLICE("127.0.0.2"), "not valid for 127.0.0.2");
    struct tls_client_context *foreign =
        make_client(&(struct tls_client_options){.ca = pki_certificate(&foreign_authority)});
    check_client_refuses(foreign, SLICE("proxy.example"),
                         "the server's certificate was refused: its issuer is not trusted here");
    tls_client_context_unref(&foreign);
}

/* What is wrong with a certificate is said in words for people: itself, or the end of its chain. */
static void the_reason_of_a_refusal_is_told(void **state)
{
    (void)state;
    static const struct {
        bool is_issued, sends_issuer;
        const char *words;
    } cases[] = {
        {false, false, "it is self-signed, and not trusted here"},
        {true, true, "the authority at the end of its chain is not trusted here"},
    };
    struct tls_client_context *foreign =
        make_client(&(struct tls_client_options){.ca = pki_certificate(&foreign_authority)});
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pki pair =
            pki_make(&(struct pki_options){.subject = "proxy.example",
                                           .names = "DNS:proxy.example",
                                           .issuer = cases[i].is_issued ? &authority : NULL,
                                           .begin_days = -1,
                                           .end_days = 1});
        char chain[16384];
        int len = snprintf(chain, sizeof(chain), "%s%s", pair.certificate,
                           cases[i].sends_issuer ? authority.certificate : "");
        struct tls_server_context *server = make_server(&(struct tls_server_options){
            .certificate = slice_of(chain, (size_t)len), .key = pki_key(&pair)});
        struct fixture f;
        enum status server_status;
        enum status client_status;
        begin_pair(&f, ROOM);
        add_server(&f, server);
        add_client(&f, cases[i].sends_issuer ? foreign : client_context, SLICE("proxy.example"),
                   NULL);
        shake(&f, &server_status, &client_status);
        assert_int_equal(client_status, ST_BAD);
        check_fault(f.client, cases[i].words);
        assert_true(tls_is_untrusted(f.client));
        end_pair(&f);
        tls_server_context_unref(&server);
        pki_free(&pair);
    }
    tls_client_context_unref(&foreign);
}

/* shows 9110-4.3.4-4 9110-4.3.4-2 */
/* A reference identity of type CN-ID is not used: the subject's common name is nothing to go by. */
static void rfc9110_4_3_4_a_common_name_alone_names_nobody(void **state)
{
    (void)state;
    struct pki pair = pki_make(&(struct pki_options){
        .subject = "proxy.example", .issuer = &authority, .begin_days = -1, .end_days = 1});
    struct tls_server_context *nameless = make_server(
        &(struct tls_server_options){.certificate = pki_certificate(&pair), .key = pki_key(&pair)});
    struct fixture f;
    enum status server;
    enum status client;
    begin_pair(&f, ROOM);
    add_server(&f, nameless);
    add_client(&f, client_context, SLICE("proxy.example"), NULL);
    shake(&f, &server, &client);
    assert_int_equal(client, ST_BAD);
    check_fault(f.client, "not valid for proxy.example");
    end_pair(&f);
    tls_server_context_unref(&nameless);
    pki_free(&pair);
}

static void a_required_client_certificate_is_asked_for_and_verified(void **state)
{
    struct fixture f;
    (void)state;
    struct tls_server_context *strict =
        make_server(&(struct tls_server_options){.certificate = pki_certificate(&server_pair),
                                                 .key = pki_key(&server_pair),
                                                 .client_ca = pki_certificate(&authority),
                                                 .client_cert_is_required = true});
    struct tls_client_context *known =
        make_client(&(struct tls_client_options){.ca = pki_certificate(&authority),
                                                 .certificate = pki_certificate(&client_pair),
                                                 .key = pki_key(&client_pair)});
    begin_with(&f, strict, known, NULL);
    shake_well(&f);
    end_pair(&f);

    enum status server = ST_OK;
    enum status client = ST_OK;
    begin_with(&f, strict, client_context, NULL);
    shake(&f, &server, &client);
    assert_int_equal(server, ST_BAD);
    check_fault(f.server, "the client showed no certificate, and one is required");
    expect_status(f.client, ST_BAD); /* a TLS 1.3 client finds out when it reads */
    assert_int_equal(tls_peer_alert(f.client), 116);
    end_pair(&f);
    tls_server_context_unref(&strict);
    tls_client_context_unref(&known);
}

static void a_handshake_works_byte_by_byte(void **state)
{
    struct fixture f;
    (void)state;
    begin_pair(&f, ROOM);
    f.below_server->recv_limit = 1;
    f.below_client->recv_limit = 1;
    add_server(&f, server_context);
    add_client(&f, client_context, SLICE("proxy.example"), NULL);
    shake_well(&f);
    send_all(f.client, SLICE("one byte at a time"));
    expect(f.server, SLICE("one byte at a time"));
    end_pair(&f);
}

static void an_end_inside_the_handshake_is_told(void **state)
{
    struct fixture f;
    (void)state;
    begin_pair(&f, ROOM);
    add_server(&f, server_context);
    struct transport *lower = &f.below_client->base;
    send_all(lower, SLICE("\x16\x03\x01\x01"));
    transport_close(&lower, /* is_abort= */ false);
    assert_int_equal(transport_handshake(f.server), ST_EOF);
    assert_true(f.server->is_truncated);
    check_fault(f.server, "closed the connection during the handshake");
    end_pair(&f);
}

static void clear_http_on_a_tls_port_is_recognised_and_can_be_answered(void **state)
{
    struct fixture f;
    (void)state;
    begin_pair(&f, ROOM);
    add_server(&f, server_context);
    struct transport *lower = &f.below_client->base;
    send_all(lower, SLICE("CONNECT a.example:443 HTTP/1.1\r\n"));
    assert_int_equal(transport_handshake(f.server), ST_BAD);
    assert_true(tls_peer_spoke_http(f.server));
    check_fault(f.server, "the client speaks clear HTTP on a port that speaks TLS");
    assert_int_equal(f.below_server->sent, 0);
    struct transport *clear = tls_take_lower(&f.server);
    assert_null(f.server);
    send_all(clear, tls_sniff_clear_answer());
    expect(lower, tls_sniff_clear_answer());
    transport_close(&clear, /* is_abort= */ false);
    transport_close(&lower, /* is_abort= */ false);
    end_pair(&f);
}

static void a_clear_server_is_recognised_by_the_client(void **state)
{
    struct fixture f;
    (void)state;
    begin_pair(&f, ROOM);
    add_client(&f, client_context, SLICE("proxy.example"), NULL);
    assert_int_equal(transport_handshake(f.client), ST_AGAIN);
    struct transport *lower = &f.below_server->base;
    send_all(lower, SLICE("HTTP/1.1 400 Bad Request\r\n"));
    assert_int_equal(transport_handshake(f.client), ST_BAD);
    check_fault(f.client, "the server speaks clear HTTP, not TLS");
    transport_close(&lower, /* is_abort= */ false);
    end_pair(&f);
}

static void junk_is_no_tls(void **state)
{
    struct fixture f;
    (void)state;
    begin_pair(&f, ROOM);
    add_server(&f, server_context);
    struct transport *lower = &f.below_client->base;
    send_all(lower, SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    assert_int_equal(transport_handshake(f.server), ST_BAD);
    assert_false(tls_peer_spoke_http(f.server));
    check_fault(f.server, "the peer does not speak TLS");
    transport_close(&lower, /* is_abort= */ false);
    end_pair(&f);
}

/* ---- sessions ---- */

/* One connection; true where it resumed. The client reads, so that it gets its ticket. */
static bool connect_once(struct tls_server_context *server, struct tls_client_context *client,
                         struct tls_sessions *sessions)
{
    struct fixture f;
    begin_with(&f, server, client, sessions);
    shake_well(&f);
    expect_status(f.client, ST_AGAIN);
    bool is_resumed = tls_record(f.client).resumed;
    assert_int_equal(is_resumed, tls_record(f.server).resumed);
    end_pair(&f);
    return is_resumed;
}

static void a_session_is_resumed_under_its_key_and_context_only(void **state)
{
    (void)state;
    struct tls_sessions *sessions = tls_sessions_create(10);
    struct tls_client_context *reloaded =
        make_client(&(struct tls_client_options){.ca = pki_certificate(&authority)});
    assert_false(connect_once(server_context, client_context, sessions));
    assert_int_equal(tls_sessions_count(sessions), 1);
    assert_true(connect_once(server_context, client_context, sessions));
    assert_int_equal(tls_sessions_count(sessions), 1); /* used once, and replaced */
    assert_false(connect_once(server_context, reloaded, sessions));
    tls_sessions_clear(sessions);
    assert_int_equal(tls_sessions_count(sessions), 0);
    assert_false(connect_once(server_context, client_context, sessions));
    tls_sessions_destroy(&sessions);
    tls_client_context_unref(&reloaded);
}

static void tickets_outlive_a_reload_but_not_two_rotations(void **state)
{
    (void)state;
    clock_freeze(NS_PER_S, clock_wall_ns());
    struct tls_tickets *tickets = tls_tickets_create();
    struct tls_server_options options = {.certificate = pki_certificate(&server_pair),
                                         .key = pki_key(&server_pair),
                                         .tickets = tickets};
    struct tls_server_context *before = make_server(&options);
    struct tls_server_context *after = make_server(&options);
    tls_tickets_unref(&tickets);
    struct tls_sessions *sessions = tls_sessions_create(10);
    assert_false(connect_once(before, client_context, sessions));
    assert_true(connect_once(after, client_context, sessions));
    clock_advance((TLS_TICKET_PERIOD_S + 1) * NS_PER_S);
    assert_true(connect_once(after, client_context, sessions)); /* the previous key opens it */
    assert_true(connect_once(after, client_context, sessions));
    clock_advance((TLS_TICKET_PERIOD_S + 1) * NS_PER_S);
    struct tls_sessions *empty = tls_sessions_create(10);
    assert_false(connect_once(after, client_context, empty)); /* rotates */
    clock_advance((TLS_TICKET_PERIOD_S + 1) * NS_PER_S);
    assert_false(connect_once(after, client_context, sessions));
    tls_sessions_destroy(&sessions);
    tls_sessions_destroy(&empty);
    tls_server_context_unref(&before);
    tls_server_context_unref(&after);
    clock_restore();
}

static void a_ticket_carries_no_verdict_into_stricter_rules(void **state)
{
    (void)state;
    struct tls_tickets *tickets = tls_tickets_create();
    struct tls_server_options options = {.certificate = pki_certificate(&server_pair),
                                         .key = pki_key(&server_pair),
                                         .tickets = tickets};
    struct tls_server_context *lax = make_server(&options);
    options.client_ca = pki_certificate(&authority);
    struct tls_server_context *asking = make_server(&options);
    struct tls_sessions *sessions = tls_sessions_create(10);
    assert_false(connect_once(lax, client_context, sessions));
    assert_false(connect_once(asking, client_context, sessions));
    tls_sessions_destroy(&sessions);
    tls_server_context_unref(&lax);
    tls_server_context_unref(&asking);
    tls_tickets_unref(&tickets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_leaves_the_facts_on_both_ends),
        cmocka_unit_test(an_address_is_verified_as_one_and_never_sent_as_a_name),
        cmocka_unit_test(a_certificate_that_is_not_good_is_refused_with_the_reason),
        cmocka_unit_test(the_reason_of_a_refusal_is_told),
        cmocka_unit_test(rfc9110_4_3_4_a_common_name_alone_names_nobody),
        cmocka_unit_test(a_required_client_certificate_is_asked_for_and_verified),
        cmocka_unit_test(a_handshake_works_byte_by_byte),
        cmocka_unit_test(an_end_inside_the_handshake_is_told),
        cmocka_unit_test(clear_http_on_a_tls_port_is_recognised_and_can_be_answered),
        cmocka_unit_test(a_clear_server_is_recognised_by_the_client),
        cmocka_unit_test(junk_is_no_tls),
        cmocka_unit_test(a_session_is_resumed_under_its_key_and_context_only),
        cmocka_unit_test(tickets_outlive_a_reload_but_not_two_rotations),
        cmocka_unit_test(a_ticket_carries_no_verdict_into_stricter_rules),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
