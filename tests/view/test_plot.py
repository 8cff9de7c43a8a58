"""Maps as matplotlib axes: they compose, follow rcParams, and say their unit."""

import dataclasses
import json
import re
from importlib import resources

import matplotlib
import numpy as np
import pytest

import cem_jax as cem
from cem_jax.view.colours import STOPS, colours

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def found() -> cem.EffectMap:
    """A map of 4 x 6 blocks with the region in its middle and effects from -0.1 to 0.2 dB."""
    inside = np.zeros((4, 6), bool)
    inside[1:3, 2:4] = True
    effect = np.linspace(-0.1, 0.2, 24).reshape(4, 6)
    effect[inside] = np.nan
    return cem.EffectMap(
        effect=effect, standard_error=np.full((4, 6), 0.01), samples=np.full((4, 6), 3),
        undecided=np.zeros((4, 6), bool), inside_roi=inside,
        values=np.zeros((4, 6, 3), np.float32), baseline=27.0, tolerance=0.01,
        roi=cem.ROI(8, 16, 16, 16), block=8, scale=1, task="DN",
        degraded=np.full((32, 48, 3), 128, np.uint8), provenance={"network": "small"},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def closed():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_a_map_alone_has_a_scale_with_its_unit(found):
    ax = cem.plot(found)
    assert {"effect (dB)", "\u22120.20", "+0.20", "27.00 dB on the region"} <= set(texts(ax.figure))
    assert ax.images[0].get_array().shape == (32, 48, 3)
    assert ax.images[1].get_array().shape == (4, 6, 4)
    other = dataclasses.replace(found, outcome="ssim", unit="")
    assert {"effect (ssim)", "ssim 27 on the region"} <= set(texts(cem.plot(other).figure))


def test_the_limits_of_the_paper_hold_for_decibels_only(found):
    strong = dataclasses.replace(found, effect=10 * found.effect)
    assert "\u2265 +1.00" in texts(cem.plot(strong).figure)
    other = dataclasses.replace(strong, outcome="ssim", unit="")
    assert "+2.00" in texts(cem.plot(other).figure)


def test_the_scale_has_the_colours_of_the_map(found):
    bar = cem.plot_colour_bar(found, cem.plot(found, _axes()), limit=0.2)
    painted = bar._colorbar.mappable  # pyright: ignore
    effects = np.array([-0.2, -0.05, 0.0, 0.1, 0.2])
    np.testing.assert_allclose(painted.to_rgba(effects)[:, :3], colours(effects, 0.2), atol=0.01)


def test_axes_of_a_figure_are_drawn_into_and_returned(found):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4)
    draw = (cem.plot_input, cem.plot, cem.plot_shares, cem.plot_range)
    for one, ax in zip(draw, axes, strict=True):
        assert one(found, ax) is ax
    assert len(figure.axes) == 4
    cem.plot_colour_bar(found, axes)
    assert len(figure.axes) == 5


def test_text_follows_rcparams(found):
    with matplotlib.rc_context({"font.size": 5}):
        small = [text.get_fontsize() for text in cem.plot_teaser([found]).texts]
    with matplotlib.rc_context({"font.size": 15}):
        large = [text.get_fontsize() for text in cem.plot_teaser([found]).texts]
    np.testing.assert_allclose(large, [3 * size for size in small])


def _axes():
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


PARTS = (cem.plot, cem.plot_shares, cem.plot_range)


@pytest.mark.parametrize("name", ["PuOr_r", "RdBu_r", "coolwarm"])
def test_map_scale_range_and_shares_have_the_same_colours(found, name):
    ends = matplotlib.colormaps[name](np.array([0.0, 0.5, 1.0]))[:, :3]
    bar = cem.plot_colour_bar(found, cem.plot(found, _axes(), colour_map=name), None, name)
    painted = bar._colorbar.mappable.to_rgba(np.array([-0.2, 0.0, 0.2]))  # pyright: ignore
    np.testing.assert_allclose(painted[:, :3], ends, atol=0.01)
    np.testing.assert_allclose(colours(np.array([-0.2, 0, 0.2]), 0.2, name), ends, atol=0.01)
    helps, harms = np.array([[0.2]]), np.array([[-0.2]])
    for effect, colour in ((helps, ends[2]), (harms, ends[0])):
        one = dataclasses.replace(found, effect=np.where(found.inside_roi, np.nan, effect))
        shown = np.asarray(cem.plot(one, _axes(), colour_map=name).images[1].get_array())
        np.testing.assert_allclose(shown[0, 0], [*colour, 0.85], atol=0.01)
        bar = np.asarray(cem.plot_range(one, _axes(), colour_map=name).images[0].get_array())
        np.testing.assert_allclose(bar[0, -1], colour, atol=0.01)
    for look in ("clear", "paper"):
        drawn = cem.plot_shares(found, _axes(), name, look=look).patches
        effects = np.linspace(0.02, 0.2, 400)
        for part, side in zip(drawn, (effects, -effects, np.zeros(1)), strict=True):
            assert np.abs(colours(side, 0.2, name) - part.get_facecolor()[:3]).max(1).min() < 0.01


def test_the_look_of_the_paper_has_the_colours_of_the_paper(found):
    pie = [wedge.get_facecolor() for wedge in cem.plot_shares(found, _axes(), look="paper").patches]
    np.testing.assert_array_equal(
        pie, matplotlib.colors.to_rgba_array(["#d7191c", "#2c4bb7", "white"])
    )
    shown = np.asarray(cem.plot(found, _axes(), look="paper").images[1].get_array())
    effect = np.nan_to_num(found.thresholded)
    expected = colours(effect, 0.2, "seismic")
    np.testing.assert_allclose(shown[~found.inside_roi, :3], expected[~found.inside_roi])


def test_shares_are_bars_with_numbers_unless_a_pie_is_asked_for(found):
    ax = cem.plot_shares(found, _axes())
    counts = found.counts
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == [
        f"{counts.positive} help",
        f"{counts.negative} harm",
        f"{counts.zero} neither",
    ]
    widths = [bar.get_width() for bar in ax.patches]
    order = [counts.positive, counts.negative, counts.zero]
    np.testing.assert_allclose(widths, np.divide(order, sum(order)))


def test_a_figure_says_what_its_colours_mean(found):
    for look in ("clear", "paper"):
        shown = texts(cem.plot_teaser([found, found], look=look))
        assert "region" in shown and "smaller than 0.01 dB, or out of reach" in shown
        assert {"helps" if look == "clear" else "helps the region", "effect (dB)"} <= set(shown)


@pytest.mark.parametrize("name", ["PuOrr", "", 3, ["seismic"]])
def test_unknown_colours_are_named_and_nothing_is_drawn(found, name):
    import matplotlib.pyplot as plt

    message = r"colour_map=.*diverging.*PuOr_r"
    for draw in (*PARTS, lambda m, colour_map: cem.plot_teaser([m], colour_map)):
        with pytest.raises(ValueError, match=message):
            draw(found, colour_map=name)
    assert not plt.get_fignums()
    with pytest.raises(ValueError, match=message):
        cem.plot_colour_bar(found, cem.plot(found, _axes()), colour_map=name)


BLIND = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
                   (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
                     (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
                   (0.004733, 0.691367, 0.303900)),
}  # fmt: skip
"""What is seen of linear RGB: Machado et al., IEEE TVCG 15 (2009), severity 1."""
XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750),
       (0.0193339, 0.1191920, 0.9503041))  # fmt: skip


def seen(rgb: np.ndarray, sight: str) -> np.ndarray:
    """CIELAB of what the colour-blind see of sRGB."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(BLIND[sight]), 0, 1)
    xyz = linear @ np.transpose(XYZ) / (0.95047, 1, 1.08883)
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def test_the_colours_are_those_of_the_report():
    script = (resources.files("cem_jax.view.report") / "colour.js").read_text()
    stops = re.search(r"STOPS = \[(.*?),\s*\];", script, re.S)
    assert stops and json.loads(f"[{stops[1]}]") == [list(stop) for stop in STOPS]


def test_help_and_harm_stay_apart_for_the_colour_blind():
    """At every fifth of the scale; 2.3 is just noticeable, red-green maps come below 15."""
    strength = np.arange(0.2, 1.1, 0.2)
    apart = {
        (name, sight): np.linalg.norm(
            seen(colours(strength, 1, name), sight) - seen(colours(-strength, 1, name), sight),
            axis=1,
        ).min()
        for name in ("PuOr_r", "seismic", "RdYlGn", None)
        for sight in BLIND
    }
    for sight in BLIND:
        assert apart[None, sight] > 14
        assert apart["PuOr_r", sight] > 20
        assert apart["seismic", sight] > 20
    assert min(apart["RdYlGn", sight] for sight in BLIND) < 15
