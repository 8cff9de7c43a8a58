"""The stated receptive radius is where the gradient of an output pixel ends."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo

import cem_jax as cem
from cem_jax.models import registry

LOCAL = [n for n in cem.models.names() if cem.models.describe(n).receptive_radius is not None]


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
    period = network.anchor or dict(network.apply.config).get("cell") or 1
    assert radius is not None
    begin = -(-(radius + 4) // period) * period
    side = begin + -(-(period + radius + 4) // period) * period
    x, params = np.full((1, side, side, 3), 0.44, np.float32), positive(network.params)
    farthest = 0
    for y in range(scale * begin, scale * (begin + period)):
        rows = np.flatnonzero(touched(network.apply, params, x, y))
        farthest = max(farthest, y // scale - rows.min(), rows.max() - y // scale)
    return farthest


EXACT = {
    "SRCNN": {}, "FSRCNN": {}, "LapSRN": {}, "ESPCN": {"width": 8}, "EDSR": {"width": 8},
    "SRResNet": {"num_feat": 8}, "DnCNN": {"nc": 8}, "IRCNN": {"nc": 8}, "FFDNet": {"nc": 8},
    "PReNet": {}, "RCAN_no_ca": {"num_feat": 8, "num_group": 2, "num_block": 2},
    "MSRN": {"num_blocks": 2}, "DDBPN": {"base_filter": 6, "feat": 12, "num_stages": 2},
    "RRDBNet": {"num_feat": 8, "num_block": 1, "num_grow_ch": 4},
    "SRDenseNet": {"growth_rate": 4, "num_layers": 2, "num_blocks": 2},
    "SRDenseNet17": {"growth_rate": 4, "num_layers": 2, "num_blocks": 2},
}  # fmt: skip
"""Arguments that leave the radius as published, or make a deep network shallow."""
BOUND = {
    "PAN": {"nf": 8, "unf": 6, "nb": 2},
    "DRUNet": {"nc": (4, 6, 8, 8), "nb": 1},
    "RCAN_pooling4": {"num_feat": 16, "num_group": 1, "num_block": 2},
    "SwinIR": {"embed_dim": 12, "depths": (2,), "num_heads": (2,)},
    "SwinIR_DN": {"embed_dim": 12, "depths": (2,), "num_heads": (2,)},
}


def small(name: str, config) -> cem.Network:
    config = {**registry.find(name).config, **config}
    return cem.from_torch(name, zoo.state_dict(name, config))


@pytest.mark.parametrize("name", EXACT)
def test_the_receptive_radius_is_where_the_gradient_ends(name):
    network = small(name, EXACT[name])
    assert reached(network) == network.receptive_radius


@pytest.mark.parametrize("name", BOUND)
def test_no_gradient_reaches_beyond_the_receptive_radius(name):
    network = small(name, BOUND[name])
    assert 0 < reached(network) <= network.receptive_radius
