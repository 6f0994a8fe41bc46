"""Work spread over processes, one thread each, so that the result does not depend on how many there are."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

T = TypeVar("T")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread while the block runs: sums in another order would be other bytes.

    Several processes of one thread are also faster than several threads on arrays as small as ours.
    """
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    torch_before = torch.get_num_threads() if torch else 1
    cv2_before = cv2.getNumThreads() if cv2 else 1
    with threadpool_limits(limits=1):
        if torch:
            torch.set_num_threads(1)
        if cv2:
            cv2.setNumThreads(1)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(torch_before)
            if cv2:
                cv2.setNumThreads(cv2_before)


def spread(
    function: Callable[..., T], calls: Iterable[tuple[Any, ...]], jobs: int, *, ordered: bool = True
) -> Iterator[T]:
    """Call a function many times, on ``jobs`` processes, one thread each.

    Args:
        function: Importable, as are its arguments and its answer picklable.
        calls: The positional arguments of each call.
        jobs: Number of processes; 1 stays in this one.
        ordered: Whether answers come in the order of the calls, or as they are ready.

    Yields:
        The answers.
    """
    if jobs <= 1:
        for arguments in calls:
            yield _alone(function, arguments)
        return
    how = "generator" if ordered else "generator_unordered"
    with warnings.catch_warnings():
        # loky replaces a worker that has grown, which is no news to a user.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
        pool = Parallel(n_jobs=jobs, backend="loky", batch_size=1, return_as=how)
        yield from pool(delayed(_alone)(function, arguments) for arguments in calls)


def _alone(function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    with one_thread():
        return function(*arguments)
