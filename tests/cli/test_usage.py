"""Every verb, every mode, every option: what a mode does not read is refused in one sentence."""

import ast
import inspect
import textwrap
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Literal, get_args, get_origin

import pytest
import typer

from stag.cli import app
from stag.cli.options import CopyOptions, NoProgress
from stag.cli.paths import Reads, Writes
from stag.config import Config
from stag.errors import ConfigError
from stag.evaluation.evaluate import evaluate
from synthetic import synthetic_motion
from tiny import TINY

VERBS = {command.callback.__name__: command.callback for command in app.registered_commands}
PARAMETERS = {name: dict(inspect.signature(verb, eval_str=True).parameters) for name, verb in VERBS.items()}
for own in PARAMETERS.values():
    own.pop("ctx", None)

DASK = ["--backend", "dask"]
INTO = {
    ("explain", "with --score"): ["--score", "--out", "x"],
    ("explain", "without --score"): ["a.mp4", "--out", "x"],
    ("spot", "with --predictions"): ["--truth", "t.csv", "--predictions", "p.csv"],
    ("spot", "with --dataset"): ["--dataset", "samm-lv", "--root", "x"],
    ("spot", "without --dataset"): ["a.mp4"],
    ("spot", "with --loso, which spots and does not recognise"): ["--dataset", "samm-lv", "--root", "x", "--loso"],
    ("simulate", "with --as motion"): ["--as", "motion", "--out", "x.npz"],
    ("simulate", "with --as recordings"): ["--as", "recordings", "--out", "x"],
    ("simulate", "with --as manifest"): ["--as", "manifest", "--out", "x"],
    ("simulate", "with the tree of a published set"): ["--as", "samm", "--out", "x"],
    ("simulate", "with --tiny, which draws no faces"): ["--as", "samm", "--tiny", "--out", "x"],
    ("extract", "with --root"): ["casme2", "--root", "x", "--out", "x.npz"],
    ("extract", "without --root"): ["a.mp4", "--out", "x.npz"],
    ("extract", "with --backend dask, whose workers are the cluster's"): ["a.mp4", "--out", "x.npz", *DASK],
    ("evaluate", "with --train and --test"): ["--train", "a.npz", "--test", "b.npz", "--out", "x"],
    ("evaluate", "with --model"): ["a.npz", "--model", "megc3", "--out", "x"],
    ("evaluate", "without --model, --train or --test"): ["a.npz", "--out", "x"],
    ("evaluate", "with a --method that is not a network"): ["a.npz", "--method", "svm", "--out", "x"],
    ("evaluate", "with --scheduler, whose workers compute"): ["a.npz", "--scheduler", "tcp://x:1", "--out", "x"],
    ("evaluate", "with --protocol loso, which has a fold a subject"): ["a.npz", "--out", "x"],
    ("ablate", "with --protocol loso, which has a fold a subject"): ["a.npz", "--out", "x"],
    ("audit", "with --protocol loso, which has a fold a subject"): ["a.npz", "--out", "x"],
    ("reproduce", "with --protocol loso, which has a fold a subject"): ["table3", "--protocol", "loso"],
    ("reproduce", "with the counts of table2"): ["table2"],
    ("reproduce", "across data sets"): ["table6"],
    ("reproduce", "in a table that compares sources of action units"): ["table8"],
    ("figures", "on figures that show no clip"): ["--only", "embedding", "--out", "x"],
    ("figures", "without --clip"): ["--out", "x"],
    ("figures", "on figures of runs"): ["--only", "protocols", "--out", "x"],
    ("figures", "where nothing is trained"): ["--only", "motion", "--out", "x"],
    ("bench", "with --only memory"): ["--only", "memory"],
    ("bench", "on the parts that --only names"): ["--only", "predict,start"],
}  # fmt: skip
"""How to get into each mode; what is missing here fails the first test."""


def modes():
    return [(name, mode) for name, verb in VERBS.items() for mode in verb.modes]


def flag_and_value(parameter):
    """An option as a user types it, with a value that it accepts; an argument has no flag."""
    kind, info, *_ = get_args(parameter.annotation)
    if isinstance(info, typer.models.ArgumentInfo):
        return None, ["a.mp4"]
    flag = next(iter(info.param_decls or ()), None) or info.default
    flag = flag if isinstance(flag, str) else f"--{parameter.name.replace('_', '-')}"
    kinds = [part for part in get_args(kind) or [kind] if part is not NoneType]
    if bool in kinds:
        return flag, [flag]
    choices = get_args(kind) if get_origin(kind) is Literal else get_args(kinds[0])
    text = next((c for c in choices if isinstance(c, str)), "20" if {int, float} & set(kinds) else "x")
    return flag, [flag, text]


def options_without_effect():
    for name, mode in modes():
        for parameter in (other for other in PARAMETERS[name] if not mode.reads(other)):
            flag, words = flag_and_value(PARAMETERS[name][parameter])
            choosers = {word for other, its in modes() if other == name and its.takes for word in INTO[name, its.name]}
            if flag is not None and flag not in choosers:
                yield pytest.param(name, mode.name, flag, words, id=f"{name} {flag} {mode.name}")


def test_every_mode_can_be_entered_and_knows_its_options():
    assert set(INTO) == {(name, mode.name) for name, mode in modes()}
    for name, verb in VERBS.items():
        taken = [mode.takes.split() for mode in verb.modes if mode.takes]
        named = {word for mode in verb.modes for word in f"{mode.takes} {mode.ignores}".split()}
        assert named <= set(PARAMETERS[name])
        assert not taken or set().union(*taken) == set(PARAMETERS[name]), f"{name}: an option that no mode takes"


@pytest.mark.parametrize(("verb", "said", "flag", "words"), list(options_without_effect()))
def test_an_option_without_effect_is_refused(stag, monkeypatch, tmp_path, verb, said, flag, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    code, out, err = stag(verb, *INTO[verb, said], *words)
    assert (code, out) == (2, "")
    assert f"{flag} has no effect" in err
    assert list(tmp_path.iterdir()) == []


def names_in(code):
    """What a verb, or the methods of a group of options and of those that it extends, reads."""
    if not inspect.isclass(code):
        body = ast.parse(textwrap.dedent(inspect.getsource(code))).body[0].body
        nodes = [node for part in body for node in ast.walk(part)]
        return {node.id for node in nodes if isinstance(node, ast.Name)} | {
            node.attr for node in nodes if isinstance(node, ast.Attribute)
        }
    if code is CopyOptions:  # given to the library as a whole
        return {field.name for field in fields(code)}
    trees = [ast.parse(textwrap.dedent(inspect.getsource(one))) for one in code.__mro__ if is_dataclass(one)]
    return {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_read_and_every_path_says_what_is_done_with_it(verb):
    function = VERBS[verb].__wrapped__
    groups = [p.annotation for p in inspect.signature(function, eval_str=True).parameters.values()]
    read = {name for code in (function, *(group for group in groups if is_dataclass(group))) for name in names_in(code)}
    for name, parameter in PARAMETERS[verb].items():
        assert name in read or parameter.annotation == NoProgress, f"{verb}: {name} is never read"
        kind, *marks = get_args(parameter.annotation) or [parameter.annotation]
        named_path = "Path" in str(kind) or "DIR" in str(marks) or "FILE" in str(marks)
        if named_path:
            assert any(isinstance(mark, Reads | Writes) for mark in marks), (
                f"{verb}: {name} is neither read nor written"
            )


@pytest.mark.parametrize("verb", [name for name, own in PARAMETERS.items() if "config" in own])
def test_a_preset_beside_a_file_of_settings_is_refused(stag, monkeypatch, tmp_path, verb):
    monkeypatch.chdir(tmp_path)
    start = {"motion": ["a.mp4", "--out", "x.png"], "extract": ["a.mp4", "--out", "x.npz"], "reproduce": ["table3"]}
    words = start.get(verb, ["a.npz", "--out", "x"])
    code, _, err = stag(verb, *words, "--preset", "default", "--config", "c.toml")
    assert (code, "--preset has no effect beside --config" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "a.npz", "--out", "m", "--set", "motion.flow=dis"], "no settings of motion"),
        (["extract", "a.mp4", "--out", "m.npz", "--set", "train.epochs=3"], "no settings of train"),
        (["motion", "a.mp4", "--out", "m.png", "--set", "au=none"], "no settings of au"),
        (["evaluate", "a.npz", "--out", "x", "--au", "none", "--set", "au=predicted"], "--au gives the same setting"),
        (["reproduce", "table3", "--au", "none", "--set", "au=predicted"], "--au gives the same setting"),
        (
            ["evaluate", "--train", "a", "--test", "b", "--model", "m", "--out", "x"],
            "--train has no effect with --model",
        ),
        (["train", "a.npz", "--out", "m", "--seed", "1", "--set", "train.seed=2"], "--seed gives the same setting"),
    ],
)
def test_a_setting_without_effect_is_refused(stag, monkeypatch, tmp_path, arguments, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    code, out, err = stag(*arguments)
    assert (code, out, says in err) == (2, "", True)
    assert list(tmp_path.iterdir()) == []


def test_the_seed_of_the_settings_is_taken_by_training_and_refused_by_an_evaluation(stag, tmp_path):
    from stag.model.stag import STAG

    motion = synthetic_motion(subjects=3, clips=3)
    motion.save(tmp_path / "m.npz")
    small = [word for change in (*TINY, "train.epochs=1", "train.seed=5") for word in ("--set", change)]
    assert stag("train", tmp_path / "m.npz", "--out", tmp_path / "model", "--quiet", *small)[0] == 0
    assert STAG.from_pretrained(tmp_path / "model").info.training["seed"] == 5
    with pytest.raises(ConfigError, match=r"train\.seed = 5: .* `seeds`"):
        evaluate(motion, Config().override(["train.seed=5"]), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_source_of_action_units_in_a_reproduction_is_the_one_that_was_asked_for(stag, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    seen = []

    def reproduce(table, sources, settings, **options):
        seen.append(settings.au)
        raise ConfigError("enough")

    monkeypatch.setattr("stag.studies.paper.reproduce", reproduce)
    Path("c.toml").write_text('au = "none"\n')
    for words in ([], ["--set", "au=none"], ["--config", "c.toml"], ["--au", "predicted"]):
        assert stag("reproduce", "table3", *words)[0] == 1
    assert seen == ["annotated", "none", "none", "predicted"]


def test_a_demo_of_another_seed_is_refused(stag, tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "manifest.csv").write_text("clip_id\n")
    (corpus / "simulation.json").write_text('{"subjects": 12, "clips": 6, "seed": 0}')
    code, _, err = stag("demo", "--out", tmp_path, "--seed", 5)
    assert (code, "made with seed 0" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "working", "says"),
    [
        (["predict", "a.mp4"], "stag.inference.predictor.Predictor", "nothing was written"),
        (["train", "m.npz", "--out", "model"], "stag.training.fit.train", "nothing was written"),
        (["evaluate", "m.npz", "--out", "run"], "stag.evaluation.evaluate.evaluate", "goes on from there"),
        (
            ["evaluate", "m.npz", "--model", "megc3", "--out", "run"],
            "stag.evaluation.evaluate.evaluate_model",
            "nothing was written",
        ),
        (
            ["score", "a.csv", "--out", "a.json"],
            "stag.evaluation.prediction_file.score_predictions",
            "nothing was written",
        ),
        (["score", "a.csv", "--out", "b.json"], "WRITTEN", "only b.json was written"),
        (["serve"], "stag.web.serve.check_web_packages", "the page is closed"),
    ],
)
def test_ctrl_c_says_what_is_true_of_the_verb(stag, monkeypatch, tmp_path, arguments, working, says):
    monkeypatch.chdir(tmp_path)
    synthetic_motion(subjects=2, clips=2).save(tmp_path / "m.npz")

    def interrupted(*_, **__):
        if working == "WRITTEN":
            Path("b.json").write_text("{}")
        raise KeyboardInterrupt

    place = "stag.evaluation.prediction_file.score_predictions" if working == "WRITTEN" else working
    monkeypatch.setattr(place, interrupted)
    code, out, err = stag(*arguments, "--quiet")
    assert (code, out, err.count("\n")) == (130, "", 1)
    assert err == f"stag: interrupted; {err.partition('; ')[2]}"
    assert says in err
