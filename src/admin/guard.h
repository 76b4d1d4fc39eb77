#ifndef FAIRLEAD_ADMIN_GUARD_H
#define FAIRLEAD_ADMIN_GUARD_H

#include "base/inet.h"
#include "http/head.h"
#include "http/target.h"

/* Who may ask the admin listener for what. */

struct guard_question {
    const struct head *request;
    const struct target *target;
    struct inet_endpoint client; /* INET_NONE: a Unix socket, which its file's mode guards */
    struct inet_endpoint listener;
    struct slice token; /* the configured one; empty: none */
};

/* X(NAME, status, "error word", "sentence for people") */
#define GUARD_VERDICTS(X)                                                                         \
    X(PASS, 200, "none", "it may")                                                                \
    X(HOST, 421, "unknown_host",                                                                  \
      "this Host is not known here; ask by a loopback name or address, or by the address of the " \
      "admin listener, with its port")                                                            \
    X(FOREIGN, 403, "foreign_page",                                                               \
      "a page of another site asks; only pages of this listener may")                             \
    X(NO_TOKEN, 403, "no_token_configured",                                                       \
      "this needs a token, and none is configured: write one into a file, such as with "          \
      "'openssl rand -hex 24', name the file in admin.token_file, and reload; then send "         \
      "'Authorization: Bearer TOKEN' and 'X-Fairlead: 1'")                                        \
    X(TOKEN, 401, "unauthorized",                                                                 \
      "send 'Authorization: Bearer TOKEN' with the token of the file "                            \
      "that admin.token_file names")                                                              \
    X(SIMPLE, 403, "simple_request",                                                              \
      "a request that changes something must carry 'X-Fairlead: 1' or the content type "          \
      "application/json, which no other site's page can send")

enum guard_verdict {
#define X(name, status, word, sentence) GUARD_##name,
    GUARD_VERDICTS(X)
#undef X
};

/* May this request have the dashboard, which is the same everywhere? Host alone is asked. */
enum guard_verdict guard_page(const struct guard_question *question);
/* May this request read? */
enum guard_verdict guard_read(const struct guard_question *question);
/* May it read what is not for everybody on this machine? Ask guard_read first. */
enum guard_verdict guard_secret(const struct guard_question *question);
/* May it change something? Ask guard_read first. */
enum guard_verdict guard_change(const struct guard_question *question);

unsigned guard_status(enum guard_verdict verdict);
const char *guard_word(enum guard_verdict verdict);
const char *guard_text(enum guard_verdict verdict);

#endif
