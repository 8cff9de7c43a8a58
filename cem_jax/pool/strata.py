"""The pool in order: patches that look alike lie together, so that few of them can stand for all.

Patches are compared by their principal components, never pixel by pixel: with noise on the patch,
clusters of raw pixels are worse than random draws.
"""

import numpy as np
from jaxtyping import Float, Float64, Int, Int32

from cem_jax.pool.pool import PatchPool

COMPONENTS = 8
_SIDE = 8
"""Patches are compared at no more than 8 x 8 pixels."""

SEQUENCES = 1024
"""Sequences of patches: as many as a map of 32 x 32 blocks has cells."""


def principal_components(pool: PatchPool) -> Float64[np.ndarray, "p components"]:
    """The patches' first eight principal components.

    Args:
        pool: the patches.

    Returns:
        float64 [p, 8], in grey levels.
    """
    edges = np.unique(np.linspace(0, pool.size, _SIDE + 1).astype(int)[:-1])
    small = np.add.reduceat(pool.patches.astype(np.float64), edges, axis=1)
    small = np.add.reduceat(small, edges, axis=2).reshape(len(pool), -1)
    small = (small - small.mean(axis=0)) * (len(edges) / pool.size) ** 2
    axes = np.linalg.eigh(small.T @ small)[1][:, ::-1][:, :COMPONENTS]
    # The sign of an eigenvector is arbitrary; fixed, the order of the pool is too.
    largest = np.abs(axes).argmax(axis=0)
    return small @ (axes * np.sign(axes[largest, np.arange(axes.shape[1])]))


def order_by_likeness(points: Float[np.ndarray, "p axes"], cells: int) -> Int[np.ndarray, " p"]:
    """Indices of points along a balanced tree, each node split at the median of its widest axis.

    Args:
        points: [p, axes].
        cells: number of leaves, a power of 2.

    Returns:
        int [p]; each of its `cells` equal parts holds points that are alike, and so do its halves,
        quarters and so on.
    """
    parts = [np.arange(len(points))]
    while len(parts) < cells and len(parts[0]) > 1:
        halves = []
        for part in parts:
            widest = points[part].var(axis=0).argmax()
            ordered = part[np.argsort(points[part, widest], kind="stable")]
            halves += np.array_split(ordered, 2)
        parts = [half for half in halves if len(half)]
    return np.concatenate(parts)


def scrambled_strata(count: int, seed: int) -> Int32[np.ndarray, "sequences {count}"]:
    """Van der Corput sequences in base 2 with nested random scrambling (Owen 1995).

    Args:
        count: length of the sequences, a power of 2.
        seed: seed of the scrambling.

    Returns:
        `SEQUENCES` permutations of 0 .. count - 1, int32 [sequences, count], each scrambled by
        itself. Of the first 2^m values of one, and of every further 2^m, one lies in each of 2^m
        equal parts; each value is uniform over all.
    """
    random, strata = np.random.RandomState(seed), np.zeros((SEQUENCES, 1), np.int32)
    while strata.shape[1] < count:
        # Every stratum splits in two; a fair coin says which half comes in the first run.
        coins = random.randint(2, size=strata.shape, dtype=np.int32)
        first = np.take_along_axis(coins, strata, axis=1)
        strata = np.concatenate([2 * strata + first, 2 * strata + 1 - first], axis=1)
    return strata


def stratified_patches(
    pool: PatchPool, count: int, seed: int
) -> Int32[np.ndarray, "sequences {count}"]:
    """Random sequences of patches that fill the pool evenly at every power of 2.

    Args:
        pool: the patches.
        count: length of the sequences, a power of 2.
        seed: seed of the choice.

    Returns:
        Indices, int32 [sequences, count]; each is uniform over the pool.
    """
    within = np.random.RandomState([seed, 1]).random_sample((SEQUENCES, count))
    place = (scrambled_strata(count, seed) + within) / count * len(pool)
    order = order_by_likeness(principal_components(pool), count).astype(np.int32)
    return order[place.astype(np.int32)]


def patches_at(
    patches: Int[np.ndarray, "sequences capacity"] | Int[np.ndarray, " capacity"],
    cells: Int[np.ndarray, "*n"],
    draws: Int[np.ndarray, "*n"],
) -> Int[np.ndarray, "*n"]:
    """The pool's patches that draws of cells take, by a plan that chooses them.

    Args:
        patches: int [sequences, capacity], cell c taking sequence c modulo their number; or
            [capacity], the same for all cells.
        cells: int, any shape.
        draws: int, of the same shape.

    Returns:
        int, of that shape.
    """
    table = np.atleast_2d(patches)
    return table[cells % len(table), draws]


def medoids(
    points: Float[np.ndarray, "p axes"], count: int
) -> tuple[Int[np.ndarray, " {count}"], Float64[np.ndarray, " {count}"]]:
    """Points that stand for all, and the share that each stands for: weighted k-medoids.

    Clusters are begun by halving the widest one again and again (Su and Dy 2007), improved by
    Lloyd's rule, and stood for by the point nearest to their mean. Nothing is random.

    Args:
        points: [p, axes].
        count: number of clusters.

    Returns:
        Indices, int [count], and weights, float64 [count], of sum 1.

    Raises:
        ValueError: fewer than `count` points differ.
    """
    labels = np.zeros(len(points), int)
    for new in range(1, count):
        sizes = np.bincount(labels)
        means = _means(points, labels, sizes)
        squares = _means(np.square(points - means[labels]), labels, sizes) * sizes[:, None]
        widest, axis = np.unravel_index(squares.argmax(), squares.shape)
        if squares[widest, axis] == 0:
            raise ValueError(f"n={count}: only {new} patches of the pool differ")
        labels[(labels == widest) & (points[:, axis] > means[widest, axis])] = new
    while True:
        sizes = np.bincount(labels)
        means = _means(points, labels, sizes)
        nearest = (np.square(means).sum(axis=1) - 2 * points @ means.T).argmin(axis=1)
        if (np.bincount(nearest, minlength=count) == 0).any() or (nearest == labels).all():
            break
        labels = nearest
    distance = np.square(points - means[labels]).sum(axis=1)
    # The first of each cluster, in order of (cluster, distance).
    order = np.lexsort((distance, labels))
    return order[np.cumsum(sizes) - sizes], sizes / len(points)


def _means(
    points: Float[np.ndarray, "p axes"],
    labels: Int[np.ndarray, " p"],
    sizes: Int[np.ndarray, " clusters"],
) -> Float[np.ndarray, "clusters axes"]:
    sums = [np.bincount(labels, column, len(sizes)) for column in points.T]
    return np.stack(sums, axis=1) / sizes[:, None]
