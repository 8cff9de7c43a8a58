"""Attribution methods against definitions, and against integrals made by other means."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.ndimage
from conftest import blur, unseen

import cem_jax as cem
from cem_jax.attribution.path import Sharpening

ROI = cem.ROI(24, 32, 16, 16)


def mean_outcome(restored: jax.Array, target: jax.Array) -> jax.Array:
    """Linear in the restored region."""
    return jnp.mean(restored)


@pytest.fixture
def scene(clean) -> cem.Scene:
    return cem.Scene.custom(clean, clean)


def two_layers(params, x):
    """A smooth network of scale 2: convolution, tanh, convolution, pixel shuffle."""
    dimensions = ("NHWC", "HWIO", "NHWC")
    for number, kernel in enumerate(params):
        x = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=dimensions, precision="highest"
        )
        x = x if number else jnp.tanh(x)
    n, h, w, _ = x.shape
    return x.reshape(n, h, w, 2, 2, 3).transpose(0, 1, 3, 2, 4, 5).reshape(n, 2 * h, 2 * w, 3)


def two_layers_in_numpy(kernels, images):
    """The same in float64 for images [n, h, w, 3], from windows and matrix products."""
    for number, kernel in enumerate(kernels):
        padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
        images = np.tensordot(windows, kernel.transpose(2, 0, 1, 3), 3)
        images = images if number else np.tanh(images)
    n, h, w, _ = images.shape
    out = np.empty((n, 2 * h, 2 * w, 3))
    for y, x in np.ndindex(2, 2):
        out[:, y::2, x::2] = images[..., 6 * y + 3 * x : 6 * y + 3 * x + 3]
    return out


def detector_in_numpy(regions):
    """The sum over each region [n, h, w, 3] of the length of its gradient: [n]."""
    down, right = np.diff(regions, axis=1)[:, :, :-1], np.diff(regions, axis=2)[:, :-1]
    return np.hypot(down, right).sum((1, 2, 3))


@pytest.fixture(scope="module")
def small():
    """A small scene of super-resolution with its network, and the detector as a numpy function."""
    rng = np.random.default_rng(0)
    shapes = (0.4, (3, 3, 3, 6)), (0.04, (3, 3, 6, 12))
    kernels = [size * rng.standard_normal(shape) for size, shape in shapes]
    kernels = [np.float64(np.float32(kernel)) for kernel in kernels]
    image = cem.example_image("facade")[40:49, 50:58]
    scene = cem.Scene.custom(image.repeat(2, 0).repeat(2, 1), image)
    params = [jnp.asarray(kernel, jnp.float32) for kernel in kernels]
    network = cem.wrap(two_layers, params=params, scale=2, receptive_radius=2)

    def detect(images):
        return detector_in_numpy(two_layers_in_numpy(kernels, images)[:, 6:12, 4:12])

    return network, scene, cem.ROI(6, 4, 6, 8), detect


def path_in_numpy(image, alpha, sigma=1.2):
    """scipy's Gaussian filter, 9 wide, mirrored at the border."""
    if alpha == 1:
        return image
    return scipy.ndimage.gaussian_filter(
        image, sigma * (1 - alpha), mode="mirror", radius=4, axes=(0, 1)
    )


def test_a_local_attribution_map_is_the_integral_made_by_finite_differences(small):
    network, scene, roi, detect = small
    image = np.float64(scene.degraded)
    step = 1e-5

    def rate(alpha):
        """d D / d pixel * d pixel / d alpha, every derivative a central difference in float64."""
        at = path_in_numpy(image, alpha)
        slope = (path_in_numpy(image, alpha + step) - path_in_numpy(image, alpha - step)) / 2 / step
        moves = step * np.eye(at.size).reshape(-1, *at.shape)
        gradient = (detect(at + moves) - detect(at - moves)).reshape(at.shape) / (2 * step)
        return (gradient * slope).sum(-1)

    # Below sigma = 0.12, alpha = 0.9, the blur is the identity to 1e-15.
    nodes = np.linspace(0.002, 0.9, 25)
    expected = scipy.integrate.simpson([rate(alpha) for alpha in nodes], x=nodes, axis=0)
    expected += 0.002 * rate(0.002)
    found = cem.local_attribution_map(network, scene, roi, steps=96)
    scale = np.abs(expected).max()
    assert np.abs(found.attribution - expected).max() < 1e-3 * scale
    assert found.outcome == pytest.approx(detect(image[None])[0], rel=1e-5)
    start = detect(path_in_numpy(image, 0)[None])[0]
    assert found.outcome_at_start == pytest.approx(start, rel=1e-5)


def test_attributions_sum_to_the_change_of_the_outcome_as_steps_grow(small):
    network, scene, roi, _ = small
    steps = (4, 8, 16, 32)
    maps = [cem.local_attribution_map(network, scene, roi, steps=n) for n in steps]
    errors = np.abs([found.quadrature_error for found in maps])
    change = abs(maps[0].outcome - maps[0].outcome_at_start)
    # The midpoint rule on a smooth network: four times smaller with twice the steps, at least.
    assert (errors[1:] < 0.3 * errors[:-1]).all()
    assert errors[-1] < 1e-3 * change < change


def test_attributions_of_a_trained_network_sum_to_the_change():
    clean = cem.example_image("pagoda")[64:112, 64:112]
    scene, network = cem.Scene.denoising(clean), cem.load("DnCNN-compact")
    few, many = (
        cem.local_attribution_map(network, scene, cem.ROI(16, 16, 16, 16), steps=steps)
        for steps in (5, 50)
    )
    # ReLU bends the integrand at many points: slower than on a smooth network.
    assert abs(many.quadrature_error) < abs(few.quadrature_error) / 10
    assert abs(many.quadrature_error) < 0.01 * (many.outcome - many.outcome_at_start)


def test_the_blur_path_is_scipys_gaussian_and_its_slope_is_exact():
    image = np.random.default_rng(0).random((9, 14, 3))
    path = Sharpening(1.2)
    for alpha in (0.0, 0.3, 0.7, 0.95):
        point, slope = jax.jvp(
            lambda a: path(jnp.asarray(image, jnp.float32), a), (jnp.float32(alpha),), (1.0,)
        )
        step = 1e-4
        around = [path_in_numpy(image, alpha + s * step) for s in (1, -1)]
        np.testing.assert_allclose(point, path_in_numpy(image, alpha), atol=1e-6)
        np.testing.assert_allclose(slope, (around[0] - around[1]) / (2 * step), atol=2e-5)
    end, still = jax.jvp(
        lambda a: path(jnp.asarray(image, jnp.float32), a), (jnp.float32(1),), (1.0,)
    )
    np.testing.assert_array_equal(end, np.float32(image))
    assert not np.asarray(still).any()


def test_for_a_linear_network_and_outcome_all_methods_agree(scene):
    network = cem.wrap(blur, receptive_radius=1)
    gradient = cem.gradient_map(network, scene, ROI, outcome=mean_outcome)
    # Every pixel of the region is one of 16 x 16 x 3, and is the mean of 3 x 3 pixels.
    weight = np.zeros((72, 88))
    weight[24:40, 32:48] = 1 / 256
    weight = scipy.ndimage.uniform_filter(weight, 3, mode="constant")
    np.testing.assert_allclose(gradient.attribution, weight, atol=1e-8)
    image = np.float64(scene.degraded)
    for start, origin in (("black", 0), ("mean", image.mean((0, 1)))):
        found = cem.integrated_gradients(
            network, scene, ROI, start=start, steps=3, outcome=mean_outcome
        )
        expected = (weight[..., None] / 3 * (image - origin)).sum(-1)
        np.testing.assert_allclose(found.attribution, expected, atol=1e-8)
        assert abs(found.quadrature_error) < 1e-6
    occluded = cem.occlusion_map(network, scene, ROI, fill="mean", outcome=mean_outcome)
    # The difference of two float32 outcomes, each a mean of 768 values.
    rounding = 32 * np.finfo(np.float32).eps * occluded.outcome
    np.testing.assert_allclose(occluded.attribution, found.in_blocks(8), atol=rounding)
    sharp = cem.local_attribution_map(network, scene, ROI, outcome=mean_outcome, steps=40)
    expected = weight[..., None] / 3 * (image - path_in_numpy(image, 0))
    np.testing.assert_allclose(sharp.attribution, expected.sum(-1), atol=2e-6)


@pytest.mark.parametrize(
    "method",
    [
        lambda *subject: cem.local_attribution_map(*subject, steps=6),
        lambda *subject: cem.integrated_gradients(*subject, steps=6),
        cem.gradient_map,
        cem.occlusion_map,
    ],
)
def test_what_the_region_cannot_see_gets_exactly_zero(method, scene, local):
    found = method(local, scene, ROI)
    side = found.cell
    seen = np.zeros((72 // side, 88 // side), bool)
    seen[-(-22 // side) - (side > 1) : 42 // side + (side > 1), :] = True
    seen[:, : 30 // side] = seen[:, 50 // side + (side > 1) :] = False
    assert (found.attribution[~seen] == 0).all()
    assert (found.attribution[seen] != 0).mean() > 0.9
    everywhere = method(dataclasses.replace(local, receptive_radius=None), scene, ROI)
    np.testing.assert_allclose(everywhere.attribution, found.attribution, atol=2e-5)


def test_chunks_do_not_change_the_map(scene, local):
    maps = [
        cem.local_attribution_map(local, scene, ROI, steps=5, chunk=chunk).attribution
        for chunk in (None, 1, 3, 8)
    ]
    for other in maps[1:]:
        np.testing.assert_allclose(other, maps[0], atol=1e-5 * np.abs(maps[0]).max())


def test_occlusion_is_what_the_outcome_loses(scene, local):
    found = cem.occlusion_map(local, scene, ROI, fill="blur")
    image, target = scene.degraded, jnp.asarray(scene.clean[24:40, 32:48])
    blurred = path_in_numpy(np.float64(image), 0)

    def score(image):
        return float(cem.psnr(local(image[None])[0, 24:40, 32:48], target))

    assert found.outcome == pytest.approx(score(image), abs=2e-5)
    assert found.unit == "dB"
    for row, column in ((3, 4), (2, 6), (5, 5)):
        occluded = image.copy()
        block = np.s_[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        occluded[block] = blurred[block]
        expected = score(image) - score(occluded)
        assert found.attribution[row, column] == pytest.approx(expected, abs=5e-5)


def test_a_flat_region_has_a_gradient(clean):
    flat = cem.Scene.custom(clean, np.full_like(clean, 128))
    found = cem.local_attribution_map(cem.wrap(blur, receptive_radius=1), flat, ROI, steps=2)
    assert np.isfinite(found.attribution).all()


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("local_attribution_map", {"sigma": 0}, "sigma=0"),
        ("local_attribution_map", {"sigma": float("nan")}, "sigma=nan"),
        ("local_attribution_map", {"sigma": 40}, "sigma=40.*at most"),
        ("local_attribution_map", {"steps": 0}, "steps=0"),
        ("local_attribution_map", {"chunk": 0}, "chunk=0"),
        ("integrated_gradients", {"start": "grey"}, "start='grey'.*black, mean"),
        ("occlusion_map", {"fill": "grey"}, "fill='grey'.*mean, blur"),
        ("occlusion_map", {"block": 0}, "block=0"),
    ],
)
def test_bad_arguments_are_named(method, arguments, message, local, scene):
    with pytest.raises(ValueError, match=message):
        getattr(cem, method)(local, scene, ROI, **arguments)


@pytest.mark.parametrize(
    "method", ["local_attribution_map", "integrated_gradients", "gradient_map", "occlusion_map"]
)
def test_subjects_that_do_not_fit_are_named(method, local, scene):
    attribute = getattr(cem, method)
    with pytest.raises(ValueError, match="network='nonsense'"):
        attribute("nonsense", scene, ROI)
    with pytest.raises(ValueError, match="roi="):
        attribute(local, scene, cem.ROI(64, 0, 16, 16))
    with pytest.raises(ValueError, match=r"network=.*are needed"):
        attribute(cem.wrap(lambda x: x[:, ::2]), scene, ROI)


def test_a_region_of_one_pixel_has_no_detail(local, scene):
    with pytest.raises(ValueError, match=r"roi: .*1 x 8"):
        cem.local_attribution_map(local, scene, cem.ROI(8, 8, 1, 8))


def test_a_network_on_the_host_has_no_gradient(scene):
    network = cem.wrap(unseen, name="foreign")
    with pytest.raises(ValueError, match=r"network=foreign.*no gradient"):
        cem.gradient_map(network, scene, ROI)
    assert cem.occlusion_map(network, scene, ROI, block=24).attribution.shape == (3, 4)


@pytest.mark.long
@pytest.mark.parametrize("task", ["SR", "DN", "DR"])
def test_the_page_shows_what_the_command_prints(task):
    from cem_jax.experiments.attribution import compare

    page = (Path(__file__).parents[2] / "docs" / "attribution.md").read_text()
    title, rows = compare(task)
    assert f"{title}\n\n{cem.markdown_table(rows)}\n" in page
