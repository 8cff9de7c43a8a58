"""Outcomes that deceive who looks at few draws: effects that hang on few patches, heavy tails.

Each case makes what every patch of a pool takes from the outcome at every block of a map, in dB at
a tolerance of 0.01 dB. The patches are the whole population: true effects are means over them.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping

import numpy as np

import cem_jax as cem

Case = Callable[[np.random.Generator, int, int], np.ndarray]
"""`case(random, blocks, patches)`: float64 [blocks, patches]."""


def few(share: float, cost: float, of_blocks: float = 1.0, noise: float = 0.0) -> Case:
    """A share of the patches costs something, at a share of the blocks; others do nothing."""

    def make(random: np.random.Generator, blocks: int, patches: int) -> np.ndarray:
        costly = random.random((blocks, patches)).argsort(axis=1) < round(share * patches)
        costly &= (np.arange(blocks) < max(round(of_blocks * blocks), 1))[:, None]
        return np.where(costly, cost, 0.0) + noise * random.normal(size=(blocks, patches))

    return make


def shared(share: float, cost: float) -> Case:
    """The same patches cost something at every block."""

    def make(random: np.random.Generator, blocks: int, patches: int) -> np.ndarray:
        costly = random.permutation(patches) < round(share * patches)
        return np.where(costly, cost, 0.0) * np.ones((blocks, 1))

    return make


def lognormal(sigma: float, mean: float) -> Case:
    """Costs of a lognormal distribution."""

    def make(random: np.random.Generator, blocks: int, patches: int) -> np.ndarray:
        return mean * np.exp(sigma * random.normal(size=(blocks, patches)) - sigma**2 / 2)

    return make


def pareto(shape: float, mean: float) -> Case:
    """Costs of a Pareto (Lomax) distribution: without a variance for shapes up to 2."""

    def make(random: np.random.Generator, blocks: int, patches: int) -> np.ndarray:
        return mean * (shape - 1) * random.pareto(shape, (blocks, patches))

    return make


def student(degrees: float, mean: float, scale: float) -> Case:
    """Costs and gains with heavy tails on both sides."""

    def make(random: np.random.Generator, blocks: int, patches: int) -> np.ndarray:
        return mean + scale * random.standard_t(degrees, (blocks, patches))

    return make


def against(share: float, gain: float, cost: float) -> Case:
    """Most patches cost a little, few of them gain it back: blocks that seem to help."""

    def make(random: np.random.Generator, blocks: int, patches: int) -> np.ndarray:
        return cost + few(share, -gain - cost)(random, blocks, patches)

    return make


def mixed(*cases: Case) -> Case:
    """Equal parts of the blocks by different cases."""

    def make(random: np.random.Generator, blocks: int, patches: int) -> np.ndarray:
        sizes = np.diff(np.linspace(0, blocks, len(cases) + 1).astype(int))
        return np.concatenate(
            [case(random, int(n), patches) for case, n in zip(cases, sizes, strict=True)]
        )

    return make


CASES: Mapping[str, Case] = {
    "50 % of the patches cost 0.03 dB": few(0.5, 0.03),
    "30 % cost 0.05 dB": few(0.3, 0.05),
    "20 % cost 0.1 dB": few(0.2, 0.1),
    "10 % cost 0.3 dB": few(0.1, 0.3),
    "5 % cost 0.4 dB": few(0.05, 0.4),
    "3 % cost 1 dB": few(0.03, 1.0),
    "10 % cost 0.3 dB, noise of 0.001 dB": few(0.1, 0.3, noise=0.001),
    "10 % cost 0.3 dB, noise of 0.003 dB": few(0.1, 0.3, noise=0.003),
    "3 % cost 1 dB, noise of 0.001 dB": few(0.03, 1.0, noise=0.001),
    "10 % cost 0.3 dB, at 30 % of the blocks": few(0.1, 0.3, 0.3),
    "10 % cost 0.3 dB, at 10 % of the blocks": few(0.1, 0.3, 0.1),
    "3 % cost 1 dB, at 30 % of the blocks": few(0.03, 1.0, 0.3),
    "3 % cost 1 dB, at 20 % of the blocks": few(0.03, 1.0, 0.2),
    "3 % cost 1 dB, at 10 % of the blocks": few(0.03, 1.0, 0.1),
    "3 % cost 0.4 dB, at 10 % of the blocks": few(0.03, 0.4, 0.1),
    "3 % cost 1 dB, at one block": few(0.03, 1.0, 0.0),
    "the same 10 % cost 0.3 dB everywhere": shared(0.1, 0.3),
    "the same 3 % cost 1 dB everywhere": shared(0.03, 1.0),
    "lognormal, sigma 1, mean 0.03 dB": lognormal(1, 0.03),
    "lognormal, sigma 1, mean 0.012 dB": lognormal(1, 0.012),
    "lognormal, sigma 1, mean 0.009 dB": lognormal(1, 0.009),
    "lognormal, sigma 2, mean 0.1 dB": lognormal(2, 0.1),
    "lognormal, sigma 2, mean 0.03 dB": lognormal(2, 0.03),
    "lognormal, sigma 2, mean 0.015 dB": lognormal(2, 0.015),
    "lognormal, sigma 3, mean 0.03 dB": lognormal(3, 0.03),
    "Pareto, shape 2.5, mean 0.03 dB": pareto(2.5, 0.03),
    "Pareto, shape 1.5, mean 0.03 dB": pareto(1.5, 0.03),
    "Pareto, shape 1.2, mean 0.03 dB": pareto(1.2, 0.03),
    "t with 3 degrees, mean 0.0101 dB": student(3, 0.0101, 0.01),
    "t with 3 degrees, mean 0.0099 dB": student(3, 0.0099, 0.01),
    "t with 2 degrees, mean 0.0101 dB": student(2, 0.0101, 0.005),
    "cost 0.03 dB, but 10 % gain 0.27 dB": against(0.1, 0.27, 0.03),
    "cost 0.03 dB, but 3 % gain 1 dB": against(0.03, 1.0, 0.03),
    "cost 0.02 dB, but 12 % gain 0.07 dB": against(0.12, 0.07, 0.02),
    "half 3 % cost 1 dB, half noise of 0.1 dB": mixed(few(0.03, 1.0), few(0, 0, noise=0.1)),
    "thirds: 3 % cost 1 dB, noise of 1e-4 and 1e-5 dB": mixed(
        few(0.03, 1.0), few(0, 0, noise=1e-4), few(0, 0, noise=1e-5)
    ),
    "sixths: 10 %, 3 %, lognormal 2 and 1, noise of 0.05 and 1e-4 dB": mixed(
        few(0.1, 0.3),
        few(0.03, 1.0),
        lognormal(2, 0.03),
        lognormal(1, 0.03),
        few(0, 0, noise=0.05),
        few(0, 0, noise=1e-4),
    ),
}
"""Effects that hang on no fewer than 3 % of the patches."""

RARER: Mapping[str, Case] = {
    "2 % cost 1 dB": few(0.02, 1.0),
    "2 % cost 1 dB, at 30 % of the blocks": few(0.02, 1.0, 0.3),
    "2 % cost 1 dB, at 10 % of the blocks": few(0.02, 1.0, 0.1),
    "the same 2 % cost 1 dB everywhere": shared(0.02, 1.0),
    "1 % cost 3 dB": few(0.01, 3.0),
    "1 % cost 3 dB, noise of 0.001 dB": few(0.01, 3.0, noise=0.001),
    "1 % cost 3 dB, at 30 % of the blocks": few(0.01, 3.0, 0.3),
    "1 % cost 3 dB, at 10 % of the blocks": few(0.01, 3.0, 0.1),
    "the same 1 % cost 3 dB everywhere": shared(0.01, 3.0),
    "0.5 % cost 6 dB": few(0.005, 6.0),
}
"""Effects that hang on fewer: more than `Adaptive` promises as it is."""


@dataclasses.dataclass(frozen=True)
class TAlone(cem.Adaptive):
    """`Adaptive` with nothing but t intervals from two draws on."""

    def first(self, blocks: int) -> int:
        """Two."""
        return 2

    def _unseen(self, change: np.ndarray, means: object) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(change)), np.zeros(len(change))


@functools.cache
def deceptive_pool(patches: int = 1000) -> cem.PatchPool:
    """Patches that are all different."""
    return cem.PatchPool(cem.PatchPool.default().patches[:: 10_000 // patches], "deceptive")
