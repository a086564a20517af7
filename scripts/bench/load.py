"""Asks a web server on a port of 127.0.0.1, each time by a new connection, and prints one line for each measurement.

    load.py PORT SECONDS      throughput of a large answer, then small requests by 1, 50 and 200 clients for so many seconds each
    load.py PORT recover      seconds until a request is answered

Bare sockets: what asks has to be much quicker than what is measured.
"""

import select
import socket
import statistics
import sys
import time

PATIENCE = 10
RECOVERY = 30
REQUEST = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Answer:
    """What has come of an answer. It is whole by its length: some forwards hold the end of the connection back."""

    def __init__(self):
        self.head = b""
        self.missing = None

    def take(self, part):
        """Whether the answer is whole now."""
        if self.missing is None:
            self.head += part
            head, end, body = self.head.partition(b"\r\n\r\n")
            if not end:
                return False
            if not head.startswith(b"HTTP/1.1 200"):
                raise ConnectionError(head.decode(errors="replace"))
            self.length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            self.missing = self.length
            part = body
        self.missing -= len(part)
        return self.missing <= 0


def ask(port, path, patience):
    """The number of bytes of the answer's body, or an error."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        connection.sendall(REQUEST % path)
        answer = Answer()
        while part := connection.recv(1 << 20):
            if answer.take(part):
                return answer.length
    raise ConnectionError("the answer ended early")


class Clients:
    """So many clients, each with one request at a time."""

    def __init__(self, port, count):
        self.port, self.count = port, count
        self.poll = select.epoll()
        self.open = {}
        self.times, self.failed = [], 0

    def ask(self):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", self.port))
        connection_id = connection.fileno()
        self.open[connection_id] = connection, Answer(), time.monotonic()
        self.poll.register(connection_id, select.EPOLLOUT)

    def close(self, connection_id):
        connection, _, begin = self.open.pop(connection_id)
        connection.close()
        return time.monotonic() - begin

    def go_on(self, connection_id, event):
        connection, answer, _ = self.open[connection_id]
        try:
            if event & select.EPOLLOUT:
                connection.sendall(REQUEST % b"/")
                self.poll.modify(connection_id, select.EPOLLIN)
                return
            part = connection.recv(1 << 16)
            if answer.take(part):
                self.times.append(self.close(connection_id))
            elif part:
                return
            else:
                raise ConnectionError("the answer ended early")
        except OSError:
            self.close(connection_id)
            self.failed += 1

    def run(self, seconds):
        begin = time.monotonic()
        end, look = begin + seconds, begin
        while (now := time.monotonic()) < end or self.open:
            while now < end and len(self.open) < self.count:
                self.ask()
            for connection_id, event in self.poll.poll(1):
                self.go_on(connection_id, event)
            if now > look + 1:
                look = now
                for connection_id in [key for key, (_, _, since) in self.open.items() if now > since + PATIENCE]:
                    self.close(connection_id)
                    self.failed += 1
        return time.monotonic() - begin


def small(port, count, seconds):
    clients = Clients(port, count)
    took = clients.run(seconds)
    times, failed = clients.times, clients.failed
    if len(times) < 2:
        return f"{count} clients: {len(times)} answers, {failed} failed"
    p99 = statistics.quantiles(times, n=100)[98]
    return (
        f"{count:3} clients: {len(times) / took:7.0f} requests/s   p50 {statistics.median(times) * 1000:7.1f} ms"
        f"   p99 {p99 * 1000:7.1f} ms   {failed} failed"
    )


def large(port):
    rates = []
    for _ in range(3):
        begin = time.monotonic()
        count = ask(port, b"/large", 60)
        rates.append(count / 1e6 / (time.monotonic() - begin))
    return f"large answer: {statistics.median(rates):.0f} MB/s"


def recover(port):
    begin = time.monotonic()
    failed = 0
    while time.monotonic() < begin + RECOVERY:
        try:
            ask(port, b"/", RECOVERY)
            return f"after the pod had gone: answered in {time.monotonic() - begin:.1f} s, {failed} failed before"
        except OSError:
            failed += 1
            time.sleep(0.1)
    return f"after the pod had gone: no answer within {RECOVERY} s, {failed} failed"


def main():
    port = int(sys.argv[1])
    if sys.argv[2] == "recover":
        print(recover(port))
        return
    print(large(port), flush=True)
    for count in (1, 50, 200):
        print(small(port, count, float(sys.argv[2])), flush=True)


main()
