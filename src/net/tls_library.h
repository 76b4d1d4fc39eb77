#ifndef FAIRLEAD_NET_TLS_LIBRARY_H
#define FAIRLEAD_NET_TLS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* The TLS library as a whole. */

enum { TLS_TRUST_PATHS = 4 };

/* Load all that it reads from files and links at run time, and have keys come from locked memory (base/secret). Once,
 * before anything else of it is used and before the process is shut in. Thread: the only one. */
void tls_library_begin(void);
/* From now on, and in this thread, what the library allocates is a secret; until false. Where no such memory is left,
 * and before tls_library_begin, it is ordinary memory. */
void tls_library_keep_secret(bool is_secret);
/* Where the system's store of authorities is: files and folders, the environment's first. Returns how many of
 * TLS_TRUST_PATHS. */
size_t tls_trust_paths(const char *into[TLS_TRUST_PATHS]);

#endif
