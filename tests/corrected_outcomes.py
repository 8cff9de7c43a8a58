"""Recorded outcomes by two windows and on the whole image, and `Corrected` played on them."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import stdtrit

import cem_jax as cem

FILE = Path(__file__).parent / "fixtures" / "corrected_outcomes.npz"
"""Made by `python benchmarks/corrected.py --save FILE`."""


@dataclasses.dataclass(frozen=True, eq=False)
class Recorded:
    """Outcomes of the same draws in both ways, float [blocks, draws], and without any."""

    close: np.ndarray
    exact: np.ndarray
    baseline: float


def recorded() -> dict[str, Recorded]:
    """What is kept, by the names of the networks."""
    with np.load(FILE) as file:
        names = dict.fromkeys(key.partition("/")[0] for key in file)
        return {
            name: Recorded(
                *(file[f"{name}/{key}"].astype(np.float64) for key in ("close", "exact")),
                float(file[f"{name}/baseline"]),
            )
            for name in names
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Played:
    """Repeats of a map [repeats, blocks].

    Args:
        error: of the effects.
        variance: squared standard errors.
        covered: whether 95 % intervals hold the truth.
        made: share of the draws that was corrected, [repeats].
        own: squared standard errors of as many exact draws, [blocks].
        covered_exactly: how often t intervals of as many exact draws hold the truth.
    """

    error: np.ndarray
    variance: np.ndarray
    covered: np.ndarray
    made: np.ndarray
    own: np.ndarray
    covered_exactly: float

    @property
    def ratio(self) -> float:
        """Squared standard errors as they are stated, over those of exact draws."""
        return float(self.variance.mean() / self.own.mean())


def play(found: Recorded, draws: int, repeats: int, copies: int = 1) -> Played:
    """`Corrected(Fixed(draws))`, its draws taken anew, with replacement, from the recorded ones.

    Args:
        found: the outcomes.
        draws: of a block.
        repeats: how many maps.
        copies: how many blocks of a map each recorded block stands for.
    """
    quantile975 = float(stdtrit(draws - 1, 0.975))
    close, exact = (np.tile(part, (copies, 1)) for part in (found.close, found.exact))
    truth, rows = found.baseline - exact.mean(axis=1), []
    pool, active = cem.PatchPool.default(), np.ones(len(close), bool)
    for seed in range(repeats):
        random = np.random.default_rng(seed)
        which = random.integers(0, close.shape[1], (len(close), draws))
        parts = [np.take_along_axis(part, which, axis=1) for part in (close, exact)]
        known, values = np.concatenate(parts, axis=1), np.full((len(close), 2 * draws), np.nan)
        plan = cem.Corrected(cem.Fixed(draws), tolerance=0.01, seed=seed)
        while True:
            new = plan.wanted(values, found.baseline, active) & np.isnan(values)
            if not new.any():
                break
            values[new] = known[new]
        made = plan.estimate(values, found.baseline, pool)
        error, width = made.effect - truth, quantile975 * made.standard_error
        share = np.isfinite(values[:, draws:]).mean()
        alone = found.baseline - parts[1].mean(axis=1) - truth
        exactly = np.abs(alone) <= quantile975 * parts[1].std(axis=1, ddof=1) / np.sqrt(draws)
        rows.append((error, made.standard_error**2, np.abs(error) <= width, share, exactly.mean()))
    error, variance, covered, shares, exactly = zip(*rows, strict=True)
    return Played(
        np.stack(error), np.stack(variance), np.stack(covered), np.array(shares),
        exact.var(axis=1) / draws, float(np.mean(exactly)),
    )  # fmt: skip


KERNELS = [
    np.random.default_rng(n).normal(0, 0.3, (3, 3, *channels)).astype(np.float32)
    for n, channels in enumerate([(3, 8), (8, 8), (8, 3)])
]


def _conv(x: jax.Array, kernel: np.ndarray) -> jax.Array:
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)


def _swing(y: jax.Array, speed: float) -> jax.Array:
    """A number that turns over many times while a mean over the image moves a little."""
    return jnp.sin(speed * jnp.mean(jnp.tanh(y), (1, 2, 3), keepdims=True))


def _breaking(x: jax.Array) -> jax.Array:
    y = _conv(x, KERNELS[0])
    y = y * (1 + 0.5 * _swing(y, 300))
    z = _conv(y, KERNELS[1])  # has changed everywhere: windows see a small part of that
    z = z * (1 + 0.5 * _swing(z, 300))
    return jnp.clip(x + 0.02 * _conv(z, KERNELS[2]) * _swing(z, 500), 0, 1)


def breaking() -> cem.Network:
    """A network on which two windows are worth nothing."""
    return cem.wrap(_breaking, name="breaking")
