"""Reading and writing frames: exact round trips, true times, one way to grey, and an error for every broken file."""

import struct
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stag.errors import VideoError
from stag.video import DEFAULT_FPS, fps_if_untimed, frame_rate, read_frames, write_video


def noise(rng, n=8, height=24, width=34):
    return [rng.integers(0, 256, (height, width), dtype=np.uint8) for _ in range(n)]


def moving_scene(rng, n=40, colour=True):
    """A smooth picture that slides: something that codecs compress, and that is coloured all over."""
    picture = cv2.GaussianBlur(rng.normal(0, 1, (200, 240, 3)), (0, 0), 4)
    picture = np.clip(128 + 700 * picture, 0, 255).astype(np.uint8)
    return [np.ascontiguousarray(picture[i : i + 96, i : i + 128]) for i in range(n)]


def encode(path, pictures, codec, pixels, pts=None, time_base=Fraction(1, 30), options=None, every=12):
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=30)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = time_base
        stream.codec_context.gop_size = every
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = (index if pts is None else pts[index]), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def save(path, picture):
    assert cv2.imwrite(str(path), picture)


@given(seed=st.integers(0, 2**32), n=st.integers(1, 6), height=st.integers(2, 40), width=st.integers(2, 40))
@settings(max_examples=20, deadline=None)
def test_written_frames_come_back_bit_for_bit(tmp_path_factory, seed, n, height, width):
    path = tmp_path_factory.mktemp("round") / "clip.mkv"
    frames = noise(np.random.default_rng(seed), n, height, width)
    write_video(path, frames, 200)
    back = list(read_frames(path))
    assert len(back) == n
    assert all(np.array_equal(a, b.image) and b.image.dtype == np.uint8 for a, b in zip(frames, back, strict=True))
    np.testing.assert_allclose([b.time_s for b in back], np.arange(n) / 200, atol=1e-9)


def test_equal_frames_give_equal_bytes(rng, tmp_path):
    frames = noise(rng)
    for name in ("a.mkv", "b.mkv"):
        write_video(tmp_path / name, iter(frames), 29.97)
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frames: [],
        lambda frames: [frames[0], frames[1][:-2]],
        lambda frames: [frames[0].astype(np.float32)],
        lambda frames: [np.dstack([frames[0]] * 3)],
    ],
)
def test_a_refused_write_leaves_the_old_file_alone(rng, tmp_path, spoil):
    path = tmp_path / "clip.mkv"
    write_video(path, noise(rng), 30)
    before = path.read_bytes()
    with pytest.raises(VideoError, match=r"clip\.mkv"):
        write_video(path, spoil(noise(rng)), 30)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mkv"]


def test_a_video_and_a_folder_of_its_frames_have_the_same_grey(rng, tmp_path):
    pictures = moving_scene(rng, 5)
    video = encode(tmp_path / "clip.mkv", pictures, "ffv1", "bgr0")
    folder = tmp_path / "folder"
    folder.mkdir()
    for index, picture in enumerate(pictures):
        save(folder / f"{index}.png", picture)
    expected = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in pictures]
    for source in (video, folder):
        got = [frame.image for frame in read_frames(source)]
        assert all(np.array_equal(a, b) for a, b in zip(got, expected, strict=True))


def test_times_of_a_video_with_a_varying_rate_are_true(rng, tmp_path):
    pts = [500, 510, 545, 546, 700, 1200]
    path = encode(tmp_path / "clip.mkv", moving_scene(rng, 6), "ffv1", "bgr0", pts, Fraction(1, 1000))
    times = np.array([frame.time_s for frame in read_frames(path)])
    np.testing.assert_allclose(times, (np.array(pts) - 500) / 1000, atol=1e-9)
    np.testing.assert_allclose([f.time_s for f in read_frames(path, fps=100)], np.arange(6) / 100)
    part = [frame.time_s for frame in read_frames(path, start=2, stop=5)]
    np.testing.assert_allclose(part, times[2:5] - times[2])


def test_a_stream_without_time_stamps_runs_at_its_average_rate(rng, tmp_path, monkeypatch):
    path = encode(tmp_path / "clip.mkv", moving_scene(rng, 6), "ffv1", "bgr0")
    stamped = [frame.time_s for frame in read_frames(path)]
    opened = av.open

    class Unstamped:
        def __init__(self, container):
            self._container = container

        def __getattr__(self, name):
            return getattr(self._container, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._container.close()

        def demux(self, stream):
            for packet in self._container.demux(stream):
                yield SimpleNamespace(
                    pts=packet.pts,
                    dts=packet.dts,
                    size=packet.size,
                    is_keyframe=packet.is_keyframe,
                    decode=partial(self._decode, packet),
                )

        @staticmethod
        def _decode(packet):
            frames = packet.decode()
            for frame in frames:
                frame.pts = None
            return frames

    monkeypatch.setattr(av, "open", lambda *a, **k: Unstamped(opened(*a, **k)))
    times = [frame.time_s for frame in read_frames(path)]
    np.testing.assert_allclose(np.diff(times), 1 / 30)
    np.testing.assert_allclose(times, stamped, atol=1e-3)


@pytest.mark.parametrize("kind", ["video", "folder"])
@pytest.mark.parametrize(("start", "stop"), [(None, None), (0, 3), (2, None), (3, 7), (6, 99), (7, 8)])
def test_a_range_is_a_slice(rng, tmp_path, kind, start, stop):
    frames = noise(rng)
    if kind == "video":
        write_video(source := tmp_path / "clip.mkv", frames, 30)
    else:
        (source := tmp_path / "clip").mkdir()
        for index, frame in enumerate(frames):
            save(source / f"{index}.png", frame)
    got = list(read_frames(source, start=start, stop=stop))
    expected = frames[start:stop]
    assert all(np.array_equal(a, b.image) for a, b in zip(expected, got, strict=True))
    assert got[0].time_s == 0


@pytest.mark.parametrize("kind", ["video", "folder"])
def test_reading_ends_at_stop_and_never_looks_further(rng, tmp_path, kind):
    if kind == "folder":
        for index, frame in enumerate(noise(rng, 4)):
            save(tmp_path / f"{index}.png", frame)
        (tmp_path / "4.png").write_bytes(b"broken")
        source = tmp_path
    else:
        source = encode(tmp_path / "whole.mkv", moving_scene(rng), "mpeg4", "yuv420p")
        source.write_bytes(source.read_bytes()[: int(0.5 * source.stat().st_size)])
    assert len(list(read_frames(source, stop=4))) == 4
    with pytest.raises(VideoError):
        list(read_frames(source))


def test_images_come_in_the_order_of_the_number_that_counts(tmp_path):
    names = ["s2_img10.png", "s10_img9.PNG", "s1_img0011.png", "s3_img8.png", "s70_img13.png", "s80_img12.png"]
    order = ["s3_img8.png", "s10_img9.PNG", "s2_img10.png", "s1_img0011.png", "s80_img12.png", "s70_img13.png"]
    for index, name in enumerate(names):
        save(tmp_path / name, np.full((4, 4), index, np.uint8))
    for junk in (".hidden_1.png", "._s3_img8.png", "notes.txt"):
        (tmp_path / junk).write_bytes(b"no image")
    frames = list(read_frames(tmp_path))
    assert [names[int(frame.image[0, 0])] for frame in frames] == order
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(6) / DEFAULT_FPS)
    np.testing.assert_allclose([f.time_s for f in read_frames(tmp_path, fps=200)], np.arange(6) / 200)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"])
def test_every_image_format_is_read(rng, tmp_path, suffix):
    picture = moving_scene(rng, 1)[0]
    save(tmp_path / f"1{suffix}", picture)
    (frame,) = read_frames(tmp_path)
    error = np.abs(frame.image.astype(int) - cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    assert error.mean() <= (1.5 if "jp" in suffix else 0)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_deep_images_keep_one_scale_also_after_a_dark_first_one(tmp_path, bits):
    top = (1 << bits) - 1
    values = np.linspace(0, top, 256).round().astype(np.uint16)[None].repeat(3, axis=0)
    save(tmp_path / "1.png", values // 4)
    save(tmp_path / "2.png", values)
    faded, full = (frame.image.astype(float) for frame in read_frames(tmp_path))
    assert np.abs(faded - np.arange(256) / 4).max() <= 1
    assert np.abs(full - np.arange(256)).max() <= 1


def test_transparent_pixels_show_white(tmp_path):
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[:4, :, :3], picture[:4, :, 3] = 60, 255
    picture[4:, :, :3] = 10
    Image.fromarray(picture).save(tmp_path / "1.png")
    Image.fromarray(picture).save(tmp_path / "still.gif")
    for source in (tmp_path, tmp_path / "still.gif"):
        image = next(read_frames(source)).image
        assert (image[:4] == 60).all(), source
        assert (image[4:] == 255).all(), source


def test_frames_of_a_gif_build_on_each_other(tmp_path):
    base = np.full((20, 20, 3), 40, np.uint8)
    changed = base.copy()
    changed[5:9, 5:9] = 200
    frames = [Image.fromarray(base), Image.fromarray(changed)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[70, 130], optimize=True)
    first, second = read_frames(tmp_path / "a.gif")
    assert np.array_equal(first.image, base[..., 0])
    assert np.array_equal(second.image, changed[..., 0])
    assert second.time_s == pytest.approx(0.07)


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((0, 1, -1, 0), lambda lying: np.rot90(lying, -1)),
        ((0, -1, 1, 0), lambda lying: np.rot90(lying, 1)),
        ((-1, 0, 0, -1), lambda lying: np.rot90(lying, 2)),
        ((1, 0, 0, 1), lambda lying: lying),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((0, 1, 1, 0), np.transpose),
    ],
)
def test_a_video_is_turned_and_mirrored_upright(rng, tmp_path, matrix, shown):
    path = encode(tmp_path / "clip.mp4", moving_scene(rng, 3), "mpeg4", "yuv420p")
    lying = next(read_frames(path)).image
    data = bytearray(path.read_bytes())
    identity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    a, b, c, d = (value << 16 for value in matrix)
    place = data.index(identity, data.index(b"tkhd"))
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    assert np.array_equal(next(read_frames(path)).image, shown(lying))


@given(
    fps=st.floats(5, 1000),
    pauses=st.lists(st.floats(2, 50), max_size=3),
    seed=st.integers(0, 1000),
)
@settings(max_examples=50, deadline=None)
def test_frame_rate_survives_rounding_and_pauses(fps, pauses, seed):
    rng = np.random.default_rng(seed)
    intervals = np.concatenate([np.ones(30), pauses]) / fps
    times = np.concatenate([[0], np.cumsum(rng.permutation(intervals))])
    assert frame_rate(times) == pytest.approx(fps, rel=1e-6)
    if fps < 100:
        assert frame_rate(np.round(times, 3)) == pytest.approx(fps, rel=0.02)


def test_frame_rate_of_too_few_times_is_unknown():
    assert np.isnan(frame_rate([]))
    assert np.isnan(frame_rate([1.0]))
    assert np.isnan(frame_rate([1.0, 1.0]))


def broken(kind, folder, rng):
    """A path that cannot be read to its end, and what the error must say."""
    path = folder / "clip.mp4"
    scene = moving_scene(rng)
    if kind == "missing":
        return path, "no such file"
    if kind == "empty":
        path.touch()
        return path, "empty"
    if kind == "text":
        path.write_text("This is no video.\n" * 100)
        return path, "not a readable video"
    if kind == "sound":
        path = folder / "sound.wav"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
            frame.sample_rate = 8000
            container.mux(stream.encode(frame))
        return path, "no video stream"
    if kind in ("folder", "image", "jpeg", "size", "other images"):
        small, large = np.zeros((8, 8), np.uint8), np.zeros((8, 9), np.uint8)
        (folder / "clip").mkdir()
        if kind in ("image", "jpeg", "size"):
            save(folder / "clip" / "1.png", small)
        if kind == "image":
            (folder / "clip" / "2.png").write_bytes(b"\x89PNG garbage")
            return folder / "clip", r"2\.png: is not a readable image"
        if kind == "jpeg":
            save(folder / "clip" / "2.jpg", scene[0])
            whole = (folder / "clip" / "2.jpg").read_bytes()
            (folder / "clip" / "2.jpg").write_bytes(whole[: len(whole) // 2])
            return folder / "clip", r"2\.jpg: is not a readable image"
        if kind == "size":
            save(folder / "clip" / "2.png", large)
            return folder / "clip", "frame 1: is 9x8 after frames of 8x8"
        if kind == "other images":
            (folder / "clip" / "2.heic").write_bytes(b"x")
            return folder / "clip", r"no image of a kind that is read, but 1 \.heic; convert them"
        return folder / "clip", "contains no image; expected files ending in"
    container, options = {
        "cut mp4": ("mp4", {}), "cut early mp4": ("mp4", {"movflags": "+faststart"}), "cut mkv": ("mkv", {}),
        "cut avi": ("avi", {}),
    }.get(kind, ("gif", {}))  # fmt: skip
    path = folder / f"clip.{container}"
    if container == "gif":
        pictures = [Image.fromarray(p) for p in scene[:10]]
        pictures[0].save(path, save_all=True, append_images=pictures[1:])
    else:
        encode(path, scene, "mpeg4", "yuv420p", options=options)
    data = path.read_bytes()
    path.write_bytes(data[: int(0.6 * len(data))])
    return path, "cut off|not a readable video|is damaged"


@pytest.mark.parametrize(
    "kind",
    [
        "missing", "empty", "text", "sound", "folder", "image", "jpeg", "size", "cut mp4", "cut early mp4", "cut mkv",
        "cut avi", "cut gif", "other images",
    ],
)  # fmt: skip
def test_a_broken_source_is_named_in_one_sentence(rng, tmp_path, capfd, kind):
    path, reason = broken(kind, tmp_path, rng)
    with pytest.raises(VideoError, match=reason) as caught:
        list(read_frames(path))
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) > len(str(path)) + 20
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("wanted", [{"start": 8}, {"start": -1}, {"start": 4, "stop": 4}, {"fps": 0.0}])
def test_an_impossible_range_or_rate_is_refused(rng, tmp_path, wanted):
    write_video(tmp_path / "clip.mkv", noise(rng), 30)
    with pytest.raises(VideoError, match=r"clip\.mkv"):
        list(read_frames(tmp_path / "clip.mkv", **wanted))


def test_paths_with_any_letters_are_read(rng, tmp_path):
    folder = tmp_path / "Gesicht ü 顔"
    folder.mkdir()
    frames = noise(rng, 2)
    write_video(folder / "é.mkv", frames, 30)
    Image.fromarray(frames[0]).save(Path(folder / "ß1.png"))
    assert np.array_equal(next(read_frames(folder)).image, frames[0])
    assert np.array_equal(next(read_frames(folder / "é.mkv")).image, frames[0])


def flags_of(frames):
    return list(dict.fromkeys(flag for frame in frames for flag in frame.flags))


def test_a_folder_without_a_rate_says_what_was_assumed_and_missing_numbers_take_time(tmp_path):
    for number in (1, 2, 4, 5):
        save(tmp_path / f"img{number}_640x798.png", np.full((4, 4), number, np.uint8))
    frames = list(read_frames(tmp_path))
    assert flags_of(frames) == ["frames missing: 3", "30 fps assumed"]
    np.testing.assert_allclose([frame.time_s for frame in frames], np.array([0, 1, 3, 4]) / 30)
    told = list(read_frames(tmp_path, fps=fps_if_untimed(tmp_path, 200)))
    assert flags_of(told) == ["frames missing: 3"]
    assert told[-1].time_s == pytest.approx(4 / 200)


@pytest.mark.parametrize("codec", ["h264", "mjpeg"])
def test_a_bare_stream_runs_at_the_rate_of_its_codec_or_says_that_it_is_assumed(rng, tmp_path, codec):
    path = tmp_path / f"clip.{codec}"
    with av.open(str(path), "w", format=codec) as container:
        stream = container.add_stream({"h264": "libx264"}.get(codec, codec), rate=60)
        stream.height, stream.width = 96, 128
        stream.pix_fmt = {"h264": "yuv420p"}.get(codec, "yuvj420p")
        for index, picture in enumerate(moving_scene(rng, 6)):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 60)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    frames = list(read_frames(path))
    rate, flags = (60, []) if codec == "h264" else (30, ["30 fps assumed"])
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(6) / rate)
    assert flags_of(frames) == flags
    assert fps_if_untimed(path, 200) == (None if codec == "h264" else 200)


def test_a_clip_trimmed_by_an_edit_list_is_whole(rng, tmp_path):
    whole = encode(tmp_path / "whole.mp4", moving_scene(rng), "mpeg4", "yuv420p")
    images = [frame.image for frame in read_frames(whole)]
    with av.open(str(whole)) as source, av.open(str(tmp_path / "trimmed.mp4"), "w") as target:
        track = source.streams.video[0]
        copy = target.add_stream_from_template(track)
        shift = round(Fraction(20, 30) / track.time_base)
        for packet in source.demux(track):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                target.mux(packet)
    frames = list(read_frames(tmp_path / "trimmed.mp4"))
    assert all(np.array_equal(a.image, b) for a, b in zip(frames, images[20:], strict=True))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(20) / 30, atol=1e-4)


@pytest.mark.parametrize(("aspect", "shape"), [((2, 1), (96, 256)), ((1, 2), (192, 128)), ((1, 1), (96, 128))])
def test_pixels_are_made_square(rng, tmp_path, aspect, shape):
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(*aspect)
        for picture in moving_scene(rng, 3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    assert next(read_frames(tmp_path / "clip.mp4")).image.shape == shape


@pytest.mark.parametrize("ending", ["webp", "gif"])
def test_animated_pictures_are_read_and_a_gif_without_delays_is_flagged(rng, tmp_path, ending):
    scene = moving_scene(rng, 6)
    first, *rest = (Image.fromarray(picture[..., ::-1]) for picture in scene)
    path = tmp_path / f"clip.{ending}"
    options = {"lossless": True, "duration": 40} if ending == "webp" else {"duration": 0}
    first.save(path, save_all=True, append_images=rest, **options)
    frames = list(read_frames(path))
    assert len(frames) == 6
    assert flags_of(frames) == ([] if ending == "webp" else ["30 fps assumed"])
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(6) * (0.04 if ending == "webp" else 1 / 30))
    if ending == "webp":
        assert np.array_equal(frames[3].image, cv2.cvtColor(scene[3], cv2.COLOR_BGR2GRAY))
        path.write_bytes(path.read_bytes()[:-2000])
        with pytest.raises(VideoError, match="damaged or cut off"):
            list(read_frames(path))


def test_images_of_several_depths_are_refused(tmp_path):
    save(tmp_path / "1.png", np.zeros((4, 4), np.uint8))
    save(tmp_path / "2.png", np.full((4, 4), 4000, np.uint16))
    with pytest.raises(VideoError, match=r"2\.png: has 16 bits a sample after images of 8"):
        list(read_frames(tmp_path))


def test_a_cover_picture_is_not_the_video(rng, tmp_path):
    scene = moving_scene(rng, 6)
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=30)
        cover.height, cover.width, cover.pix_fmt = 48, 64, "yuvj420p"
        stream = container.add_stream("ffv1", rate=30)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "bgr0"
        small = av.VideoFrame.from_ndarray(np.ascontiguousarray(scene[0][:48, :64]), format="bgr24")
        container.mux([*cover.encode(small), *cover.encode()])
        for picture in scene:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    frames = list(read_frames(path))
    assert [frame.image.shape for frame in frames] == [(96, 128)] * 6
    assert flags_of(frames) == ["one of 2 video streams read"]


def packets(path):
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


CODECS = [
    ("avi", "mjpeg", "yuvj420p", 1), ("mov", "mjpeg", "yuvj420p", 1), ("avi", "mpeg4", "yuv420p", 12),
    ("mp4", "mpeg4", "yuv420p", 12), ("mp4", "libx264", "yuv420p", 10), ("mov", "libx264", "yuv420p", 1),
]  # fmt: skip


@pytest.mark.parametrize("harm", ["zeros", "rest", "noise"])
@pytest.mark.parametrize(("container", "codec", "pixels", "every"), CODECS)
def test_a_bad_frame_costs_itself_and_those_that_build_on_it(rng, tmp_path, container, codec, pixels, every, harm):
    path = encode(tmp_path / f"clip.{container}", moving_scene(rng), codec, pixels, every=every)
    whole = list(read_frames(path))
    at, size = packets(path)[13]
    kept = {"zeros": 0, "rest": size // 3, "noise": 8}[harm]
    data = bytearray(path.read_bytes())
    data[at + kept : at + size] = rng.bytes(size - kept) if harm == "noise" else bytes(size - kept)
    path.write_bytes(data)
    frames = list(read_frames(path))
    assert 0 < len(whole) - len(frames) <= max(every, 3)
    assert {flag.split(" at ")[0] for frame in frames for flag in frame.flags} == {"damaged"}
    for frame in frames:
        (twin,) = (other for other in whole if abs(other.time_s - frame.time_s) < 1e-6)
        assert np.array_equal(frame.image, twin.image)
    part = next(read_frames(path, start=30, stop=31)).image
    assert np.array_equal(part, whole[30].image)


def test_what_comes_before_damage_without_end_is_kept(rng, tmp_path):
    path = encode(tmp_path / "clip.mp4", moving_scene(rng), "mpeg4", "yuv420p", every=100)
    whole = [frame.image for frame in read_frames(path)]
    (at, size), data = packets(path)[13], bytearray(path.read_bytes())
    data[at : at + size] = bytes(size)
    path.write_bytes(data)
    *_, last = frames = list(read_frames(path))
    assert all(np.array_equal(frame.image, image) for frame, image in zip(frames, whole[:13], strict=True))
    assert last.flags == ("damaged from 0.43 s on: only what comes before is read",)


@pytest.mark.parametrize("dropped", [(2,), (0, 1), (4, 5, 9), tuple(range(20, 40)), tuple(range(1, 39))])
@pytest.mark.parametrize("codec", [("mjpeg", "yuvj420p"), ("ffvhuff", "yuv420p")])
def test_frames_that_the_recorder_of_an_avi_dropped_are_a_remark(rng, tmp_path, codec, dropped):
    path = encode(tmp_path / "clip.avi", moving_scene(rng), *codec)
    whole = list(read_frames(path))
    without_chunks(path, dropped)
    frames = list(read_frames(path))
    kept = [frame for number, frame in enumerate(whole) if number not in dropped]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(frames, kept, strict=True))
    times = np.array([frame.time_s for frame in kept])
    np.testing.assert_allclose([frame.time_s for frame in frames], times - times[0], atol=1e-6)
    assert frames[-1].flags[-1].endswith("dropped by the recorder")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if len(dropped) < 4:
        with pytest.raises(VideoError, match="cut off"):
            list(read_frames(path))


def without_chunks(path, dropped):
    """Rewrite an AVI so that the chunks of some frames are empty."""
    data = path.read_bytes()
    start = data.index(b"movi")
    at, end = start + 4, start + int.from_bytes(data[start - 4 : start], "little")
    body, index, frame = bytearray(), bytearray(), 0
    while at + 8 <= end:
        tag, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        chunk = data[at + 8 : at + 8 + length]
        if tag[2:] in (b"dc", b"db"):
            chunk = b"" if frame in dropped else chunk
            index += tag + struct.pack("<III", 16, len(body) + 4, len(chunk))
            frame += 1
        body += tag + struct.pack("<I", len(chunk)) + chunk + bytes(len(chunk) % 2)
        at += 8 + length + length % 2
    listed = b"idx1" + struct.pack("<I", len(index)) + index
    new = bytearray(data[: start - 4] + struct.pack("<I", len(body) + 4) + b"movi" + body + listed)
    new[4:8] = struct.pack("<I", len(new) - 8)
    path.write_bytes(new)


@pytest.mark.parametrize("kind", ["h264", "mpegts", "mjpeg"])
def test_what_comes_before_a_change_of_size_is_kept(rng, tmp_path, kind):
    scene = moving_scene(rng)
    parts = [scene[:15], [picture[::2, ::2] for picture in scene[15:]]]
    codec = ("mjpeg", "yuvj420p") if kind == "mjpeg" else ("libx264", "yuv420p")
    ending = "ts" if kind == "mpegts" else kind
    data = b"".join(encode(tmp_path / f"{n}.{ending}", part, *codec).read_bytes() for n, part in enumerate(parts))
    (tmp_path / f"clip.{ending}").write_bytes(data)
    frames = list(read_frames(tmp_path / f"clip.{ending}"))
    assert {frame.image.shape for frame in frames} == {(96, 128)}
    assert len(frames) == 15
    assert frames[-1].flags[-1] == "its size changes to 64x48 after 0.47 s: the rest is left out"


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_interlaced_video_is_a_remark(rng, tmp_path, codec):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        stream.codec_context.flags |= 0x20040000  # interlaced prediction and transform
        for picture in moving_scene(rng, 8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    flags = [flag for frame in read_frames(path) for flag in frame.flags]
    assert flags == ["interlaced: each frame shows two moments"]


@pytest.mark.parametrize(("curve", "name"), [(16, "PQ"), (18, "HLG"), (1, None)])
def test_video_for_hdr_screens_is_a_remark(rng, tmp_path, curve, name):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=25, options={"x265-params": f"transfer={curve}:log-level=none"})
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p10le"
        stream.codec_context.color_trc = curve
        for picture in moving_scene(rng, 8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    flags = [flag for frame in read_frames(path) for flag in frame.flags]
    assert flags == ([f"HDR video ({name}): read as if it were SDR"] if name else [])


@pytest.mark.parametrize("name", ["S1:take2", "http:clip", "a:b:c", "pipe:1", "concat:a|b", "100%d"])
def test_a_relative_name_is_no_address(rng, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = Path(f"{name}.mkv")
    write_video(path, noise(rng), 30)
    assert len(list(read_frames(path))) == len(noise(rng))
    assert fps_if_untimed(path, 5.0) is None


BEHIND = {
    "end marker missing": lambda data: data[:-2],
    "half of the end marker": lambda data: data[:-1],
    "zeros for the end marker": lambda data: data[:-2] + bytes(30),
    "words behind": lambda data: data + b"MAKER NOTE \xff\xda and more" * 9,
    "the rest of a picture behind": lambda data: data + data[len(data) // 2 : -2],
    "a picture that breaks off behind": lambda data: data + data[: 2 * len(data) // 3],
}


@pytest.mark.parametrize("what", BEHIND)
def test_a_jpeg_with_all_its_rows_is_read_whatever_its_end(rng, tmp_path, what):
    for number, picture in enumerate(moving_scene(rng, 3)):
        data = cv2.imencode(".jpg", picture)[1].tobytes()
        (tmp_path / f"{number}.jpg").write_bytes(BEHIND[what](data))
        expected = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), 1), cv2.COLOR_BGR2GRAY)
    *_, last = read_frames(tmp_path)
    assert np.abs(last.image.astype(int) - expected).max() <= 1
    (tmp_path / "1.jpg").write_bytes(BEHIND[what](data[: len(data) // 2]))
    with pytest.raises(VideoError, match=r"1\.jpg: is not a readable image"):
        list(read_frames(tmp_path))


@pytest.mark.parametrize("pages", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB", "I;16", "F"])
def test_a_tiff_is_no_damaged_clip(tmp_path, pages, mode):
    page = Image.new(mode, (24, 16))
    page.save(tmp_path / "clip.tif", save_all=True, append_images=[page] * (pages - 1))
    with pytest.raises(VideoError, match=r"clip\.tif: a TIFF is not read as a clip; save its pages as a folder"):
        list(read_frames(tmp_path / "clip.tif"))


def test_a_picture_with_side_data_that_pyav_does_not_know_is_read(rng, tmp_path):
    picture = Image.fromarray(moving_scene(rng, 1)[0])
    exif = Image.Exif()
    exif[0x010E] = "a face"
    for ending in ("jpg", "png", "avif", "webp"):
        picture.save(tmp_path / f"clip.{ending}", exif=exif)
        assert len(list(read_frames(tmp_path / f"clip.{ending}"))) == 1


@pytest.mark.parametrize("kind", ["mkv", "mp4", "avi", "mov", "webm", "gif", "webp", "folder"])
def test_a_clip_that_announces_too_many_frames_is_refused_before_one_is_decoded(rng, tmp_path, monkeypatch, kind):
    path = tmp_path / f"clip.{kind}"
    pictures = moving_scene(rng, 8)
    if kind == "folder":
        path.mkdir()
        for number, picture in enumerate(pictures):
            cv2.imwrite(str(path / f"{number}.png"), picture)
    elif kind in ("gif", "webp"):
        first, *others = [Image.fromarray(picture) for picture in pictures]
        first.save(path, save_all=True, append_images=others, duration=0 if kind == "gif" else 40)
    else:
        with av.open(str(path), "w") as container:
            codec = {"avi": "mjpeg", "webm": "libvpx"}.get(kind, "libx264")
            stream = container.add_stream(codec, rate=25)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = "yuvj420p" if kind == "avi" else "yuv420p"
            for picture in pictures:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            container.mux(stream.encode())
    assert len(list(read_frames(path, most=8))) == 8
    assert len(list(read_frames(path, start=1, stop=5, most=6))) == 4

    def decode(*_, **__):
        raise AssertionError("a frame was decoded")

    monkeypatch.setattr("stag.video.file.Damage", decode)
    monkeypatch.setattr("stag.video.folder._load", decode)
    monkeypatch.setattr("PIL.Image.Image.convert", decode)
    with pytest.raises(VideoError, match=r"has [78] frames, and a clip at most 6; cut it to the expression"):
        list(read_frames(path, most=6))
