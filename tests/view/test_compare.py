"""Differences as pictures, and saved maps drawn anew from the command line."""

import dataclasses
import json

import matplotlib
import numpy as np
import pytest
from command_line import status
from PIL import Image
from report_maps import made_map
from test_pictures import check, hatched, of_size, texts_of

import cem_jax as cem
from cem_jax.view.layer import sign_uncertain
from cem_jax.view.panels import MAP_AXES

matplotlib.use("Agg")
FACTS = {"scene": {}, "images": "i", "pool": "p", "seed": 0, "block": 8}
ROI = cem.ROI(48, 64, 16, 16)


@pytest.fixture(autouse=True)
def closed():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def drawn_alike(network: str, seed: int, **changes) -> cem.EffectMap:
    """A map that says to share its draws with others of its kind."""
    found = made_map(network, seed=seed, **changes)
    return dataclasses.replace(found, provenance={**found.provenance, **FACTS, "network": network})


@pytest.fixture(scope="module")
def maps() -> list[cem.EffectMap]:
    return [drawn_alike("first", 0), drawn_alike("second", 1)]


def test_a_difference_stands_beside_both_maps(maps):
    found = cem.difference(*maps)
    ax = cem.plot(found)
    check(ax.figure)
    drawn = [one for one in ax.figure.axes if one.get_label() == MAP_AXES]
    assert len(drawn) == 3 and drawn[-1] is ax
    texts = [text for text, _ in texts_of(ax.figure)]
    assert {"A: first", "B: second", "A \u2212 B", "A helps more", "B helps more"} <= set(texts)
    np.testing.assert_array_equal(hatched(ax), np.argwhere(sign_uncertain(found)))
    large = np.abs(np.nan_to_num(found.effect)) >= found.tolerance
    counts = [(large & (found.effect > 0)).sum(), (large & (found.effect < 0)).sum()]
    assert f"{counts[0]} more in A" in texts and f"{counts[1]} more in B" in texts
    painted = np.asarray(ax.images[1].get_array())[..., :3]
    reds = painted[..., 0] - painted[..., 2]
    np.testing.assert_array_equal(np.sign(reds)[large], np.sign(found.effect)[large])


def test_a_difference_of_regions_outlines_both(maps):
    other = drawn_alike("first", 0, roi=cem.ROI(48, 24, 16, 16))
    ax = cem.plot(cem.difference(maps[0], other))
    check(ax.figure)
    corners = {patch.get_bbox().bounds[:2] for patch in ax.patches}
    assert {(63.5, 47.5), (23.5, 47.5)} <= corners


def test_what_no_draw_tells_is_grey_and_said(maps):
    values = np.array(maps[1].values)
    row, column = np.argwhere(maps[0].samples > 0)[0]
    values[row, column] = np.nan
    values[row, column, -1] = 27.0
    lost = dataclasses.replace(maps[1], values=values)
    first = np.array(maps[0].values)
    first[row, column, -1] = np.nan
    found = cem.difference(dataclasses.replace(maps[0], values=first), lost)
    assert np.isnan(found.effect[row, column]) and not found.inside_roi[row, column]
    ax = cem.plot(found)
    check(ax.figure)
    assert "not known" in [text for text, _ in texts_of(ax.figure)]
    painted = np.asarray(ax.images[1].get_array())
    np.testing.assert_allclose(painted[row, column, :3], 0.6)


def test_the_numbers_of_a_difference(maps):
    found = cem.difference(*maps)
    told = found.summary
    known = np.isfinite(found.effect) & ~found.inside_roi
    assert told["more_in_first"] + told["more_in_second"] + told["alike"] == known.sum()
    low, high = found.interval()
    sure = (low > 0) & (found.effect >= found.tolerance)
    assert told["of_these_sure"] == sure.sum() > 0
    assert told["of_those_sure"] == ((high < 0) & (found.effect <= -found.tolerance)).sum()
    assert repr(found).count("float32") < 3  # not the whole of both maps


@pytest.fixture
def folder(maps, tmp_path, monkeypatch):
    for one in maps:
        (tmp_path / one.provenance["network"]).mkdir()
        one.save(tmp_path / one.provenance["network"] / "map.npz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_two_maps_are_compared_from_the_command_line(folder, capsys, monkeypatch):
    assert (
        status(monkeypatch, "compare", "first", "second/map.npz", "--out", "found.png", "--json")
        == 0
    )
    (told,) = json.loads(capsys.readouterr().out)
    assert told["first"] == "first" and told["written"] == "found.png"
    assert Image.open("found.png").width > 1000
    for places, message in (
        (["first", "second", "."], "3 places: expected two"),
        ([".", "first"], "2 maps in this folder"),
    ):
        assert status(monkeypatch, "compare", *places) == 2
        assert message in capsys.readouterr().err


def test_saved_maps_are_drawn_anew(folder, capsys, monkeypatch):
    pictures = {}
    for option in ([], ["--look", "paper"], ["--zoom", "near"], ["--limit", "0.1"],
                   ["--scale", "own"], ["--colour-map", "PuOr_r"]):  # fmt: skip
        assert status(monkeypatch, "plot", ".", "--out", "maps.png", *option) == 0
        pictures[" ".join(option)] = (folder / "maps.png").read_bytes()
    assert len(set(pictures.values())) == len(pictures)
    assert status(monkeypatch, "plot", ".", "--out", "maps.pdf") == 0
    assert (folder / "maps.pdf").read_bytes().startswith(b"%PDF")
    capsys.readouterr()
    assert status(monkeypatch, "plot", ".", "--limit", "-1") == 2
    assert "--limit -1.0: expected a number above 0" in capsys.readouterr().err


def test_many_maps_are_pages(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(11):
        (tmp_path / f"{number}").mkdir()
        small = of_size(64, 64, cem.ROI(24, 24, 16, 16), network=f"network {number}")
        small.save(tmp_path / f"{number}" / "map.npz")
    assert status(monkeypatch, "plot", ".", "--out", "maps.pdf") == 0
    assert (tmp_path / "maps.pdf").read_bytes().count(b"/Type /Page ") == 2
    capsys.readouterr()
    assert status(monkeypatch, "plot", ".", "--out", "maps.png") == 2
    assert "2 pages; expected a .pdf" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("plot", "."), ("compare", "a", "b"), ("look", "photo.png")])
@pytest.mark.parametrize("name", ["maps", "maps.npz"])
def test_a_picture_says_of_what_kind_it_is(command, name, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert status(monkeypatch, *command, "--out", name) == 2
    assert f"--out {name}: expected a file that ends in .png" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
