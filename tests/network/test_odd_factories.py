"""Factories as users write them: names of all forms, code that ends, moves or imports late."""

import os
import sys

import numpy as np
import pytest

import cem_jax as cem
from cem_jax import own_file
from cem_jax.network.factory import made_by

IMAGE = np.ones((1, 5, 6, 3), np.float32)
ODD = """
import os, sys
import jax
import jax.numpy as jnp
from flax import linen

class Holder:
    def make(self):
        return lambda x: 2 * x
    @staticmethod
    def alone():
        return lambda x: 2 * x

holder = Holder()

def moves():
    os.chdir(os.sep)
    return lambda x: 2 * x

def late():
    def restore(x):
        import odd_and_late
        return odd_and_late.GAIN * x
    return restore

async def later():
    return lambda x: x

def ends():
    sys.exit(3)

class Lin(linen.Module):
    def __call__(self, x):
        return x

def linen_pair():
    return Lin(), {}

def kind():
    return Holder
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_file._Later, "folders", [])  # as in a process of its own
    (tmp_path / "odd.py").write_text(ODD)
    (tmp_path / "odd_and_late.py").write_text("GAIN = 2\n")
    yield tmp_path / "odd.py"
    sys.modules.pop("odd_and_late", None)


@pytest.mark.parametrize("name", ["holder.make", "Holder.alone"])
def test_what_is_wanted_may_be_an_attribute_of_an_attribute(name, file):
    network = made_by(f"{file}:{name}")
    assert network.name == name and network(IMAGE).max() == 2


@pytest.mark.parametrize(
    "factory",
    ["odd.py", "odd", "odd/:f", "odd.py :f", "odd.py::f", "odd:odd:f", ".odd:f", "odd..x:f", "-:f",
     "odd.py:f()", "odd.py: f", "odd.py:f ", "odd.py:a..b", ""],
)  # fmt: skip
def test_another_form_is_told_which_there_are(factory, file):
    with pytest.raises(ValueError) as caught:
        made_by(factory)
    forms = "expected package.module:function, file.py:function or file.onnx"
    assert str(caught.value) == f"factory={factory!r}: {forms}"


def test_a_factory_that_moves_leaves_the_process_where_it_was(file):
    before = os.getcwd()
    assert made_by(f"{file}:moves")(IMAGE).max() == 2
    assert os.getcwd() == before


@pytest.mark.parametrize("factory", ["odd.py:late", "odd:late"])
def test_code_may_import_what_lies_beside_it_when_it_is_called(factory, file):
    sys.modules.pop("odd", None)
    before = list(sys.path)
    assert made_by(factory)(IMAGE).max() == 2
    assert sys.path == before
    sys.modules.pop("odd", None)


def test_a_late_import_of_what_lies_in_two_folders_is_refused(file, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "odd.py").write_text(ODD.replace("odd_and_late", "odd_and_twice"))
    for folder in (other, tmp_path):
        (folder / "odd_and_twice.py").write_text("GAIN = 2\n")
    made_by(f"{file}:moves")
    network = made_by(f"{other}/odd.py:late")
    with pytest.raises(ImportError, match=r"odd_and_twice is in .* and also in .*two processes"):
        network(IMAGE)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("later", "it made a coroutine; expected a torch or NNX module"),
        ("ends", r"its code ends the process \(SystemExit: 3\); expected .*__main__"),
        ("linen_pair", "fn=Lin: a Linen module; call cem_jax.wrap"),
        ("kind", "fn=Holder: a class"),
    ],
)
def test_what_cannot_be_a_network_is_told_with_the_factorys_name(name, message, file):
    with pytest.raises(ValueError, match=message) as caught:
        made_by(f"{file}:{name}")
    assert str(caught.value).startswith(f"factory='{file}:{name}': ")


def test_a_missing_package_is_told_with_where_it_was_looked_for(file):
    with pytest.raises(ValueError, match=r"No module named 'no_such'; looked for in .*installed"):
        made_by("no_such.package:make")
    (file.parent / "needs.py").write_text("import no_such\n")
    with pytest.raises(ValueError, match=r"No module named 'no_such'$"):
        made_by("needs.py:make")


def test_records_tell_the_file_beside_the_label(file):
    network = made_by(f"{file}:moves", label="mine")
    assert network.name == "mine"
    assert network.source is not None and network.source.startswith("odd.py:moves sha256:")
    image = np.full((16, 16, 3), 0.4, np.float32)
    scene = cem.Scene.custom(image, image, lambda patch, y, x, key: patch)
    for one in (network, cem.wrap(lambda x: 2 * x, receptive_radius=0)):
        found = cem.causal_effect_map(
            one, scene, cem.ROI(0, 0, 8, 8), plan=cem.Fixed(1), progress=False
        )
        assert found.provenance["network"] == one.name
        assert found.provenance.get("network_source") == one.source


def test_a_network_that_has_a_file_of_its_own_tells_that(file):
    file.write_text("import cem_jax as cem\ndef make():\n    return cem.load('DnCNN-compact')\n")
    source = made_by(f"{file}:make").source
    assert source is not None and source.startswith("DnCNN-compact.safetensors sha256:")
