"""The pool in order: the tree, medoids after Lloyd's rule, and whose patches a cell takes."""

import numpy as np
import pytest

from cem_jax.pool.strata import medoids, order_by_likeness, patches_at


def test_the_tree_splits_as_often_as_it_has_leaves_each_part_along_its_widest_axis():
    """Four points that lie apart along x; the left pair lies far apart along y too."""
    points = np.array([[30.0, 0], [1, -9], [0, 9], [31, 0]])
    for cells, order in ((1, [0, 1, 2, 3]), (2, [2, 1, 0, 3]), (4, [1, 2, 0, 3])):
        assert order_by_likeness(points, cells).tolist() == order
    # More leaves than points.
    assert order_by_likeness(points, 16).tolist() == [1, 2, 0, 3]


def test_medoids_are_improved_until_each_point_is_with_the_nearest_mean():
    """Halved at the mean, 1.6, the 3 is with the 10, though it lies nearer to the zeros."""
    points = np.array([0.0, 10, 0, 0, 3, 0, 0, 0])[:, None]
    chosen, weights = medoids(points, 2)
    assert points[chosen, 0].tolist() == [0, 10]
    assert weights.tolist() == [7 / 8, 1 / 8]


def test_the_cluster_with_the_most_to_gain_is_halved():
    """Twenty points that lie by 1 from their mean, and two by 2 from theirs: 20 against 8."""
    points = np.array([[1.0], [-1.0]] * 10 + [[98.0], [102.0]])
    chosen, weights = medoids(points, 3)
    found = dict(zip(points[chosen, 0].tolist(), (22 * weights).tolist(), strict=True))
    assert found == pytest.approx({-1: 10, 1: 10, 98: 2})


def test_cells_take_the_sequences_in_turn():
    table, cells, draws = (
        np.array([[1, 2], [3, 4], [5, 6]]),
        np.array([0, 1, 4]),
        np.array([0, 1, 0]),
    )
    assert patches_at(table, cells, draws).tolist() == [1, 4, 3]
    assert patches_at(table[2], cells, draws).tolist() == [5, 6, 5]
