"""The page on a server of its own, a headless Chromium, clips from the simulator, and axe."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stag.config import Config
from stag.inference.predictor import Predictor
from stag.simulate.motion import simulate_motion
from stag.training.fit import train
from stag.video import write_video
from stag.web.examples import example_clip

AXE = Path(__file__).parents[2] / "build/browser/node_modules/axe-core/axe.min.js"

ARGUMENTS = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


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
    from playwright.sync_api import sync_playwright  # only `make test-browser` installs it

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert chromium is not None, "there is no chromium; make test-browser installs it"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
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


@pytest.fixture(scope="session")
def serious():
    """What axe finds that keeps somebody out; evaluated past the policy of the page, which refuses added scripts."""
    script = AXE.read_text(encoding="utf-8")

    def find(page):
        page.evaluate(script)
        found = page.evaluate("axe.run(document, {iframes: false}).then((result) => result.violations)")
        return [
            (v["id"], [node["html"][:200] for node in v["nodes"]])
            for v in found
            if v["impact"] in ("serious", "critical")
        ]

    return find
