"""Call functions in other processes of one thread each, so that results do not depend on their number."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, Literal, TypeVar, get_args

from threadpoolctl import threadpool_limits

from stag.errors import ConfigError, MissingDependency, StagError
from stag.utils.extras import install_hint

T = TypeVar("T")
U = TypeVar("U")
Backend = Literal["loky", "dask"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

CONNECT_S = 10  # to wait for a scheduler, and then for its first worker
_LOG = logging.getLogger(__name__)
_TURN = threading.RLock()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread while the block runs, so that sums keep their order and results their bytes."""
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    setters: list[tuple[Callable[[int], None], int]] = []
    if torch:
        setters.append((torch.set_num_threads, torch.get_num_threads()))
    if cv2:
        setters.append((cv2.setNumThreads, cv2.getNumThreads()))
    with threadpool_limits(limits=1):
        for set_threads, _ in setters:
            set_threads(1)
        try:
            yield
        finally:
            for set_threads, before in setters:
                set_threads(before)


@contextlib.contextmanager
def begun_aside(function: Callable[[U], T], items: Sequence[U]) -> Iterator[Callable[[], T]]:
    """Call a function for each item in a second process, while this one imports torch; results are picklable.

    Threads would not help: torch and dlib's models take a second each and hold Python's lock while they load. Where
    torch is loaded already, or the system cannot simply fork, each call runs in this process when its result is
    requested.

    Yields:
        A function that returns the next result, or raises the error of the call.
    """
    if sys.platform != "linux" or "torch" in sys.modules or threading.active_count() > 1:
        waiting = iter(items)
        yield lambda: _alone(function, (next(waiting),))
        return
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_answer_all, args=(function, items, receiver, sender), daemon=True)
    child.start()
    sender.close()
    try:
        yield lambda: _received(receiver)
    finally:
        child.terminate()
        child.join()


def _answer_all(function: Callable[[U], Any], items: Sequence[U], receiver: Connection, sender: Connection) -> None:
    receiver.close()  # or sending would not fail when the parent is gone
    for item in items:
        try:
            answer = _in_child(function, (item,))
        except Exception as error:
            answer = error
        try:
            sender.send(answer)
        except BrokenPipeError:
            return


def _received(receiver: Connection) -> Any:
    try:
        answer = receiver.recv()
    except EOFError as error:
        raise StagError(
            "the second process was killed, most likely for want of memory; give fewer or shorter clips"
        ) from error
    if isinstance(answer, Exception):
        raise answer
    return answer


def spread(
    function: Callable[..., T],
    calls: Iterable[tuple[Any, ...]],
    jobs: int,
    *,
    ordered: bool = True,
    backend: Backend = "loky",
    address: str | None = None,
) -> Iterator[T]:
    """Call a function many times, in several processes of one thread each, and yield the results.

    Args:
        function: Importable; its arguments and its results are picklable.
        calls: The positional arguments of each call; consumed while the calls run.
        jobs: Number of processes of this machine; 1 stays in this one. A dask cluster has its own number.
        ordered: Whether results come in the order of the calls, or as they are ready.
        backend: ``"loky"`` for processes of this machine, ``"dask"`` for those of a cluster.
        address: Scheduler of the dask cluster, for example ``"tcp://10.0.0.5:8786"``.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"no backend {backend!r}; there are {', '.join(BACKENDS)}")
    if (backend == "dask") != (address is not None):
        raise ConfigError(
            "backend dask needs the address of its scheduler; start one with `dask scheduler` and give "
            "`scheduler=tcp://HOST:8786`"
            if address is None
            else f"scheduler {address} belongs to backend dask; add `backend=dask`, or leave the scheduler out"
        )
    how = "generator" if ordered else "generator_unordered"
    if address is None and jobs <= 1:
        for arguments in calls:
            yield _alone(function, arguments)
        return
    with warnings.catch_warnings():
        # Expected: loky replaces a worker that has grown, and stopping early cancels running calls.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
        warnings.filterwarnings("ignore", message=".*tasks which were still being processed")
        warnings.filterwarnings("ignore", message=".*tasks have been successfully executed")
        if address is None:
            yield from _on_this_machine(function, calls, jobs, how)
        else:
            yield from _on_cluster(function, calls, address, how)


def _on_this_machine(function: Callable[..., T], calls: Iterable[tuple[Any, ...]], jobs: int, how: str) -> Iterator[T]:
    from joblib import Parallel, delayed
    from joblib.externals.loky.backend import get_context
    from joblib.externals.loky.process_executor import BrokenProcessPool

    try:
        get_context("loky").Lock()
    except (OSError, ImportError):
        _LOG.warning("this system gives programs no shared memory (/dev/shm), so one process does the work")
        yield from spread(function, calls, 1)
        return
    pool = Parallel(n_jobs=jobs, backend="loky", batch_size=1, return_as=how)
    try:
        with _quiet_cleaner():
            yield from pool(delayed(_in_child)(function, arguments) for arguments in calls)
    except BrokenProcessPool as error:
        raise StagError(
            "a worker process was killed, most likely for want of memory; run the same command again with fewer `jobs`"
        ) from error


@contextlib.contextmanager
def _quiet_cleaner() -> Iterator[None]:
    # After Ctrl-C loky's resource tracker warns of temporary files that are gone already.
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (before, "ignore:resource_tracker:UserWarning")))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


def workers_of(address: str) -> int:
    """Return how many workers a dask cluster has now."""
    with _cluster(address) as (_, client):
        return len(client.nthreads())


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[tuple[Any, Any]]:
    """Yield the package distributed, and a client of the cluster, which has a worker."""
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise MissingDependency(
            f"backend dask needs the package distributed, here and on the workers: {install_hint('cluster')}"
        ) from error
    _knock(distributed, address)
    with distributed.Client(address, timeout=CONNECT_S, set_as_default=False) as client:
        _await_workers(client, address)
        yield distributed, client


def _on_cluster(function: Callable[..., T], calls: Iterable[tuple[Any, ...]], address: str, how: str) -> Iterator[T]:
    from joblib import Parallel, delayed, parallel_config

    with _cluster(address) as (distributed, client):
        with parallel_config(backend="dask", client=client, wait_for_workers_timeout=CONNECT_S):
            pool = Parallel(n_jobs=-1, batch_size=1, return_as=how)
        try:
            yield from pool(delayed(_alone)(function, arguments) for arguments in calls)
        except distributed.KilledWorker as error:
            raise StagError(
                f"workers of {address} were killed again and again, most likely for want of memory; give each of them "
                f"more, and run the same command again"
            ) from error


def _knock(distributed: Any, address: str) -> None:
    # A client takes long to close where no scheduler answers, so this is checked first.
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    async def knock() -> None:
        await (await distributed.comm.connect(address, timeout=CONNECT_S)).close()

    try:
        # On a thread of its own, since a notebook already runs an event loop on this one.
        with ThreadPoolExecutor(1) as aside:
            aside.submit(lambda: asyncio.run(knock())).result()
    except (OSError, TimeoutError, ValueError) as error:
        raise ConfigError(
            f"no dask scheduler answers at {address}; start one with `dask scheduler`, or correct `scheduler`"
        ) from error


def _await_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError as error:
        raise ConfigError(
            f"the dask scheduler at {address} has no worker; start some with `dask worker {address} --nthreads 1`"
        ) from error
    for worker, threads in client.nthreads().items():
        if threads > 1:
            _LOG.warning(
                "worker %s has %d threads, of which one computes; start it with --nthreads 1 --nworkers %d",
                *(worker, threads, threads),
            )


def _in_child(function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    # Ctrl-C reaches every process of the terminal; the parent stops its workers itself, without their tracebacks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return _alone(function, arguments)


def _alone(function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    # Dask workers may have several threads, and the number of computing threads belongs to the whole process.
    with _TURN, one_thread():
        return function(*arguments)
