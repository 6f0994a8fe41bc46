"""The page behind its server: whose requests are answered, which files are reached, and nothing from elsewhere."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from asked import ask
from stag.errors import StagError
from stag.web.serve import POLICY, Isolated, check_address

LINKS = b"""<html><link rel="preconnect" href="https://fonts.example"><script src='https://cdn.example/a.js'></script>
<link rel="stylesheet" href="./theme.css"><script src="/own.js"></script><a href="https://kept.example">read</a></html>"""


def app_of(pieces, kind="text/html; charset=utf-8", status=200, seen=None):
    async def app(scope, receive, send):
        if seen is not None:
            seen.append(scope)
        length = str(sum(map(len, pieces))).encode()
        headers = [(b"Content-Type", kind.encode()), (b"Content-Length", length)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for number, piece in enumerate(pieces, start=1):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(pieces)})

    return app


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_links_to_other_hosts_leave_the_page_however_it_is_cut(size):
    pieces = [LINKS[i : i + size] for i in range(0, len(LINKS), size)]
    seen = []
    told = ask(Isolated(app_of(pieces, seen=seen)), "/")
    assert b"fonts.example" not in told.body
    assert b"cdn.example" not in told.body
    assert all(kept in told.body for kept in (b"./theme.css", b"/own.js", b"kept.example"))
    assert told.body.count(b"<script") == told.body.count(b"</script>") == 1
    assert told.headers["content-length"] == [str(len(told.body))]
    assert told.headers["content-security-policy"] == [POLICY]
    assert b"accept-encoding" not in dict(seen[0]["headers"])


def test_what_is_no_page_passes_as_it_is():
    for status, kind in [(200, "application/json"), (404, "text/plain")]:
        told = ask(Isolated(app_of([LINKS[:20], LINKS[20:]], kind, status)), "/data")
        assert (told.status, told.body) == (status, LINKS)
        assert told.headers["content-length"] == [str(len(LINKS))]
        assert told.headers["content-security-policy"] == [POLICY]


def test_the_policy_names_no_other_host():
    words = {word for part in POLICY.split(";") for word in part.split()[1:]}
    assert words == {"'self'", "data:", "blob:", "'unsafe-inline'", "'unsafe-eval'"}


def test_nobody_makes_the_server_fetch_from_elsewhere():
    seen = []
    app = Isolated(app_of([b"fetched"], seen=seen))
    for path in ("/gradio_api/file=https://a.example/x", "/file=HTTP://a.example/x", "/gradio_api/proxy=https://a/x"):
        assert ask(app, path).status == 404
    assert seen == []
    assert ask(app, "/gradio_api/file=/tmp/http.txt").body == b"fetched"


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
    assert loaded
    assert [address for address in loaded if re.match(r"(?:https?:)?//", address)] == []
    assert headers.get_all("content-security-policy") == [POLICY]
    assert headers.get_all("referrer-policy") == ["no-referrer"]
    assert b"Simulated training" in body
    for path in ("/docs", "/redoc", "/openapi.json"):
        told = request(port, path)[2].lower()
        assert b"swagger" not in told
        assert b'"openapi"' not in told


def posted(port, content, name="a.mp4"):
    mark = b"----mark"
    part = b'Content-Disposition: form-data; name="files"; filename="' + name.encode() + b'"'
    parts = [b"--" + mark, part, b"Content-Type: video/mp4", b"", content, b"--" + mark + b"--", b""]
    kind = {"Content-Type": "multipart/form-data; boundary=" + mark.decode()}
    return request(port, "/gradio_api/upload", "POST", headers=kind, body=b"\r\n".join(parts))


def test_an_upload_stays_in_its_folder_and_below_the_limit(served):
    port, folder = served
    status, _, body = posted(port, b"clip", "../../../evil.mp4")
    assert status == 200
    (path,) = json.loads(body)
    lying = [p for p in folder.parent.rglob("*") if p.is_file() and p.read_bytes() == b"clip"]
    assert [str(p) for p in lying] == [path]
    assert lying[0].is_relative_to(next(folder.glob("stag-web-*/uploads")))
    assert posted(port, b"x" * 50_100_000)[0] == 413
    assert not [p for p in folder.rglob("*") if p.is_file() and p.stat().st_size > 50_000_000]


def test_no_other_file_of_this_machine_is_served(served):
    port, folder = served
    (own,) = folder.glob("stag-web-*")
    claimed = own / "claims" / "1" / "clip.mp4"
    claimed.parent.mkdir(parents=True)
    for path in (claimed, own / "example-surprise.mkv"):
        path.write_bytes(b"secret")
    for path in ("/etc/passwd", claimed, own / "example-surprise.mkv", f"{own}/uploads/../example-surprise.mkv"):
        status, _, body = request(port, f"/gradio_api/file={path}")
        assert (status in (403, 404), b"secret" in body) == (True, False), path


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
