"""The page behind its server: whose requests are answered, which files are reached, and nothing from elsewhere."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from stag.errors import StagError
from stag.web.app import policy
from stag.web.serve import check_address, is_loopback


@pytest.fixture(scope="module")
def served(predictor, tmp_path_factory):
    """``stag serve`` as a user starts it: its port, and the folder for its temporary files."""
    folder, model = tmp_path_factory.mktemp("served"), tmp_path_factory.mktemp("model") / "tiny"
    predictor.model.save_pretrained(model)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", "from stag.cli import main; main()", "serve", "--model", model, "--port", port]
    environment = {**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([*map(str, command)], env=environment, stdout=subprocess.DEVNULL) as server:
        for _ in range(1200):
            time.sleep(0.1)
            assert server.poll() is None
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        yield port, folder
        server.send_signal(signal.SIGINT)
        server.wait(60)
    assert list(folder.glob("stag-web-*")) == []


def request(port, path, method="GET", host=None, headers=(), body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"Host": host or f"127.0.0.1:{port}", **dict(headers)})
        told = connection.getresponse()
        return told.status, told.headers, told.read()
    finally:
        connection.close()


def test_on_this_machine_other_names_are_refused(served):
    port, _ = served
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        assert request(port, "/", host=host)[0] == 200
    for host in ("evil.example", f"127.0.0.1.evil.example:{port}", "localhost.evil.example"):
        status, _, body = request(port, "/", host=host)
        assert (status, body) == (400, b"Invalid host header")


def test_the_page_asks_nothing_of_other_hosts(served):
    port, _ = served
    _, headers, body = request(port, "/")
    loaded = re.findall(r"<(?:link|script|img|iframe)\b[^>]*?\b(?:href|src)=[\"']([^\"']+)", body.decode())
    assert loaded == ["data:,"]
    assert headers.get_all("content-security-policy") == [policy()]
    assert b"Simulated training" in body
    for path in ("/docs", "/redoc", "/openapi.json"):
        told = request(port, path)[2].lower()
        assert b"swagger" not in told
        assert b'"openapi"' not in told


def test_no_file_of_this_machine_is_served(served):
    port, folder = served
    (own,) = folder.glob("stag-web-*")
    (own / "example-surprise.mkv").write_bytes(b"secret")
    for path in ("/etc/passwd", f"{own}/example-surprise.mkv", "/example-surprise.mkv", "/static/../../etc/passwd"):
        assert request(port, path)[0] == 404


def test_a_taken_port_or_an_impossible_address_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StagError, match=rf"127\.0\.0\.1, port {port}: cannot be served there"):
            check_address("127.0.0.1", port)
    check_address("127.0.0.1", port)
    for host in ("203.0.113.7", "a..b", "x" * 70, "\udce9"):
        with pytest.raises(StagError, match="choose another `port` or `host`"):
            check_address(host, 7860)


def test_only_this_machine_reaches_a_loopback_address():
    assert [is_loopback(h) for h in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "example.org")] == [1, 1, 1, 0, 0]
