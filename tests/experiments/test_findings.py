"""The findings follow from results, and the pages from what is published."""

from pathlib import Path

import numpy as np
import pytest

from cem_jax.experiments import figures, findings, publish, verdicts
from cem_jax.experiments.figures import statistics


def rows(scenes=12, **numbers):
    """Of one region in each scene; a number is (its mean, its spread over scenes)."""
    swing = np.resize((-1.0, 1.0), scenes)
    return [
        {
            "scene": f"{i}",
            **{name: mean + spread * swing[i] for name, (mean, spread) in numbers.items()},
        }
        for i in range(scenes)
    ]


def variant(psnr, involved, reach):
    return {"rows": rows(psnr=(psnr, 0.0), involved=(involved, 0.01), reach=(reach, 0.01))}


def test_findings_follow_the_results(tmp_path):
    tasks = {
        "SR": {"CA": variant(30.2, 40, 21), "no CA": variant(30, 30, 20)},
        "DN": {"CA": variant(28.05, 10, 8), "no CA": variant(28, 10, 7)},
    }
    store = figures.Store(tmp_path)
    record = {"preset": "compact", "results": {"tasks": tasks}}
    store.write("channel-attention", record)
    page = "x\n<!-- channel_attention -->\nold\n<!-- end of channel_attention -->\ny\n"
    text = findings.with_marked(page, findings.sections(store))
    assert "old" not in text and text.startswith("x\n") and text.endswith("y\n")
    lines = [line for line in text.splitlines() if "SR, CA - no CA" in line]
    assert ["supported" in line for line in lines] == [True, True, False]
    assert "refuted" in lines[2]  # 1 pixel of reach is less than half a block
    # Reach grows as much in denoising as in SR here, and neither more nor less is no verdict.
    assert "Verdict at this scale: undecided, preliminary" in text
    assert "could hardly fail" in text
    tasks["SR"]["CA"] = variant(30.2, 40, 31)
    store.write("channel-attention", record)
    found = findings.headlines(store)["findings"]
    assert found.startswith(
        "- *Channel attention brings little in denoising*: **supported, preliminary**. "
    )
    tasks["DN"]["CA"] = variant(28.2, 10, 8)
    store.write("channel-attention", record)
    assert "**refuted, preliminary**" in findings.headlines(store)["findings"]
    store.write("channel-attention", {**record, "preset": "quick"})
    assert findings.headlines(store) == findings.sections(store) == {}


def mediated(sr: float, dn: float) -> dict:
    """Results of the figure `mediation`: shares of the summed effect, that swing over scenes."""

    def network(share: float) -> dict:
        found = rows(total=(2.0, 0.5), indirect=(2 * share, 0.1))
        for row in found:
            row |= {"total_power": 1.0, "indirect_power": share**2}
        return {"network": "net", "rows": found}

    return {"tasks": {"SR": {"CA": network(sr)}, "DN": {"CA": network(dn)}}}


@pytest.mark.parametrize(
    ("sr", "dn", "verdicts"),
    [
        (0.5, 0.0, ["supported"] * 3),
        (0.5, 0.3, ["supported", "refuted", "supported"]),
        (0.0, 0.3, ["refuted", "refuted", "refuted"]),
        (0.1, 0.1, ["undecided"] * 3),
    ],
)
def test_a_mediation_is_judged_by_its_shares(sr, dn, verdicts):
    lines = list(findings.mediation(mediated(sr, dn)))
    keys = [line for line in lines if line.key]
    assert [line.verdict for line in keys] == verdicts
    assert keys[0].found["mean"] == pytest.approx(100 * sr)
    assert keys[1].found["mean"] == pytest.approx(100 - 100 * dn)
    assert keys[2].found["mean"] == pytest.approx(100 * (sr - dn))
    squares = [line for line in lines if "squared" in line.claim]
    assert [line.found["mean"] for line in squares] == pytest.approx(
        [100 * sr**2, 100 - 100 * dn**2]
    )


def test_a_findings_verdict_rests_on_its_mediation_too(tmp_path):
    tasks = {
        "SR": {"CA": variant(30.2, 40, 31), "no CA": variant(30, 30, 20)},
        "DN": {"CA": variant(28.05, 10, 8), "no CA": variant(28, 10, 7)},
    }
    store = figures.Store(tmp_path)
    store.write("channel-attention", {"preset": "compact", "results": {"tasks": tasks}})
    assert "**supported, preliminary**" in findings.headlines(store)["findings"]
    for preset, verdict in (("quick", "supported"), ("compact", "refuted")):
        store.write("mediation", {"preset": preset, "results": mediated(0.0, 0.3)})
        assert f"**{verdict}, preliminary**" in findings.headlines(store)["findings"]


def test_intervals_of_shares_take_the_scene_as_the_unit():
    random = np.random.default_rng(0)
    inside, truth, trials, scenes = 0, 0.3, 400, 14
    for _ in range(trials):
        whole = 2 + 0.5 * random.normal(size=scenes)
        part = truth * whole + 0.2 * random.normal(size=scenes)
        parts, wholes = (
            {f"{i}": [value / 3, 2 * value / 3] for i, value in enumerate(values)}
            for values in (part, whole)
        )
        found = statistics.share(parts, wholes)
        assert found["mean"] == pytest.approx(part.sum() / whole.sum())
        inside += found["low"] <= truth <= found["high"]
    assert 0.92 < inside / trials < 0.98
    same = statistics.share_difference((parts, wholes), (parts, wholes))
    assert same["mean"] == same["low"] == same["high"] == 0
    one = {"only": [1.0]}
    assert statistics.share(one, {"only": [4.0]}) == {
        "mean": 0.25, "low": None, "high": None, "scenes": 1,
    }  # fmt: skip


def test_what_masking_gains_is_judged_over_all_networks():
    def network(name, radius, gain, harm):
        numbers = {"psnr": (28 + gain, 0.1), "involved": (harm + 9, 0.0), "negative": (harm, 0.0)}
        numbers |= {"harmful_again": (70, 5.0), "gain": (gain, 0.01), "reliability": (0.8, 0.1)}
        found = rows(**numbers)
        for row in found:
            row["masked"] = {"single_gain": 0.1}
            lost, kept = [30, 29, 28, 26, 22, 15], [15, 20, 22, 27, 29, 30]
            row["curves"] = {
                "deletion": {"effect": lost, "nearness": lost, "random": [*lost[:3], 28, 25, 15]},
                "insertion": {"effect": kept, "nearness": kept, "random": [*kept[:3], 26, 28, 30]},
            }
        return {"network": name, "receptive_radius": radius, "rows": found}

    three = [network("a", 5, 0.5, 3), network("b", None, 0.1, 9), network("c", 9, -0.3, 6)]
    lines = list(findings.more_information({"networks": three}))
    verdicts = {(line.claim.split(" (")[0], line.subject): line.verdict for line in lines}
    assert verdicts["blocks chosen as harmful harm again", "all 3"] == "supported"
    assert verdicts["PSNR rises when they are all replaced", "all 3"] == "supported"
    assert verdicts["PSNR rises when they are all replaced", "c"] == "refuted"
    assert verdicts["the farther it sees, the more blocks harm", "all 3"] == "supported"
    assert verdicts["the higher its PSNR, the more blocks harm", "all 3"] == "refuted"
    assert findings.judgement(lines) == "supported"
    means = {line.claim: line.found["mean"] for line in lines if "tenth" in line.claim}
    assert list(means.values()) == [0, 0, 28 - 26, 27 - 26]
    (reliable,) = (line for line in lines if "reliability" in line.claim)
    assert reliable.verdict == "supported" and reliable.found["mean"] == pytest.approx(0.8)


def test_several_tasks_are_judged_over_all_and_told_for_equal_architectures_too():
    def one(involved, span):
        numbers = {"involved": (involved, 0.5), "high": (span, 0.1), "low": (-span, 0.1)}
        return {"rows": rows(**numbers, strength=(0.1, 0.0), reach=(9, 0.0), psnr=(28, 0.0))}

    family = {
        "SR": {"single": one(40, 2.0), "mix": one(20, 1.0)},
        "DN": {"single": one(10, 0.5), "mix": one(8, 0.6)},
    }
    lines = list(findings.multi_task({"families": {"net": family, "alone": {}}}))
    found = {(line.claim, line.subject): line for line in lines}
    both = found["fewer blocks take part", "all 2, single - mix"]
    assert both.key and both.found["mean"] == pytest.approx((20 + 2) / 2)
    equal = found["smaller range", "all 1 of DN and DR, single - mix"]
    assert equal.beside and not equal.key and equal.verdict == "refuted"
    assert findings.judgement(lines) == "supported"
    told, beside = findings.sentence(lines).split(". Beside it: ")
    assert "DN and DR" not in told and "refuted" not in told
    assert "(all 1 of DN and DR, single - mix): -0.20" in beside and "refuted" in beside


DOCS = Path(__file__).parents[2] / "docs"


def test_pages_and_docstrings_say_what_the_published_results_say():
    records = publish.published(DOCS)
    page = (DOCS / "paper-figures.md").read_text()
    assert page == publish.with_list(page, records)
    page = (DOCS / "findings.md").read_text()
    store = figures.Store(DOCS / "results")
    expected = findings.sections(store) | findings.headlines(store, "")
    expected |= verdicts.sections(store)
    assert page == findings.with_marked(page, expected) and "(#1-more-information" in page
    page = (DOCS / "artifact.md").read_text()
    assert page == findings.with_marked(page, publish.artifact(records)) and "| 0.005 dB" in page
    page = (DOCS.parent / "README.md").read_text()
    assert page == findings.with_marked(page, findings.headlines(store))
    for record in records:
        source = Path(figures.find(record["figure"]).__file__).read_text()
        assert source == publish.with_numbers(source, record)
        assert (DOCS / "figures" / f"{record['figure']}.png").is_file()


def test_a_docstring_says_once_where_its_numbers_are():
    record = {"figure": "graph", "preset": "quick", "seconds": 1.2, "results": {}}
    record["devices"] = "2 cpu"
    source = '"""A graph.\n\nClaim: none.\n\n    cem-jax figures graph\n"""\n\nx = """\n"""\n'
    once = publish.with_numbers(source, record)
    assert publish.with_numbers(once, {**record, "seconds": 9.0}) == once.replace(
        "1 s on", "9 s on"
    )
    assert once.count("Numbers: docs/results/graph.json (preset quick, 1 s on 2 cpu).") == 1
    assert once.endswith('x = """\n"""\n')
