"""Files made to harm: they are refused in one sentence, at the cost of reading their head."""

import io
import pickle
import struct
import tracemalloc
import zipfile
import zlib

import cv2
import numpy as np
import pandas as pd
import pytest

from stag.datasets.readers.sheet import read_sheet
from stag.errors import DatasetError, ModelError, MotionFileError, VideoError
from stag.model.shipped import DEFAULT_MODEL
from stag.model.stag import STAG
from stag.motion.follow import follow_faces
from stag.motion_set import MotionSet
from stag.simulate.motion import simulate_motion
from stag.types import Frame
from stag.utils import limits
from stag.video import read_frames
from stag.video.file import announced_size


def png(width, height):
    """A PNG that announces a size and holds next to nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize("size", [(64, 48), (1, 300), (511, 7)])
def test_the_announced_size_is_that_of_the_picture(ending, size):
    coded = cv2.imencode(ending, np.zeros(size[::-1], np.uint8))[1].tobytes()
    assert announced_size(coded) == size
    assert all(announced_size(coded[:cut]) in (size, (0, 0)) for cut in range(60))


def test_a_picture_of_absurd_dimensions_takes_no_memory(tmp_path):
    (tmp_path / "img1.png").write_bytes(png(60_000, 60_000))
    tracemalloc.start()
    with pytest.raises(VideoError, match=r"img1\.png: announces pictures of 60000x60000"):
        list(read_frames(tmp_path))
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_a_clip_of_a_million_frames_is_refused_while_it_is_read():
    drawn = 0

    def endless():
        nonlocal drawn
        for number in range(1_000_000):
            drawn += 1
            yield Frame(np.zeros((8, 8), np.uint8), number / 200)

    class Nobody:
        def detect(self, image):
            return []

    with pytest.raises(VideoError, match=f"more than {limits.FRAMES} frames"):
        follow_faces(endless(), Nobody(), "clip")
    assert drawn <= limits.FRAMES + 2


def with_member(path, name, content):
    """Put another content into an archive."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, old in {**members, name: b""}.items():
            archive.writestr(member, content if member == name else old)


@pytest.fixture
def motion_file(tmp_path):
    simulate_motion(2, 2, steps=4).save(tmp_path / "motion.npz")
    return tmp_path / "motion.npz"


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(motion_file, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "ARCHIVE_BYTES", 10**6)
    monkeypatch.setattr(limits, "WORKBOOK_BYTES", 10**6)
    with_member(motion_file, "more.npy", bytes(2 * 10**6))
    assert motion_file.stat().st_size < 10**5
    with pytest.raises(MotionFileError, match=r"motion\.npz.*unpacks to"):
        MotionSet.load(motion_file)
    pd.DataFrame({"Subject": ["1"]}).to_excel(tmp_path / "sheet.xlsx")
    with_member(tmp_path / "sheet.xlsx", "xl/more.xml", bytes(2 * 10**6))
    with pytest.raises(DatasetError, match=r"sheet\.xlsx.*unpacks to"):
        read_sheet(tmp_path / "sheet.xlsx", {"subject": ("Subject",)})


def test_a_header_that_claims_more_than_there_is_is_refused(motion_file):
    claim = io.BytesIO()
    np.lib.format.write_array_header_1_0(claim, {"descr": "<f4", "fortran_order": False, "shape": (10**13,)})
    with_member(motion_file, "motion.npy", claim.getvalue())
    with pytest.raises(MotionFileError, match="is not a motion file"):
        MotionSet.load(motion_file)


class Trap:
    """What runs when it is unpickled."""

    sprung = False

    def __reduce__(self):
        return setattr, (Trap, "sprung", True)


def test_a_pickle_is_never_loaded(motion_file, tmp_path):
    trapped = io.BytesIO()
    np.lib.format.write_array(trapped, np.array([Trap()] * 4, dtype=object), allow_pickle=True)
    with_member(motion_file, "label.npy", trapped.getvalue())
    with pytest.raises(MotionFileError, match="no pickles"):
        MotionSet.load(motion_file)
    STAG.from_pretrained(DEFAULT_MODEL).save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError):
        STAG.from_pretrained(tmp_path / "model")
    assert not Trap.sprung


@pytest.mark.parametrize("length", [0, 7, 2**20, 2**62, 2**64 - 1])
def test_a_safetensors_file_of_a_false_length_is_refused(tmp_path, length):
    STAG.from_pretrained(DEFAULT_MODEL).save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:])
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        STAG.from_pretrained(tmp_path)


def test_formulas_in_sheets_stay_text(tmp_path):
    formula = '=HYPERLINK("http://example.org")'
    pd.DataFrame({"Subject": [formula, "2"]}).to_csv(tmp_path / "sheet.csv", index=False)
    pd.DataFrame({"Subject": [formula, "2"]}).to_excel(tmp_path / "sheet.xlsx", index=False)
    for name in ("sheet.csv", "sheet.xlsx"):
        rows = read_sheet(tmp_path / name, {"subject": ("Subject",)}).rows
        assert [fields["subject"] for _, fields in rows] == [formula, "2"]
