"""The stated receptive radius is where the gradient of an output pixel ends."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo

import cem_jax as cem
from cem_jax import cone
from cem_jax.models import registry

LOCAL = [n for n in cem.models.names() if cem.models.describe(n).receptive_radius is not None]


def positive(network: cem.Network):
    """Parameters without signs: no activation is dead, and no two ways to a pixel cancel."""
    return jax.tree.map(jnp.abs, network.params)


def reached(network: cem.Network, params) -> int:
    """Input pixels from an output pixel's own to the farthest with a gradient, over one period."""
    radius, scale, period = network.receptive_radius, network.scale, network.anchor or 1
    assert radius is not None
    begin = -(-(radius + 4) // period) * period
    side = begin + period + radius + 4
    x = jnp.full((1, side, side, 3), 0.5)

    @jax.jit
    def touched(y):
        slope = jax.grad(lambda x: network.apply(params, x)[0, y, y].sum())(x)
        return jnp.abs(slope[0]).sum((1, 2)) > 0

    farthest = 0
    for y in range(scale * begin, scale * (begin + period)):
        rows = np.flatnonzero(touched(y))
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


@pytest.mark.parametrize("name", EXACT)
def test_the_receptive_radius_is_where_the_gradient_ends(name):
    config = {**registry.find(name).config, **EXACT[name]}
    network = cem.from_torch(name, zoo.state_dict(name, config))
    assert reached(network, positive(network)) == network.receptive_radius
