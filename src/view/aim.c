/* The word is understood as the worker will understand it, so that what is wrong with it is said before anything
 * begins. */

#include "view/aim.h"

#include "http/method.h"
#include "http/syntax.h"

#include <stdio.h>
#include <string.h>

enum { AIM_WORD_MAX = 40000 };

static enum status fail(const char *why, struct text *fault)
{
    text_add(fault, slice_from_string(why));
    return ST_BAD;
}

void aim_write_authority(const struct target *target, char into[AIM_AUTHORITY_MAX])
{
    (void)snprintf(into, AIM_AUTHORITY_MAX, target->host.kind == HOST_IPV6 ? "[%s]:%u" : "%s:%u",
                   target->host.text, target_port(target));
}

/* What stands behind '#' is for whoever shows the answer, and is not sent (RFC 9110 §4.2.5, RFC 3986 §3.5). */
static struct slice without_fragment(const char *word, bool is_tunnel)
{
    struct slice whole = slice_from_string(word);
    return is_tunnel ? whole : slice_first(whole, slice_find(whole, '#'));
}

enum status aim_init(struct aim *aim, const char *word, const char *method, struct text *fault)
{
    struct target *target = &aim->target;
    bool is_tunnel = strstr(word, "://") == NULL;
    *aim = (struct aim){.word = without_fragment(word, is_tunnel), .is_tunnel = is_tunnel};
    aim->method = aim->is_tunnel   ? SLICE("CONNECT")
                  : method != NULL ? slice_from_string(method)
                                   : SLICE("GET");
    if (strlen(word) > AIM_WORD_MAX)
        return fail("it is too long", fault);
    if (!syntax_is_token(aim->method)) /* else it could end the request line */
        return fail("the method holds a byte that is not allowed, or is empty", fault);
    enum target_fault wrong = target_parse(aim->word, method_of(aim->method), target);
    if (wrong != TARGET_FAULT_NONE && aim->is_tunnel && target->host_fault == HOST_FINE) {
        text_add(fault, SLICE("name a URL or HOST:PORT; did you mean http://"));
        text_add_log(fault, slice_first(slice_from_string(word), 60), '\0');
        return fail(strchr(word, '/') != NULL ? "?" : "/?", fault);
    }
    if (wrong != TARGET_FAULT_NONE) {
        bool is_host = target->host_fault != HOST_FINE;
        return fail(is_host ? host_fault_text(target->host_fault) : target_fault_text(wrong),
                    fault);
    }
    if (!aim->is_tunnel && target->scheme != SCHEME_HTTP && target->scheme != SCHEME_HTTPS)
        return fail("a URL begins with http:// or https://", fault);
    aim_write_authority(target, aim->authority);
    return ST_OK;
}
