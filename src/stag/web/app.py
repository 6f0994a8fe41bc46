"""The page and its one endpoint: ``GET /`` shows the page, ``POST /analyse`` answers with HTML, JSON or progress."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path, PurePosixPath
from typing import Annotated

from fastapi import FastAPI, File, Form, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from stag.errors import StagError
from stag.inference.predictor import Predictor
from stag.report.export import prediction_dict, to_json
from stag.report.render import environment, script_and_hash
from stag.utils.parallel import one_thread
from stag.web.answer import Progress, analyse, problem_html, result_html
from stag.web.examples import EXAMPLES, example_clip
from stag.web.limits import Limits
from stag.web.queue import AnalysisQueue, Finished, QueueFullError, Update

FILE_TYPES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".gif", ".webp", ".m4v", ".mpg", ".mpeg", ".wmv")
PROGRESS_TYPE = "application/x-ndjson"
"""Media type of an answer with one JSON object a line: ``done`` and ``text``, at last ``html``."""

_FORM_BYTES = 100_000  # assumed; what the other fields and the multipart boundaries may take
_NO_CLIP = "Choose a clip first."


def make_app(
    predictor: Predictor, folder: Path, *, hosts: tuple[str, ...] = (), limits: Limits | None = None
) -> FastAPI:
    """Return the page as an ASGI application.

    Args:
        predictor: The model.
        folder: Where examples are drawn and uploads lie until they are read.
        hosts: Host names under which requests are answered; all where empty.
        limits: The largest clip that is accepted.
    """
    limits = limits or Limits()
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    queue = AnalysisQueue()
    most_bytes = limits.size_mb * 1_000_000 + _FORM_BYTES

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "")
        if request.method != "POST":
            response = await call_next(request)
        elif request.headers.get("sec-fetch-site") == "cross-site":
            response = _answer(request, "This page takes clips from itself only.", 403)
        elif not length.isdecimal():
            response = _answer(request, "The request does not say how long it is.", 411)
        elif int(length) > most_bytes:
            response = _answer(request, f"The file is too large; {limits.size_mb} MB are allowed.", 413)
        else:
            response = await call_next(request)
        response.headers["content-security-policy"] = policy()
        response.headers["referrer-policy"] = "no-referrer"
        response.headers["x-content-type-options"] = "nosniff"
        return response

    if hosts:
        # A page elsewhere whose name was made to point here must not reach this server.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))

    def page(result: str = "") -> str:
        template = environment("stag.web").get_template("page.html.j2")
        return template.render(
            examples=EXAMPLES,
            types=",".join(FILE_TYPES),
            reads_codes=predictor.model.info.reads_codes,
            simulated=bool(predictor.model.info.training.get("simulated", False)),
            limits=limits,
            script=script_and_hash("stag.web", "page.js")[0],
            result=result,
        )

    def _answer(request: Request, problem: str, status: int) -> Response:
        accepted = request.headers.get("accept", "")
        if PROGRESS_TYPE in accepted:
            return Response(_line(html=problem_html(problem)), status, media_type=PROGRESS_TYPE)
        if "application/json" in accepted:
            return JSONResponse({"error": problem}, status)
        return HTMLResponse(page(problem_html(problem)), status)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return _answer(request, f"{first['loc'][-1]}: {first['msg']}.", 422)

    @app.get("/")
    async def show() -> HTMLResponse:
        return HTMLResponse(page())

    @app.post("/analyse")
    async def analyse_clip(
        request: Request,
        file: Annotated[UploadFile | None, File()] = None,
        example: Annotated[str, Form()] = "",
        fps: Annotated[float | None, Form(gt=0, allow_inf_nan=False)] = None,
        aus: Annotated[str, Form()] = "",
    ) -> Response:
        """Analyse an uploaded clip, or an example by its name where no file is sent."""
        uploaded = file is not None and bool(file.filename)
        if not uploaded and example not in EXAMPLES:
            return _answer(request, _NO_CLIP, 422)
        accepted = request.headers.get("accept", "")
        as_json = "application/json" in accepted
        # The framework closes its copy of the upload when this function returns, so it is kept under a name of ours.
        own = Path(tempfile.mkdtemp(prefix="upload-", dir=folder)) if uploaded else None
        path, name = folder, example
        if own is not None and file is not None:
            name = PurePosixPath((file.filename or "").replace("\\", "/")).name or "clip"
            kind = Path(name).suffix.lower()
            path = own / f"clip{kind if kind in FILE_TYPES else ''}"
            with path.open("wb") as copy:
                shutil.copyfileobj(file.file, copy)

        def work(progress: Progress) -> str:
            with one_thread():
                if own is None:
                    progress(0.0, "Drawing the example")
                    clip = example_clip(example, folder)
                    prediction, why = analyse(clip, clip.name, predictor, limits, progress)
                else:
                    prediction, why = analyse(path, name, predictor, limits, progress, fps=fps, aus=aus)
                progress(0.9, "Writing the report")
                return to_json(prediction_dict(prediction, why)) if as_json else result_html(prediction, why)

        async def updates() -> AsyncIterator[Update | Finished[str]]:
            try:
                async with aclosing(queue.run(work)) as steps:  # type: ignore[type-var]
                    async for step in steps:
                        yield step
            finally:
                if own is not None:
                    shutil.rmtree(own, ignore_errors=True)

        if PROGRESS_TYPE in accepted:
            return StreamingResponse(_lines(updates()), media_type=PROGRESS_TYPE)
        try:
            async for step in updates():
                last = step
        except StagError as error:
            return _answer(request, str(error), 503 if isinstance(error, QueueFullError) else 422)
        assert isinstance(last, Finished)
        if as_json:
            return Response(last.result, media_type="application/json")
        return HTMLResponse(page(last.result))

    return app


def policy() -> str:
    """Return the content security policy: the two scripts of the page and of the report, nothing from elsewhere."""
    page, player = script_and_hash("stag.web", "page.js")[1], script_and_hash("stag.report", "player.js")[1]
    return (
        f"default-src 'none'; script-src '{page}' '{player}'; style-src 'unsafe-inline'; "
        "img-src data:; media-src blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


async def _lines(updates: AsyncIterator[Update | Finished[str]]) -> AsyncIterator[str]:
    try:
        async with aclosing(updates) as steps:  # type: ignore[type-var]
            async for step in steps:
                yield _line(html=step.result) if isinstance(step, Finished) else _line(done=step.done, text=step.text)
    except StagError as error:
        yield _line(html=problem_html(str(error)))
    except Exception:
        yield _line(html=problem_html("The analysis failed; the terminal that runs this page shows why."))
        raise


def _line(**content: float | str) -> str:
    return json.dumps(content, ensure_ascii=False) + "\n"
