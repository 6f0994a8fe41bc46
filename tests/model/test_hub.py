from pathlib import Path

import huggingface_hub
import pytest
import torch

from stag.config import ModelConfig
from stag.errors import ModelError
from stag.model.stag import STAG


def _model():
    config = ModelConfig(embed_dim=4, heads=2, graph_layers=1, transformer_layers=1, transformer_dim=4, fusion_dim=4)
    return STAG(config, layout="roi14", steps=3, classes=("negative", "positive"))


@pytest.fixture
def saved(tmp_path):
    _model().save_pretrained(tmp_path / "mine")
    return tmp_path / "mine"


@pytest.mark.parametrize("name", [Path("owner/name"), "./nowhere", "/no/such/folder", "nowhere", "a/b/c", "~/x"])
def test_a_missing_local_folder_never_asks_the_hub(monkeypatch, name):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: pytest.fail("asked the hub"))
    with pytest.raises(ModelError, match="no such model folder"):
        STAG.from_pretrained(name)


def test_a_hub_name_is_downloaded(monkeypatch, saved):
    asked = []
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **k: asked.append((name, k)) or str(saved))
    loaded, model = STAG.from_pretrained("owner/name", revision="v1"), _model()
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), model.parameters(), strict=True))
    (name, options) = asked[0]
    assert name == "owner/name"
    assert options["revision"] == "v1"
    assert options["allow_patterns"] == ["config.json", "model.safetensors"]


def test_a_hub_that_refuses_is_a_model_error(monkeypatch):
    def refuse(*args, **kwargs):
        raise ConnectionError("no network\nmore")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(ModelError, match=r"owner/name: no such folder here.*\(no network\)"):
        STAG.from_pretrained("owner/name")


def test_a_misspelt_argument_is_refused(saved):
    with pytest.raises(TypeError, match="revison"):
        STAG.from_pretrained(saved, revison="v1")


def test_pushing_uploads_the_folder(monkeypatch, tmp_path):
    uploaded = {}

    class Hub:
        def __init__(self, **kwargs):
            pass

        def create_repo(self, repo_id, **kwargs):
            return type("Repo", (), {"repo_id": repo_id})()

        def upload_folder(self, *, repo_id, folder_path, **kwargs):
            uploaded[repo_id] = sorted(p.name for p in Path(folder_path).iterdir())
            return "https://hub/commit"

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    expected = {"owner/name": ["README.md", "config.json", "model.safetensors"]}
    assert _model().push_to_hub("owner/name") == "https://hub/commit"
    assert uploaded == expected
    uploaded.clear()
    assert _model().save_pretrained(tmp_path / "m", push_to_hub=True, repo_id="owner/name") == "https://hub/commit"
    assert uploaded == expected
