"""Arrays whose axes lie in another order, and in parts: nothing is copied, and nothing mixed up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cem_jax.network.aten import TABLE
from cem_jax.network.aten.layout import Chosen, Laid, aligned


@st.composite
def walks(draw):
    """Views and permutations one after the other, as (name, argument)."""
    shape = draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4))
    first, steps = tuple(shape), []
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.booleans()):
            order = draw(st.permutations(range(len(shape))))
            steps.append(("permuted", tuple(order)))
            shape = [shape[axis] for axis in order]
            continue
        left, shape = int(np.prod(shape)), []
        while left > 1:
            length = draw(st.sampled_from([n for n in range(1, left + 1) if left % n == 0]))
            shape.append(length)
            left //= length
        steps.append(("viewed", tuple(shape)))
    return first, steps


@settings(max_examples=200, deadline=None)
@given(walks())
def test_views_and_permutations_are_those_of_numpy(walk):
    shape, steps = walk
    array = np.arange(np.prod(shape)).reshape(shape)
    laid = Laid.of(array)
    for name, argument in steps:
        laid = getattr(laid, name)(argument)
        array = array.transpose(argument) if name == "permuted" else array.reshape(argument)
        assert laid.shape == array.shape
        assert 1 not in laid.array.shape
    np.testing.assert_array_equal(laid.plain(), array)
    for axis in range(laid.ndim):
        np.testing.assert_array_equal(laid.merged(axis).plain(), array)
    other = np.random.default_rng(0).permutation(array.reshape(-1)).reshape(array.shape)
    (a, b), axes = aligned([laid, Laid.of(other)])
    np.testing.assert_array_equal(Laid(a + b, axes).plain(), array + other)


def test_a_window_attention_keeps_rows_and_columns_apart():
    """Windows of 4 by 4 become batches and tokens without the image being copied together."""
    x = Laid.of(jnp.zeros((8, 12, 5)))
    windows = x.viewed((2, 4, 3, 4, 5)).permuted((0, 2, 1, 3, 4)).viewed((6, 16, 5))
    assert windows.array.shape == (2, 4, 3, 4, 5)
    score = TABLE["bmm"](windows, windows.permuted((0, 2, 1)))
    assert score.array.shape == (2, 3, 4, 4, 4, 4)
    back = TABLE["bmm"](score, windows).viewed((2, 3, 4, 4, 5)).permuted((0, 2, 1, 3, 4))
    text = str(jax.make_jaxpr(lambda a: Laid.of(a).viewed((2, 4, 3, 4, 5)).array)(x.array))
    assert back.viewed((8, 12, 5)).shape == (8, 12, 5) and "transpose" not in text


def test_elements_of_a_mask_can_only_be_put_back_where_they_were():
    x, mask = Laid.of(jnp.arange(6.0)), Laid.of(jnp.arange(6) > 2)
    chosen = TABLE["index"](x, [mask])
    assert isinstance(chosen, Chosen)
    back = TABLE["index_put"](x, [mask], TABLE["mul"](chosen, 10))
    np.testing.assert_array_equal(back.plain(), [0, 1, 2, 30, 40, 50])
    with pytest.raises(Exception):  # noqa: B017  (whatever it is, it ends in another way)
        TABLE["sum"](chosen)
    other = Laid.of(jnp.arange(6) > 3)
    with pytest.raises(NotImplementedError, match="another"):
        TABLE["index_put"](x, [other], chosen)
