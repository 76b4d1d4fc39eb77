/* The connection ends with the answer, since that was asked for, so nothing of the answer need be understood; but for the
 * end of the head that opens a tunnel.
 *
 * Through another proxy a tunnel of the worker to that proxy comes first (`opening`), so that its name, its addresses and
 * the connect are seen as always; then the request goes through it, and what is seen of the answer is marked here. */

#include "view/probe.h"

#include "base/check.h"
#include "base/clock.h"
#include "http/method.h"
#include "http/target.h"
#include "io/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
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
                       struct slice through, struct text *fault)
{
    struct target target;
    struct slice asked = slice_from_string(word);
    *probe = (struct probe){
        .fd = -1, .is_connect = strstr(word, "://") == NULL, .through = through, .shown = word};
    struct slice verb = probe->is_connect ? SLICE("CONNECT")
                        : method != NULL  ? slice_from_string(method)
                                          : SLICE("GET");
    enum status status = read_target(probe, asked, verb, &target, fault);
    if (status != ST_OK)
        return status;
    probe->host = target.host;
    if (through.len > 0 && target.scheme == SCHEME_HTTPS) {
        (void)snprintf(probe->authority, sizeof(probe->authority),
                       target.host.kind == HOST_IPV6 ? "[%s]:%u" : "%s:%u", target.host.text,
                       target_port(&target));
        probe->is_connect = true;
        verb = SLICE("CONNECT");
        probe->shown = probe->authority;
        asked = slice_from_string(probe->authority);
    }
    probe->request = malloc(PROBE_REQUEST_MAX);
    if (probe->request == NULL)
        return ST_NOMEM;
    struct text text = text_on(probe->request, PROBE_REQUEST_MAX);
    text_add(&text, verb);
    text_add_char(&text, ' ');
    text_add(&text, asked);
    text_add(&text, SLICE(" HTTP/1.1\r\nHost: "));
    text_add(&text, probe->is_connect ? asked : target.authority);
    text_add(&text, SLICE("\r\nUser-Agent: fairlead/" FAIRLEAD_VERSION "\r\nAccept: */*\r\n"));
    if (!probe->is_connect)
        text_add(&text, SLICE("Connection: close\r\n"));
    if (through.len > 0 && !probe->is_connect)
        text_add(&text, SLICE("Proxy-Connection: close\r\n"));
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

static bool probe_is_opening(const struct probe *probe)
{
    return probe->through.len > 0 && !probe->is_opened;
}

/* What is still to be sent. */
static struct slice probe_output(const struct probe *probe)
{
    struct slice all = probe_is_opening(probe) ? slice_of(probe->opening, probe->opening_len)
                                               : slice_of(probe->request, probe->request_len);
    return slice_from(all, probe->sent);
}

static void probe_send(struct probe *probe)
{
    struct slice output = probe_output(probe);
    bool is_marked = probe->is_opened && probe->marks != NULL;
    if (is_marked && probe->sent == 0)
        probe->marks->tx0_ns = clock_monotonic_ns();
    ssize_t sent = write(probe->fd, output.at, output.len);
    if (sent > 0)
        probe->sent += (size_t)sent;
    else if (sent < 0 && errno != EAGAIN && errno != EINTR)
        probe_end(probe);
    if (is_marked && probe->sent == probe->request_len)
        probe->marks->tx1_ns = clock_monotonic_ns();
}

/* Has the head of the answer ended? *ret_used: bytes of it. */
static bool probe_sees_end(struct probe *probe, struct slice bytes, size_t *ret_used)
{
    static const char end[] = "\r\n\r\n";
    for (size_t i = 0; i < bytes.len; i++) {
        if (probe->line_len < sizeof(probe->line))
            probe->line[probe->line_len++] = bytes.at[i];
        if (bytes.at[i] == end[probe->matched])
            probe->matched++;
        else
            probe->matched = bytes.at[i] == '\r' ? 1 : 0;
        *ret_used = i + 1;
        if (probe->matched == sizeof(end) - 1)
            return true;
    }
    return false;
}

/* "HTTP/1.1 200" */
static unsigned probe_status(const struct probe *probe)
{
    uint64_t status = 0;
    struct slice line = slice_of(probe->line, probe->line_len);
    if (!slice_starts_with(line, SLICE("HTTP/1.")) ||
        slice_to_u64(slice_first(slice_from(line, 9), 3), 999, &status) != ST_OK)
        return 0;
    return (unsigned)status;
}

static void probe_begin_head(struct probe *probe)
{
    probe->sent = probe->matched = 0;
    probe->line_len = 0;
}

/* The other proxy is there, or not. */
static void probe_take_opening(struct probe *probe, struct slice bytes)
{
    size_t used = 0;
    if (!probe_sees_end(probe, bytes, &used))
        return;
    probe->is_opened = probe_status(probe) == 200;
    if (probe->is_opened)
        probe_begin_head(probe);
    else
        probe_end(probe);
}

/* Some of the answer; interim ones count to it. */
static void probe_take(struct probe *probe, struct slice bytes)
{
    struct probe_marks *marks = probe->marks;
    size_t used = 0;
    bool has_head = probe->matched == 4;
    if (marks != NULL && marks->rx0_ns == 0)
        marks->rx0_ns = clock_monotonic_ns();
    if (!has_head && probe_sees_end(probe, bytes, &used)) {
        has_head = true;
        if (marks != NULL)
            marks->status = probe_status(probe);
    }
    if (marks != NULL) {
        marks->end_ns = clock_monotonic_ns();
        marks->body_bytes += has_head ? bytes.len - used : 0;
    }
    if (has_head && probe->is_connect)
        probe_end(probe);
}

static void probe_read(struct probe *probe, char *chunk)
{
    ssize_t got = read(probe->fd, chunk, PROBE_CHUNK);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            probe_end(probe);
        return;
    }
    if (probe_is_opening(probe))
        probe_take_opening(probe, slice_of(chunk, (size_t)got));
    else
        probe_take(probe, slice_of(chunk, (size_t)got));
}

/* One look at all of them. How many are left. */
static size_t probes_step(struct probe *probes, size_t count, char *chunk)
{
    struct pollfd polled[PROBES_MAX];
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        short events = probe_output(&probes[i]).len > 0 ? POLLIN | POLLOUT : POLLIN;
        polled[i] = (struct pollfd){.fd = probes[i].fd, .events = events};
        left += probes[i].fd >= 0 ? 1 : 0;
    }
    if (left == 0 || poll(polled, count, -1) < 0)
        return left;
    for (size_t i = 0; i < count; i++) {
        if ((polled[i].revents & POLLOUT) != 0)
            probe_send(&probes[i]);
        if ((polled[i].revents & ~POLLOUT) != 0 && probes[i].fd >= 0)
            probe_read(&probes[i], chunk);
    }
    return left;
}

static void probe_start(struct probe *probe, struct probe_marks *marks, size_t number)
{
    probe_begin_head(probe);
    probe->is_opened = false;
    probe->marks = marks;
    if (probe->through.len == 0)
        return;
    struct text text = text_on(probe->opening, sizeof(probe->opening));
    text_add(&text, SLICE("CONNECT "));
    text_add(&text, probe->through);
    text_add(&text, SLICE(" HTTP/1.1\r\nHost: "));
    text_add(&text, probe->through);
    text_add_format(&text, "\r\nUser-Agent: %zu\r\n\r\n", number);
    CHECK(!text.is_cut);
    probe->opening_len = text.len;
}

enum status probes_run(struct lab *lab, struct probe *probes, size_t count,
                       struct probe_marks *marks, size_t first)
{
    char *chunk = malloc(PROBE_CHUNK);
    enum status status = chunk == NULL ? ST_NOMEM : ST_OK;
    CHECK(count <= PROBES_MAX);
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        probe_start(&probes[i], marks != NULL ? &marks[first + i] : NULL, first + i);
        status = lab_connect(lab, &probes[i].fd);
    }
    while (status == ST_OK && probes_step(probes, count, chunk) > 0)
        continue;
    for (size_t i = 0; i < count; i++)
        probe_end(&probes[i]);
    free(chunk);
    return status;
}
