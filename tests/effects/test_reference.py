"""The recorded run of the paper's code: outcomes, effects and signs.

The full comparison needs the recording and the official DnCNN, which are not redistributed; the
fixture holds the recorded PSNRs and effects alone.
"""

from pathlib import Path

import numpy as np
import pytest

import cem_jax as cem
from cem_jax.plans.drawing import RandomDraws

FIXTURE = Path(__file__).parents[1] / "fixtures" / "reference_dncnn.npz"


def recorded_values(data, suffix: str) -> np.ndarray:
    """The recorded outcomes in a plan's layout [cells, 3 + 50]."""
    values = np.full((32 * 32, 53), np.nan)
    values[:, :3] = data[f"PSNR_C{suffix}"].reshape(-1, 3)
    cells = data["fine_blocks"] @ [32, 1]
    values[cells, 3:] = data[f"PSNR_F{suffix}"]
    return values


@pytest.mark.parametrize("suffix", ["", "_float"])
def test_the_plan_and_the_estimate_give_the_recorded_effects(suffix):
    data = np.load(FIXTURE)
    baseline = float(data[f"psnr_origin{suffix}"])
    values = recorded_values(data, suffix)
    plan = cem.CoarseToFine(3, 50, 0.01)
    wanted = plan.wanted(values, baseline, np.ones(1024, bool))
    fine, recorded = wanted[:, 3:].any(axis=1), np.isfinite(values[:, 3])
    if suffix:  # the recording chose its candidates by rounded outcomes, up to 0.006 dB away
        margin = np.abs(np.abs(values[:, :3] - baseline).max(axis=1) - 0.01)
        assert margin[fine != recorded].max() < 0.006
    else:
        np.testing.assert_array_equal(fine, recorded)
    values[~fine, 3:] = np.nan
    found = plan.estimate(values, baseline, cem.PatchPool.default())
    same = fine == recorded
    want = data[f"cem_raw{suffix}"].reshape(-1)
    np.testing.assert_allclose(found.effect[same], want[same], atol=1e-5)


@pytest.fixture(scope="module")
def recording():
    from conftest import SHARED

    if not (SHARED / "reference").is_dir():
        pytest.skip("no reference recordings beside the repository")
    data = np.load(SHARED / "reference" / "dncnn_demo2.npz")
    network = cem.load("DnCNN", SHARED / "weights" / "dncnn_color_blind.pth")
    scene = cem.Scene.custom(data["clean"], data["degraded"])
    side = int(data["roi_size"])
    roi = cem.ROI(int(data["roi_h"]), int(data["roi_w"]), side, side)
    return data, network, scene, roi


def test_a_scene_of_denoising_is_the_recorded_input(recording):
    data, _, scene, _ = recording
    np.testing.assert_array_equal(cem.Scene.denoising(data["clean"]).degraded, scene.degraded)


def test_the_raw_output_is_the_recorded_one(recording):
    data, network, scene, roi = recording
    rows, columns = slice(roi.y, roi.y + roi.height), slice(roi.x, roi.x + roi.width)
    restored = np.asarray(network(scene.degraded[None]))[0, rows, columns]
    np.testing.assert_allclose(restored, data["out_unperturbed"], atol=1e-5)
    for k, (row, column) in enumerate(data["out_perturbed_blocks"]):
        changed = scene.degraded.copy()
        patch = data["fine_patches"][data["out_perturbed_fine_row"][k], 0] / 255
        changed[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = patch
        restored = np.asarray(network(changed[None]))[0, rows, columns]
        np.testing.assert_allclose(restored, data["out_perturbed"][k], atol=1e-5)


def _interventions(data, near_only: bool):
    """Recorded blocks and patches, coarse then fine, and which of them to evaluate."""
    rows, columns = np.mgrid[:32, :32]
    coarse = np.stack([rows, columns], -1).reshape(-1, 2).repeat(3, axis=0)
    fine = data["fine_blocks"].repeat(50, axis=0)
    blocks = np.concatenate([coarse, fine])
    patches = np.concatenate(
        [data["coarse_patches"].reshape(-1, 8, 8, 3), data["fine_patches"].reshape(-1, 8, 8, 3)]
    )
    chosen = np.ones(len(blocks), bool)
    if near_only:  # one coarse draw around the region and every tenth fine one
        chosen[:] = False
        chosen[:3072:3] = (np.abs(coarse[::3] - (20.5, 13.5)) < 4).all(axis=1)
        chosen[3072::10] = True
    return blocks, patches, chosen


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("near_only", [True, pytest.param(False, marks=pytest.mark.long)])
def test_outcomes_and_map_are_the_recorded_ones(recording, rounded, near_only):
    data, network, scene, roi = recording
    suffix, limit = ("", 1e-3) if rounded else ("_float", 1e-4)
    blocks, patches, chosen = _interventions(data, near_only)
    want = np.concatenate([data[f"PSNR_C{suffix}"].ravel(), data[f"PSNR_F{suffix}"].ravel()])
    values = want.copy()
    values[chosen] = cem.outcomes(
        network, scene, roi, blocks[chosen], patches[chosen], rounded=rounded
    )
    np.testing.assert_allclose(values, want, atol=limit)

    ours = {
        f"PSNR_C{suffix}": values[:3072],
        f"PSNR_F{suffix}": values[3072:].reshape(-1, 50),
        "fine_blocks": data["fine_blocks"],
    }
    baseline = float(data[f"psnr_origin{suffix}"])
    samples = recorded_values(ours, suffix)
    fine = np.isfinite(samples) & (np.isfinite(samples[:, 3:4]) == (np.arange(53) >= 3))
    effect = RandomDraws().means(baseline - samples, fine).effect.reshape(32, 32)
    np.testing.assert_allclose(effect, data[f"cem_raw{suffix}"], atol=1e-3)
    outside = ~cem_grid_inside(roi)
    signs = np.sign(np.where(np.abs(effect) < 0.01, 0, effect))
    np.testing.assert_array_equal(signs[outside], np.sign(data[f"cem{suffix}"])[outside])


def cem_grid_inside(roi: cem.ROI) -> np.ndarray:
    inside = np.zeros((32, 32), bool)
    inside[roi.y // 8 : (roi.y + roi.height) // 8, roi.x // 8 : (roi.x + roi.width) // 8] = True
    return inside
