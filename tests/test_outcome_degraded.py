"""Outcomes that see the input, and those without a border."""

import jax.numpy as jnp
import numpy as np
import pytest

import cem_jax as cem
from cem_jax.outcome import as_outcome

ROI = cem.ROI(24, 32, 16, 16)


@pytest.fixture
def three():
    random = np.random.default_rng(0)
    target = random.random((12, 14, 3))
    degraded = target + 0.2 * random.standard_normal(target.shape)
    other = 0.05 * random.standard_normal(target.shape)
    return target, degraded, other


def test_the_two_parts_of_the_error_add_up(three):
    target, degraded, other = three
    restored = target + 0.3 * (degraded - target) + other
    given = [jnp.asarray(image, jnp.float32) for image in (restored, target, degraded)]
    parts = sum(10 ** (-float(score(*given)) / 10) for score in (cem.removal, cem.background))
    assert parts == pytest.approx(np.mean((restored - target) ** 2), rel=1e-5)


def test_each_part_knows_nothing_of_the_other(three):
    target, degraded, other = three
    done = degraded - target
    other = other - (other * done).sum() / (done * done).sum() * done

    def scores(left: float, changed: float) -> tuple[float, float]:
        restored = target + left * done + changed * other
        given = [jnp.asarray(image, jnp.float32) for image in (restored, target, degraded)]
        return float(cem.removal(*given)), float(cem.background(*given))

    assert scores(0.3, 1.0)[0] == pytest.approx(scores(0.3, 4.0)[0], abs=1e-3)
    assert scores(0.3, 1.0)[1] == pytest.approx(scores(0.05, 1.0)[1], abs=1e-3)
    expected = -10 * np.log10(0.09 * np.mean(done**2))
    assert scores(0.3, 1.0)[0] == pytest.approx(expected, abs=1e-3)
    assert scores(-0.3, 1.0)[0] == pytest.approx(expected, abs=1e-3)  # removed too much
    assert scores(0.0, 0.0) == pytest.approx((100, 100))


def test_maps_of_both_parts_come_from_one_sweep(clean, pool, local):
    scene = cem.Scene.denoising(clean, 20 / 255)
    maps = cem.causal_effect_maps(
        local, scene, ROI, ["psnr", "removal", "background"], pool=pool, plan=cem.Fixed(3),
        progress=False,
    )  # fmt: skip
    assert {one.unit for one in maps.values()} == {"dB"}
    error = {name: 10 ** (-np.array(one.values) / 10) for name, one in maps.items()}
    drawn = maps["psnr"].samples > 0
    np.testing.assert_allclose(
        (error["removal"] + error["background"])[drawn], error["psnr"][drawn], rtol=1e-4
    )
    box = slice(24, 40), slice(32, 48)
    restored = np.clip(np.asarray(local(scene.degraded[None]))[0][box], 0, 1)
    expected = cem.removal(restored, scene.clean[box], scene.degraded[box])
    assert maps["removal"].baseline == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.usefixtures("unchecked")
def test_the_input_of_a_larger_scale_comes_at_its_own_size(clean, pool):
    network = cem.wrap(lambda x: x.repeat(4, 1).repeat(4, 2), scale=4)
    scene = cem.Scene.super_resolution(clean)

    def consistency(restored, target, degraded):
        means = restored.reshape(4, 4, 4, 4, 3).mean((1, 3))
        return -jnp.mean(jnp.square(means - degraded))

    run = {"pool": pool, "plan": cem.Fixed(1), "progress": False}
    found = cem.causal_effect_map(network, scene, ROI, outcome=consistency, **run)
    assert found.baseline == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match=r"removal.*output's size"):
        cem.causal_effect_map(network, scene, ROI, outcome=cem.removal, **run)


def test_several_regions_see_each_their_own_part_of_the_input(clean, pool):
    def everything(x):
        return jnp.clip(x * (0.5 + jnp.mean(x, (1, 2), keepdims=True)), 0, 1)

    network, scene = cem.wrap(everything), cem.Scene.denoising(clean)
    rois = (ROI, cem.ROI(0, 8, 24, 16))
    run = {"pool": pool, "plan": cem.Fixed(1), "progress": False, "outcome": cem.removal}
    together = cem.region_maps(network, scene, rois, **run)
    for roi, one in zip(rois, together, strict=True):
        alone = cem.causal_effect_map(network, scene, roi, **run)
        assert one.baseline == pytest.approx(alone.baseline, abs=1e-4)
        np.testing.assert_allclose(one.values, alone.values, atol=1e-3)


def test_a_border_is_left_out(three):
    target, degraded, _ = (jnp.asarray(image, jnp.float32) for image in three)
    score = cem.cropped(cem.psnr_y, 3)
    expected = cem.psnr_y(degraded[3:-3, 3:-3], target[3:-3, 3:-3])
    assert float(score(degraded, target)) == float(expected)
    assert (score.__name__, cem.unit(score), cem.unit(cem.cropped(cem.ssim, 2))) == (
        "psnr_y-crop3", "dB", "",
    )  # fmt: skip
    assert as_outcome("psnr_y-crop3") == score and as_outcome("removal") is cem.removal
    for wrong in ("psnr-crop0", "psnr-crop", "nothing-crop2", "removal-crop2"):
        with pytest.raises(ValueError, match=r"border=0|outcome="):
            as_outcome(wrong)
    with pytest.raises(ValueError, match="nothing is left"):
        cem.cropped(cem.psnr, 6)(target, target)


def test_attributions_refuse_outcomes_that_see_the_input(clean, local):
    with pytest.raises(ValueError, match="outcome="):
        cem.gradient_map(local, cem.Scene.denoising(clean), ROI, outcome=cem.removal)
