"""`Corrected` on recorded outcomes of networks that see the whole image."""

import numpy as np
import pytest
from corrected_outcomes import play, recorded

RECORDED = recorded()


@pytest.mark.parametrize("name", RECORDED)
def test_effects_are_unbiased_and_intervals_hold(name):
    found = RECORDED[name]
    copies = -(-96 // len(found.exact))
    played = play(found, 40, 12, copies)
    assert played.covered.mean() >= 0.93
    real = np.square(played.error).mean() / played.own.mean()
    assert 0.75 * real < played.ratio < 1.35 * real
    # How much of the windows' own bias is left, in each repeat: nothing, within chance.
    bias = np.tile((found.exact - found.close).mean(axis=1), copies)
    left = played.error @ bias / (bias @ bias)
    assert abs(left.mean()) < 3.5 * left.std(ddof=1) / np.sqrt(len(left))


def test_where_windows_are_worth_nothing_all_is_computed_exactly():
    played = play(RECORDED["breaking"], 40, 4, 4)
    assert played.made.min() > 0.95 and 0.9 < played.ratio < 1.1


def test_where_windows_are_close_few_draws_are_corrected():
    played = play(RECORDED["RCAN-compact"], 40, 2, 80)
    assert played.made.max() < 0.015 and played.ratio < 1.1
