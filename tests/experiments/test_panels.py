"""Galleries show the part of a scene that matters, on one scale and with a frame in the input."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest
from report_maps import made_map

import cem_jax as cem
from cem_jax.experiments.figures.panels import gallery, part_that_matters

ROI = cem.ROI(64, 72, 16, 16)
IMAGE = np.full((240, 320, 3), 128, np.uint8)


def near(reach, seed=0, roi=ROI):
    return made_map(image=IMAGE, reach=reach, seed=seed, roi=roi)


@pytest.fixture
def axes():
    """Draws a gallery of one row, and gives its axes whose content is an image of the scene."""

    def drawn(*maps):
        figure = gallery([("scene", [(f"net {k}", one) for k, one in enumerate(maps)])], "RdBu_r")
        return figure, [ax for ax in figure.axes if ax.images and "dB" in ax.get_title()]

    yield drawn
    plt.close("all")


def shown(ax):
    """Left, right, top and lower end of what axes show, in output pixels."""
    return tuple(np.add((*ax.get_xlim(), *ax.get_ylim()[::-1]), 0.5))


@pytest.mark.parametrize("roi", [ROI, cem.ROI(0, 0, 16, 16), cem.ROI(224, 304, 16, 16)])
def test_the_part_holds_all_effects_and_has_the_images_proportions(roi):
    maps = [near(3.0, 1, roi), near(6.0, 2, roi)]
    part = part_that_matters(maps)
    assert part.height / part.width == pytest.approx(240 / 320, abs=0.01)
    assert part.y >= 0 and part.x >= 0
    assert part.y + part.height <= 240 and part.x + part.width <= 320
    held = np.zeros((240, 320), bool)
    held[part.y : part.y + part.height, part.x : part.x + part.width] = True
    for one in maps:
        effects = np.nan_to_num(np.abs(one.effect)) >= one.tolerance
        blocks = np.kron(effects | one.inside_roi, np.ones((8, 8), bool))
        assert blocks.any() and held[blocks].all()
        # A block around: whatever touches an effect is seen as well.
        assert held[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width].all()


def test_of_large_and_small_blocks_the_small_ones_say_how_much_is_around():
    small = near(2.0)
    blocks = np.flatnonzero((np.nan_to_num(np.abs(small.effect)) >= small.tolerance).any(axis=1))
    part = part_that_matters([small])
    assert part.y <= 8 * blocks[0] - 8 and part.y + part.height >= 8 * blocks[-1] + 16
    quarter = dataclasses.replace(small, block=4)  # the same effects in the upper left quarter
    assert part_that_matters([quarter, small]).y < part.y


def test_where_effects_are_everywhere_the_whole_image_is_shown():
    assert part_that_matters([near(3.0), near(40.0)]) is None


def test_all_maps_of_a_row_show_its_part_and_the_input_frames_it(axes):
    maps = [near(3.0, 1), near(5.0, 2)]
    part = part_that_matters(maps)
    figure, found = axes(*maps)
    assert len(found) == 2
    for ax in found:
        assert shown(ax) == (part.x, part.x + part.width, part.y, part.y + part.height)
    (legend,) = figure.legends
    assert "part that the maps show" in [text.get_text() for text in legend.get_texts()]
    frames = [
        patch
        for ax in figure.axes
        if "input" in ax.get_title()
        for patch in ax.patches
        if patch.get_width() == part.width
    ]
    assert {(one.get_x(), one.get_y()) for one in frames} == {(part.x - 0.5, part.y - 0.5)}


def test_a_row_that_is_shown_whole_has_no_frame(axes):
    figure, found = axes(near(40.0))
    assert shown(found[0]) == (0, 320, 0, 240)
    (legend,) = figure.legends
    assert "part that the maps show" not in [text.get_text() for text in legend.get_texts()]
