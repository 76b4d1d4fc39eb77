/* Two doors, two languages: who speaks the wrong one is told so in its own.
 *
 * A TLS record begins with its type, 20 to 24; an HTTP message begins with a letter of a method or of
 * "HTTP", and SOCKS with its version. So the first byte decides, and nothing waits for a second one that may never
 * come. Old SSLv2 hellos are neither, and are refused by whoever parses them. */
#include "net/tls_sniff.h"

#include "http/media.h"

enum { RECORD_HANDSHAKE = 0x16, VERSION_MAJOR = 0x03 };

bool tls_sniff_is_tls(struct slice first)
{
    if (first.len == 0 || first.at[0] != RECORD_HANDSHAKE)
        return false;
    return first.len == 1 || first.at[1] == VERSION_MAJOR;
}

bool tls_sniff_is_http(struct slice first)
{
    return first.len > 0 && first.at[0] >= 'A' && first.at[0] <= 'Z';
}

unsigned tls_sniff_socks_version(struct slice first)
{
    bool is_socks = first.len > 0 && (first.at[0] == 4 || first.at[0] == 5);
    return is_socks ? (unsigned)first.at[0] : 0;
}

struct slice tls_sniff_clear_answer(void)
{
    return SLICE("HTTP/1.1 400 Bad Request (this port speaks TLS)\r\n"
                 "Content-Type: " MEDIA_TEXT "\r\n"
                 "Content-Length: 91\r\n"
                 "Connection: close\r\n"
                 "\r\n"
                 "This port speaks TLS and was spoken to in clear. "
                 "Use https:// in the address of the proxy.\n");
}
