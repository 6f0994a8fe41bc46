"""Figures of many clips: the map of features before and after training, scores by protocol, confusion matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from stag.explanation.embedding import clip_features, tsne
from stag.model.stag import STAG
from stag.report.figures.clips import drawn, model_in_words
from stag.report.figures.material import Drawn, Material, Study
from stag.report.plots.embedding import embeddings_figure
from stag.report.plots.scores import Bar, confusions_figure, protocol_figure
from stag.report.wording import share
from stag.types import FloatArray

NEIGHBOURS = 5
_PROTOCOLS = {"loso": "LOSO", "gkf": "GKF", "skf": "SKF", "cross-dataset": "cross"}


def embedding(material: Material) -> list[Drawn]:
    """Figure 5: a t-SNE map of features before training and after it."""
    clips = material.mapped
    untrained = STAG.from_info(material.model.info)
    maps = {}
    for when, model in (("Before training", untrained), ("After training", material.model)):
        features = clip_features(model, clips)
        near = neighbour_share(features, clips.label)
        maps[f"{when}: {share(near)} of the {NEIGHBOURS} nearest are of its class"] = tsne(features)
    figure = embeddings_figure(maps, clips.label.tolist(), clips.classes)
    counts = np.unique(clips.label, return_counts=True)[1]
    by_chance = float(np.square(counts / counts.sum()).sum())
    note = (
        f"Features before the classifier (Eq. 33) of {len(clips)} clips of {len(set(clips.group.tolist()))} people, "
        f"laid out by t-SNE: random weights on the left, {model_in_words(material)} on the right. Shares are counted "
        f"among the features; by chance {share(by_chance)}."
    )
    return [drawn(figure, 5, "embedding", "Features before and after training", note, clips.simulated)]


def neighbour_share(features: FloatArray, labels: np.ndarray) -> float:
    """Return the mean share of the nearest neighbours of a clip that have its label; columns at unit variance."""
    scaled = StandardScaler().fit_transform(features)
    count = min(NEIGHBOURS, len(scaled) - 1)
    near = NearestNeighbors(n_neighbors=count + 1).fit(scaled).kneighbors(scaled, return_distance=False)[:, 1:]
    return float((labels[near] == labels[:, None]).mean())


def protocols(material: Material) -> list[Drawn]:
    """Figure 7: one score of every set under every protocol."""
    bars, hatched = [], []
    for study in material.studies:
        name = _PROTOCOLS.get(study.protocol, study.protocol)
        low, high = study.result.ci95.get("uf1") or (None, None)
        bars.append(Bar(study.dataset, name, study.result.pooled.uf1, low, high))
        if study.result.subject_dependent:
            hatched.append(name)
    figure = protocol_figure(bars, "UF1", list(dict.fromkeys(hatched)))
    simulated = any(study.result.simulated for study in material.studies)
    note = "Pooled UF1 with its 95 % interval over people. " + _studied(material)
    return [drawn(figure, 7, "protocols", "Scores by protocol", note, simulated)]


def confusions(material: Material) -> list[Drawn]:
    """Figure 8: confusion matrices of several sets, one figure for each list of classes."""
    by_classes: dict[tuple[str, ...], dict[str, Study]] = {}
    for study in material.studies:
        if not material.runs and study.protocol not in ("loso", "cross-dataset"):
            continue
        group = by_classes.setdefault(tuple(study.result.classes), {})
        name = f"{study.dataset}, {_PROTOCOLS.get(study.protocol, study.protocol)}"
        group[name if name not in group else f"{name} ({len(group) + 1})"] = study
    figures = []
    for classes, group in by_classes.items():
        matrices = {name: np.array(study.result.pooled.confusion, dtype=float) for name, study in group.items()}
        figure = confusions_figure(matrices, classes)
        stem = "confusions" if len(by_classes) == 1 else f"confusions-{len(classes)}-classes"
        simulated = any(study.result.simulated for study in group.values())
        note = "Number of answers and their share of the row; rows are the truth, columns the prediction. "
        figures.append(drawn(figure, 8, stem, "Confusion matrices", note + _studied(material), simulated))
    return _distinct(figures)


def _studied(material: Material) -> str:
    """Say where the scores come from."""
    if material.runs:
        return f"From {len(material.runs)} finished run{'s' * (len(material.runs) != 1)}."
    first = material.studies[0].result
    return (
        f"Two simulated sets of {first.n_clips} clips of {first.n_subjects} people, with clear (1 px) and faint "
        "(.5 px) movement; cross is trained on the other set. Small and briefly trained, to show the figure and not "
        "the accuracy."
    )


def _distinct(figures: list[Drawn]) -> list[Drawn]:
    """Return the figures with a number behind a file name that occurs again."""
    seen: dict[str, int] = {}
    kept = []
    for one in figures:
        seen[one.stem] = seen.get(one.stem, 0) + 1
        again = seen[one.stem]
        stem = one.stem if again == 1 else f"{one.stem}-{again}"
        kept.append(replace(one, stem=stem))
    return kept
