#ifndef FAIRLEAD_PROXY_SHARE_H
#define FAIRLEAD_PROXY_SHARE_H

/* What one run of a body or of a tunnel's direction moves before others have their turn, in bytes. A run that moved
 * SHARE_FIRST is bulk: the next one is queued behind those of others (loop_queue_later), and may move SHARE_BULK. */
enum { SHARE_FIRST = 64 * 1024, SHARE_BULK = 512 * 1024 };

#endif
