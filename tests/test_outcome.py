"""Outcomes against their textbook forms in float64, written with numpy and scipy alone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from conftest import unchanged

import cem_jax as cem

OUTCOMES = [cem.psnr, cem.psnr_y, cem.ssim, cem.negative_mse, cem.negative_l1]
ROI = cem.ROI(24, 32, 16, 24)


def textbook_psnr(restored, target):
    return 10 * np.log10(255.0**2 / np.mean((255.0 * restored - 255.0 * target) ** 2))


def textbook_psnr_y(restored, target):
    # The matrix of ITU-R BT.601 for R, G, B in [0, 1]: Y from 16 to 235.
    def luma(image):
        return 16 + image @ np.array([65.481, 128.553, 24.966])

    return 10 * np.log10(255.0**2 / np.mean((luma(restored) - luma(target)) ** 2))


def textbook_ssim(restored, target):
    """Variances as means of squared deviations, window by window, on the 8-bit scale."""
    u = np.arange(11) - 5
    window = np.exp(-(u[:, None] ** 2 + u[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    channels = []
    for c in range(restored.shape[2]):
        x, y = 255.0 * restored[..., c], 255.0 * target[..., c]
        mu_x = scipy.signal.convolve2d(x, window, mode="valid")
        mu_y = scipy.signal.convolve2d(y, window, mode="valid")
        found = np.empty_like(mu_x)
        for i, j in np.ndindex(*found.shape):
            dx = x[i : i + 11, j : j + 11] - mu_x[i, j]
            dy = y[i : i + 11, j : j + 11] - mu_y[i, j]
            xx, yy, xy = (float((window * d).sum()) for d in (dx * dx, dy * dy, dx * dy))
            found[i, j] = (2 * mu_x[i, j] * mu_y[i, j] + c1) * (2 * xy + c2)
            found[i, j] /= (mu_x[i, j] ** 2 + mu_y[i, j] ** 2 + c1) * (xx + yy + c2)
        channels.append(found.mean())
    return np.mean(channels)


TEXTBOOK = {
    cem.psnr: textbook_psnr,
    cem.psnr_y: textbook_psnr_y,
    cem.ssim: textbook_ssim,
    cem.negative_mse: lambda r, t: -np.mean((r - t) ** 2),
    cem.negative_l1: lambda r, t: -np.mean(np.abs(r - t)),
}
TOLERANCE = {cem.psnr: 2e-5, cem.psnr_y: 2e-5}
"""In dB; 2e-6 for what has no unit."""


def pair(noise: float, shape=(23, 31, 3), seed=0) -> tuple[np.ndarray, np.ndarray]:
    """A region of a photograph and a noisy version of it."""
    h, w, _ = shape
    target = cem.example_image("facade")[40 : 40 + h, 50 : 50 + w] / 255
    rng = np.random.default_rng(seed)
    restored = np.clip(target + noise * rng.standard_normal(shape), 0, 1)
    return restored.astype(np.float32), target.astype(np.float32)


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("noise", [0.003, 0.05, 0.3])
def test_an_outcome_equals_its_textbook_form(outcome, noise):
    restored, target = pair(noise)
    expected = TEXTBOOK[outcome](np.float64(restored), np.float64(target))
    found = float(jax.jit(outcome)(jnp.asarray(restored), jnp.asarray(target)))
    assert found == pytest.approx(expected, abs=TOLERANCE.get(outcome, 2e-6), rel=0)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_larger_is_better(outcome):
    images = [pair(noise) for noise in (0.3, 0.1, 0.03, 0.01)]
    scored = jax.jit(outcome)
    values = [float(scored(*map(jnp.asarray, image))) for image in images]
    assert values == sorted(values)
    perfect = jnp.asarray(images[0][1])
    best = {cem.psnr: 100, cem.psnr_y: 100, cem.ssim: 1}.get(outcome, 0)
    assert float(scored(perfect, perfect)) == pytest.approx(best, abs=1e-6)
    assert values[-1] < best


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_batch_gives_what_single_regions_give(outcome):
    target = jnp.asarray(pair(0.1)[1])
    batch = jnp.stack([pair(0.1, seed=seed)[0] for seed in range(3)])
    together = jax.jit(jax.vmap(functools.partial(outcome, target=target)))(batch)
    scored = jax.jit(outcome)
    alone = [float(scored(restored, target)) for restored in batch]
    np.testing.assert_allclose(together, alone, rtol=2e-6)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_gradient_is_the_textbook_forms_slope(outcome):
    restored, target = pair(0.1, (13, 14, 3))
    slope = jax.jit(jax.grad(outcome))
    gradient = np.asarray(slope(jnp.asarray(restored), jnp.asarray(target)))
    direction = np.random.default_rng(1).standard_normal(restored.shape)
    step = 1e-6
    up, down = (
        TEXTBOOK[outcome](np.float64(restored) + s * direction, np.float64(target))
        for s in (step, -step)
    )
    assert (gradient * direction).sum() == pytest.approx((up - down) / (2 * step), rel=1e-4)


def test_ssim_of_a_region_smaller_than_its_window_is_refused(clean, local):
    scene = cem.Scene.custom(clean, clean, unchanged)
    with pytest.raises(ValueError, match=r"roi: .*8 x 16 pixels.*11 x 11"):
        cem.outcomes(
            local, scene, cem.ROI(8, 8, 8, 16), [[0, 0]], np.zeros((1, 8, 8, 3)), outcome=cem.ssim
        )
    x = jnp.zeros((11, 11, 1))
    assert float(cem.ssim(x, x)) == 1


def test_luma_is_of_colours_or_is_the_one_channel():
    with pytest.raises(ValueError, match=r"\(16, 16, 2\).*psnr_y"):
        cem.psnr_y(jnp.zeros((16, 16, 2)), jnp.zeros((16, 16, 2)))
    grey = jnp.full((16, 16, 1), 0.5)
    assert float(cem.psnr_y(grey, 0.9 * grey)) == float(cem.psnr(grey, 0.9 * grey))


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_sweep_scores_interventions_with_any_outcome(clean, local, outcome):
    scene = cem.Scene.custom(clean, clean, unchanged)
    blocks = np.array([[2, 4], [3, 3], [0, 0]])
    patches = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    values = cem.outcomes(local, scene, ROI, blocks, patches, outcome=outcome)
    target = np.float64(scene.clean[24:40, 32:56])
    for (row, column), patch, value in zip(blocks, patches, values, strict=True):
        image = scene.degraded.copy()
        image[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = patch / np.float32(255)
        restored = np.float64(local(image[None])[0, 24:40, 32:56])
        expected = TEXTBOOK[outcome](restored, target)
        assert value == pytest.approx(expected, abs=TOLERANCE.get(outcome, 2e-6), rel=0)


def test_units():
    from cem_jax.outcome import unit

    assert [unit(outcome) for outcome in OUTCOMES] == ["dB", "dB", "", "", ""]
    assert unit(lambda restored, target: restored.mean()) == ""
