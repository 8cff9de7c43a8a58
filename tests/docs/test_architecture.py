"""Data flows one way: what a module imports stands below it."""

import ast
import re

import pytest
from architecture import (
    ORDER,
    PICTURE,
    circle,
    folder_of,
    folders,
    graph,
    imports_in,
    modules,
    picture,
)

import cem_jax as cem

PUBLIC = {"cem_jax", "cem_jax.models"}
TRAINING = {
    "degradations": {
        f"cem_jax.scene.degrade.{step}"
        for step in ("bicubic", "haze", "jpeg", "kernel", "low_light", "noise", "rain")
    },
    "training_data": {"cem_jax.scene.degrade.rain"},
    "recipes": {"cem_jax.models.compact", "cem_jax.models.entry", "cem_jax.models.registry"},
    "train": {"cem_jax.models.compact", "cem_jax.models.convert", "cem_jax.store.lock"},
}
"""Training makes what the package bundles, and stands on what scenes and the zoo are made of."""


@pytest.mark.parametrize("folder", ORDER)
def test_a_folder_imports_only_from_below(folder):
    allowed = ORDER[: ORDER.index(folder)]
    upwards = folders()[folder] - set(allowed)
    if folder == "cli":  # commands import what they run when they run it
        upwards -= {"experiments"}
    assert not upwards, f"{folder} imports {sorted(upwards)}, which stand above it"


def test_no_module_imports_itself_by_a_detour():
    edges = {name: {t for t in targets if t != "cem_jax"} for name, targets in graph().items()}
    del edges["cem_jax"]
    assert circle(edges) is None


def test_a_circle_is_found_where_there_is_one():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None


@pytest.mark.parametrize("text", [
    "import cem_jax.view.plot", "def f():\n    from cem_jax.view import plot",
    "from ..view.plot import plot", "from ..view import plot",
    'importlib.import_module("cem_jax.view.plot")', '__import__("cem_jax.view.plot")',
    'NAME = "cem_jax.view.plot"\nimport_module(NAME)',
])  # fmt: skip
def test_an_import_is_seen_however_it_is_written(text):
    known = set(modules())
    assert imports_in(text, "cem_jax.map.extremes", False, known) == {"cem_jax.view.plot"}


def test_models_and_the_cone_know_nothing_of_effects():
    for name, targets in graph().items():
        if folder_of(name) in ("models", "cone"):
            own = f"cem_jax.{folder_of(name)}"
            assert all(target.startswith(own) for target in targets), (name, targets)


@pytest.mark.parametrize("name", [n for n in modules() if n.startswith("cem_jax.experiments")])
def test_experiments_use_what_users_can_use(name):
    ours = {target for target in graph()[name] if not target.startswith("cem_jax.experiments")}
    beside = TRAINING.get(name.removeprefix("cem_jax.experiments."), set())
    assert ours - PUBLIC == beside, "public names stand in cem_jax/__init__.py"


def test_every_folder_says_what_it_is():
    for name, path in modules().items():
        if path.name == "__init__.py" and "data" not in name.split("."):
            assert ast.get_docstring(ast.parse(path.read_text())), path


@pytest.mark.parametrize("folder", ORDER[2:-1])
def test_a_folder_says_what_it_imports(folder):
    doc = ast.get_docstring(ast.parse(modules()[f"cem_jax.{folder}"].read_text())) or ""
    told = re.search(r"Imports (.*?)\.( |$)", " ".join(doc.split()))
    assert told, doc
    named, own = set(re.findall(r"`(\w+)`", told[1])), folders()[folder] - {"root"}
    if told[1].endswith("and below"):
        assert named and named <= own
    elif told[1] != "all folders before it":
        assert named == own and (named or told[1] == "nothing of ours")


def test_the_picture_shows_the_imports():
    assert PICTURE.read_text() == picture(), "draw it anew: python tests/architecture.py"


def test_the_stub_holds_the_public_names():
    tree = ast.parse(modules()["cem_jax"].with_suffix(".pyi").read_text())
    stubs = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(stubs) == set(cem.__all__) == set(dir(cem))
    for name in cem.__all__:
        found = getattr(cem, name)
        if name != "models":
            source = stubs[name].rpartition(".")[0]
            assert getattr(__import__(source, fromlist=[name]), name) is found, name
