"""The file of facts says what the architectures say."""

import inspect
import json

import pytest

import cem_jax as cem
from cem_jax.models import facts, registry, write_facts


def test_the_file_has_every_network():
    assert list(cem.models.names()) == [entry.name for entry in registry.entries()]
    again = "python -m cem_jax.models.write_facts"
    assert list(cem.models.names()) == sorted(cem.models.names()), again


@pytest.mark.parametrize("name", cem.models.names())
def test_the_facts_are_those_of_the_architecture(name):
    again = "write them anew: python -m cem_jax.models.write_facts"
    assert cem.models.describe(name) == registry.described(registry.find(name)), again


def test_the_file_is_as_it_is_written(monkeypatch):
    few = registry.entries()[:2]
    monkeypatch.setattr(write_facts, "entries", lambda: few)
    lines = facts.FILE.read_text("utf-8").splitlines()
    assert write_facts.facts().splitlines()[1:-1] == [lines[1], lines[2].rstrip(",")]
    assert len(json.loads(facts.FILE.read_text("utf-8"))) == len(lines) - 2


@pytest.mark.parametrize("name", ["EDRS-compact", "", 3, None, ["EDSR"], "\x1b[31mEDSR"])
def test_a_name_that_is_unknown_is_refused_with_the_nearest(name):
    for ask in (cem.models.describe, cem.models.bundled_weights, cem.models.find):
        with pytest.raises(ValueError, match=r"is not a known network; (nearest|known)") as error:
            ask(name)
        assert "\x1b" not in str(error.value)


def test_bundled_weights_are_there():
    bundled = [name for name in cem.models.names() if cem.models.describe(name).bundled]
    assert bundled and all(cem.models.bundled_weights(name).is_file() for name in bundled)
    assert cem.models.bundled_weights("DnCNN") is None


def test_functions_and_modules_of_one_folder_have_different_names():
    for name in cem.models.__all__:
        assert not inspect.ismodule(getattr(cem.models, name)), name
