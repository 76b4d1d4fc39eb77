#ifndef FAIRLEAD_CLI_HASH_PASSWORD_H
#define FAIRLEAD_CLI_HASH_PASSWORD_H

/* fairlead hash-password [--user NAME] [--method METHOD]: read a password, twice and without echo from a terminal, else
 * the first line of standard input; print its hash, or a line for a users file. `argv` is without the command's name.
 * Returns the exit code. */
int hash_password(int argc, char **argv);

#endif
