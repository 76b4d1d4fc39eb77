/* The hosts table: hosts(5) read once into a hash table, and again when the file's times, size or inode
 * change. A file that cannot be read leaves the table as it is, and is tried again at the next look; one that
 * is too long leaves it, too, until it changes; one that is gone is an empty table.
 *
 * Lines are "address name name ...", '#' begins a comment. Names pass the canonicaliser, so that a look-up
 * is one comparison of bytes; lines and names that do not parse are skipped, since one bad line must not
 * take away the others. A name that stands in several lines gets all their addresses, in order.
 * The file is read with plain blocking calls: it is local, bounded, and read on change only. */

#include "net/hosts.h"

#include "base/check.h"
#include "base/host.h"
#include "base/table.h"

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
    struct timespec modified; /* content */
    struct timespec changed;  /* content, mode or owner */
    off_t size;
    ino_t inode;
    bool is_present;
    bool is_too_long;
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

/* The file's content in fresh memory. Errors: ST_IO, ST_LIMIT too long, ST_NOMEM. */
static enum status hosts_read_file(const char *path, char **ret_text, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return ST_IO;
    size_t cap = 64UL * 1024;
    size_t len = 0;
    char *text = malloc(cap);
    ssize_t got = text != NULL ? 1 : -1;
    while (got > 0 && len < HOSTS_FILE_MAX) {
        if (len == cap) {
            char *grown = realloc(text, cap * 2);
            if (grown == NULL)
                break;
            text = grown;
            cap *= 2;
        }
        got = read(fd, text + len, cap - len);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            len += (size_t)got;
    }
    (void)close(fd); /* was only read */
    if (got != 0) {
        free(text);
        return text == NULL ? ST_NOMEM : len >= HOSTS_FILE_MAX ? ST_LIMIT : ST_IO;
    }
    *ret_text = text;
    *ret_len = len;
    return ST_OK;
}

enum status hosts_check(const char *path)
{
    struct stat facts;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return ST_IO;
    int error = fstat(fd, &facts) < 0 ? errno : S_ISDIR(facts.st_mode) ? EISDIR : 0;
    (void)close(fd);
    errno = error;
    if (error != 0)
        return ST_IO;
    return facts.st_size < HOSTS_FILE_MAX ? ST_OK : ST_LIMIT;
}

static bool hosts_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Is the file the one that was read last? */
static bool hosts_is_same(const struct hosts *hosts, const struct stat *now)
{
    return hosts_same_time(&now->st_mtim, &hosts->modified) &&
           hosts_same_time(&now->st_ctim, &hosts->changed) && now->st_size == hosts->size &&
           now->st_ino == hosts->inode;
}

bool hosts_refresh(struct hosts *hosts)
{
    CHECK_TAG(hosts, HOSTS_TAG);
    struct stat now = {0};
    bool is_present = hosts->path[0] != '\0' && stat(hosts->path, &now) == 0;
    if (!is_present && (!hosts->is_present || (errno != ENOENT && errno != ENOTDIR)))
        return false;
    if (is_present && hosts->is_present && hosts_is_same(hosts, &now))
        return false;

    char *text = NULL;
    size_t len = 0;
    /* What cannot be read leaves the old table, and no mark: the next look tries again. */
    enum status status = ST_OK;
    if (is_present)
        status = hosts_read_file(hosts->path, &text, &len);
    if (status == ST_OK)
        status = hosts_parse(hosts, slice_of(text, len));
    free(text);
    if (status != ST_OK && status != ST_LIMIT)
        return false;
    hosts->is_present = is_present;
    hosts->is_too_long = status == ST_LIMIT;
    hosts->modified = now.st_mtim;
    hosts->changed = now.st_ctim;
    hosts->size = now.st_size;
    hosts->inode = now.st_ino;
    return status == ST_OK;
}

bool hosts_is_too_long(const struct hosts *hosts)
{
    CHECK_TAG(hosts, HOSTS_TAG);
    return hosts->is_too_long;
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
    (void)hosts_refresh(hosts); /* empty where there is no file */
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
