#include "view_test.h"

#include "view/aim.h"

static struct aim aim;
static char room[300];

static const char *fault_of(const char *word, const char *method)
{
    struct text fault = text_on(room, sizeof(room));
    return aim_init(&aim, word, method, &fault) == ST_OK ? "" : text_string(&fault);
}

static void a_word_is_a_url_or_a_tunnel(void **state)
{
    (void)state;
    assert_string_equal(fault_of("https://A.example/x?y", NULL), "");
    assert_true(aim_is_tls(&aim) && !aim.is_tunnel);
    assert_true(slice_equals(aim.method, SLICE("GET")));
    assert_string_equal(aim.authority, "a.example:443");
    assert_true(slice_equals(aim.word, SLICE("https://A.example/x?y")));
    assert_string_equal(fault_of("http://[::1]:8080", "PUT"), "");
    assert_true(!aim_is_tls(&aim) && slice_equals(aim.method, SLICE("PUT")));
    assert_string_equal(aim.authority, "[::1]:8080");
    assert_string_equal(fault_of("a.example:22", "PUT"), "");
    assert_true(aim.is_tunnel && !aim_is_tls(&aim));
    assert_true(slice_equals(aim.method, SLICE("CONNECT")));
}

/* RFC 3986 §3.5: a fragment is not sent. */
static void a_fragment_is_left_out(void **state)
{
    (void)state;
    static const char *const words[] = {"http://a.example#x", "http://a.example/p?q#a?b#c",
                                        "http://a.example/#"};
    static const char *const without[] = {"http://a.example", "http://a.example/p?q",
                                          "http://a.example/"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        assert_string_equal(fault_of(words[i], NULL), "");
        assert_true(slice_equals(aim.word, slice_from_string(without[i])));
    }
    assert_true(fault_of("a.example:443#x", NULL)[0] != '\0');
}

static void other_words_are_told(void **state)
{
    (void)state;
    static char word[50000];
    assert_string_equal(fault_of("ftp://a.example/", NULL),
                        "a URL begins with http:// or https://");
    assert_string_equal(fault_of("a.example", NULL),
                        "name a URL or HOST:PORT; did you mean http://a.example/?");
    assert_string_equal(fault_of("a.example:80/\x1b", NULL),
                        "name a URL or HOST:PORT; did you mean http://a.example:80/\\x1b?");
    assert_string_equal(fault_of("http://u:p@a.example/", NULL),
                        target_fault_text(TARGET_FAULT_USERINFO));
    assert_string_equal(fault_of("http://0x7f.1/", NULL), host_fault_text(HOST_IPV4_SPELLING));
    memset(word, 'x', sizeof(word) - 1);
    assert_string_equal(fault_of(word, NULL), "it is too long");
}

/* RFC 9110 §9.1: a method is a token. What is none could end the request line. */
static void a_method_is_a_token(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "A B", "GET / HTTP/1.1\r\nX:", "\x1b[2J", "G\xc3\x89T"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_string_equal(fault_of("http://a.example/", wrong[i]),
                            "the method holds a byte that is not allowed, or is empty");
    assert_string_equal(fault_of("http://a.example/", "x-My_Method!"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_a_url_or_a_tunnel),
        cmocka_unit_test(a_fragment_is_left_out),
        cmocka_unit_test(other_words_are_told),
        cmocka_unit_test(a_method_is_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
