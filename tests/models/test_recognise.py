"""A state dict alone tells its network, or what is known of it is said in one line."""

import numpy as np
import pytest
import zoo
from torch_writer import mapping, zip_file

import cem_jax as cem
from cem_jax.models import registry

recognise, choose = cem.models.recognise, cem.models.choose
FIRST = {registry.find(name).architecture: name for name in reversed(cem.models.names())
         if not registry.find(name).bundled}  # fmt: skip
DIFFERENT = {
    "RCAN": "a name says how attention pools", "CARNM": "a name says the factor",
    "XRestormer": "a name says the factor", "MPRNet": "one name limits the output",
    "IRCNN": "DnCNN has as many convolutions, without dilation",
}  # fmt: skip
"""Architectures whose names differ in what tensors do not tell."""


@pytest.mark.parametrize("architecture", FIRST, ids=lambda one: one.__name__)
def test_every_architecture_is_recognised_by_its_tensors(architecture):
    name = FIRST[architecture]
    state = zoo.state_dict(name, zoo.small(name))
    found = recognise(state)
    assert name in found
    if architecture.__name__ in DIFFERENT:
        return
    assert registry.find(choose(state)).architecture is architecture


@pytest.mark.parametrize("name", ["EDSR", "EDSR-32-16", "IRCNN", "DnCNN3", "FSRCNN-16-6"])
def test_published_sizes_come_first(name):
    state = zoo.state_dict(name)
    assert recognise(state)[0] == choose(state) == name


@pytest.mark.parametrize("name", ["SRCNN-compact", "PReNet-compact", "RCAN_pooling4-compact"])
def test_bundled_weights_are_known_by_their_values(name):
    path = cem.models.bundled_weights(name)
    assert path is not None
    state = cem.models.read_state_dict(path)
    assert recognise(state) == (name,)
    first = next(iter(state))
    assert name not in recognise({**state, first: state[first] + 1})


def test_channels_are_no_size():
    grey = {"in_nc": 1, "out_nc": 1}
    assert choose(zoo.state_dict("IRCNN", grey)) == "IRCNN"
    with pytest.raises(ValueError, match="fit DnCNN, IRCNN, which are different networks"):
        choose(zoo.state_dict("IRCNN", {**grey, "nc": 8}))


def test_different_networks_of_equal_shapes_are_named():
    state = zoo.state_dict("CARN-M")
    with pytest.raises(ValueError, match=r"fit CARN-M, CARN-M_x2, CARN-M_x3, .* by scale"):
        choose(state)
    assert [choose(state, scale=scale) for scale in (2, 3, 4)] == [
        "CARN-M_x2", "CARN-M_x3", "CARN-M",
    ]  # fmt: skip
    pooled = zoo.state_dict("RCAN_pooling4", zoo.small("RCAN_pooling4"))
    with pytest.raises(ValueError, match=r"RCAN_pooling16.*cem\.load\('RCAN"):
        choose(pooled)


UNKNOWN = {
    "NAFNet": ("intro.weight", "middle_blks.0.beta", "encoders.0.0.beta", "ending.weight"),
    "DAT": ("before_RG.1.weight", "layers.0.blocks.0.attn.dwconv.0.weight"),
    "RDN": ("SFENet1.weight", "RDBs.0.convs.0.conv.0.weight"),
}


@pytest.mark.parametrize("family", UNKNOWN)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_networks_that_the_zoo_lacks_are_named_with_the_way_out(family, prefix):
    state = {prefix + key: np.zeros((3, 3)) for key in UNKNOWN[family]}
    with pytest.raises(ValueError, match=rf"it is of {family}, .*cem\.wrap_torch") as caught:
        choose(state)
    assert len(str(caught.value)) < 200
    with pytest.raises(ValueError, match=rf"does not fit IMDN: .*of {family}, .*wrap_torch"):
        cem.from_torch("IMDN", state)
    assert recognise(state) == ()


VARIANTS = {
    "ape": ("SwinIR", {"absolute_pos_embed": np.zeros((1, 4, 12))}, "adds a position"),
    "plus": ("RRDBNet", {"body.0.rdb1.conv1x1.weight": np.zeros((4, 8, 1, 1))}, r"ESRGAN\+"),
}


@pytest.mark.parametrize("kind", VARIANTS)
def test_variants_that_are_not_computed_are_refused_in_one_line(kind):
    name, more, words = VARIANTS[kind]
    state = {**zoo.state_dict(name, zoo.small(name)), **more}
    with pytest.raises(ValueError, match=rf"another variant of {name}: .*{words}.*wrap_torch"):
        cem.from_torch(name, state)
    with pytest.raises(ValueError, match=r"another variant of .*wrap_torch") as caught:
        choose(state)
    assert len(str(caught.value)) < 200


def test_a_network_of_another_name_is_told_what_it_is():
    state = zoo.state_dict("FFDNet", zoo.small("FFDNet"))
    with pytest.raises(ValueError, match=r"variant of DnCNN: .*13 channels and returns 12"):
        cem.from_torch("DnCNN", state)
    with pytest.raises(ValueError, match=r"does not fit SRCNN: .*; it fits FFDNet"):
        cem.from_torch("SRCNN", state)


def test_single_keys_that_do_not_fit_are_named():
    state = zoo.state_dict("DnCNN", {"in_nc": 3, "out_nc": 3, "nc": 4, "nb": 6})
    for change, words in (
        ({"gamma": np.zeros(4)}, "unexpected: gamma"),
        ({"model.4.bias": None}, "missing: model.4.bias"),
        ({"model.4.bias": np.zeros(5)}, r"misshapen: model.4.bias \(5,\)"),
    ):
        other = {key: value for key, value in (state | change).items() if value is not None}
        with pytest.raises(ValueError, match=rf"it would be DnCNN but for single keys \({words}\)"):
            choose(other)


@pytest.mark.parametrize(
    "parts",
    [("weight_g", "weight_v"), ("weight_orig", "weight_u", "weight_v"),
     ("parametrizations.weight.original0", "parametrizations.weight.original1")],
    ids=["weight norm", "spectral norm", "parametrized"],
)  # fmt: skip
def test_weights_in_parts_are_told_how_to_be_made_whole(parts):
    state = zoo.state_dict("DnCNN", {"in_nc": 3, "out_nc": 3, "nc": 4, "nb": 6})
    whole = state.pop("model.4.weight")
    state |= {f"model.4.{part}": whole for part in parts}
    for read in (choose, lambda state: cem.from_torch("DnCNN", state)):
        with pytest.raises(ValueError, match=r"written in parts, .*\.remove_weight_norm, .*save"):
            read(state)


def test_nothing_known_is_said_too():
    with pytest.raises(ValueError, match=r"fits no network of the zoo; cem\.wrap_torch"):
        choose({"foo.weight": np.zeros((3, 3))})


@pytest.fixture
def file(tmp_path):
    state = zoo.state_dict("FFDNet", zoo.small("FFDNet"))
    path = tmp_path / "mine.pth"
    path.write_bytes(zip_file(state, lambda entries: mapping({"netG": mapping(entries)})))
    return path


def test_a_path_alone_is_loaded_and_named_after_its_file(file):
    network = cem.load(file)
    assert network.name == "FFDNet mine"
    assert cem.load(str(file), noise_level=15).noise_level == pytest.approx(15 / 255)
    assert cem.load("FFDNet", file).name == "FFDNet mine"
    assert cem.load(file, label="my own").name == "my own"
    assert cem.load("FFDNet", file, label="my own").name == "my own"
    assert cem.load("DnCNN-compact").name == "DnCNN-compact"
    assert cem.to_torch(network).keys() == zoo.state_dict("FFDNet", zoo.small("FFDNet")).keys()
    with pytest.raises(ValueError, match=r"nowhere\.pth"):
        cem.load(file.parent / "nowhere.pth")
    with pytest.raises(ValueError, match=r"name='DnCN' is not a known network"):
        cem.load("DnCN", file)


@pytest.mark.parametrize("channels", [1, 4])
def test_images_of_other_channels_are_refused_by_number(channels):
    state = zoo.state_dict("DnCNN", {"in_nc": channels, "out_nc": channels, "nc": 4, "nb": 6})
    network = cem.from_torch("DnCNN", state)
    with pytest.raises(ValueError, match=rf"\(1, 8, 8, 3\); network=DnCNN takes {channels} chan"):
        network(np.zeros((1, 8, 8, 3), np.float32))
