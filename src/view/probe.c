/* The connection ends with the answer, since that was asked for, so nothing of the answer need be understood; but for the
 * end of the head that opens a tunnel. */

#include "view/probe.h"

#include "base/check.h"
#include "http/method.h"
#include "http/target.h"
#include "io/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROBE_CHUNK = 65536 };

static enum status fail(const char *why, struct text *fault)
{
    text_add(fault, slice_from_string(why));
    return ST_BAD;
}

/* ---- the request ---- */

static enum status read_target(struct probe *probe, struct slice word, struct slice method,
                               struct target *target, struct text *fault)
{
    enum target_fault wrong = target_parse(word, method_of(method), target);
    if (wrong != TARGET_FAULT_NONE) {
        bool is_host = target->host_fault != HOST_FINE;
        return fail(is_host ? host_fault_text(target->host_fault) : target_fault_text(wrong),
                    fault);
    }
    bool is_url = target->scheme == SCHEME_HTTP || target->scheme == SCHEME_HTTPS;
    if (!probe->is_connect && !is_url)
        return fail("a URL begins with http:// or https://", fault);
    return ST_OK;
}

enum status probe_init(struct probe *probe, const char *word, const char *method,
                       struct text *fault)
{
    struct target target;
    struct slice asked = slice_from_string(word);
    *probe = (struct probe){.fd = -1, .is_connect = strstr(word, "://") == NULL};
    struct slice verb = probe->is_connect ? SLICE("CONNECT")
                        : method != NULL  ? slice_from_string(method)
                                          : SLICE("GET");
    enum status status = read_target(probe, asked, verb, &target, fault);
    if (status != ST_OK)
        return status;
    probe->request = malloc(PROBE_REQUEST_MAX);
    if (probe->request == NULL)
        return ST_NOMEM;
    struct text text = text_on(probe->request, PROBE_REQUEST_MAX);
    text_add(&text, verb);
    text_add_char(&text, ' ');
    text_add(&text, asked);
    text_add(&text, SLICE(" HTTP/1.1\r\nHost: "));
    text_add(&text, probe->is_connect ? asked : target.authority);
    text_add(&text, SLICE("\r\nUser-Agent: fairlead/" FAIRLEAD_VERSION "\r\nAccept: */*\r\n"
                          "Connection: close\r\n"));
    bool has_body = slice_equals(verb, SLICE("POST")) || slice_equals(verb, SLICE("PUT")) ||
                    slice_equals(verb, SLICE("PATCH"));
    text_add(&text, has_body ? SLICE("Content-Length: 0\r\n\r\n") : SLICE("\r\n"));
    probe->request_len = text.len;
    return text.is_cut ? fail("it is too long", fault) : ST_OK;
}

void probe_done(struct probe *probe)
{
    free(probe->request);
    probe->request = NULL;
}

/* ---- running ---- */

static void probe_end(struct probe *probe)
{
    socket_close(&probe->fd);
}

static void probe_send(struct probe *probe)
{
    ssize_t sent = write(probe->fd, probe->request + probe->sent, probe->request_len - probe->sent);
    if (sent > 0)
        probe->sent += (size_t)sent;
    else if (sent < 0 && errno != EAGAIN && errno != EINTR)
        probe_end(probe);
}

/* Has the head of the answer ended? */
static bool probe_sees_end(struct probe *probe, struct slice bytes)
{
    static const char end[] = "\r\n\r\n";
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.at[i] == end[probe->matched])
            probe->matched++;
        else
            probe->matched = bytes.at[i] == '\r' ? 1 : 0;
        if (probe->matched == sizeof(end) - 1)
            return true;
    }
    return false;
}

static void probe_read(struct probe *probe, char *chunk)
{
    ssize_t got = read(probe->fd, chunk, PROBE_CHUNK);
    bool may_wait = got < 0 && (errno == EAGAIN || errno == EINTR);
    bool is_over = got <= 0 && !may_wait;
    if (got > 0 && probe->is_connect)
        is_over = probe_sees_end(probe, slice_of(chunk, (size_t)got));
    if (is_over)
        probe_end(probe);
}

/* One look at all of them. How many are left. */
static size_t probes_step(struct probe *probes, size_t count, char *chunk)
{
    struct pollfd polled[PROBES_MAX];
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_sent = probes[i].sent == probes[i].request_len;
        polled[i] = (struct pollfd){.fd = probes[i].fd, .events = is_sent ? POLLIN : POLLOUT};
        left += probes[i].fd >= 0 ? 1 : 0;
    }
    if (left == 0 || poll(polled, count, -1) < 0)
        return left;
    for (size_t i = 0; i < count; i++) {
        if (polled[i].revents == 0 || probes[i].fd < 0)
            continue;
        if (probes[i].sent < probes[i].request_len)
            probe_send(&probes[i]);
        else
            probe_read(&probes[i], chunk);
    }
    return left;
}

enum status probes_run(struct lab *lab, struct probe *probes, size_t count)
{
    char *chunk = malloc(PROBE_CHUNK);
    enum status status = chunk == NULL ? ST_NOMEM : ST_OK;
    CHECK(count <= PROBES_MAX);
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        probes[i].sent = 0;
        probes[i].matched = 0;
        status = lab_connect(lab, &probes[i].fd);
    }
    while (status == ST_OK && probes_step(probes, count, chunk) > 0)
        continue;
    for (size_t i = 0; i < count; i++)
        probe_end(&probes[i]);
    free(chunk);
    return status;
}
