import numpy as np
import pytest
import torch

from stag.errors import ConfigError, ModelError
from stag.explanation.explain import explain, explain_many
from stag.explanation.methods import METHODS
from stag.inference.probabilities import mirror, model_views
from stag.motion.regions import LAYOUTS
from stag.motion.transforms import mirror_order


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layout", ["roi20", "roi18", "roi14"])
def test_every_method_gives_one_kind_of_answer(make_model, make_motion, method, layout):
    regions = len(LAYOUTS[layout])
    model, motion = make_model(layout=layout), make_motion(n=1, regions=regions)[0]
    found = explain(model, motion, method=method, target="positive")
    assert found.values.shape == (6, regions)
    assert found.values.dtype == np.float64
    assert np.isfinite(found.values).all()
    assert (found.method, found.class_name, found.au_source, found.layout) == (method, "positive", "none", layout)
    assert found.signed or (found.values >= 0).all()
    assert (found.vectors is not None) == (method == "ig")
    assert (found.attention is not None) == ("attention" in method)
    assert 0 < found.probability < 1
    np.testing.assert_allclose(found.by_channel, found.values.sum(axis=0))
    np.testing.assert_allclose(found.by_step, found.values.sum(axis=1))


@pytest.mark.parametrize("method", METHODS)
def test_the_mirror_image_has_the_mirrored_reason(make_model, make_motion, method):
    model, motion = make_model(5), make_motion(n=1, seed=5)
    here = explain(model, motion[0], method=method)
    there = explain(model, mirror(motion, "roi18")[0], method=method)
    assert there.class_name == here.class_name
    assert there.probability == pytest.approx(here.probability, abs=1e-5)
    np.testing.assert_allclose(there.values, here.values[:, list(mirror_order("roi18"))], atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_many_clips_at_once_are_those_one_by_one(make_model, make_motion, method):
    model, motion = make_model(6), make_motion(seed=6)
    for many, clip in zip(explain_many(model, motion, method=method), motion, strict=True):
        alone = explain(model, clip, method=method)
        assert many.class_name == alone.class_name
        np.testing.assert_allclose(many.values, alone.values, atol=1e-5)


def test_the_most_probable_class_is_explained_unless_told_otherwise(make_model, make_motion):
    model, motion = make_model(), make_motion(n=8)
    with torch.no_grad():
        seen = [view.of(motion, "roi18", cumulative=True) for view in model_views(model.info)]
        expected = torch.stack([torch.softmax(model(view).logits, dim=-1) for view in seen]).mean(dim=0).numpy()
    found = explain_many(model, motion, method="gradcam")
    assert [f.class_name for f in found] == [model.classes[i] for i in expected.argmax(axis=1)]
    assert [f.probability for f in found] == pytest.approx(expected.max(axis=1), abs=1e-5)
    assert explain(model, motion[0], method="gradcam", target=2).class_name == "surprise"
    assert [f.class_name for f in explain_many(model, motion[:2], method="gradcam", target=[1, 0])] == [
        "positive",
        "negative",
    ]


def test_values_add_up_to_the_score(make_model, make_motion):
    found = explain(make_model(), make_motion()[0])
    assert found.values.sum() == pytest.approx(found.score - found.checks["still_score"], abs=0.02)
    assert found.checks["completeness_gap"] < 0.02
    np.testing.assert_allclose(found.vectors.sum(axis=-1), found.values, atol=1e-5)


def test_action_units_are_an_input_where_they_are_asked_for(make_model, make_motion):
    model, clip = make_model(), make_motion()[0]
    codes = np.zeros(len(model.info.au_vocabulary))
    codes[:3] = 1
    none, told = explain(model, clip), explain(model, clip, au=codes)
    predicted = explain(model, clip, au_source="predicted")
    assert [found.au_source for found in (none, told, predicted)] == ["none", "annotated", "predicted"]
    assert not np.allclose(none.values, told.values)
    assert not np.allclose(none.values, predicted.values)
    for method in METHODS:
        assert explain(model, clip, method=method, au_source="predicted").values.shape == (6, 18)


def test_it_leaves_the_model_and_the_global_generator_alone(make_model, make_motion):
    model = make_model()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    for method in METHODS:
        with torch.no_grad():
            explain(model, make_motion()[0], method=method)
    assert torch.random.get_rng_state().equal(state)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"method": "saliency"}, ConfigError, "no explanation method 'saliency'"),
        ({"target": "joy"}, ConfigError, "no class 'joy'; the model knows negative"),
        ({"target": 3}, ConfigError, "expected 0 to 2"),
        ({"au_source": "expert"}, ConfigError, "no AU source 'expert'"),
        ({"au_source": "annotated"}, ConfigError, "do not go together"),
        ({"au_source": "none", "au": np.zeros(24)}, ConfigError, "do not go together"),
        ({"au": np.zeros(3)}, ModelError, "au has shape"),
    ],
)
def test_what_does_not_fit_is_refused(make_model, make_motion, options, kind, words):
    with pytest.raises(kind, match=words):
        explain(make_model(), make_motion()[0], **{"method": "gradcam", **options})


def test_motion_that_does_not_fit_is_refused(make_model, make_motion):
    model = make_model()
    with pytest.raises(ModelError, match="expects"):
        explain(model, np.zeros((7, 18, 2)), method="gradcam")
    with pytest.raises(ModelError, match=r"shape \(T, R, 2\)"):
        explain(model, make_motion(), method="gradcam")
    broken = make_motion()[0]
    broken[2, 3, 1] = torch.nan
    with pytest.raises(ModelError, match="NaN"):
        explain(model, broken, method="gradcam")


def test_a_still_clip_has_an_answer_without_a_reason(make_model):
    found = explain(make_model(), np.zeros((6, 18, 2)))
    assert np.abs(found.values).max() == 0
    assert found.score == pytest.approx(found.checks["still_score"], abs=1e-5)
