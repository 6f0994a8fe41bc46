"""Sizes of a model: real shapes, parameters and operations, and the page that lists them."""

import re
from math import prod
from pathlib import Path

import pytest
import torch

from stag.config import Config
from stag.facs import AU_VOCABULARY
from stag.model.stag import STAG
from stag.model.summary import summarise_model
from tiny import TINY

CLASSES = ("negative", "positive", "surprise")
PAGE = Path(__file__).parents[2] / "docs" / "method" / "symbols.md"


def made(preset="quick", *changes, steps=5, layout="roi14"):
    config = Config.preset(preset).override(list(changes)).model
    return STAG(config, layout=layout, steps=steps, classes=CLASSES)


def test_parts_add_up_to_the_whole():
    model = made("quick", *TINY)
    summary = summarise_model(model)
    assert summary.parameters == sum(p.numel() for p in model.parameters()) == sum(p.parameters for p in summary.parts)
    assert summary.flops == sum(part.flops for part in summary.parts) > 0
    assert {part.key for part in summary.parts} == {
        name for name, part in model.named_children() if list(part.parameters())
    }


def test_operations_of_the_embedding_are_those_counted_by_hand():
    model = made("quick", "model.embed_hidden=6", "model.embed_dim=8", steps=7, layout="roi18")
    part = summarise_model(model).part("embedding")
    assert part.flops == 2 * 7 * 18 * (2 * 6 + 6 * 8)
    assert part.outputs == ((7, 18, 8),)


@pytest.mark.parametrize("source", ["none", "predicted", "annotated"])
def test_outputs_are_those_of_a_pass(source):
    model = made("quick", *TINY)
    out = model.eval().forward_from(
        torch.zeros(1, *model.shape), source, torch.zeros(1, len(AU_VOCABULARY)), return_attention=True
    )
    shapes = {name: tuple(value.shape[1:]) for name, value in out._asdict().items()}
    assert summarise_model(model, source).outputs == shapes


@pytest.mark.parametrize(
    ("switch", "idle"),
    [("graph", {"spatial", "fusion"}), ("temporal", {"temporal", "fusion"}), ("cross_attention", {"fusion"})],
)
def test_a_part_that_is_switched_off_gives_nothing(switch, idle):
    summary = summarise_model(made("quick", *TINY, f"model.{switch}=false"))
    assert {key for key in ("spatial", "temporal", "fusion") if not summary.part(key).outputs} == idle
    assert all(summary.part(key).flops == 0 for key in idle)


def test_nothing_of_the_model_is_changed():
    model = made("quick", *TINY)
    summarise_model(model)
    assert not any(module._forward_hooks for module in model.modules())


def test_the_page_of_dimensions_has_the_shapes_of_both_presets():
    rows = [line.split("|")[1:-1] for line in PAGE.read_text().split("## Dimensions")[1].splitlines() if "|" in line][
        2:
    ]
    listed = {
        re.sub(r"`", "", row[0]).strip(): [[int(n) for n in re.findall(r"\d+", cell)] for cell in row[2:]]
        for row in rows
    }
    for column, preset in enumerate(("default", "paper")):
        config = Config.preset(preset)
        model = STAG(config.model, layout=config.motion.layout, steps=config.motion.steps, classes=CLASSES)
        outputs = summarise_model(model).outputs
        graph, temporal, fusion = (
            summarise_model(model).part(key).outputs for key in ("spatial", "temporal", "fusion")
        )
        expected = {
            "motion X": model.shape, "nodes E0, H": summarise_model(model).part("embedding").outputs[0],
            "graph A of all layers": outputs["adjacency"], "step weights w": outputs["temporal_attention"],
            "graph feature z_g": graph[0], "region tokens N": graph[1], "temporal feature z_t": temporal[0],
            "fused feature z": fusion[0], "final": outputs["features"], "AU scores": outputs["au_logits"],
            "initial graph A0": outputs["adjacency"][2:],
        }  # fmt: skip
        for name, shape in expected.items():
            assert listed[name][column] == list(shape), (preset, name)
        tokens = listed["tokens Z"][column]
        assert tokens == [temporal[1][0] + 1, temporal[1][1]]
        assert prod(listed["AU embedding e_a"][column]) == outputs["features"][0] - fusion[0][0]
