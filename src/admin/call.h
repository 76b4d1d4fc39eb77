#ifndef FAIRLEAD_ADMIN_CALL_H
#define FAIRLEAD_ADMIN_CALL_H

#include "admin/routes.h"
#include "base/clock.h"
#include "http/target.h"
#include "report/filter.h"

/* How long a part of an answer may keep the admin worker from what else it is asked: each turn of its loop has one such
 * part, and that of each reader of events. */
#define CALL_PART_NS (2 * NS_PER_MS)

/* One request to the admin surface, while it is being answered. What the files of src/admin share. */
struct call {
    struct admin *admin;
    struct exchange *exchange;
    const struct handler_request *request;
    struct target target;
    struct slice path; /* without the query */
    struct slice query;
    struct slice rest; /* what stands behind the route's prefix */
    bool wants_json;   /* of the two, an error as JSON rather than as text */
};

/* An answer in plain text, which is copied. */
void call_answer_text(const struct call *call, unsigned status, struct slice body);
/* An error as text, or as JSON: {"v":1,"status":404,"error":"not_found","message":"..."}. Of `answer` status
 * and further fields count. */
void call_fail(struct exchange *exchange, bool wants_json, const struct answer *answer,
               const char *word, struct slice message);
/* The value of `name` in a query such as "a=1&b=2"; false where it is not there. Nothing is decoded. */
bool query_find(struct slice query, struct slice name, struct slice *ret_value);
/* `value` of a query without its escapes (RFC 3986 §2.1), put behind `into`; `is_form`: a '+' is a blank, as forms
 * write it. False: a '%' without its two digits, or it had no room. */
bool query_decode(struct slice value, bool is_form, struct text *into);
/* What the query chooses records by (report/filter.h), all where it has no "filter=". False: that is no filter, and the
 * exchange was told. */
bool query_filter(const struct call *call, struct filter *ret_filter);

#endif
