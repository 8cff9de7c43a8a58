"""The sweep: a network over many interventions (see `sweep.py`)."""

from cem_jax.sweep.source import Work as Work
from cem_jax.sweep.sweep import Sweep as Sweep
