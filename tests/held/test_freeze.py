"""Operations by name, what is global, and networks in which operations are held."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import blur
from flax import nnx

import cem_jax as cem
from cem_jax import cone as cones


def scaled(x: jax.Array) -> jax.Array:
    """b(x) (1 + mean(x)) / 2: every pixel follows its neighbours, and the mean of all."""
    with jax.named_scope("local"):
        near = blur(x)
    with jax.named_scope("pool"):
        mean = jnp.mean(x, axis=(1, 2), keepdims=True)
    return near * (1 + mean) / 2


class Attention(nnx.Module):
    """Weights channels by their means."""

    def __init__(self, rngs: nnx.Rngs):
        self.dense = nnx.Linear(4, 4, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        mean = x.mean((1, 2), keepdims=True)
        return x * nnx.sigmoid(self.dense(mean))


class Step(nnx.Module):
    """A convolution with attention around a shortcut."""

    def __init__(self, rngs: nnx.Rngs):
        self.conv = nnx.Conv(4, 4, (3, 3), rngs=rngs)
        self.attn = Attention(rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return x + self.attn(nnx.relu(self.conv(x)))


class Small(nnx.Module):
    """Two steps between convolutions."""

    def __init__(self, rngs: nnx.Rngs, steps: int = 2):
        self.head = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.body = nnx.List([Step(rngs) for _ in range(steps)])
        self.tail = nnx.Conv(4, 3, (3, 3), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        y = self.head(x)
        for step in self.body:
            y = step(y)
        return x + 0.1 * self.tail(y)


@pytest.fixture(scope="module")
def scene() -> cem.Scene:
    return cem.Scene.denoising(cem.example_image("facade")[:32, :40], 10 / 255)


@pytest.fixture(scope="module")
def small() -> cem.Network:
    return cem.wrap(Small(nnx.Rngs(0)), name="small")


def test_global_operations_of_a_function_are_found(scene: cem.Scene) -> None:
    found = {one.name: one for one in cem.operations(cem.wrap(scaled), scene)}
    assert [name for name, one in found.items() if one.is_global] == ["pool", "pool:reduce_sum"]
    assert found["local"].reach == 1
    assert found["local:reduce_window_sum"].shape == (1, 32, 40, 3)


def test_operations_carry_the_paths_of_modules(small: cem.Network, scene: cem.Scene) -> None:
    found = {one.name: one for one in cem.operations(small, scene)}
    assert {"head", "body", "body.0", "body.1.attn.dense", "tail"} <= set(found)
    assert found["body.0.attn:reduce_sum"].is_global and found["body.1"].is_global
    assert not found["body.0.conv"].is_global
    assert found["body.0"].shape == (1, 32, 40, 4)
    assert found["head"].reach == 1 and found["body.0.conv"].reach == 2
    convs = [found[name].share for name in ("head", "body.0.conv", "body.1.conv", "tail")]
    assert sum(convs) > 0.95 and convs[0] == pytest.approx(convs[3])
    assert found["body"].share == pytest.approx(found["body.0"].share + found["body.1"].share)


def test_nothing_is_global_in_a_deep_local_network_of_a_small_image(scene: cem.Scene) -> None:
    def deep(x: jax.Array) -> jax.Array:
        for _ in range(25):  # it sees 51 x 51 pixels of 32 x 40
            x = blur(x)
        return x

    assert not any(one.is_global for one in cem.operations(cem.wrap(deep), scene))


@pytest.mark.parametrize("parts", [2, 3, 4])
def test_pooling_over_parts_is_global_in_each(scene: cem.Scene, parts: int) -> None:
    def pooled(x: jax.Array) -> jax.Array:
        edges = np.linspace(0, x.shape[1], parts + 1).astype(int)
        means = [x[:, a:b].mean((1, 2)) for a, b in itertools.pairwise(edges)]
        return x * sum(means)[:, None, None] / parts

    found = cem.operations(cem.wrap(pooled), scene)
    assert sum(one.is_global for one in found) == parts


def test_rows_that_are_brought_together_are_global(scene: cem.Scene) -> None:
    found = cem.operations(cem.wrap(lambda x: x * blur(x).sum(2, keepdims=True) / 40), scene)
    assert [one.kind for one in found if one.is_global] == ["reduce_sum"]


def test_held_at_the_mean_the_network_is_the_local_one(scene: cem.Scene) -> None:
    frozen = cem.freeze(cem.wrap(scaled), scene)
    x = scene.degraded[None]
    mean = x.mean((1, 2), keepdims=True)
    other = np.asarray(scene.clean)[None]
    np.testing.assert_allclose(frozen(x), scaled(jnp.asarray(x)), atol=1e-6)
    np.testing.assert_allclose(frozen(other), blur(jnp.asarray(other)) * (1 + mean) / 2, atol=1e-6)
    both = frozen(np.concatenate([x, other]))
    np.testing.assert_allclose(both[1:], frozen(other), atol=1e-6)
    assert cones.receptive_radius(lambda x: frozen.apply(frozen.params, x), x.shape) == 1


def test_a_frozen_network_has_cones_equal_to_itself(small: cem.Network, scene: cem.Scene) -> None:
    frozen = cem.freeze(small, scene)
    x, roi = scene.degraded[None], (12, 12, 8, 8)
    cone = cones.cone(frozen.apply, x, roi, 8, params=frozen.params)
    assert not cone.plan.dense
    whole = cones.plan(small.apply, x.shape, roi, 8, params=small.params)
    assert (whole.program_of >= 0).all() and (cone.plan.program_of < 0).any()
    patch = np.asarray(scene.clean)[None, :8, :8]
    changed = x.copy()
    changed[:, 8:16, 16:24] = patch
    wanted = frozen(changed)[0, 12:20, 12:20]
    np.testing.assert_allclose(cone.evaluate((8, 16), patch)[0], wanted, atol=1e-6)


def test_names_and_patterns_choose_the_same(small: cem.Network, scene: cem.Scene) -> None:
    chosen = [
        cem.freeze(small, scene, at).apply.names
        for at in (
            "body.*.attn", ["body.0.attn", "body.1.attn"], ("body.?.attn", "body.0.attn.dense"),
        )
    ]  # fmt: skip
    assert chosen[0] == chosen[1] == chosen[2]
    assert all(name.startswith(("body.0.attn", "body.1.attn")) for name in chosen[0])
    kinds = cem.freeze(small, scene, "body.1.attn:reduce_sum").apply.names
    assert kinds == ("body.1.attn:reduce_sum",)
    everywhere = cem.freeze(small, scene, "body.*.attn:reduce_sum").apply.names
    assert everywhere == cem.freeze(small, scene).apply.names


def test_a_module_is_held_with_all_that_leaves_it(small: cem.Network, scene: cem.Scene) -> None:
    frozen = cem.freeze(small, scene, "body.0")
    graph, state = nnx.split(Small(nnx.Rngs(0)))
    x, other = jnp.asarray(scene.degraded)[None], jnp.asarray(scene.clean)[None]
    module = nnx.merge(graph, state)
    held = module.body[0](module.head(x))
    wanted = other + 0.1 * module.tail(module.body[1](held))
    np.testing.assert_allclose(frozen(other), wanted, atol=1e-6)


def test_freezing_goes_on_from_a_frozen_network(small: cem.Network, scene: cem.Scene) -> None:
    first = cem.freeze(small, scene, "body.0.attn:reduce_sum")
    both = cem.freeze(first, scene)
    at_once = cem.freeze(small, scene)
    assert both.apply == at_once.apply
    assert [one.name for one in cem.operations(first, scene) if one.is_global] == [
        "body", "body.1", "body.1.attn", "body.1.attn:reduce_sum",
    ]  # fmt: skip
    assert cem.freeze(both, scene) is both
    x = np.asarray(scene.clean)[None]
    np.testing.assert_allclose(both(x), at_once(x), atol=1e-6)


def test_nothing_held_is_the_network_itself(scene: cem.Scene) -> None:
    local = cem.wrap(blur)
    assert cem.freeze(local, scene) is local

    def unused(x: jax.Array) -> jax.Array:
        with jax.named_scope("pool"):
            x.mean()
        return blur(x)

    network = cem.wrap(unused)
    assert cem.freeze(network, scene, "pool") is network


def test_a_loop_gets_names_by_its_steps(scene: cem.Scene) -> None:
    from cem_jax.models.layers.repeat import Chain

    class Long(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            self.head = nnx.Conv(3, 4, (3, 3), rngs=rngs)
            self.body = Chain(*(Step(rngs) for _ in range(9)))
            self.tail = nnx.Conv(4, 3, (3, 3), rngs=rngs)

        def __call__(self, x: jax.Array) -> jax.Array:
            return x + 0.1 * self.tail(self.body(self.head(x)))

    network = cem.wrap(Long(nnx.Rngs(1)))
    found = {one.name for one in cem.operations(network, scene) if one.is_global}
    assert {f"body.{k}.attn:reduce_sum" for k in range(9)} <= found
    frozen = cem.freeze(network, scene, "body.7.attn")
    x = scene.degraded[None]
    np.testing.assert_allclose(frozen(x), network(x), atol=1e-6)


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("body.7", "at='body.7': network small has none of that name"),
        ((), "at=()"),
        (7, "at=7"),
        (["head", ""], "at="),
    ],
)
def test_bad_names_are_told(small: cem.Network, scene: cem.Scene, at: object, told: str) -> None:
    with pytest.raises(ValueError, match=told.replace("(", r"\(").replace(")", r"\)")):
        cem.freeze(small, scene, at)  # type: ignore[arg-type]


def test_a_network_that_is_held_whole_is_refused(small: cem.Network, scene: cem.Scene) -> None:
    def mean(x: jax.Array) -> jax.Array:
        return jnp.broadcast_to(x.mean((1, 2), keepdims=True), x.shape)

    with pytest.raises(ValueError, match="nothing in network mean depends on the image"):
        cem.freeze(cem.wrap(mean), scene)


def test_images_of_another_size_are_refused(small: cem.Network, scene: cem.Scene) -> None:
    frozen = cem.freeze(small, scene)
    with pytest.raises(ValueError, match=r"held for images \(32, 40, 3\) only"):
        frozen(scene.degraded[None, :16])


def test_a_network_of_one_size_must_be_told_names(scene: cem.Scene) -> None:
    def fixed(x: jax.Array) -> jax.Array:
        if x.shape[1:3] != (32, 40):
            raise ValueError("32 x 40 only")
        return scaled(x)

    network = cem.wrap(fixed)
    with pytest.raises(ValueError, match="name the operations"):
        cem.freeze(network, scene)
    assert (
        cem.freeze(network, scene, "pool").apply.names
        == cem.freeze(cem.wrap(scaled), scene, "pool").apply.names
    )
    listed, free = (cem.operations(one, scene) for one in (network, cem.wrap(scaled)))
    assert [one.name for one in listed] == [one.name for one in free]  # these can be named
    assert all(one.is_global is None and one.reach is None for one in listed)
    assert cem.trace_layers(network, scene, cem.ROI(8, 8, 8, 8), [(0, 4)], samples=2).layers == (
        "local", "pool",
    )  # fmt: skip
    row = cem.reach_row(network, scene)
    assert np.isnan([row["analytic"], row["global"]]).all() and row["gradient_50"] > 0


def test_what_cannot_be_held_is_not_offered(scene: cem.Scene) -> None:
    def beside(x: jax.Array) -> jax.Array:
        with jax.named_scope("constant"):
            weight = jnp.ones((1, 1, 1, 3)).mean((1, 2), keepdims=True)
        return scaled(x) * weight

    network = cem.wrap(beside)
    with pytest.raises(ValueError, match=r"that depends on the image; it has local, pool \.\.\."):
        cem.freeze(network, scene, "constant")
    frozen = cem.freeze(network, scene, "pool")
    with pytest.raises(ValueError, match=r"and is not yet held; it has local \.\.\."):
        cem.freeze(frozen, scene, "pool")


def test_a_frozen_network_has_gradients_and_maps(small: cem.Network, scene: cem.Scene) -> None:
    frozen, roi = cem.freeze(small, scene), cem.ROI(8, 8, 8, 8)
    found = cem.gradient_map(frozen, scene, roi)
    far = np.ones((32, 40), bool)
    far[4:20, 4:20] = False
    assert not found.attribution[far].any() and found.attribution.any()
    assert cem.gradient_map(small, scene, roi).attribution[far].any()
    effects = cem.causal_effect_map(frozen, scene, roi, plan=cem.Fixed(2), progress=False)
    assert "9.8 % of the network" in effects.provenance["computed"]
    assert effects.effect[0, 4] == 0 and effects.effect[1, 2] != 0
