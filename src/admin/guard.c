/* Host, token and the form of a request, in this order.
 *
 * Host: a page whose own name was made to point at this address (DNS rebinding) sends that name, so only
 * loopback names and addresses and the address that was reached are known. The port must be ours or absent:
 * whoever asks for another one came through something that forwards for others (RFC 9110 §7.4). Nobody can
 * be lured to a Unix socket, so Host does not matter there.
 *
 * Token: from elsewhere each request needs it, on loopback and Unix sockets only what changes something, and the rules:
 * the file that they stand in need not be readable by all users of this machine.
 *
 * Form: what changes something also needs a field or a content type that a page of another site cannot send
 * without asking first (CORS), which is never allowed here. The token alone would do; this holds should
 * browsers ever come to send it by themselves. */

#include "admin/guard.h"

static bool guard_is_remote(const struct inet_endpoint *endpoint)
{
    return endpoint->addr.family != INET_NONE && !inet_addr_is_loopback(&endpoint->addr);
}

static bool guard_knows_host(const struct guard_question *question)
{
    const struct target *target = question->target;
    if (question->listener.addr.family == INET_NONE)
        return true;
    if (!target->has_host || (target->port != 0 && target->port != question->listener.port))
        return false;
    if (target->host.kind == HOST_NAME)
        return slice_equals(host_slice(&target->host), SLICE("localhost"));
    struct inet_addr addr = inet_addr_unmap(&target->host.addr);
    return inet_addr_is_loopback(&addr) || inet_addr_equals(&addr, &question->listener.addr);
}

/* In a time that depends on the lengths alone. */
static bool guard_equals(struct slice shown, struct slice token)
{
    volatile unsigned char difference = shown.len == token.len ? 0 : 1;
    for (size_t i = 0; i < shown.len; i++)
        difference |= (unsigned char)(shown.at[i] ^ token.at[i % token.len]);
    return difference == 0;
}

/* RFC 6750 §2.1. More than one Authorization field is none. */
static bool guard_has_token(const struct guard_question *question)
{
    const struct fields *fields = &question->request->fields;
    const struct field *field = fields_find(fields, TOKEN_AUTHORIZATION);
    if (field == NULL || fields_count_of(fields, TOKEN_AUTHORIZATION) > 1 ||
        !slice_starts_with_nocase(field->value, SLICE("Bearer ")))
        return false;
    return guard_equals(slice_trim(slice_from(field->value, sizeof("Bearer ") - 1)),
                        question->token);
}

static enum guard_verdict guard_token(const struct guard_question *question)
{
    if (question->token.len == 0)
        return GUARD_NO_TOKEN;
    return guard_has_token(question) ? GUARD_PASS : GUARD_TOKEN;
}

enum guard_verdict guard_page(const struct guard_question *question)
{
    return guard_knows_host(question) ? GUARD_PASS : GUARD_HOST;
}

/* Another site's page could not read the answer, but could tell from the time that it took what was in it. Browsers say
 * whose page asks (Fetch Metadata); "none" is a person. No browser says it twice. */
static bool guard_is_foreign(const struct guard_question *question)
{
    const struct fields *fields = &question->request->fields;
    bool is_foreign = false;
    unsigned count = 0;
    for (uint32_t i = 0; i < fields->count; i++) {
        const struct field *field = &fields->at[i];
        if (!slice_equals_nocase(field->name, SLICE("Sec-Fetch-Site")))
            continue;
        is_foreign |= !slice_equals(field->value, SLICE("same-origin")) &&
                      !slice_equals(field->value, SLICE("none"));
        count++;
    }
    return is_foreign || count > 1;
}

enum guard_verdict guard_read(const struct guard_question *question)
{
    if (!guard_knows_host(question))
        return GUARD_HOST;
    if (guard_is_foreign(question))
        return GUARD_FOREIGN;
    if (guard_is_remote(&question->client) || guard_is_remote(&question->listener))
        return guard_token(question);
    return GUARD_PASS;
}

enum guard_verdict guard_secret(const struct guard_question *question)
{
    return guard_token(question);
}

enum guard_verdict guard_change(const struct guard_question *question)
{
    const struct fields *fields = &question->request->fields;
    const struct field *type = fields_find(fields, TOKEN_CONTENT_TYPE);
    enum guard_verdict verdict = guard_token(question);
    if (verdict != GUARD_PASS)
        return verdict;
    if (fields_find_name(fields, SLICE("X-Fairlead")) != NULL)
        return GUARD_PASS;
    if (type == NULL)
        return GUARD_SIMPLE;
    struct slice essence = slice_trim(slice_first(type->value, slice_find(type->value, ';')));
    return slice_equals_nocase(essence, SLICE("application/json")) ? GUARD_PASS : GUARD_SIMPLE;
}

struct guard_row {
    unsigned status;
    const char *word;
    const char *text;
};

static const struct guard_row guard_rows[] = {
#define X(name, status, word, sentence) [GUARD_##name] = {status, word, sentence},
    GUARD_VERDICTS(X)
#undef X
};

unsigned guard_status(enum guard_verdict verdict)
{
    return guard_rows[verdict].status;
}

const char *guard_word(enum guard_verdict verdict)
{
    return guard_rows[verdict].word;
}

const char *guard_text(enum guard_verdict verdict)
{
    return guard_rows[verdict].text;
}
