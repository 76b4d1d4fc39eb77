/* Session tickets of TLS 1.3 that come later than soon, and what looks like them. */
#include "watch_play.h"

static void play_second_ticket_late(struct play *play)
{
    play_open_13(play, (struct hello){0});
    sealed(play, CLIENT, DATA, 100);    /* 6 */
    sealed(play, SERVER, DATA, TICKET); /* 7 */
    play->now_ms = 45;
    sealed(play, SERVER, DATA, TICKET + 16); /* 46: behind a delayed acknowledgement */
    assert_int_equal(play->watch.state, TLS_WATCH_LOOKS);
    play->now_ms = 500;
    sealed(play, SERVER, DATA, 120); /* 501 */
    assert_moments(play, 1, 2, 5, 6, 501);
}

static void play_both_tickets_late(struct play *play)
{
    play_open_13(play, (struct hello){0});
    sealed(play, CLIENT, DATA, 100); /* 6 */
    play->now_ms = 60;
    sealed(play, SERVER, DATA, TICKET); /* 61 */
    sealed(play, SERVER, DATA, TICKET); /* 62 */
    sealed(play, SERVER, DATA, 50);     /* 63: settings of HTTP/2 */
    play->now_ms = 500;
    sealed(play, SERVER, DATA, 120); /* 501 */
    assert_moments(play, 1, 2, 5, 6, 501);
}

/* The first ticket came before the request. */
static void play_second_ticket_behind_the_request(struct play *play)
{
    play_open_13(play, (struct hello){0});
    sealed(play, SERVER, DATA, TICKET); /* 6 */
    play->now_ms = 30;
    sealed(play, CLIENT, DATA, 100); /* 31 */
    play->now_ms = 45;
    sealed(play, SERVER, DATA, TICKET); /* 46 */
    play->now_ms = 500;
    sealed(play, SERVER, DATA, 120); /* 501 */
    assert_moments(play, 1, 2, 5, 31, 501);
}

/* A client that sends on has heard nothing. */
static void play_ticket_in_an_upload(struct play *play)
{
    play_open_13(play, (struct hello){0});
    for (int i = 0; i < 20; i++)
        sealed(play, CLIENT, DATA, 1000); /* 6 to 25 */
    sealed(play, SERVER, DATA, TICKET);   /* 26 */
    for (int i = 0; i < 20; i++)
        sealed(play, CLIENT, DATA, 1000); /* 27 to 46 */
    play->now_ms = 500;
    sealed(play, SERVER, DATA, 1000); /* 501 */
    assert_moments(play, 1, 2, 5, 6, 501);
}

static void late_tickets_are_no_response(void **state)
{
    (void)state;
    play_all(play_second_ticket_late);
    play_all(play_both_tickets_late);
    play_all(play_second_ticket_behind_the_request);
    play_all(play_ticket_in_an_upload);
}

/* Without tickets: a small answer, and a client that goes on at once. */
static void play_no_tickets(struct play *play)
{
    play_open_13(play, (struct hello){0});
    sealed(play, CLIENT, DATA, 100); /* 6 */
    play->now_ms = 100;
    sealed(play, SERVER, DATA, 120); /* 101 */
    sealed(play, CLIENT, DATA, 100); /* 102 */
    assert_int_equal(play->watch.state, TLS_WATCH_KNOWS);
    assert_moments(play, 1, 2, 5, 6, 101);
}

/* It looks like the ticket before, but there cannot be so many. */
static void play_many_of_one_length(struct play *play)
{
    play_open_13(play, (struct hello){0});
    sealed(play, CLIENT, DATA, 100); /* 6 */
    for (int i = 0; i < 8; i++) {
        play->now_ms = 20 + (uint64_t)i * 20;
        sealed(play, SERVER, DATA, 120); /* 21, 41 … 161 */
    }
    play->now_ms = 200;
    sealed(play, SERVER, DATA, 120); /* 201 */
    assert_int_equal(play->watch.state, TLS_WATCH_KNOWS);
    assert_moments(play, 1, 2, 5, 6, 201);
}

/* Nobody sends his first ticket that late. */
static void play_late_answer(struct play *play)
{
    play_open_13(play, (struct hello){0});
    sealed(play, CLIENT, DATA, 100); /* 6 */
    play->now_ms = 300;
    sealed(play, SERVER, DATA, 120); /* 301 */
    assert_int_equal(play->watch.state, TLS_WATCH_KNOWS);
    assert_moments(play, 1, 2, 5, 6, 301);
}

static void what_may_be_a_late_ticket_is_bounded(void **state)
{
    (void)state;
    play_all(play_no_tickets);
    play_all(play_many_of_one_length);
    play_all(play_late_answer);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_tickets_are_no_response),
        cmocka_unit_test(what_may_be_a_late_ticket_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
