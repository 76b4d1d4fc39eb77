/* The hosts table: hosts(5) read once into a hash table, and again when the file's mark changes. A file that cannot be
 * read leaves the table as it is, and is tried again at the next look; one that is too long leaves it, too, until it
 * changes; one that is gone is an empty table. What is no regular file is not opened: that may wait, or do something.
 *
 * Lines are "address name name ...", '#' begins a comment. Names pass the canonicaliser, so that a look-up
 * is one comparison of bytes; lines and names that do not parse are skipped, since one bad line must not
 * take away the others. A name that stands in several lines gets all their addresses, in order.
 * The file is read with plain blocking calls: it is local, bounded, and read on change only. */

#include "net/hosts.h"

#include "base/check.h"
#include "base/host.h"
#include "base/table.h"
#include "net/file_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOSTS_TAG TAG('h', 'o', 's', 't')

struct hosts_entry {
    struct address_set *set[2]; /* IPv4, IPv6 */
    uint8_t len;
    char name[];
};

struct hosts {
    uint32_t tag;
    struct table entries;
    struct file_mark mark; /* of the file that was read last, or found too long */
    bool is_too_long;      /* and told so */
    char path[];
};

static bool hosts_match(const void *candidate, const void *key)
{
    const struct hosts_entry *entry = candidate;
    const struct slice *name = key;
    return slice_equals(slice_of(entry->name, entry->len), *name);
}

static void hosts_clear(struct table *entries)
{
    size_t cursor = 0;
    struct hosts_entry *entry;
    while ((entry = table_next(entries, &cursor)) != NULL) {
        address_set_unref(&entry->set[0]);
        address_set_unref(&entry->set[1]);
        free(entry);
    }
    table_done(entries);
}

static struct hosts_entry *hosts_entry_for(struct table *entries, struct slice name)
{
    uint64_t hash = table_hash(name);
    struct hosts_entry *entry = table_find(entries, hash, hosts_match, &name);
    if (entry != NULL)
        return entry;
    entry = calloc(1, sizeof(*entry) + name.len);
    if (entry == NULL)
        return NULL;
    entry->len = (uint8_t)name.len;
    memcpy(entry->name, name.at, name.len);
    if (table_add(entries, hash, entry) != ST_OK) {
        free(entry);
        return NULL;
    }
    return entry;
}

static enum status hosts_entry_add(struct hosts_entry *entry, const struct inet_addr *addr)
{
    struct address_set **set = &entry->set[addr->family == INET_V4 ? 0 : 1];
    struct inet_addr all[HOSTS_ADDRESSES_MAX];
    size_t count = 0;

    for (size_t i = 0; *set != NULL && i < (*set)->count; i++) {
        if (inet_addr_equals(&(*set)->addr[i], addr))
            return ST_OK;
        all[count++] = (*set)->addr[i];
    }
    if (count == HOSTS_ADDRESSES_MAX)
        return ST_OK;
    all[count++] = *addr;
    struct address_set *grown = address_set_create(all, count);
    if (grown == NULL)
        return ST_NOMEM;
    address_set_unref(set);
    *set = grown;
    return ST_OK;
}

/* The next word of a line; false at its end. */
static bool hosts_next_word(struct slice *line, struct slice *ret_word)
{
    size_t begin = 0;
    while (begin < line->len &&
           (line->at[begin] == ' ' || line->at[begin] == '\t' || line->at[begin] == '\r'))
        begin++;
    size_t end = begin;
    while (end < line->len && line->at[end] != ' ' && line->at[end] != '\t' &&
           line->at[end] != '\r')
        end++;
    *ret_word = slice_of(line->at + begin, end - begin);
    *line = slice_from(*line, end);
    return ret_word->len > 0;
}

static enum status hosts_parse_line(struct table *entries, struct slice line)
{
    struct slice word;
    struct inet_addr addr;
    line = slice_first(line, slice_find(line, '#'));
    if (!hosts_next_word(&line, &word) || inet_addr_parse(word, &addr) != ST_OK)
        return ST_OK;
    while (hosts_next_word(&line, &word)) {
        struct host host;
        if (host_parse(word, &host) != HOST_FINE || host.kind != HOST_NAME)
            continue;
        struct hosts_entry *entry = hosts_entry_for(entries, host_slice(&host));
        if (entry == NULL || hosts_entry_add(entry, &addr) != ST_OK)
            return ST_NOMEM;
    }
    return ST_OK;
}

enum status hosts_parse(struct hosts *hosts, struct slice text)
{
    CHECK_TAG(hosts, HOSTS_TAG);
    struct table entries;
    struct slice line;
    table_init(&entries);
    while (slice_next_part(&text, '\n', &line)) {
        if (hosts_parse_line(&entries, line) != ST_OK) {
            hosts_clear(&entries);
            return ST_NOMEM;
        }
    }
    hosts_clear(&hosts->entries);
    hosts->entries = entries;
    return ST_OK;
}

/* ---- the file ---- */

/* May a file with this mark be read? Errors: ST_BAD no regular file, ST_LIMIT too long. */
static enum status hosts_judge(const struct file_mark *mark)
{
    if (!mark->is_regular)
        return ST_BAD;
    return mark->size < HOSTS_FILE_MAX ? ST_OK : ST_LIMIT;
}

/* Should another kind of file have come in its place, this waits for nobody. Errors: ST_IO with errno. */
static enum status hosts_open(const char *path, int *ret_fd)
{
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return *ret_fd >= 0 ? ST_OK : ST_IO;
}

/* The content in fresh memory. Errors: ST_IO, also where it has grown too long meanwhile; ST_NOMEM. */
static enum status hosts_read_file(const char *path, size_t size, char **ret_text, size_t *ret_len)
{
    int fd = -1;
    if (hosts_open(path, &fd) != ST_OK)
        return ST_IO;
    size_t cap = size + 1; /* room to meet its end */
    size_t len = 0;
    char *text = malloc(cap);
    ssize_t got = text != NULL ? 1 : -1;
    while (got > 0 && len < cap) {
        got = read(fd, text + len, cap - len);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            len += (size_t)got;
    }
    (void)close(fd); /* was only read */
    if (got != 0) {
        free(text);
        return text == NULL ? ST_NOMEM : ST_IO;
    }
    *ret_text = text;
    *ret_len = len;
    return ST_OK;
}

enum status hosts_check(const char *path)
{
    struct file_mark mark;
    if (file_mark_look(path, &mark) != ST_OK || !mark.is_present)
        return ST_IO;
    enum status status = hosts_judge(&mark);
    if (status != ST_OK)
        return status;
    int fd = -1;
    if (hosts_open(path, &fd) != ST_OK)
        return ST_IO;
    (void)close(fd); /* nothing was asked of it */
    return ST_OK;
}

/* The table of a file with this mark. */
static enum status hosts_load(struct hosts *hosts, const struct file_mark *mark)
{
    char *text = NULL;
    size_t len = 0;
    enum status status = mark->is_present ? hosts_judge(mark) : ST_OK;
    if (status == ST_OK && mark->is_present)
        status = hosts_read_file(hosts->path, (size_t)mark->size, &text, &len);
    if (status == ST_OK)
        status = hosts_parse(hosts, slice_of(text, len));
    free(text);
    return status;
}

enum status hosts_refresh(struct hosts *hosts)
{
    CHECK_TAG(hosts, HOSTS_TAG);
    struct file_mark mark = {.is_present = false};
    if (hosts->path[0] != '\0' && file_mark_look(hosts->path, &mark) != ST_OK)
        return ST_IO;
    if (file_mark_equals(&mark, &hosts->mark))
        return ST_AGAIN;
    enum status status = hosts_load(hosts, &mark);
    if (status != ST_OK && status != ST_LIMIT)
        return status; /* no mark: the next look tries again */
    bool was_too_long = hosts->is_too_long;
    hosts->mark = mark;
    hosts->is_too_long = status == ST_LIMIT;
    return hosts->is_too_long && was_too_long ? ST_AGAIN : status;
}

struct hosts *hosts_create(const char *path)
{
    size_t len = strlen(path);
    struct hosts *hosts = calloc(1, sizeof(*hosts) + len + 1);
    if (hosts == NULL)
        return NULL;
    hosts->tag = HOSTS_TAG;
    table_init(&hosts->entries);
    memcpy(hosts->path, path, len);
    (void)hosts_refresh(hosts); /* empty where there is no file, or none that can be read */
    return hosts;
}

void hosts_destroy(struct hosts **destroy)
{
    struct hosts *hosts = *destroy;
    *destroy = NULL;
    if (hosts == NULL)
        return;
    CHECK_TAG(hosts, HOSTS_TAG);
    hosts_clear(&hosts->entries);
    hosts->tag = 0;
    free(hosts);
}

bool hosts_find(const struct hosts *hosts, struct slice name, enum inet_family family,
                struct address_set **ret_set)
{
    CHECK_TAG(hosts, HOSTS_TAG);
    if (hosts->entries.count == 0)
        return false;
    struct hosts_entry *entry = table_find(&hosts->entries, table_hash(name), hosts_match, &name);
    if (entry == NULL)
        return false;
    *ret_set = entry->set[family == INET_V4 ? 0 : 1];
    return true;
}

size_t hosts_count(const struct hosts *hosts)
{
    CHECK_TAG(hosts, HOSTS_TAG);
    return hosts->entries.count;
}
