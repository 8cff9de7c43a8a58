"""A map's numbers: what a reader takes from the table must be known."""

import math

import numpy as np
import pytest
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


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0.0 %"), (0.0139, "0.01 %"), (4e-4, "0.0004 %"), (99.9861, "99.99 %"),
     (100.0, "100.0 %"), (12.34, "12.3 %"), (0.06, "0.1 %")],
)  # fmt: skip
def test_slivers_are_numbers(share, text):
    assert f" {text} " in cem.markdown_table([{"network": "net", "positive": share}])


def test_names_stay_in_their_cells():
    table = cem.markdown_table([{"network": "two\nlines | \x1b[31m", "positive": 1.0}])
    assert table.splitlines()[2] == r"| two lines \| \x1b[31m | 1.0 %    |"
