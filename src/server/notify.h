#ifndef FAIRLEAD_SERVER_NOTIFY_H
#define FAIRLEAD_SERVER_NOTIFY_H

/* Tells the service manager how far we are (sd_notify(3)); nothing happens without NOTIFY_SOCKET. */
void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);

#endif
