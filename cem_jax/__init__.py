"""Causal Effect Maps: which parts of an image help a restoration network, which harm, in dB."""

from cem_jax import models as models
from cem_jax.devices import use_all_cores as use_all_cores
from cem_jax.effect import causal_effect_map as causal_effect_map
from cem_jax.effect import outcomes as outcomes
from cem_jax.effect_map import EffectMap as EffectMap
from cem_jax.examples import example_image as example_image
from cem_jax.examples import example_names as example_names
from cem_jax.grid import ROI as ROI
from cem_jax.network import Network as Network
from cem_jax.network import from_torch as from_torch
from cem_jax.network import load as load
from cem_jax.network import wrap as wrap
from cem_jax.outcome import psnr as psnr
from cem_jax.plan import CoarseToFine as CoarseToFine
from cem_jax.plan import Fixed as Fixed
from cem_jax.plan import Plan as Plan
from cem_jax.plot import plot as plot
from cem_jax.plot import plot_input as plot_input
from cem_jax.plot import plot_range as plot_range
from cem_jax.plot import plot_shares as plot_shares
from cem_jax.plot import plot_teaser as plot_teaser
from cem_jax.pool import PatchPool as PatchPool
from cem_jax.scene import Scene as Scene
from cem_jax.summary import input_psnr as input_psnr
from cem_jax.summary import markdown_table as markdown_table
from cem_jax.summary import summarise as summarise
