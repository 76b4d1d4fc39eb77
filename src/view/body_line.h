#ifndef FAIRLEAD_VIEW_BODY_LINE_H
#define FAIRLEAD_VIEW_BODY_LINE_H

#include "base/text.h"
#include "http/head.h"

/* What a body says in one line, for an answer whose head does not say why. */

enum body_kind { BODY_OPAQUE, BODY_TEXT, BODY_HTML };

/* What is looked at of a body, and what is shown of that. */
enum { BODY_LOOK_MAX = 2048, BODY_LINE_MAX = 160 };

/* What a head says of the body: text/plain or HTML, without a content coding. */
enum body_kind body_kind_of(const struct head *head);
/* The first line of text that is not blank, or the title of HTML; nothing where there is none. Ends at a control byte;
 * other bytes are as they came, so that whoever shows them escapes them. */
void body_line_add(struct slice body, enum body_kind kind, struct text *into);

#endif
