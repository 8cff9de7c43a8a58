"""The report: what is in the file is what is in the maps, and nothing else."""

import base64
import dataclasses
import hashlib
import io
import json
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_maps import largest_maps, made_map

import cem_jax as cem
from cem_jax.cli import look
from cem_jax.map.images import Images
from cem_jax.view.report import whole
from cem_jax.view.report.values import strongest_first
from cem_jax.view.scenes import by_scene, network_names

HOSTILE = '</script ><script>alert(1)</script><img src=x onerror="alert(1)">&amp;'


class Page(HTMLParser):
    """Every tag with its attributes, and the text of scripts and styles by class or tag."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self.feed(path.read_text("utf-8"))
        self.scenes = [json.loads(text) for kind, text in self.raw if kind == "scene"]
        self.pictures = [json.loads(text) for kind, text in self.raw if kind == "picture"]

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.raw.append((dict(attrs).get("class") or tag, ""))

    def handle_data(self, data):
        if self.cdata_elem:
            kind, before = self.raw[-1]
            self.raw[-1] = kind, before + data


def unpacked(value):
    data = zlib.decompress(base64.b64decode(value["data"]))
    return np.frombuffer(data, np.dtype(value["dtype"]).newbyteorder("<"))


@pytest.fixture(scope="module")
def maps():
    return [made_map("first"), made_map(HOSTILE, seed=1), made_map(roi=cem.ROI(48, 24, 16, 16))]


@pytest.fixture(scope="module")
def page(maps, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    cem.report(maps, path)
    return Page(path)


def test_maps_of_one_input_and_region_are_one_scene(maps, page):
    assert [len(scene["maps"]) for scene in page.scenes] == [2, 1]
    other = dataclasses.replace(maps[0], degraded=255 - maps[0].degraded)
    ssim = dataclasses.replace(maps[0], outcome="ssim", unit="")
    scenes = by_scene([maps[0], other, maps[1], ssim])
    assert [[id(one) for one in scene] for scene in scenes] == [
        [id(maps[0]), id(maps[1])], [id(other)], [id(ssim)],
    ]  # fmt: skip


def test_an_input_is_in_the_file_once(maps, page):
    (found,) = page.pictures
    png = base64.b64decode(found["picture"].removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(png)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), maps[0].degraded)
    numbers = [a["data-input"] for _, a in page.tags if a.get("class") == "scene"]
    assert numbers == ["0", "0"]


def pixels_of(address: str) -> np.ndarray:
    png = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(png)) as found:
        return np.asarray(found)


def test_whole_images_are_in_the_file_once(tmp_path):
    """Of two regions and two networks: one input, one true image, an image of each network."""
    rng = np.random.default_rng(0)
    true, *restored = rng.integers(0, 256, (3, 112, 144, 3), np.uint8)
    maps = [
        made_map(f"net {number}", roi=cem.ROI(48, x, 16, 16), images=Images(restored[number], true))
        for number in (0, 1) for x in (24, 64)
    ]  # fmt: skip
    cem.report([*maps, made_map("none", roi=cem.ROI(48, 104, 16, 16))], tmp_path / "r.html")
    page = Page(tmp_path / "r.html")
    assert len(page.pictures) == 4 and len(page.scenes) == 3

    def shown(number):
        return pixels_of(page.pictures[number]["picture"])

    for scene in page.scenes[:2]:
        np.testing.assert_array_equal(shown(scene["cleanPicture"]), true)
        for number in (0, 1):
            image = shown(scene["maps"][number]["restoredPicture"])
            np.testing.assert_array_equal(image, restored[number])
    assert page.scenes[2]["cleanPicture"] is None
    assert "restoredPicture" not in page.scenes[2]["maps"][0]
    places = [a["data-place"] for _, a in page.tags if a.get("class") == "scene"]
    expected = [100 * np.array([48 / 112, x / 144, 16 / 112, 16 / 144]) for x in (24, 64, 104)]
    np.testing.assert_allclose([np.fromstring(p, sep=" ") for p in places], expected, atol=0.02)


def test_many_whole_images_are_shown_smaller(monkeypatch, tmp_path):
    monkeypatch.setattr(whole, "_PIXELS", 3 * 64 * 64)
    rng = np.random.default_rng(0)
    found = made_map(images=Images(*rng.integers(0, 256, (2, 112, 144, 3), np.uint8)))
    cem.report(found, tmp_path / "r.html")
    page = Page(tmp_path / "r.html")
    assert {max(pixels_of(one["picture"]).shape) for one in page.pictures} == {64}
    assert page.scenes[0]["detail"] is not None  # what is near the region stays as it is


def test_maps_of_one_network_are_told_apart_by_what_differs(maps):
    facts = maps[0].provenance
    again = dataclasses.replace(maps[0], provenance={**facts, "seed": 7})
    assert network_names([maps[0], again, maps[1]]) == ["first, seed 0", "first, seed 7", HOSTILE]


def test_the_file_holds_effects_intervals_and_draws(maps, page):
    for effect_map, stored in zip(maps[:2], page.scenes[0]["maps"], strict=True):
        low, high = effect_map.interval()
        expected = {
            "effect": effect_map.effect, "low": low, "high": high,
            "error": effect_map.standard_error, "signProbability": effect_map.sign_probability,
            "samples": effect_map.samples,
        }  # fmt: skip
        for name, array in expected.items():
            np.testing.assert_array_equal(unpacked(stored[name]), array.ravel().astype(np.float32))
        drawn = np.isfinite(effect_map.values)
        np.testing.assert_array_equal(unpacked(stored["drawn"]), drawn.sum(axis=2).ravel())
        unit = np.repeat(unpacked(stored["changeUnit"]), unpacked(stored["drawn"]))
        change = (effect_map.baseline - effect_map.values)[drawn]
        assert (np.abs(unpacked(stored["changes"]) * unit - change) <= 0.51 * unit).all()


def test_the_file_holds_patches_and_regions_exactly(maps, page):
    scene = page.scenes[0]
    patches = unpacked(scene["patches"]).reshape(-1, 8, 8, 3)
    assert len(patches) == len(np.unique(patches, axis=0))
    for effect_map, stored in zip(maps[:2], scene["maps"], strict=True):
        behind, kept = stored["behind"], effect_map.extremes
        cells, restored = unpacked(behind["cells"]), unpacked(behind["restored"])
        strength = np.abs(effect_map.effect.ravel()[cells])
        assert (np.diff(strength) <= 0).all() and behind["leftOut"] == 0
        place = np.searchsorted(kept.cells, cells)
        np.testing.assert_array_equal(kept.cells[place], cells)
        regions = unpacked(behind["changes"]).reshape(len(cells), 2, -1) + restored
        np.testing.assert_array_equal(regions.reshape(-1, 2, 16, 16, 3), kept.regions[place])
        shown = patches[unpacked(behind["patches"])].reshape(-1, 2, 8, 8, 3)
        np.testing.assert_array_equal(shown, kept.patches[place])
        # The marked draws are those with the lowest and the highest outcome.
        starts = np.concatenate([[0], np.cumsum(unpacked(stored["drawn"]))])
        changes, draws = unpacked(stored["changes"]), unpacked(behind["draws"]).reshape(-1, 2)
        for cell, (lowest, highest) in zip(cells, draws, strict=True):
            own = changes[starts[cell] : starts[cell + 1]]
            assert own[lowest] == own.max() and own[highest] == own.min()


def test_pictures_of_the_strongest_blocks_come_first_when_room_is_short(maps):
    kept, left_out = strongest_first(maps[0], 5000)
    assert len(kept.cells) and left_out
    assert len(kept.cells) + left_out == len(maps[0].extremes.cells)
    strength = np.abs(maps[0].effect.ravel())
    others = np.setdiff1d(maps[0].extremes.cells, kept.cells)
    assert strength[kept.cells].min() >= strength[others].max()


def test_names_cannot_become_tags_or_scripts(page):
    assert [kind for kind, _ in page.raw] == ["style", "picture", "scene", "scene", "script"]
    assert all(not name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert page.scenes[0]["maps"][1]["name"] == HOSTILE
    assert not any(re.search("[<>&]", text) for _, text in page.raw[1:-1])


def test_the_file_asks_for_nothing_and_runs_only_its_own_script(page):
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object")
        assert (attributes.get("src") or "data:image/png").startswith("data:image/png")
        assert "href" not in attributes
    policy = next(a["content"] for _, a in page.tags if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; img-src data:;")
    for text in (page.raw[0][1], page.raw[-1][1]):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    names = r"www\.w3\.org/(2000/svg|1999/xhtml)"  # of kinds of elements; nothing lies there
    assert not re.search(rf"fetch\(|XMLHttp|https?://(?!{names})", page.raw[-1][1])


def test_maps_without_extremes_or_effects_can_be_shown(maps, tmp_path):
    nothing = np.where(maps[0].inside_roi, np.nan, 0.0)
    still = dataclasses.replace(
        maps[0], effect=nothing, standard_error=nothing, samples=0 * maps[0].samples,
        values=np.full_like(maps[0].values, np.nan), extremes=None, tolerance=0.0,
    )  # fmt: skip
    cem.report(still, tmp_path / "still.html")
    assert Page(tmp_path / "still.html").scenes[0]["maps"][0]["behind"] is None


def test_the_largest_report_is_small(tmp_path):
    cem.report(largest_maps(), tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 10e6
    (scene,) = Page(tmp_path / "report.html").scenes
    assert [one["behind"]["leftOut"] for one in scene["maps"]] == 4 * [0]


@pytest.mark.parametrize("bad", [[], [3]])
def test_no_maps_are_refused(bad, tmp_path):
    with pytest.raises(ValueError, match="maps="):
        cem.report(bad, tmp_path / "report.html")


def test_a_file_that_cannot_be_written_is_refused(maps, tmp_path):
    for path in (tmp_path, tmp_path / "missing" / "report.html"):
        with pytest.raises(ValueError, match="path="):
            cem.report(maps, path)


def test_the_command_gathers_the_maps_of_folders(maps, tmp_path):
    for name, effect_map in zip(("y8-0", "y32-1", "y112-2"), maps, strict=True):
        (tmp_path / "maps" / name).mkdir(parents=True)
        effect_map.save(tmp_path / "maps" / name / "map.npz")
    (tmp_path / "empty").mkdir()
    command = [sys.executable, "-m", "cem_jax.cli", "report"]
    command += ["maps/y8-0", "maps/y32-1/map.npz", "maps/y112-2", "--out", "all.html"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr
    assert [len(scene["maps"]) for scene in Page(tmp_path / "all.html").scenes] == [2, 1]
    look.report([tmp_path / "maps"], tmp_path / "again.html")  # y8, y32, y112: by their numbers
    assert Page(tmp_path / "again.html").scenes == Page(tmp_path / "all.html").scenes
    with pytest.raises(ValueError, match=r"empty: no map\.npz"):
        look.report([tmp_path / "maps", tmp_path / "empty"], tmp_path / "none.html")


# Linear RGB as seen with no working cones of one kind: Machado et al. 2009, severity 1.
VISION = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
    "full": np.eye(3).tolist(),
}  # fmt: skip


def lab(linear):
    """CIE L*a*b* of linear sRGB, white D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.clip(linear, 0, 1) @ np.transpose(to_xyz) / np.sum(to_xyz, axis=1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


@pytest.mark.parametrize("vision", VISION)
def test_the_colours_of_help_and_harm_differ_for_all_eyes(vision):
    script = (resources.files("cem_jax.view.report") / "colour.js").read_text()
    stops = json.loads("[" + re.search(r"STOPS = \[(.*?),\s*\];", script, re.S)[1] + "]")
    srgb = np.array(stops) / 255
    assert (srgb[5] == 1).all()
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = lab(linear @ np.transpose(VISION[vision]))
    apart = np.linalg.norm(seen[:5] - seen[:5:-1], axis=1)
    assert (apart > 10).all()  # the palest pair too; a just noticeable difference is 2.3
    lightness = seen[:, 0]
    assert (np.diff(lightness[:6]) > 0).all() and (np.diff(lightness[5:]) < 0).all()
