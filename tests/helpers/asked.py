"""Requests to an ASGI application, without a server."""

import asyncio
from typing import NamedTuple


class Answer(NamedTuple):
    """Status, headers by lower-case name, and body."""

    status: int
    headers: dict[str, list[str]]
    body: bytes


def ask(app, path, *, host="127.0.0.1:7860", method="GET", headers=(), body=b""):
    """One request; ``body`` goes in a single piece."""
    sent = []
    own = [(b"host", host.encode()), (b"accept-encoding", b"gzip"), *headers]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": own,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 7860),
    }  # fmt: skip

    async def run():
        waiting = [{"type": "http.request", "body": body, "more_body": False}]
        done = asyncio.Event()

        async def receive():
            if waiting:
                return waiting.pop()
            await done.wait()
            return {"type": "http.disconnect"}

        async def send(event):
            sent.append(event)

        await app(scope, receive, send)
        done.set()

    asyncio.run(run())
    (start,) = (event for event in sent if event["type"] == "http.response.start")
    told = {}
    for name, value in start["headers"]:
        told.setdefault(name.decode().lower(), []).append(value.decode())
    whole = b"".join(event.get("body", b"") for event in sent if event["type"] == "http.response.body")
    return Answer(start["status"], told, whole)
