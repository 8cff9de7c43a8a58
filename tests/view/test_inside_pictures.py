"""Pictures of the inside of networks: every text within the canvas, whatever is shown."""

import dataclasses
import itertools

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import cem_jax as cem
from cem_jax.inside.dose import Curve, Dose

matplotlib.use("Agg")

LONG = "body.0.residual_group.12.rcab.3.attention_{}.$x_1$"


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def layers_of(count: int, name: str) -> cem.Layers:
    blocks = np.array([[0, 0], [3, 4], [1, 1]])
    passes = np.linspace(-0.2, 0.4, 3 * count).reshape(count, 3)
    return cem.Layers(
        tuple(name.format(k) for k in range(count)), blocks, np.array([0.0, 300.0, 9.0]),
        np.array([0.1, 0.5, 0.2]), passes, np.full_like(passes, 0.1), passes.mean(axis=1),
        np.full(count, 0.05), 4, np.ones(count + 1), "dB", {},
    )  # fmt: skip


def pairs_of(count: int) -> cem.Interactions:
    blocks = np.stack([np.arange(count) + 480, np.arange(count) + 270], axis=1)
    effect = np.random.default_rng(0).normal(size=(count, count))
    return cem.Interactions(
        blocks, blocks, effect, np.full_like(effect, 0.3), np.ones(2 * count), np.ones(2 * count),
        4, 30.0, "dB", {},
    )  # fmt: skip


def drawn_dose() -> cem.Dose:
    x = np.linspace(0, 1, 6)
    return Dose((), {"turn": Curve(x, x - 0.5, x - 1, x, np.full(6, 9))}, "u" * 20, 3, 54)


PICTURES = {
    **{
        f"{count} layers of names like {name}": lambda count=count, name=name: cem.plot_layers(
            layers_of(count, name)
        )
        for count in (1, 16) for name in ("m{}", LONG)
    },
    **{
        f"{count} layers by {len(edges) - 1} distances": lambda count=count, edges=edges: (
            cem.plot_layers_by_distance(layers_of(count, LONG), edges)
        )
        for count in (1, 16) for edges in ([0, 8], [0, 8, 16, 32, 64, 1280, 2560, 5120])
    },
    **{
        f"{count} blocks": lambda count=count: cem.plot_interactions(pairs_of(count))
        for count in (1, 6, 40)
    },
    "a dose": lambda: cem.plot_dose(drawn_dose(), "turn"),
}  # fmt: skip


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("size", [10.0, 14.0])
def test_a_plain_savefig_shows_all_texts(picture, size):
    with matplotlib.rc_context({"font.size": size}):
        ax = PICTURES[picture]()
        figure = ax.figure
        figure.canvas.draw()
        taken, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert taken.x0 >= 0 and taken.y0 >= 0 and taken.x1 <= width and taken.y1 <= height
        for axis in (ax.xaxis, ax.yaxis):
            boxes = [one.get_window_extent() for one in axis.get_ticklabels() if one.get_text()]
            for one, other in itertools.pairwise(boxes):
                assert not one.shrunk(0.9, 0.9).overlaps(other.shrunk(0.9, 0.9))
        assert ax.get_window_extent().width > 0.5 * figure.dpi  # the picture is not squeezed away


def test_a_dose_without_curves_is_refused():
    with pytest.raises(ValueError, match="found: no curves"):
        cem.plot_dose(dataclasses.replace(drawn_dose(), curves={}), "turn")
