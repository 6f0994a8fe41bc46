"""What keeps somebody out of a page, as axe finds it."""

from pathlib import Path

import pytest

AXE = Path(__file__).parents[2] / "build/browser/node_modules/axe-core/axe.min.js"


def serious(page):
    """What axe finds that keeps somebody out; evaluated past the policy of the page, which refuses added scripts."""
    if not AXE.is_file():
        pytest.skip("axe-core is not there; make test-browser fetches it")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {iframes: false}).then((result) => result.violations)")
    return [
        (v["id"], [node["html"][:200] for node in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")
    ]
