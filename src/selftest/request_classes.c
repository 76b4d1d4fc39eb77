/* Tries of requests: hosts that are none, ports, and forms in which the two could be misread.
 *
 * %B stands for the bait, an address that must not be dialled, and %G for a good name. Where both occur in what is well
 * formed, only the one that counts may be dialled; where it is not, nothing may. */

#include "selftest/trial.h"

#include "base/check.h"

#include <stdio.h>

#define BAIT "127.0.0.1"

/* A target, with bytes of any kind. */
struct target_row {
    struct slice text;
    bool is_connect;
    const char *must_refuse; /* NULL: either is fine */
};

#define TARGET(literal, reason)                       \
    {                                                 \
        {literal, sizeof(literal) - 1}, false, reason \
    }
#define CONNECT(literal, reason)                     \
    {                                                \
        {literal, sizeof(literal) - 1}, true, reason \
    }

static const char no_userinfo[] = "userinfo is refused (400)";
static const char no_byte[] = "such a byte has no place in a host (400)";
static const char no_unicode[] = "hosts are ASCII (400)";
static const char no_percent[] = "hosts are taken as they are (400)";
static const char no_host[] = "this is no host (400)";
static const char no_port[] = "this is no port (400)";
static const char no_scheme[] = "only http and https (400)";
static const char bait_rule[] = "default-deny 127.0.0.0/8"; /* unless the operator has opened it */

static const struct target_row host_rows[] = {
    TARGET("http://%G@" BAIT "/", no_userinfo),
    TARGET("http://%G:80@" BAIT "/", no_userinfo),
    TARGET("http://%G:x@" BAIT ":80/", no_userinfo),
    TARGET("http://" BAIT "@%G/", no_userinfo),
    TARGET("http://@" BAIT "/", no_userinfo),
    TARGET("http://%G%40" BAIT "/", no_percent),
    TARGET("http://%G@@" BAIT "/", no_userinfo),
    TARGET("https://%G@" BAIT "/", no_userinfo),
    CONNECT("%G@" BAIT ":443", no_userinfo),
    CONNECT(BAIT ":443@%G:443", no_userinfo),
    TARGET("http://%G\\@" BAIT "/", no_byte),
    TARGET("http://" BAIT "\\@%G/", no_byte),
    TARGET("http://" BAIT "\\.%G/", no_byte),
    TARGET("http://" BAIT "\\/%G/", no_byte),
    TARGET("http:\\\\" BAIT "\\", no_byte),
    TARGET("http://%G\\." BAIT "/", no_byte),
    CONNECT(BAIT "\\%G:443", no_byte),
    TARGET("http://%G#@" BAIT "/", NULL),
    TARGET("http://%G?@" BAIT "/", NULL),
    TARGET("http://%G;@" BAIT "/", no_byte),
    TARGET("http://" BAIT "#.%G/", bait_rule),
    TARGET("http://" BAIT "?.%G/", bait_rule),
    TARGET("http://" BAIT "/.%G/", bait_rule),
    TARGET("http://" BAIT "\x00.%G/", no_byte),
    TARGET("http://%G\x00@" BAIT "/", no_byte),
    TARGET("http://" BAIT "\x01/", no_byte),
    TARGET("http://" BAIT "\t.%G/", no_byte),
    TARGET("http://\t" BAIT "/", no_byte),
    TARGET("http://" BAIT "\x0b/", no_byte),
    TARGET("http://" BAIT "\x0c.%G/", no_byte),
    TARGET("http://" BAIT "\x7f/", no_byte),
    TARGET("http://" BAIT "\r.%G/", no_byte),
    TARGET("http://" BAIT " .%G/", no_byte),
    TARGET("http:// " BAIT "/", no_byte),
    CONNECT(BAIT "\x00.%G:443", no_byte),
    CONNECT(BAIT " .%G:443", no_byte),
    CONNECT("\t" BAIT ":443", no_byte),
    TARGET("http://%%31%%32%%37.0.0.1/", no_percent),
    TARGET("http://127%%2e0%%2e0%%2e1/", no_percent),
    TARGET("http://" BAIT "%%00.%G/", no_percent),
    TARGET("http://" BAIT "%%0d%%0a/", no_percent),
    TARGET("http://" BAIT "%%2f.%G/", no_percent),
    TARGET("http://%G%%2f@" BAIT "/", no_percent),
    TARGET("http://loc%%61lhost/", no_percent),
    TARGET("http://%%6c%%6f%%63%%61%%6c%%68%%6f%%73%%74/", no_percent),
    TARGET("http://%%5b::1%%5d/", no_percent),
    CONNECT("loc%%61lhost:443", no_percent),
    TARGET("http://\xef\xbd\x8c\xef\xbd\x8f\xef\xbd\x83\xef\xbd\x81\xef\xbd\x8c\xef\xbd\x88"
           "\xef\xbd\x8f\xef\xbd\x93\xef\xbd\x94/",
           no_unicode),                                     /* localhost in full-width letters */
    TARGET("http://\xe2\x93\x9bocalhost/", no_unicode),     /* a circled l */
    TARGET("http://localho\xc5\xbft/", no_unicode),         /* a long s */
    TARGET("http://local\xc2\xadhost/", no_unicode),        /* a soft hyphen */
    TARGET("http://local\xe2\x80\x8bhost/", no_unicode),    /* a space of no width */
    TARGET("http://metadata\xe3\x80\x82goog/", no_unicode), /* an ideographic full stop */
    TARGET("http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/", no_unicode), /* circled digits */
    TARGET("http://\xd9\xa1\xd9\xa2\xd9\xa7.0.0.1/", no_unicode),             /* Arabic digits */
    TARGET("http://127.0.0.1\xff/", no_unicode),
    TARGET("http://127.0.0.1\xc0\x80.%G/", no_unicode), /* an overlong NUL */
    CONNECT("\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1:443", no_unicode),
    CONNECT("localho\xc5\xbft:443", no_unicode),
    TARGET("http://xn--127-0-0-1-xya/", NULL), /* a name like others: it is not decoded */
    TARGET("http://xn--fiq.xn--0/", NULL),
    TARGET("http:///" BAIT "/", no_host),
    TARGET("http:////" BAIT "/", no_host),
    TARGET("http:/" BAIT "/", no_host),
    TARGET("http:" BAIT "/", no_host),
    TARGET("http://:80/", no_host),
    TARGET("http://[/", no_host),
    TARGET("http://]/", no_host),
    TARGET("http://[]/", no_host),
    TARGET("http://[::1]" BAIT "/", no_host),
    TARGET("http://[" BAIT "]/", no_host),
    TARGET("http://[::1/", no_host),
    TARGET("http://[::1]]/", no_host),
    TARGET("http://%G[::1]/", no_host),
    TARGET("http://" BAIT ",%G/", no_host),
    TARGET("http://%G:80," BAIT "/", no_host),
    TARGET("http://./", no_host),
    TARGET("http://../", no_host),
    TARGET("http://*/", no_host),
    CONNECT(":443", no_host),
    CONNECT("[]:443", no_host),
    CONNECT("[::1:443", no_host),
    CONNECT("::1:443", no_host),
    CONNECT(".:443", no_host),
};

static const struct target_row port_rows[] = {
    TARGET("http://%G:0/", no_port),
    TARGET("http://%G:65536/", no_port),
    TARGET("http://%G:65616/", no_port), /* 80, in 16 bits */
    TARGET("http://%G:4294967376/", no_port),
    TARGET("http://%G:18446744073709551696/", no_port),
    TARGET("http://%G:-80/", no_port),
    TARGET("http://%G:+80/", no_port),
    TARGET("http://%G:0x50/", no_port),
    TARGET("http://%G:80:80/", no_port),
    TARGET("http://%G:8 0/", no_port),
    TARGET("http://%G:80@22/", no_port),
    TARGET("http://%G:080/", NULL),
    TARGET("http://%G:/", NULL),
    TARGET("http://%G:022/", NULL),
    TARGET("http://%G:00000000000000000022/", NULL),
    CONNECT("%G", no_port),
    CONNECT("%G:", no_port),
    CONNECT("%G:0", no_port),
    CONNECT("%G:65979", no_port), /* 443, in 16 bits */
    CONNECT("%G:4294967739", no_port),
    CONNECT("%G:-1", no_port),
    CONNECT("%G:+443", no_port),
    CONNECT("%G:0x1bb", no_port),
    CONNECT("%G:443:22", no_port),
    CONNECT("%G:22:443", no_port),
    CONNECT("%G:0443", NULL),
    CONNECT("%G:443/", no_port),
    CONNECT("%G:443?", no_port),
    CONNECT("http://%G:443", no_port),
};

static const struct target_row scheme_rows[] = {
    TARGET("ftp://" BAIT "/", no_scheme),
    TARGET("file:///etc/passwd", no_scheme),
    TARGET("gopher://" BAIT ":80/_x", no_scheme),
    TARGET("ws://" BAIT "/", no_scheme),
    TARGET("unix:/run/docker.sock", no_scheme),
    TARGET("dict://" BAIT ":11211/", no_scheme),
    TARGET("ldap://" BAIT "/", no_scheme),
    TARGET("//" BAIT "/", no_scheme),
    TARGET("/", NULL), /* our own page */
    TARGET("/http://" BAIT "/", NULL),
    TARGET("*", no_scheme),
    TARGET(BAIT, no_scheme),
    TARGET(BAIT ":80", no_scheme),
    TARGET(BAIT "/", no_scheme),
    TARGET("http//" BAIT "/", no_scheme),
    TARGET(" http://" BAIT "/", no_scheme),
    TARGET("HTTP://" BAIT "/", bait_rule),
    TARGET("hTtPs://" BAIT "/", bait_rule),
};

/* The row's text with its names in place; "%%" is a percent sign. */
static void add_target(struct text *text, struct slice pattern, struct slice good)
{
    for (size_t i = 0; i < pattern.len; i++) {
        char next = i + 1 < pattern.len ? pattern.at[i + 1] : '\0';
        if (pattern.at[i] == '%' && next == 'G')
            text_add(text, good);
        else
            text_add_char(text, pattern.at[i]);
        if (pattern.at[i] == '%' && (next == 'G' || next == '%'))
            i++;
    }
}

/* Is the bait one, or has the operator opened it? */
static bool is_bait(const struct trials *trials)
{
    struct inet_endpoint bait = {.addr = {INET_V4, {127, 0, 0, 1}}, .port = 80};
    return oracle_judge_address(&trials->oracle, &bait).verdict == ORACLE_FORBIDDEN;
}

static void ask_rows(struct trials *trials, enum trial_class class, const struct target_row *rows,
                     size_t count)
{
    char name[254];
    trials_set_zone(trials, &trials->v4, 1);
    for (size_t i = 0; i < count; i++) {
        char request[TRIAL_REQUEST_MAX];
        struct text text = text_on(request, sizeof(request));
        struct slice good = trials_name(trials, name);
        text_add(&text, rows[i].is_connect ? SLICE("CONNECT ") : SLICE("GET "));
        add_target(&text, rows[i].text, good);
        text_add(&text, SLICE(" HTTP/1.1\r\nHost: "));
        text_add(&text, good);
        text_add(&text, SLICE("\r\n\r\n"));
        bool is_open = rows[i].must_refuse == bait_rule && !is_bait(trials);
        struct raw_asking asking = {class, text_slice(&text), rows[i].is_connect,
                                    is_open ? NULL : rows[i].must_refuse};
        trials_ask_raw(trials, &asking);
    }
}

/* ---- ports ---- */

static void ask_port(struct trials *trials, unsigned forms, uint16_t port)
{
    char name[254];
    struct slice host = trials_name(trials, name);
    struct asking asking = {
        .class = TRIAL_PORTS,
        .forms = forms,
        .host = host,
        .port = port,
        .name = host,
        .addr = &trials->v4,
        .addr_count = 1,
    };
    trials_ask(trials, &asking);
}

static void try_ports(struct trials *trials)
{
    static const uint16_t good[] = {80, 443, 8000, 8080, 65535};
    uint16_t port;
    trials_set_zone(trials, &trials->v4, 1);
    for (size_t row = 0; (port = oracle_port_at(row)) != 0; row++)
        ask_port(trials, FORMS_ALL, port);
    for (size_t i = 0; i < COUNT_OF(good); i++)
        ask_port(trials, FORMS_ALL, good[i]);
    const struct config_ports *configured = &trials->oracle.config->egress.connect_ports;
    for (size_t i = 0; i < configured->count && i < 16; i++)
        ask_port(trials, FORM_CONNECT, configured->at[i]);
    ask_rows(trials, TRIAL_PORTS, port_rows, COUNT_OF(port_rows));
}

/* ---- Host, Upgrade and what else could name another target ---- */

static const char *const bait_forms[] = {
    "GET http://" BAIT "/ HTTP/1.1\r\nHost: %G\r\n\r\n",
    "GET http://" BAIT "/ HTTP/1.1\r\nHost: " BAIT "\r\nForwarded: host=%G\r\n\r\n",
    "GET http://" BAIT "/ HTTP/1.1\r\nHost: %G\r\nX-Forwarded-Host: %G\r\n\r\n",
    "GET http://" BAIT "/ HTTP/1.0\r\n\r\n",
    "HEAD http://" BAIT "/ HTTP/1.1\r\nHost: %G\r\n\r\n",
    "POST http://" BAIT "/ HTTP/1.1\r\nHost: %G\r\nContent-Length: 2\r\n\r\nok",
    "OPTIONS http://" BAIT "/ HTTP/1.1\r\nHost: %G\r\n\r\n",
    "TRACE http://" BAIT "/ HTTP/1.1\r\nHost: %G\r\n\r\n",
    "PURGE http://" BAIT "/ HTTP/1.1\r\nHost: %G\r\n\r\n",
    "GET http://" BAIT "/ HTTP/1.1\r\nHost: %G\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "GET http://" BAIT "/ HTTP/1.1\r\nHost: %G\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    "GET http://" BAIT
    "/ HTTP/1.1\r\nHost: %G\r\nConnection: upgrade\r\nUpgrade: connect-udp\r\n\r\n",
    "CONNECT " BAIT ":443 HTTP/1.1\r\nHost: %G:443\r\n\r\n",
    "CONNECT " BAIT ":443 HTTP/1.0\r\n\r\n",
    "CONNECT " BAIT ":443 HTTP/1.1\r\nHost: %G\r\nContent-Length: 4\r\n\r\nbody",
    "CONNECT " BAIT
    ":443 HTTP/1.1\r\nHost: %G\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "GET http://%G/ HTTP/1.1\r\nHost: %G\r\nHost: " BAIT "\r\n\r\n",
    "GET http://%G/ HTTP/1.1\r\nHost: %G\r\n Host: " BAIT "\r\n\r\n",
    "GET http://%G/ HTTP/1.1\r\nHost : " BAIT "\r\n\r\n",
    "GET http://%G/ HTTP/1.1\r\n\r\n",
    "GET http://%G/ http://" BAIT "/ HTTP/1.1\r\nHost: %G\r\n\r\n",
    "GET http://%G/\rGET http://" BAIT "/ HTTP/1.1\r\nHost: %G\r\n\r\n",
};

/* Both names: where the request is taken at all, the target counts. */
static const char *const good_forms[] = {
    "GET / HTTP/1.1\r\nHost: " BAIT "\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: " BAIT "\r\nX-Forwarded-Host: " BAIT "\r\n\r\n",
    "GET http://%G/ HTTP/1.1\r\nHost: %G\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"
    "0\r\n\r\nGET http://" BAIT "/ HTTP/1.1\r\nHost: %G\r\n\r\n",
    "GET http://%G/ HTTP/1.1\r\nHost: " BAIT "\r\n\r\n",
    "GET http://%G/ HTTP/1.1\r\nHost: %G\r\nForwarded: host=" BAIT ";for=" BAIT "\r\n\r\n",
    "GET http://%G/ HTTP/1.1\r\nHost: %G\r\nX-Forwarded-Host: " BAIT "\r\n\r\n",
    "GET http://%G/ HTTP/1.1\r\nHost: %G\r\nX-Original-URL: http://" BAIT "/\r\n\r\n",
    "GET http://%G/ HTTP/1.1\r\nHost: %G\r\nDestination: http://" BAIT "/\r\n\r\n",
    "GET http://%G/?url=http://" BAIT "/ HTTP/1.1\r\nHost: %G\r\n\r\n",
    "GET http://%G/" BAIT "/../ HTTP/1.1\r\nHost: %G\r\n\r\n",
    "CONNECT %G:443 HTTP/1.1\r\nHost: " BAIT ":443\r\n\r\n",
    "CONNECT %G:443 HTTP/1.1\r\nHost: %G\r\nX-Forwarded-Host: " BAIT "\r\n\r\n",
};

static void ask_forms(struct trials *trials, const char *const *forms, size_t count,
                      const char *must_refuse)
{
    char name[254];
    trials_set_zone(trials, &trials->v4, 1);
    for (size_t i = 0; i < count; i++) {
        char request[TRIAL_REQUEST_MAX];
        struct text text = text_on(request, sizeof(request));
        struct slice pattern = slice_from_string(forms[i]);
        add_target(&text, pattern, trials_name(trials, name));
        struct raw_asking asking = {TRIAL_FORMS, text_slice(&text),
                                    slice_starts_with(pattern, SLICE("CONNECT ")), must_refuse};
        trials_ask_raw(trials, &asking);
    }
}

void try_requests(struct trials *trials)
{
    const char *reason = is_bait(trials) ? bait_rule : NULL;
    ask_rows(trials, TRIAL_HOSTS, host_rows, COUNT_OF(host_rows));
    try_ports(trials);
    ask_rows(trials, TRIAL_FORMS, scheme_rows, COUNT_OF(scheme_rows));
    ask_forms(trials, bait_forms, COUNT_OF(bait_forms), reason);
    ask_forms(trials, good_forms, COUNT_OF(good_forms), NULL);
}
