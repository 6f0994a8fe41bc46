"""Progress in words: rate, time left, and silence where it was asked for."""

import io

import pytest

from stag import cli
from stag.cli import console
from stag.cli.console import progress_bar


def test_a_log_file_gets_a_line_now_and_then(monkeypatch, capsys):
    clock = iter([0.0, *(float(second) for second in range(1, 41))])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with progress_bar("extract", quiet=False, unit="clips") as report:
        for done in range(1, 41):
            report(done, 80)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"extract {done} of 80, 1.00 clips/s, {left} left"
        for done, left in ((10, "1 min 10 s"), (20, "1 min 0 s"), (30, "50 s"), (40, "40 s"))
    ]


def test_the_last_line_comes_in_any_case(monkeypatch, capsys):
    clock = iter([0.0, 1.0, 2.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with progress_bar("train", quiet=False) as report:
        report(1, 2)
        report(2, 2)
    assert capsys.readouterr().err.splitlines() == ["train 2 of 2, took 2 s"]


def test_a_terminal_shows_a_bar_with_the_rate(monkeypatch):
    terminal = console.Console(force_terminal=True, width=120, record=True, file=io.StringIO())
    monkeypatch.setattr(console, "ERR", terminal)
    with progress_bar("extract", quiet=False, unit="clips") as report:
        for done in range(5):
            report(done, 5)
    shown = terminal.export_text()
    assert "5/5" in shown
    assert "clips/s" in shown


def test_results_stay_on_stdout_beside_a_bar_on_the_terminal(monkeypatch, capsys):
    monkeypatch.setattr(console, "ERR", console.Console(force_terminal=True, width=120, file=io.StringIO()))
    with progress_bar("predict", quiet=False):
        console.say("a.mp4  surprise")
    assert capsys.readouterr().out == "a.mp4  surprise\n"


def test_results_come_above_the_bar_where_both_are_on_the_terminal(monkeypatch, capsys):
    screen = console.Console(force_terminal=True, width=120, record=True, file=io.StringIO())
    monkeypatch.setattr(console, "ERR", screen)
    monkeypatch.setattr(console, "OUT", console.Console(force_terminal=True))
    with progress_bar("predict", quiet=False):
        console.say("a.mp4  surprise")
    console.say("done")
    assert "a.mp4  surprise\n" in screen.export_text()
    assert capsys.readouterr().out == "done\n"


def test_quiet_is_quiet(capsys):
    with progress_bar("extract", quiet=True, unit="clips") as report:
        assert report is None
    assert capsys.readouterr().err == ""


def test_a_library_that_cannot_be_loaded_is_one_sentence(monkeypatch, capsys):
    def broken():
        raise ImportError("libGL.so.1: cannot open\nshared object file", name="cv2")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    expected = "stag: cv2 cannot be loaded (libGL.so.1: cannot open shared object file); install stag anew (README)"
    assert " ".join(capsys.readouterr().err.split()) == expected
