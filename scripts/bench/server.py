"""The pod of scripts/bench/forward.sh: answers `ok`, and /large with a file of 300 MB. One answer for each connection."""

import asyncio
import os

LARGE = 300_000_000
PATH = "/tmp/large"


async def serve(reader, writer):
    request = await reader.readuntil(b"\r\n\r\n")
    is_large = request.startswith(b"GET /large")
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (LARGE if is_large else 2)
    writer.write(head if is_large else head + b"ok")
    await writer.drain()
    if is_large:
        with open(PATH, "rb") as file:
            await asyncio.get_running_loop().sendfile(writer.transport, file)
    writer.close()


async def handle(reader, writer):
    try:
        await serve(reader, writer)
    except (ConnectionError, asyncio.IncompleteReadError):
        writer.close()


async def main():
    with open(PATH, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, LARGE)
    server = await asyncio.start_server(handle, "0.0.0.0", 8080, backlog=1024)
    await server.serve_forever()


asyncio.run(main())
