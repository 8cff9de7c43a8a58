"""Operations carry the path of their module, however the module is called."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import cem_jax as cem
from cem_jax.models.layers.repeat import Chain


class Pool(nnx.Module):
    """Another method than `__call__`, which calls one more."""

    def __init__(self, rngs: nnx.Rngs):
        self.gate = nnx.Conv(4, 4, (1, 1), rngs=rngs)

    def scores(self, x: jax.Array) -> jax.Array:
        return jax.nn.sigmoid(self.gate(x.mean((1, 2), keepdims=True)))

    def weigh(self, x: jax.Array) -> jax.Array:
        return x * self.scores(x)

    @staticmethod
    def same(x: jax.Array) -> jax.Array:
        return x


class Block(nnx.Module):
    """A part of parts."""

    def __init__(self, rngs: nnx.Rngs):
        self.conv = nnx.Conv(4, 4, (3, 3), rngs=rngs)
        self.pool = Pool(rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return x + self.pool.same(self.pool.weigh(self.conv(x)))


class Saving(Block):
    """The same, computed anew for gradients."""

    @nnx.remat
    def __call__(self, x: jax.Array) -> jax.Array:
        return x + self.pool.weigh(self.conv(x))


class Inner(nnx.Module):
    """A block within one more."""

    def __init__(self, rngs: nnx.Rngs):
        self.block = Block(rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.block(x)


class Net(nnx.Module):
    """A network whose body is made of blocks."""

    def __init__(self, *blocks: nnx.Module):
        rngs = nnx.Rngs(1)
        self.head, self.tail = nnx.Conv(3, 4, (3, 3), rngs=rngs), nnx.Conv(4, 3, (3, 3), rngs=rngs)
        self.body = Chain(*blocks)

    def features(self, x: jax.Array) -> jax.Array:
        return self.body(self.head(x))

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.tail(self.features(x))


@pytest.fixture(scope="module")
def scene() -> cem.Scene:
    image = np.random.default_rng(0).random((24, 32, 3), np.float32)
    return cem.make_scene("DN", image)


def names(network: cem.Network, scene: cem.Scene) -> set[str]:
    """Of all operations."""
    return {one.name for one in cem.operations(network, scene)}


@pytest.mark.parametrize("kind", [Block, Saving], ids=["called", "by nnx.remat"])
def test_any_method_of_a_module_has_its_path(kind: type[Block], scene: cem.Scene) -> None:
    network = cem.wrap(Net(*(kind(nnx.Rngs(seed)) for seed in range(2))))
    found = names(network, scene)
    for number in range(2):
        pooled = f"body.{number}.pool"
        assert {pooled, f"{pooled}:reduce_sum", f"{pooled}.gate:conv_general_dilated"} <= found
        assert f"body.{number}.conv:conv_general_dilated" in found
    frozen = cem.freeze(network, scene, "body.*.pool.gate")
    x = jnp.asarray(scene.degraded)[None]
    np.testing.assert_allclose(frozen(x), network(x), atol=1e-6)
    changed = x.at[:, :8, :8].set(0)
    local = cem.freeze(network, scene, "global")
    np.testing.assert_allclose(frozen(changed), local(changed), atol=1e-6)
    assert np.abs(np.asarray(frozen(changed) - network(changed))).max() > 1e-4


def test_paths_within_a_loop_say_each_part_once(scene: cem.Scene) -> None:
    network = cem.wrap(Net(*(Inner(nnx.Rngs(seed)) for seed in range(9))))
    found = names(network, scene)
    assert {f"body.{k}.block.pool.gate:conv_general_dilated" for k in range(9)} <= found
    assert not any("block.block" in name or "pool.block" in name for name in found)


def test_equal_parts_of_a_copy_have_no_name_rather_than_a_wrong_one(scene: cem.Scene) -> None:
    class Twice(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            self.one, self.other = (nnx.Conv(4, 4, (3, 3), rngs=rngs) for _ in range(2))

        @nnx.remat
        def __call__(self, x: jax.Array) -> jax.Array:
            return self.other(jax.nn.relu(self.one(x)))

    found = names(cem.wrap(Net(Twice(nnx.Rngs(0)))), scene)
    assert "body.0:conv_general_dilated" in found
    assert not {name for name in found if name.startswith(("body.0.one", "body.0.other"))}
