#ifndef FAIRLEAD_TESTS_SIM_SCENE_H
#define FAIRLEAD_TESTS_SIM_SCENE_H

#include "sim/expect.h"

#define CONNECT "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"
#define OPENED  "HTTP/1.1 200 Connection established"

struct scene {
    struct world *world;
    struct peer *client;
    struct peer *origin;
};

/* A tunnel that stands; time is still 0. */
static inline struct scene scene_open(const char *yaml)
{
    struct scene s = {.world = world_create(yaml)};
    s.client = world_client(s.world);
    peer_say(s.client, CONNECT);
    (void)peer_hears_head(s.client, OPENED);
    s.origin = world_origin(s.world);
    return s;
}

#endif
