"""Networks named by the functions that make them."""

import numpy as np
import pytest

from cem_jax.network.factory import made_by

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
        ("models_of_mine:missing", "AttributeError"),
        ("models_of_mine:failing", "KeyError: 'weights'"),
        ("models_of_mine:number", "it made a int"),
    ],
)
def test_what_cannot_be_made_is_named(factory, message, there):
    with pytest.raises(ValueError, match=message) as caught:
        made_by(factory)
    assert factory in str(caught.value)
