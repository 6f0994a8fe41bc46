"""Figures of single clips: architecture, maps of every method, comparison with the truth, motion, graphs."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

from stag.errors import MissingDependency
from stag.explanation.explain import explain
from stag.explanation.methods import METHODS
from stag.explanation.scoring import mass_share, moving_cells
from stag.facs import AU_VOCABULARY
from stag.model.summary import summarise_model
from stag.motion.transforms import since_onset, strongest_step
from stag.report.figures.material import Drawn, Material, Shown
from stag.report.plots.architecture import ArchitectureSample, architecture_figure
from stag.report.plots.attribution import attention_maps_figure
from stag.report.plots.comparison import ComparedClip, comparison_figure
from stag.report.plots.evolution import graph_evolution_figure
from stag.report.plots.face import layer_graphs_figure
from stag.report.plots.frame import framed
from stag.report.plots.motion import motion_figure
from stag.report.wording import answer_in_words, capitalised, share
from stag.types import FloatArray

COMPARED = ("ig", "gradcam", "attention")
"""Methods of the comparison with the truth; all of them are in the maps of one clip."""


def architecture(material: Material) -> list[Drawn]:
    """Figure 1: the parts of the model with their real shapes, and what they gave for a clip."""
    model, shown = material.model, material.shown
    source = shown.prediction.au_source
    summary = summarise_model(model)
    with torch.no_grad():
        out = model.eval().forward_from(torch.from_numpy(shown.motion.motion)[None], source, return_attention=True)
    assert out.adjacency is not None
    assert out.temporal_attention is not None
    assert out.region_to_step is not None
    assert out.step_to_region is not None
    sample = ArchitectureSample(
        motion=shown.motion.motion.astype(float),
        adjacency=out.adjacency[0].double().numpy(),
        temporal=out.temporal_attention[0].double().numpy(),
        region_to_step=out.region_to_step[0].double().mean(dim=0).numpy(),
        step_to_region=out.step_to_region[0].double().mean(dim=0).numpy(),
        probabilities=shown.prediction.probabilities,
        au_probabilities=shown.prediction.au_probabilities,
        classes=model.classes,
        au_vocabulary=AU_VOCABULARY,
        transformer_layers=model.info.model.transformer_layers,
        heads=model.info.model.heads,
        au_width=model.info.model.au_embed_dim,
        au_source=source,
    )
    figure = architecture_figure(summary, sample)
    note = (
        f"{model_in_words(material)}: {summary.parameters:,} parameters, {summary.flops / 1e6:.1f} MFLOP for one pass. "
        f"Shapes are those of one clip; the maps are what the parts gave for {shown.name}."
    )
    return [drawn(figure, 1, "architecture", "Architecture", note, shown.simulated)]


def maps(material: Material) -> list[Drawn]:
    """Figure 2: motion and the map of every explanation method on one face."""
    shown = material.shown
    motion = shown.motion.motion.astype(float)
    by_title: dict[str, FloatArray] = {"Motion": np.hypot(motion[..., 0], motion[..., 1]).sum(axis=0)}
    missing = []
    name = shown.prediction.most_probable
    for method in METHODS:
        try:
            why = explain(material.model, shown.prediction, method=method, target=name)
        except MissingDependency:
            missing.append(METHODS[method].title)
        else:
            by_title[why.title] = why.by_channel
    sizes = [np.abs(values) / max(float(np.abs(values).max()), 1e-12) for values in by_title.values()]
    by_title["All, averaged"] = np.mean(sizes[1:], axis=0)
    figure = attention_maps_figure(shown.motion.crop, shown.motion.points, by_title, material.model.info.layout)
    note = (
        f"{shown.name}; {model_in_words(material)} says {answer_in_words(shown.prediction)}. Why {name}: the sum "
        "over the clip of each method, beside the size of the motion. Orange speaks for the class, blue against it."
    )
    if missing:
        note += f" Not drawn, because captum is not installed: {', '.join(missing)}."
    return [drawn(figure, 2, "maps", "Motion and attention, method by method", note, shown.simulated)]


def comparison(material: Material) -> list[Drawn]:
    """Figure 3: simulated clips, each with predicted beside true class, measured beside true motion, and maps."""
    rows, chances, missing = [], list[float](), list[str]()
    cumulative = material.model.info.cumulative
    for shown in material.simulated_clips:
        assert shown.true_motion is not None
        moving = moving_cells(shown.true_motion[None])
        chances.append(moving.mean())
        measured = shown.motion.motion.astype(float)
        size = np.hypot(measured[..., 0], measured[..., 1])
        found: dict[str, FloatArray] = {}
        hits = {"measured": float(mass_share(size[None], moving)[0])}
        for method in COMPARED:
            try:
                why = explain(material.model, shown.prediction, method=method)
            except MissingDependency:
                missing.append(METHODS[method].title)
                continue
            found[why.title] = why.by_channel
            hits[why.title] = float(mass_share(why.values[None], moving)[0])
        since = [np.asarray(values if cumulative else since_onset(values)) for values in (shown.true_motion, measured)]
        step = strongest_step(since[0])
        rows.append(
            ComparedClip(
                crop=shown.motion.crop,
                points=shown.motion.points,
                truth=_class_of(material, shown),
                about=f"AU {shown.facs}, {share(shown.motion.duration_s)} s",
                probabilities=shown.prediction.probabilities,
                true_motion=since[0][step],
                measured=since[1][step],
                maps=found,
                hits=hits,
            )
        )
    figure = comparison_figure(rows, material.model.classes, material.model.info.layout)
    chance = np.mean(chances)
    note = (
        f"Faces that a program moved, so that the truth is known; motion at the true apex; "
        f"{model_in_words(material)}. The number under a map is the share of its weight on regions and steps "
        f"that truly move; by chance it would be {share(float(chance))}."
    )
    if missing:
        note += f" Not drawn, because captum is not installed: {', '.join(dict.fromkeys(missing))}."
    return [drawn(figure, 3, "comparison", "Answers and maps beside the truth", note, simulated=True)]


def motion(material: Material) -> list[Drawn]:
    """Figure 4: the motion channels of one clip."""
    shown = material.shown
    figure = motion_figure(shown.motion, material.model.info.layout)
    tensor = shown.motion
    note = (
        f"{shown.name}: {tensor.n_frames} frames, {share(tensor.duration_s)} s. 1 px is 1/64 of the distance between "
        "the inner eye corners. The dotted line is the step of the largest motion."
    )
    return [drawn(figure, 4, "motion", "Motion channels of one clip", note, shown.simulated)]


def graphs(material: Material) -> list[Drawn]:
    """Figure 6: the attention graph of each layer, and its evolution over time."""
    shown, layout = material.shown, material.model.info.layout
    adjacency, points = shown.prediction.adjacency, shown.motion.points
    if not adjacency.size:
        return []
    which = f"{model_in_words(material)} on {shown.name}"
    layers = layer_graphs_figure(adjacency.mean(axis=1), points, layout)
    note = f"{which}; mean over the steps. An arrow goes from a region to where it looks; self-loops are left out."
    evolving = graph_evolution_figure(adjacency, points, shown.motion.time_s, layout)
    later = f"{which}; one scale for all graphs. Triangles mark the moments that are drawn."
    return [
        drawn(layers, 6, "graphs", "The graph, layer by layer", note, shown.simulated),
        drawn(evolving, 6, "graphs-over-time", "The graph of each layer over time", later, shown.simulated),
    ]


def _class_of(material: Material, shown: Shown) -> str:
    """Return the class that the emotion of a simulated clip belongs to, or the emotion where the model has none."""
    from stag.datasets.schemes import SCHEMES

    classes = material.model.classes
    scheme = next((scheme for scheme in SCHEMES.values() if scheme.classes == classes), None)
    return (scheme.class_of(shown.emotion) if scheme else None) or shown.emotion


def model_in_words(material: Material) -> str:
    """Return which model is shown, and what it was trained on."""
    trained = material.model.info.training.get("simulated")
    return f"model {material.model_name}" + (" (trained on simulated clips only)" if trained else "")


def drawn(figure: Figure, number: int, name: str, title: str, note: str, simulated: bool) -> Drawn:
    """Put the heading, the note and the mark of simulated data on a figure, and name its files."""
    note = capitalised(note)
    heading = f"Figure {number}. {title}"
    return Drawn(
        f"figure-{number}-{name}", heading, note, simulated, framed(figure, heading, note, simulated=simulated)
    )
