"""How much of an effect passes a module, of networks for which it can be written down."""

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest
from conftest import blur, unchanged

import cem_jax as cem

matplotlib.use("agg")
ROI = cem.ROI(16, 16, 16, 16)
BLOCKS = [(1, 2), (2, 4), (0, 0)]


def mean_of_region(restored: jax.Array, target: jax.Array) -> jax.Array:
    """A linear outcome."""
    return jnp.mean(restored)


def three_ways(x: jax.Array) -> jax.Array:
    """Half of a blur, a third of the mean, a sixth of the pixel."""
    with jax.named_scope("near"):
        near = blur(x) / 2
    with jax.named_scope("far"):
        with jax.named_scope("mean"):
            mean = x.mean((1, 2), keepdims=True)
        far = mean / 3
    with jax.named_scope("unused"):
        blur(x)
    return near + far + x / 6


@pytest.fixture(scope="module")
def scene() -> cem.Scene:
    clean = cem.example_image("facade")[:48, :48]
    return cem.Scene.custom(clean, clean, unchanged)


@pytest.fixture(scope="module")
def found(scene: cem.Scene) -> cem.Layers:
    return cem.trace_layers(
        cem.wrap(three_ways), scene, ROI, BLOCKS, ["near", "far", "unused", "far.mean"],
        samples=6, outcome=mean_of_region,
    )  # fmt: skip


def of(scene: cem.Scene, network) -> np.ndarray:
    """Effects of the blocks for another network."""
    effects = cem.causal_effect_map(
        cem.wrap(network), scene, ROI, outcome=mean_of_region, plan=cem.Fixed(6), progress=False
    )
    return np.array([effects.effect[place] for place in BLOCKS])


def test_what_passes_a_module_is_the_effect_of_its_way(found, scene):
    assert found.layers == ("near", "far", "unused", "far.mean")
    near = of(scene, lambda x: blur(x) / 2)
    far = of(scene, lambda x: x * 0 + x.mean((1, 2), keepdims=True) / 3)
    np.testing.assert_allclose(found.passes[0], near, atol=1e-6)
    np.testing.assert_allclose(found.passes[1], far, atol=1e-6)
    np.testing.assert_allclose(found.passes[3], found.passes[1], atol=1e-6)
    assert not found.passes[2].any() and not found.standard_error[2].any()
    np.testing.assert_allclose(found.effect, of(scene, three_ways), atol=1e-6)
    np.testing.assert_allclose(found.mean, found.passes.mean(axis=1))
    assert found.work.shape == (5,) and found.samples == 6


def test_distances_and_classes(found):
    np.testing.assert_array_equal(found.distance, [0, 0, 8])
    classes = found.by_distance([0, 1, 8, 16])
    np.testing.assert_allclose(classes[:, 0], found.passes[:, :2].mean(axis=1))
    assert np.isnan(classes[:, 1]).all()
    np.testing.assert_array_equal(classes[:, 2], found.passes[:, 2])


def test_classes_have_intervals_of_their_blocks(found):
    low, high = found.interval_by_distance([0, 1, 8, 16])
    assert np.isnan(low[:, 1]).all()
    own = found.standard_error[0, :2]
    error = np.hypot(*own) / 2
    half = 2.5705818 * error  # the 97.5 % quantile of Student's t with 5 degrees of freedom
    middle = found.passes[0, :2].mean()
    assert (low[0, 0], high[0, 0]) == pytest.approx((middle - half, middle + half))
    alone = found.standard_error[1, 2]
    assert high[1, 2] - low[1, 2] == pytest.approx(2 * 2.5705818 * alone)
    with pytest.raises(ValueError, match="ascending"):
        found.by_distance([8, 0])


def test_a_chain_is_passed_by_all(scene):
    def chain(x: jax.Array) -> jax.Array:
        for name in ("first", "second"):
            with jax.named_scope(name):
                x = blur(x)
        return x

    found = cem.trace_layers(cem.wrap(chain), scene, ROI, BLOCKS[:2], samples=3)
    assert found.layers == ("first", "second")
    np.testing.assert_array_equal(found.passes, np.tile(found.effect, (2, 1)))


def test_pictures(found):
    ax = cem.plot_layers(found)
    assert [one.get_text() for one in ax.get_yticklabels()] == list(found.layers)
    matplotlib.pyplot.close(ax.figure)
    ax = cem.plot_layers_by_distance(found, [0, 1, 8, 16])
    (drawn,) = ax.get_images()
    np.testing.assert_array_equal(
        np.ma.filled(drawn.get_array(), np.nan), found.by_distance([0, 1, 8, 16])
    )
    assert [one.get_text() for one in ax.get_xticklabels()] == ["0 to 1", "1 to 8", "8 to 16"]
    matplotlib.pyplot.close(ax.figure)


def test_a_network_without_names_is_told(scene):
    with pytest.raises(ValueError, match="has no modules"):
        cem.trace_layers(cem.wrap(blur), scene, ROI, BLOCKS)
    with pytest.raises(ValueError, match="layers='body'"):
        cem.trace_layers(cem.wrap(three_ways), scene, ROI, BLOCKS, "body")
