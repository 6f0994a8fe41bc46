"""One analysis at a time, in order of arrival, with a number for those who wait; who leaves is forgotten."""

import asyncio
import threading

import pytest

from stag.web.queue import AnalysisQueue, Finished, QueueFullError, Update, VisitorLeftError


async def gather(steps):
    return [step async for step in steps]


def test_visitors_are_served_one_by_one_in_order():
    running, order, most = [], [], []

    def work(name):
        def run(progress):
            running.append(name)
            most.append(len(running))
            progress(0.5, f"reading {name}")
            threading.Event().wait(0.3)
            order.append(name)
            running.remove(name)
            return name.upper()

        return run

    async def visit():
        queue = AnalysisQueue(longest=3)
        visits = [asyncio.create_task(gather(queue.run(work(name)))) for name in "abc"]
        await asyncio.sleep(0.05)
        with pytest.raises(QueueFullError, match="Try again"):
            await gather(queue.run(work("d")))
        return await asyncio.gather(*visits)

    answers = asyncio.run(visit())
    assert order == ["a", "b", "c"]
    assert max(most) == 1
    assert [steps[-1] for steps in answers] == [Finished("A"), Finished("B"), Finished("C")]
    assert Update(0.0, "Waiting: 2 before yours") in answers[2]
    assert Update(0.5, "reading b") in answers[1]


def test_who_leaves_stops_the_work_and_makes_room():
    began, stopped = threading.Event(), threading.Event()

    def endless(progress):
        began.set()
        try:
            while True:
                progress(0.1, "reading")
        except VisitorLeftError:
            stopped.set()
            raise

    async def visit():
        queue = AnalysisQueue(longest=1)
        steps = queue.run(endless)
        await anext(steps)
        while not began.is_set():
            await asyncio.sleep(0.01)
        await steps.aclose()
        return await gather(queue.run(lambda progress: 7))

    assert asyncio.run(visit())[-1] == Finished(7)
    assert stopped.is_set()


def test_an_error_of_the_work_reaches_the_visitor():
    def fail(progress):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(gather(AnalysisQueue().run(fail)))
