"""The pod of scripts/bench/forward.sh: answers `ok`, and /large with a file of 300 MB. One answer for each connection.

Bare sockets: what answers has to be much quicker than what is measured.
"""

import os
import select
import socket
import threading

LARGE = 300_000_000
PATH = "/tmp/large"
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
SMALL = HEAD % 2 + b"ok"


def send_large(connection):
    connection.setblocking(True)
    with connection, open(PATH, "rb") as file:
        try:
            connection.sendall(HEAD % LARGE)
            connection.sendfile(file)
        except OSError:
            pass  # whoever asked has gone


def answer(connection):
    """Whether the request was there; it is whole in one piece."""
    try:
        request = connection.recv(4096)
    except BlockingIOError:
        return False
    except OSError:
        request = b""
    if request.startswith(b"GET /large"):
        threading.Thread(target=send_large, args=(connection,)).start()
        return True
    with connection:
        if request:
            try:
                connection.send(SMALL)
            except OSError:
                pass  # likewise
    return True


def main():
    with open(PATH, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, LARGE)
    listener = socket.create_server(("0.0.0.0", 8080), backlog=1024)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    waiting = {}
    while True:
        for number, _ in poll.poll():
            if number != listener.fileno():
                connection = waiting.pop(number)
                poll.unregister(number)
                if not answer(connection):
                    waiting[number] = connection
                    poll.register(number, select.EPOLLIN)
                continue
            try:
                while True:
                    connection, _ = listener.accept()
                    connection.setblocking(False)
                    if not answer(connection):
                        waiting[connection.fileno()] = connection
                        poll.register(connection.fileno(), select.EPOLLIN)
            except BlockingIOError:
                pass  # no more at present


main()
