"""Uploads: equal files of several visitors, and that nothing stays."""

from pathlib import Path

from stag.web.page import Claims


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
