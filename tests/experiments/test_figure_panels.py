"""Figures of means: every panel has its intervals, and no text covers data or another text.

Drawn are the published results; boxes are those of the renderer.
"""

import copy
import itertools
import json
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from scipy.stats import t

from cem_jax.experiments import figures
from cem_jax.experiments.figures import intervals, sampling, statistics
from cem_jax.experiments.figures.panels import STYLE

RESULTS = Path(__file__).parents[2] / "docs" / "results"
NAMES = ("capacity", "mediation", "more-information", "sampling")
SCENES = {"one": (6.0, 3, 4), "two": (2.0, 0, 2), "three": (0.5, 1, 4)}
"""For points of sampling: sum of squared errors of two blocks, wrong and clear signs."""


def published(name: str) -> dict:
    return json.loads((RESULTS / f"{name}.json").read_text())["results"]


def with_scenes() -> dict:
    """The published results of sampling as if all points had had the same three scenes."""
    results = copy.deepcopy(published("sampling"))
    names = ("squared", "wrong", "clear")
    rows = [
        {"scene": scene, "evaluations": 1, "blocks": 2, **dict(zip(names, numbers, strict=True))}
        for scene, numbers in SCENES.items()
    ]
    for found in results["tasks"].values():
        for point in itertools.chain(*found["points"].values()):
            point |= {"rows": rows, "error": (8.5 / 6) ** 0.5, "wrong_sign": 40.0}
    return results


def drawn(name: str, results: dict) -> plt.Figure:
    with matplotlib.rc_context(STYLE):
        figure = figures.find(name).draw(None, results, "RdBu_r")
        figure.set_dpi(200)
        figure.draw_without_rendering()
    return figure


@pytest.fixture(scope="module", params=[*NAMES, "sampling with scenes"])
def figure(request):
    name, _, scenes = request.param.partition(" ")
    made = drawn(name, with_scenes() if scenes else published(name))
    yield made
    plt.close(made)


def texts(figure) -> dict[str, Bbox]:
    """The boxes of all words that are drawn; ticks out of view are not."""
    out_of_view = {
        id(label)
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    shown = [
        text for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in out_of_view
    ]  # fmt: skip
    return {f"{k} {one.get_text()!r}": one.get_window_extent() for k, one in enumerate(shown)}


def markers(figure) -> list[Bbox]:
    """The boxes of all markers of data."""
    found = []
    for line in itertools.chain(*(ax.lines for ax in figure.axes)):
        if line.get_marker() in ("None", "none", "", None):
            continue
        half = line.get_markersize() / 2 * figure.dpi / 72
        points = line.get_transform().transform(np.column_stack(line.get_data()))
        found += [Bbox([point - half, point + half]) for point in points]
    return found


def lines(ax) -> dict[str, list]:
    """The intervals of a panel, sorted: from, to; and where they stand."""
    kept = [line for line in ax.lines if line.get_gid() == intervals.INTERVAL]
    return [tuple(map(tuple, line.get_data())) for line in kept]


def panel(figure, title: str):
    (found,) = [ax for ax in figure.axes if ax.get_title() == title]
    return found


def upright(ax) -> list[tuple[float, float]]:
    return sorted(y for _, y in lines(ax))


def level(ax) -> list[tuple[float, float]]:
    return sorted(x for x, _ in lines(ax))


def interval(values: dict[str, list[float]]) -> tuple[float, float]:
    """By the textbook, of the means of scenes; what is not known is left out."""
    kept = [[v for v in each if v is not None] for each in values.values()]
    means = np.array([np.mean(each) for each in kept if each])
    half = t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / len(means) ** 0.5
    return means.mean() - half, means.mean() + half


def grouped(rows, value) -> dict[str, list[float]]:
    found = {}
    for row in rows:
        found.setdefault(row["scene"], []).append(value(row))
    return found


def pairs(expected) -> list:
    """Sorted, for comparison within rounding."""
    return [pytest.approx(one, abs=1e-9) for one in sorted(expected)]


# Words


def test_no_text_covers_another(figure):
    for (one, box), (other, beside) in itertools.combinations(texts(figure).items(), 2):
        assert not box.overlaps(beside), (one, other)


def test_no_text_covers_data(figure):
    boxes, points = texts(figure), markers(figure)
    assert len(points) > 50
    for name, box in boxes.items():
        assert not any(box.overlaps(point) for point in points), name
        for line in itertools.chain(*(ax.lines for ax in figure.axes)):
            path = line.get_transform().transform_path(line.get_path())
            assert not path.intersects_bbox(box, filled=False), (name, line)


def test_legend_and_note_stand_beside_all_panels_and_in_the_picture(figure):
    assert [ax.get_legend() for ax in figure.axes] == [None] * len(figure.axes)
    (legend,), (note,) = figure.legends, figure.texts
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    for around in (legend.get_window_extent(), note.get_window_extent()):
        assert not any(around.overlaps(box) for box in boxes)
    for name, box in texts(figure).items():
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, name
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, name


def test_no_marker_is_cut_off_by_its_panel(figure):
    for ax in figure.axes:
        low, high = ax.bbox.min, ax.bbox.max
        for line in ax.lines:
            if line.get_marker() not in ("None", "none", "", None) and line.get_clip_on():
                points = line.get_transform().transform(np.column_stack(line.get_data()))
                assert (low < points).all() and (points < high).all(), (ax.get_title(), line)


# Intervals


def test_capacity_shows_the_interval_of_every_network():
    results = published("capacity")
    made = drawn("capacity", results)
    titles = {"reach": "reach", "positive": "blocks that help", "negative": "blocks that harm"}
    for architecture, networks in results["series"].items():
        for number, title in titles.items():
            rows = [grouped(one["rows"], lambda row, n=number: row[n]) for one in networks]
            shown = upright(panel(made, f"{architecture}: {title}"))
            assert shown == pairs(interval(one) for one in rows)
        psnr = np.array([[row["psnr"] for row in one["rows"]] for one in networks])
        less = psnr - psnr.mean(axis=0)
        expected = [interval({str(k): [v] for k, v in enumerate(one)}) for one in less]
        assert upright(panel(made, f"{architecture}: PSNR")) == pairs(expected)
    plt.close(made)


def test_mediation_shows_intervals_at_every_distance():
    results = published("mediation")
    made = drawn("mediation", results)
    columns = len(results["tasks"])
    for column, found in enumerate(results["tasks"].values()):
        shares, *rows = made.axes[column * 4 : column * 4 + 4]
        expected = [figures.find("mediation").share(one["rows"]) for one in found.values()]
        assert upright(shares) == pairs((one["low"], one["high"]) for one in expected)
        for k, ax in enumerate(rows):
            expected = [
                interval(grouped(one["rows"], lambda row, n=name, k=k: row["by_distance"][n][k]))
                for one in found.values()
                for name in ("total", "indirect")
            ]
            assert upright(ax) == pairs(expected)
    assert columns == 2
    for one, other in zip(made.axes[:4], made.axes[4:], strict=True):  # compared panels, one axis
        assert one.get_ylim() == other.get_ylim()
    assert made.axes[2].get_ylim() == made.axes[3].get_ylim()
    plt.close(made)


def test_scenes_beyond_what_is_shown_are_arrows():
    results = published("mediation")
    made = drawn("mediation", results)
    module = figures.find("mediation")
    for column, found in enumerate(results["tasks"].values()):
        beyond = [
            row for one in found.values() for row in one["rows"]
            if not module.SHOWN[0] < 100 * row["indirect"] / row["total"] < module.SHOWN[1]
        ]  # fmt: skip
        arrows = [line for line in made.axes[4 * column].lines if line.get_marker() in "v^"]
        assert len(arrows) == len(beyond)
    assert beyond
    plt.close(made)


def test_a_mean_share_beyond_what_is_shown_is_an_arrow_with_its_number():
    results = copy.deepcopy(published("mediation"))
    for row in results["tasks"]["SR"]["IMDN"]["rows"]:
        row["indirect"] *= 20
    made = drawn("mediation", results)
    found = statistics.written(
        figures.find("mediation").share(results["tasks"]["SR"]["IMDN"]["rows"]), "%", 0
    )
    assert [text.get_text() for text in made.axes[0].texts] == [found]
    arrow = made.axes[0].transData.transform((2, figures.find("mediation").SHOWN[1]))
    box = made.axes[0].texts[0].get_window_extent()
    assert box.x0 < arrow[0] < box.x1 and box.y1 < arrow[1]
    plt.close(made)


def test_more_information_shows_the_interval_of_every_mean():
    results = published("more-information")
    networks = results["networks"]
    made = drawn("more-information", results)

    def known(*numbers):
        means = [network["means"][number] for network in networks for number in numbers]
        return [(max(one["low"], 0), min(one["high"], 100)) for one in means]

    take_part = ("involved", "positive", "negative")
    assert level(panel(made, "(a) blocks that take part")) == pairs(known(*take_part))
    psnr = np.array([[row["psnr"] for row in one["rows"]] for one in networks])
    scenes = [row["scene"] for row in networks[0]["rows"]]
    less = [
        interval(grouped([{"scene": s, "v": v} for s, v in zip(scenes, one, strict=True)],
                         lambda row: row["v"]))
        for one in psnr - psnr.mean(axis=0)
    ]  # fmt: skip
    assert level(panel(made, "(b) PSNR of the region")) == pairs(less)
    gain = [(one["means"]["gain"]["low"], one["means"]["gain"]["high"]) for one in networks]
    assert level(panel(made, "(c) all harmful replaced")) == pairs(gain)
    assert level(panel(made, "(d) chosen as harmful")) == pairs(known("harmful_again"))
    shares = upright(panel(made, "(e) shares against PSNR"))
    assert shares == pairs(known("positive", "negative"))
    best = max(networks, key=lambda one: one["means"]["psnr"]["mean"])
    for title, kind in (("(f) deletion", "deletion"), ("(g) insertion", "insertion")):
        expected = [
            interval(grouped(best["rows"], lambda row, o=order, k=k, kind=kind:
                             row["curves"][kind][o][k] - row["curves"][kind][o][0]))
            for order in ("effect", "nearness", "random")
            for k in range(6)
        ]  # fmt: skip
        assert upright(panel(made, f"{title}, {best['network']}")) == pairs(expected)
    plt.close(made)


def test_an_interval_past_what_can_be_ends_there_with_an_arrow():
    made = drawn("more-information", published("more-information"))
    ax = panel(made, "(d) chosen as harmful")
    arrows = {line.get_marker(): line.get_xdata()[0] for line in ax.lines
              if line.get_marker() in ("<", ">")}  # fmt: skip
    assert arrows == {"<": 0, ">": 100}
    assert "SRCNN (5)" in made.texts[0].get_text()  # so few scenes have such blocks
    plt.close(made)


def test_arrows_stand_only_where_an_interval_goes_past_a_bound():
    figure, ax = plt.subplots()
    found = {"mean": 4.0, "low": -1.0, "high": 9.0}
    for draw, arrows in ((intervals.upright, "v^"), (intervals.level, "<>")):
        for bounds, expected in (
            (intervals.ANYTHING, ""), ((-1, 9), ""), ((0, 9), arrows[0]), ((-1, 8), arrows[1]),
            ((0, 8), arrows),
        ):  # fmt: skip
            ax.clear()
            draw(ax, 2.0, found, "black", bounds)
            line, *rest = ax.lines
            assert "".join(one.get_marker() for one in rest) == expected
            at, values = line.get_data() if draw is intervals.upright else line.get_data()[::-1]
            assert tuple(at) == (2, 2)
            assert tuple(values) == (max(-1, bounds[0]), min(9, bounds[1]))
    ax.clear()
    intervals.upright(ax, 2.0, {**found, "low": None, "high": None}, "black", (0, 8))
    assert not ax.lines
    plt.close(figure)


def test_points_of_sampling_have_the_intervals_of_their_scenes():
    results = with_scenes()
    point = results["tasks"]["SR"]["points"]["Fixed"][0]
    squared = {scene: [one[0]] for scene, one in SCENES.items()}
    found = statistics.share(squared, {scene: [2.0] for scene in SCENES})
    assert found["low"] < 0  # so that the root has a floor
    expected = {"mean": (8.5 / 6) ** 0.5, "low": 0.0, "high": found["high"] ** 0.5}
    assert sampling.error(point) == pytest.approx(expected)
    wrong = {scene: [100.0 * one[1]] for scene, one in SCENES.items()}
    clear = {scene: [float(one[2])] for scene, one in SCENES.items()}
    found = statistics.share(wrong, clear)
    assert sampling.wrong_sign(point) == pytest.approx(found) and found["mean"] == 40
    made = drawn("sampling", results)
    points = sum(len(one) for one in results["tasks"]["SR"]["points"].values())
    errors, signs = made.axes[0], made.axes[3]
    assert [high for _, high in upright(errors)] == [pytest.approx(expected["high"])] * points
    assert len(lines(errors)) == len(lines(signs)) == points
    clipped = max(found["low"], 0), min(found["high"], 100)
    assert upright(signs) == [pytest.approx(clipped)] * points
    assert "95 % intervals of" in made.texts[0].get_text()
    plt.close(made)


def test_an_error_that_the_truths_own_hides_is_an_arrow_that_the_note_explains():
    results = copy.deepcopy(published("sampling"))
    for hidden in (0, 1):
        made = drawn("sampling", results)
        found = [one for one in panel(made, "DN, DnCNN").lines if one.get_fillstyle() == "none"]
        assert len(found) == hidden
        assert ("hides" in made.texts[0].get_text()) == bool(hidden)
        plt.close(made)
        point = results["tasks"]["DN"]["points"]["Stratified"][-1]
        point |= {"error": 0.0, "rows": [{**row, "squared": -1.0} for row in point["rows"]]}
