/* A line is collected, then taken as a field; an empty line ends the event. */

#include "view/sse.h"

void sse_init(struct sse *sse)
{
    sse->line_len = sse->data_len = sse->event_len = sse->id_len = 0;
    sse->line_is_cut = sse->has_data = sse->is_bad = false;
}

static void keep(char *into, size_t cap, size_t *len, struct slice value)
{
    *len = value.len < cap ? value.len : 0;
    if (*len > 0)
        memcpy(into, value.at, *len);
}

static void take_field(struct sse *sse)
{
    struct slice value = slice_of(sse->line, sse->line_len);
    struct slice name;
    if (sse->line_len > 0 && sse->line[sse->line_len - 1] == '\r')
        value.len--;
    if (!slice_next_part(&value, ':', &name) || name.len == 0)
        return; /* a comment */
    if (slice_starts_with(value, SLICE(" ")))
        value = slice_from(value, 1);
    if (slice_equals(name, SLICE("event"))) {
        keep(sse->event, sizeof(sse->event), &sse->event_len, value);
    } else if (slice_equals(name, SLICE("id"))) {
        keep(sse->id, sizeof(sse->id), &sse->id_len, value);
    } else if (slice_equals(name, SLICE("data"))) {
        sse->is_bad = sse->is_bad || sse->has_data || sse->line_is_cut;
        sse->has_data = true;
        keep(sse->data, sizeof(sse->data), &sse->data_len, value);
    }
}

/* The empty line. False: there was nothing worth an event. */
static bool take_end(struct sse *sse, struct sse_event *ret_event)
{
    bool is_event = sse->has_data && !sse->is_bad;
    if (is_event)
        *ret_event = (struct sse_event){
            .name = sse->event_len > 0 ? slice_of(sse->event, sse->event_len) : SLICE("message"),
            .id = slice_of(sse->id, sse->id_len),
            .data = slice_of(sse->data, sse->data_len),
        };
    sse->has_data = sse->is_bad = false;
    sse->event_len = 0;
    return is_event;
}

bool sse_next(struct sse *sse, struct slice *input, struct sse_event *ret_event)
{
    while (input->len > 0) {
        size_t len = slice_find(*input, '\n');
        size_t room = sizeof(sse->line) - sse->line_len;
        size_t kept = len < room ? len : room;
        bool is_whole = len < input->len;
        if (kept > 0)
            memcpy(sse->line + sse->line_len, input->at, kept);
        sse->line_len += kept;
        sse->line_is_cut = sse->line_is_cut || kept < len;
        *input = slice_from(*input, is_whole ? len + 1 : len);
        if (!is_whole)
            break;
        bool is_empty = sse->line_len == 0 || (sse->line_len == 1 && sse->line[0] == '\r');
        if (!is_empty)
            take_field(sse);
        sse->line_len = 0;
        sse->line_is_cut = false;
        if (is_empty && take_end(sse, ret_event))
            return true;
    }
    return false;
}
