"""Fabricated trees of every set: the full ones are made once, and copies share their files."""

import pytest

from planted import SMALL, Tree, link_tree
from stag.simulate.fabricated.tree import simulate_tree


@pytest.fixture(scope="session")
def full_tree(tmp_path_factory):
    """``full_tree("casme2", "2019")``: a tree with as many clips as the published set; not to be changed."""
    made = {}

    def build(name, *variants):
        if (name, variants) not in made:
            root = tmp_path_factory.mktemp("full") / name
            made[name, variants] = simulate_tree(root, name, tiny=True, size=(12, 8), variants=variants)
        return made[name, variants]

    return build


@pytest.fixture
def full_copy(full_tree, tmp_path):
    """A full tree to plant faults in; files are replaced there, never written into."""
    return lambda name, *variants: Tree(name, link_tree(full_tree(name, *variants), tmp_path / "full copy" / name))


@pytest.fixture(scope="session")
def small_trees(tmp_path_factory):
    made = {}

    def build(name):
        if name not in made:
            root = tmp_path_factory.mktemp("small") / name
            made[name] = simulate_tree(root, name, tiny=True, size=(12, 8), subjects=3, clips=SMALL[name], seed=5)
        return made[name]

    return build


@pytest.fixture
def small_copy(small_trees, tmp_path):
    """A tree of three people to plant faults in."""
    return lambda name: Tree(name, link_tree(small_trees(name), tmp_path / name))
