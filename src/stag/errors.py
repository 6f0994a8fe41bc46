"""The errors that stag raises on purpose; each message says what is wrong, where, and what to do about it."""

_REASON_AT_MOST = 200  # characters; some libraries quote the whole file


class StagError(Exception):
    """Base of all errors that a user can act on.

    Example:
        >>> try:
        ...     stag.predict("no_such_clip.mp4")
        ... except stag.StagError as error:
        ...     print(error)
        no_such_clip.mp4: ...
    """


class ConfigError(StagError):
    """A setting that does not exist or is out of range."""


class VideoError(StagError):
    """A clip that cannot be read, or is too short."""


class FaceNotFound(StagError):  # noqa: N818 - the field says "no face", not "face error"
    """A clip without a face, or without one that can be tracked."""


class DatasetError(StagError):
    """A data set, manifest or annotation sheet that is not as documented."""


class MotionFileError(StagError):
    """A motion file with a missing, malformed or mismatched part."""


class ModelError(StagError):
    """A model folder that is missing, damaged or does not fit the data."""


class RunError(StagError):
    """A run folder that is incomplete or belongs to another run."""


class MissingDependency(StagError):  # noqa: N818
    """An optional package that the request needs."""


def reason(error: BaseException) -> str:
    """Return the message of another library's error, short enough to be part of a sentence."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _REASON_AT_MOST else text[:_REASON_AT_MOST] + " ..."
