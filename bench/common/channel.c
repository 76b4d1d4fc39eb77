/* A socket with or without TLS, for generator and floor alike.
 *
 * TLS is used as fast as is known: the library reads ahead 64 KiB from the socket, and what it writes gathers in
 * memory and leaves with one send. */
#include "common/channel.h"

#include "common/tool.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>

enum { READ_AHEAD = 64 * 1024, DISCARD_BYTES = 64 * 1024 };

SSL_CTX *channel_context(const char *cert)
{
    SSL_CTX *context = SSL_CTX_new(cert ? TLS_server_method() : TLS_client_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1)
        tool_die("TLS context");
    if (cert != NULL && (SSL_CTX_use_certificate_chain_file(context, cert) != 1 ||
                         SSL_CTX_use_PrivateKey_file(context, cert, SSL_FILETYPE_PEM) != 1))
        tool_die(cert);
    (void)SSL_CTX_set_num_tickets(context, 1); /* cannot fail */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

void channel_init(struct channel *channel, int fd, SSL_CTX *context, bool is_server)
{
    *channel = (struct channel){.fd = fd};
    if (context == NULL)
        return;
    channel->ssl = SSL_new(context);
    BIO *in = BIO_new_socket(fd, BIO_NOCLOSE);
    channel->out = BIO_new(BIO_s_mem());
    if (channel->ssl == NULL || in == NULL || channel->out == NULL)
        tool_die("TLS connection");
    SSL_set_bio(channel->ssl, in, channel->out);
    if (is_server)
        SSL_set_accept_state(channel->ssl);
    else
        SSL_set_connect_state(channel->ssl);
}

int channel_flush(struct channel *channel)
{
    char *bytes = NULL;
    long len = channel->ssl ? BIO_get_mem_data(channel->out, &bytes) : 0;
    if (len <= 0)
        return 1;
    ssize_t sent = send(channel->fd, bytes, (size_t)len, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN ? CHANNEL_AGAIN : CHANNEL_FAILED;
    if (sent == len) {
        (void)BIO_reset(channel->out); /* of a memory BIO: cannot fail */
        return 1;
    }
    char dropped[4096];
    while (sent > 0) { /* a memory BIO is consumed by reading it */
        int part = BIO_read(channel->out, dropped,
                            sent < (ssize_t)sizeof(dropped) ? (int)sent : (int)sizeof(dropped));
        if (part <= 0)
            return CHANNEL_FAILED;
        sent -= part;
    }
    return CHANNEL_AGAIN;
}

void channel_done(struct channel *channel)
{
    if (channel->ssl == NULL)
        return;
    if (!SSL_is_server(channel->ssl) && SSL_is_init_finished(channel->ssl)) {
        (void)SSL_shutdown(channel->ssl); /* one way: the peer's is not awaited */
        (void)channel_flush(channel);     /* what does not fit is lost, like a line that is cut */
    }
    SSL_free(channel->ssl);
    ERR_clear_error();
    channel->ssl = NULL;
}

static int channel_verdict(struct channel *channel, int result)
{
    switch (SSL_get_error(channel->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return CHANNEL_AGAIN;
    case SSL_ERROR_ZERO_RETURN: return 0;
    default: ERR_clear_error(); return CHANNEL_FAILED;
    }
}

int channel_handshake(struct channel *channel)
{
    if (channel->ssl == NULL)
        return 1;
    int result = SSL_do_handshake(channel->ssl);
    int verdict = result == 1 ? 1 : channel_verdict(channel, result);
    if (channel_flush(channel) == CHANNEL_FAILED || verdict == 0)
        return CHANNEL_FAILED;
    return verdict;
}

ssize_t channel_recv(struct channel *channel, void *bytes, size_t len)
{
    if (channel->ssl == NULL) {
        ssize_t got = recv(channel->fd, bytes, len, 0);
        return got >= 0 ? got : errno == EAGAIN ? CHANNEL_AGAIN : CHANNEL_FAILED;
    }
    size_t have = 0;
    while (have < len) {
        int got = SSL_read(channel->ssl, (char *)bytes + have, (int)(len - have));
        if (got <= 0) {
            int verdict = channel_verdict(channel, got);
            return have > 0 && verdict != CHANNEL_FAILED ? (ssize_t)have : verdict;
        }
        have += (size_t)got;
    }
    return (ssize_t)have;
}

ssize_t channel_discard(struct channel *channel, size_t len)
{
    static char unread[DISCARD_BYTES];
    if (channel->ssl != NULL)
        return channel_recv(channel, unread, len < sizeof(unread) ? len : sizeof(unread));
    ssize_t got = recv(channel->fd, NULL, len, MSG_TRUNC); /* tcp(7): counts without copying */
    return got >= 0 ? got : errno == EAGAIN ? CHANNEL_AGAIN : CHANNEL_FAILED;
}

ssize_t channel_send(struct channel *channel, const void *bytes, size_t len)
{
    if (channel->ssl == NULL) {
        ssize_t sent = send(channel->fd, bytes, len, MSG_NOSIGNAL);
        return sent >= 0 ? sent : errno == EAGAIN ? CHANNEL_AGAIN : CHANNEL_FAILED;
    }
    int flushed = channel_flush(channel);
    if (flushed != 1)
        return flushed;
    if (SSL_write(channel->ssl, bytes, (int)len) != (int)len)
        return CHANNEL_FAILED; /* memory takes everything */
    return channel_flush(channel) == CHANNEL_FAILED ? CHANNEL_FAILED : (ssize_t)len;
}
