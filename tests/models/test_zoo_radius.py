"""The stated receptive radius is where the gradient of an output pixel ends."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from flax import nnx

import cem_jax as cem
from cem_jax import cone
from cem_jax.models import registry


def positive(params):
    """Weights without signs, and means in place of sums.

    No activation is dead or saturated then, and no two ways from a pixel to another cancel.
    """

    def averaging(leaf):
        size = jnp.abs(leaf)
        return size / size.sum((0, 1, 2)).reshape(1, 1, 1, -1) if leaf.ndim == 4 else size

    return jax.tree.map(averaging, params)


@functools.partial(jax.jit, static_argnums=0)
def touched(apply, params, x, y):
    """Rows of the image with a gradient of the output pixel (y, y)."""
    # Scaled up, since the outermost gradients are too small for float32.
    slope = jax.grad(lambda x: 1e30 * apply(params, x)[0, y, y].sum())(x)
    return jnp.abs(slope[0]).sum((1, 2)) > 0


def reached(network: cem.Network) -> int:
    """Input pixels from an output pixel's own to the farthest with a gradient, over one period."""
    radius, scale = network.receptive_radius, network.scale
    period = network.anchor or zoo.config(network).get("cell") or 1
    assert radius is not None
    begin = -(-(radius + 4) // period) * period
    side = begin + -(-(period + radius + 4) // period) * period
    x, params = (
        np.full((1, side, side, zoo.channels(network.name)), 0.44, np.float32),
        positive(network.params),
    )
    farthest = 0
    for y in range(scale * begin, scale * (begin + period)):
        rows = np.flatnonzero(touched(network.apply, params, x, y))
        farthest = max(farthest, y // scale - rows.min(), rows.max() - y // scale)
    return farthest


EXACT = {
    "SRCNN": {}, "FSRCNN": {}, "LapSRN": {}, "ESPCN": {"width": 8}, "EDSR": {"width": 8},
    "SRResNet": {"num_feat": 8}, "DnCNN": {"nc": 8}, "IRCNN": {"nc": 8}, "FFDNet": {"nc": 8},
    "RCAN_no_ca": {"num_feat": 8, "num_group": 2, "num_block": 2}, "MSRN": {"num_blocks": 2},
    "DDBPN": {"base_filter": 6, "feat": 12, "num_stages": 2},
    "RRDBNet": {"num_feat": 8, "num_block": 1, "num_grow_ch": 4},
    "SRDenseNet": {"growth_rate": 4, "num_layers": 2, "num_blocks": 2},
    "SRDenseNet17": {"growth_rate": 4, "num_layers": 2, "num_blocks": 2},
    "PAN": {"nf": 8, "unf": 6, "nb": 2}, "DRUNet": {"nc": (4, 6, 8, 8), "nb": 1},
    "ADNet": {"width": 8}, "CARN-M": {"width": 8}, "CARN-M_x3": {"width": 8},
    "SPAN": {"feature_channels": 8, "num_blocks": 2}, "DnCNN3": {"nc": 8},
    "SwinIR_DN": {"embed_dim": 12, "depths": (2,), "num_heads": (2,)},
}  # fmt: skip
"""Arguments that leave the radius as published, or make a deep network shallow."""


def network(name: str, config) -> cem.Network:
    config = {**registry.find(name).config, **config}
    return cem.from_torch(name, zoo.state_dict(name, config))


@pytest.mark.parametrize("name", [*EXACT, pytest.param("PReNet", marks=pytest.mark.long)])
def test_the_receptive_radius_is_where_the_gradient_ends(name):
    found = network(name, EXACT.get(name, {}))
    assert reached(found) == found.receptive_radius


def test_no_gradient_reaches_beyond_the_radius_of_pooled_attention():
    """A bound: that a pixel moves the attention of its cell is too little for float32 to show."""
    found = network("RCAN_pooling4", {"num_feat": 16, "num_group": 1, "num_block": 2})
    assert found.receptive_radius is not None
    assert 0 < reached(found) <= found.receptive_radius


HIDDEN = ("RCAN_pooling", "RCAN_DN_pooling")
"""Cells: what is stated is a bound for images whose size is no multiple of a cell's."""
LOCAL = [name for name in cem.models.names() if not registry.find(name).global_operations]
SEEN = [name for name in LOCAL if not name.startswith(HIDDEN)]


def seen(name: str, config) -> tuple[int | None, int | None]:
    """The radius that the program shows, and the stated one."""
    entry = registry.find(name)
    stated = entry.architecture.receptive_radius(**config)
    period = max(entry.size_multiple, entry.anchor or 1)
    side = -(-(2 * stated + 2) // period) * period
    graph, shapes = registry.abstract(entry.architecture, config)

    def apply(params, x):
        return nnx.merge(graph, params)(x)

    return cone.receptive_radius(apply, (1, side, side, zoo.channels(name)), shapes), stated


@pytest.mark.parametrize("name", SEEN)
def test_the_program_shows_the_stated_radius(name):
    found, stated = seen(name, zoo.small(name))
    assert found is not None and stated is not None
    # What is seen may be too large by the overlap of output taps and never too small.
    assert stated <= found <= stated + (name == "SRDenseNet17")


@pytest.mark.long
@pytest.mark.parametrize("name", SEEN)
def test_the_program_shows_the_stated_radius_as_published(name):
    found, stated = seen(name, registry.find(name).config)
    assert found is not None and stated is not None
    assert stated <= found <= stated + (name == "SRDenseNet17")
