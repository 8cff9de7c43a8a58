"""One step of training, and the state that it takes on."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

_EMA = 0.999


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """All that a checkpoint holds: weights, their moving average, optimiser, steps done."""

    params: Any
    average: Any
    optimizer: Any
    step: jax.Array


Update = Callable[[TrainState, jax.Array, jax.Array], tuple[TrainState, jax.Array]]


def make_update(
    restore: Callable[[Any, jax.Array], jax.Array], optimizer: optax.GradientTransformation
) -> Update:
    """The step of training: (state, degraded, clean) -> (state, loss).

    Args:
        restore: the network, from weights and images.
        optimizer: of the weights.
    """

    def update(state: TrainState, degraded: jax.Array, clean: jax.Array):
        def loss_of(params: Any) -> jax.Array:
            return jnp.mean(jnp.abs(restore(params, degraded) - clean))

        loss, gradient = jax.value_and_grad(loss_of)(state.params)
        with jax.numpy_dtype_promotion("standard"):  # optax mixes counts with numbers
            updates, opt = optimizer.update(gradient, state.optimizer, state.params)
            params = optax.apply_updates(state.params, updates)
        weight = jnp.minimum(_EMA, (1 + state.step) / (10 + state.step))
        average = jax.tree.map(lambda a, p: weight * a + (1 - weight) * p, state.average, params)
        return TrainState(params, average, opt, state.step + 1), loss

    return jax.jit(update, donate_argnums=0)
