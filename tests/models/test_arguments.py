"""What shapes cannot tell: told by the caller, found in values, or asked for."""

import re

import jax
import numpy as np
import pytest
import zoo
from parity_formula import image
from PIL import Image

import cem_jax as cem

X = image(8, 10)[None]
MEAN = np.float32([0.4488, 0.4371, 0.4040])


def edsr(range_, **config):
    """EDSR-PyTorch's layout, every weight zero: the output is the mean colour."""
    state = zoo.state_dict("EDSR", {**zoo.small("EDSR"), **config})
    eye = np.eye(3, dtype=np.float32)[:, :, None, None]
    shifts = {"sub_mean.weight": eye, "sub_mean.bias": -range_ * MEAN,
              "add_mean.weight": eye, "add_mean.bias": range_ * MEAN}  # fmt: skip
    return {key: np.zeros_like(value) for key, value in state.items()} | shifts


@pytest.mark.parametrize("range_", [1, 255])
def test_the_range_is_found_from_the_mean_colour(range_):
    network = cem.from_torch("EDSR", edsr(range_))
    np.testing.assert_allclose(network(X), np.broadcast_to(MEAN, (1, 32, 40, 3)), atol=1e-6)
    assert zoo.config(network)["value_range"] == range_


@pytest.mark.parametrize("range_", [1, 255])
def test_colours_divided_by_their_deviation_do_not_hide_the_range(range_):
    state = edsr(range_)
    for shift, factor in (("sub_mean", 5), ("add_mean", 1 / 5)):
        state[f"{shift}.weight"] = np.float32(factor) * state[f"{shift}.weight"]
    state["sub_mean.bias"] = np.float32(5) * state["sub_mean.bias"]
    network = cem.from_torch("EDSR", state)
    assert zoo.config(network)["value_range"] == range_
    np.testing.assert_allclose(network(X), np.broadcast_to(MEAN, (1, 32, 40, 3)), atol=1e-5)


@pytest.mark.parametrize("name", ["CSNLN", "RCAN", "RIDNet"])
def test_stored_mean_colours_tell_the_range_of_others_too(name):
    state = zoo.state_dict(name, zoo.small(name))
    usual = cem.models.describe(name)
    assert [one.name for one in usual.arguments][-1] == "range"
    for range_ in (1, 255):
        shifts = {"sub_mean.bias": -range_ * MEAN, "add_mean.bias": range_ * MEAN}
        network = cem.from_torch(name, {**state, **shifts})
        assert zoo.config(network)["value_range"] == range_


def test_a_residual_scale_is_told():
    state = zoo.state_dict("EDSR", zoo.small("EDSR"))
    scaled = {
        key: value * np.float32(0.1) if key.startswith("body.") and ".body.2." in key else value
        for key, value in state.items()
    }
    np.testing.assert_allclose(
        cem.from_torch("EDSR", state, res_scale=0.1)(X),
        cem.from_torch("EDSR", scaled)(X),
        atol=1e-5,
    )


def test_the_residual_scale_of_wide_networks_is_asked_for():
    state = zoo.state_dict("EDSR", {"width": 256, "depth": 1})
    with pytest.raises(ValueError, match=r"EDSR: res_scale= must be given.*res_scale=0\.1"):
        cem.from_torch("EDSR", state)
    assert zoo.config(cem.from_torch("EDSR", state, res_scale=0.1))["res_scale"] == 0.1


@pytest.mark.parametrize(("name", "scale"), [("FSRCNN", 2), ("SRCNN", 3), ("SRCNN", 1),
                                             ("XRestormer_SR", 2)])  # fmt: skip
def test_a_scale_that_shapes_hide_is_told(name, scale):
    network = cem.from_torch(name, zoo.state_dict(name, zoo.small(name)), scale=scale)
    x = jax.ShapeDtypeStruct((1, 16, 24, 3), np.float32)
    restored = jax.eval_shape(network.apply, network.params, x)
    assert network.scale == scale
    assert restored.shape == (1, 16 * scale, 24 * scale, 3)


def test_pan_asks_which_of_two_factors_its_weights_are_for():
    state = zoo.state_dict("PAN", {**zoo.small("PAN"), "scale": 3})
    with pytest.raises(ValueError, match="PAN: scale= must be given as 2 or 3"):
        cem.from_torch("PAN", state)
    for scale in (2, 3):
        assert cem.from_torch("PAN", state, scale=scale).scale == scale
    with pytest.raises(ValueError, match=r"does not fit PAN: missing: .*upconv2"):
        cem.from_torch("PAN", state, scale=4)


def test_iterations_and_the_variant_of_prenet_are_told():
    state = zoo.state_dict("PReNet", zoo.small("PReNet"))
    network = cem.from_torch("PReNet", state, iterations=4)
    assert network.receptive_radius == 52
    silent = {key: np.zeros_like(value) for key, value in state.items()}
    np.testing.assert_array_equal(cem.from_torch("PReNet", silent, iterations=1)(X), X)
    lstm = cem.from_torch("PReNet", silent, iterations=1, variant="PReNet_LSTM")
    np.testing.assert_array_equal(lstm(X), np.zeros_like(X))


def test_the_order_of_colours_is_told():
    state = zoo.state_dict("ADNet")
    network, turned = (cem.from_torch("ADNet", state, order=order) for order in ("rgb", "bgr"))
    np.testing.assert_allclose(turned(X), network(X[..., ::-1])[..., ::-1], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "told", "message"),
    [
        ("EDSR", {"foo": 1}, r"foo=1: EDSR takes no argument foo; accepted: res_scale, range"),
        ("DnCNN", {"scale": 2}, r"DnCNN takes no argument scale; accepted: none"),
        ("EDSR", {"a\x1b[31m": 1}, r"EDSR takes no argument a\\x1b\[31m"),
        ("EDSR", {"range": 2}, r"range=2: expected 1 or 255"),
        ("EDSR", {"range": True}, r"range=True: expected 1 or 255"),
        ("EDSR", {"res_scale": float("nan")}, r"res_scale=nan: expected a number of at least 0"),
        ("EDSR", {"res_scale": "0.1"}, r"res_scale='0.1': expected a number"),
        ("FSRCNN", {"scale": 2.5}, r"scale=2.5: expected a whole number in 1 .. 8"),
        ("FSRCNN", {"scale": 0}, r"scale=0: expected a whole number"),
        ("PReNet", {"variant": "LSTM"}, r"variant='LSTM': expected 'PReNet' or 'PReNet_LSTM'"),
        ("FFDNet", {"noise_level": -1}, r"noise_level=-1: expected 0 .. 1, or grey levels"),
        ("FFDNet", {"noise_level": 256}, r"noise_level=256: expected 0 .. 1"),
    ],
)
def test_what_a_network_cannot_be_told_is_refused(name, told, message):
    state = zoo.state_dict(name, zoo.small(name))
    with pytest.raises(ValueError, match=message):
        cem.from_torch(name, state, **told)
    with pytest.raises(ValueError, match=message):
        cem.models.check_arguments(name, told)


def test_numbers_of_numpy_are_taken():
    state = zoo.state_dict("FSRCNN", zoo.small("FSRCNN"))
    network = cem.from_torch("FSRCNN", state, scale=np.int64(2))
    assert type(zoo.config(network)["scale_factor"]) is int


def test_every_network_says_what_it_can_be_told():
    described = {name: cem.models.describe(name) for name in ("EDSR", "FFDNet", "DnCNN")}
    scale, range_ = described["EDSR"].arguments
    assert (scale.name, scale.default, scale.accepted) == (
        "res_scale", 1.0, "a number of at least 0"
    )  # fmt: skip
    assert (range_.name, range_.default, range_.accepted) == ("range", 1, "1 or 255")
    assert [one.name for one in described["FFDNet"].arguments] == ["noise_level"]
    assert described["DnCNN"].arguments == ()
    assert all(one.meaning for facts in described.values() for one in facts.arguments)


def ffdnet():
    """Two layers that subtract the level they are told."""
    first, last = np.zeros((13, 13, 3, 3), np.float32), np.zeros((12, 13, 3, 3), np.float32)
    first[range(13), range(13), 1, 1] = 1
    last[range(12), range(12), 1, 1], last[:, 12, 1, 1] = 1, -1
    return {"model.0.weight": first, "model.0.bias": np.zeros(13, np.float32),
            "model.2.weight": last, "model.2.bias": np.zeros(12, np.float32)}  # fmt: skip


def level(network) -> float:
    """The level that such a network was told, in grey levels."""
    x = np.full((1, 4, 4, 3), 0.5, np.float32)
    return float(np.mean(x - np.asarray(network(x)))) * 255


@pytest.mark.parametrize("given", [15, 15 / 255, np.float32(15)])
def test_a_noise_level_is_told_in_either_unit(given):
    network = cem.from_torch("FFDNet", ffdnet(), noise_level=given)
    assert abs(level(network) - 15) < 1e-3
    assert network.noise_level == pytest.approx(15 / 255)
    assert abs(level(network.at_noise(0.3)) - 15) < 1e-3  # the user's word stands


def test_without_a_scene_the_noise_level_is_50():
    network = cem.from_torch("FFDNet", ffdnet())
    assert abs(level(network) - 50) < 1e-3
    assert abs(level(network.at_noise(15 / 255)) - 15) < 1e-3
    assert network.noise_level is None


def test_a_noise_level_is_no_part_of_a_checkpoint():
    state = ffdnet()
    found = cem.to_torch(cem.from_torch("FFDNet", state, noise_level=15))
    assert found.keys() == state.keys()
    with pytest.raises(ValueError, match="unexpected: noise_level"):
        cem.from_torch("FFDNet", {**state, "noise_level": np.float32(1)})


def test_networks_without_a_noise_level_stay_as_they_are():
    network = cem.load("DnCNN-compact")
    assert network.at_noise(0.1) is network
    own = cem.wrap(lambda x: x)
    assert own.at_noise(0.1) is own


def outcome(network, sigma: float) -> float:
    """PSNR of the restored region of a scene without an intervention that matters."""
    clean = np.full((32, 32, 3), 128, np.uint8)
    scene = cem.Scene.denoising(clean, sigma)
    same = scene.degraded[None, :8, :8]
    return float(cem.outcomes(network, scene, cem.ROI(16, 16, 8, 8), [(0, 0)], same)[0])


def test_a_scene_tells_its_noise():
    told = {sigma: cem.from_torch("FFDNet", ffdnet(), noise_level=sigma) for sigma in (15, 50)}
    network, scene_15 = cem.from_torch("FFDNet", ffdnet()), 15 / 255
    assert outcome(network, scene_15) == outcome(told[15], scene_15)
    assert outcome(network, scene_15) > outcome(told[50], scene_15) + 5
    assert outcome(network, 50 / 255) == outcome(told[50], 50 / 255)


def test_maps_and_attributions_are_told_too():
    scene = cem.Scene.denoising(np.full((32, 32, 3), 128, np.uint8), 15 / 255)
    roi, plan = cem.ROI(8, 8, 8, 8), cem.Fixed(1)
    network, told = (cem.from_torch("FFDNet", ffdnet(), **more)
                     for more in ({}, {"noise_level": 15}))  # fmt: skip
    one, other = (
        cem.causal_effect_map(each, scene, roi, plan=plan, progress=False)
        for each in (network, told)
    )
    assert one.baseline == other.baseline
    np.testing.assert_array_equal(one.effect, other.effect)
    one, other = (cem.gradient_map(each, scene, roi) for each in (network, told))
    assert one.outcome == other.outcome


@pytest.mark.parametrize(
    "steps",
    [[cem.Noise(15 / 255)], [cem.Jpeg(90), cem.Noise(15 / 255, grey=True)]],
    ids=["noise", "noise at last"],
)
def test_degradations_that_end_with_noise_tell_it(steps):
    from cem_jax.held.on_scene import on_scene

    scene = cem.Scene.degraded_by(np.full((16, 16, 3), 128, np.uint8), steps)
    network = on_scene(cem.from_torch("FFDNet", ffdnet()), scene)
    assert abs(level(network) - 15) < 1e-3


@pytest.mark.parametrize(
    "make",
    [
        lambda clean: cem.Scene.degraded_by(clean, [cem.Noise(15 / 255), cem.Jpeg(60)]),
        lambda clean: cem.Scene.degraded_by(clean, [cem.PoissonGaussian()]),
        lambda clean: cem.Scene.custom(clean, clean, lambda patch, y, x, key: patch),
        lambda clean: cem.make_scene("jpeg", clean),
        lambda clean: cem.Scene.deraining(clean),
    ],
    ids=["noise and JPEG", "photons", "own", "JPEG", "rain"],
)
def test_a_noise_level_that_nothing_tells_is_asked_for(make):
    """It was told 50 of any scene but those of denoising."""
    scene = make(np.full((32, 32, 3), 128, np.uint8))
    asked = scene, cem.ROI(8, 8, 8, 8)
    network = cem.from_torch("FFDNet", ffdnet())
    for ask in (cem.gradient_map, cem.causal_effect_map):
        with pytest.raises(ValueError, match=r"network=FFDNet: it is told .*noise_level=25 in gre"):
            ask(network, *asked)
    told = cem.from_torch("FFDNet", ffdnet(), noise_level=15)
    assert np.isfinite(cem.gradient_map(told, *asked).outcome)


def dbpn(x, weights, passes, residual):
    """DBPN as its authors' code has it, with torch: [1, h, w, 3] -> [1, 2 h, 2 w, 3]."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    held = {key: torch.tensor(value) for key, value in weights.items()}
    stages = sum(key.endswith("up_conv1.deconv.weight") for key in held)

    def layer(key, y):
        if f"{key}.deconv.weight" in held:
            kind, part = functional.conv_transpose2d, "deconv"
        else:
            kind, part = functional.conv2d, "conv"
        kernel = held[f"{key}.{part}.weight"]
        strided = {"stride": 2, "padding": 2} if kernel.shape[-1] == 6 else {}
        strided = strided or {"padding": kernel.shape[-1] // 2}
        y = kind(y, kernel, held[f"{key}.{part}.bias"], **strided)
        slope = held.get(f"{key}.act.weight")
        return y if slope is None else functional.prelu(y, slope)

    def project(name, way, y):
        y = layer(f"{name}.conv", y) if f"{name}.conv.conv.weight" in held else y
        first = layer(f"{name}.{way}_conv1", y)
        wrong = layer(f"{name}.{way}_conv2", first) - y
        return first + layer(f"{name}.{way}_conv3", wrong)

    low = layer("feat1", layer("feat0", torch.tensor(x).permute(0, 3, 1, 2)))
    last = []
    for _ in range(passes):
        highs, lows = [project("up1", "up", low)], []
        for stage in range(1, stages):
            low = project(f"down{stage}", "down", torch.cat(highs[::-1], 1))
            lows.append(low)
            highs.append(project(f"up{stage + 1}", "up", torch.cat(lows[::-1], 1)))
        last.append(highs[-1])
    y = layer("output_conv", torch.cat(highs[::-1] if passes == 1 else last, 1))
    y = y.permute(0, 2, 3, 1).numpy()
    return y + enlarged(x) if residual else y


def enlarged(x):
    """Twice the size, by Pillow."""
    size = (2 * x.shape[2], 2 * x.shape[1])
    planes = [Image.fromarray(plane, mode="F").resize(size, Image.Resampling.BICUBIC)
              for plane in np.moveaxis(x[0], -1, 0)]  # fmt: skip
    return np.stack([np.asarray(plane) for plane in planes], -1)[None]


@pytest.mark.parametrize(
    ("passes", "told", "residual"),
    [(1, {}, False), (1, {"residual": "yes"}, True), (2, {}, True), (2, {"residual": "no"}, False)],
)
def test_dbpn_with_several_passes_and_with_its_input(passes, told, residual):
    config = {**zoo.small("DDBPN"), "scale_factor": 2, "passes": passes}
    state = zoo.state_dict("DDBPN", config)
    network = cem.from_torch("DDBPN", state, **told)
    assert network.scale == 2
    expected = dbpn(X, state, passes, residual)
    np.testing.assert_allclose(network(X), expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("dilation", [4, 8])
def test_the_dilations_of_sadnet_are_told(dilation):
    network = cem.from_torch("SADNet", zoo.state_dict("SADNet", zoo.small("SADNet")),
                             dilation=dilation)  # fmt: skip
    x = jax.ShapeDtypeStruct((1, 16, 16, 3), np.float32)
    text = str(jax.make_jaxpr(network.apply)(network.params, x))
    found = {int(a) for a, b in re.findall(r"rhs_dilation=\((\d+), (\d+)\)", text) if a == b}
    assert found == {1, 2, 4, dilation if dilation == 8 else 3}
    assert [one.default for one in cem.models.describe("SADNet").arguments] == [4]


def test_mirnet_for_defocus_is_known_by_its_channels():
    small = zoo.small("MIRNetV2")
    state = zoo.state_dict("MIRNetV2", {**small, "inp_channels": 6})
    x = np.concatenate([X, X[:, ::-1]], -1)
    network = cem.from_torch("MIRNetV2", state)
    assert network.channels == 6
    assert network(x).shape == X.shape
    with pytest.raises(ValueError, match=r"variant='MIRNet_v2' adds its input of 6 channels"):
        cem.from_torch("MIRNetV2", state, variant="MIRNet_v2")
    silent = zoo.state_dict("MIRNetV2", small)
    silent["conv_out.weight"] = np.zeros_like(silent["conv_out.weight"])
    np.testing.assert_array_equal(cem.from_torch("MIRNetV2", silent)(X), X)
    told = cem.from_torch("MIRNetV2", silent, variant="defocus_deblurring")
    np.testing.assert_array_equal(told(X), np.zeros_like(X))


@pytest.mark.parametrize(
    ("name", "told"), [("HAT", {"conv_scale": 1.0}), ("HINet", {"relu_slope": 0.5})]
)
def test_weights_of_branches_and_slopes_are_told(name, told):
    state = zoo.state_dict(name, zoo.small(name))
    x = image(32, 32)[None]
    usual, other = (np.asarray(cem.from_torch(name, state, **more)(x)) for more in ({}, told))
    assert np.abs(usual - other).max() > 1e-4
    (facts,) = [one for one in cem.models.describe(name).arguments if one.name in told]
    np.testing.assert_array_equal(
        cem.from_torch(name, state, **{facts.name: facts.default})(x), usual
    )


def test_the_first_form_of_san_is_named():
    state = zoo.state_dict("SAN", zoo.small("SAN"))
    later = [key for key in state if key.endswith(".gamma") or "non_local.soca" in key]
    first = {key: value for key, value in state.items() if key not in later}
    with pytest.raises(ValueError, match="another variant of SAN: the first form"):
        cem.from_torch("SAN", first)
