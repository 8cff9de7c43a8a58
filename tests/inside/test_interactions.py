"""Interactions and doses of networks for which they can be written down."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import blur, unchanged

import cem_jax as cem
from cem_jax import cone as cones

ROI = cem.ROI(16, 16, 16, 16)
FIRST, SECOND = (0, 1), (5, 3)


def mean_of_region(restored: jax.Array, target: jax.Array) -> jax.Array:
    """A linear outcome."""
    return jnp.mean(restored)


def of_block(x: jax.Array, place: tuple[int, int]) -> jax.Array:
    """The mean of a block of 8 x 8, [n, 1, 1, 1]."""
    y, left = 8 * place[0], 8 * place[1]
    return x[:, y : y + 8, left : left + 8].mean((1, 2, 3), keepdims=True)


def product(x: jax.Array) -> jax.Array:
    """Everywhere the product of the means of two blocks."""
    return jnp.broadcast_to(of_block(x, FIRST) * of_block(x, SECOND), x.shape)


@pytest.fixture(scope="module")
def scene() -> cem.Scene:
    clean = cem.example_image("facade")[:48, :48]
    return cem.Scene.custom(clean, clean, unchanged)


@pytest.fixture(scope="module")
def few() -> cem.PatchPool:
    return cem.PatchPool(cem.PatchPool.default().patches[::200], "every 200th")


def test_a_product_interacts_as_it_should(scene, few):
    found = cem.interactions(
        cem.wrap(product), scene, ROI, [FIRST, SECOND, (3, 0)], outcome=mean_of_region, pool=few,
        samples=200,
    )  # fmt: skip
    x = jnp.asarray(scene.degraded)[None]
    a, b = (float(of_block(x, place)[0, 0, 0, 0]) for place in (FIRST, SECOND))
    mean = float(few.patches.mean() / 255)
    wanted = (mean - a) * (mean - b)
    assert abs(found.effect[0, 1] - wanted) < 4 * found.standard_error[0, 1]
    assert 0 < found.standard_error[0, 1] < 0.1
    assert found.effect[0, 1] == found.effect[1, 0] and np.isnan(found.effect[0, 0])
    assert found.effect[0, 2] == found.effect[1, 2] == 0 == found.standard_error[0, 2]
    assert abs(found.own[0] - (a - mean) * b) < 4 * found.own_error[0]
    assert found.baseline == pytest.approx(a * b, rel=1e-5)
    low, high = found.interval()
    assert low[0, 1] < found.effect[0, 1] < high[0, 1]


def test_a_linear_network_has_no_interactions(scene, few):
    network = cem.wrap(lambda x: (blur(x) + x.mean((1, 2), keepdims=True)) / 2)
    found = cem.interactions(
        network, scene, ROI, [(1, 2), (1, 1), (0, 0)], outcome=mean_of_region, pool=few, samples=4
    )
    apart = ~np.eye(3, dtype=bool)
    assert not found.effect[apart].any() and not found.standard_error[apart].any()
    assert np.abs(found.own).min() > 0
    joint = cem.joint_effect(
        network, scene, ROI, [(1, 2), (1, 1), (0, 0)], outcome=mean_of_region, pool=few, samples=4
    )
    assert joint.interaction == (0, 0)
    assert joint.joint.effect == pytest.approx(joint.summed.effect, abs=1e-6)
    assert [one.effect for one in joint.members] == pytest.approx(found.own[:3].tolist())


def curved(x: jax.Array) -> jax.Array:
    """A local network that is not linear, with convolutions to count."""
    kernel = jnp.ones((3, 3, 1, 3)) / 9
    for power in (2.0, 1.5):
        x = jax.lax.conv_general_dilated(
            jnp.abs(x) ** power, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=3,
        )  # fmt: skip
    return x


def test_a_cone_is_compiled_only_for_many_evaluations(scene, few, monkeypatch):
    """For few, the network runs on whole images, which is compiled once for regions of one size."""

    def restore(kernel, x):
        x = jax.lax.conv(x.transpose(0, 3, 1, 2), kernel, (1, 1), "SAME")
        return x.transpose(0, 2, 3, 1)

    kernel = jnp.ones((3, 3, 3, 3))
    few_pixels = cones.evaluations_worth_compiling(restore, (1, 48, 48, 3), kernel)
    many_pixels = cones.evaluations_worth_compiling(restore, (1, 384, 384, 3), kernel)
    assert few_pixels == pytest.approx(64 * many_pixels) and many_pixels > 1
    monkeypatch.setattr(cones, "plan", None)
    traced = []

    def told(x):
        traced.append(x.shape)
        return curved(x)

    network = cem.wrap(told)
    for place in (ROI, cem.ROI(0, 8, 16, 16)):
        cem.interactions(network, scene, place, [(4, 4), (5, 3)], pool=few, samples=3)
    compiled = [shape for shape in traced if shape[0] > 1]
    assert len(compiled) <= 1


@pytest.mark.parametrize("whole", [False, True])
def test_what_is_rounding_of_a_pair_is_zero_beside_pairs_that_interact(whole):
    def restore(x: jax.Array) -> jax.Array:
        y = jnp.repeat(jnp.repeat(blur(x), 4, 1), 4, 2)
        return y * (1 + y) / 2 + (0 * x.mean((1, 2), keepdims=True) if whole else 0)

    scene = cem.Scene.super_resolution(cem.example_image("facade")[:76, :92], 4)
    near, far = [(0, 3), (3, 0)], [(9, 11), (2, 5), (9, 10)]
    found = cem.interactions(
        cem.wrap(restore, scale=4), scene, cem.ROI(0, 0, 24, 24), near + far, samples=3
    )
    assert found.effect[0, 1] and found.own[:2].all()
    assert not np.nan_to_num(found.effect[:, 2:]).any()  # the region does not see those
    assert not found.own[2:5].any() and not found.own_error[2:5].any()


@pytest.mark.parametrize("least", [0, 1e9])
def test_pairs_by_cones_are_pairs_by_whole_images(scene, few, least, monkeypatch):
    monkeypatch.setattr(cones, "evaluations_worth_compiling", lambda *_: least)
    planned, plan = [], cones.plan
    monkeypatch.setattr(cones, "plan", lambda *a, **k: planned.append(plan(*a, **k)) or planned[-1])
    blocks = [(1, 2), (1, 3), (2, 4), (4, 4), (0, 5)]
    options = {"pool": few, "samples": 3}
    found = cem.interactions(cem.wrap(curved), scene, ROI, blocks, **options)
    assert any(not one.dense for one in planned) == (least == 0)
    image = np.asarray(scene.degraded)
    draws = cem.causal_effect_map(
        cem.wrap(curved), scene, ROI, plan=cem.Fixed(3), pool=few, progress=False
    )
    alone = draws.baseline - draws.values.astype(float)
    own = np.stack([alone[row, column] for row, column in blocks])
    np.testing.assert_allclose(found.own[:5], np.nan_to_num(own).mean(axis=1), atol=1e-5)
    from cem_jax.sweep.source import draw_patches

    cells = np.array([6 * row + column for row, column in blocks], np.int32)
    which = [
        draw_patches(jax.random.key(0), cells, np.full(5, k, np.int32), len(few)) for k in range(3)
    ]
    y, x = ROI.y, ROI.x
    clean = scene.clean[y : y + 16, x : x + 16]

    def quality(changed: np.ndarray) -> float:
        restored = np.asarray(curved(jnp.asarray(changed)[None]))[0, y : y + 16, x : x + 16]
        return float(cem.psnr(jnp.clip(restored, 0, 1), jnp.asarray(clean)))

    def done(chosen: tuple[int, ...], k: int) -> float:
        changed = image.copy()
        for one in chosen:
            row, column = blocks[one]
            patch = few.patches[which[k][one]] / np.float32(255)
            changed[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = patch
        return quality(changed)

    for i, j in ((0, 1), (1, 2), (2, 3)):
        wanted = [
            done((i, j), k) - done((i,), k) - done((j,), k) + quality(image) for k in range(3)
        ]
        assert found.effect[i, j] == pytest.approx(np.mean(wanted), abs=1e-4)
        error = np.std(wanted, ddof=1) / np.sqrt(3)
        assert found.standard_error[i, j] == pytest.approx(error, abs=1e-4)
    assert found.effect[0, 4] == 0
    group = cem.joint_effect(cem.wrap(curved), scene, ROI, blocks[:3], **options)
    wanted = quality(image) - np.mean([done((0, 1, 2), k) for k in range(3)])
    assert group.joint.effect == pytest.approx(wanted, abs=1e-4)
    rest = group.summed.effect - group.joint.effect
    assert group.interaction.effect == pytest.approx(rest, abs=1e-9)


def test_blocks_are_paired_with_others(scene, few, tmp_path):
    found = cem.interactions(
        cem.wrap(product), scene, ROI, [FIRST], [SECOND, (3, 0)], pool=few, samples=2
    )
    assert found.effect.shape == (1, 2) and found.own.shape == (3,)
    found.save(tmp_path / "pairs.npz")
    read = cem.Interactions.load(tmp_path / "pairs.npz")
    np.testing.assert_array_equal(read.effect, found.effect)
    assert read.provenance == found.provenance and read.samples == 2
    with pytest.raises(ValueError, match="holds no interactions"):
        cem.Interactions.load(tmp_path / "other.npz")


def test_blocks_that_write_over_each_other_are_refused(few):
    clean = cem.example_image("facade")[:48, :48]
    scene = cem.make_scene("blur", clean)
    with pytest.raises(ValueError, match=r"\(0, 0\) and \(0, 1\) overlap"):
        cem.interactions(cem.wrap(blur), scene, ROI, [(0, 0), (0, 1)], pool=few, samples=2)
    found = cem.interactions(cem.wrap(blur), scene, ROI, [(0, 0), (5, 5)], pool=few, samples=2)
    assert found.effect[0, 1] == 0


@pytest.mark.parametrize(
    ("blocks", "told"),
    [
        ([(2, 2)], "inside the region"),
        ([(9, 0)], "the grid has"),
        ([(0, 0), (0, 0)], "a block twice"),
        ([], "n at least 1"),
        ([(0.0, 1.0)], "expected integers"),
    ],
)
def test_bad_blocks_are_told(scene, few, blocks, told, unchecked):
    with pytest.raises(ValueError, match=told):
        cem.interactions(cem.wrap(blur), scene, ROI, blocks, pool=few)


def test_the_strongest_blocks_are_found(scene, few):
    found = cem.causal_effect_map(
        cem.wrap(curved), scene, ROI, plan=cem.Fixed(3), pool=few, progress=False
    )
    for sign, order in (("helpful", -1), ("harmful", 1)):
        chosen = cem.strongest_blocks(found, 4, sign)
        effects = [found.effect[row, column] for row, column in chosen]
        assert effects == sorted(effects, reverse=order < 0)
        assert all(order * one < 0 for one in effects)
    with pytest.raises(ValueError, match="sign="):
        cem.strongest_blocks(found, 4, "large")


def test_the_dose_of_a_product_is_the_other_factor(scene, few):
    found = cem.causal_effect_map(
        cem.wrap(product), scene, ROI, outcome=mean_of_region, plan=cem.Fixed(40), pool=few,
        progress=False,
    )  # fmt: skip
    x = jnp.asarray(scene.degraded)[None]
    a, b = (float(of_block(x, place)[0, 0, 0, 0]) for place in (FIRST, SECOND))
    found = dataclasses.replace(found, tolerance=1e-4)  # of the other blocks none has an effect
    dosed = cem.dose(found, scene, pool=few, blocks="helpful")
    slope = dosed.slope("brightness")
    # The outcome falls by the other block's mean per unit of brightness, up to luma's weights.
    assert slope.low - 0.05 < -(a + b) / 2 < slope.high + 0.05
    assert slope.blocks == 2 and slope.draws == 80
    curve = dosed.curves["brightness"]
    assert (np.diff(curve.effect) < 0).all() and (curve.low < curve.effect).all()
    assert curve.draws.sum() == 80
    assert {row["feature"] for row in dosed.rows()} >= {"brightness", "contrast", "similarity"}


def test_slopes_have_intervals_that_cover(few):
    from cem_jax.inside.dose import _slope

    random, covered = np.random.default_rng(0), 0
    for _ in range(300):
        block = np.repeat(np.arange(25), 8)
        feature = random.normal(size=200)
        own = 0.7 + random.normal(size=25) * 0.3  # every block has a slope of its own
        effect = random.normal(size=25)[block] + own[block] * feature + random.normal(size=200)
        found = _slope("", None, block, feature, effect)
        covered += found.low <= 0.7 <= found.high
    assert 0.9 < covered / 300 < 0.985


def test_features_are_what_they_say():
    from cem_jax.inside.features import FEATURES

    line = np.zeros((8, 8, 3))
    line[:, 4:] = 1
    turned, flat = line.swapaxes(0, 1), np.full((8, 8, 3), 0.5)
    assert FEATURES["turn"](line, turned) == pytest.approx(90)
    assert FEATURES["turn"](line, line) == 0 and np.isnan(FEATURES["turn"](line, flat))
    assert FEATURES["similarity"](line, line) == pytest.approx(1)
    assert FEATURES["similarity"](line, 1 - line) == pytest.approx(-1)
    assert FEATURES["similarity"](line, flat) == 0
    assert FEATURES["brightness"](flat, line) == pytest.approx(0.5)
    assert FEATURES["contrast"](line, flat) == pytest.approx(0.5)
    assert FEATURES["colour distance"](flat, line * 0) == pytest.approx(np.sqrt(0.75))
    assert FEATURES["sharpness"](line, flat) == pytest.approx(1 / 7)


def test_bad_doses_are_told(scene, few):
    found = cem.causal_effect_map(
        cem.wrap(blur), scene, ROI, plan=cem.Fixed(2), pool=few, progress=False
    )
    with pytest.raises(ValueError, match="the map drew from"):
        cem.dose(found)
    with pytest.raises(ValueError, match="has 3 draws"):
        cem.dose(found, pool=few)
    with pytest.raises(ValueError, match="blocks="):
        cem.dose(found, pool=few, blocks="some")
