#ifndef FAIRLEAD_COMMON_CHANNEL_H
#define FAIRLEAD_COMMON_CHANNEL_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { CHANNEL_AGAIN = -1, CHANNEL_FAILED = -2 };

/* Bytes to and from a peer, in clear or over TLS; the descriptor is the caller's. */
struct channel {
    int fd;
    SSL *ssl; /* NULL: in clear */
    BIO *out; /* ciphertext that waits for the socket; owned by `ssl` */
};

/* A context with the one cipher suite that all players use: TLS 1.3, AES-128-GCM. `cert` is a PEM file with
 * certificate and key, or NULL for a client, which trusts everybody. */
SSL_CTX *channel_context(const char *cert);

/* Begin on a connected or connecting socket; `context` NULL for clear text. */
void channel_init(struct channel *channel, int fd, SSL_CTX *context, bool is_server);

/* Free what TLS holds. Clients say goodbye first, as far as the socket takes it. */
void channel_done(struct channel *channel);

/* 1 when the handshake is over (at once in clear text), else AGAIN or FAILED. */
int channel_handshake(struct channel *channel);

/* Receive up to `len` bytes. Fewer than `len` means that there is no more for now. 0: the end. */
ssize_t channel_recv(struct channel *channel, void *bytes, size_t len);

/* Receive up to `len` bytes and forget them; in clear text without a copy. */
ssize_t channel_discard(struct channel *channel, size_t len);

/* Send; over TLS either all is taken or nothing. */
ssize_t channel_send(struct channel *channel, const void *bytes, size_t len);

/* 1 when nothing waits for the socket. */
int channel_flush(struct channel *channel);

#endif
