"""Questions about the inside of networks: what does not fit is named before any work."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import blur, unchanged
from flax import nnx

import cem_jax as cem

pytestmark = pytest.mark.usefixtures("unchecked")

ROI = cem.ROI(16, 16, 16, 16)
SIDE = 48


def named(x):
    """Two modules in a row, and a mean over the image."""
    with jax.named_scope("body"):
        y = blur(x)
    with jax.named_scope("pool"):
        mean = y.mean((1, 2), keepdims=True)
    with jax.named_scope("tail"):
        return 0.9 * y + 0.1 * mean


class Normed(nnx.Module):
    def __init__(self):
        self.norm = nnx.BatchNorm(3, rngs=nnx.Rngs(0))

    def __call__(self, x):
        return named(x) + 0.01 * self.norm(x)


def training() -> cem.Network:
    graph, state = nnx.split(Normed())
    return cem.wrap(lambda params, x: nnx.merge(graph, params)(x), params=state, name="trained")


def of_batch(x):
    return named(x) - 0.5 * (x.mean((0, 1, 2), keepdims=True) - 0.5)


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return cem.example_image("facade")[:SIDE, :SIDE]


@pytest.fixture(scope="module")
def scene(clean) -> cem.Scene:
    return cem.Scene.custom(clean, clean, unchanged, name="facade")


@pytest.fixture(scope="module")
def network() -> cem.Network:
    return cem.wrap(named, name="named")


@pytest.fixture(scope="module")
def few() -> cem.PatchPool:
    return cem.PatchPool(cem.PatchPool.default().patches[::500], "few")


@pytest.fixture(scope="module")
def found(network, scene, few) -> cem.EffectMap:
    return cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(4), pool=few, progress=False)


QUESTIONS = {
    "mediated_maps": lambda n, s, r=ROI, **o: cem.mediated_maps(
        n, s, r, **{"plan": cem.Fixed(2), "progress": False} | o
    ),
    "region_maps": lambda n, s, r=ROI, **o: cem.region_maps(
        n, s, r if isinstance(r, list | str) else [r],
        **{"plan": cem.Fixed(2), "progress": False} | o,
    ),
    "trace_layers": lambda n, s, r=ROI, blocks=((0, 1), (5, 3)), **o: cem.trace_layers(
        n, s, r, blocks, **{"samples": 2} | o
    ),
    "interactions": lambda n, s, r=ROI, blocks=((0, 1), (5, 3)), **o: cem.interactions(
        n, s, r, blocks, **{"samples": 2} | o
    ),
    "joint_effect": lambda n, s, r=ROI, blocks=((0, 1), (5, 3)), **o: cem.joint_effect(
        n, s, r, blocks, **{"samples": 2} | o
    ),
}  # fmt: skip
BLOCKED = [name for name in QUESTIONS if name[0] in "tij"]
NO_WORK = pytest.mark.parametrize("ask", QUESTIONS)


@pytest.fixture
def no_sweep(monkeypatch):
    """Nothing is computed for interventions: what is wrong is told before."""

    def never(*arguments, **more):
        raise AssertionError("work was begun")

    monkeypatch.setattr("cem_jax.sweep.sweep.Sweep.evaluate", never)
    monkeypatch.setattr("cem_jax.inside.joint.Joint.changes", never)


ARGUMENTS = {
    "network": [None, "EDSR", named, []],
    "scene": [None, "DN", np.zeros((8, 8, 3))],
    "roi": [None, (16, 16, 16, 16), "auto", cem.ROI(40, 40, 16, 16)],
    "pool": [3, "default", np.zeros((4, 8, 8, 3), np.uint8)],
    "block": [0, -8, 2.5, "8", None, 7.0, 10**9],
    "seed": [-1, 2**32, 0.5, "0", None],
    "rounded": ["yes", 2, None],
    "outcome": ["psmr", 3, lambda a: a, [cem.psnr], lambda a, b: a],
    "samples": [0, 1, -1, 2.5, "2", None, 10**9],
    "through": ["", [], 3, ["pool", 3], "nothing", ["nothing"], {"pool"}],
    "layers": ["", [], 3, ["body", 3], "nothing", np.zeros(3)],
    "blocks": [
        None, [], [[]], [0, 1], [[0]], [[0, 1, 2]], [[0.0, 1.0]], [["0", "1"]], [[0, 1], [2]],
        "00", 3, [[True, False]], [[6, 0]], [[0, 6]], [[-1, 0]], [[2, 2]], [[0, 1], [0, 1]],
        [[0, None]], [[10**30, 0]],
    ],
    "others": [[], [[2, 2]], [[9, 9]], [[0, 1], [0, 1]], "00", [[0, 1], [2]]],
}  # fmt: skip
"""What arguments cannot be; None means the default where there is one, and is left out there."""
OF = {
    "network": list(QUESTIONS), "scene": list(QUESTIONS), "roi": list(QUESTIONS),
    "pool": list(QUESTIONS), "block": list(QUESTIONS), "seed": list(QUESTIONS),
    "rounded": list(QUESTIONS), "outcome": list(QUESTIONS), "samples": BLOCKED,
    "through": ["mediated_maps"], "layers": ["trace_layers"], "blocks": BLOCKED,
    "others": ["interactions"],
}  # fmt: skip


@pytest.mark.usefixtures("no_sweep")
@pytest.mark.parametrize(
    ("ask", "argument"), [(ask, name) for name, asked in OF.items() for ask in asked]
)
def test_what_an_argument_cannot_be_is_told_by_its_name(ask, argument, network, scene, few):
    usual = {"network": network, "scene": scene, "roi": ROI, "pool": few}
    if argument == "block":
        del usual["pool"]
    for value in ARGUMENTS[argument]:
        if ask == "region_maps" and argument == "roi" and value is None:
            continue
        given = usual | {argument: value}
        first = [given.pop(name) for name in ("network", "scene", "roi")]
        words = {"roi": "rois?", "outcome": "outcome"}.get(argument, argument)
        with pytest.raises(ValueError, match=rf"^{words}\b|^scene\b.*{argument}") as caught:
            QUESTIONS[ask](*first, **given)
        assert len(str(caught.value)) < 400 and str(caught.value).isprintable(), value


@pytest.mark.usefixtures("no_sweep")
@NO_WORK
def test_networks_and_scenes_that_do_not_belong_together_are_told(ask, network, scene, clean, few):
    small = cem.Scene.super_resolution(clean)
    grey = cem.Scene.custom(cem.to_grey(clean), cem.to_grey(clean), unchanged)
    three = dataclasses.replace(network, channels=3)
    without = cem.Scene.custom(clean, clean)
    one_channel = cem.wrap(lambda x: x @ jnp.ones((3, 3)) / 3, name="coloured")
    for first, second, message in (
        (network, small, r"^network=named: its scale 1 is not the scene's 4"),
        (three, grey, r"^network=named: it takes images of 3 channels, the scene has 1"),
        (one_channel, grey, r"^network=coloured: it cannot take an image"),
        (network, without, r"^scene: it has no do\(\)"),
        (cem.wrap(lambda x: x[:, ::2], name="half"), scene, r"^network=half: it turns"),
        (cem.wrap(lambda x: (x, x), name="two"), scene, r"^network=two: "),
        (cem.wrap(lambda x: x.undefined, name="bad"), scene, r"^network=bad: "),
    ):
        with pytest.raises(ValueError, match=message):
            QUESTIONS[ask](first, second, pool=few)


@pytest.mark.parametrize("ask", QUESTIONS)
def test_networks_in_training_mode_are_refused(ask, scene, few, no_sweep):
    with pytest.raises(ValueError, match=r"^network=trained: .* norm learnt are not used"):
        QUESTIONS[ask](training(), scene, pool=few)


@pytest.mark.parametrize("ask", QUESTIONS)
@pytest.mark.parametrize("factor", [255.0, 1 / 255])
def test_networks_of_another_range_are_refused(ask, factor, scene, few):
    other = cem.wrap(lambda x: factor * named(x), name="far")
    with pytest.raises(ValueError, match=r"^network=far: its output is float32 from"):
        QUESTIONS[ask](other, scene, pool=few)


@pytest.mark.parametrize("ask", QUESTIONS)
@pytest.mark.parametrize("where", ["everywhere", "after an intervention"])
def test_networks_that_give_nan_are_refused(ask, where, clean, few):
    def broken(x):
        y = named(x)
        dark = (x[:, 0, 8, 0] > 0) if where != "everywhere" else jnp.ones(len(x), bool)
        return jnp.where(dark[:, None, None, None], jnp.nan, y)

    image = clean.copy()
    image[0, 8] = 0
    scene = cem.Scene.custom(image, image, lambda p, y, x, k: jnp.maximum(p, 0.1))
    with pytest.raises(ValueError, match=r"^network=broken: .*not finite"):
        QUESTIONS[ask](cem.wrap(broken, name="broken"), scene, pool=few)


@pytest.mark.parametrize("ask", BLOCKED)
def test_networks_that_see_their_batch_are_refused_or_taken_alone(ask, scene, few):
    """Where all is computed by cones, and where images are taken one by one, there is no batch."""
    alone = jax.vmap(lambda image: of_batch(image[None])[0])
    wanted = QUESTIONS[ask](cem.wrap(alone, name="batch"), scene, pool=few)
    try:
        got = QUESTIONS[ask](cem.wrap(of_batch, name="batch"), scene, pool=few)
    except ValueError as error:
        assert "depends on the other images of the batch" in str(error)
        return
    ours, theirs = (
        one.joint.effect if ask == "joint_effect" else one.effect for one in (got, wanted)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("ask", QUESTIONS)
def test_grey_scenes_are_asked_about_too(ask, network, clean, few):
    grey = cem.to_grey(clean)
    one = QUESTIONS[ask](network, cem.Scene.custom(grey, grey, unchanged), pool=few)
    three = np.repeat(grey, 3, axis=2)
    shades = cem.PatchPool(np.repeat(few.grey().patches, 3, axis=3), few.name)
    other = QUESTIONS[ask](network, cem.Scene.custom(three, three, unchanged), pool=shades)

    def numbers(result):
        if ask == "joint_effect":
            return np.array([part.effect for part in (result.joint, result.summed)])
        if ask == "region_maps":
            return result[0].effect
        return result.indirect.effect if ask == "mediated_maps" else result.effect

    np.testing.assert_allclose(numbers(one), numbers(other), atol=1e-4)
    assert np.nanmax(np.abs(numbers(one))) > 1e-4


@pytest.mark.parametrize("ask", BLOCKED)
@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.uint64, np.int16])
def test_blocks_of_small_integers_are_those_blocks(ask, kind, few):
    """On 20 columns block (10, 5) is number 205, which 8 bits do not hold."""
    image = cem.example_image("pagoda")[:160, :160]
    scene = cem.Scene.custom(image, image, unchanged)
    roi, blocks = cem.ROI(64, 24, 16, 16), np.array([[10, 5], [10, 2]])
    network = cem.wrap(named, name="named")
    got, wanted = (
        QUESTIONS[ask](network, scene, roi, blocks.astype(one), pool=few) for one in (kind, int)
    )
    if ask == "joint_effect":
        assert got == wanted
    else:
        np.testing.assert_array_equal(got.blocks, blocks)
        np.testing.assert_array_equal(got.effect, wanted.effect)
    patches = np.zeros((2, 8, 8, 3), np.float32)
    np.testing.assert_array_equal(
        cem.outcomes(network, scene, roi, blocks.astype(kind), patches),
        cem.outcomes(network, scene, roi, blocks, patches),
    )


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("network", [None, "EDSR", named]),
        ("scene", [None, "DN", np.zeros((8, 8, 3))]),
        ("at", ["", [], 3, ["pool", 3], "nothing", {"pool"}, [""]]),
    ],
)
def test_what_freeze_cannot_take_is_told_by_its_name(argument, values, network, scene):
    for value in values:
        given = {"network": network, "scene": scene, "at": "pool"} | {argument: value}
        with pytest.raises(ValueError, match=rf"^{argument}="):
            cem.freeze(**given)


def test_what_is_frozen_of_a_wrong_network_is_refused_by_its_map(scene, few):
    for network, message in (
        (training(), "norm learnt are not used"),
        (cem.wrap(lambda x: 255 * named(x), name="far"), "its output is float32 from"),
        (cem.wrap(lambda x: named(x) + jnp.nan, name="broken"), "not finite"),
    ):
        frozen = cem.freeze(network, scene, "pool")
        with pytest.raises(ValueError, match=message):
            cem.causal_effect_map(frozen, scene, ROI, plan="fixed:1", pool=few, progress=False)


IMAGE = np.full((16, 16, 3), 0.5, np.float32)
FIELDS = {
    "images": [None, [], 3, "x", [None], ["x"], [IMAGE[..., 0]], IMAGE, [255 * IMAGE], [-IMAGE],
               [np.full_like(IMAGE, np.nan)], [IMAGE.astype(int)], [IMAGE, IMAGE[:8]],
               [[[0.5], [0.5, 0.5]]], [np.zeros((0, 8, 3))]],
    "network": [None, "EDSR", named],
    "pixel": [3, "ab", (1,), (1, 2, 3), (16, 0), (0, -1), (0.5, 1), (None, None)],
}  # fmt: skip


@pytest.mark.parametrize("argument", FIELDS)
def test_what_a_receptive_field_cannot_take_is_told_by_its_name(argument, network):
    for value in FIELDS[argument]:
        given = {"network": network, "images": [IMAGE]} | {argument: value}
        with pytest.raises(ValueError, match=rf"^{argument}\b"):
            cem.effective_receptive_field(**given)


def test_a_receptive_field_is_of_values_to_1_and_of_networks_in_evaluation_mode(scene):
    squared = cem.wrap(lambda x: x * x.mean((1, 2), keepdims=True), name="squared")
    bytes_ = (255 * IMAGE).astype(np.uint8)
    fields = [cem.effective_receptive_field(squared, [one]) for one in (bytes_, bytes_ / 255)]
    np.testing.assert_allclose(fields[0].field, fields[1].field, rtol=1e-6)
    with pytest.raises(ValueError, match=r"^network=trained: .* norm learnt are not used"):
        cem.effective_receptive_field(training(), [IMAGE])
    with pytest.raises(ValueError, match=r"^network=coloured: it cannot take an image"):
        cem.effective_receptive_field(
            cem.wrap(lambda x: x @ jnp.ones((3, 3)) / 3, name="coloured"), [IMAGE[..., :1]]
        )
    with pytest.raises(ValueError, match=r"^network=broken: the gradient .*not finite"):
        cem.effective_receptive_field(cem.wrap(lambda x: x * jnp.nan, name="broken"), [IMAGE])


def test_what_a_dose_cannot_take_is_told_by_its_name(found, scene, clean, few):
    other = cem.Scene.custom(255 - clean, 255 - clean, unchanged)
    corrected = dataclasses.replace(
        found, provenance={**found.provenance,
                           "plan": {"plan": "corrected", "of": {"plan": "fixed", "n": 2}}}
    )  # fmt: skip
    for given, message in (
        ({"maps": None}, "^maps="), ({"maps": []}, "^maps="), ({"maps": "map.npz"}, "^maps="),
        ({"maps": [found, None]}, "^maps="), ({"maps": corrected}, "^maps: .*exact"),
        ({"maps": [found, dataclasses.replace(found, outcome="ssim")]}, "^maps: .*one outcome"),
        ({"scene": 3}, "^scene="), ({"scene": []}, "^scene="), ({"scene": "DN"}, "^scene="),
        ({"scene": [scene, scene]}, "^scene: 2 scenes for 1"),
        ({"scene": other}, "^scene='custom': its input is not that of the map"),
        ({"scene": cem.Scene.custom(clean[:40], clean[:40])}, "^scene=.*not that of the map"),
        ({"scene": cem.Scene.super_resolution(clean)}, "^scene=.*not that of the map"),
        ({"pool": 3}, "^pool="), ({"pool": None}, "^pool: the map drew from few"),
        ({"blocks": "any"}, "^blocks="), ({"blocks": None}, "^blocks="),
        ({"blocks": found.inside_roi}, "^blocks="),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            cem.dose(**{"maps": found, "scene": scene, "pool": few} | given)
    assert cem.dose(found, scene, pool=few).draws > 20


def test_what_a_difference_cannot_take_is_told_by_its_name(found, scene):
    for value in (None, "map.npz", [found], scene):
        with pytest.raises(ValueError, match=r"^first="):
            cem.difference(value, found)
        with pytest.raises(ValueError, match=r"^second="):
            cem.difference(found, value)


def test_the_strongest_blocks_are_of_a_map(found):
    for given, name in (
        ({"effect_map": None}, "effect_map"), ({"effect_map": found.effect}, "effect_map"),
        ({"count": 0}, "count"), ({"count": 2.5}, "count"), ({"sign": None}, "sign"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"^{name}="):
            cem.strongest_blocks(**{"effect_map": found, "count": 3} | given)


def test_scenes_of_a_reach_are_scenes(network):
    for value in (None, [], 3, ["DN"], "DN"):
        with pytest.raises(ValueError, match=r"^scenes="):
            cem.reach_row(network, value)
