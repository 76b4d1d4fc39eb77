/* A request-target under each kind of method: an accepted host is canonical (it parses to itself), the parts lie
 * in the input, and the origin-form is accepted again as one. */
#include "fuzz_http.h"

#include "http/target.h"

static void check_host(const struct target *target)
{
    struct host again;
    char bracketed[HOST_MAX + 3];
    struct slice name = host_slice(&target->host);
    if (target->host.kind == HOST_IPV6) {
        bracketed[0] = '[';
        memcpy(bracketed + 1, name.at, name.len);
        bracketed[name.len + 1] = ']';
        name = slice_of(bracketed, name.len + 2);
    }
    CHECK(host_parse(name, &again) == HOST_FINE);
    CHECK(again.kind == target->host.kind &&
          slice_equals(host_slice(&again), host_slice(&target->host)));
}

static void check_method(struct fuzz_http *fuzz, struct slice raw, enum method method)
{
    struct target target;
    if (target_parse(raw, method, &target) != TARGET_FAULT_NONE)
        return;
    CHECK(fuzz_is_within(target.authority, raw) && fuzz_is_within(target.host_name, raw));
    CHECK(fuzz_is_within(target.path_and_query, raw) && fuzz_is_within(target.scheme_name, raw));
    CHECK((method == METHOD_CONNECT) == (target.form == TARGET_AUTHORITY));
    if (target.has_host)
        check_host(&target);
    if (target.form != TARGET_ABSOLUTE || target.scheme == SCHEME_OTHER)
        return;
    struct slice origin = target_origin_form(&target, method, &fuzz->arena);
    if (origin.at == NULL)
        return;
    struct target again;
    CHECK(target_parse(origin, method, &again) == TARGET_FAULT_NONE);
    CHECK(again.form == TARGET_ORIGIN || again.form == TARGET_ASTERISK);
    CHECK(slice_equals(again.path_and_query, origin));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_http fuzz;
    fuzz_http_begin(&fuzz);
    struct slice raw = slice_of((const char *)data, len);
    check_method(&fuzz, raw, METHOD_GET);
    check_method(&fuzz, raw, METHOD_OPTIONS);
    check_method(&fuzz, raw, METHOD_CONNECT);
    fuzz_http_end(&fuzz);
    return 0;
}
