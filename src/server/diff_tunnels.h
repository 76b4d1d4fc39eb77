#ifndef FAIRLEAD_SERVER_DIFF_TUNNELS_H
#define FAIRLEAD_SERVER_DIFF_TUNNELS_H

#include "config/snapshot.h"
#include "report/log_line.h"
#include "server/admin_client.h"

/* What a configuration makes of tunnels that are open. */

enum tunnel_verdict { TUNNEL_PASSES, TUNNEL_REFUSED, TUNNEL_UNCLEAR };

/* Would `snapshot` let this tunnel be opened now, by whom and to where it was? `why` is written where it would not, or
 * where the line does not say enough. No name is looked up: the address that it is connected to is judged. */
enum tunnel_verdict diff_judge_tunnel(const struct snapshot *snapshot, const struct log_line *line,
                                      struct text *why);

/* List the open tunnels of a process that `snapshot` would refuse, and end them where `kills`. Returns the exit code
 * (diff.h). */
int diff_tunnels(const struct admin_client *client, const struct snapshot *snapshot, bool kills);

#endif
