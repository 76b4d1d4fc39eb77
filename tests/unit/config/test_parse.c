#include "config_test.h"

#include "config/parse.h"

/* ---- short words ---- */

static struct parse_node *parsed(const char *yaml, struct memory *memory)
{
    struct parse_fault fault = {.text = ""};
    struct parse_node *root = NULL;
    if (parse_yaml(slice_from_string(yaml), memory, &fault, &root) != ST_OK)
        fail_msg("%s", fault.text);
    return root;
}

static void refused(struct slice yaml, size_t line, size_t column, const char *words)
{
    struct memory memory = {NULL};
    struct parse_fault fault = {.text = ""};
    struct parse_node *root = NULL;
    assert_int_equal(parse_yaml(yaml, &memory, &fault, &root), ST_BAD);
    assert_null(root);
    assert_string_equal(fault.text, words);
    assert_int_equal(fault.place.line, line);
    assert_int_equal(fault.place.column, column);
    memory_done(&memory);
}

/* ---- claims ---- */

static void every_node_knows_its_place(void **state)
{
    (void)state;
    struct memory memory = {NULL};
    const struct parse_node *root = parsed("a: 1\nb:\n  - 'x'\n  - [y]\n", &memory);
    assert_int_equal(root->kind, PARSE_MAP);
    const struct parse_node *a = root->first;
    assert_slice(a->name, "a");
    assert_slice(a->text, "1");
    assert_true(a->is_plain);
    assert_int_equal(a->name_place.column, 1);
    assert_int_equal(a->place.line, 1);
    assert_int_equal(a->place.column, 4);
    const struct parse_node *b = a->next;
    assert_int_equal(b->kind, PARSE_LIST);
    assert_int_equal(b->first->place.line, 3);
    assert_int_equal(b->first->place.column, 5);
    assert_false(b->first->is_plain);
    assert_int_equal(b->first->next->kind, PARSE_LIST);
    assert_slice(b->first->next->first->text, "y");
    assert_null(b->next);
    memory_done(&memory);
}

static void an_empty_document_has_no_root(void **state)
{
    (void)state;
    struct memory memory = {NULL};
    assert_null(parsed("", &memory));
    assert_null(parsed("# only a comment\n", &memory));
    memory_done(&memory);
}

static void what_could_multiply_is_refused(void **state)
{
    (void)state;
    refused(SLICE("a: &x 1\n"), 1, 4, "anchors are not supported");
    refused(SLICE("a: &x [1]\n"), 1, 4, "anchors are not supported");
    refused(SLICE("a: &x {b: 1}\n"), 1, 4, "anchors are not supported");
    refused(SLICE("a: *x\n"), 1, 4, "aliases are not supported");
    refused(SLICE("*x : 1\n"), 1, 1, "aliases are not supported");
}

static void what_has_no_meaning_here_is_refused(void **state)
{
    (void)state;
    refused(SLICE("a: !!int 1\n"), 1, 4, "tags are not supported");
    refused(SLICE("a: 1\n---\nb: 1\n"), 2, 1, "only one document is read");
    refused(SLICE("[a]: 1\n"), 1, 1, "a key is a word, not a list or map");
    refused(SLICE("a: \"x\\0y\"\n"), 1, 4, "a value holds a NUL byte");
}

static void syntax_errors_name_their_place(void **state)
{
    (void)state;
    refused(SLICE("a: [1\nb: 2\n"), 2, 2,
            "not YAML: did not find expected ',' or ']' (while parsing a flow sequence)");
    refused(SLICE("a:\n\t- b\n"), 2, 1,
            "not YAML: found character that cannot start any token (while scanning for the next "
            "token); indent with blanks, not with tabs");
    refused(SLICE("a: \xff\n"), 1, 1, "not YAML: invalid leading UTF-8 octet");
    refused(SLICE("[ \xff\n"), 1, 1, "not YAML: invalid leading UTF-8 octet");
}

/* Addresses and names that YAML takes for something else: the place, and that quotes help. */
static void syntax_errors_that_quotes_heal_say_so(void **state)
{
    (void)state;
    refused(SLICE("listen: [::1]:3128\n"), 1, 10,
            "not YAML: did not find expected node content (while parsing a flow node); what begins "
            "with [ and is no list needs quotes");
    refused(SLICE("\"\xc3\xbc\xe2\x82\xac\": [::1]:3128\n"), 1, 8,
            "not YAML: did not find expected node content (while parsing a flow node); what begins "
            "with [ and is no list needs quotes");
    refused(SLICE("# \xc3\xbc\negress: { \"\xc3\xbc\": [*.x.example] }\n"), 2, 18,
            "not YAML: did not find expected alphabetic or numeric character (while scanning an "
            "alias); what begins with * needs quotes");
    refused(SLICE("a: b: c\n"), 1, 5, "not YAML: mapping values are not allowed in this context");
}

static void depth_and_counts_are_bounded(void **state)
{
    (void)state;
    char deep[64];
    memset(deep, '[', sizeof(deep));
    refused(slice_of(deep, sizeof(deep)), 1, PARSE_DEPTH_MAX + 1, "nested too deep");

    char *wide = calloc(1, 16 * (PARSE_MAP_MAX + 2));
    size_t len = 0;
    for (int i = 0; i <= PARSE_MAP_MAX; i++)
        len += (size_t)snprintf(wide + len, 16, "k%d: 1\n", i);
    refused(slice_of(wide, len), PARSE_MAP_MAX + 1, 1, "too many keys in one map");
    free(wide);

    size_t long_len = 2 * (PARSE_NODES_MAX + 2);
    char *lengthy = malloc(long_len);
    for (size_t i = 0; i < long_len; i += 2)
        memcpy(lengthy + i, i == 0 ? "[1" : ",1", 2);
    struct memory memory = {NULL};
    struct parse_fault fault;
    struct parse_node *root = NULL;
    assert_int_equal(parse_yaml(slice_of(lengthy, long_len), &memory, &fault, &root), ST_BAD);
    assert_string_equal(fault.text, "too many values");
    memory_done(&memory);
    free(lengthy);

    char *big = malloc(PARSE_BYTES_MAX + 1);
    memset(big, '#', PARSE_BYTES_MAX + 1);
    refused(slice_of(big, PARSE_BYTES_MAX + 1), 1, 1, "the file is larger than 4 MiB");
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_knows_its_place),
        cmocka_unit_test(an_empty_document_has_no_root),
        cmocka_unit_test(what_could_multiply_is_refused),
        cmocka_unit_test(what_has_no_meaning_here_is_refused),
        cmocka_unit_test(syntax_errors_name_their_place),
        cmocka_unit_test(syntax_errors_that_quotes_heal_say_so),
        cmocka_unit_test(depth_and_counts_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
