import json
import stat
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from stag.config import ModelConfig
from stag.errors import ModelError
from stag.model.folder import fresh_folder
from stag.model.stag import STAG

CONFIG = ModelConfig(
    embed_dim=4, embed_hidden=4, heads=2, graph_layers=1, graph_dim=4, transformer_layers=1, transformer_dim=4,
    fusion_dim=4, au_embed_dim=2,
)  # fmt: skip


def _model(seed=0):
    model = STAG(CONFIG, layout="roi14", steps=3, classes=("negative", "positive"), seed=seed)
    model.info = replace(model.info, motion={"flow": "dis"}, training={"datasets": ["a"], "clips": 7})
    return model


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "models" / "mine"
    _model().save_pretrained(folder)
    return folder


def _same(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def test_round_trip_is_exact(saved):
    model = _model()
    loaded = STAG.from_pretrained(saved)
    assert loaded.info == model.info
    assert _same(loaded, model)
    assert not loaded.training
    motion = torch.randn(2, 3, 14, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded(motion).logits, model.eval()(motion).logits)


def test_folder_holds_exactly_the_model_and_its_card(saved):
    assert sorted(p.name for p in saved.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert [p.name for p in saved.parent.iterdir()] == ["mine"]
    assert "negative, positive" in (saved / "README.md").read_text()
    assert json.loads((saved / "config.json").read_text())["layout"] == "roi14"


def test_the_same_model_gives_the_same_bytes(saved, tmp_path):
    _model().save_pretrained(tmp_path / "again")
    for name in ("config.json", "model.safetensors"):
        assert (saved / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_replacing_a_model_keeps_the_files_of_others(saved):
    (saved / "versions.json").write_text("{}")
    (saved / "plots").mkdir()
    (saved / "plots" / "a.png").write_bytes(b"1")
    _model(1).save_pretrained(saved)
    assert _same(STAG.from_pretrained(saved), _model(1))
    assert (saved / "versions.json").read_text() == "{}"
    assert (saved / "plots" / "a.png").read_bytes() == b"1"
    assert [p.name for p in saved.parent.iterdir()] == ["mine"]


@pytest.mark.parametrize("damage", ["weight", "summary", "vocabulary"])
def test_a_save_that_fails_leaves_the_old_model(saved, damage):
    bad = _model(1)
    if damage == "weight":
        bad.classifier.bias.data[0] = torch.nan
        message = "classifier.bias"
    elif damage == "summary":
        bad.info = replace(bad.info, training={"seed": torch.zeros(1)})
        message = "not JSON"
    else:
        bad = STAG(CONFIG, layout="roi14", steps=3, classes=("a", "b"), au_vocabulary=(1, 2))
        message = "AU vocabulary"
    with pytest.raises(ModelError, match=message):
        bad.save_pretrained(saved)
    assert _same(STAG.from_pretrained(saved), _model())
    assert [p.name for p in saved.parent.iterdir()] == ["mine"]


def test_a_folder_that_is_replaced_keeps_its_permissions(tmp_path):
    private = tmp_path / "model"
    private.mkdir(mode=0o700)
    with fresh_folder(private) as fresh:
        (fresh / "x").touch()
    assert (stat.S_IMODE(private.stat().st_mode), [p.name for p in private.iterdir()]) == (0o700, ["x"])


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(ModelError, match="taken: is a file"):
        _model().save_pretrained(tmp_path / "taken")
    with pytest.raises(ModelError, match="cannot be written"):
        _model().save_pretrained(tmp_path / "taken" / "below")
    assert (tmp_path / "taken").read_text() == "mine"


def _edit(folder, **changes):
    path = folder / "config.json"
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in values.items() if value is not ...}, default=str))


def _reweigh(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def _rewrite(folder, name, change):
    path = folder / name
    path.write_bytes(change(path.read_bytes()))


DAMAGE = {
    "no config": (lambda f: (f / "config.json").unlink(), r"has no config\.json"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), r"has no model\.safetensors"),
    "bad json": (lambda f: _rewrite(f, "config.json", lambda b: b[:40]), r"config\.json: is not JSON"),
    "not text": (lambda f: _rewrite(f, "config.json", lambda b: b"\xff\xfe"), r"config\.json: is not JSON"),
    "no object": (lambda f: _rewrite(f, "config.json", lambda b: b"[1]"), "expected a JSON object"),
    "future format": (lambda f: _edit(f, format=3), "format is 3.*update stag"),
    "earlier format": (lambda f: _edit(f, format=1), "format 1 is of an earlier stag.*train the model again"),
    "entry missing": (lambda f: _edit(f, classes=...), "has no entry 'classes'"),
    "entry unknown": (lambda f: _edit(f, colour="red"), "unknown entry 'colour'"),
    "layout": (lambda f: _edit(f, layout="roi99"), "layout is 'roi99'"),
    "layout type": (lambda f: _edit(f, layout=["roi18"]), "layout is"),
    "steps": (lambda f: _edit(f, steps=True), "steps is True"),
    "classes": (lambda f: _edit(f, classes=["a"]), "classes is"),
    "classes twice": (lambda f: _edit(f, classes=["a", "a"]), "one class twice"),
    "au vocabulary": (lambda f: _edit(f, au_vocabulary=[1, 2]), "AU vocabulary"),
    "motion": (lambda f: _edit(f, motion=3), "motion is int"),
    "model setting": (lambda f: _edit(f, model={"hedas": 2}), "model.hedas"),
    "model value": (lambda f: _edit(f, model={"heads": 0}), "model.heads = 0"),
    "model type": (lambda f: _edit(f, model=5), "model = 5"),
    "indivisible": (lambda f: _edit(f, model=CONFIG.model_dump() | {"heads": 3}), "heads = 3"),
    "other widths": (
        lambda f: _edit(f, model=CONFIG.model_dump() | {"graph_dim": 6}),
        r"'spatial\.project\.weight' has shape \(4, 56\); expected \(6, 56\)",
    ),
    "other layout": (lambda f: _edit(f, layout="roi18"), r"'spatial\..* has shape"),
    "tensor missing": (lambda f: _reweigh(f, lambda t: t.pop("temporal.cls")), "has no tensor 'temporal.cls'"),
    "tensor unknown": (lambda f: _reweigh(f, lambda t: t.update(extra=torch.ones(1))), "unknown tensor 'extra'"),
    "tensor shape": (
        lambda f: _reweigh(f, lambda t: t.update({"temporal.cls": torch.ones(5)})),
        r"'temporal.cls' has shape \(5,\); expected \(4,\)",
    ),
    "tensor type": (
        lambda f: _reweigh(f, lambda t: t.update({"temporal.cls": torch.ones(4).half()})),
        "'temporal.cls' is torch.float16",
    ),
    "tensor nan": (
        lambda f: _reweigh(f, lambda t: t.update({"temporal.cls": torch.full((4,), torch.nan)})),
        "'temporal.cls' holds NaN",
    ),
    "truncated": (lambda f: _rewrite(f, "model.safetensors", lambda b: b[:-9]), "damaged or truncated"),
    "header only": (lambda f: _rewrite(f, "model.safetensors", lambda b: b[:5]), "damaged or truncated"),
    "empty": (lambda f: _rewrite(f, "model.safetensors", lambda b: b""), "damaged or truncated"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_refused_by_name(saved, name):
    damage, message = DAMAGE[name]
    damage(saved)
    with pytest.raises(ModelError, match=message) as caught:
        STAG.from_pretrained(saved)
    assert str(saved) in str(caught.value)


def test_a_private_file_of_a_model_that_is_replaced_stays_private(tmp_path):
    _model().save_pretrained(tmp_path)
    (tmp_path / "config.json").chmod(0o600)
    _model(1).save_pretrained(tmp_path)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes["config.json"] == 0o600
    assert modes["model.safetensors"] & 0o600 == 0o600
