"""Muon for kernels, Adam for vectors, with a trapezoidal learning rate."""

import jax
import optax

_DECAY_SHARE = 0.4
_WARMUP = 200


def decay_start(steps: int) -> int:
    """The step after which the learning rate falls, of a run of so many steps."""
    return steps - int(steps * _DECAY_SHARE)


def make_optimizer(learning_rate: float, steps: int) -> optax.GradientTransformation:
    """The optimiser of a run.

    The rate rises for 200 steps, stays, and falls linearly to zero over the last 40 % of the steps.
    Until then the run does not depend on its length, so that a longer one can go on from there.

    Args:
        learning_rate: of the constant phase.
        steps: length of the run.
    """
    start = decay_start(steps)
    schedule = optax.join_schedules(
        [
            optax.linear_schedule(0.0, learning_rate, _WARMUP),
            optax.constant_schedule(learning_rate),
            optax.linear_schedule(learning_rate, 0.0, steps - start),
        ],
        [_WARMUP, start],
    )
    kernel = optax.contrib.MuonDimensionNumbers(reduction_axis=(0, 1, 2), output_axis=3)
    return optax.contrib.muon(
        schedule,
        consistent_rms=0.2,
        muon_weight_dimension_numbers=lambda params: jax.tree.map(
            lambda p: kernel if p.ndim == 4 else None, params
        ),
    )
