"""A slow link between two TUN devices: a program of its own, so that players do not hold it up. It ends with its standard
input. Usage: emulate.py FD FD JSON, where JSON has one object for each way:

    delay   seconds that each packet takes
    rate    bytes a second; what waits for its turn stands in a queue of QUEUE bytes, and what finds it full is dropped
    lose    one of so many packets with data is dropped, counted and not rolled, so that each run drops the same ones"""
import heapq
import itertools
import json
import os
import select
import sys
import time

QUEUE = 96 * 1024
DATA = 120  # bytes of a packet that carries some, and not only an acknowledgement


class Way:
    def __init__(self, into, delay=0, rate=None, lose=None):
        self.into, self.delay, self.rate, self.lose = into, delay, rate, lose
        self.free_at = 0
        self.seen = 0

    def arrival(self, packet, now):
        """When it is through; None where it is lost."""
        if self.lose and len(packet) > DATA:
            self.seen += 1
            if self.seen % self.lose == 0:
                return None
        if not self.rate:
            return now + self.delay
        begin = max(now, self.free_at)
        if (begin - now) * self.rate > QUEUE:
            return None
        self.free_at = begin + len(packet) / self.rate
        return self.free_at + self.delay


def carry(ways):
    """`ways`: where packets come from, and the Way that each then goes."""
    under_way, order = [], itertools.count()
    while True:
        now = time.monotonic()
        while under_way and under_way[0][0] <= now:
            _, _, into, packet = heapq.heappop(under_way)
            try:
                os.write(into, packet)
            except OSError:
                pass  # its device is down or full: lost, as on any link
        wait = max(0, under_way[0][0] - now) if under_way else None
        ready, _, _ = select.select([0, *ways], [], [], wait)
        for fd in ready:
            if fd == 0:
                return
            packet, way = os.read(fd, 65536), ways[fd]
            at = way.arrival(packet, time.monotonic())
            if at is not None:
                heapq.heappush(under_way, (at, next(order), way.into, packet))


if __name__ == "__main__":
    near, far = int(sys.argv[1]), int(sys.argv[2])
    there, back = json.loads(sys.argv[3])
    print("carries", flush=True)
    carry({near: Way(far, **there), far: Way(near, **back)})
