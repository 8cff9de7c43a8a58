"""The inside of networks in a headless Chromium: the switch, the layers, pinned pairs."""

import numpy as np
import pytest
import report_page
from inside_maps import made_interactions, made_layers, made_mediated
from report_maps import made_map
from report_page import keep_picture, number, settle

import cem_jax as cem

browser, visit = report_page.browser, report_page.visit  # fixtures

MEDIATED = made_mediated("split")
STRONGEST, SECOND = (
    int(cell) for cell in np.argsort(-np.nan_to_num(np.abs(MEDIATED.total.effect.ravel())))[:2]
)
COLUMNS = MEDIATED.total.effect.shape[1]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    places = (divmod(STRONGEST, COLUMNS), divmod(SECOND, COLUMNS))
    inside = [made_layers(MEDIATED.total), made_interactions(MEDIATED.total, *places)]
    cem.report([MEDIATED, made_map("plain", seed=1)], path, inside)
    return path.as_uri()


def effects(page) -> list[float]:
    return [number(text) for text in page.locator(".card .effect strong").all_inner_texts()]


def test_the_switch_shows_direct_and_indirect_effects(visit):
    page = visit()
    assert page.locator("#paths").is_visible()
    assert "75.0 %" in page.inner_text("#path-told")
    total, plain = effects(page)
    wanted = MEDIATED.total.effect.ravel()[STRONGEST]
    assert total == pytest.approx(wanted, abs=6e-4)
    for path, share in (("direct", 0.25), ("indirect", 0.75), ("total", 1.0)):
        page.locator(f"#path-{path}").check()
        settle(page)
        found, beside = effects(page)
        assert found == pytest.approx(share * wanted, abs=6e-4)
        assert beside == plain
        keep_picture(page, path)
    assert page.locator(".card").first.locator(".pictures canvas").count() > 0


def test_layers_are_a_table(visit):
    page = visit()
    rows = page.locator("#layers tbody tr")
    assert rows.locator("th").all_inner_texts() == ["body.0", "tail<b>"]
    assert number(rows.nth(0).locator("td").first.inner_text()) == pytest.approx(0.15)


def test_pinned_pairs_tell_their_interaction(visit):
    page = visit()
    page.evaluate(
        f"location.hash = 'scene=0&zoom=0&block={'.'.join(map(str, divmod(STRONGEST, COLUMNS)))}"
        f"&pins={'.'.join(map(str, divmod(STRONGEST, COLUMNS)))}"
        f"_{'.'.join(map(str, divmod(SECOND, COLUMNS)))}'"
    )
    page.wait_for_selector(".interaction")
    assert page.locator(".interaction").count() == 1
    told = page.inner_text(".interaction")
    assert number(told) == pytest.approx(0.125) and "less than the sum" in told
