/* TCP_INFO of a leg, in the units of the record.
 *
 * The kernel fills as much of the structure as it and we know. What an older one does not have stays 0, which in the
 * record says "not known". <linux/tcp.h> is taken, since the C library's <netinet/tcp.h> ends before the figures that
 * matter here; the two do not go together in one file. */
#include "net/tcp_info.h"

#include "net/tcp.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

/* Not measured yet: the kernel says ~0. */
static uint32_t measured_us(uint32_t us)
{
    return us == UINT32_MAX ? 0 : us;
}

/* The kernel estimates it by the longest segment that came; a peer that only ever wrote little had none that was
 * full. */
static uint32_t full_segment(const struct tcp_info *info)
{
    bool is_likely = info->tcpi_rcv_mss >= info->tcpi_advmss / 4 * 3;
    return is_likely ? info->tcpi_rcv_mss : info->tcpi_advmss;
}

void tcp_info_read(const struct transport *transport, struct record_tcp *into)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    int fd = tcp_fd(transport);
    memset(&info, 0, sizeof(info));
    memset(into, 0, sizeof(*into));
    if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return;
    *into = (struct record_tcp){
        .is_known = 1,
        .rtt_us = info.tcpi_rtt,
        .rtt_var_us = info.tcpi_rttvar,
        .min_rtt_us = measured_us(info.tcpi_min_rtt),
        .retransmits = info.tcpi_total_retrans,
        .out_of_order = info.tcpi_rcv_ooopack,
        .segments_in = info.tcpi_segs_in,
        .segments_out = info.tcpi_segs_out,
        .data_segments_in = info.tcpi_data_segs_in,
        .mss_in = full_segment(&info),
        .data_bytes_in = info.tcpi_bytes_received,
        .delivery_rate = info.tcpi_delivery_rate,
        .busy_us = info.tcpi_busy_time,
        .rwnd_limited_us = info.tcpi_rwnd_limited,
        .sndbuf_limited_us = info.tcpi_sndbuf_limited,
    };
}
