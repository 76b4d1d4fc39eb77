#ifndef FAIRLEAD_SERVER_ADVICE_H
#define FAIRLEAD_SERVER_ADVICE_H

#include "config/config.h"

/* Call `say` with a line for each setting that asks of this machine what it does not have. Such a configuration is
 * good all the same: an address may move here, a module be loaded, and a check may run elsewhere. */
void advice_give(const struct config *config, void (*say)(const char *line));

#endif
