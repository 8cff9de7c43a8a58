"""Claims written down beforehand, intervals over two units, corrected verdicts, the check."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from recorded import played_map, recorded_pool, whole_map
from scipy.stats import ttest_1samp

import cem_jax as cem
from cem_jax.experiments import figures, official_psnr, publish, registered, verdicts
from cem_jax.experiments.figures import (
    checkpoints,
    correction,
    crossed,
    official,
    repeat,
    statistics,
)
from cem_jax.experiments.figures.keys import Asked
from cem_jax.experiments.figures.preset import PRESETS
from cem_jax.experiments.figures.study import _slug

DOCS = Path(__file__).parents[2] / "docs"


# Claims


def test_the_page_says_what_was_written_down():
    page = (DOCS / "claims.md").read_text()
    assert page == registered.with_claims(page)
    for family in registered.families().values():
        assert any(line.role == "claim" for line in family.lines)
        assert len({line.number for line in family.lines}) == len(family.lines)


def row(scene, rank, network, **numbers):
    known = {"psnr": 25 + network, "reach": 10.0 + network, "negative": 5.0 + network}
    again = {"harmful_again": 80.0 + scene, "chosen_again": 60.0, "single_gain": 0.1 + scene / 100}
    gains = {"gain": -0.5 + network / 100, "lost_together": 2.0 + scene / 10}
    return {
        "scene": str(scene), "rank": rank, **known, **again, **gains, "summed": (rank - 1) + 0.01 *
        network + 0.02 * scene, "harmful_share": 50.0 - 10 * rank + scene, **numbers,
    }  # fmt: skip


def results(count=10, official=True, scenes=5):
    networks = [
        {"network": f"n{k}", "rows": [row(s, r, k) for s in range(scenes) for r in range(3)]}
        for k in range(count)
    ]
    return {"official": official, "scenes": scenes, "networks": networks}


def stored(folder, **changes):
    store = figures.Store(folder)
    for name in ("official", "texture"):
        record = {"figure": name, "preset": "compact", "results": results(), **changes}
        store.write(name, record)
    return store


def test_claims_are_judged_by_the_numbers_of_their_figures(tmp_path):
    told = verdicts.sections(stored(tmp_path))
    assert set(told) == {"official", "texture"}
    families = registered.families()
    found = figures.find("official").numbers(results())
    by_number = dict(
        zip(
            (line.number for line in families["official"].lines),
            verdicts.judge(verdicts.paired(families["official"], found)), strict=True,
        )
    )  # fmt: skip
    expected = {"harmful_again": "supported", "single_gain": "supported", "gain": "refuted",
                "lost_together": "supported", "psnr_and_harm": "supported"}  # fmt: skip
    assert expected.items() <= by_number.items()
    found = figures.find("texture").numbers(results())
    assert [found[name]["mean"] for name in ("plain", "structured")] == pytest.approx(
        [1.085, 0.915]  # of ranks 2 and 0, with the sign turned in the latter
    )
    assert found["difference"]["mean"] == pytest.approx(2.0)
    assert found["harmful_share"]["mean"] == pytest.approx(20.0)


@pytest.mark.parametrize(
    "changes",
    [{"preset": "quick"}, {"results": results(official=False)}, {"results": results(count=9)}],
)
def test_looks_stand_ins_and_few_networks_carry_no_verdict(tmp_path, changes):
    assert verdicts.sections(stored(tmp_path, **changes)) == {}


def member(width, depth, scenes=6):
    """A network of a series whose numbers grow with its size, and swing over scenes."""
    rows = [
        {"scene": str(s), "psnr": 25 + s + 0.3 * depth + 0.01 * width + 0.01 * (s % 3),
         "reach": None if s == 0 and width == 4 else 10 + depth + 0.1 * width + 0.1 * (s % 2)}
        for s in range(scenes)
    ]  # fmt: skip
    return {"network": f"net-{width}-{depth}", "width": width, "depth": depth, "rows": rows}


def test_a_series_is_judged_by_its_largest_and_smallest_and_corrected_with_the_other(tmp_path):
    networks = [member(width, depth) for width in (4, 8, 16) for depth in (2, 4, 8)]
    found = {"series": {"EDSR": networks, "FSRCNN": networks}, "scenes": 6}
    means = {k: one["mean"] for k, one in figures.find("capacity").numbers(found)["EDSR"].items()}
    assert means == pytest.approx(
        {"depth_psnr": 1.8, "width_psnr": 0.12, "depth_reach": 6.0, "width_reach": -1.2}
    )
    store = figures.Store(tmp_path)
    store.write("capacity", {"preset": "compact", "results": found})
    (told,) = verdicts.sections(store).values()
    assert told.count("| EDSR ") == told.count("| FSRCNN ") == 4 and told.count("supported |") == 8
    family = registered.families()["capacity"]
    nothing = {"mean": 0.1, "low": -1.0, "high": 1.2, "scenes": 6}
    barely = {"mean": 1.0, "low": 0.2, "high": 1.8, "scenes": 6}
    one = dict.fromkeys([line.number for line in family.lines], nothing)
    alone = verdicts.paired(family, one | {"depth_psnr": barely})
    assert statistics.verdict(barely, 0.1) == "supported"
    assert verdicts.judge(alone * 2)[0] == "undecided"


# Both units


def test_the_interval_over_both_units_is_that_of_an_analysis_of_variance():
    random = np.random.default_rng(0)
    scenes, networks = 7, 5
    table = random.normal(size=(networks, 1)) + random.normal(size=scenes) + 3
    table = table + 0.1 * random.normal(size=(networks, scenes))
    found = crossed.over_both(
        {str(n): {str(s): [table[n, s]] for s in range(scenes)} for n in range(networks)}
    )
    assert found["mean"] == pytest.approx(table.mean())
    per_network = networks / (networks - 1) * ((table.mean(1) - table.mean()) ** 2).sum()
    per_scene = scenes / (scenes - 1) * ((table.mean(0) - table.mean()) ** 2).sum()
    cells = table.size
    rest = ((table - table.mean()) ** 2).sum() * cells / (cells - 1) / cells**2
    expected = per_network / networks**2 + per_scene / scenes**2 - rest
    assert found["error"] ** 2 == pytest.approx(expected)
    assert (found["scenes"], found["networks"], found["degrees"]) == (scenes, networks, 4)


def test_an_interval_over_both_units_holds_the_mean_as_often_as_it_says():
    random, held = np.random.default_rng(1), 0
    for _ in range(300):
        table = random.normal(size=(6, 1)) + random.normal(size=10) + random.normal(size=(6, 10))
        values = {str(n): {str(s): [v] for s, v in enumerate(line)} for n, line in enumerate(table)}
        found = crossed.over_both(values)
        held += found["low"] <= 0 <= found["high"]
    assert held / 300 > 0.93


def test_what_is_missing_is_left_out_and_one_unit_has_no_interval():
    values = {"a": {"x": [1.0, 3.0], "y": [np.nan]}, "b": {"x": [4.0], "y": [6.0]}}
    found = crossed.over_both(values)
    assert found["mean"] == pytest.approx((2 + 4 + 6) / 3) and found["low"] is not None
    assert crossed.over_both({"a": values["a"]})["low"] is None
    assert crossed.over_both({})["mean"] is None


# Choices


def test_blocks_are_chosen_again_where_both_halves_of_the_draws_call_them_harmful():
    change = np.zeros((5, 1000))
    found = played_map(cem.Fixed(4), change, recorded_pool(), 0)
    assert official.chosen_again(found) is None
    gains = np.array([[-1, -1, -1, -1], [-1, -1, 1, 1], [1, 1, -1, -1], [0, 0, -1, -1], [1] * 4])
    other = dataclasses.replace(found, values=-gains[None].astype(np.float32))
    assert official.chosen_again(other) == pytest.approx(100 / 4)
    barely = np.where(gains < 0, -0.02, 0.02)
    other = dataclasses.replace(found, values=-barely[None].astype(np.float32), tolerance=0.05)
    assert official.chosen_again(other) is None


def test_many_draws_choose_mostly_the_same_blocks_again():
    """On recorded outcomes; four draws choose others, and the presets that publish take many."""
    for task in ("SR", "DR"):  # of the recorded blocks of DN none harms
        change, pool = whole_map(task), recorded_pool()
        few, many, most = (
            np.mean([official.chosen_again(played_map(cem.Fixed(draws), change, pool, seed))
                     for seed in range(6)])
            for draws in (4, 16, 64)
        )  # fmt: skip
        assert few + 15 < many < most and many > 55 and most > 70
    assert [PRESETS[name].chosen_draws for name in ("compact", "full")] == [16, 64]


def test_the_page_of_findings_names_what_weakens_them():
    page = " ".join((DOCS / "findings.md").read_text().split())
    for words in (
        "every verdict is preliminary", "Four or eight draws decide whether a block harms",
        "They do not take into account that other networks do", "after quick results of two scenes",
        "one of the claims could hardly fail", "The errors of the halves are independent",
    ):  # fmt: skip
        assert words in page, words
    readme = (DOCS.parent / "README.md").read_text()
    verdicts_ = re.findall(r"\*\*(supported|refuted|undecided)([^*]*)\*\*", readme)
    assert len(verdicts_) == 3 and {rest for _, rest in verdicts_} == {", preliminary"}


# Corrections


def test_p_values_are_those_of_a_t_test():
    values = [1.0, 2.5, 4.0, 3.0]
    found = statistics.over_scenes({str(n): [value] for n, value in enumerate(values)})
    assert correction.p_value(found, 0.5) == pytest.approx(ttest_1samp(values, 0.5).pvalue)
    assert correction.p_value({**found, "low": None}, 0.5) is None


def test_holm_corrects_step_by_step():
    assert correction.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert correction.holm([0.04, None]) == [pytest.approx(0.08), None]


def test_a_claim_among_many_is_undecided_though_its_interval_leaves_the_bound_out():
    alone = {"mean": 1.0, "low": 0.05, "high": 1.95, "scenes": 14}
    nothing = {"mean": 0.0, "low": -1.0, "high": 1.0, "scenes": 14}
    assert statistics.verdict(alone, 0.0) == "supported"
    assert correction.verdicts([(alone, 0.0)]) == ["supported"]
    assert correction.verdicts([(alone, 0.0), *[(nothing, 0.0)] * 4])[0] == "undecided"
    below = {"mean": -1.0, "low": -1.1, "high": -0.9, "scenes": 14}
    assert correction.verdicts([(below, 0.0), (nothing, 0.0)]) == ["refuted", "undecided"]


# Checkpoints


def test_a_file_of_several_networks_is_that_of_the_scenes_factor():
    assert next(checkpoints._by_file_name("carn_m.pth")) == "CARN-M"
    assert not list(checkpoints._by_file_name("mine.pth"))


def test_the_official_networks_of_a_folder_appear_by_themselves(tmp_path, monkeypatch):
    names = {"a.pth": "BSRN", "b.pt": "BSRN_x2", "c.pth": "SPAN", "d.pth": "PReNet",
             "e.pth": "PReNet", "f.safetensors": "LapSRN", "g.pth": None}  # fmt: skip
    for file in (*names, "notes.txt"):
        (tmp_path / file).write_text(file)
    asked, told = [], []

    def recognised(path):
        asked.append(path.name)
        name = names[path.name]
        return name, "" if name else "it fits no network of the zoo"

    monkeypatch.setattr(checkpoints, "_recognised", recognised)
    monkeypatch.setattr(checkpoints, "channels", lambda one: 1 if one.name == "LapSRN" else 3)
    store = figures.Store(tmp_path / "store")
    found = checkpoints.official("SR", tmp_path, store, told.append)
    assert [one.label for one in found] == ["SPAN", "BSRN", "LapSRN"]  # by reach; grey ones last
    assert told == ["g.pth: it fits no network of the zoo"]
    rain = checkpoints.official("DR", tmp_path, store)
    assert [one.label for one in rain] == ["PReNet d", "PReNet e"]
    assert sorted(asked) == sorted(names)  # each once, though asked for two tasks


# Repeated numbers


@pytest.mark.parametrize("name", PRESETS)
def test_the_check_reads_every_plan_off_a_key(name):
    preset = PRESETS[name]
    for plan in (preset.plan, figures_plan(preset.draws), figures_plan(preset.chosen_draws)):
        key = f"EDSR-0/SR/cabin-64/block8-default-{_slug(plan)}/y8-x16-8x8"
        assert Asked.of(key).plan == plan


def figures_plan(draws):
    return cem.Fixed(draws, tolerance=0.01)


def test_published_numbers_of_single_maps_are_found():
    found = list(
        repeat.published({"rows": [{"maps": [{"map": "a/b", "psnr": 1.0}]}, {"map": "c"}]})
    )
    assert [one["map"] for one in found] == ["a/b"]
    same = repeat.Repeated("sr", "k", {"psnr": 0.001, "positive": -1.0})
    other = repeat.Repeated("sr", "k", {"psnr": 0.1})
    assert same.agrees and not other.agrees
    text = repeat.summary([same, other, repeat.Repeated("sr", "k", problem="no")])
    assert "2 maps made again, 1 not" in text and "psnr: 2 numbers agree within 0.1" in text


def test_every_published_number_has_its_tolerance():
    for record in publish.published(DOCS):
        told = publish.tolerances(record)
        assert bool(told) == bool(list(repeat.published(record["results"])))


# Published PSNRs


def test_the_table_of_official_networks_says_what_was_measured():
    record = json.loads((DOCS / "results" / official_psnr.RECORD).read_text())
    page = (DOCS / "official-networks.md").read_text()
    assert page == official_psnr.with_table(page, record)


def test_psnr_and_luma_are_those_of_the_field():
    grey = np.full((2, 2, 3), 1.0)
    np.testing.assert_allclose(official_psnr.luma(grey), 235 / 255, atol=1e-3)
    np.testing.assert_allclose(official_psnr.luma(0 * grey), 16 / 255)
    assert official_psnr.psnr(grey, grey - 0.1) == pytest.approx(20.0)
