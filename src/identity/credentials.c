/* Reading Proxy-Authorization. Pure: bytes in, slices out, nothing is compared here. What is wrong is told in words
 * that hold nothing of what came, since they are answered and logged. */

#include "identity/credentials.h"

#include "identity/base64.h"

#include <string.h>

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c < 0x20 || c == 0x7f)
            return true;
    }
    return false;
}

bool credentials_is_user(struct slice name)
{
    return name.len > 0 && name.len <= CREDENTIALS_USER_MAX && !has_control(name) &&
           slice_find(name, ':') == name.len;
}

static void fail(struct credentials *credentials, const char *fault)
{
    credentials->kind = CREDENTIALS_BAD;
    credentials->fault = fault;
    credentials->user = credentials->password = credentials->token = SLICE_NONE;
}

/* RFC 7617 §2: the first colon ends the user; control characters are in neither. */
static void parse_basic(struct slice word, struct credentials *credentials)
{
    size_t len = 0;
    enum status status =
        base64_decode(word, credentials->decoded, sizeof(credentials->decoded), &len);
    struct slice all = slice_of(credentials->decoded, len);
    size_t colon = slice_find(all, ':');
    if (status == ST_LIMIT) {
        fail(credentials, "the Basic credentials are too long");
    } else if (status != ST_OK) {
        fail(credentials, "the Basic credentials are no base64");
    } else if (colon == all.len) {
        fail(credentials, "the Basic credentials have no colon behind the user");
    } else if (has_control(all)) {
        fail(credentials, "the Basic credentials hold control characters");
    } else if (colon > CREDENTIALS_USER_MAX || len - colon - 1 > CREDENTIALS_PASSWORD_MAX) {
        fail(credentials, "the Basic credentials are too long");
    } else {
        credentials->kind = CREDENTIALS_BASIC;
        credentials->user = slice_first(all, colon);
        credentials->password = slice_from(all, colon + 1);
    }
}

/* token68 (RFC 9110 §11.2). */
static bool is_token68(struct slice s)
{
    size_t i = 0;
    for (; i < s.len; i++) {
        char c = s.at[i];
        bool is_one = char_is_digit(c) || (char_lower(c) >= 'a' && char_lower(c) <= 'z') ||
                      c == '-' || c == '.' || c == '_' || c == '~' || c == '+' || c == '/';
        if (!is_one)
            break;
    }
    size_t begin = i;
    while (i < s.len && s.at[i] == '=')
        i++;
    return begin > 0 && i == s.len;
}

static void parse_bearer(struct slice word, struct credentials *credentials)
{
    if (word.len > CREDENTIALS_TOKEN_MAX) {
        fail(credentials, "the Bearer token is too long");
    } else if (!is_token68(word)) {
        fail(credentials, "the Bearer token holds characters that none may have");
    } else {
        credentials->kind = CREDENTIALS_BEARER;
        credentials->token = word;
    }
}

void credentials_parse(struct slice value, struct credentials *credentials)
{
    size_t blank = slice_find(value, ' ');
    struct slice scheme = slice_first(value, blank);
    struct slice word = slice_trim(slice_from(value, blank));
    credentials->kind = CREDENTIALS_OTHER;
    credentials->fault = "";
    credentials->user = credentials->password = credentials->token = SLICE_NONE;
    if (slice_equals_nocase(scheme, SLICE("Basic")))
        parse_basic(word, credentials);
    else if (slice_equals_nocase(scheme, SLICE("Bearer")))
        parse_bearer(word, credentials);
    else if (scheme.len == 0)
        fail(credentials, "the credentials name no scheme");
}

void credentials_wipe(struct credentials *credentials)
{
    explicit_bzero(credentials, sizeof(*credentials));
}
