"""Uploads: equal files of several visitors, and that nothing stays."""

import shutil
from pathlib import Path

import pytest

from stag.web import page
from stag.web.limits import Limits
from stag.web.page import CLAIMED_S, Claims, judge_claimed


def uploaded(folder, source=None):
    shared = folder / "uploads" / "hash" / "clip.mkv"
    shared.parent.mkdir(parents=True, exist_ok=True)
    if source is None:
        shared.write_bytes(b"no clip")
    else:
        shutil.copyfile(source, shared)
    return shared


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def judged(claimed, claims, predictor):
    return judge_claimed(claimed, claims, predictor, Limits(), lambda *_: None)


def test_equal_uploads_live_as_long_as_somebody_needs_them(tmp_path):
    shared = tmp_path / "uploads" / "hash" / "clip.mp4"
    shared.parent.mkdir(parents=True)
    shared.write_bytes(b"clip")
    claims = Claims(tmp_path)
    first, second = Path(claims.claim(str(shared))), Path(claims.claim(str(shared)))
    assert first != second
    assert first.name == second.name == "clip.mp4"
    claims.release(first)
    assert not first.exists()
    assert second.read_bytes() == b"clip"
    assert shared.exists()
    claims.release(second)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert claims.claim(str(shared)) is None
    assert claims.claim(None) is None


def test_only_a_claim_can_be_released(tmp_path):
    other = tmp_path / "thesis" / "chapter.txt"
    other.parent.mkdir()
    other.write_text("years")
    Claims(tmp_path).release(other)
    assert other.read_text() == "years"


def test_a_claim_that_nobody_redeems_goes_in_the_end(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(page.time, "monotonic", lambda: now[0])
    claims = Claims(tmp_path)
    first = Path(claims.claim(str(uploaded(tmp_path))))
    now[0] = CLAIMED_S - 1
    claims.claim(None)
    assert first.exists()
    now[0] = CLAIMED_S + 1
    claims.claim(None)
    assert files(tmp_path) == []


def test_a_claim_is_a_copy_where_links_are_not_possible(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("another disk")

    monkeypatch.setattr(page.os, "link", refuse)
    claims, shared = Claims(tmp_path), uploaded(tmp_path)
    own = Path(claims.claim(str(shared)))
    assert own.read_bytes() == shared.read_bytes()
    claims.release(own)
    assert files(tmp_path) == []
    assert claims.claim(str(shared)) is None
    assert list((tmp_path / "claims").iterdir()) == []


def test_nothing_of_a_clip_stays_whatever_comes_of_it(tmp_path, predictor, clip, monkeypatch):
    claims = Claims(tmp_path)
    assert "stag-verdict" in judged(claims.claim(str(uploaded(tmp_path, clip))), claims, predictor)
    assert files(tmp_path) == []
    assert "clip.mkv: is no video" in judged(claims.claim(str(uploaded(tmp_path))), claims, predictor)
    assert files(tmp_path) == []

    def break_down(*_args, **_):
        raise MemoryError

    monkeypatch.setattr(page, "answer", break_down)
    claimed = claims.claim(str(uploaded(tmp_path)))
    with pytest.raises(MemoryError):
        judged(claimed, claims, predictor)
    assert files(tmp_path) == []


def test_a_second_click_changes_nothing_and_no_clip_is_said(tmp_path, predictor):
    claims = Claims(tmp_path)
    claimed = claims.claim(str(uploaded(tmp_path)))
    assert judged(claimed, claims, predictor) is not None
    assert judged(claimed, claims, predictor) is None
    assert "Choose a clip first" in judged(None, claims, predictor)
