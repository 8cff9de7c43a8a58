"""Records show their arrays by type and shape, and long ones take a line for each field."""

import numpy as np
from report_maps import made_map

import cem_jax as cem


def test_a_short_record_is_one_line():
    pool = cem.PatchPool(np.zeros((5, 8, 8, 3), np.uint8), "five")
    assert repr(pool) == "PatchPool(patches=uint8[5, 8, 8, 3], name='five')"


def test_a_long_record_has_a_line_for_each_field():
    lines = repr(made_map(shape=(12, 13))).splitlines()
    assert lines[0] == "EffectMap(" and lines[-1] == ")"
    assert lines[1] == "  effect=float64[12, 13],"
    assert "  outcome='psnr'," in lines and max(map(len, lines)) <= 100
