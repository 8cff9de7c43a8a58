"""The examples in docstrings give what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import cem_jax as cem


def modules_with_examples() -> list[str]:
    """Modules of the package and of its networks in which an example stands."""
    found = []
    for package in (cem, cem.models):
        folder = Path(package.__file__).parent
        for path in sorted(folder.rglob("*.py")):
            if ">>> " in path.read_text():
                inner = path.relative_to(folder).with_suffix("").parts
                found.append(".".join([package.__name__, *inner]))
    return found


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_give_what_they_say(name):
    done = doctest.testmod(importlib.import_module(name))
    assert done.attempted and not done.failed
