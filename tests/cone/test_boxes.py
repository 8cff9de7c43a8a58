"""Boxes against sets of indices, element by element."""

import itertools

import numpy as np
import pytest

from cem_jax.cone.regions import Boxes

RNG = np.random.default_rng(0)
SHAPE = (6, 5)


def drawn(count=40, margin=2):
    """Boxes that may leave an array of `SHAPE`, and may be empty."""
    ends = [RNG.integers(-margin, n + margin + 1, (2, count)) for n in SHAPE]
    sides = [(np.minimum(a, b), np.maximum(a, b)) for a, b in ends]
    return Boxes.stack(sides, np.ones(count, bool))


def elements(boxes):
    """The indices that each box holds."""
    return [
        set(itertools.product(*map(range, lo, hi))) if some else set()
        for lo, hi, some in zip(boxes.lo.tolist(), boxes.hi.tolist(), boxes.some, strict=True)
    ]


def around(indices):
    """What the smallest box around some indices holds."""
    if not indices:
        return set()
    sides = zip(*indices, strict=True)
    return set(itertools.product(*(range(min(side), max(side) + 1) for side in sides)))


ONE, OTHER = drawn(), drawn()


def test_boxes_tell_how_many_elements_they_have_and_along_which_axes():
    assert ONE.rank == 2 and not ONE.some.all()
    told = zip(elements(ONE), ONE.count(), ONE.size(), ONE.some, strict=True)
    for own, count, size, some in told:
        assert len(own) == count == size.prod() and bool(own) == some
    for axis in (0, 1):
        lo, hi = ONE.axis(axis)
        assert (lo == ONE.lo[:, axis]).all() and (hi == ONE.hi[:, axis]).all()


def test_a_whole_array_and_nothing():
    every = set(itertools.product(*map(range, SHAPE)))
    assert elements(Boxes.whole(SHAPE)) == [every]
    assert elements(Boxes.whole(SHAPE, 3)) == 3 * [every]
    assert elements(Boxes.nothing(2)) == [set()]
    found = Boxes.nothing(2, 3)
    assert elements(found) == 3 * [set()] and not found.lo.any() and not found.hi.any()


def test_boxes_of_one_size_have_their_corners_where_they_are_told():
    found = Boxes.of(np.array([[1, 2], [-1, 0]]), (2, 3))
    assert found.lo.tolist() == [[1, 2], [-1, 0]] and found.hi.tolist() == [[3, 5], [1, 3]]
    assert found.some.tolist() == [True, True]
    moved = found.shift(np.array([[1, 0], [0, -2]]))
    assert moved.lo.tolist() == [[2, 2], [-1, -2]] and moved.hi.tolist() == [[4, 5], [1, 1]]


def test_an_interval_for_all_positions_may_be_shorter_than_they_are():
    found = Boxes.stack([(0, 2), (np.array([1, 3]), np.array([2, 3]))], np.ones(2, bool))
    assert elements(found) == [{(0, 1), (1, 1)}, set()]
    assert not Boxes.stack([(0, 1)], np.zeros(1, bool)).some.any()


def test_some_positions_of_boxes():
    found = ONE[np.array([5, 0])]
    assert elements(found) == [elements(ONE)[5], elements(ONE)[0]]


def test_boxes_meet_in_what_both_hold():
    both = [a & b for a, b in zip(elements(ONE), elements(OTHER), strict=True)]
    assert elements(ONE.meet(OTHER)) == both and any(both)
    gone = Boxes(ONE.lo, ONE.hi, np.zeros(len(ONE.some), bool))
    for found in (ONE.meet(gone), gone.meet(ONE)):
        assert not found.some.any()
    alone = elements(OTHER)[3]
    assert elements(ONE.meet(OTHER[np.array([3])])) == [a & alone for a in elements(ONE)]


def test_boxes_are_cut_at_the_border_of_an_array():
    every = set(itertools.product(*map(range, SHAPE)))
    assert elements(ONE.clip(SHAPE)) == [own & every for own in elements(ONE)]


def test_the_hull_is_the_smallest_box_around_both():
    expected = [around(a | b) for a, b in zip(elements(ONE), elements(OTHER), strict=True)]
    assert elements(ONE.hull(OTHER)) == expected
    nothing = Boxes.nothing(2, len(ONE.some))
    for found in (ONE.hull(nothing), nothing.hull(ONE)):
        assert elements(found) == elements(ONE)
    one = ONE.hull(Boxes.whole((1, 1)))
    assert elements(one) == [around(own | {(0, 0)}) for own in elements(ONE)]


def test_the_union_is_one_box_around_those_that_hold_something():
    [found] = elements(ONE.union())
    assert found == around(set().union(*elements(ONE)))
    only = Boxes(np.array([[9, 9], [1, 2]]), np.array([[9, 9], [3, 4]]), np.array([False, True]))
    assert elements(only.union()) == [{(1, 2), (1, 3), (2, 2), (2, 3)}]
    assert elements(Boxes.nothing(2, 4).union()) == [set()] and Boxes.nothing(2).union().rank == 2


def test_aligned_boxes_are_the_smallest_of_whole_cells():
    cells = (3, 2)
    found = ONE.aligned(cells)
    for own, wide, some in zip(elements(ONE), elements(found), ONE.some, strict=True):
        if some:
            of = {(y // 3, x // 2) for y, x in own}
            inner = itertools.product(range(3), range(2))
            assert wide == {(3 * y + i, 2 * x + j) for (i, j) in inner for y, x in of}
    assert found.some.tolist() == ONE.some.tolist()


def test_boxes_are_grown_to_one_size_and_stay_in_the_array():
    inside = drawn(margin=0)
    inside = inside[inside.some]
    found = inside.evened(SHAPE)
    assert (found.size() == inside.size().max(axis=0)).all() and found.some.all()
    every = set(itertools.product(*map(range, SHAPE)))
    for own, wide in zip(elements(inside), elements(found), strict=True):
        assert own <= wide <= every
    same = Boxes.of(np.array([[4, 4], [-3, 0]]), (4, 4))  # what has one size stays where it is
    assert (same.evened(SHAPE).lo == same.lo).all()
    short = Boxes(np.array([[0, 0], [1, 0]]), np.array([[2, 1], [2, 1]]), np.ones(2, bool))
    assert short.evened(SHAPE).lo.tolist() == [[0, 0], [1, 0]]  # grown behind where there is room


@pytest.mark.parametrize(
    ("lo", "hi", "covered"),
    [
        ([1, 1], [3, 3], True),
        ([0, 1], [3, 3], False),
        ([1, 1], [3, 4], False),
        ([2, 2], [2, 3], True),
    ],
)
def test_boxes_cover_what_they_hold_at_every_position(lo, hi, covered):
    own = Boxes.of(np.array([[1, 1], [1, 1]]), (2, 2))
    other = Boxes(np.array([lo, [1, 1]]), np.array([hi, [2, 2]]), np.ones(2, bool))
    assert own.cover(other) is covered
