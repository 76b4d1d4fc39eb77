/* Expectations on records and heads. */
#include "sim/expect.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WORLD_BEGIN_MS = 1000000 };

void expect_phases(const struct record *record, const char *phases)
{
    char bytes[512];
    struct text text = text_on(bytes, sizeof(bytes));
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        uint64_t ns = 0;
        if (!timeline_phase(&record->timeline, (enum phase)phase, &ns))
            continue;
        text_add_format(&text, "%s%s %llu", text.len > 0 ? " " : "", phase_word((enum phase)phase),
                        (unsigned long long)(ns / NS_PER_MS));
        assert_int_equal(ns % NS_PER_MS, 0);
    }
    assert_string_equal(text_string(&text), phases);
}

long mark_ms(const struct record *record, enum mark mark)
{
    if (!timeline_has(&record->timeline, mark))
        return -1;
    return (long)(record->timeline.at_ns[mark] / NS_PER_MS) - WORLD_BEGIN_MS;
}

void expect_end(const struct record *record, const char *words)
{
    char bytes[128];
    (void)snprintf(bytes, sizeof(bytes), "%s %u %s %s",
                   record_kind_word((enum record_kind)record->kind), record->status,
                   record_end_word((enum record_end)record->end),
                   record_leg_word((enum record_leg)record->ended_by));
    assert_string_equal(bytes, words);
}

void expect_text(const struct record *record, struct record_text which, const char *expected)
{
    char bytes[RECORD_TEXT_MAX + 1];
    struct slice text = record_get(record, which);
    (void)snprintf(bytes, sizeof(bytes), "%.*s", (int)text.len, text.len > 0 ? text.at : "");
    assert_string_equal(bytes, expected);
}

const char *head_field(const char *head, const char *name)
{
    static char value[2048];
    size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, len) != 0 || line[2 + len] != ':')
            continue;
        const char *at = line + 2 + len + 1;
        at += strspn(at, " ");
        (void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
        return value;
    }
    return NULL;
}

void expect_field(const char *head, const char *name, const char *value)
{
    const char *is = head_field(head, name);
    if (value == NULL && is != NULL)
        fail_msg("there is a field %s: %s", name, is);
    if (value == NULL)
        return;
    if (is == NULL)
        fail_msg("there is no field %s in: %s", name, head);
    assert_string_equal(is, value);
}

void expect_field_has(const char *head, const char *name, const char *part)
{
    const char *is = head_field(head, name);
    if (is == NULL || strstr(is, part) == NULL)
        fail_msg("%s is \"%s\", without \"%s\"", name, is == NULL ? "absent" : is, part);
}

char *unchunked(const char *message)
{
    char *plain = strdup(message);
    CHECK(plain != NULL);
    const char *coding = head_field(message, "Transfer-Encoding");
    char *into = strstr(plain, "\r\n\r\n");
    if (coding == NULL || into == NULL)
        return plain;
    const char *at = message + (into - plain) + 4;
    into += 4;
    for (;;) {
        char *behind = NULL;
        size_t len = strtoul(at, &behind, 16);
        if (behind == at || strncmp(behind, "\r\n", 2) != 0)
            fail_msg("no chunk line at \"%.40s\"", at);
        at = behind + 2;
        if (len == 0)
            break;
        if (strlen(at) < len + 2 || strncmp(at + len, "\r\n", 2) != 0)
            fail_msg("a chunk of %zu bytes is cut: \"%.40s\"", len, at);
        memcpy(into, at, len);
        into += len;
        at += len + 2;
    }
    size_t rest = strlen(at);
    if (rest < 2 || strcmp(at + rest - 2, "\r\n") != 0)
        fail_msg("the trailer section does not end: \"%.40s\"", at);
    size_t room = strlen(plain) - (size_t)(into - plain) + 1;
    *into = '\0';
    if (rest > 2)
        (void)snprintf(into, room, "[%s]", at);
    return plain;
}

/* ---- seeds ---- */

static uint64_t draw_state;
static uint64_t the_seed; /* 0: none is played */

/* An assertion that fails leaves by a jump, one that aborts by a signal: both leave the seed behind. */
__attribute__((destructor)) static void tell_seed(void)
{
    if (the_seed != 0)
        print_error("the seed that was played last: SIM_SEED=%llu\n", (unsigned long long)the_seed);
}

static void tell_seed_of_abort(int number)
{
    tell_seed();
    (void)raise(number); /* SA_RESETHAND: now it ends the program */
}

unsigned draw(unsigned below)
{
    draw_state ^= draw_state << 13;
    draw_state ^= draw_state >> 7;
    draw_state ^= draw_state << 17;
    return (unsigned)((draw_state >> 16) % below);
}

void play_seeds(void (*play)(void), uint64_t count)
{
    const char *one = getenv("SIM_SEED");
    const char *many = getenv("SIM_SEEDS");
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 1;
    uint64_t last = one != NULL ? first : many != NULL ? strtoull(many, NULL, 10) : count;
    tell_seed();
    struct sigaction action = {.sa_handler = tell_seed_of_abort, .sa_flags = (int)SA_RESETHAND};
    CHECK(sigaction(SIGABRT, &action, NULL) == 0);
    for (uint64_t seed = first; seed <= last; seed++) {
        draw_state = seed * 0x9e3779b97f4a7c15 + 1;
        the_seed = seed;
        play();
        world_finish();
    }
    the_seed = 0;
}
