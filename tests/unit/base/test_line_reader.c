/* cmocka wants these four before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/line_reader.h"

#include <string.h>

static FILE *file_of(const char *text, size_t len)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    rewind(file);
    return file;
}

static void assert_line(struct line_reader *reader, struct slice expected)
{
    struct slice line;
    assert_int_equal(line_reader_next(reader, &line), ST_OK);
    assert_int_equal(line.len, expected.len);
    assert_memory_equal(line.at, expected.at, expected.len);
}

static void assert_over(struct line_reader *reader)
{
    struct slice line;
    assert_int_equal(line_reader_next(reader, &line), ST_EOF);
}

/* Lines come without their feed, empty ones too, and the last one says that it had none. */
static void lines_come_one_by_one(void **state)
{
    (void)state;
    struct line_reader reader;
    FILE *file = file_of("one\n\nlast", 9);
    assert_int_equal(line_reader_init(&reader), ST_OK);
    line_reader_use(&reader, file);
    assert_line(&reader, SLICE("one"));
    assert_line(&reader, SLICE(""));
    assert_true(reader.has_feed);
    assert_line(&reader, SLICE("last"));
    assert_false(reader.has_feed);
    assert_int_equal(reader.count, 3);
    assert_over(&reader);
    line_reader_done(&reader);
    (void)fclose(file);
}

/* Of a line beyond the room only the beginning is there, and the next line is found behind all of it. */
static void a_long_line_is_cut_and_the_next_one_found(void **state)
{
    (void)state;
    enum { LONG = 3 * LINE_READER_MAX };
    static char text[LONG + 6];
    struct line_reader reader;
    memset(text, 'x', LONG);
    memcpy(text + LONG, "\nnext\n", 6);
    FILE *file = file_of(text, sizeof(text));
    assert_int_equal(line_reader_init(&reader), ST_OK);
    line_reader_use(&reader, file);
    assert_line(&reader, slice_of(text, LINE_READER_MAX));
    assert_true(reader.is_cut);
    assert_true(reader.has_feed);
    assert_line(&reader, SLICE("next"));
    assert_false(reader.is_cut);
    assert_over(&reader);
    line_reader_done(&reader);
    (void)fclose(file);
}

/* A line that goes over from one chunk of the file to the next is whole, wherever the chunk ends in it. */
static void a_line_is_whole_over_the_end_of_a_chunk(void **state)
{
    (void)state;
    static char text[LINE_READER_MAX + 8];
    for (size_t before = LINE_READER_MAX - 6; before <= LINE_READER_MAX + 1; before++) {
        struct line_reader reader;
        memset(text, 'x', sizeof(text));
        text[before - 1] = '\n';
        memcpy(text + before, "12345\n", 6);
        FILE *file = file_of(text, before + 6);
        assert_int_equal(line_reader_init(&reader), ST_OK);
        line_reader_use(&reader, file);
        assert_line(&reader, slice_of(text, before - 1));
        assert_line(&reader, SLICE("12345"));
        assert_over(&reader);
        line_reader_done(&reader);
        (void)fclose(file);
    }
}

/* One reader reads one file after the other: its count begins anew, and nothing is left of the one before. */
static void another_file_begins_anew(void **state)
{
    (void)state;
    struct line_reader reader;
    FILE *first = file_of("one\ntwo\n", 8);
    FILE *second = file_of("three\n", 6);
    assert_int_equal(line_reader_init(&reader), ST_OK);
    line_reader_use(&reader, first);
    assert_line(&reader, SLICE("one"));
    line_reader_use(&reader, second);
    assert_line(&reader, SLICE("three"));
    assert_int_equal(reader.count, 1);
    assert_over(&reader);
    line_reader_done(&reader);
    (void)fclose(first);
    (void)fclose(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_one_by_one),
        cmocka_unit_test(a_long_line_is_cut_and_the_next_one_found),
        cmocka_unit_test(a_line_is_whole_over_the_end_of_a_chunk),
        cmocka_unit_test(another_file_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
