"""Find the faces of a clip and follow each to a stack of small aligned crops.

Frames are read once. Each face is detected once and tracked from its first frame.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from stag.errors import FaceNotFound, VideoError
from stag.faces.crop import CropReader, compose, crop_transform, invert, transform_points, warp_crop
from stag.faces.detect import FaceDetector
from stag.faces.track import FaceTracker
from stag.motion.quality import SourceLook
from stag.motion.regions import covering_window
from stag.types import FloatArray, Frame, GreyImage, Landmarks
from stag.utils import limits
from stag.video import mark_cuts

_MIN_FRAMES = 3
_REDETECT_S = 0.4
_SEARCH_S = 0.1  # time between searches while no face is followed
_GAP_S = 0.5  # longest absence of a face that is bridged
_TURNED_DEG = 15.0  # assumed; the sides of the nose begin to hide each other
_LEAST_TURN = np.deg2rad(0.1)  # a smaller one moves no channel by more than .06 px
_SAME_PLACE = 1.5  # inter-ocular distances within which a detection is a known face
_FLOW_MARGIN_PX = 16  # assumed; flow at the edge of its picture is poor


class FaceTrack:
    """The aligned crops of one face, each cut to the window of the motion channels; the first also as ``picture``.

    Attributes:
        points: ``(68, 2)`` landmarks on the first crop.
        missing: Whether it was not followed in the last frame.
        lost: Whether it was missing for too long.
        ended: Whether its scene is over.
        gaps: Number of frames in which it was not followed.
        cuts_s: Times at which the video changes its scene, seconds from its start.
        reading: Remarks from reading the clip.
        place: ``(2,)`` middle of the face in the last frame in which it was followed, frame pixels.
        likeness: Correlation of its stable patches there with those of its first frame.
        residuals: ``(n, 2)`` float32 for each crop: deviation of the stable patches from the alignment, crop pixels.
        head: ``(3,)`` for each crop: yaw, pitch and clockwise roll since the first one, degrees.
        look: Signs of picture quality in the frames themselves.
    """

    def __init__(self, frame: Frame, landmarks: Landmarks, face_id: int) -> None:
        self.landmarks = landmarks
        self.face_id = face_id
        self.crops: list[GreyImage] = []
        self.times_s: list[float] = []
        self.start_s = frame.time_s
        self.missing = self.lost = self.ended = False
        self.gaps = 0
        self.cuts_s: tuple[float, ...] = ()
        self.reading: tuple[str, ...] = ()
        self.residuals: list[NDArray[np.float32]] = []
        self.look = SourceLook(landmarks.points)
        self.head: list[FloatArray] = []
        self._tracker = FaceTracker(frame.image, landmarks)
        self._to_crop = crop_transform(landmarks.points)
        self.points = transform_points(landmarks.points, self._to_crop)
        self.window = covering_window(self.points, "roi18", _FLOW_MARGIN_PX)
        self.picture = warp_crop(frame.image, self._to_crop)
        self.place, self.likeness = _middle(landmarks), 1.0
        self.look.see(frame.image)
        self.keep(frame, self._to_crop)

    @property
    def points_in_window(self) -> FloatArray:
        """Landmarks ``(68, 2)`` in coordinates of the crops."""
        return self.points - [self.window[2], self.window[0]]

    @property
    def turned(self) -> bool:
        """Whether the head turned by more than 15 degrees in two frames in a row, where parts of a face hide others."""
        turns = np.abs(np.array(self.head)[:, :2]).max(axis=1)
        return bool((np.minimum(turns[1:], turns[:-1]) > _TURNED_DEG).any())

    @property
    def quarter_turns(self) -> int:
        """Number of quarters of a full circle, clockwise, by which the face of the first frame is turned."""
        right, down = self.landmarks.points[42] - self.landmarks.points[39]
        return round(float(np.arctan2(down, right)) / (np.pi / 2)) % 4

    def follow(self, frame: Frame, others: Iterable[FaceTrack] = (), seen: Landmarks | None = None) -> bool:
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
            self.lost |= frame.time_s - self.start_s - self.times_s[-1] > _GAP_S
            return False
        self.missing = self.lost = False
        self.place, self.likeness = place, tracked.likeness
        self.look.see(frame.image)
        self.residuals.append(tracked.residuals.astype(np.float32))
        self.keep(frame, compose(self._to_crop, invert(tracked.motion)), reader, tracked.turn)
        return True

    def away(self, place: FloatArray) -> float:
        """Return how far the middle of a face ``(2,)`` is from this one, or its last place, inter-ocular distances."""
        return float(np.hypot(*(self.place - place))) / self.landmarks.inter_ocular_px

    def keep(
        self,
        frame: Frame,
        transform: FloatArray,
        reader: CropReader | None = None,
        turn: FloatArray | tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Add the crop of a frame, aligned by a similarity ``(2, 3)`` from frame to crop and turned back by a turn."""
        turn = np.asarray(turn)
        shift = self._tracker.shape.shift(turn, self.window) if np.abs(turn).max() > _LEAST_TURN else None
        self.crops.append((reader or CropReader(frame.image)).read(transform, self.window, shift))
        self.times_s.append(frame.time_s - self.start_s)
        (a, _), (b, _) = compose(transform, invert(self._to_crop))[:, :2]
        self.head.append(np.degrees([*turn, np.arctan2(-b, a)]))


def follow_faces(
    frames: Iterable[Frame], detector: FaceDetector, name: str, *, every_face: bool = False
) -> list[FaceTrack]:
    """Detect and track the largest face of a clip, or every face; return one track per face, ordered by id.

    Detection runs again only to find a face that is not followed: when one is missing, when there is none, and, with
    ``every_face``, every 0.4 seconds for people who appear later. A detection that looks like a face that went is that
    face, wherever it is; one of other looks near the last place keeps the id, and of such stretches the longest counts;
    where one face is wanted, the longest of all. No stretch reaches over a cut.

    Raises:
        VideoError: The clip has fewer than 3 frames, or more than :data:`limits.FRAMES`.
        FaceNotFound: No face was found.
    """
    tracks: list[FaceTrack] = []
    n_frames, searched_s = 0, -np.inf
    cuts_s: list[float] = []
    reading: dict[str, None] = {}
    for frame, cut in mark_cuts(frames):
        n_frames += 1
        reading.update(dict.fromkeys(frame.flags))
        if n_frames > limits.FRAMES:
            raise VideoError(f"{name}: has more than {limits.FRAMES} frames; cut it to the expression")
        if cut:
            cuts_s.append(frame.time_s)
            searched_s = -np.inf
            for track in tracks:
                track.ended = True
        here = [track for track in tracks if not (track.lost or track.ended)]
        for track in here:
            track.follow(frame, (other for other in here if other is not track))
        wanted = not here or any(track.missing for track in here)
        if (every_face or wanted) and frame.time_s >= searched_s + (_SEARCH_S if wanted else _REDETECT_S):
            searched_s = frame.time_s
            _place(detector.detect(frame.image), frame, tracks, every_face)
        for track in tracks:
            track.gaps += track.missing and not track.ended
    if n_frames < _MIN_FRAMES:
        raise VideoError(f"{name}: has {n_frames} frame(s); a clip needs at least {_MIN_FRAMES}")
    longest: dict[int, FaceTrack] = {}
    for track in tracks:
        known = longest.get(track.face_id)
        if len(track.crops) >= max(_MIN_FRAMES, len(known.crops) + 1 if known else 0):
            longest[track.face_id] = track
    if not longest:
        if tracks:
            raise FaceNotFound(f"{name}: no face can be followed for {_MIN_FRAMES} frames; cut it to one scene")
        raise FaceNotFound(f"{name}: no face found in {n_frames} frames; crop closer, or lower motion.min_face_score")
    followed = [longest[face_id] for face_id in sorted(longest)]
    for track in followed:
        track.cuts_s, track.reading = tuple(cuts_s), tuple(reading)
    return followed


def _place(faces: list[Landmarks], frame: Frame, tracks: list[FaceTrack], every_face: bool) -> None:
    """Give each detection of a frame to the face that it shows, or begin a new stretch."""
    for face in faces:
        followed = [track for track in tracks if not (track.missing or track.ended)]
        near = [track for track in tracks if track.away(_middle(face)) < _SAME_PLACE]
        if any(track in followed for track in near):
            continue
        gone = sorted((t for t in tracks if t.missing and not t.ended), key=lambda t: t.away(_middle(face)))
        if any(track.follow(frame, followed, face) for track in gone):
            continue
        if all(track.lost or track.ended for track in (near if every_face else tracks)):
            unused = 1 + max((track.face_id for track in tracks), default=-1) if every_face else 0
            tracks.append(FaceTrack(frame, face, near[-1].face_id if near else unused))


def _middle(face: Landmarks) -> FloatArray:
    return np.asarray(face.points.mean(axis=0))
