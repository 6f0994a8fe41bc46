"""Serve the page: on this machine only unless requested otherwise, with its files in a temporary folder."""

from __future__ import annotations

import ipaddress
import socket
import tempfile
from pathlib import Path

from stag.errors import MissingDependency, StagError
from stag.inference.predictor import Predictor
from stag.utils.extras import install_hint


def check_web_packages() -> None:
    """Raise :class:`MissingDependency` where a package that the page needs is not installed."""
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingDependency(f"the web page needs {error.name}, which is missing: {install_hint('web')}") from error


def serve(predictor: Predictor, *, host: str, port: int) -> None:
    """Serve the page until it is stopped, after :func:`check_web_packages` and :func:`check_address`."""
    import uvicorn

    from stag.web.app import make_app

    hosts = ("localhost", "127.0.0.1", "[::1]", host) if is_loopback(host) else ()
    with tempfile.TemporaryDirectory(prefix="stag-web-") as folder:
        app = make_app(predictor, Path(folder), hosts=hosts)
        uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=2)


def check_address(host: str, port: int) -> None:
    """Raise :class:`StagError` where the page cannot be served there."""
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
    """Return whether only this machine reaches that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
