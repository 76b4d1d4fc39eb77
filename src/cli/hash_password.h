#ifndef FAIRLEAD_CLI_HASH_PASSWORD_H
#define FAIRLEAD_CLI_HASH_PASSWORD_H

#include "config/config.h"

/* fairlead hash-password [--user NAME] [--method METHOD]: read a password, twice and without echo from a terminal, else
 * the first line of standard input; print its hash, or a line for a users file. `argv` is without the command's name.
 * Returns the exit code. */
int hash_password(int argc, char **argv);

/* Its own options, as its help shows them. */
void hash_password_print_options(config_flag_printer *print);

#endif
