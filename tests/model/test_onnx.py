"""The exported model says what torch says, about itself too."""

import json

import numpy as np
import pytest
import torch

from stag.config import ModelConfig
from stag.errors import ModelError
from stag.model.onnx import OnnxSession, export_onnx
from stag.model.stag import STAG

CONFIG = ModelConfig(embed_dim=4, heads=2, graph_layers=1, transformer_layers=1, transformer_dim=4, fusion_dim=4)


@pytest.fixture(scope="module")
def model():
    return STAG(CONFIG, layout="roi14", steps=5, classes=("negative", "positive"), seed=1).eval()


@pytest.mark.parametrize("au_source", ["none", "predicted"])
def test_every_output_equals_torch_at_any_batch_size(model, tmp_path, au_source):
    path = tmp_path / "model.onnx"
    export_onnx(model, path, au_source=au_source)
    session = OnnxSession(path)
    for clips in (1, 3, 8):
        motion = np.random.default_rng(clips).normal(0, 1, (clips, 5, 14, 2)).astype(np.float32)
        motion[0] = 0
        with torch.no_grad():
            out = model.forward_from(torch.from_numpy(motion), au_source, return_attention=True)
        answer = session(motion)
        for name in answer._fields:
            np.testing.assert_allclose(getattr(answer, name), getattr(out, name).numpy(), atol=1e-5)
    assert session.description["classes"] == ["negative", "positive"]
    assert session.description["au_source"] == au_source
    assert session.description["layout"] == "roi14"


def test_what_cannot_be_exported_or_read_is_said_in_one_sentence(model, tmp_path):
    with pytest.raises(ModelError, match="no input for expert codes"):
        export_onnx(model, tmp_path / "x.onnx", au_source="annotated")
    assert list(tmp_path.iterdir()) == []
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"broken\.onnx: cannot be read as ONNX"):
        OnnxSession(broken)
    with pytest.raises(ModelError, match=r"absent\.onnx: cannot be read"):
        OnnxSession(tmp_path / "absent.onnx")


def test_a_foreign_file_is_refused(tmp_path):
    import onnx

    node = onnx.helper.make_node("Identity", ["a"], ["b"])
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "ab"]
    graph = onnx.helper.make_graph([node], "g", values[:1], values[1:])
    foreign = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(foreign, tmp_path / "foreign.onnx")
    with pytest.raises(ModelError, match="not written by `stag export`"):
        OnnxSession(tmp_path / "foreign.onnx")
    foreign.metadata_props.add(key="stag", value=json.dumps({"classes": []}))
    onnx.save(foreign, tmp_path / "foreign.onnx")
    assert OnnxSession(tmp_path / "foreign.onnx").description == {"classes": []}
