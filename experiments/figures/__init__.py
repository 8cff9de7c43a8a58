"""The figures of the paper: each is computed into a folder, and drawn from there.

    cem-jax figures NAME... [--preset quick|compact|full] [--weights DIR] [--out DIR]
    cem-jax figures --check [NAME...] [--weights DIR] [--seed N] [--minutes M]

A figure is a module with `compute(study) -> results`, `draw(store, results, colour_map) -> Figure`
and `expected(results) -> str`; its docstring says what the paper claims, and how to make it.
"""

from cem_jax.experiments.figures.preset import PRESETS as PRESETS
from cem_jax.experiments.figures.preset import Preset as Preset
from cem_jax.experiments.figures.repeat import Repeated as Repeated
from cem_jax.experiments.figures.repeat import check as check
from cem_jax.experiments.figures.repeat import summary as summary
from cem_jax.experiments.figures.run import NAMES as NAMES
from cem_jax.experiments.figures.run import Made as Made
from cem_jax.experiments.figures.run import claim as claim
from cem_jax.experiments.figures.run import find as find
from cem_jax.experiments.figures.run import make as make
from cem_jax.experiments.figures.run import redraw as redraw
from cem_jax.experiments.figures.store import Store as Store
