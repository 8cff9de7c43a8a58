"""A map's numbers: what a reader takes from the table must be known."""

import math

import numpy as np
from recorded import played_map, recorded_pool, whole_map

import cem_jax as cem


def test_a_single_draw_tells_no_standard_error():
    pool, change = recorded_pool(), whole_map("SR")
    one, four = (played_map(cem.Fixed(n), change, pool, 0) for n in (1, 4))
    assert np.isfinite(one.effect).any() and np.isnan(one.standard_error).any()
    found = cem.summarise(one)
    assert math.isnan(float(found["largest_standard_error"]))
    assert " unknown " in cem.markdown_table([found])
    largest = cem.summarise(four)["largest_standard_error"]
    assert largest == np.nanmax(four.standard_error[~four.inside_roi]) > 0
