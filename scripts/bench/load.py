"""Asks a web server on a port of 127.0.0.1, each time by a new connection, and prints one line for each measurement.

    load.py PORT SECONDS      throughput of a large answer, then small requests by 1, 50 and 200 clients for so many seconds each
    load.py PORT recover      seconds until a request is answered
"""

import asyncio
import statistics
import sys
import time

PATIENCE = 10
RECOVERY = 30


async def ask(port, path):
    """The number of bytes of the answer's body, or an error."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path)
        head = await reader.readuntil(b"\r\n\r\n")
        wanted = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        count = 0
        # Not until the end of the connection, which some forwards hold back.
        while count < wanted and (part := await reader.read(1 << 20)):
            count += len(part)
        if not head.startswith(b"HTTP/1.1 200") or count != wanted:
            raise ConnectionError(f"{count} bytes of {wanted}")
        return count
    finally:
        writer.close()


async def client(port, end, times, failures):
    while time.monotonic() < end:
        begin = time.monotonic()
        try:
            await asyncio.wait_for(ask(port, b"/"), PATIENCE)
            times.append(time.monotonic() - begin)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            failures.append(time.monotonic() - begin)


async def small(port, clients, seconds):
    times, failures = [], []
    begin = time.monotonic()
    await asyncio.gather(*(client(port, begin + seconds, times, failures) for _ in range(clients)))
    took = time.monotonic() - begin
    if len(times) < 2:
        return f"{clients} clients: {len(times)} answers, {len(failures)} failed"
    p99 = statistics.quantiles(times, n=100)[98]
    return (
        f"{clients:3} clients: {len(times) / took:7.0f} requests/s   p50 {statistics.median(times) * 1000:7.1f} ms"
        f"   p99 {p99 * 1000:7.1f} ms   {len(failures)} failed"
    )


async def large(port):
    rates = []
    for _ in range(3):
        begin = time.monotonic()
        count = await asyncio.wait_for(ask(port, b"/large"), 60)
        rates.append(count / 1e6 / (time.monotonic() - begin))
    return f"large answer: {statistics.median(rates):.0f} MB/s"


async def recover(port):
    begin = time.monotonic()
    failed = 0
    while time.monotonic() < begin + RECOVERY:
        try:
            await asyncio.wait_for(ask(port, b"/"), RECOVERY)
            return f"after the pod had gone: answered in {time.monotonic() - begin:.1f} s, {failed} failed before"
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            failed += 1
            await asyncio.sleep(0.1)
    return f"after the pod had gone: no answer within {RECOVERY} s, {failed} failed"


async def main():
    port = int(sys.argv[1])
    if sys.argv[2] == "recover":
        print(await recover(port))
        return
    print(await large(port), flush=True)
    for clients in (1, 50, 200):
        print(await small(port, clients, float(sys.argv[2])), flush=True)


asyncio.run(main())
