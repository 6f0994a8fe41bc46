"""Every public name shows an example, and every example runs."""

import doctest
import sys

import pytest

import stag
from stag.api.evaluation import Result
from stag.api.prediction import Attribution, Prediction

PUBLIC = {name: getattr(stag, name) for name in stag.__all__ if name not in {"__version__", "datasets"}}
PUBLIC |= {"datasets": sys.modules["stag.datasets.clips"].datasets}
PUBLIC |= {"Prediction": Prediction, "Attribution": Attribution, "Result": Result}


@pytest.mark.parametrize("name", PUBLIC)
def test_the_example_runs(name, here):
    value = PUBLIC[name]
    names = vars(sys.modules[value.__module__]) | {"stag": stag}
    examples = doctest.DocTestParser().get_doctest(value.__doc__, names, name, None, None)
    assert examples.examples
    assert not any(doctest.SKIP in example.options for example in examples.examples)
    report = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.DocTestRunner(optionflags=flags).run(examples, out=report.append)
    assert not result.failed, "".join(report)
