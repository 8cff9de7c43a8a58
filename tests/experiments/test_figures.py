"""The figures of the paper are made, kept and drawn again."""

import hashlib
import importlib
import json

import numpy as np
import pytest
from command_line import status
from safetensors.numpy import load_file, save_file

import cem_jax as cem
from cem_jax.experiments import figures, findings
from cem_jax.experiments.figures import scenes
from cem_jax.experiments.figures.clock import Clock
from cem_jax.experiments.figures.study import Study
from cem_jax.experiments.figures.subjects import Missing, Subject, find, of_series
from cem_jax.experiments.series import SERIES

TINY = figures.Preset(
    "tiny", "bundled", side=64, large_side=64, shown=1, plan=cem.Fixed(2), counted_side=64,
    counted=2, regions=2, draws=2, compared_draws=2, joint_draws=2, recorded=4, most=3,
)  # fmt: skip
ALIKE = (
    "architecture", "task", "steps", "patch", "batch", "learning_rate", "seed", "photographs",
    "psnr_val_input",
)  # fmt: skip
"""What the records of all networks of a series share."""


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(figures.PRESETS, "tiny", TINY)


# Places and subjects


@pytest.mark.parametrize("side", [64, 128, 256])
def test_regions_lie_inside_and_lose_structure(side):
    image = scenes.photograph("cabin", side)
    found = scenes.regions(image, 3)
    slope = np.hypot(*np.gradient(image.astype(np.float64).mean(axis=2)))
    busy = [slope[r.y : r.y + r.height, r.x : r.x + r.width].mean() for r in found]
    assert len(set(found)) == 3
    assert busy == sorted(busy, reverse=True)
    for region in found:
        assert region.height == side // 8
        region.check(side, side, 4)


def test_networks_are_found_bundled_or_as_official_files(tmp_path):
    assert find("EDSR", "bundled", None).name == "EDSR-compact"
    with pytest.raises(Missing, match=r"RFDN_AIM\.pth"):
        find("RFDN", "official", tmp_path)
    with pytest.raises(Missing, match="--weights"):
        find("EDSR", "official", None)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "RFDN_AIM.pth").write_bytes(b"")
    assert find("RFDN", "bundled", tmp_path).weights == tmp_path / "sub" / "RFDN_AIM.pth"


# Figures


@pytest.mark.parametrize("name", figures.NAMES)
def test_a_figure_says_what_it_claims_and_how_it_is_made(name):
    module = figures.find(name)
    assert f"cem-jax figures {name}\n" in module.__doc__
    assert "Claim:" in module.__doc__
    assert all(callable(getattr(module, part)) for part in ("compute", "draw", "expected"))


def test_figures_are_made_kept_and_drawn_again(tiny, tmp_path, monkeypatch):
    told = []
    names = ("graph", "teaser", "sampling")
    first = list(figures.make(names, tmp_path, "tiny", tell=told.append, progress=False))
    assert [one.problem for one in first] == [""] * 3
    for one in first:
        assert [file.suffix for file in one.files] == [".png", ".pdf"]
        assert all(file.stat().st_size > 5000 for file in one.files)
        record = json.loads((tmp_path / "tiny" / f"{one.name}.json").read_text())
        assert record["command"] == f"cem-jax figures {one.name} --preset tiny"
    for name in names:
        monkeypatch.setattr(figures.find(name), "compute", None)
    again = list(figures.make(names, tmp_path, "tiny", progress=False))
    drawn = list(figures.redraw(names, tmp_path, "tiny", colour_map="PuOr_r"))
    assert [one.expected for one in again] == [one.expected for one in first]
    assert [one.problem for one in drawn] == [""] * 3


def test_published_figures_are_drawn_from_the_maps_that_they_show(tiny, tmp_path, monkeypatch):
    published, out = tmp_path / "first" / "tiny", tmp_path / "second"
    for name in ("pool", "lam"):
        monkeypatch.setattr(figures.find(name), "NETWORKS", ("EDSR",))
    (pool, lam) = figures.make(("pool", "lam"), tmp_path / "first", "tiny", progress=False)
    for name in ("pool", "lam"):
        monkeypatch.setattr(figures.find(name), "compute", None)
    drawn = list(figures.draw_anew(("pool", "lam"), published, out, progress=False))
    assert [one.expected for one in drawn] == [pool.expected, lam.expected]
    for name in ("pool", "lam"):
        first, second = (folder / f"{name}.png" for folder in (published, out / "tiny"))
        assert first.read_bytes() == second.read_bytes()
        assert figures.Store(out / "tiny").read(name) == figures.Store(published).read(name)
    record = figures.Store(published).read("pool")
    record["results"]["networks"][0]["cells"][1]["psnr"] += 0.1
    figures.Store(published).write("pool", record)
    (other,) = figures.draw_anew(("pool",), published, out, progress=False)
    assert "holds other results" in other.problem
    (differs,) = figures.draw_anew(("pool",), published, tmp_path / "third", progress=False)
    assert "differs from the published numbers" in differs.problem
    assert not (tmp_path / "third" / "tiny" / "pool.json").exists()
    (missing,) = figures.draw_anew(("dn",), published, out, progress=False)
    assert "holds no results" in missing.problem


def test_points_of_sampling_hold_what_each_scene_adds_to_them(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(figures.find("sampling"), "NETWORKS", {"SR": ("SRCNN",)})
    (made,) = figures.make(("sampling",), tmp_path, "tiny", progress=False)
    assert made.problem == ""
    results = figures.Store(tmp_path / "tiny").read("sampling")["results"]
    points = [one for kind in results["tasks"]["SR"]["points"].values() for one in kind]
    assert len(points) > 5 and any(point["error"] > 0 for point in points)
    for point in points:
        rows = point["rows"]
        assert [row["scene"] for row in rows] == results["scenes"]
        summed = {key: sum(row[key] for row in rows) for key in rows[0] if key != "scene"}
        assert point["evaluations"] == round(summed["evaluations"] / len(rows))
        squared = summed["squared"] / summed["blocks"]
        assert point["error"] == pytest.approx(max(squared, 0) ** 0.5)
        assert point["wrong_sign"] == pytest.approx(100 * summed["wrong"] / summed["clear"])


def test_siblings_are_compared_region_by_region(tiny, tmp_path, monkeypatch):
    """With stand-ins: the same network on both sides of a comparison differs by nothing."""
    attention, tasks = figures.find("channel-attention"), figures.find("multi-task")
    monkeypatch.setattr(attention, "VARIANTS", {"SR": {"CA": "EDSR", "no CA": "EDSR"}})
    kinds = {kind: {"DR": "SRResNet_DR"} for kind in ("single", "mix")}
    monkeypatch.setattr(tasks, "FAMILIES", {"SRResNet": kinds})
    names = ("channel-attention", "multi-task")
    made = list(figures.make(names, tmp_path, "tiny", progress=False))
    assert [one.problem for one in made] == ["", ""]
    store = figures.Store(tmp_path / "tiny")
    first, second = (store.read(name)["results"] for name in names)
    found = [*findings.channel_attention(first), *findings.multi_task(second)]
    subjects = {line.subject for line in found}
    equal = "all 1 of DN and DR, single - mix"
    several = {"all 1, single - mix", equal, "SRResNet, DR, single - mix"}
    assert subjects == {"SR, CA - no CA", *several}
    assert all(line.found["mean"] == 0 and line.found["scenes"] == 2 for line in found)
    assert len(findings.sections(store)) == 1  # without denoising there is no verdict on attention


def test_shares_through_the_attention_are_those_of_mediated_maps(tiny, tmp_path, monkeypatch):
    mediation = figures.find("mediation")
    asked = {"SR": {"CA": ("RCAN", mediation.ATTENTION)}}
    monkeypatch.setattr(mediation, "MEDIATED", asked)
    monkeypatch.setattr(mediation, "SIDE", 3 * mediation.LARGE)
    (made,) = figures.make(["mediation"], tmp_path, "tiny", progress=False)
    assert made.problem == "" and "of the summed effect" in made.expected
    record = figures.Store(tmp_path / "tiny").read("mediation")
    rows = record["results"]["tasks"]["SR"]["CA"]["rows"]
    assert len(rows) == TINY.counted
    files = sorted((tmp_path / "tiny" / "maps").rglob("map.direct.npz"))
    found = [cem.MediatedMaps.load(file.parent) for file in files]
    assert sorted(row["indirect"] / row["total"] for row in rows) == pytest.approx(
        sorted(one.share().value for one in found)
    )
    assert all("attention" in name for name in found[0].through)
    for row in rows:
        assert row["total"] == pytest.approx(row["direct"] + row["indirect"])


def test_widths_and_depths_are_compared_in_scenes_of_their_own(tiny, tmp_path, monkeypatch):
    capacity = figures.find("capacity")
    corners = tuple(one for one in SERIES["FSRCNN"] if one.width != 8 and one.depth != 4)
    monkeypatch.setattr(capacity, "SERIES", {"FSRCNN": corners})
    (made,) = figures.make(["capacity"], tmp_path, "tiny", progress=False)
    assert made.problem == "" and "FSRCNN-4-2" in made.expected
    store = figures.Store(tmp_path / "tiny")
    results = store.read("capacity")["results"]
    networks = {one["network"]: one for one in results["series"]["FSRCNN"]}
    assert set(networks) == {"FSRCNN-4-2", "FSRCNN-4-8", "FSRCNN-16-2", "FSRCNN-16-8"}
    assert networks["FSRCNN-4-2"]["sees"] < networks["FSRCNN-4-8"]["sees"]
    assert networks["FSRCNN-16-8"]["sees"] == networks["FSRCNN-4-8"]["sees"]
    assert networks["FSRCNN-4-8"]["parameters"] < networks["FSRCNN-16-8"]["parameters"]
    found = capacity.numbers(results)["FSRCNN"]
    psnr = {name: np.array([row["psnr"] for row in one["rows"]]) for name, one in networks.items()}
    grown = [psnr[f"FSRCNN-{width}-8"] - psnr[f"FSRCNN-{width}-2"] for width in (4, 16)]
    assert found["depth_psnr"]["mean"] == pytest.approx(np.mean(grown))
    assert found["depth_psnr"]["scenes"] == TINY.counted
    again = figures.check(tmp_path / "tiny", names=["capacity"], seconds=0)
    assert all(one.agrees and not one.problem for one in again)


@pytest.mark.parametrize("member", [one for members in SERIES.values() for one in members])
def test_the_networks_of_a_series_are_what_their_names_and_records_say(member):
    network, record = of_series(member).load(), member.record
    assert network.scale == record["scale"] == 4
    assert record["config"] == member.config and record["name"] == member.name
    assert record["sha256"] == hashlib.sha256(member.weights.read_bytes()).hexdigest()
    alike = [
        {key: one.record[key] for key in ALIKE} for one in (member, SERIES[member.architecture][0])
    ]
    assert alike[0] == alike[1]
    side = figures.PRESETS["compact"].side // network.scale
    assert 2 * network.receptive_radius + 1 <= side  # it sees no more than there is


def test_a_network_trained_anew_under_its_name_has_maps_of_its_own(tiny, tmp_path):
    bundled = find("SRCNN", "bundled", None)
    file = tmp_path / "SRCNN.safetensors"
    save_file(
        {k: 0.9 * v for k, v in load_file(cem.models.bundled_weights(bundled.name)).items()}, file
    )
    store = figures.Store(tmp_path / "tiny")
    study = Study(TINY, store, Clock(store.times), None, pytest.fail, progress=False)
    (place,) = study.shown("SR")
    first, anew = (study.map(s, "SR", place) for s in (bundled, Subject(bundled.name, file)))
    assert store.map(first).baseline != store.map(anew).baseline
    assert study.map(bundled, "SR", place) == first


def test_results_of_another_version_are_named(tiny, tmp_path):
    record = {"figure": "sampling", "results": {"scenes": ["cabin"]}, "missing": [], "seconds": 1}
    figures.Store(tmp_path / "tiny").write("sampling", record)
    (drawn,) = figures.redraw(("sampling",), tmp_path, "tiny")
    assert "sampling.json: written by another version, without 'tasks'" in drawn.problem


def test_a_figure_that_cannot_be_made_does_not_stop_the_others(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.import_module(f"{figures.__name__}.pool"), "NETWORKS", ("HAT",))
    told = []
    pool, graph = figures.make(("pool", "graph"), tmp_path, "tiny", tell=told.append)
    assert "none of HAT" in pool.problem and graph.problem == ""
    assert any("HAT" in line for line in told)
    (missing,) = figures.redraw(("dn",), tmp_path, "tiny")
    assert "no results" in missing.problem


def test_bad_requests_are_refused_before_any_work(tmp_path):
    for arguments in (
        {"wanted": ("nothing",)}, {"wanted": ("dn",), "preset": "huge"},
        {"wanted": ("dn",), "weights": tmp_path / "none"},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"nothing|huge|none"):
            list(figures.make(**{"out": tmp_path, **arguments}))
    assert not list(tmp_path.iterdir())


def test_the_command_lists_figures_and_makes_them(tmp_path, capsys, monkeypatch):
    out = ("--out", str(tmp_path))
    assert not status(monkeypatch, "figures")
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(figures.NAMES)
    assert not status(monkeypatch, "figures", "graph", *out)
    assert (tmp_path / "quick" / "graph.pdf").exists()
    assert status(monkeypatch, "figures", "nothing", *out) == 2
    assert "figure 'nothing'" in capsys.readouterr().err
    assert status(monkeypatch, "figures", "dn", "--redraw", *out) == 2
    assert "no results" in capsys.readouterr().err


def test_a_figures_time_counts_maps_of_earlier_runs(tiny, tmp_path):
    (first,) = figures.make(("pool",), tmp_path, "tiny", progress=False)
    (tmp_path / "tiny" / "pool.json").unlink()
    times = list((tmp_path / "tiny" / "seconds").rglob("*.txt"))
    assert len(times) == 6  # three networks by two pools
    for time in times:
        time.write_text("100.0\n")
    (again,) = figures.make(("pool",), tmp_path, "tiny", progress=False)
    assert again.expected == first.expected
    assert 600 < again.seconds < 600 + first.seconds


def test_what_was_found_beside_a_map_is_not_computed_again(tiny, tmp_path, monkeypatch):
    name = "more-information"
    monkeypatch.setattr(figures.find(name), "NETWORKS", ("SRCNN",))
    (first,) = figures.make((name,), tmp_path, "tiny", progress=False)
    (tmp_path / "tiny" / f"{name}.json").unlink()
    for part in ("masked", "curves"):
        monkeypatch.setattr(figures.find(name), part, lambda *_: pytest.fail("computed again"))
    (again,) = figures.make((name,), tmp_path, "tiny", progress=False)
    assert first.problem == again.problem == "" and again.expected == first.expected
    assert again.seconds > first.seconds / 2  # what it had taken counts


def test_the_clock_keeps_the_time_of_an_interrupted_map(tmp_path):
    with pytest.raises(KeyboardInterrupt), Clock(tmp_path).making("a/b"):
        raise KeyboardInterrupt
    (tmp_path / "a" / "b.txt").write_text("50.0\n")
    clock = Clock(tmp_path)
    for _ in range(2):
        with clock.making("a/b"):
            pass
    assert 50 < clock.seconds < 60


@pytest.mark.long
def test_all_figures_are_made_quickly(tmp_path):
    made = list(figures.make(figures.NAMES, tmp_path, "quick", progress=False))
    assert [one.problem for one in made] == [""] * len(figures.NAMES)
