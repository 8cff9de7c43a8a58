"""Maps as matplotlib axes: they compose, follow rcParams, and say their unit."""

import dataclasses

import matplotlib
import numpy as np
import pytest

import cem_jax as cem
from cem_jax.plot import colours

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


def test_a_map_alone_has_a_scale_with_its_unit(found):
    figure = cem.plot(found).figure
    picture, scale = figure.axes
    assert scale.get_ylabel() == "effect (dB)"
    np.testing.assert_allclose(scale.get_ylim(), (-0.2, 0.2))
    assert picture.images[0].get_array().shape == (32, 48, 3)
    other = dataclasses.replace(found, outcome="ssim", unit="")
    assert cem.plot(other).figure.axes[1].get_ylabel() == "effect (ssim)"


def test_the_limits_of_the_paper_hold_for_decibels_only(found):
    strong = dataclasses.replace(found, effect=10 * found.effect)
    assert cem.plot(strong).figure.axes[1].get_ylim()[1] == 1.0
    other = dataclasses.replace(strong, outcome="ssim", unit="")
    np.testing.assert_allclose(cem.plot(other).figure.axes[1].get_ylim()[1], 2.0)


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
