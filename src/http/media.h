#ifndef FAIRLEAD_HTTP_MEDIA_H
#define FAIRLEAD_HTTP_MEDIA_H

/* What our own answers say that they are (Content-Type, RFC 9110 §8.3). */
#define MEDIA_TEXT "text/plain; charset=utf-8"
#define MEDIA_HTML "text/html; charset=utf-8"
#define MEDIA_JSON "application/json"

#endif
