"""Serve ``GET /``, the page, and ``POST /analyse``, which answers with HTML, JSON or lines of progress."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path, PurePosixPath
from typing import Annotated, NamedTuple

from fastapi import FastAPI, File, Form, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from stag.api.spotting import shipped_spotter
from stag.errors import StagError
from stag.inference.predictor import Predictor
from stag.model.held_out import HeldOut
from stag.model.shipped import SHIPPED
from stag.report.export import prediction_dict, to_json
from stag.report.render import environment, script_and_hash
from stag.utils.parallel import one_thread
from stag.web.answer import Limits, Progress, analyse, problem_html, result_html
from stag.web.examples import EXAMPLES, example_clip
from stag.web.recording import RECORDING, recording_html, recording_json, spot_recording

FILE_TYPES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".gif", ".webp", ".m4v", ".mpg", ".mpeg", ".wmv")
PROGRESS_TYPE = "application/x-ndjson"
"""Media type of an answer with one JSON object a line: ``done`` and ``text``, at last ``html``."""

_FORM_BYTES = 100_000  # assumed; what the other fields and the multipart boundaries may take
_UPDATE_EVERY_S = 0.15


class VisitorLeftError(Exception):
    """Raised inside an analysis whose visitor has closed the page."""


class QueueFullError(StagError):
    """Too many clips wait already."""


class Update(NamedTuple):
    """The share in [0, 1] that is done, and what is being done."""

    done: float
    text: str


class AnalysisQueue:
    """Run one piece of work at a time, in order of arrival; more than ``longest`` visitors are refused."""

    def __init__(self, longest: int = 32) -> None:
        self._longest = longest
        self._visitors: list[object] = []
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="analysis")

    async def run(self, work: Callable[[Progress], str]) -> AsyncIterator[Update | str]:
        """Wait for the turn, call ``work`` in the worker thread, and yield updates, at last the result.

        The function that takes the progress raises :class:`VisitorLeftError` once the iterator is closed, so that no
        abandoned clip is analysed. A full queue raises :class:`QueueFullError` before the first update.
        """
        if len(self._visitors) >= self._longest:
            raise QueueFullError("Too many clips are waiting. Try again in a minute.")
        visitor, left = object(), False
        latest = Update(0.0, "Waiting")

        def progress(done: float, text: str) -> None:
            nonlocal latest
            if left:
                raise VisitorLeftError
            latest = Update(done, text)

        self._visitors.append(visitor)
        try:
            future = asyncio.get_running_loop().run_in_executor(self._worker, work, progress)
            shown = None
            while not future.done():
                ahead = self._visitors.index(visitor)
                update = Update(0.0, f"Waiting: {ahead} before yours") if ahead else latest
                if update != shown:
                    shown = update
                    yield update
                await asyncio.wait({future}, timeout=_UPDATE_EVERY_S)
            yield future.result()
        finally:
            left = True
            future.cancel()
            self._visitors.remove(visitor)


def make_app(
    predictor: Predictor, folder: Path, *, hosts: tuple[str, ...] = (), limits: Limits | None = None
) -> FastAPI:
    """Return the page as an ASGI application.

    Examples and uploads lie in ``folder``; requests are answered under the names in ``hosts`` only, all where empty.
    """
    limits = limits or Limits()
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    queue = AnalysisQueue()

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "")
        if request.method != "POST":
            response = await call_next(request)
        elif request.headers.get("sec-fetch-site") == "cross-site":
            response = refusal(request, "This page takes clips from itself only.", 403)
        elif not length.isdecimal():
            response = refusal(request, "The request does not say how long it is.", 411)
        elif int(length) > limits.size_mb * 1_000_000 + _FORM_BYTES:
            response = refusal(request, f"The file is too large; {limits.size_mb} MB are allowed.", 413)
        else:
            response = await call_next(request)
        response.headers["content-security-policy"] = policy()
        response.headers["referrer-policy"] = "no-referrer"
        response.headers["x-content-type-options"] = "nosniff"
        return response

    if hosts:
        # A page elsewhere whose name was made to point here must not reach this server.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))

    info = predictor.model.info
    held_out = HeldOut.of(info.training)

    def page(result: str = "") -> HTMLResponse:
        template = environment("stag.web").get_template("page.html.j2")
        content = template.render(
            examples=EXAMPLES,
            types=",".join(FILE_TYPES),
            reads_codes=info.reads_codes,
            simulated=bool(info.training.get("simulated", False)),
            classes=info.classes,
            alike=held_out.alike if held_out else "",
            shipped=SHIPPED,
            limits=limits,
            recording_s=RECORDING.duration_s,
            script=script_and_hash("stag.web", "page.js")[0],
            result=result,
        )
        return HTMLResponse(content)

    def refusal(request: Request, problem: str, status: int) -> Response:
        response: Response
        if _accepts(request, PROGRESS_TYPE):
            response = Response(_line(html=problem_html(problem)), media_type=PROGRESS_TYPE)
        elif _accepts(request, "application/json"):
            response = JSONResponse({"error": problem})
        else:
            response = page(problem_html(problem))
        response.status_code = status
        return response

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return refusal(request, f"{first['loc'][-1]}: {first['msg']}.", 422)

    @app.get("/")
    async def show() -> HTMLResponse:
        return page()

    @app.post("/analyse")
    async def analyse_clip(
        request: Request,
        file: Annotated[UploadFile | None, File()] = None,
        example: Annotated[str, Form()] = "",
        fps: Annotated[float | None, Form(gt=0, allow_inf_nan=False)] = None,
        aus: Annotated[str, Form()] = "",
        recording: Annotated[bool, Form()] = False,
    ) -> Response:
        """Analyse an uploaded clip or long recording, or an example by its name where no file is sent."""
        as_json = _accepts(request, "application/json")
        # The framework closes its copy of the upload when this function returns, so a copy of our own is kept.
        upload: Path | None = None
        name = example
        if file is not None and file.filename:
            name = PurePosixPath(file.filename.replace("\\", "/")).name or "clip"
            kind = Path(name).suffix.lower()
            upload = Path(tempfile.mkdtemp(prefix="upload-", dir=folder)) / f"clip{kind if kind in FILE_TYPES else ''}"
            with upload.open("wb") as copy:
                shutil.copyfileobj(file.file, copy)
        elif example not in EXAMPLES:
            return refusal(request, "Choose a clip first.", 422)

        def work(progress: Progress) -> str:
            with one_thread():
                if upload is None:
                    progress(0.0, "Drawing the example")
                    clip = example_clip(example, folder)
                    prediction, why = analyse(clip, clip.name, predictor, limits, progress)
                elif recording:
                    found = spot_recording(upload, name, predictor, shipped_spotter(), progress, fps=fps)
                    progress(0.95, "Writing the report")
                    return recording_json(found) if as_json else recording_html(upload, found, fps=fps)
                else:
                    prediction, why = analyse(upload, name, predictor, limits, progress, fps=fps, aus=aus)
                progress(0.9, "Writing the report")
                return to_json(prediction_dict(prediction, why)) if as_json else result_html(prediction, why)

        async def updates() -> AsyncIterator[Update | str]:
            try:
                async with aclosing(queue.run(work)) as steps:  # type: ignore[type-var]
                    async for step in steps:
                        yield step
            finally:
                if upload is not None:
                    shutil.rmtree(upload.parent, ignore_errors=True)

        if _accepts(request, PROGRESS_TYPE):
            return StreamingResponse(_lines(updates()), media_type=PROGRESS_TYPE)
        try:
            *_, result = [step async for step in updates()]
        except StagError as error:
            return refusal(request, str(error), 503 if isinstance(error, QueueFullError) else 422)
        return Response(result, media_type="application/json") if as_json else page(str(result))

    return app


def policy() -> str:
    """Return the content security policy: the scripts of the page and of the reports, nothing from elsewhere."""
    names = (("stag.web", "page.js"), ("stag.report", "player.js"), ("stag.report", "timeline.js"))
    scripts = " ".join(f"'{script_and_hash(*name)[1]}'" for name in names)
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; "
        "img-src data:; media-src blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def _accepts(request: Request, media_type: str) -> bool:
    return media_type in request.headers.get("accept", "")


async def _lines(updates: AsyncIterator[Update | str]) -> AsyncIterator[str]:
    try:
        async with aclosing(updates) as steps:  # type: ignore[type-var]
            async for step in steps:
                yield _line(html=step) if isinstance(step, str) else _line(**step._asdict())
    except StagError as error:
        yield _line(html=problem_html(str(error)))
    except Exception:
        yield _line(html=problem_html("The analysis failed; the terminal that runs this page shows why."))
        raise


def _line(**content: float | str) -> str:
    return json.dumps(content, ensure_ascii=False) + "\n"
