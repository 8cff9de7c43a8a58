"""What a network is said to be is checked against what it does, before a sweep."""

import gc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import blur, curved, unchanged, unseen

import cem_jax as cem
from cem_jax.sweep import facts

ROI = cem.ROI(24, 32, 16, 16)


def sweep(network, clean, roi=ROI, **more):
    scene = cem.Scene.custom(clean, clean, unchanged)
    options = {"plan": cem.Fixed(1), "progress": False} | more
    return cem.causal_effect_map(network, scene, roi, **options)


def coarse(x):
    """Pixels depend on the 4 x 4 cell in which they lie, counted from the image's corner."""
    n, h, w, c = x.shape
    mean = x.reshape(n, h // 4, 4, w // 4, 4, c).mean((2, 4), keepdims=True)
    return (0.5 * x.reshape(n, h // 4, 4, w // 4, 4, c) + 0.5 * mean).reshape(x.shape)


def opaque(f):
    """A function that does not show on which pixels it depends."""
    return lambda x: unseen(f(x))


@pytest.mark.parametrize("hide", [lambda f: f, opaque], ids=["cone", "dense"])
@pytest.mark.parametrize("radius", [0, 1])
def test_a_radius_that_is_too_small_is_refused(clean, hide, radius):
    with pytest.raises(ValueError, match=rf"receptive_radius={radius} and .* differs .* by up to"):
        sweep(cem.wrap(hide(curved), receptive_radius=radius), clean)
    for enough in (2, 5):
        sweep(cem.wrap(hide(curved), receptive_radius=enough), clean)


def test_the_message_tells_what_the_operations_show(clean):
    with pytest.raises(ValueError, match=r"receptive_radius=1 .* may depend on 2 pixels"):
        sweep(cem.wrap(curved, receptive_radius=1), clean)


@pytest.mark.parametrize("multiple", [1, 2])
def test_a_period_that_is_too_small_is_refused(clean, multiple):
    roi = cem.ROI(26, 34, 12, 12)
    network = cem.wrap(coarse, receptive_radius=4, size_multiple=multiple)
    with pytest.raises(ValueError, match=rf"size_multiple={multiple} do not hold|cannot take"):
        sweep(network, clean, roi)
    sweep(cem.wrap(coarse, receptive_radius=4, size_multiple=4), clean, roi)


def test_outcomes_and_attributions_check_it_too(clean):
    network = cem.wrap(curved, receptive_radius=1)
    scene = cem.Scene.custom(clean, clean, unchanged)
    with pytest.raises(ValueError, match="receptive_radius=1"):
        cem.outcomes(network, scene, ROI, [[0, 0]], np.zeros((1, 8, 8, 3)))
    for attribute in (cem.gradient_map, cem.local_attribution_map, cem.occlusion_map):
        with pytest.raises(ValueError, match="receptive_radius=1"):
            attribute(network, scene, ROI)


def test_a_second_map_of_a_network_and_a_scene_pays_nothing(clean):
    count = []

    def counted(x):
        jax.debug.callback(lambda: count.append(1))
        return curved(x)

    network, scene = cem.wrap(counted, receptive_radius=2), cem.Scene.denoising(clean)
    first = facts.restored_image(network, scene)
    jax.effects_barrier()
    before = len(count)
    assert before and facts.restored_image(network, scene) is first
    jax.effects_barrier()
    assert len(count) == before
    del first, network
    gc.collect()
    assert all(scene not in own for own in facts._restored.values())


def test_the_zoo_and_undeclared_networks_need_no_further_forward(clean, monkeypatch):
    monkeypatch.setattr(facts, "restored_image", None)
    image = np.tile(clean, (2, 2, 1))
    sweep(cem.load("DnCNN-compact"), image, cem.ROI(64, 64, 16, 16))
    sweep(cem.wrap(curved), clean)


def test_the_zoos_facts_are_checked_where_somebody_changed_them(clean):
    import dataclasses

    image = np.tile(clean, (2, 2, 1))
    network = dataclasses.replace(cem.load("DnCNN-compact"), receptive_radius=2)
    with pytest.raises(ValueError, match="receptive_radius=2"):
        sweep(network, image, cem.ROI(64, 64, 16, 16))


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: 255 * blur(x), r"float32 from .* to 2\d\d.*; expected float32 in \[0, 1\]"),
        (lambda x: blur(x) - 1, r"from -"),
        (lambda x: jnp.round(255 * x).astype(jnp.uint8), "output is uint8"),
        (lambda x: x.astype(jnp.bfloat16), "output is bfloat16"),
        (lambda x: x / jnp.zeros_like(x), "not finite"),
        (lambda x: jnp.where(x > 0.5, jnp.inf, x), "not finite"),
        (lambda x: (x, x), "returns a tuple"),
        (lambda x: {"out": x}, "returns a dict"),
        (lambda x: x[:, ::2], r"turns \(1, 72, 88, 3\) into"),
        (lambda x: x.no_such_thing, "cannot take an image.*AttributeError"),
        (lambda x: x @ np.zeros((4, 4)), "cannot take an image"),
    ],
)
@pytest.mark.parametrize("kept", [False, True])
def test_an_output_of_another_kind_is_refused(tmp_path, clean, f, message, kept):
    directory = tmp_path if kept else None
    with pytest.raises(ValueError, match=f"network=f: .*{message}"):
        sweep(cem.wrap(f, name="f"), clean, directory=directory)


def test_overshoots_are_no_other_range(clean):
    sweep(cem.wrap(lambda x: 1.2 * blur(x) - 0.1), clean)
    sweep(cem.wrap(lambda x: 3 * blur(x) - 1), np.clip(clean, 50, 200))


def test_dark_and_bright_scenes_are_no_other_range():
    black = np.zeros((64, 64, 3), np.uint8)
    sweep(cem.wrap(blur), black)
    sweep(cem.wrap(lambda x: blur(x) + 0.01), black + 255)


def normalised(axes):
    """Pixels of a mean and a deviation that are those over some axes of the batch."""

    def f(x):
        return 0.5 + 0.2 * (x - x.mean(axes, keepdims=True)) / x.std(axes, keepdims=True)

    return f


@pytest.mark.parametrize("given", [False, True], ids=["map", "outcomes"])
def test_a_network_that_sees_its_batch_is_refused(clean, given):
    network, scene = cem.wrap(normalised((0, 1, 2))), cem.Scene.custom(clean, clean, unchanged)
    with pytest.raises(ValueError, match="depends on the other images of the batch"):
        if given:
            patches = np.zeros((2, 8, 8, 3), np.float32)
            cem.outcomes(network, scene, ROI, [(0, 0), (8, 8)], patches)
        else:
            sweep(network, clean)


def centred(axes):
    """A blur, and less what the mean over some axes of the batch is."""
    return lambda x: blur(x) - 0.5 * (x.mean(axes, keepdims=True) - 0.5)


@pytest.mark.parametrize("f", [normalised, centred])
def test_what_is_taken_alone_does_not_see_its_batch(clean, f):
    """Cones are of one image in any case."""
    many = f((0, 1, 2))
    taken = many if f is centred else jax.vmap(lambda image: many(image[None])[0])
    alone = sweep(cem.wrap(taken), clean, plan=cem.Fixed(3))
    one = sweep(cem.wrap(f((1, 2))), clean, plan=cem.Fixed(3))
    np.testing.assert_allclose(alone.effect, one.effect, atol=1e-4)
    assert np.nanmax(np.abs(one.effect)) > 0.01


@pytest.mark.parametrize("f", [lambda x: 2 * blur(x) - 1, lambda x: blur(x) / 255])
@pytest.mark.parametrize("light", [1.0, 0.15], ids=["photo", "dark"])
def test_an_output_of_another_range_is_refused_on_scenes_of_any_light(clean, f, light):
    shown = light * (clean / 255)
    with pytest.raises(ValueError, match=r"its output is float32 from .*; expected float32"):
        sweep(cem.wrap(f), shown.astype(np.float32))


@pytest.mark.parametrize("sign", [1, -1], ids=["noise", "missing"])
def test_a_network_that_returns_the_noise_is_refused(clean, sign):
    """As the code of many denoisers does; clipped to [0, 1] most of it is black."""
    scene, told = cem.Scene.denoising(clean), {"plan": cem.Fixed(1), "progress": False}
    noise = cem.wrap(lambda x: sign * (x - blur(x)), name="noise")
    with pytest.raises(ValueError, match=r"network=noise: its output lies about 0, from .*x - f"):
        cem.causal_effect_map(noise, scene, ROI, **told)
    assert cem.causal_effect_map(cem.wrap(blur), scene, ROI, **told).baseline > 15
    # Of a network that was not trained the input less the output is no nearer to the truth.
    small = cem.wrap(lambda x: 0.3 * (blur(x) - 0.5), name="small")
    assert cem.causal_effect_map(small, scene, ROI, **told).baseline < 10


@pytest.mark.parametrize(
    "f",
    [lambda x: 0.5 * x, lambda x: 0.02 * x, lambda x: 1 - x, lambda x: 1.3 * x - 0.15,
     lambda x: x - x.mean((1, 2), keepdims=True) + 0.5, lambda x: 0 * x],
    ids=["half", "dark", "inverse", "contrast", "centred", "black"],
)  # fmt: skip
def test_poor_networks_are_not_refused(clean, f):
    assert sweep(cem.wrap(f), clean).baseline > 0


def test_a_network_that_ignores_its_image_is_named(clean):
    with pytest.raises(ValueError, match=r"network=grey: .*does not depend on the image"):
        sweep(cem.wrap(lambda x: jnp.full_like(x, 0.5), name="grey"), clean)


def test_an_outcome_that_raises_is_named(clean):
    with pytest.raises(ValueError, match=r"outcome=.*cannot score two regions .*ZeroDivisionErr"):
        sweep(cem.wrap(blur), clean, outcome=lambda restored, true: 1 // 0)


RANGES = {"255": lambda x: 255 * x, "signed": lambda x: 2 * x - 1, "small": lambda x: x / 255}


@pytest.mark.parametrize("other", RANGES.values(), ids=RANGES)
@pytest.mark.parametrize(
    "ask",
    [
        cem.occlusion_map,
        cem.gradient_map,
        cem.integrated_gradients,
        cem.local_attribution_map,
        lambda *what: cem.joint_effect(*what, [(0, 0), (0, 4)]),
        lambda *what: cem.interactions(*what, [(0, 0), (0, 4)]),
    ],
    ids=["occlusion", "gradient", "integrated", "LAM", "joint", "interactions"],
)
def test_questions_beside_maps_refuse_an_output_of_another_range(clean, ask, other):
    scene = cem.Scene.custom(clean, clean, lambda p, y, x, k: p)
    with pytest.raises(ValueError, match=r"network=far: its output is float32 from .*\[0, 1\]"):
        ask(cem.wrap(other, name="far"), scene, cem.ROI(24, 32, 16, 16))


def test_another_scale_is_told(clean):
    doubled = cem.wrap(lambda x: x.repeat(2, 1).repeat(2, 2), receptive_radius=0)
    with pytest.raises(ValueError, match=r"at scale 1 .* are needed; its own scale is 2"):
        sweep(doubled, clean)
    with pytest.raises(ValueError, match=r"are needed$"):
        sweep(cem.wrap(lambda x: x.repeat(2, 1)), clean)


def test_wide_numbers_are_refused_before_any_work(clean):
    """Code of the user may have changed the setting for all of the process."""
    with jax.enable_x64(True), pytest.raises(ValueError, match="jax_enable_x64=True: images and"):
        sweep(cem.wrap(curved), clean)
