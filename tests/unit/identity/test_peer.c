#include "identity_test.h"

#include "identity/peer.h"

#include <sys/socket.h>
#include <unistd.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void finds(const char *cgroups, const char *expected)
{
    assert_slice(peer_find_container(slice_from_string(cgroups)), expected);
}

#define OTHER "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static void containers_are_found(void **state)
{
    (void)state;
    finds("0::/system.slice/docker-" ID ".scope\n", ID);
    finds("0::/batch.slice/batch-night.slice/docker-" ID ".scope\n", ID);
    finds("12:pids:/docker/" ID "\n11:memory:/docker/" ID "\n", ID);
    finds("0::/machine.slice/libpod-" ID ".scope/container\n", ID);
    finds("0::/libpod_parent/libpod-" ID "\n", ID);
    finds("0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/"
          "cri-containerd-" ID ".scope",
          ID);
    finds("0::/kubepods.slice/kubepods-pod1.slice/crio-" ID ".scope", ID);
    finds("0::/kubepods/burstable/pod0f1e/" ID, ID);
    finds("0::/kubepods/pod0f1e/crio-" ID, ID);
    finds("1:name=systemd:/\n0::/docker/" ID "\n", ID);
}

static void others_have_none(void **state)
{
    (void)state;
    finds("", "");
    finds(":\n::\n0::\n0::x\n0::/\n0\n", "");
    finds("0::/user.slice/user-1000.slice/session-1.scope\n", "");
    finds("0::/docker/" ID "0\n", "");
    finds("0::/docker/0123456789abcdef\n", "");
    finds("0::/docker/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\n", "");
}

/* Groups in what systemd has given to users and services, or in containers, are named by those. */
static void what_others_may_make_is_no_container(void **state)
{
    (void)state;
    finds("0::/user.slice/user-1000.slice/user@1000.service/docker-" ID ".scope\n", "");
    finds("0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID
          ".scope/container\n",
          "");
    finds("0::/user.slice/user-1000.slice/user@1000.service/docker/" ID "\n", "");
    finds("0::/user.slice/user-1000.slice/session-1.scope/x.slice/docker-" ID ".scope\n", "");
    finds("0::/system.slice/app.service/docker-" ID ".scope\n", "");
    finds("0::/system.slice/app.service/system.slice/docker-" ID ".scope\n", "");
    finds("0::/system.slice/app.service/docker/" ID "\n", "");
    finds("0::/system.slice/docker-" ID ".scope/system.slice/docker-" OTHER ".scope\n", ID);
    finds("0::/docker/" ID "/docker/" OTHER "\n", ID);
    finds("0::/../docker-" ID ".scope\n", ""); /* from another root than that of the host */
    finds("0::/../../docker/" ID "\n", "");
    finds("0::/x/" ID "\n", "");
    finds("0::/" ID "\n", "");
    finds("0::/docker-" ID ".scope\n", "");
    finds("0::/system.slice/evil-" ID ".scope\n", "");
    finds("0::/system.slice/docker-" ID ".service\n", "");
    finds("0::/.slice/docker-" ID ".scope\n", "");
    finds("0::/kubepods/burstable/x/" ID "\n", "");
    finds("0::/kubepods/best/pod1/" ID "\n", "");
    finds("0::/kubepods/burstable/pod1/x/" ID "\n", "");
    finds("12:pids:/docker/" ID "\n11:memory:/docker/" OTHER "\n", "");
}

/* Our own process at the other end of a pair. */
static void the_kernel_tells_who_connected(void **state)
{
    (void)state;
    int ends[2];
    char user[32];
    char group[32];
    struct peer_process peer;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(peer_process_read(ends[0], true, &peer), ST_OK);
    (void)snprintf(user, sizeof(user), "uid:%u", getuid());
    (void)snprintf(group, sizeof(group), "gid:%u", getgid());
    assert_slice(peer.user, user);
    assert_slice(peer.groups[0], group);
    assert_int_equal(peer.uid, getuid());
    assert_true(peer.group_count >= 1 && peer.group_count <= 2);
    assert_int_equal(peer_process_read(ends[1], false, &peer), ST_OK);
    assert_int_equal(peer.group_count, 1);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(peer_process_read(-1, false, &peer), ST_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(containers_are_found),
        cmocka_unit_test(others_have_none),
        cmocka_unit_test(what_others_may_make_is_no_container),
        cmocka_unit_test(the_kernel_tells_who_connected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
