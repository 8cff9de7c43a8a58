"""What holds for every network of the zoo, whatever its size and its weights.

By default networks are checked with few and narrow layers, and what must be computed is computed
for one name of each architecture (`test_models.py` runs every network as it is published).
`pytest -m long tests/test_zoo.py` checks everything for every network as it is published.
"""

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from parity_formula import image

import cem_jax as cem
from cem_jax.models import registry

NAMES = cem.models.names()
SIZE = (9, 12)
"""No multiple of what any network with strides or windows needs."""


SLOW = ("DRLN", "DRRN", "MIRNetV2", "MPRNet", "Restormer_DN", "SCUNet", "XRestormer_DN")
"""Even narrow, their gradients compile or run for many seconds: computed in the long form only."""
FIRST = {registry.find(name).architecture: name for name in reversed(NAMES)}
QUICK = tuple(name for name in FIRST.values() if name not in SLOW)


def both(names=NAMES):
    """Parameters of a test: these names small; in the long form every name as it is published."""
    full = [pytest.param(name, zoo.network, marks=pytest.mark.long, id=name) for name in NAMES]
    return [*(pytest.param(name, zoo.small_network, id=f"{name} small") for name in names), *full]


@functools.lru_cache(maxsize=64)
def output(make, name: str, salt: int = 0) -> np.ndarray:
    return np.asarray(make(name)(zoo.picture(name, *SIZE, salt=salt)))


def relative(got, want) -> float:
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))


@pytest.mark.parametrize(("name", "make"), both())
def test_images_of_any_size_are_restored_to_their_size(name, make):
    network = make(name)
    for size in ((1, 1), (2, 31)):
        x = jax.ShapeDtypeStruct((2, *size, zoo.channels(name)), np.float32)
        found = jax.eval_shape(network.apply, network.params, x)
        assert found.shape == (2, *(network.scale * side for side in size), x.shape[-1])
        assert found.dtype == np.float32


@pytest.mark.parametrize(("name", "make"), both(QUICK))
def test_a_call_changes_nothing_and_compiles_once(name, make):
    network = make(name)
    before = jax.tree.map(np.array, network.params)
    first = output(make, name)
    sides = (network.scale * side for side in SIZE)
    assert first.shape == (1, *sides, zoo.channels(name))
    assert np.isfinite(first).all()
    with jax.no_tracing():  # raises where anything is traced anew
        again = network(zoo.picture(name, *SIZE))
        other = network(zoo.picture(name, *SIZE, salt=1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    jax.tree.map(np.testing.assert_array_equal, before, network.params)


@pytest.mark.parametrize(("name", "make"), both(QUICK))
def test_a_batch_is_a_loop_and_gradients_are_finite(name, make):
    network = make(name)

    def energy(x, params):
        y = network.apply(params, x[None])[0]
        return jnp.sum(y**2), y

    pair = np.concatenate([zoo.picture(name, *SIZE, salt=salt) for salt in (0, 1)])
    # Small networks run once: what costs is their compilation.
    options = {"xla_backend_optimization_level": 0} if make is zoo.small_network else {}
    mapped = jax.vmap(jax.value_and_grad(energy, has_aux=True), (0, None))
    mapped = jax.jit(mapped, compiler_options=options)
    (_, batch), slope = mapped(pair, network.params)
    loop = np.concatenate([output(make, name, salt) for salt in (0, 1)])
    assert relative(batch, loop) < zoo.INDEX.get(name, {}).get("tolerance", 1e-5)
    assert slope.shape == pair.shape
    assert np.isfinite(slope).all()
    assert np.abs(slope).max(axis=(1, 2, 3)).min() > 0


@pytest.mark.parametrize(("name", "make"), both())
def test_bfloat16_in_is_bfloat16_out(name, make):
    network = make(name)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), network.params)
    x = jnp.asarray(zoo.picture(name, *SIZE), jnp.bfloat16)
    found = jax.eval_shape(network.apply, half, x)
    assert found.dtype == jnp.bfloat16


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_is_finite_and_near(name):
    network = zoo.small_network(name)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), network.params)
    got = jax.jit(network.apply)(half, jnp.asarray(zoo.picture(name, *SIZE), jnp.bfloat16))
    assert np.isfinite(np.asarray(got, np.float32)).all()
    assert 0 < relative(got, output(zoo.small_network, name)) < 0.1


@pytest.mark.parametrize(("name", "make"), both())
@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_every_network_lowers_in_full_precision_for(platform, name, make):
    network = make(name)
    x = jax.ShapeDtypeStruct((1, *SIZE, zoo.channels(name)), np.float32)
    with jax.default_matmul_precision("highest"):
        traced = jax.jit(network.apply).trace(network.params, x)
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    products = re.findall(r"stablehlo\.(?:convolution|dot_general|dot)\b.*", text)
    assert products
    assert all(line.count("HIGHEST") == 2 for line in products)


@pytest.mark.parametrize(("name", "side"), [("HINet", 32), ("RFDN", 15), ("SwinIR_DN", 16)])
def test_sides_that_a_network_does_not_take_are_padded_by_reflection(name, side):
    network, (h, w) = zoo.small_network(name), SIZE
    x = image(h, w)[None]
    full = np.pad(x, ((0, 0), (0, side - h), (0, side - w), (0, 0)), mode="reflect")
    whole = np.asarray(network(full))
    assert whole.shape[1] == side * network.scale
    np.testing.assert_array_equal(network(x), whole[:, : h * network.scale, : w * network.scale])


FEW = ("DnCNN", "EDSR", "PReNet", "RCAN_mix", "SwinIR_DN")
"""One of each kind of structure: plain, residual, recurrent, scanned, windows."""
TREE_MODE = """
import sys
import jax
jax.config.update("jax_num_cpu_devices", 2)
import numpy as np
import zoo
make = {"small": zoo.small_network, "full": zoo.network}[sys.argv[1]]
names = sys.argv[3:]
np.savez(sys.argv[2], **{name: make(name)(zoo.picture(name, 9, 12)) for name in names})
"""


@pytest.mark.parametrize(
    ("form", "make", "names"),
    [
        pytest.param("small", zoo.small_network, FEW, id="few"),
        pytest.param("full", zoo.network, NAMES, marks=pytest.mark.long, id="all"),
    ],
)
def test_networks_work_in_the_tree_mode_of_nnx(form, make, names, tmp_path):
    mode = {"NNX_GRAPH_MODE": "false", "NNX_GRAPH_UPDATES": "false"}
    command = [sys.executable, "-c", TREE_MODE, form, str(tmp_path / "found.npz"), *names]
    here = Path(__file__).parents[1]
    done = subprocess.run(
        command, cwd=here, env={**os.environ, **mode}, capture_output=True, text=True, timeout=3600
    )
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "found.npz")
    assert set(found) == set(names)
    for name in names:
        np.testing.assert_array_equal(found[name], output(make, name))
