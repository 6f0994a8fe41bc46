"""The page itself: where a clip comes from on the left, what came out below; files go when they have been read."""

from __future__ import annotations

import os
import shutil
import threading
import time
import uuid
from importlib import resources
from pathlib import Path
from typing import Any

from stag.errors import MissingDependency
from stag.inference.predictor import Predictor
from stag.utils.extras import install_hint
from stag.utils.parallel import one_thread
from stag.web.answer import Progress, answer, message
from stag.web.examples import EXAMPLES, example_clip
from stag.web.limits import Limits

QUEUE = 32
"""Clips that wait at most; one is looked at at a time."""

KEPT_S = 600
"""Uploads that were never analysed go after this long."""

CLAIMED_S = 3600
"""Claims that were never redeemed, as when the queue was full, go after this long."""

FILE_TYPES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".gif", ".webp", ".m4v", ".mpg", ".mpeg", ".wmv")

_NAMED_BY_ITS_WORDS = """() => {
  const mend = () => document.querySelectorAll("button.upload-container[aria-label]").forEach(
    (button) => button.removeAttribute("aria-label"));
  new MutationObserver(mend).observe(document.body, { childList: true, subtree: true, attributes: true });
  mend();
}"""
"""gradio gives the upload button another name than the one written on it, so that speech input cannot find it."""

_TITLE = "What a face did, and why the model says so"


def load_gradio() -> Any:
    """gradio, with its telemetry switched off.

    Raises:
        MissingDependency: It is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio
    except ImportError as error:
        raise MissingDependency(f"the web page needs gradio, which is missing: {install_hint('web')}") from error
    return gradio


def look() -> dict[str, Any]:
    """Theme and style of the page; fonts of the system only."""
    gr = load_gradio()
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
    theme = gr.themes.Base(
        primary_hue="blue", neutral_hue="stone", radius_size="md", font=fonts, font_mono=["ui-monospace", "monospace"]
    )
    style = resources.files("stag.web").joinpath("page.css").read_text(encoding="utf-8")
    return {"theme": theme, "css": style, "js": _NAMED_BY_ITS_WORDS}


class Claims:
    """Who still needs an upload: gradio keeps equal uploads of several visitors as one file.

    Args:
        folder: Where visitors get a name of their own for the file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "claims"
        self._lock = threading.Lock()
        self._shared: dict[Path, Path] = {}
        self._since: dict[Path, float] = {}

    def claim(self, file: str | None) -> str | None:
        """A path of this visitor's own to the uploaded file, or ``None`` where it is gone."""
        with self._lock:
            for old in [own for own, since in self._since.items() if time.monotonic() - since > CLAIMED_S]:
                self._forget(old)
        if not file:
            return None
        shared = Path(file)
        own = self._folder / uuid.uuid4().hex / shared.name
        with self._lock:
            own.parent.mkdir(parents=True)
            try:
                os.link(shared, own)
            except OSError:
                if not shared.is_file():
                    own.parent.rmdir()
                    return None
                shutil.copyfile(shared, own)
            self._shared[own] = shared
            self._since[own] = time.monotonic()
        return str(own)

    def release(self, own: Path) -> None:
        """Delete the visitor's file, and the upload when nobody else has a claim on it."""
        with self._lock:
            self._forget(own)

    def _forget(self, own: Path) -> None:
        shared = self._shared.pop(own, None)
        self._since.pop(own, None)
        if shared is None:
            return
        shutil.rmtree(own.parent, ignore_errors=True)
        if shared not in self._shared.values():
            shared.unlink(missing_ok=True)


def judge_claimed(
    claimed: str | None,
    claims: Claims,
    predictor: Predictor,
    limits: Limits,
    progress: Progress,
    *,
    fps: float | None = None,
    aus: str | None = None,
) -> str | None:
    """What the page shows of a claimed clip, with its rate and codes if any; its file goes whatever comes of it.

    ``None`` where the claim was answered already, as after a second click while the first still waited.
    """
    if not claimed:
        return message("Choose a clip first. One that was chosen a while ago has to be uploaded again.")
    path = Path(claimed)
    if not path.is_file():
        return None
    try:
        with one_thread():
            return answer(path, path.name, predictor, limits, progress, fps=fps, aus=aus)
    finally:
        claims.release(path)


def make_page(predictor: Predictor, folder: Path, limits: Limits | None = None) -> Any:
    """The page as gradio Blocks.

    Args:
        predictor: Who judges.
        folder: Where examples are drawn.
        limits: What is accepted.
    """
    gr = load_gradio()
    limits = limits or Limits()

    claims = Claims(folder)

    def judge(claimed: str | None, aus: str | None, fps: float | None = None, progress: Any = gr.Progress()) -> Any:
        told = judge_claimed(
            claimed, claims, predictor, limits, lambda done, text: progress(done, desc=text), fps=fps or None, aus=aus
        )
        return gr.skip() if told is None else told

    def judge_example(name: str, progress: Any = gr.Progress()) -> str:
        if name not in EXAMPLES:
            return message("Choose an example first.")
        progress(0.0, desc="Drawing the example")
        with one_thread():
            clip = example_clip(name, folder)
            return answer(clip, clip.name, predictor, limits, lambda done, text: progress(done, desc=text))

    codes: dict[str, Any] = {
        "label": "Action units, if a person coded the clip",
        "placeholder": "for example 4+7; leave empty otherwise",
        "max_lines": 1,
        "visible": predictor.model.info.reads_codes,
    }
    with gr.Blocks(title="stag", analytics_enabled=False, delete_cache=(60, KEPT_S)) as page:
        gr.HTML(_head(predictor, limits), elem_classes="stag-head")
        with gr.Tabs():
            with gr.Tab("Upload"):
                upload = gr.File(label="A clip of one face", file_types=list(FILE_TYPES), height=170)
                upload_codes = gr.Textbox(**codes)
                rate = gr.Number(label="Frames per second, only for clips that carry no times", value=None, minimum=0)
                upload_go = gr.Button("Analyse the clip", variant="primary")
            with gr.Tab("Record"):
                camera = gr.Video(
                    label="A few seconds from your camera",
                    sources=["webcam"],
                    include_audio=True,
                    webcam_options=gr.WebcamOptions(mirror=False),
                    height=300,
                )
                camera_codes = gr.Textbox(**codes)
                camera_go = gr.Button("Analyse the recording", variant="primary")
            with gr.Tab("Example"):
                choice = gr.Radio(list(EXAMPLES), value=next(iter(EXAMPLES)), label="A simulated clip")
                example_go = gr.Button("Analyse the example", variant="primary")
        shown = gr.HTML(elem_classes="stag-shown", min_height=120)
        queue: dict[str, Any] = {"concurrency_id": "clips", "concurrency_limit": 1, "api_visibility": "undocumented"}
        clear: dict[str, Any] = {"queue": False, "api_visibility": "private"}
        for button, source, typed, name in (
            (upload_go, upload, upload_codes, "analyse"),
            (camera_go, camera, camera_codes, "recording"),
        ):
            own = gr.State(None)
            claimed = button.click(claims.claim, source, own, **clear)
            inputs = [own, typed, rate] if source is upload else [own, typed]
            judged = claimed.then(judge, inputs, shown, api_name=name, **queue)
            # Codes belong to their clip, so they go with it.
            judged.then(lambda: (None, ""), None, [source, typed], **clear)
        example_go.click(judge_example, choice, shown, api_name="example", **queue)
    page.queue(max_size=QUEUE)
    return page


def _head(predictor: Predictor, limits: Limits) -> str:
    simulated = bool(predictor.model.info.training.get("simulated", False))
    note = (
        "<p class='stag-note'><strong>Simulated training.</strong> The model has never seen a real micro-expression; "
        "take its answers as a demonstration.</p>"
        if simulated
        else ""
    )
    return (
        f"<h1>{_TITLE}</h1><p>stag follows one face, measures how its regions move, names the most probable class and "
        "shows what spoke for it. It is not lie detection, and not for decisions about people. Analyse only people who "
        f"know about it and have agreed.</p><p class='stag-small'>{limits.sentence} The clip stays on the machine "
        f"that runs this page, and is deleted as soon as it has been read.</p>{note}"
    )
