"""Find faces in a stream of frames, and follow each, aligned with its first frame.

Frames are read once. Each face is detected once and tracked from its first frame. What becomes of the aligned crops is
for the kind of face to say: of a clip a stack of them is kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stag.errors import FaceNotFound, VideoError
from stag.faces.crop import CropReader, compose, crop_transform, invert, transform_points, warp_crop
from stag.faces.detect import FaceDetector
from stag.faces.track import FaceTracker, Tracked
from stag.motion.quality import SourceLook
from stag.motion.regions import covering_window
from stag.types import FloatArray, Frame, GreyImage, Landmarks
from stag.utils import limits
from stag.video import mark_cuts

_MIN_FRAMES = 3
_REDETECT_S = 0.4
_SEARCH_S = 0.1  # time between searches while a face is missing
_EMPTY_S = 0.25  # the same after a search that saw nobody, which takes longest, but at the begin
_BEGIN_S = 0.5  # assumed; about as long as a clip, which should lose no frame of a face
GAP_S = 0.5  # longest absence of a face that is bridged
TURNED_DEG = 15.0  # assumed; the sides of the nose begin to hide each other
_LEAST_TURN = np.deg2rad(0.1)  # a smaller one moves no channel by more than .06 px
_LARGER = 1.5  # assumed; a face so many times as large is a person nearer to the camera
_SMALL_SHARE = 1 / 20  # of the frame's width; only beside a smaller face a larger one is looked for
_SAME_PLACE = 1.5  # inter-ocular distances within which a detection is a known face
_FLOW_MARGIN_PX = 16  # assumed; flow at the edge of its picture is poor


class FollowedFace(ABC):
    """One face, followed from the frame in which it was found; what is kept of each frame is for the kinds to say.

    Attributes:
        points: ``(68, 2)`` landmarks on the first crop.
        to_crop: Similarity ``(2, 3)`` from the first frame to its crop.
        picture: The first crop, whole.
        window: The part of a crop that the motion channels need.
        missing: Whether it was not followed in the last frame.
        lost: Whether it was missing for too long.
        ended: Whether its scene is over.
        seen_s: Time of the last frame in which it was followed.
        place: ``(2,)`` middle of the face in that frame, frame pixels.
        likeness: Correlation of its stable patches there with those of its first frame.
    """

    def __init__(self, frame: Frame, landmarks: Landmarks, face_id: int) -> None:
        self.landmarks = landmarks
        self.face_id = face_id
        self.missing = self.lost = self.ended = False
        self.seen_s = frame.time_s
        self._tracker = FaceTracker(frame.image, landmarks)
        self.to_crop = crop_transform(landmarks.points)
        self.points = transform_points(landmarks.points, self.to_crop)
        self.window = covering_window(self.points, "roi18", _FLOW_MARGIN_PX)
        self.picture = warp_crop(frame.image, self.to_crop)
        self.place, self.likeness = _middle(landmarks), 1.0
        self.keep(frame, CropReader(frame.image).read(self.to_crop, self.window), None)

    @abstractmethod
    def keep(self, frame: Frame, crop: GreyImage, tracked: Tracked | None) -> None:
        """Take the aligned crop of a frame, cut to the window; ``tracked`` is ``None`` for the first one."""

    @property
    def points_in_window(self) -> FloatArray:
        """Landmarks ``(68, 2)`` in coordinates of the crops."""
        return self.points - [self.window[2], self.window[0]]

    def follow(self, frame: Frame, others: Iterable[FollowedFace] = (), seen: Landmarks | None = None) -> bool:
        """Align one more frame and return whether the face is there; one missing for half a second is lost.

        Args:
            frame: The next frame.
            others: Faces of other people. Where one that looks more like itself is, this one is not.
            seen: A detection in this frame that may be this face, which was missing.
        """
        reader = CropReader(frame.image, self.window)
        tracked = self._tracker.update(reader, seen)
        place = transform_points(_middle(self.landmarks), tracked.motion)
        taken = any(o.away(place) < _SAME_PLACE / 2 and o.likeness > tracked.likeness for o in others)
        if tracked.lost or taken:
            self.missing = True
            self.lost |= frame.time_s - self.seen_s > GAP_S
            return False
        self.missing = self.lost = False
        self.place, self.likeness, self.seen_s = place, tracked.likeness, frame.time_s
        turned = float(np.abs(tracked.turn).max()) > _LEAST_TURN
        shift = self._tracker.shape.shift(tracked.turn, self.window) if turned else None
        self.keep(frame, reader.read(compose(self.to_crop, invert(tracked.motion)), self.window, shift), tracked)
        return True

    def away(self, place: FloatArray) -> float:
        """Return how far the middle of a face ``(2,)`` is from this one, or its last place, inter-ocular distances."""
        return float(np.hypot(*(self.place - place))) / self.landmarks.inter_ocular_px


class FaceTrack(FollowedFace):
    """The aligned crops of one face of a clip, each cut to the window of the motion channels.

    Attributes:
        gaps: Number of frames in which it was not followed.
        cuts_s: Times at which the video changes its scene, seconds from its start.
        reading: Remarks from reading the clip.
        residuals: ``(n, 2)`` float32 for each crop: deviation of the stable patches from the alignment, crop pixels.
        head: ``(3,)`` for each crop: yaw, pitch and clockwise roll since the first one, degrees.
        look: Signs of picture quality in the frames themselves.
    """

    def __init__(self, frame: Frame, landmarks: Landmarks, face_id: int) -> None:
        self.crops: list[GreyImage] = []
        self.times_s: list[float] = []
        self.start_s = frame.time_s
        self.gaps = 0
        self.cuts_s: tuple[float, ...] = ()
        self.reading: tuple[str, ...] = ()
        self.residuals: list[NDArray[np.float32]] = []
        self.look = SourceLook(landmarks.points)
        self.head: list[FloatArray] = []
        super().__init__(frame, landmarks, face_id)

    @property
    def turned(self) -> bool:
        """Whether the head turned by more than 15 degrees in two frames in a row, where parts of a face hide others."""
        turns = np.abs(np.array(self.head)[:, :2]).max(axis=1)
        return bool((np.minimum(turns[1:], turns[:-1]) > TURNED_DEG).any())

    @property
    def quarter_turns(self) -> int:
        """Number of quarters of a full circle, clockwise, by which the face of the first frame is turned."""
        right, down = self.landmarks.points[42] - self.landmarks.points[39]
        return round(float(np.arctan2(down, right)) / (np.pi / 2)) % 4

    def keep(self, frame: Frame, crop: GreyImage, tracked: Tracked | None) -> None:
        """Add the crop of a frame and what was measured on the way."""
        self.look.see(frame.image)
        self.crops.append(crop)
        self.times_s.append(frame.time_s - self.start_s)
        if tracked is None:
            self.head.append(np.zeros(3))
            return
        self.residuals.append(tracked.residuals.astype(np.float32))
        rigid = compose(self.to_crop, compose(invert(tracked.motion), invert(self.to_crop)))
        (a, _), (b, _) = rigid[:, :2]
        self.head.append(np.degrees([*tracked.turn, np.arctan2(-b, a)]))


Kind = TypeVar("Kind", bound=FollowedFace)


def follow_all(
    frames: Iterable[Frame],
    detector: FaceDetector,
    begin: Callable[[Frame, Landmarks, int], Kind],
    *,
    every_face: bool = False,
    larger: bool = False,
    others_s: float = _REDETECT_S,
) -> Iterator[tuple[Frame, bool, list[Kind]]]:
    """Follow the largest face of streamed frames, or every face; yield each frame, whether it is a cut, and all faces.

    Detection runs again only to find a face that is not followed: when one is missing, when there is none, and, with
    ``every_face``, for people who appear later. A detection that looks like a face that went is that face, wherever it
    is; one of other looks near the last place begins anew with its id. Nothing is followed over a cut. Where one face
    is wanted, all have the id 0.

    Args:
        frames: The frames.
        detector: Source of faces.
        begin: Makes a face of a frame, a detection and an id.
        every_face: Whether to follow everybody, or one person at a time.
        larger: Whether, beside one small face, a much larger one that comes in is followed, too.
        others_s: Time between searches for further people.
    """
    faces: list[Kind] = []
    searched_s, pause_s, begin_s = -np.inf, _SEARCH_S, np.inf
    for frame, cut in mark_cuts(frames):
        begin_s = min(begin_s, frame.time_s)
        if cut:
            searched_s = -np.inf
            for face in faces:
                face.ended = True
        here = [face for face in faces if not (face.lost or face.ended)]
        for face in here:
            face.follow(frame, (other for other in here if other is not face))
        wanted = not here or any(face.missing for face in here)
        small = larger and all(f.landmarks.inter_ocular_px < _SMALL_SHARE * frame.image.shape[1] for f in here)
        if (every_face or wanted or small) and frame.time_s >= searched_s + (pause_s if wanted else others_s):
            searched_s = frame.time_s
            found = detector.detect(frame.image)
            pause_s = _SEARCH_S if found or frame.time_s < begin_s + _BEGIN_S else _EMPTY_S
            _place(found, frame, faces, begin, every_face)
        yield frame, cut, faces


def follow_faces(
    frames: Iterable[Frame], detector: FaceDetector, name: str, *, every_face: bool = False
) -> list[FaceTrack]:
    """Follow the faces of a clip as :func:`follow_all`; return one track per face, ordered by id.

    Of the stretches of one id the longest counts; where one face is wanted, that with most frames times face size.

    Raises:
        VideoError: The clip has fewer than 3 frames, or more than :data:`limits.FRAMES`.
        FaceNotFound: No face was found.
    """
    tracks: list[FaceTrack] = []
    n_frames = 0
    cuts_s: list[float] = []
    reading: dict[str, None] = {}
    for frame, cut, tracks in follow_all(frames, detector, FaceTrack, every_face=every_face, larger=not every_face):
        n_frames += 1
        if n_frames > limits.FRAMES:
            raise VideoError(f"{name}: has more than {limits.FRAMES} frames; cut it to the expression")
        reading.update(dict.fromkeys(frame.flags))
        if cut:
            cuts_s.append(frame.time_s)
        for track in tracks:
            track.gaps += track.missing and not track.ended
    if n_frames < _MIN_FRAMES:
        raise VideoError(f"{name}: has {n_frames} frame(s); a clip needs at least {_MIN_FRAMES}")
    longest: dict[int, FaceTrack] = {}
    for track in tracks:
        known = longest.get(track.face_id)
        if len(track.crops) >= _MIN_FRAMES and (known is None or _weight(track) > _weight(known)):
            longest[track.face_id] = track
    if not longest:
        if tracks:
            raise FaceNotFound(f"{name}: no face can be followed for {_MIN_FRAMES} frames; cut it to one scene")
        raise FaceNotFound(f"{name}: no face found in {n_frames} frames; crop closer, or lower motion.min_face_score")
    followed = [longest[face_id] for face_id in sorted(longest)]
    for track in followed:
        track.cuts_s, track.reading = tuple(cuts_s), tuple(reading)
    return followed


def _place(
    found: Iterable[Landmarks],
    frame: Frame,
    faces: list[Kind],
    begin: Callable[[Frame, Landmarks, int], Kind],
    every_face: bool,
) -> None:
    """Give each detection of a frame to the face that it shows, or begin a new one."""
    for seen in found:
        followed = [face for face in faces if not (face.missing or face.ended)]
        near = [face for face in faces if face.away(_middle(seen)) < _SAME_PLACE]
        if any(face in followed for face in near):
            continue
        gone = sorted((f for f in faces if f.missing and not f.ended), key=lambda f: f.away(_middle(seen)))
        if any(face.follow(frame, followed, seen) for face in gone):
            continue
        least = seen.inter_ocular_px / _LARGER
        rivals = near if every_face else [face for face in faces if face.landmarks.inter_ocular_px > least]
        if all(face.lost or face.ended for face in rivals):
            unused = 1 + max((face.face_id for face in faces), default=-1) if every_face else 0
            faces.append(begin(frame, seen, near[-1].face_id if near else unused))


def _weight(track: FaceTrack) -> float:
    return len(track.crops) * track.landmarks.inter_ocular_px


def _middle(face: Landmarks) -> FloatArray:
    return np.asarray(face.points.mean(axis=0))
