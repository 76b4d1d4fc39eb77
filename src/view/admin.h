#ifndef FAIRLEAD_VIEW_ADMIN_H
#define FAIRLEAD_VIEW_ADMIN_H

#include "config/config.h"
#include "server/admin_client.h"
#include "view/options.h"

/* The admin listener that a view asks. */

struct view_admin {
    struct admin_client client;
    /* private */
    struct config_listen listen;
    struct config *config; /* of --config; NULL */
    char *token;           /* heap, terminated; NULL */
};

/* Find it: --admin, else what the configuration says, else 127.0.0.1:3129; and the token, of --token-file or the
 * configuration. Says what is wrong. Returns 0, or the exit code. view_admin_done in any case. */
int view_admin_init(struct view_admin *admin, enum view_command command,
                    const struct view_options *options);
void view_admin_done(struct view_admin *admin);

/* How a view is given the token. */
#define VIEW_TOKEN_HOW "--token-file FILE, or -c FILE whose admin.token_file names it"

/* Ask with GET; the caller frees ret_reply->text. Says what is wrong. Returns 0, or the exit code. */
int view_admin_get(const struct view_admin *admin, enum view_command command, const char *path,
                   struct admin_reply *ret_reply);

#endif
