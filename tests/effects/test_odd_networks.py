"""Networks with noise of their own, messages, or loops without a step: maps as by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import blur, curved, unchanged

import cem_jax as cem

ROI = cem.ROI(24, 32, 16, 16)


def noisy(x):
    return jnp.clip(blur(x) + 0.05 * jax.random.normal(jax.random.key(0), x.shape), 0, 1)


def printed(x):
    y = curved(x)
    jax.debug.print("mean {}", y.mean())
    return blur(y)


def never_looped(x):
    y, rows = jax.lax.scan(lambda c, k: (c * k, c), curved(x), np.zeros((0,), np.float32))
    return y + rows.sum()


@pytest.mark.parametrize("f", [noisy, printed, never_looped])
@pytest.mark.parametrize("kept", [False, True])
def test_a_map_is_that_of_the_whole_network_on_every_changed_image(f, kept, clean, pool, tmp_path):
    """By a pool of one patch, so that it is known what was pasted."""
    patch = pool.patches[7]
    scene = cem.Scene.custom(clean, clean, unchanged)
    found = cem.causal_effect_map(
        cem.wrap(f), scene, ROI, pool=cem.PatchPool(patch[None]), plan=cem.Fixed(1),
        progress=False, directory=tmp_path / "sweep" if kept else None,
    )  # fmt: skip
    assert found.provenance["computed"].startswith("cone")
    whole, rows, columns = jax.jit(f), slice(24, 40), slice(32, 48)
    target = scene.clean[rows, columns]

    def score(image):
        restored = jnp.clip(whole(image[None])[0, rows, columns], 0, 1)
        return float(cem.psnr(restored, target))

    assert found.baseline == pytest.approx(score(scene.degraded), abs=1e-3)
    effects = []
    for row, column in ((2, 4), (2, 5), (3, 3), (5, 6), (0, 0)):
        image = scene.degraded.copy()
        image[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = patch / np.float32(255)
        effects.append(score(scene.degraded) - score(image))
        assert found.effect[row, column] == pytest.approx(effects[-1], abs=2e-3)
    assert max(map(abs, effects)) > 0.02
