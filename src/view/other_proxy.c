/* User and password are cut out of the URL before anything else looks at it, decoded into memory that is wiped, and
 * kept only as the field that is sent (RFC 7617 §2). */

#include "view/other_proxy.h"

#include "base/check.h"
#include "identity/base64.h"
#include "server/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status fail(const char *why, struct text *fault)
{
    text_add(fault, slice_from_string(why));
    return ST_BAD;
}

/* ---- the URL ---- */

/* *ret_userinfo: what stands before '@', and `rest` gets the URL without it. */
static bool cut_userinfo(struct slice url, struct text *rest, struct slice *ret_userinfo)
{
    size_t begin = slice_find(url, ':') + sizeof("//");
    struct slice authority = slice_from(url, begin);
    for (size_t i = 0; i < authority.len; i++) {
        if (strchr("/?#", authority.at[i]) != NULL)
            authority.len = i; /* ends the loop, too */
    }
    size_t at = slice_find_last(authority, '@');
    bool has_some = at < authority.len;
    *ret_userinfo = has_some ? slice_first(authority, at) : SLICE_NONE;
    text_add(rest, slice_first(url, begin));
    text_add(rest, slice_from(url, has_some ? begin + at + 1 : begin));
    return has_some;
}

static enum status read_target(struct other_proxy *proxy, const struct text *url,
                               struct text *fault)
{
    struct target target;
    bool is_good =
        !url->is_cut && target_parse(text_slice(url), METHOD_GET, &target) == TARGET_FAULT_NONE &&
        (target.scheme == SCHEME_HTTP || target.scheme == SCHEME_HTTPS) &&
        (target.path_and_query.len == 0 || slice_equals(target.path_and_query, SLICE("/")));
    if (!is_good)
        return fail("--proxy expects http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ "
                    "before HOST where it wants them",
                    fault);
    proxy->host = target.host;
    proxy->is_tls = target.scheme == SCHEME_HTTPS;
    aim_write_authority(&target, proxy->authority);
    return ST_OK;
}

/* ---- who asks ---- */

/* %XX becomes a byte. False where it is none. */
static bool add_decoded(struct slice from, struct text *into)
{
    for (size_t i = 0; i < from.len; i++) {
        uint64_t byte = 0;
        if (from.at[i] != '%') {
            text_add_char(into, from.at[i]);
            continue;
        }
        struct slice digits = slice_first(slice_from(from, i + 1), 2);
        if (digits.len < 2 || slice_hex_to_u64(digits, UINT8_MAX, &byte) != ST_OK)
            return false;
        text_add_char(into, (char)byte);
        i += 2;
    }
    return true;
}

/* The first line, as it stands. */
static enum status add_password_of(const char *path, struct text *into, struct text *fault)
{
    char *all = NULL;
    size_t len = 0;
    enum status status = file_read(path, FILE_BYTES_MAX, &all, &len, fault);
    if (status != ST_OK)
        return status == ST_NOMEM ? ST_NOMEM : ST_BAD;
    struct slice line = slice_first(slice_of(all, len), slice_find(slice_of(all, len), '\n'));
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    text_add(into, line);
    explicit_bzero(all, len);
    free(all);
    return line.len > 0 ? ST_OK : fail("the first line of the password file is empty", fault);
}

static bool has_control_byte(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.at[i] < ' ' || s.at[i] == '\x7f')
            return true;
    }
    return false;
}

/* "user:password" into `pair`. */
static enum status read_pair(struct slice userinfo, const char *password_file, struct text *pair,
                             struct text *fault)
{
    size_t colon = slice_find(userinfo, ':');
    bool has_password = colon < userinfo.len;
    bool is_good = add_decoded(slice_first(userinfo, colon), pair);
    size_t user_len = pair->len;
    if (!is_good || !credentials_is_user(text_slice(pair)))
        return fail("the user of --proxy is none: percent-encoded, without colon and control bytes",
                    fault);
    if (has_password && password_file != NULL)
        return fail("--proxy and --proxy-password-file both have a password", fault);
    if (!has_password && password_file == NULL)
        return fail("--proxy has a user and no password: USER:PASSWORD@, or --proxy-password-file",
                    fault);
    text_add_char(pair, ':');
    if (has_password && !add_decoded(slice_from(userinfo, colon + 1), pair))
        return fail("the password of --proxy is not percent-encoded", fault);
    enum status status = has_password ? ST_OK : add_password_of(password_file, pair, fault);
    if (status != ST_OK)
        return status;
    if (pair->is_cut || pair->len - user_len - 1 > CREDENTIALS_PASSWORD_MAX)
        return fail("the password for the proxy has more than 511 bytes", fault);
    return has_control_byte(text_slice(pair))
               ? fail("the password for the proxy has a control byte", fault)
               : ST_OK;
}

static enum status make_field(struct other_proxy *proxy, struct slice userinfo,
                              const char *password_file, struct text *fault)
{
    char room[CREDENTIALS_DECODED_MAX];
    struct text pair = text_on(room, sizeof(room));
    struct text field = text_on(proxy->field, sizeof(proxy->field));
    enum status status = read_pair(userinfo, password_file, &pair, fault);
    if (status == ST_OK) {
        text_add(&field, SLICE("Basic "));
        base64_encode(text_slice(&pair), &field);
        (void)text_string(&field);
        CHECK(!field.is_cut);
    }
    explicit_bzero(room, sizeof(room));
    return status;
}

enum status other_proxy_init(struct other_proxy *proxy, const char *url, const char *password_file,
                             struct text *fault)
{
    char room[AIM_AUTHORITY_MAX + 20];
    struct text rest = text_on(room, sizeof(room));
    struct slice userinfo = SLICE_NONE;
    *proxy = (struct other_proxy){.is_tls = false};
    if (url == NULL)
        return password_file == NULL ? ST_OK : fail("--proxy-password-file needs --proxy", fault);
    bool has_user = cut_userinfo(slice_from_string(url), &rest, &userinfo);
    enum status status = read_target(proxy, &rest, fault);
    if (status == ST_OK && has_user)
        status = make_field(proxy, userinfo, password_file, fault);
    else if (status == ST_OK && password_file != NULL)
        status = fail("--proxy-password-file needs a user: --proxy http://USER@HOST:PORT", fault);
    return status;
}

void other_proxy_done(struct other_proxy *proxy)
{
    explicit_bzero(proxy, sizeof(*proxy));
}
