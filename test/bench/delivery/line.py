"""A line between two network namespaces: so many bits a second, so late, and some packets lost. No queueing discipline that delays is
needed in the kernel: packets of two TUN devices pass through here. Says `ready`, and ends with its standard input.

line.py PID_A PID_B BITS_PER_SECOND ONE_WAY_MS LOSS_PERMILLE
"""
import ctypes, fcntl, heapq, os, random, select, struct, subprocess, sys, time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
CLONE_NEWNET = 0x40000000
QUEUE_BYTES = 1 << 20
MTU = 1500
libc = ctypes.CDLL(None, use_errno=True)


def device(pid, address, peer):
    with open(f"/proc/{pid}/ns/net") as space:
        if libc.setns(space.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"line0", IFF_TUN | IFF_NO_PI))
    for words in (
        f"link set lo up",
        f"address add {address} peer {peer} dev line0",
        f"link set line0 mtu {MTU} txqueuelen 2000 up",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    return tun


def main():
    pid_a, pid_b, bits, late_ms, loss = (float(word) for word in sys.argv[1:6])
    ends = [device(int(pid_a), "10.77.0.1", "10.77.0.2"), device(int(pid_b), "10.77.0.2", "10.77.0.1")]
    chance = random.Random(1)
    free = [0.0, 0.0]
    waiting = []
    count = 0
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, to, packet = heapq.heappop(waiting)
            try:
                os.write(ends[to], packet)
            except BlockingIOError:
                pass
        rest = max(0.0, waiting[0][0] - now) if waiting else 1.0
        ready, _, _ = select.select([*ends, sys.stdin], [], [], rest)
        if sys.stdin in ready and not sys.stdin.buffer.read1(1):
            return
        for at, end in enumerate(ends):
            if end not in ready:
                continue
            for _ in range(64):
                try:
                    packet = os.read(end, 2048)
                except BlockingIOError:
                    break
                now = time.monotonic()
                begins = max(now, free[at])
                if (begins - now) * bits / 8 > QUEUE_BYTES or chance.random() * 1000 < loss:
                    continue
                free[at] = begins + len(packet) * 8 / bits
                count += 1
                heapq.heappush(waiting, (free[at] + late_ms / 1000, count, 1 - at, packet))


main()
