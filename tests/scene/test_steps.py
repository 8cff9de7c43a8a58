"""Degradations against references written by themselves, and do() against degrading all again."""

import fractions
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from PIL import Image

import cem_jax as cem
from cem_jax.scene.degrade.jpeg import compressed
from cem_jax.scene.degrade.sequence import Axis, degrade

PHOTO = cem.example_image("facade")


def noise_image(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def pillow_jpeg(image: np.ndarray, quality: int, subsampling: int) -> np.ndarray:
    file = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    more = {} if image.shape[2] == 1 else {"subsampling": subsampling}
    picture.save(file, "JPEG", quality=quality, **more)
    return np.asarray(Image.open(file)).reshape(image.shape)


@pytest.mark.parametrize("size", [(64, 80), (61, 47), (33, 50), (17, 15), (8, 5), (3, 3), (1, 1)])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_jpeg_equals_pillows_within_a_level(size, subsampling):
    """It is equal bit for bit to libjpeg-turbo; other libraries may round otherwise."""
    code = {"4:2:0": 2, "4:4:4": 0}[subsampling]
    for image in (PHOTO[: size[0], : size[1]], noise_image(*size, 3)):
        for quality in (1, 5, 10, 30, 50, 75, 95, 100):
            found = compressed(image.astype(np.int32), quality, subsampling)
            expected = pillow_jpeg(image, quality, code)
            assert np.abs(found - expected).max() <= 1
            assert (found != expected).mean() < 0.01
    grey = cem.to_grey(PHOTO[: size[0], : size[1]])
    found = compressed(grey.astype(np.int32), 20, subsampling)
    np.testing.assert_allclose(found, pillow_jpeg(grey, 20, 0), atol=1)


@pytest.mark.parametrize("step", [cem.Jpeg(8), cem.Jpeg(90, "4:4:4")])
def test_jpeg_on_the_device_is_that_on_the_host(step):
    for image in (PHOTO[:61, :47], cem.to_grey(PHOTO[:20, :30])):
        expected = compressed(image.astype(np.int32), step.quality, step.subsampling)
        np.testing.assert_array_equal(step(image), expected)


def mirrored(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlation in float64 by scipy, the border pixel not repeated."""
    planes = [
        scipy.ndimage.correlate(image[..., c].astype(np.float64), kernel, mode="mirror")
        for c in range(image.shape[2])
    ]
    return np.stack(planes, axis=-1)


def test_gaussian_blur_is_that_of_the_formula():
    for sigma, radius in ((0.6, 2), (1.5, 5), (3.0, 9)):
        axis = np.arange(-radius, radius + 1)
        kernel = np.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * sigma**2))
        expected = mirrored(PHOTO[:60, :70], kernel / kernel.sum())
        found = cem.Blur.gaussian(sigma)(PHOTO[:60, :70])
        assert np.abs(found - expected).max() < 0.55  # half a level of rounding, and the weights'


def test_own_kernels_are_correlated_as_they_stand():
    kernel = np.random.default_rng(3).random((7, 7)) ** 3
    expected = mirrored(PHOTO[:40, :50], kernel / kernel.sum())
    blur = cem.Blur(kernel)
    assert np.abs(blur(PHOTO[:40, :50]) - expected).max() < 0.51
    assert np.sum(blur.kernel) == 65536
    shift = np.zeros((3, 3))
    shift[0, 2] = 5
    np.testing.assert_array_equal(cem.Blur(shift)(PHOTO)[1:-1, 1:-1], PHOTO[:-2, 2:])


def test_motion_blurs_along_its_angle_alone():
    across = np.tile(noise_image(1, 64, 1), (64, 1, 1))  # the same in every row
    np.testing.assert_array_equal(cem.Blur.motion(11, 90)(across), across)
    row = cem.Blur.motion(11, 0)
    assert len(row.kernel) == 11 and np.count_nonzero(np.sum(row.kernel, axis=1)) == 1
    weights = np.array(row.kernel)[5] / 65536
    np.testing.assert_allclose(weights[1:-1], 0.1, atol=2e-3)  # a line from centre to centre
    up, down = (np.array(cem.Blur.motion(11, angle).kernel) for angle in (45, -45))
    assert up[np.arange(11), 10 - np.arange(11)].sum() > 0.5 * 65536  # counter-clockwise
    np.testing.assert_allclose(up[::-1], down, atol=3)


def test_haze_is_the_scattering_model():
    haze = cem.Haze(light=0.8, depth=0.6, slope=0.4, angle=90)
    depth = 0.6 + 0.4 * np.linspace(-0.5, 0.5, 50)[:, None, None]
    expected = 255 * (PHOTO[:50, :40] / 255 * np.exp(-depth) + 0.8 * (1 - np.exp(-depth)))
    assert np.abs(haze(PHOTO[:50, :40]) - expected).max() < 0.51
    np.testing.assert_array_equal(cem.Haze(depth=0)(PHOTO), PHOTO)


def test_low_light_is_a_gamma_and_a_share():
    found = cem.LowLight(gamma=1.7, light=0.4)(PHOTO)
    assert np.abs(found - 255 * 0.4 * (PHOTO / 255) ** 1.7).max() < 0.51


def test_noise_has_its_sigma_and_grey_noise_is_the_same_in_all_channels():
    flat = np.full((300, 300, 3), 128, np.uint8)
    colour, grey = cem.Noise(20 / 255)(flat) - 128.0, cem.Noise(20 / 255, grey=True)(flat) - 128.0
    for found in (colour, grey):
        assert found.std() == pytest.approx(20, rel=0.01)
        assert found.mean() == pytest.approx(-0.5, abs=0.15)  # truncated to 8 bits
    assert abs(np.corrcoef(colour[..., 0].ravel(), colour[..., 1].ravel())[0, 1]) < 0.02
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])
    other = cem.Noise(20 / 255)(flat, seed=1)
    assert (other != cem.Noise(20 / 255)(flat)).mean() > 0.9


@pytest.mark.parametrize("level", [30, 128, 220])
def test_photon_noise_grows_with_the_light(level):
    flat = np.full((200, 200, 3), level, np.uint8)
    found = cem.PoissonGaussian(photons=500, sigma=0.01)(flat).astype(float)
    expected = 255 * np.sqrt(level / 255 / 500 + 0.01**2)
    assert found.std() == pytest.approx(np.hypot(expected, 12**-0.5), rel=0.02)
    assert found.mean() == pytest.approx(level, abs=0.15)


@pytest.mark.parametrize(
    ("kind", "amounts", "widths", "lengths", "lean"),
    [
        ("small", (0.002, 0.004), (1, 3), (25, 35), 10),
        ("medium", (0.005, 0.007), (3, 5, 7), (35, 45), 30),
        ("large", (0.008, 0.010), (7, 9), (45, 55), 60),
        ("random", (0.002, 0.010), (1, 3, 5, 7, 9), (25, 55), 60),
    ],
)
def test_kinds_of_rain_have_the_papers_ranges(kind, amounts, widths, lengths, lean):
    drawn = [cem.Rain.of_kind(kind, seed) for seed in range(200)]
    assert {rain.width for rain in drawn} == set(widths)
    for values, (least, most) in (
        ([rain.amount for rain in drawn], amounts),
        ([rain.length for rain in drawn], lengths),
        ([rain.angle for rain in drawn], (-lean, lean)),
        ([rain.beta for rain in drawn], (0.6, 1.0)),
    ):
        assert least <= min(values) and max(values) <= most
        assert max(values) - min(values) > 0.8 * (most - least)
    assert cem.Rain.of_kind(kind, 3, angle=17.5).angle == 17.5


def test_rain_as_a_step_is_the_rain_of_deraining():
    scene = cem.Scene.deraining(PHOTO, seed=4, kind="large")
    rain = cem.Rain.of_kind("large", 4)
    assert scene.facts["width"] == rain.width in (7, 9)
    layer = rain.layer(np.random.RandomState(0), (60, 70))
    found = rain(PHOTO[:60, :70])
    expected = np.minimum(PHOTO[:60, :70] + rain.beta * layer[..., None], 255)
    assert np.abs(found - expected).max() < 0.51


STEPS = {
    "gaussian": [cem.Blur.gaussian(1.7)],
    "motion": [cem.Blur.motion(13, 25)],
    "jpeg": [cem.Jpeg(12)],
    "jpeg 444": [cem.Jpeg(30, "4:4:4")],
    "x2": [cem.Reduce(2)],
    "x3": [cem.Reduce(3)],
    "x4": [cem.Reduce(4)],
    "x8": [cem.Reduce(8)],
    "full size": [cem.Reduce(4), cem.Enlarge(4)],
    "haze": [cem.Haze(slope=0.5, angle=30)],
    "low light": [cem.LowLight()],
    "rain": [cem.Rain.of_kind("medium", 2)],
    "blurred, reduced, coded": [cem.Blur.gaussian(1.2), cem.Reduce(4), cem.Jpeg(40)],
    "all": [
        cem.LowLight(), cem.Haze(), cem.Rain.of_kind("small"), cem.Blur.motion(5, 80),
        cem.Reduce(2), cem.Jpeg(50, "4:4:4"), cem.Enlarge(2), cem.Jpeg(60),
    ],
}  # fmt: skip


def block_of(steps: list) -> int:
    return 9 if steps == [cem.Reduce(3)] else 8


def window_in(image: np.ndarray, y: int, x: int, side: int, margin: int, written: np.ndarray):
    """The image with what do() wrote around a block; what leaves it is cut off."""
    h, w, _ = image.shape
    padded = np.pad(image, ((margin, side + margin), (margin, side + margin), (0, 0)))
    padded[y : y + side + 2 * margin, x : x + side + 2 * margin] = written
    return padded[margin : margin + h, margin : margin + w]


@pytest.mark.parametrize("name", STEPS)
def test_do_is_degrading_the_whole_image_again(name):
    """At every corner, border and inside, for images that the units of JPEG do not fill."""
    steps = STEPS[name]
    scene = cem.Scene.degraded_by(PHOTO[:75, :93], steps, seed=5)
    block = block_of(steps)
    side = block // scene.scale
    h, w, _ = scene.degraded.shape
    places = [
        (row * side, column * side)
        for row in (0, 2, (h - 1) // side // 2, (h - 1) // side)
        for column in (0, 3, (w - 1) // side)
    ]
    do = jax.jit(lambda *given: scene.intervene(*given))
    again = jax.jit(lambda image: degrade(image, steps, scene.intervene.drawn) / 255)
    clean = np.round(255 * scene.clean).astype(np.uint8)
    patch = noise_image(block, block, 3, seed=7)
    for y, x in places:
        top, left = y * scene.scale, x * scene.scale
        changed = clean.copy()
        own = clean[top : top + block, left : left + block]
        changed[top : top + block, left : left + block] = patch[: own.shape[0], : own.shape[1]]
        expected = np.asarray(again(changed))
        written = np.asarray(do(patch / np.float32(255), y, x, jax.random.key(0)))
        margin = (len(written) - side) // 2
        found = window_in(scene.degraded.copy(), y, x, side, margin, written)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        whole = np.zeros((block, block, 3), np.float32)
        whole[: own.shape[0], : own.shape[1]] = own / np.float32(255)
        same = np.asarray(do(whole, y, x, jax.random.key(1)))
        found = window_in(scene.degraded.copy(), y, x, side, margin, same)
        np.testing.assert_allclose(found, scene.degraded, atol=1e-6)


def test_a_change_goes_no_farther_than_it_must():
    def reach(steps: list, block: int = 8) -> int:
        return Axis.make(steps, 256, block).reach

    assert reach([cem.Noise(0.1)]) == reach([cem.LowLight()]) == 0
    assert reach([cem.Blur.gaussian(1)]) == 3
    assert reach([cem.Jpeg(50, "4:4:4")]) == 0 and reach([cem.Jpeg(50)]) == 10
    assert reach([cem.Reduce(4)]) == 2
    assert Axis.make([cem.Jpeg(50)], 4096, 8).size <= 80


def test_noise_is_drawn_anew_inside_the_block_and_kept_outside():
    steps = [cem.Noise(30 / 255), cem.Blur.gaussian(1)]
    scene = cem.Scene.degraded_by(PHOTO[:64, :64], steps)
    own = jnp.asarray(scene.clean[24:32, 16:24])
    one, two = (
        np.asarray(scene.intervene(own, jnp.int32(24), jnp.int32(16), jax.random.key(k)))
        for k in (0, 1)
    )
    assert one.shape == (14, 14, 3) and np.abs(one - two).max() > 0.02
    plain = cem.Scene.degraded_by(PHOTO[:64, :64], [cem.Noise(30 / 255)])
    fresh = [
        np.asarray(plain.intervene(jnp.full((8, 8, 3), 0.5), jnp.int32(8), jnp.int32(8), key))
        for key in jax.random.split(jax.random.key(2), 60)
    ]
    assert fresh[0].shape == (8, 8, 3)
    assert 255 * np.std(fresh) == pytest.approx(30, rel=0.03)


def test_scenes_are_the_same_at_every_call_and_others_with_another_seed():
    steps = [cem.Rain.of_kind("random", 1), cem.Noise(0.1), cem.PoissonGaussian()]
    one, same, other = (cem.Scene.degraded_by(PHOTO, steps, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.degraded, same.degraded)
    assert one.facts == same.facts != other.facts
    assert (one.degraded != other.degraded).mean() > 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cem.Blur(np.ones((4, 4))), r"\(4, 4\)"),
        (lambda: cem.Blur(-np.ones((3, 3))), "at least 0"),
        (lambda: cem.Blur.gaussian(0), "sigma=0"),
        (lambda: cem.Blur.motion(0.5), r"length=0\.5"),
        (lambda: cem.Jpeg(0), "quality=0"),
        (lambda: cem.Jpeg(101), "quality=101"),
        (lambda: cem.Jpeg(50, "4:1:1"), "4:1:1"),
        (lambda: cem.Reduce(1), "factor=1"),
        (lambda: cem.Haze(light=2), "light=2"),
        (lambda: cem.Haze(depth=-1), "depth=-1"),
        (lambda: cem.LowLight(gamma=0), "gamma=0"),
        (lambda: cem.Noise(-1), "sigma=-1"),
        (lambda: cem.PoissonGaussian(0), "photons=0"),
        (lambda: cem.Rain.of_kind("heavy"), "heavy"),
        (lambda: cem.Scene.degraded_by(PHOTO, [3]), "steps holds 3"),
        (lambda: cem.Scene.degraded_by(PHOTO, [cem.Enlarge(2)]), "2 times"),
        (lambda: cem.Scene.degraded_by(PHOTO[:3, :3], [cem.Reduce(4)]), "larger than the image"),
        (lambda: cem.Scene.degraded_by(PHOTO, [], seed=2**64), "seed="),
    ],
)
def test_what_is_out_of_range_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("value", ["8", b"8", None, [0.1], 1j, object(), 1.01, 50])
@pytest.mark.parametrize(
    "make",
    [
        lambda v: cem.Scene.denoising(np.zeros((16, 16, 3), np.uint8), v),
        cem.Noise,
        lambda v: cem.PoissonGaussian(100, v),
        lambda v: cem.Haze(light=v),
        lambda v: cem.LowLight(light=v),
    ],
)
def test_levels_are_numbers_in_their_range(make, value):
    with pytest.raises(ValueError, match=r"(sigma|light)=.*: expected 0 .. 1"):
        make(value)


@pytest.mark.parametrize("value", ["8", None, [1], float("nan")])
@pytest.mark.parametrize(
    "make",
    [
        cem.Blur.gaussian,
        cem.Blur.motion,
        lambda v: cem.Blur.motion(3, v),
        lambda v: cem.Haze(depth=v),
        lambda v: cem.LowLight(gamma=v),
        lambda v: cem.PoissonGaussian(photons=v),
    ],
)
def test_other_numbers_of_degradations_are_checked(make, value):
    with pytest.raises(ValueError, match=r"=.*: expected"):
        make(value)


@pytest.mark.parametrize("sigma", [np.float32(0.1), np.float64(0.1), fractions.Fraction(1, 10)])
def test_other_kinds_of_numbers_become_pythons(sigma):
    scene = cem.Scene.denoising(np.zeros((16, 16, 3), np.uint8), sigma)
    assert type(scene.facts["sigma"]) is float
    assert type(cem.Noise(sigma).sigma) is float
