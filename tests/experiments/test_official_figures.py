"""Figures of official networks: made from stand-ins, resumed, and repeated by the check."""

import dataclasses
import json

import numpy as np
import pytest
from command_line import status
from safetensors.numpy import load_file, save_file

import cem_jax as cem
from cem_jax.experiments import figures
from cem_jax.experiments.figures import together
from cem_jax.experiments.figures.texture import outside, structure

TINY = figures.Preset(
    "tiny", "bundled", side=64, large_side=64, shown=1, plan=cem.Fixed(2), counted_side=64,
    counted=2, regions=1, draws=2, compared_draws=2, joint_draws=2, recorded=4, most=1,
    chosen_draws=2,
)  # fmt: skip
ROI = cem.ROI(24, 24, 8, 8)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(figures.PRESETS, "tiny", TINY)


@pytest.fixture
def weights(tmp_path):
    """A folder with one file that no list names: a network that was trained elsewhere."""
    folder = tmp_path / "weights"
    folder.mkdir()
    state = load_file(cem.models.bundled_weights("FSRCNN-compact"))
    save_file({key: 0.99 * value for key, value in state.items()}, folder / "new.safetensors")
    return folder


def test_a_new_file_in_the_folder_is_shown_by_itself(tiny, tmp_path, weights, capsys, monkeypatch):
    (made,) = figures.make(("sr",), tmp_path, "tiny", weights, progress=False)
    assert made.problem == "" and "FSRCNN" in made.expected and "EDSR" not in made.expected
    record = json.loads((tmp_path / "tiny" / "sr.json").read_text())
    (cell,) = record["results"]["rows"][0]["maps"]
    published = ("--published", str(tmp_path / "tiny"), "--weights", str(weights))
    assert not status(monkeypatch, "figures", "--check", "sr", *published)
    assert "1 maps made again, 0 not" in capsys.readouterr().out
    cell["psnr"] += 0.1
    (tmp_path / "tiny" / "sr.json").write_text(json.dumps(record))
    assert status(monkeypatch, "figures", "--check", "sr", *published) == 2
    assert "differs by" in capsys.readouterr().err


def test_claims_share_their_maps_and_stand_ins_are_called_so(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(figures.find("official"), "STAND_INS", ("FSRCNN",))
    first, second = figures.make(("official", "texture"), tmp_path, "tiny", progress=False)
    assert first.problem == second.problem == ""
    assert "no official ones were there" in first.expected + second.expected
    store = figures.Store(tmp_path / "tiny")
    one, other = (store.read(name)["results"] for name in ("official", "texture"))
    rows, same = one["networks"][0]["rows"], other["networks"][0]["rows"]
    assert [row["map"] for row in rows] == [row["map"] for row in same] and len(rows) == 6
    assert [row["rank"] for row in same] == [0, 1, 2] * 2
    assert all(0 < row["structure"] < 1 for row in same)


def test_networks_are_added_to_earlier_results(tiny, tmp_path, weights, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    for made in figures.make(("official", "texture"), first, "tiny", weights, progress=False):
        assert made.problem == ""
    state = load_file(weights / "new.safetensors")
    (weights / "new.safetensors").unlink()
    save_file({key: 0.98 * value for key, value in state.items()}, weights / "other.safetensors")
    earlier = figures.Store(first / "tiny")
    asked = []
    of_one = figures.find("official").measure
    monkeypatch.setattr(
        figures.find("official"), "measure", lambda found: asked.append(1) or of_one(found)
    )
    for made in figures.make(
        ("official", "texture"), second, "tiny", weights, progress=False, add_to=first / "tiny"
    ):
        assert made.problem == "" and made.expected.startswith("2 official networks")
    assert len(asked) == 6  # the second network's maps alone
    for name in ("official", "texture"):
        known = earlier.read(name)["results"]["networks"]
        both = figures.Store(second / "tiny").read(name)
        assert both["results"]["networks"][:1] == known and len(both["results"]["networks"]) == 2
        assert both["seconds"] >= sum(one["seconds"] for one in both["results"]["networks"]) - 0.2


def test_parts_of_other_settings_are_computed_anew(tiny, tmp_path, weights, monkeypatch):
    (made,) = figures.make(("texture",), tmp_path, "tiny", weights, progress=False)
    other = dataclasses.replace(TINY, chosen_draws=4)
    monkeypatch.setitem(figures.PRESETS, "tiny", other)
    (made,) = figures.make(
        ("texture",), tmp_path / "again", "tiny", weights, progress=False, add_to=tmp_path / "tiny"
    )
    found = figures.Store(tmp_path / "again" / "tiny").read("texture")["results"]["networks"]
    assert made.expected.startswith("1 official networks")
    assert all("Fixed-n-4" in row["map"] for row in found[0]["rows"])


def test_a_folder_of_earlier_results_has_to_be_there(tmp_path, monkeypatch, capsys):
    with pytest.raises(ValueError, match=r"add_to=.*none.*no such folder"):
        next(figures.make(("texture",), tmp_path, "quick", add_to=tmp_path / "none"))
    assert status(monkeypatch, "figures", "texture", "--add-to", str(tmp_path / "none")) == 2
    assert "--add-to" in capsys.readouterr().err


def test_choices_are_compared_with_the_usual_one(tiny, tmp_path, monkeypatch):
    module = figures.find("sensitivity")
    monkeypatch.setattr(module, "NETWORKS", ("FSRCNN",))
    monkeypatch.setattr(module, "CHOICES", module.CHOICES[:5])
    (made,) = figures.make(("sensitivity",), tmp_path, "tiny", progress=False)
    assert made.problem == ""
    results = figures.Store(tmp_path / "tiny").read("sensitivity")["results"]
    (network,) = results["networks"]
    for row in network["choices"]["usual"]:
        assert row["agreement"] == pytest.approx(1.0)


def adding(blocks, weight):
    """A network that adds the sum of what blocks of a scene of one grey level hold beyond it."""

    def restore(x):
        beyond = sum(
            (x[:, 8 * y : 8 * y + 8, 8 * c : 8 * c + 8] - 0.5).mean(axis=(1, 2, 3), keepdims=True)
            for y, c in blocks
        )
        return 0 * x + 0.5 + weight * (0.2 + beyond) ** 2

    return cem.wrap(restore, name="adding")


def test_pairs_explain_what_acts_together_where_only_pairs_do():
    """The outcome is minus the error itself, a quadratic function of blocks: pairs are all."""
    network = adding([(0, 0), (0, 7), (7, 0)], 1.0)
    scene = cem.Scene.denoising(np.full((64, 64, 3), 0.5, np.float32), 1 / 255)
    found = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(4), progress=False)
    values = np.full(found.values.shape, found.baseline, np.float32)
    for block in ((0, 0), (0, 7), (7, 0)):
        values[block] += 1.0
    chosen = dataclasses.replace(found, values=values)
    result = together.together(network, scene, chosen, 4)
    assert result["blocks"] == 3
    members = cem.joint_effect(
        network, scene, ROI, [(0, 0), (0, 7), (7, 0)], samples=4, seed=together.SEED
    )
    assert result["one_by_one"] == pytest.approx(-members.summed.effect, abs=1e-4)
    assert result["at_once"] == pytest.approx(-members.joint.effect, abs=1e-4)
    pairs = cem.interactions(
        network, scene, ROI, [(0, 0), (0, 7), (7, 0)], samples=4, seed=together.SEED
    )
    beyond = pairs.effect[0, 1] + pairs.effect[0, 2] + pairs.effect[1, 2]
    assert result["in_pairs"] - result["one_by_one"] == pytest.approx(beyond, abs=1e-4)
    none = together.together(network, scene, found, 4)
    assert none["blocks"] == 0 or none["at_once"] is not None


@pytest.fixture
def plain_map():
    scene = cem.Scene.denoising(np.full((64, 64, 3), 0.5, np.float32), 1 / 255)
    network = adding([(0, 0)], 1.0)
    return cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(2), progress=False)


def test_outside_context_begins_behind_the_neighbours(plain_map):
    effect = np.where(plain_map.inside_roi, np.nan, 0.0)
    effect[2, 3] = 5.0  # beside the region
    effect[0, 0] = -1.0
    effect[7, 7] = 0.25
    result = outside(dataclasses.replace(plain_map, effect=effect))
    assert result["summed"] == pytest.approx(-0.75)
    assert result["harmful_share"] == pytest.approx(50.0)


def test_structure_is_the_slope_of_the_regions_own_input(plain_map):
    ramp = np.tile(np.arange(0, 128, 2, dtype=np.uint8)[None, :, None], (64, 1, 3))
    ramp[:, 40:] = 7  # beyond the region
    assert structure(dataclasses.replace(plain_map, degraded=ramp)) == pytest.approx(2 / 255)
