"""Answers for all cheap servers at once: speaks to the hub in their jobs' place, and answers HTTP under every prefix.

A program of its own, standard library only: ``python3 -I responder.py FIFO PORT-FILE``.  A job writes one line into the
FIFO: who reports (``hpchub``, or ``batchspawner`` for that package's spawners), the hub's API, the server's token, the
session id.  What follows is the job's part of the contract: the phase starting, then ready with a port; then for our
hub what a notebook server asks while it runs (hpchub/lab), as often as the hub wishes.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from urllib.parse import urlsplit

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\nConnection: close\r\n\r\n"
    b'{"version": "0"}\n'
)
PATIENCE_SECONDS = 600
"""As long as a real job waits for a hub that is away."""
AGAIN_SECONDS = 30
"""Until a question is asked again that nobody answered."""


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request, whatever it asks for."""
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


async def ask(method: str, url: str, token: str, data: bytes = b"") -> list[bytes]:
    """Send one request and return the head of the answer, line by line; raises OSError where there is none."""
    address = urlsplit(url)
    head = (
        f"{method} {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: token {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(head.encode() + data)
        return (await reader.readuntil(b"\r\n\r\n")).splitlines()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise ConnectionError("no answer") from error
    finally:
        writer.close()


async def post(url: str, token: str, body: dict[str, object]) -> int:
    """Send one report and return the status of the answer; raises OSError where there is none."""
    return int((await ask("POST", url, token, json.dumps(body).encode()))[0].split()[1])


async def ask_for_news(url: str, token: str) -> None:
    """Ask what a notebook server asks, until the session is over; who waits for news in an event asks once a minute."""
    status = 200
    while status not in (403, 404, 409):
        seconds = float(AGAIN_SECONDS)
        try:
            head = await ask("GET", f"{url}/room", token)
            status = int(head[0].split()[1])
            told = [line for line in head if line.lower().startswith(b"retry-after:")]
            seconds = float(told[0].partition(b":")[2]) if told else seconds
        except OSError:
            pass
        await asyncio.sleep(seconds * random.uniform(0.9, 1.1))  # noqa: S311 - no secret


async def post_patiently(url: str, token: str, body: dict[str, object]) -> bool:
    """Send a report until it arrives; return whether the session is wanted."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        try:
            status = await post(url, token, body)
        except OSError:
            status = 500
        if status < 500:
            return status < 400
        await asyncio.sleep(1)
    return False


async def be_server(line: str, port: int) -> None:
    """Say for one job what its bootstrap would say."""
    kind, hub, token, session = line.split("\t")
    if kind == "batchspawner":
        await post_patiently(f"{hub}/batchspawner", token, {"port": port})
        return
    url = f"{hub}/hpchub/sessions/{session}"
    reports: tuple[dict[str, object], ...] = ({"phase": "starting"}, {"phase": "ready", "port": port})
    for report in reports:
        if not await post_patiently(url, token, report):
            return
    await ask_for_news(url, token)


async def main(fifo: int, port_file: Path) -> None:
    """Serve until killed."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=2000)
    port = server.sockets[0].getsockname()[1]
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(fifo, "rb", buffering=0)
    )
    port_file.write_text(str(port))  # noqa: ASYNC240 - once, before anything is served
    kept = set()
    while True:
        task = asyncio.create_task(be_server((await lines.readline()).decode().rstrip("\n"), port))
        kept.add(task)
        task.add_done_callback(kept.discard)


if __name__ == "__main__":
    # Open for writing too, or the FIFO would end each time that its last writer closes it.
    asyncio.run(main(os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK), Path(sys.argv[2])))
