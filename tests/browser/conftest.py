"""The page on a server of its own, a headless Chromium, clips from the simulator, and axe."""

import os
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from stag.config import Config
from stag.predictor import Predictor
from stag.simulate.motion import simulate_motion
from stag.training.fit import train
from stag.video import write_video
from stag.web.examples import example_clip


@pytest.fixture(scope="session")
def predictor():
    motion = simulate_motion(6, 6, seed=3)
    config = Config.preset("quick").override(["train.epochs=4"])
    return Predictor(train(motion, config, seed=0))


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return example_clip("Surprise (simulated)", tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def faceless(tmp_path_factory):
    path = tmp_path_factory.mktemp("faceless") / "wall.mkv"
    rng = np.random.default_rng(0)
    write_video(path, (rng.integers(90, 140, (120, 160), dtype=np.uint8) for _ in range(12)), 50.0)
    return path


@pytest.fixture(scope="session")
def two_hours(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "lecture.mkv"
    write_video(path, (np.full((24, 32), 90, np.uint8) for _ in range(360)), 0.05)
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="session")
def address(predictor, folder, tmp_path_factory):
    """``stag serve`` as a user starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    model = tmp_path_factory.mktemp("model") / "tiny"
    predictor.model.save_pretrained(model)
    command = [
        sys.executable,
        "-c",
        "from stag.cli import main; main()",
        "serve",
        "--model",
        str(model),
        "--port",
        port,
    ]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(folder)}, stdout=subprocess.DEVNULL) as server:
        for _ in range(600):
            time.sleep(0.1)
            assert server.poll() is None
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                    break
        yield f"http://127.0.0.1:{port}"
        server.terminate()


@pytest.fixture(scope="session")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium; make test-browser installs it")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def visit(browser):
    """Opens an address; afterwards nothing was asked of another host, and no script failed."""
    contexts, asked, failed = [], [], []

    def open_page(url, scheme="light", width=1200):
        context = browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 900}, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        home = url.split("/", 3)[2]
        page.on("request", lambda r: asked.append((home, r.url)))
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    local = ("data:", "blob:", "about:", "file:")
    assert [url for home, url in asked if not url.startswith((f"http://{home}/", *local))] == []
    assert failed == []
