/* Reading a ClientHello: records to a message, the message to its extensions.
 *
 * Everything is counted and nothing is skipped on trust: a length that leaves a rest, or reaches beyond what holds it,
 * is malformed, since an origin may read on where we stopped. */

#include "net/tls_hello.h"

#include "base/check.h"

#include <string.h>

enum {
    RECORD_HEAD = 5,
    RECORD_HANDSHAKE = 22,
    RECORD_BYTES_MAX = 16384,
    MESSAGE_HEAD = 4,
    MESSAGE_CLIENT_HELLO = 1,
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_SIGNATURES = 13,
    EXTENSION_ALPN = 16,
    EXTENSION_PSK = 41,
    EXTENSION_EARLY_DATA = 42,
    EXTENSION_VERSIONS = 43,
    EXTENSION_ECH = 0xfe0d,
    NAME_HOST = 0,
    NAME_MAX_BYTES = 255,
    EXTENSIONS_MAX = 128,
    SSL2_HEAD = 11, /* length, type, version, lengths of ciphers, session id and challenge */
};

/* What is left to read; a read beyond its end makes it bad for good. */
struct reader {
    struct slice rest;
    bool is_bad;
};

static unsigned take_number(struct reader *reader, size_t bytes)
{
    unsigned number = 0;
    if (reader->rest.len < bytes) {
        reader->is_bad = true;
        reader->rest.len = 0;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | (unsigned char)reader->rest.at[i];
    reader->rest = slice_from(reader->rest, bytes);
    return number;
}

/* What a length of `bytes` bytes stands before. */
static struct reader take_vector(struct reader *reader, size_t bytes)
{
    size_t len = take_number(reader, bytes);
    if (reader->rest.len < len) {
        reader->is_bad = true;
        return (struct reader){SLICE_NONE, true};
    }
    struct reader inner = {slice_first(reader->rest, len), reader->is_bad};
    reader->rest = slice_from(reader->rest, len);
    return inner;
}

/* ---- extensions ---- */

static bool name_is_fine(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = char_lower(name.at[i]);
        if (!(c >= 'a' && c <= 'z') && !char_is_digit(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return name.len > 0 && name.len <= NAME_MAX_BYTES;
}

/* One name, of the only type that there is. */
static bool read_server_name(struct reader extension, struct tls_hello *hello)
{
    struct reader list = take_vector(&extension, 2);
    unsigned type = take_number(&list, 1);
    struct reader name = take_vector(&list, 2);
    if (extension.is_bad || list.is_bad || name.is_bad || extension.rest.len > 0 ||
        list.rest.len > 0 || type != NAME_HOST || !name_is_fine(name.rest))
        return false;
    hello->has_name = true;
    hello->name = name.rest;
    return true;
}

/* The one list of an extension, behind its length of `bytes` bytes. What is wrong with it is the origin's to refuse. */
static struct slice read_list(struct reader extension, size_t bytes)
{
    struct reader list = take_vector(&extension, bytes);
    return extension.is_bad || extension.rest.len > 0 ? SLICE_NONE : list.rest;
}

bool tls_is_grease(uint16_t number)
{
    return (number & 0x0f0f) == 0x0a0a && number >> 8 == (number & 0xff);
}

bool tls_hello_next(struct slice *rest, uint16_t *ret_number)
{
    struct reader reader = {*rest, false};
    *ret_number = (uint16_t)take_number(&reader, 2);
    *rest = reader.rest;
    return !reader.is_bad;
}

bool tls_hello_next_extension(struct slice *rest, uint16_t *ret_type)
{
    struct reader reader = {*rest, false};
    *ret_type = (uint16_t)take_number(&reader, 2);
    (void)take_vector(&reader, 2);
    *rest = reader.rest;
    return !reader.is_bad;
}

bool tls_hello_next_name(struct slice *rest, struct slice *ret_name)
{
    struct reader reader = {*rest, false};
    *ret_name = take_vector(&reader, 1).rest;
    *rest = reader.rest;
    return !reader.is_bad && ret_name->len > 0;
}

/* Of the list where there is one, else what was said before there were lists (RFC 8446 §4.2.1). */
static uint16_t highest_version(struct slice versions, uint16_t legacy)
{
    uint16_t highest = 0;
    uint16_t version;
    while (tls_hello_next(&versions, &version)) {
        if (!tls_is_grease(version) && version > highest)
            highest = version;
    }
    return highest != 0 ? highest : legacy;
}

static bool read_extension(unsigned type, struct reader extension, struct tls_hello *hello)
{
    switch (type) {
    case EXTENSION_SERVER_NAME: return read_server_name(extension, hello);
    case EXTENSION_SIGNATURES: hello->signatures = read_list(extension, 2); break;
    case EXTENSION_ALPN: hello->alpn = read_list(extension, 2); break;
    case EXTENSION_VERSIONS: hello->versions = read_list(extension, 1); break;
    case EXTENSION_PSK: hello->psk_bytes = (uint16_t)extension.rest.len; break;
    case EXTENSION_EARLY_DATA: hello->has_early_data = true; break;
    case EXTENSION_ECH: hello->has_ech = true; break;
    default: break;
    }
    return true;
}

static bool read_extensions(struct reader extensions, struct tls_hello *hello)
{
    hello->extensions = extensions.rest;
    unsigned seen[EXTENSIONS_MAX];
    size_t count = 0;
    while (extensions.rest.len > 0) {
        unsigned type = take_number(&extensions, 2);
        struct reader extension = take_vector(&extensions, 2);
        if (extensions.is_bad || count == EXTENSIONS_MAX)
            return false;
        for (size_t i = 0; i < count; i++) {
            if (seen[i] == type)
                return false;
        }
        seen[count++] = type;
        if (!read_extension(type, extension, hello))
            return false;
    }
    return true;
}

/* The body of the message, RFC 8446 §4.1.2. */
static bool read_message(struct slice body, struct tls_hello *hello)
{
    struct reader reader = {body, false};
    uint16_t legacy = (uint16_t)take_number(&reader, 2);
    for (size_t i = 0; i < 8; i++)
        (void)take_number(&reader, 4); /* random */
    struct reader session = take_vector(&reader, 1);
    struct reader ciphers = take_vector(&reader, 2);
    struct reader compressions = take_vector(&reader, 1);
    if (reader.is_bad || session.rest.len > 32 || ciphers.rest.len < 2 ||
        ciphers.rest.len % 2 != 0 || compressions.rest.len == 0)
        return false;
    hello->ciphers = ciphers.rest;
    hello->version = legacy;
    if (reader.rest.len == 0)
        return true; /* without extensions, as TLS 1.2 and before may be */
    struct reader extensions = take_vector(&reader, 2);
    if (reader.is_bad || reader.rest.len > 0 || !read_extensions(extensions, hello))
        return false;
    hello->version = highest_version(hello->versions, legacy);
    return true;
}

/* ---- records ---- */

/* Libraries take any minor version here. */
static bool may_be_record(struct slice bytes)
{
    return (unsigned char)bytes.at[0] == RECORD_HANDSHAKE && (bytes.len < 2 || bytes.at[1] == 3);
}

static unsigned number_at(struct slice bytes, size_t at)
{
    return (unsigned)((unsigned char)bytes.at[at] << 8 | (unsigned char)bytes.at[at + 1]);
}

/* The hello of SSL 2, with which some servers begin TLS as well (RFC 5246 Appendix E.2). Masked frames of WebSocket
 * begin with the same bits, and one in 256 of them has the type in its third byte: all that servers check is looked
 * at. */
static enum tls_hello_result judge_ssl2(struct slice bytes)
{
    if (bytes.len >= 3 && bytes.at[2] != MESSAGE_CLIENT_HELLO)
        return TLS_HELLO_NOT_TLS;
    if (bytes.len >= 5 && bytes.at[3] != 3 && number_at(bytes, 3) != 2)
        return TLS_HELLO_NOT_TLS;
    unsigned len = bytes.len >= 2 ? number_at(bytes, 0) & 0x7fff : 0;
    for (size_t part = SSL2_HEAD - 6; part < SSL2_HEAD && part < bytes.len; part += 2) {
        unsigned least = (unsigned)(unsigned char)bytes.at[part] << 8;
        if (part + 1 < bytes.len)
            least = number_at(bytes, part);
        if (least + SSL2_HEAD - 2 > len)
            return TLS_HELLO_NOT_TLS;
    }
    if (bytes.len < SSL2_HEAD)
        return TLS_HELLO_MORE;
    unsigned parts = number_at(bytes, 5) + number_at(bytes, 7) + number_at(bytes, 9);
    return parts + SSL2_HEAD - 2 == len ? TLS_HELLO_MALFORMED : TLS_HELLO_NOT_TLS;
}

/* What begins as no record of a handshake. Another record of TLS, or the hello of SSL 2, is not for us, and not
 * something else. */
static enum tls_hello_result judge_other(struct slice bytes)
{
    unsigned char type = (unsigned char)bytes.at[0];
    if (type >= 0x80)
        return judge_ssl2(bytes);
    if (type < 20 || type > 24 || (bytes.len >= 2 && bytes.at[1] != 3))
        return TLS_HELLO_NOT_TLS;
    return bytes.len < 2 ? TLS_HELLO_MORE : TLS_HELLO_MALFORMED;
}

/* The usual case: one record holds all of the message. Empty where that is not so. */
static struct slice view_alone(struct slice bytes)
{
    if (bytes.len < RECORD_HEAD + MESSAGE_HEAD || !may_be_record(bytes))
        return SLICE_NONE;
    size_t size = number_at(bytes, 3);
    bytes = slice_from(bytes, RECORD_HEAD);
    size_t whole = (size_t)(unsigned char)bytes.at[1] << 16 | number_at(bytes, 2);
    bool is_alone = bytes.at[0] == MESSAGE_CLIENT_HELLO && size == whole + MESSAGE_HEAD;
    return is_alone && size <= TLS_HELLO_MAX && size <= bytes.len ? slice_first(bytes, size)
                                                                  : SLICE_NONE;
}

/* Put the message together from its records in `into`; *ret_bytes is where they end. */
static enum tls_hello_result join(struct slice bytes, char *into, size_t *ret_len,
                                  size_t *ret_bytes)
{
    size_t len = 0;
    *ret_len = *ret_bytes = 0;
    while (bytes.len > 0) {
        if (!may_be_record(bytes))
            return len == 0 ? judge_other(bytes) : TLS_HELLO_MALFORMED;
        if (bytes.len < RECORD_HEAD)
            return TLS_HELLO_MORE;
        size_t size = (size_t)(unsigned char)bytes.at[3] << 8 | (unsigned char)bytes.at[4];
        if (size == 0 || size > RECORD_BYTES_MAX) /* RFC 8446 §5.1 */
            return TLS_HELLO_MALFORMED;
        bytes = slice_from(bytes, RECORD_HEAD);
        size_t here = size < bytes.len ? size : bytes.len;
        size_t fits = here < TLS_HELLO_MAX - len ? here : TLS_HELLO_MAX - len;
        memcpy(into + len, bytes.at, fits);
        len += fits;
        *ret_len = len;
        *ret_bytes += RECORD_HEAD + here;
        if (len > 0 && into[0] != MESSAGE_CLIENT_HELLO)
            return TLS_HELLO_MALFORMED;
        if (len >= MESSAGE_HEAD) {
            size_t whole = (size_t)(unsigned char)into[1] << 16 |
                           (size_t)(unsigned char)into[2] << 8 | (unsigned char)into[3];
            if (whole + MESSAGE_HEAD > TLS_HELLO_MAX)
                return TLS_HELLO_TOO_LONG;
            if (len >= whole + MESSAGE_HEAD) {
                /* What follows in the record would be another message, which no client sends here. */
                bool is_alone = len == whole + MESSAGE_HEAD && here == size;
                *ret_len = whole + MESSAGE_HEAD;
                return is_alone ? TLS_HELLO_WHOLE : TLS_HELLO_MALFORMED;
            }
        }
        if (here < size)
            return TLS_HELLO_MORE;
        bytes = slice_from(bytes, size);
    }
    return TLS_HELLO_MORE;
}

static enum tls_hello_result read_whole(struct slice message, size_t bytes,
                                        struct tls_hello *ret_hello)
{
    *ret_hello = (struct tls_hello){.bytes = bytes};
    return read_message(slice_from(message, MESSAGE_HEAD), ret_hello) ? TLS_HELLO_WHOLE
                                                                      : TLS_HELLO_MALFORMED;
}

enum tls_hello_result tls_hello_view(struct slice bytes, struct tls_hello *ret_hello)
{
    struct slice message = view_alone(bytes);
    return message.len == 0 ? TLS_HELLO_MORE
                            : read_whole(message, RECORD_HEAD + message.len, ret_hello);
}

enum tls_hello_result tls_hello_read(struct slice bytes, char *scratch, struct tls_hello *ret_hello)
{
    size_t len = 0;
    size_t record_bytes = 0;
    *ret_hello = (struct tls_hello){.has_name = false};
    enum tls_hello_result result = tls_hello_view(bytes, ret_hello);
    if (result != TLS_HELLO_MORE)
        return result;
    result = join(bytes, scratch, &len, &record_bytes);
    return result == TLS_HELLO_WHOLE ? read_whole(slice_of(scratch, len), record_bytes, ret_hello)
                                     : result;
}

const char *tls_hello_text(enum tls_hello_result result)
{
    static const char *const texts[] = {
        [TLS_HELLO_WHOLE] = "a ClientHello came",
        [TLS_HELLO_MORE] = "the ClientHello did not come whole",
        [TLS_HELLO_NOT_TLS] = "what came is not TLS",
        [TLS_HELLO_MALFORMED] = "the ClientHello is malformed",
        [TLS_HELLO_TOO_LONG] = "the ClientHello is longer than 16 KiB",
    };
    CHECK((size_t)result < COUNT_OF(texts));
    return texts[result];
}
