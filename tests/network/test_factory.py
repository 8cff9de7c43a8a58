"""Networks named by the functions that make them."""

import sys

import numpy as np
import pytest

from cem_jax.network.factory import made_by
from cem_jax.network.host_digest import digest_module
from cem_jax.own_file import import_file

FACTORIES = """
import jax.numpy as jnp
from flax import nnx
import cem_jax as cem

def function():
    return lambda x: 2 * x

def pair():
    return (lambda params, x: params["gain"] * x), {"gain": jnp.float32(2)}

class Twice(nnx.Module):
    def __call__(self, x):
        return 2 * x

module = Twice

def network():
    return cem.wrap(lambda x: 2 * x, name="as it is")

def number():
    return 2

def failing():
    raise KeyError("weights")

def torch():
    import torch
    class Twice(torch.nn.Module):
        def forward(self, x):
            return 2 * x
    return Twice()
"""


@pytest.fixture
def there(tmp_path, monkeypatch):
    (tmp_path / "models_of_mine.py").write_text(FACTORIES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["function", "pair", "module", "network", "torch"])
@pytest.mark.parametrize("where", ["models_of_mine", "models_of_mine.py"])
def test_all_kinds_of_networks_are_made(name, where, there):
    if name == "torch":
        pytest.importorskip("torch")
    network = made_by(f"{where}:{name}")
    assert network.name == ("as it is" if name == "network" else name)
    x = np.random.default_rng(0).random((2, 5, 6, 3), np.float32)
    np.testing.assert_allclose(network(x), 2 * x)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("models_of_mine", r"package\.module:function"),
        (":function", r"package\.module:function"),
        ("models_of_mine:a b", r"package\.module:function"),
        ("missing_module:function", "ModuleNotFoundError"),
        ("missing.py:function", "not a file"),
        ("models_of_mine:missing", "has no 'missing'; it has function, pair, "),
        ("models_of_mine.py:Modul", "has no 'Modul'; it has module"),
        ("models_of_mine:failing", "KeyError: 'weights'"),
        ("models_of_mine:number", "it made a int"),
    ],
)
def test_what_cannot_be_made_is_named(factory, message, there):
    with pytest.raises(ValueError, match=message) as caught:
        made_by(factory)
    assert factory in str(caught.value)


SOURCE = "from beside_me import GAIN\ndef make():\n    return lambda x: GAIN * x\n"
IMAGE = np.ones((1, 5, 6, 3), np.float32)


@pytest.fixture
def two_folders(tmp_path):
    for folder, gain in (("one", 2), ("two", 3)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "net.py").write_text(SOURCE)
        (tmp_path / folder / "beside_me.py").write_text(f"GAIN = {gain}\n")
    yield tmp_path
    sys.modules.pop("beside_me", None)


def test_a_file_imports_what_lies_beside_it(two_folders):
    before = list(sys.path)
    assert made_by(f"{two_folders}/one/net.py:make")(IMAGE).max() == 2
    assert sys.path == before


def test_modules_of_one_name_in_two_folders_are_never_taken_for_each_other(two_folders):
    made_by(f"{two_folders}/one/net.py:make")
    with pytest.raises(ValueError, match=r"imports beside_me, .*two and also .*one/beside_me\.py"):
        made_by(f"{two_folders}/two/net.py:make")
    assert made_by(f"{two_folders}/one/net.py:make")(IMAGE).max() == 2
    alone = two_folders / "two" / "net.py"
    alone.write_text("def make():\n    return lambda x: 3 * x\n")
    assert made_by(f"{alone}:make")(IMAGE).max() == 3


def test_a_file_named_like_a_package_is_the_users(tmp_path):
    torch = pytest.importorskip("torch")
    digests = []
    for gain in (2, 3):
        file = tmp_path / "torch.py"
        file.write_text(
            f"import torch\ndef twice(x):\n    return {gain} * x\nclass Net(torch.nn.Module):\n"
            "    def forward(self, x):\n        return twice(x)\n"
        )
        module = import_file(file).Net()
        digests.append(digest_module(module))
        assert module(torch.ones(1)).item() == gain
    assert None not in digests and digests[0] != digests[1]


def test_classes_of_a_file_know_their_module(tmp_path):
    file = tmp_path / "records.py"
    file.write_text(
        "from __future__ import annotations\nimport dataclasses\n@dataclasses.dataclass\n"
        "class Told:\n    gain: float = 2\ndef make():\n    return lambda x: Told().gain * x\n"
    )
    assert made_by(f"{file}:make")(IMAGE).max() == 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def make(width):\n    return lambda x: x", r"'width'.*takes nothing and returns"),
        ("make = lambda x: x", r"'x'.*takes nothing and returns"),
        ("from .other import make", r"a file of a package is named as package\.module:function"),
    ],
)
def test_what_a_file_cannot_be_is_told_with_the_way_out(source, message, tmp_path):
    (tmp_path / "odd.py").write_text(source)
    with pytest.raises(ValueError, match=message):
        made_by(f"{tmp_path}/odd.py:make")


def test_a_network_may_be_named_itself_and_keeps_its_facts(tmp_path):
    (tmp_path / "own.py").write_text(
        "import cem_jax as cem\nnetwork = cem.wrap(lambda x: 2 * x, name='own')\n"
        "def make():\n    return network\n"
    )
    for name in ("network", "make"):
        assert made_by(f"{tmp_path}/own.py:{name}").name == "own"
        with pytest.raises(ValueError, match="a Network, which has facts of its own"):
            made_by(f"{tmp_path}/own.py:{name}", receptive_radius=0)
