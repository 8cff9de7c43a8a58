"""Student's t: equal to SciPy's, near and far in its tail, for few and for many degrees."""

import numpy as np
import pytest
from scipy.special import stdtr, stdtrit

from cem_jax.plans.student import exceeds, quantile

DEGREES = np.array([1.0, 1.5, 2, 3, 7, 24.3, 49, 1000, 1e6])


@pytest.mark.parametrize("t", [0.0, 1e-9, 1e-3, 0.3, 1.0, 2.0, 5.0, 40.0, 1e6])
def test_the_tail_is_scipys(t):
    np.testing.assert_allclose(
        exceeds(DEGREES, np.full(DEGREES.shape, t)), stdtr(DEGREES, -t), rtol=1e-9, atol=1e-300
    )


@pytest.mark.parametrize("probability", [0.5, 0.6, 0.9, 0.975, 0.99, 0.9999, 1 - 1e-8])
def test_quantiles_are_scipys(probability):
    found = quantile(DEGREES.reshape(3, 3), probability)
    assert found.shape == (3, 3)
    expected = stdtrit(DEGREES, probability)
    np.testing.assert_allclose(found.reshape(-1), expected, rtol=1e-8, atol=1e-12)


def test_what_is_not_known_stays_so_and_infinity_is_never_exceeded():
    found = exceeds(np.array([3.0, 3.0, 3.0]), np.array([np.nan, np.inf, 0.0]))
    np.testing.assert_array_equal(found, [np.nan, 0.0, 0.5])
