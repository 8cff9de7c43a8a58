"""The figures of the paper: their statistics, and that they are made, kept and drawn again."""

import dataclasses
import importlib
import json

import jax
import numpy as np
import pytest
from command_line import status
from safetensors.numpy import load_file, save_file

import cem_jax as cem
from cem_jax.experiments import figures, findings
from cem_jax.experiments.figures import masking, measures, scenes, statistics
from cem_jax.experiments.figures.clock import Clock
from cem_jax.experiments.figures.preset import PRESETS
from cem_jax.experiments.figures.replay import replay
from cem_jax.experiments.figures.sampling import choosing_plans, random_plans
from cem_jax.experiments.figures.study import Study
from cem_jax.experiments.figures.subjects import Missing, Subject, find

TINY = figures.Preset(
    "tiny", "bundled", side=64, large_side=64, shown=1, plan=cem.Fixed(2), counted_side=64,
    counted=2, regions=2, draws=2, compared_draws=2, joint_draws=2, recorded=4, most=3,
)  # fmt: skip
ROI = cem.ROI(24, 24, 8, 8)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(figures.PRESETS, "tiny", TINY)


def blurred(seed=0, side=64):
    """A scene, and a network in which far pixels of the same row matter."""
    clean = np.random.default_rng(seed).random((side, side, 3)).astype(np.float32)
    network = cem.wrap(lambda x: x - 0.2 * (x.mean(axis=2, keepdims=True) - 0.5), name="rows")
    return network, cem.Scene.denoising(clean, 10 / 255)


# Statistics


def test_the_interval_over_scenes_is_that_of_a_t_test():
    from scipy.stats import ttest_1samp

    values = {"a": [1.0, 3.0], "b": [2.5], "c": [4.0, np.nan], "d": [np.nan]}
    found = statistics.over_scenes(values)
    low, high = ttest_1samp([2.0, 2.5, 4.0], 0).confidence_interval(0.95)
    assert found["scenes"] == 3
    np.testing.assert_allclose([found[k] for k in ("mean", "low", "high")], [8.5 / 3, low, high])


def test_fewer_than_two_scenes_have_no_interval():
    nothing = {"mean": None, "low": None, "high": None, "scenes": 0}
    assert statistics.over_scenes({"a": [np.nan]}) == nothing
    one = {"mean": 2.0, "low": None, "high": None, "scenes": 1}
    assert statistics.over_scenes({"a": [1.0, 3.0], "b": []}) == one
    assert statistics.of_differences({"a": [2.0]}) == {**one, "effect_size": None}
    assert statistics.of_differences({"a": [2.0], "b": [2.0]})["effect_size"] is None


def test_pairs_are_compared_region_by_region():
    first = {"a": [1.0, 2.0], "b": [3.0, 5.0]}
    second = {"a": [0.0, 0.0], "b": [1.0, 2.0]}
    found = statistics.of_differences(statistics.between(first, second))
    assert found["mean"] == 2.0
    assert found["effect_size"] == pytest.approx(2.0 / np.std([1.5, 2.5], ddof=1))
    unknown = float("nan")
    partly = statistics.between({**first, "c": [unknown]}, {**second, "c": [1.0]})
    assert statistics.of_differences(partly) == found  # a scene without the number is no scene
    both = statistics.joined([first, {"a": [6.0], "b": [4.0]}])
    assert statistics.over_scenes(both)["mean"] == (3.0 + 4.0) / 2


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 0.5, "supported"), (-0.5, -0.1, "refuted"), (-0.1, 0.1, "undecided")],
)
def test_verdicts_follow_the_interval(low, high, expected):
    assert statistics.verdict({"low": low, "high": high, "mean": 0.0}, 0.0) == expected
    assert statistics.verdict({"low": None, "high": None, "mean": 1.0}, 0.0) == "undecided"


def test_intervals_hold_the_mean_as_often_as_they_say():
    random = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        found = statistics.over_scenes({str(n): [v] for n, v in enumerate(random.normal(size=8))})
        held += found["low"] <= 0 <= found["high"]
    assert 0.92 < held / 400 < 0.98


# Measures


def test_reach_is_the_distance_of_the_only_block_that_matters():
    network, scene = blurred()
    found = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(6), progress=False)
    row, column = 3, 7
    values = np.where(np.isfinite(found.values), found.baseline, found.values)
    values[row, column] = found.baseline - 1.0
    alone = dataclasses.replace(found, values=values)
    numbers = measures.measure(alone)
    assert numbers["reach"] == pytest.approx(60 - 32)  # columns 56 to 64, the region ends at 32
    assert numbers["reliability"] == pytest.approx(1.0)
    outside = (~found.inside_roi).sum()
    assert numbers["strength"] == pytest.approx(np.sqrt(1 / outside), rel=1e-5)


def test_noise_adds_nothing_to_strength():
    network, scene = blurred()
    found = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(2), progress=False)
    random = np.random.default_rng(0)
    squared = []
    for _ in range(200):
        noise = random.normal(size=found.values.shape)
        noisy = dataclasses.replace(found, values=np.asarray(found.baseline + noise, np.float32))
        first, second = (half[~found.inside_roi] for half in measures.halves(noisy))
        squared.append((first * second).mean())
    assert abs(np.mean(squared)) < 4 * np.std(squared) / np.sqrt(200)


def test_halves_average_to_the_effect():
    network, scene = blurred()
    found = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(4), progress=False)
    np.testing.assert_allclose(np.mean(measures.halves(found), axis=0), found.effect, atol=1e-5)


# Masking


def test_curves_begin_and_end_at_the_baseline():
    network, scene = blurred()
    found = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(2), progress=False)
    lines = masking.curves(network, scene, found, draws=2)
    for order in ("effect", "nearness", "random"):
        assert lines["deletion"][order][0] == pytest.approx(found.baseline, abs=1e-4)
        assert lines["insertion"][order][-1] == pytest.approx(found.baseline, abs=1e-4)
        assert lines["insertion"][order][0] == lines["deletion"]["effect"][-1]  # all replaced


def test_masking_the_harmful_blocks_helps_by_what_they_harm():
    """A network that adds the mean of the top row of blocks, of which the image's is bright."""
    network = cem.wrap(lambda x: x + 0.3 * x[:, :8].mean(axis=(1, 2), keepdims=True), name="top")
    clean = np.full((64, 64, 3), 0.5, np.float32)
    clean[:8] = 1.0
    scene = cem.Scene.denoising(clean, 1 / 255)
    found = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(4), progress=False)
    result = masking.masked(network, scene, found, draws=4)
    assert result["blocks"] == 8
    assert result["harmful_again"] == 100.0
    assert result["gain"] > 4 * result["single_gain"] > 0


def with_halves(effects):
    """A map of 8 x 8 blocks by four draws, with effects (first half, second half) at some."""
    network, scene = blurred()
    found = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(4), progress=False)
    values = np.full(found.values.shape, found.baseline, np.float32)
    for block, (first, second) in effects.items():
        values[block] -= np.array([first, first, second, second], np.float32)
    return network, scene, dataclasses.replace(found, values=values)


def test_blocks_are_chosen_by_the_first_half_and_judged_by_the_second():
    result = masking.masked(*with_halves({(0, 1): (-0.1, -0.2), (5, 6): (-0.1, 0.4)}), draws=1)
    assert result["blocks"] == 2
    assert result["harmful_again"] == 50.0
    assert result["single_gain"] == pytest.approx(-0.1, abs=1e-5)


def test_curves_are_ordered_by_the_first_half_alone(monkeypatch):
    """Of each image that is scored: which block was replaced, if it was one."""
    network, scene, found = with_halves({(0, 1): (1.0, -5.0), (5, 6): (0.5, 3.0)})

    def replaced_block(network, scene, roi, inputs):
        changed = np.stack([(one != scene.degraded).any(axis=2) for one in inputs])
        blocks = changed.reshape(-1, 8, 8, 8, 8).any(axis=(2, 4)).reshape(-1, 64)
        return np.where(blocks.sum(axis=1) == 1, blocks.argmax(axis=1), -1.0)

    monkeypatch.setattr(masking, "region_psnr", replaced_block)
    lines = masking.curves(network, scene, found, draws=1)
    assert masking.SHARES[1] == 0.01  # one of 63 blocks
    assert lines["deletion"]["effect"][1] == 1  # row 0, column 1


def test_replaced_blocks_hold_pool_patches_and_others_stay():
    clean = cem.example_image("cabin")[:64, :64]
    scene = cem.Scene.super_resolution(clean)
    blocks = np.zeros((8, 8), bool)
    blocks[[0, 7], [0, 3]] = True
    by = masking.replacement(scene, 2, cem.PatchPool.default(), jax.random.key(0))
    changed = masking.replaced(scene, blocks, 2, by)
    where = np.zeros(scene.degraded.shape[:2], bool)
    for y, x in ((0, 0), (14, 6)):
        where[y : y + 2, x : x + 2] = True
    np.testing.assert_array_equal(changed[~where], scene.degraded[~where])
    assert (changed[where] != scene.degraded[where]).any(axis=1).all()


# Replays


@pytest.mark.parametrize("plan", [cem.CoarseToFine(2, 3), cem.Fixed(4)])
def test_a_replayed_plan_finds_what_it_finds(plan):
    network, scene = blurred()
    recorded = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(6), progress=False)
    found = cem.causal_effect_map(network, scene, ROI, plan=plan, progress=False)
    effect, evaluations = replay(plan, recorded)
    assert evaluations == found.evaluations
    outside = ~found.inside_roi
    np.testing.assert_allclose(effect[outside], found.effect[outside], atol=2e-5)


def test_a_plan_that_needs_more_draws_is_refused():
    network, scene = blurred()
    recorded = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(2), progress=False)
    with pytest.raises(ValueError, match="only 2 random draws"):
        replay(cem.Fixed(3), recorded)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_records_what_its_plans_need(name):
    most = PRESETS[name].recorded // 2
    for plans in (*random_plans(most).values(), *choosing_plans(most).values()):
        assert plans


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
