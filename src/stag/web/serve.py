"""The page behind a web server of its own: this machine only unless asked, and nothing fetched from elsewhere."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import tempfile
from pathlib import Path
from typing import Any

from stag.errors import StagError
from stag.inference.predictor import Predictor
from stag.web.limits import Limits
from stag.web.page import load_gradio, look, make_page

LOOPBACK = "127.0.0.1"
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; frame-ancestors 'self'"
)
"""Nothing from another host, whatever the page asks for."""

_FOREIGN = re.compile(rb"<(?:link|script)\b[^>]*\b(?:href|src)=[\"']https?://[^>]*>(?:\s*</script>)?")
_FETCHING = re.compile(r"/(?:file=https?:|proxy=)", re.IGNORECASE)
"""Addresses under which gradio would fetch from another host on behalf of a visitor."""


class Isolated:
    """ASGI middleware: takes links to other hosts out of the page, and sends the policy along with every answer.

    Requests that would make this server fetch from another host are answered with 404.

    Args:
        app: The application.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _FETCHING.search(scope["path"]):
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        start: dict[str, Any] = {}
        body = b""

        async def forward(event: dict[str, Any]) -> None:
            nonlocal start, body
            if event["type"] == "http.response.start":
                headers = [(key, value) for key, value in event["headers"] if key.lower() != b"content-length"]
                is_page = any(k.lower() == b"content-type" and v.startswith(b"text/html") for k, v in headers)
                if not is_page:
                    headers = list(event["headers"])
                headers += [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                start = {**event, "headers": headers}
                if not is_page:
                    await send(start)
                    start = {}
                return
            if event["type"] == "http.response.body" and start:
                body += event.get("body", b"")
                if not event.get("more_body"):
                    whole = _FOREIGN.sub(b"", body)
                    head = {**start, "headers": [*start["headers"], (b"content-length", str(len(whole)).encode())]}
                    await send(head)
                    await send({"type": "http.response.body", "body": whole})
                return
            await send(event)

        # A page that is to be rewritten must not come compressed.
        plain = [(key, value) for key, value in scope["headers"] if key.lower() != b"accept-encoding"]
        await self.app({**scope, "headers": plain}, receive, forward)


def make_app(predictor: Predictor, folder: Path, *, host: str = LOOPBACK, limits: Limits | None = None) -> Any:
    """The page as an ASGI application.

    Args:
        predictor: Who judges.
        folder: Where examples are drawn and uploads lie until they are read.
        host: Address that it will be served on; on loopback, requests under another name are refused.
        limits: What is accepted.
    """
    gr = load_gradio()
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    limits = limits or Limits()
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
    no_docs: dict[str, Any] = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    app = FastAPI(**no_docs)
    page = make_page(predictor, folder, limits)
    mounted = gr.mount_gradio_app(
        app,
        page,
        path="/",
        server_name=host,
        max_file_size=limits.size_mb * 1_000_000,
        ssr_mode=False,
        enable_monitoring=False,
        footer_links=[],
        app_kwargs=no_docs,
        **look(),
    )
    if is_loopback(host):
        # A page elsewhere whose name was made to point here must not reach this server.
        mounted.add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]", host])
    mounted.add_middleware(Isolated)
    return mounted


def serve(predictor: Predictor, *, host: str = LOOPBACK, port: int = 7860, limits: Limits | None = None) -> None:
    """Serve the page until it is stopped; every file goes with it.

    Raises:
        MissingDependency: gradio is not installed.
        StagError: The port is taken, or the address is not one of this machine.
    """
    load_gradio()
    import uvicorn

    check_address(host, port)
    with tempfile.TemporaryDirectory(prefix="stag-web-") as folder:
        app = make_app(predictor, Path(folder), host=host, limits=limits)
        uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)


def check_address(host: str, port: int) -> None:
    """Whether the page can be served there.

    Raises:
        StagError: It cannot.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no such address"
        raise StagError(
            f"{host}, port {port}: cannot be served there ({reason}); choose another `port` or `host`"
        ) from error


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
