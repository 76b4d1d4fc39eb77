#ifndef FAIRLEAD_VIEW_SIGNALS_H
#define FAIRLEAD_VIEW_SIGNALS_H

/* SIGINT and SIGTERM as bytes to read, so that a command ends in order. Threads that are started after signals_take
 * hear none of them. */

/* The descriptor, -1 on failure; readable when one came. SIGPIPE is ignored from then on. */
int signals_take(void);
/* The number of one that came, 0: none did. Does not wait. */
int signals_read(int fd);
/* From now on they end the process, as usual. Closes `fd`. What came before and was not read is returned as
 * signals_read does. */
int signals_give(int fd);

#endif
