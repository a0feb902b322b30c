/* A text with an event's values in it: "${label} heard at ${time}". For the body of a webhook, and for programs. */
#ifndef EARSHOT_EVENT_TEXT_H
#define EARSHOT_EVENT_TEXT_H

#include "base/err.h"
#include "event/event.h"

/* How values are made safe for what they stand in. */
enum event_text_escape {
    EVENT_TEXT_PLAIN, /* as they are */
    EVENT_TEXT_JSON,  /* inside a JSON string */
    EVENT_TEXT_FORM,  /* application/x-www-form-urlencoded */
};

#define EVENT_TEXT_VALUE 400 /* room for any value, escaped */

/* The names that there are, a NULL at the end: "label", "score", ... */
extern const char *const event_text_names[];

/* The value of name i as text, node as it is in topics; "" for what is not known (an end before the end, a level of a test). */
void event_text_value(const struct event *e, const char *node, size_t i, char out[EVENT_TEXT_VALUE]);

/* -1: a ${name} that there is not, or a $ that is neither ${name} nor $$. */
int event_text_check(const char *text, struct err *err);

/* ${name} becomes its value, $$ a $. Returns the length; -1: it did not fit, or the text is not as event_text_check wants it. */
int event_text(const char *text, const struct event *e, const char *node, enum event_text_escape escape, char *out,
               size_t size);

#endif
