"""Operations that slide: which outputs a box changes, what outputs need, and parts of them.

Every case is small enough to try each element of the operand: what an output depends on is known.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from cem_jax.cone.regions import Boxes
from cem_jax.cone.rules import rule_for
from cem_jax.cone.trace import trace

RNG = np.random.default_rng(0)
SHAPE = (1, 9, 8, 4)
X = RNG.normal(size=SHAPE).astype(np.float32)


def conv(
    strides=(1, 1), padding=((1, 1), (1, 1)), taps=(3, 3), inner=(1, 1), outer=(1, 1), groups=1,
    out=6,
):  # fmt: skip
    kernel = RNG.normal(size=(*taps, SHAPE[3] // groups, out)).astype(np.float32)
    return lambda x: lax.conv_general_dilated(
        x, kernel, strides, padding, lhs_dilation=outer, rhs_dilation=inner,
        feature_group_count=groups, dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip


def pool(operation, first, window=(1, 2, 3, 1), strides=(1, 2, 1, 1), padding=(0, 1, 1, 0), step=1):
    edges = tuple((n, max(n - 1, 0)) for n in padding)
    return lambda x: lax.reduce_window(
        x, first, operation, window, strides, edges, window_dilation=(1, step, 1, 1)
    )


def pad(*config, value=7.0):
    return lambda x: lax.pad(x, jnp.float32(value), config)


CASES = {
    "convolution": conv(),
    "valid": conv(padding=((0, 0), (0, 0)), taps=(2, 4)),
    "uneven padding": conv(padding=((2, 0), (0, 3)), taps=(3, 2)),
    "cropped": conv(padding=((-1, 0), (0, -2))),
    "strides": conv(strides=(2, 3), taps=(2, 3)),
    "holes in the kernel": conv(inner=(2, 1), padding=((2, 2), (1, 1))),
    "transposed": conv(outer=(2, 3), padding=((1, 2), (2, 2))),
    "transposed with strides": conv(outer=(3, 2), strides=(2, 1), taps=(4, 2)),
    "transposed by single taps": conv(outer=(3, 2), taps=(1, 1), padding=((0, 0), (0, 0))),
    "single taps between pixels": conv(strides=(3, 2), outer=(3, 2), taps=(1, 1)),
    "small and transposed": conv(outer=(2, 2), taps=(9, 9), padding=((8, 8), (8, 8)), out=1),
    "groups": conv(groups=2),
    "channels alone": conv(groups=4, out=4),
    "maximum": pool(lax.max, -np.inf),
    "minimum": pool(lax.min, np.inf, strides=(1, 1, 2, 1)),
    "sum": pool(lax.add, 0.0),
    "sum with holes": pool(lax.add, 0.0, strides=(1, 1, 1, 1), padding=(0, 2, 0, 0), step=2),
    "padding": pad((0, 0, 0), (2, 1, 0), (0, 3, 0), (1, 0, 0)),
    "negative padding": pad((0, 0, 0), (-2, 1, 0), (3, -1, 0), (0, 0, 0)),
    "padding between pixels": pad((0, 0, 0), (1, 0, 2), (0, 0, 1), (0, 0, 0)),
    "slice": lambda x: lax.slice(x, (0, 2, 1, 0), (1, 8, 8, 3)),
    "slice with strides": lambda x: lax.slice(x, (0, 1, 0, 0), (1, 9, 8, 4), (1, 3, 2, 1)),
    "reversal": lambda x: lax.rev(x, (1, 3)),
}  # fmt: skip
LOOSE = ("holes", "transposed with strides", "between")
"""Outputs of these have gaps, so that a box around them may be larger than the tightest one."""


def operation(f):
    """The equation behind the image, and its other operands."""
    graph = trace(lambda _, x: f(x), (), SHAPE, jnp.float32)
    _, eq = [eq for eq in graph.equations if eq.depends]
    known = (graph.constants[n] if isinstance(n, int) else n.value for n in eq.inputs[1:])
    return eq, [*map(np.asarray, known)]


def depends(f):
    """Which outputs each element of the operand changes, bool [*outputs, *operand]."""
    eye = np.eye(X.size, dtype=np.float32).reshape(-1, *SHAPE)
    still = np.asarray(f(jnp.zeros(SHAPE)))
    # A maximum does not see what is small, nor a minimum what is large.
    more, less = (np.asarray(jax.vmap(f)(size * eye)) != still for size in (1e3, -1e3))
    both = np.moveaxis(more | less, 0, -1)
    return both.reshape(*both.shape[:-1], *SHAPE)


def around(mask):
    """The box around what a mask holds."""
    index = np.nonzero(mask)
    if not len(index[0]):
        return None
    return [(int(i.min()), int(i.max()) + 1) for i in index]


def box_in(shape):
    """A random box inside an array, all of its channels."""
    ends = [np.sort(RNG.choice(n + 1, 2, replace=False)) for n in shape[:3]]
    return [*((int(a), int(b)) for a, b in ends), (0, shape[3])]


def as_boxes(sides):
    lo, hi = np.array([sides]).transpose(2, 0, 1)
    return Boxes(lo, hi, np.ones(1, bool))


def sides_of(boxes):
    sides = zip(boxes.lo[0].tolist(), boxes.hi[0].tolist(), strict=True)
    return list(sides) if boxes.some[0] else None


def index_of(sides):
    return tuple(slice(a, b) for a, b in sides)


def holds(wide, own):
    return own is None or (
        wide is not None
        and all(a <= c and d <= b for (a, b), (c, d) in zip(wide, own, strict=True))
    )


@pytest.mark.parametrize("name", CASES)
def test_a_box_changes_the_outputs_that_depend_on_it(name):
    eq, _ = operation(CASES[name])
    table, rule = depends(CASES[name]), rule_for(eq)
    for _ in range(12):
        sides = box_in(SHAPE)
        expected = around(table[(..., *index_of(sides))].any(axis=(-1, -2, -3, -4)))
        found = sides_of(rule.forward(eq, 0, as_boxes(sides)).clip(eq.out_shapes[0]))
        assert holds(found, expected)
        if not any(word in name for word in LOOSE):
            assert found == expected
    if len(eq.inputs) > 1:  # a kernel, or what is padded with, counts everywhere
        own = Boxes.whole(eq.in_shapes[1])
        assert sides_of(rule.forward(eq, 1, own)) == [(0, n) for n in eq.out_shapes[0]]
        assert sides_of(rule.need(eq, 1, as_boxes([(0, 1)] * 4))) == sides_of(own)
        assert rule.fill(eq, 1) is None


@pytest.mark.parametrize("name", CASES)
def test_outputs_need_what_they_depend_on_and_are_computed_from_it_alone(name):
    f = CASES[name]
    eq, others = operation(f)
    table, rule, whole = depends(f), rule_for(eq), np.asarray(f(X))
    fill = rule.fill(eq, 0)
    canvas = np.pad(X, 12, constant_values=0 if fill is None else fill)
    for _ in range(6):
        out = as_boxes(box_in(eq.out_shapes[0])).aligned(rule.align(eq))
        sides = sides_of(out)
        needed = rule.need(eq, 0, out)
        inside = tuple(
            slice(a, min(b, n)) for (a, b), n in zip(sides, eq.out_shapes[0], strict=True)
        )
        expected = around(table[inside].any(axis=(0, 1, 2, 3)))
        found = sides_of(needed.clip(SHAPE))
        assert holds(found, expected)
        if not any(word in name for word in (*LOOSE, "strides")) and expected is not None:
            assert found == expected
        part = canvas[tuple(slice(a + 12, b + 12) for a, b in sides_of(needed))]
        size = tuple(b - a for a, b in sides)
        got = np.asarray(rule.evaluate(eq, size, [a for a, _ in sides], [part, *others]))
        assert got.shape == size
        kept = got[tuple(slice(0, s.stop - s.start) for s in inside)]
        np.testing.assert_allclose(kept, whole[inside], rtol=1e-5, atol=1e-5)


def test_a_batch_of_windows_keeps_every_factor_of_the_batch():
    """Images [2, 3] of 9 x 8 pixels: what changes or is needed of one is so of that one alone."""
    eq, _ = operation(CASES["convolution"])
    axes, shapes = (0, 4, 2, 3), ((2, 3, 9, 8, 4), (2, 3, 9, 8, 6))
    numbers = eq.params["dimension_numbers"]._replace(lhs_spec=axes, out_spec=axes)
    params = {**eq.params, "dimension_numbers": numbers, "batches": 2}
    many = dataclasses.replace(
        eq, params=params, in_shapes=(shapes[0], eq.in_shapes[1]), out_shapes=shapes[1:]
    )
    box = [(1, 2), (0, 2), (3, 4), (0, 2), (0, 4)]
    around_it = [(1, 2), (0, 2), (2, 5), (0, 3), (0, 6)]
    assert sides_of(rule_for(many).forward(many, 0, as_boxes(box)).clip(shapes[1])) == around_it
    needed = rule_for(many).need(many, 0, as_boxes([*box[:4], (0, 6)])).clip(shapes[0])
    assert sides_of(needed) == [*around_it[:4], (0, 4)]


def test_what_is_computed_at_once_is_all_channels_and_the_phases_of_dilated_pixels():
    for name, expected in (
        ("convolution", (1, 1, 1, 6)), ("transposed", (1, 2, 3, 6)),
        ("transposed with strides", (1, 3, 2, 6)), ("padding between pixels", (1, 3, 2, 1)),
        ("maximum", (1, 1, 1, 1)),
    ):  # fmt: skip
        eq, _ = operation(CASES[name])
        assert tuple(rule_for(eq).align(eq)) == expected
    eq, _ = operation(conv(outer=(4, 6), strides=(2, 4)))
    assert rule_for(eq).align(eq) == (1, 2, 3, 6)


def test_a_convolutions_work_is_its_taps_on_pixels():
    for name, each in (
        ("convolution", 9 * 4), ("valid", 8 * 4), ("groups", 9 * 2), ("channels alone", 9),
        ("transposed", 9 * 4 / 6),
    ):  # fmt: skip
        eq, _ = operation(CASES[name])
        assert rule_for(eq).multiply_adds(eq) == pytest.approx(each)


@pytest.mark.parametrize(("dtype", "least", "most"), [(jnp.int32, -(2**31), 2**31 - 1)])
def test_beyond_the_border_of_integers_stands_what_never_wins(dtype, least, most):
    for operation_, first, expected in ((lax.max, least, least), (lax.min, most, most)):
        f = pool(operation_, np.int32(first))
        graph = trace(lambda _, x, f=f: f(jnp.round(x).astype(dtype)), (), SHAPE, jnp.float32)
        eq = next(eq for eq in graph.equations if eq.name.startswith("reduce_window"))
        assert rule_for(eq).fill(eq, 0) == expected
