/* libyaml's events to a tree of our own.
 *
 * Events rather than libyaml's documents: those hold aliases as shared nodes, so that a few lines can stand
 * for billions of values, or for a ring. The open maps and lists are a stack of fixed depth; nothing here
 * calls itself. A map's key waits in `key` until its value comes. */

#include "config/parse.h"

#include "base/text.h"

#include <yaml.h>

struct open_node {
    struct parse_node *node;
    struct parse_node *last; /* newest child */
    struct parse_node *key;  /* of a map: a key without its value */
    size_t count;
};

struct parser {
    yaml_parser_t yaml;
    struct slice input;
    struct memory *memory;
    struct parse_fault *fault;
    struct parse_node *root;
    struct open_node open[PARSE_DEPTH_MAX];
    size_t depth;
    size_t node_count;
    size_t document_count;
};

static enum status parser_fail(struct parser *parser, const yaml_mark_t *mark, const char *words)
{
    struct text text = text_on(parser->fault->text, sizeof(parser->fault->text));
    text_add(&text, slice_from_string(words));
    (void)text_string(&text);
    parser->fault->place = (struct parse_place){mark->line + 1, mark->column + 1};
    return ST_BAD;
}

/* The byte at a mark, whose column counts characters; NUL where there is none. */
static char parser_byte_at(const struct parser *parser, const yaml_mark_t *mark)
{
    struct slice rest = parser->input;
    struct slice line;
    for (size_t i = 0; i < mark->line && rest.len > 0; i++)
        (void)slice_next_part(&rest, '\n', &line); /* there is one: some is left */
    for (size_t i = 0; i < mark->column && rest.len > 0; i++) {
        do
            rest = slice_from(rest, 1);
        while (rest.len > 0 && ((unsigned char)rest.at[0] & 0xc0) == 0x80);
    }
    return rest.len > 0 ? rest.at[0] : '\0';
}

/* What people write for addresses, names and indents, and YAML takes for something else. libyaml has no code for its
 * errors: where its words change, hints are missing and nothing else. */
static void parser_add_hint(const struct parser *parser, const yaml_mark_t *mark, struct text *text)
{
    struct slice context = slice_from_string(parser->yaml.context);
    char byte = parser_byte_at(parser, mark);
    if (slice_equals(context, SLICE("while scanning an alias")))
        text_add(text, SLICE("; what begins with * needs quotes"));
    else if (slice_equals(context, SLICE("while parsing a flow node")) && byte == ':')
        text_add(text, SLICE("; what begins with [ and is no list needs quotes"));
    else if (slice_equals(context, SLICE("while scanning for the next token")) && byte == '\t')
        text_add(text, SLICE("; indent with blanks, not with tabs"));
}

/* What libyaml says about bytes that are not YAML. */
static enum status parser_fail_syntax(struct parser *parser)
{
    const yaml_parser_t *yaml = &parser->yaml;
    char words[160];
    struct text text = text_on(words, sizeof(words));
    if (yaml->error == YAML_MEMORY_ERROR)
        return ST_NOMEM;
    text_add(&text, SLICE("not YAML: "));
    text_add(&text, slice_from_string(yaml->problem != NULL ? yaml->problem : "unreadable"));
    if (yaml->context != NULL)
        text_add_format(&text, " (%s)", yaml->context);
    yaml_mark_t mark = yaml->error == YAML_READER_ERROR ? yaml->mark : yaml->problem_mark;
    parser_add_hint(parser, &mark, &text);
    return parser_fail(parser, &mark, text_string(&text));
}

/* The place where a new node belongs: root, next element, key or value. */
static enum status parser_hang(struct parser *parser, struct parse_node *node,
                               const yaml_mark_t *mark)
{
    if (parser->depth == 0) {
        parser->root = node;
        return ST_OK;
    }
    struct open_node *open = &parser->open[parser->depth - 1];
    if (open->node->kind == PARSE_MAP && open->key == NULL) {
        if (node->kind != PARSE_SCALAR)
            return parser_fail(parser, mark, "a key is a word, not a list or map");
        if (++open->count > PARSE_MAP_MAX)
            return parser_fail(parser, mark, "too many keys in one map");
        open->key = node;
        return ST_OK;
    }
    if (open->key != NULL) {
        node->name = open->key->text;
        node->name_place = open->key->place;
        open->key = NULL;
    }
    if (open->last == NULL)
        open->node->first = node;
    else
        open->last->next = node;
    open->last = node;
    return ST_OK;
}

static enum status parser_add(struct parser *parser, const yaml_event_t *event,
                              enum parse_kind kind, struct parse_node **ret_node)
{
    if (++parser->node_count > PARSE_NODES_MAX)
        return parser_fail(parser, &event->start_mark, "too many values");
    struct parse_node *node = memory_alloc(parser->memory, sizeof(*node));
    if (node == NULL)
        return ST_NOMEM;
    node->kind = kind;
    node->place = (struct parse_place){event->start_mark.line + 1, event->start_mark.column + 1};
    enum status status = parser_hang(parser, node, &event->start_mark);
    if (status == ST_OK)
        *ret_node = node;
    return status;
}

static enum status parser_scalar(struct parser *parser, const yaml_event_t *event)
{
    struct slice text = slice_of((const char *)event->data.scalar.value, event->data.scalar.length);
    struct parse_node *node;
    if (slice_find(text, '\0') < text.len)
        return parser_fail(parser, &event->start_mark, "a value holds a NUL byte");
    enum status status = parser_add(parser, event, PARSE_SCALAR, &node);
    if (status != ST_OK)
        return status;
    node->text = memory_copy(parser->memory, text);
    node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    /* A key hangs with its text copied only now, which is before its value comes. */
    return node->text.at == NULL ? ST_NOMEM : ST_OK;
}

static enum status parser_open(struct parser *parser, const yaml_event_t *event,
                               enum parse_kind kind)
{
    struct parse_node *node;
    if (parser->depth == PARSE_DEPTH_MAX)
        return parser_fail(parser, &event->start_mark, "nested too deep");
    enum status status = parser_add(parser, event, kind, &node);
    if (status == ST_OK)
        parser->open[parser->depth++] = (struct open_node){.node = node};
    return status;
}

static enum status parser_refuse_extras(struct parser *parser, const yaml_event_t *event,
                                        const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        return parser_fail(parser, &event->start_mark, "anchors are not supported");
    if (tag != NULL)
        return parser_fail(parser, &event->start_mark, "tags are not supported");
    return ST_OK;
}

static enum status parser_take(struct parser *parser, const yaml_event_t *event)
{
    enum status status;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        status =
            parser_refuse_extras(parser, event, event->data.scalar.anchor, event->data.scalar.tag);
        return status != ST_OK ? status : parser_scalar(parser, event);
    case YAML_MAPPING_START_EVENT:
        status = parser_refuse_extras(parser, event, event->data.mapping_start.anchor,
                                      event->data.mapping_start.tag);
        return status != ST_OK ? status : parser_open(parser, event, PARSE_MAP);
    case YAML_SEQUENCE_START_EVENT:
        status = parser_refuse_extras(parser, event, event->data.sequence_start.anchor,
                                      event->data.sequence_start.tag);
        return status != ST_OK ? status : parser_open(parser, event, PARSE_LIST);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT: parser->depth--; return ST_OK;
    case YAML_ALIAS_EVENT:
        return parser_fail(parser, &event->start_mark, "aliases are not supported");
    case YAML_DOCUMENT_START_EVENT:
        if (++parser->document_count > 1)
            return parser_fail(parser, &event->start_mark, "only one document is read");
        return ST_OK;
    case YAML_DOCUMENT_END_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_NO_EVENT: return ST_OK;
    case YAML_STREAM_END_EVENT: return ST_EOF;
    }
    return ST_OK;
}

enum status parse_yaml(struct slice text, struct memory *memory, struct parse_fault *ret_fault,
                       struct parse_node **ret_root)
{
    struct parser parser = {.input = text, .memory = memory, .fault = ret_fault};
    yaml_mark_t start = {0, 0, 0};
    if (text.len > PARSE_BYTES_MAX)
        return parser_fail(&parser, &start, "the file is larger than 4 MiB");
    if (!yaml_parser_initialize(&parser.yaml))
        return ST_NOMEM;
    yaml_parser_set_input_string(&parser.yaml, (const unsigned char *)(text.len > 0 ? text.at : ""),
                                 text.len);
    enum status status = ST_OK;
    while (status == ST_OK) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser.yaml, &event)) {
            status = parser_fail_syntax(&parser);
        } else {
            status = parser_take(&parser, &event);
            yaml_event_delete(&event);
        }
    }
    yaml_parser_delete(&parser.yaml);
    if (status != ST_EOF)
        return status;
    *ret_root = parser.root;
    return ST_OK;
}
