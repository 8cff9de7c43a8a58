"""Total, direct and indirect effects on networks whose effects can be written down."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from command_line import call
from conftest import blur
from flax import nnx
from PIL import Image

import cem_jax as cem
from cem_jax.plans.drawing import RandomDraws
from cem_jax.plans.estimate import interval

ROI = cem.ROI(16, 16, 16, 16)
OPTIONS = {"plan": cem.Fixed(5), "progress": False, "block": 8}


def scaled(x: jax.Array) -> jax.Array:
    """b(x) (1 + mean(x)) / 2, b a blur."""
    return blur(x) * (1 + jnp.mean(x, axis=(1, 2), keepdims=True)) / 2


def mean_of_region(restored: jax.Array, target: jax.Array) -> jax.Array:
    """A linear outcome."""
    return jnp.mean(restored)


@pytest.fixture(scope="module")
def scene() -> cem.Scene:
    return cem.Scene.denoising(cem.example_image("facade")[:48, :48], 10 / 255)


@pytest.fixture(scope="module")
def found(scene: cem.Scene) -> cem.MediatedMaps:
    return cem.mediated_maps(cem.wrap(scaled), scene, ROI, **OPTIONS)


def test_direct_effects_are_those_with_a_constant(found, scene):
    mean = jnp.asarray(scene.degraded).mean((0, 1)).reshape(1, 1, 1, 3)
    local = cem.wrap(lambda x: blur(x) * (1 + mean) / 2)
    wanted = cem.causal_effect_map(local, scene, ROI, **OPTIONS)
    np.testing.assert_allclose(found.direct.effect, wanted.effect, atol=1e-5)
    np.testing.assert_allclose(found.direct.standard_error, wanted.standard_error, atol=1e-5)


def test_total_effects_are_those_of_the_network(found, scene):
    wanted = cem.causal_effect_map(cem.wrap(scaled), scene, ROI, **OPTIONS)
    np.testing.assert_allclose(found.total.effect, wanted.effect, atol=1e-9)
    np.testing.assert_array_equal(found.total.values, wanted.values)


def test_pure_indirect_effects_are_those_of_the_mean_alone(found, scene):
    still = jnp.asarray(scene.degraded)[None]
    alone = cem.wrap(lambda x: blur(still) * (1 + jnp.mean(x, (1, 2), keepdims=True)) / 2)
    wanted = cem.causal_effect_map(alone, scene, ROI, **OPTIONS)
    np.testing.assert_allclose(found.pure_indirect.effect, wanted.effect, atol=1e-5)


def test_effects_add_up_exactly(found):
    outside = ~found.total.inside_roi
    parts = [found.direct.effect, found.indirect.effect]
    assert (sum(parts) == found.total.effect)[outside].all()
    parts = [found.direct.effect, found.pure_indirect.effect, found.interaction.effect]
    assert (sum(parts) == found.total.effect)[outside].all()
    assert np.isnan(found.indirect.effect[~outside]).all()
    assert np.abs(found.interaction.effect[outside]).max() > 0


def test_far_blocks_act_through_the_mediator_alone(found):
    assert found.direct.effect[0, 0] == 0 and found.total.effect[0, 0] != 0
    assert found.indirect.effect[0, 0] == found.total.effect[0, 0]
    assert found.indirect.standard_error[0, 0] == pytest.approx(found.total.standard_error[0, 0])
    far = np.zeros(found.total.effect.shape, bool)
    far[0] = True
    assert found.share(far).value == pytest.approx(1) and found.share(far).standard_error < 1e-6
    assert np.isnan(found.share(np.zeros_like(far)).value)


def test_standard_errors_are_those_of_the_pairs(found):
    cell = (1, 1)
    change = found.total.baseline - found.total.values[cell].astype(float)
    change -= found.direct.baseline - found.direct.values[cell].astype(float)
    wanted = change.std(ddof=1) / np.sqrt(len(change))
    assert found.indirect.standard_error[cell] == pytest.approx(wanted)
    assert (found.indirect.sign_probability[~found.total.inside_roi] > 0.5).all()


@pytest.mark.parametrize("plan", ["coarse-to-fine:2,4", "stratified:4", "quadrature:4"])
def test_every_plan_is_mediated(scene, plan):
    found = cem.mediated_maps(cem.wrap(scaled), scene, ROI, plan=plan, progress=False)
    wanted = cem.causal_effect_map(cem.wrap(scaled), scene, ROI, plan=plan, progress=False)
    np.testing.assert_allclose(found.total.effect, wanted.effect, atol=1e-9)
    np.testing.assert_array_equal(found.total.samples, found.direct.samples)
    outside = ~found.total.inside_roi
    assert (found.direct.effect + found.indirect.effect == found.total.effect)[outside].all()
    quadrature = plan.startswith("quadrature")
    assert np.isnan(found.indirect.standard_error[outside]).any() == quadrature


def test_a_mediator_that_is_cut_carries_nothing(scene):
    def cut(params: jax.Array, x: jax.Array) -> jax.Array:
        return blur(x) * (1 + params * jnp.mean(x, axis=(1, 2), keepdims=True)) / 2

    network = cem.wrap(cut, params=jnp.zeros((1, 1, 1, 1)))
    found = cem.mediated_maps(network, scene, ROI, **OPTIONS)
    assert len(found.through) == 1
    outside = ~found.total.inside_roi
    for part in (found.indirect, found.interaction):
        assert not part.effect[outside].any() and not part.standard_error[outside].any()
    assert not found.pure_indirect.effect[outside].any()
    assert found.total.effect[outside].any()


def test_a_local_network_has_no_indirect_effect(scene):
    found = cem.mediated_maps(cem.wrap(blur), scene, ROI, **OPTIONS)
    outside = ~found.total.inside_roi
    assert found.through == () and found.share().value == 0
    assert not found.indirect.effect[outside].any()
    assert not found.pure_indirect.effect[outside].any()
    np.testing.assert_array_equal(found.direct.effect, found.total.effect)


def test_a_linear_network_with_a_linear_outcome_has_no_interaction(scene):
    network = cem.wrap(lambda x: (blur(x) + x.mean((1, 2), keepdims=True)) / 2)
    found = cem.mediated_maps(network, scene, ROI, outcome=mean_of_region, **OPTIONS)
    outside = ~found.total.inside_roi
    assert not found.interaction.effect[outside].any()
    assert (found.indirect.effect == found.pure_indirect.effect)[outside].all()
    # Of a block outside the blur's reach the mean carries its own share of the change.
    assert np.abs(found.indirect.effect[outside]).min() > 0


class Attentive(nnx.Module):
    """Convolutions around channel attention, twice: what lies before the last must be whole."""

    def __init__(self, rngs: nnx.Rngs):
        self.head = nnx.Conv(3, 16, (3, 3), rngs=rngs)
        self.inner = nnx.List([nnx.Conv(16, 16, (3, 3), rngs=rngs) for _ in range(5)])
        self.dense = nnx.List([nnx.Linear(16, 16, rngs=rngs) for _ in range(5)])
        self.tail = nnx.Conv(16, 3, (3, 3), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.with_means_of(x, x)

    def with_means_of(self, x: jax.Array, other: jax.Array) -> jax.Array:
        y, seen = self.head(x), self.head(other)
        for inner, dense in zip(self.inner, self.dense, strict=True):
            y, seen = nnx.relu(inner(y)), nnx.relu(inner(seen))
            weight = nnx.sigmoid(30 * dense(4 * seen.mean((1, 2), keepdims=True)))
            y, seen = y * weight, seen * weight
        return x + 0.2 * self.tail(y)


def test_a_network_that_runs_as_a_whole_gives_the_same_by_one_program(scene):
    network = cem.wrap(Attentive(nnx.Rngs(0)), name="attentive")
    found = cem.mediated_maps(network, scene, ROI, **OPTIONS)
    assert found.total.provenance["computed"].startswith("total and pure indirect: dense")
    total = cem.causal_effect_map(network, scene, ROI, **OPTIONS)
    direct = cem.causal_effect_map(cem.freeze(network, scene), scene, ROI, **OPTIONS)
    np.testing.assert_allclose(found.total.effect, total.effect, atol=1e-5)
    np.testing.assert_allclose(found.direct.effect, direct.effect, atol=1e-5)
    module, still = Attentive(nnx.Rngs(0)), jnp.asarray(scene.degraded)[None]
    alone = cem.wrap(lambda x: module.with_means_of(still, x))
    pure = cem.causal_effect_map(alone, scene, ROI, **OPTIONS)
    np.testing.assert_allclose(found.pure_indirect.effect, pure.effect, atol=1e-5)
    assert np.nanmax(np.abs(pure.effect)) > 2e-4


def test_super_resolution_is_mediated(scene):
    def enlarged(x: jax.Array) -> jax.Array:
        y = jnp.repeat(jnp.repeat(blur(x), 2, 1), 2, 2)
        return y * (1 + x.mean((1, 2), keepdims=True)) / 2

    scene = cem.Scene.super_resolution(cem.example_image("facade")[:96, :96], 2)
    roi = cem.ROI(32, 32, 32, 32)
    found = cem.mediated_maps(cem.wrap(enlarged, scale=2), scene, roi, **OPTIONS)
    frozen = cem.freeze(cem.wrap(enlarged, scale=2), scene)
    wanted = cem.causal_effect_map(frozen, scene, roi, **OPTIONS)
    np.testing.assert_allclose(found.direct.effect, wanted.effect, atol=1e-5)


def test_intervals_cover_what_many_draws_say(scene):
    groups, each = 60, 6
    found = cem.mediated_maps(
        cem.wrap(scaled), scene, ROI, plan=cem.Fixed(groups * each), progress=False
    )
    outside = ~found.total.inside_roi
    change = [
        one.baseline - one.values[outside].astype(float)
        for one in (found.total, found.direct, found.pure_indirect)
    ]
    near = np.abs(found.direct.effect[outside]) > 0
    for draws in (change[1][near], change[0] - change[1], change[0] - change[1] - change[2]):
        truth = draws.mean(axis=1)[:, None]
        split = draws.reshape(-1, each)
        means = RandomDraws().means(split, np.ones(split.shape, bool))
        low, high = interval(means.effect, means.standard_error, means.degrees, 0.95)
        low, high = low.reshape(-1, groups), high.reshape(-1, groups)
        covered = ((low <= truth) & (truth <= high)).mean()
        assert 0.85 < covered < 0.99, covered


def test_maps_are_saved_resumed_and_read(scene, found, tmp_path):
    kept = cem.mediated_maps(cem.wrap(scaled), scene, ROI, directory=tmp_path / "a", **OPTIONS)
    again = cem.mediated_maps(cem.wrap(scaled), scene, ROI, directory=tmp_path / "a", **OPTIONS)
    read = cem.MediatedMaps.load(tmp_path / "a")
    for one in (kept, again, read):
        np.testing.assert_array_equal(one.total.effect, found.total.effect)
        np.testing.assert_array_equal(one.indirect.effect, found.indirect.effect)
        assert one.through == found.through
    assert again.total.provenance["seconds"] == kept.total.provenance["seconds"]
    (tmp_path / "a" / "map.direct.npz").unlink()
    resumed = cem.mediated_maps(cem.wrap(scaled), scene, ROI, directory=tmp_path / "a", **OPTIONS)
    np.testing.assert_array_equal(resumed.direct.effect, found.direct.effect)
    assert resumed.total.provenance["evaluations_resumed"] == found.total.evaluations
    with pytest.raises(ValueError, match="holds another sweep"):
        cem.mediated_maps(
            cem.wrap(scaled), scene, ROI, through=["reduce_window_sum"],
            directory=tmp_path / "a", **OPTIONS,
        )  # fmt: skip


def test_maps_of_two_mediations_are_not_one(found, tmp_path):
    found.save(tmp_path)
    other = dict(found.direct.provenance) | {"through": ["another"]}
    dataclasses.replace(found.direct, provenance=other).save(tmp_path / "map.direct.npz")
    with pytest.raises(ValueError, match="not of one mediation"):
        cem.MediatedMaps.load(tmp_path)


def test_bad_mediators_are_told(scene):
    with pytest.raises(ValueError, match="none of that name"):
        cem.mediated_maps(cem.wrap(scaled), scene, ROI, through="attention", **OPTIONS)
    with pytest.raises(ValueError, match="nothing in network scaled depends on the image"):
        cem.mediated_maps(cem.wrap(scaled), scene, ROI, through="mul", **OPTIONS)


def test_the_command_writes_maps_pictures_and_the_share(tmp_path):
    photograph = tmp_path / "photo.png"
    Image.fromarray(np.asarray(cem.example_image("pagoda")[:64, :64])).save(photograph)
    out = tmp_path / "out"
    done = call(
        "map", "--model", "RCAN-compact", "--task", "SR", "--image", str(photograph),
        "--roi", "24,24,16,16", "--plan", "fixed:2", "--through", "global", "--out", str(out),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Through 12 operations" in done.stdout and "pure indirect" in done.stdout
    read = cem.MediatedMaps.load(out)
    assert len(read.through) == 12 and (out / "map.pure_indirect.png").exists()
    told = call("map", "--reference-config", "a.yml", "--through", "global", "--out", str(out))
    assert told.returncode == 2 and "--through" in told.stderr
