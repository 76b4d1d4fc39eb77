#include "view_test.h"

#include "view/other_proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct other_proxy proxy;
static char room[400];

/* "" where it is one. */
static const char *fault_of(const char *url, const char *password_file)
{
    struct text fault = text_on(room, sizeof(room));
    return other_proxy_init(&proxy, url, password_file, &fault) == ST_OK ? "" : text_string(&fault);
}

static void names(const char *url, const char *authority, bool is_tls, const char *field)
{
    assert_string_equal(fault_of(url, NULL), "");
    assert_true(other_proxy_is_there(&proxy));
    assert_string_equal(proxy.authority, authority);
    assert_int_equal(proxy.is_tls, is_tls);
    assert_string_equal(proxy.field, field);
}

static void proxies_are_named_by_url(void **state)
{
    (void)state;
    assert_string_equal(fault_of(NULL, NULL), "");
    assert_false(other_proxy_is_there(&proxy));
    names("http://P.example:3128", "p.example:3128", false, "");
    names("https://p.example/", "p.example:443", true, "");
    names("HTTP://[::1]", "[::1]:80", false, "");
    assert_int_equal(proxy.host.kind, HOST_IPV6);
}

/* RFC 7617 §2; the last '@' before the path ends them, and what is percent-encoded is a byte. */
static void credentials_become_a_field(void **state)
{
    (void)state;
    names("http://Aladdin:open%20sesame@p.example:1", "p.example:1", false,
          "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    names("https://a:@p.example", "p.example:443", true, "Basic YTo=");
    names("http://a:b@c:d%40@p.example/", "p.example:80", false, "Basic YTpiQGM6ZEA=");
    other_proxy_done(&proxy);
    assert_string_equal(proxy.field, "");
}

/* Nothing of user or password is in a fault. */
static void faults_tell_no_secret(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "http://user:secret@",
        "user:secret@p.example",
        "http://user:secret@p.example:0",
        "ftp://user:secret@p.test",
        "http://user:secret@p.test/x",
        "http://us%0aer:secret@p.test",
        "http://:secret@p.test",
        "http://us%3aer:secret@p.test",
        "http://user:secret%@p.test",
        "http://user:secret%0@p.tt",
        "http://user:secret%zz@p.test",
        "http://user:secret%7f@p.test",
        "http://user:sec\tret@p.tt",
        "http://us%zer:secret@p.test",
        "http://user:secret@p test",
        "http://user@p.test",
    };
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        const char *fault = fault_of(urls[i], NULL);
        assert_true(fault[0] != '\0');
        assert_null(strstr(fault, "sec"));
        assert_null(strstr(fault, "user:"));
        assert_string_equal(proxy.field, "");
    }
}

static void long_ones_are_refused(void **state)
{
    (void)state;
    char url[1200];
    (void)snprintf(url, sizeof(url), "http://%0255d:%0511d@p.test", 1, 2);
    assert_string_equal(fault_of(url, NULL), "");
    (void)snprintf(url, sizeof(url), "http://%0256d:1@p.test", 1);
    assert_non_null(strstr(fault_of(url, NULL), "the user"));
    (void)snprintf(url, sizeof(url), "http://a:%0512d@p.test", 2);
    assert_non_null(strstr(fault_of(url, NULL), "more than 511 bytes"));
    (void)snprintf(url, sizeof(url), "http://p.test:1%0400d", 2);
    assert_non_null(strstr(fault_of(url, NULL), "--proxy expects"));
}

/* The first line as it stands, blanks and percent signs too. */
static void a_password_may_be_in_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/fairlead-proxy-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(dprintf(fd, " 100%% \r\nmore"), 12);
    assert_string_equal(fault_of("http://a@p.test", path), "");
    assert_string_equal(proxy.field, "Basic YTogMTAwJSA=");
    assert_non_null(strstr(fault_of("http://a:b@p.test", path), "both have a password"));
    assert_non_null(strstr(fault_of("http://p.test", path), "needs a user"));
    assert_non_null(strstr(fault_of(NULL, path), "needs --proxy"));
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_non_null(strstr(fault_of("http://a@p.test", path), "is empty"));
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    assert_non_null(strstr(fault_of("http://a@p.test", path), "No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proxies_are_named_by_url),    cmocka_unit_test(credentials_become_a_field),
        cmocka_unit_test(faults_tell_no_secret),       cmocka_unit_test(long_ones_are_refused),
        cmocka_unit_test(a_password_may_be_in_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
