"""A sweep made ready before its region is known: for those who choose a network first."""

from typing import Unpack

import numpy as np

from cem_jax.effects.effect import Options
from cem_jax.effects.request import Request
from cem_jax.grid import ROI
from cem_jax.network.network import Network
from cem_jax.outcome import psnr
from cem_jax.scene.scene import Scene


def make_ready(network: Network, scene: Scene, roi: ROI, **options: Unpack[Options]) -> None:
    """Traces, compiles and runs once what the sweep of a region runs; nothing is kept of it.

    Regions of the same size find most of that done.

    Args:
        network: the network.
        scene: clean image, input, and the task's do().
        roi: a region like those to come.
        **options: as of `causal_effect_map`.

    Raises:
        ValueError: arguments that do not fit.
    """
    request = Request.make(network, scene, (roi,), (psnr,), **options)
    request.configuration((roi,))
    layout = request.layout((roi,))
    sweep = request.sweep(layout)
    cells = np.flatnonzero(layout.reach & ~request.inside(roi))[:1]
    first = cells if len(cells) else np.zeros(1, np.int64)
    asked = request.interventions(sweep, first, np.zeros_like(first))
    sweep.baseline(asked)
    if len(cells):
        list(sweep.evaluate(asked))
