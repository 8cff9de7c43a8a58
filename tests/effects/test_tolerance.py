"""A tolerance is in the unit of its outcome: what 0.01 dB of PSNR is there."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import cem_jax as cem
from cem_jax.outcome import tolerance

ROI = cem.ROI(24, 32, 16, 16)


@pytest.fixture
def rows():
    """A network in which all pixels of a row matter."""
    return cem.wrap(lambda x: x - 0.8 * (x.mean(axis=2, keepdims=True) - 0.5), name="rows")


def made(rows, clean, pool, *outcomes, plan=None):
    scene = cem.Scene.denoising(clean, sigma=10 / 255)
    plan = cem.CoarseToFine(2, 4) if plan is None else plan
    return cem.causal_effect_maps(rows, scene, ROI, outcomes, pool=pool, plan=plan, progress=False)


def test_a_change_of_the_error_by_a_hundredth_of_a_decibel_is_the_tolerance():
    random = np.random.default_rng(0)
    target = random.random((24, 24, 3)).astype(np.float32)
    error = 0.02 * random.normal(size=target.shape)
    # Larger errors by a factor of 10 ** (0.01 / 20) lower PSNR by 0.01 dB.
    larger = 10 ** (0.01 / 20) * error
    for outcome in (cem.psnr, cem.psnr_y, cem.negative_mse, cem.negative_l1, cem.ssim):
        before, after = (float(outcome(target + e, jnp.asarray(target))) for e in (error, larger))
        # SSIM lacks in proportion to the squared error as long as that is small.
        rel = 0.05 if outcome is not cem.ssim else 0.1
        assert tolerance(outcome, before) == pytest.approx(before - after, rel=rel)
    assert tolerance(cem.cropped(cem.psnr_y, 4), 30.0) == 0.01
    assert tolerance(lambda restored, target: restored.mean(), 0.5) == 0.0


def test_an_outcome_of_another_unit_is_not_all_zero(rows, clean, pool):
    (found,) = made(rows, clean, pool, cem.ssim).values()
    assert found.tolerance == pytest.approx((1 - found.baseline) * (10**0.001 - 1))
    assert found.counts.negative + found.counts.positive > 5
    assert found.samples.max() == 4  # candidates of the coarse stage, at this tolerance
    kept = made(rows, clean, pool, cem.ssim, plan=cem.CoarseToFine(2, 4, 0.01))["ssim"]
    assert kept.tolerance == 0.01
    assert sum(kept.counts[:2]) < sum(found.counts[:2])


def test_every_outcome_of_a_sweep_has_its_own(rows, clean, pool):
    def brightness(restored, target):
        return restored.mean()

    maps = made(rows, clean, pool, cem.psnr, cem.ssim, cem.negative_l1, brightness)
    assert maps["psnr"].tolerance == 0.01
    assert maps["ssim"].tolerance == pytest.approx((1 - maps["ssim"].baseline) * 0.0023, rel=5e-3)
    assert maps["negative_l1"].tolerance == pytest.approx(
        -maps["negative_l1"].baseline * 0.00115, rel=5e-3
    )
    # Nothing is known of the last one: every effect counts.
    assert maps["brightness"].tolerance == 0.0
    drawn = maps["brightness"].samples > 0
    assert sum(maps["brightness"].counts[:2]) == (maps["brightness"].effect[drawn] != 0).sum()


def test_without_a_tolerance_every_block_is_a_candidate(rows, clean, pool):
    (found,) = made(rows, clean, pool, lambda restored, target: restored.mean()).values()
    drawn = found.samples > 0
    assert drawn.any() and (found.samples[drawn] == 4).all()
    assert not found.selected.any()


def test_the_record_of_a_plan_is_data(rows, clean, pool):
    (found,) = made(rows, clean, pool, cem.psnr).values()
    assert found.provenance["plan"] == {
        "plan": "coarse-to-fine", "coarse": 2, "fine": 4, "tolerance": None,
    }  # fmt: skip
    assert found.plan == cem.CoarseToFine(2, 4)
    unknown = dataclasses.replace(found, provenance={"plan": "Census(1)"})
    assert unknown.plan == cem.Fixed(6) and not unknown.selected.any()
