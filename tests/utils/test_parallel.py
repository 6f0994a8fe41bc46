"""Work on several processes: the same answers in the same order, drawn as they are needed, and clear failures."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from threadpoolctl import threadpool_info

from stag.errors import ConfigError, MissingDependency, StagError
from stag.utils import parallel
from stag.utils.extras import install_hint
from stag.utils.parallel import begun_aside, one_thread, spread


@pytest.fixture(scope="module", autouse=True)
def no_workers_left():
    yield
    get_reusable_executor().shutdown(wait=True)


def square(number):
    return number * number


def cleaning():
    """What a cleaner that finds its files gone would print."""
    code = "import warnings; warnings.warn('resource_tracker: gone'); warnings.warn('another')"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr


def test_only_the_cleaner_of_temporary_files_is_silent():
    before = os.environ.get("PYTHONWARNINGS")
    for printed in spread(cleaning, [(), ()], 2):
        assert "resource_tracker" not in printed
        assert "another" in printed
    assert os.environ.get("PYTHONWARNINGS") == before


def slow_square(number):
    time.sleep(0.2 if number == 0 else 0)
    return number * number


def who(_):
    time.sleep(0.05)
    pools = [pool["num_threads"] for pool in threadpool_info()]
    return os.getpid(), max([cv2.getNumThreads(), *pools])


def matrix(seed):
    """Sums long enough that another number of threads would round them otherwise."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(300, 4000)) @ rng.normal(size=(4000, 300))).tobytes()


def refuse(number):
    if number == 3:
        raise StagError("number 3 is not wanted")
    return number


def die(number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def calls(n):
    return ((i,) for i in range(n))


@pytest.mark.parametrize("jobs", [1, 2])
def test_answers_come_in_the_order_of_the_calls(jobs):
    assert list(spread(slow_square, calls(9), jobs)) == [i * i for i in range(9)]
    assert sorted(spread(square, calls(9), jobs, ordered=False)) == [i * i for i in range(9)]
    assert list(spread(square, calls(0), jobs)) == []


def test_bytes_do_not_depend_on_the_number_of_processes():
    assert list(spread(matrix, calls(4), 1)) == list(spread(matrix, calls(4), 2))


def test_every_process_computes_on_one_thread():
    pids, threads = zip(*spread(who, calls(8), 2), strict=True)
    assert len(set(pids)) == 2
    assert os.getpid() not in pids
    assert set(threads) == {1}
    assert set(spread(who, calls(2), 1)) == {(os.getpid(), 1)}


def test_one_thread_gives_the_threads_back():
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        with contextlib.suppress(KeyError), one_thread():
            assert cv2.getNumThreads() == 1
            raise KeyError
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


# A thread of loky may still look for a call that closing has taken back; joblib has left the executor by then.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("jobs", [1, 2])
def test_calls_are_drawn_as_they_are_needed(jobs):
    """Neither all arguments nor all answers are held: few more calls are drawn than answers taken."""
    drawn = 0

    def counted():
        nonlocal drawn
        for i in range(200):
            drawn += 1
            yield (i,)

    answers = spread(square, counted(), jobs)
    assert next(answers) == 0
    assert drawn <= 20
    answers.close()
    assert drawn < 200


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_the_function_comes_out_as_it_is(jobs):
    with pytest.raises(StagError, match="number 3 is not wanted"):
        list(spread(refuse, calls(6), jobs))


def test_a_killed_worker_is_one_sentence():
    with pytest.raises(StagError, match=r"worker process was killed.*fewer `jobs`"):
        list(spread(die, calls(6), 2))
    assert list(spread(square, calls(3), 2)) == [0, 1, 4]


def test_threads_of_one_process_take_turns():
    """A dask worker may have several threads; they must not compute at once, nor undo each other's settings."""
    at_once, most = 0, 0

    def watched():
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.01)
        at_once -= 1

    threads = [threading.Thread(target=lambda: list(spread(watched, [(), ()], 1))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"backend": "dask"}, "needs the address of its scheduler.*`scheduler=tcp"),
        ({"address": "tcp://127.0.0.1:1"}, "add `backend=dask`"),
        ({"backend": "spark"}, "no backend 'spark'; there are loky, dask"),
        ({"backend": "dask", "address": "tcp://127.0.0.1:1"}, "no dask scheduler answers at tcp://127.0.0.1:1"),
        ({"backend": "dask", "address": "over there"}, "no dask scheduler answers at over there"),
    ],
)
def test_a_wrong_backend_is_one_sentence(monkeypatch, how, says):
    monkeypatch.setattr(parallel, "CONNECT_S", 0.3)
    with pytest.raises(ConfigError, match=says):
        list(spread(square, calls(2), 2, **how))


def test_the_package_for_clusters_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependency, match=re.escape(install_hint("cluster"))):
        list(spread(square, calls(2), 1, backend="dask", address="tcp://127.0.0.1:1"))


@pytest.fixture(scope="module")
def cluster():
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as two:
        yield two


def test_a_cluster_gives_the_same_answers(cluster):
    how = {"backend": "dask", "address": cluster.scheduler_address}
    assert list(spread(matrix, calls(4), 1, **how)) == list(spread(matrix, calls(4), 1))
    assert list(spread(slow_square, calls(9), 1, **how)) == [i * i for i in range(9)]
    assert sorted(spread(square, calls(9), 1, ordered=False, **how)) == [i * i for i in range(9)]
    pids, threads = zip(*spread(who, calls(8), 1, **how), strict=True)
    assert len(set(pids)) == 2
    assert os.getpid() not in pids
    assert set(threads) == {1}


def test_a_cluster_hands_on_errors_and_can_be_left_early(cluster):
    how = {"backend": "dask", "address": cluster.scheduler_address}
    with pytest.raises(StagError, match="number 3 is not wanted"):
        list(spread(refuse, calls(6), 1, **how))
    answers = spread(square, calls(50), 1, **how)
    assert next(answers) == 0
    answers.close()
    assert list(spread(square, calls(3), 1, **how)) == [0, 1, 4]


def test_a_cluster_without_workers_is_one_sentence(monkeypatch):
    import distributed

    monkeypatch.setattr(parallel, "CONNECT_S", 1)
    with distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as empty:
        how = {"backend": "dask", "address": empty.scheduler_address}
        with pytest.raises(ConfigError, match="has no worker; start some with `dask worker"):
            list(spread(square, calls(2), 1, **how))


ASIDE = """
import os, sys
from stag.errors import VideoError
from stag.utils.parallel import begun_aside

def answer(what):
    if what == "bad":
        raise VideoError("bad: cannot be read")
    if what == "killed":
        os.kill(os.getpid(), 9)
    return what, os.getpid() == parent

parent = os.getpid()
with begun_aside(answer, sys.argv[1:]) as answer_of_next:
    for _ in sys.argv[1:]:
        try:
            print(*answer_of_next())
        except Exception as error:
            print(type(error).__name__, error)
"""


def aside(*items):
    done = subprocess.run([sys.executable, "-c", ASIDE, *items], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_what_is_begun_aside_answers_in_order_and_fails_one_by_one():
    assert aside("a", "bad", "b") == ["a False", "VideoError bad: cannot be read", "b False"]
    killed, after = aside("killed", "a")
    assert "most likely for want of memory" in killed
    assert killed == after


def test_where_torch_is_loaded_nothing_is_begun_aside(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", sys.modules.get("torch"))
    with begun_aside(lambda item: (item, os.getpid()), [1, 2]) as next_answer:
        assert [next_answer(), next_answer()] == [(1, os.getpid()), (2, os.getpid())]


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file"), OSError(38, "not implemented"), ImportError()])
def test_without_shared_memory_one_process_does_the_work_and_says_so(monkeypatch, caplog, error):
    def no(*_, **__):
        raise error

    monkeypatch.setattr("joblib.externals.loky.backend.synchronize._SemLock", no)
    assert list(spread(square, [(n,) for n in range(5)], 2)) == [0, 1, 4, 9, 16]
    assert "/dev/shm" in caplog.text
