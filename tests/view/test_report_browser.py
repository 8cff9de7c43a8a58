"""The report of a few maps in a headless Chromium: every control does what it says."""

import dataclasses
import re

import numpy as np
import pytest
import report_page
from report_maps import BLOCK, largest_maps
from report_page import (
    COLUMNS,
    MAPS,
    STRONGEST,
    keep_picture,
    number,
    pixels,
    point,
    settle,
    slide,
)

import cem_jax as cem

address, browser, visit = report_page.address, report_page.browser, report_page.visit  # fixtures


def centres(page, cells) -> list[tuple[int, ...]]:
    """Colours of the first map in the pixel below and right of the middle of blocks."""
    image = pixels(page, ".field canvas")
    step = image.shape[1] / COLUMNS
    middle = (BLOCK // 2 + 0.5) / BLOCK
    places = [[int((n + middle) * step) for n in divmod(int(cell), COLUMNS)] for cell in cells]
    return [tuple(image[y, x].tolist()) for y, x in places]


def beneath(cell: int) -> tuple[int, ...]:
    """The input at the same place."""
    y, x = (n * BLOCK + BLOCK // 2 for n in divmod(cell, COLUMNS))
    return tuple(MAPS[0].degraded[y, x].tolist())


def uncertain(effect_map: cem.EffectMap) -> np.ndarray:
    low, high = effect_map.interval()
    return ((low <= 0) & (high >= 0) & (np.abs(effect_map.effect) >= effect_map.tolerance)).ravel()


def test_the_tolerance_recounts(visit):
    page = visit()
    shown = set()
    for step in (None, 0, 12, int(page.get_attribute("#tolerance", "max"))):
        if step is not None:
            slide(page, "tolerance", step)
        tolerance = number(page.inner_text("#tolerance-value"))
        shown.add(tolerance)
        for i, effect_map in enumerate(MAPS[:2]):
            panel = page.locator(".panel").nth(i)
            counts = dataclasses.replace(effect_map, tolerance=tolerance).counts
            for sign in ("negative", "positive", "zero"):
                told = panel.locator(f"[data-count={sign}]").inner_text()
                assert int(told) == getattr(counts, sign)
        if step is None:
            assert tolerance == MAPS[0].tolerance
            told = page.locator("[data-count=uncertain]").first.inner_text()
            assert int(told) == uncertain(MAPS[0]).sum() > 0
    assert len(shown) == 4


def test_colours_are_symmetric_and_white_at_zero(visit):
    page = visit()
    slide(page, "opacity", 100)
    effect = MAPS[0].effect.ravel()
    sure = ~uncertain(MAPS[0])
    highest = [(5, 48, 97), (103, 0, 31)][int(effect[STRONGEST] > 0)]
    assert sure[STRONGEST] and centres(page, [STRONGEST]) == [highest]
    cells = np.flatnonzero(sure & np.isfinite(effect))
    for cell, (red, _, blue) in zip(cells, centres(page, cells), strict=True):
        expected = 0 if abs(effect[cell]) < MAPS[0].tolerance else np.sign(effect[cell])
        assert np.sign(red - blue) == expected
    assert centres(page, np.flatnonzero(effect == 0)[-1:]) == [(255, 255, 255)]
    slide(page, "limit", 50)
    assert "\u00b1" + f"{np.abs(effect[STRONGEST]) / 2:.3f}" in page.inner_text("#limit-value")


def test_the_opacity_shows_the_input_beneath(visit):
    page = visit()
    slide(page, "opacity", 0)
    assert centres(page, [STRONGEST]) == [beneath(STRONGEST)]
    slide(page, "opacity", 100)
    assert centres(page, [STRONGEST]) != [beneath(STRONGEST)]


def test_blocks_of_uncertain_sign_can_be_hidden(visit):
    page = visit()
    slide(page, "opacity", 100)
    cell = int(np.flatnonzero(uncertain(MAPS[0]))[0])
    row, column = divmod(cell, COLUMNS)
    image = pixels(page, ".field canvas")
    ends = [
        round((n + share) * image.shape[1] / COLUMNS) for n in (row, column) for share in (0.1, 0.9)
    ]
    part = image[ends[0] : ends[1], ends[2] : ends[3]]
    assert part.min() < 150 < part.max()  # hatched: dark lines on the colour
    page.check("#hide")
    settle(page)
    assert centres(page, [cell]) == [beneath(cell)]
    assert centres(page, [STRONGEST]) != [beneath(STRONGEST)]


def test_hovering_shows_a_block_in_all_networks(visit):
    page = visit()
    cells = np.intersect1d(MAPS[0].extremes.cells, MAPS[1].extremes.cells)
    for cell in (int(cells[3]), int(cells[-3])):
        point(page, cell, panel=1)
        row, column = divmod(cell, COLUMNS)
        assert page.inner_text("#place") == f"Block row {row}, column {column}"
        gains = set()
        for i, effect_map in enumerate(MAPS[:2]):
            card = page.locator(".card").nth(i)
            assert card.locator("h3").inner_text() == effect_map.provenance["network"]
            effect = effect_map.effect[row, column]
            assert number(card.locator("strong").inner_text()) == round(effect, 3)
            facts = card.locator("dd").all_inner_texts()
            ends = [number(end) for end in facts[0].split("\u2026")]
            expected = [end[row, column] for end in effect_map.interval()]
            assert ends == pytest.approx(expected, abs=5.1e-4)
            drawn = np.isfinite(effect_map.values[row, column]).sum()
            assert facts[2] == str(drawn)
            assert card.locator(".strip circle:not(.mean)").count() == drawn
            at = list(effect_map.extremes.cells).index(cell)
            behind = effect_map.extremes
            canvases = f".card:nth-of-type({i + 1}) .pictures canvas"
            block = effect_map.degraded[row * BLOCK :, column * BLOCK :][:BLOCK, :BLOCK]
            gain = int(card.locator("figcaption").last.inner_text().split("\u00d7")[1])
            gains.add(gain)
            expected = [block, behind.restored, behind.clean]
            for patch, region in zip(behind.patches[at], behind.regions[at], strict=True):
                change = region.astype(int) - behind.restored
                expected += [patch, region, np.clip(128 + gain * change, 0, 255)]
            for place, picture in enumerate(expected):
                np.testing.assert_array_equal(pixels(page, canvases, place), picture)
            outcomes = card.locator(".caption span").all_inner_texts()
            values = effect_map.values[row, column]
            extremes = [
                effect_map.baseline,
                values[behind.draws[at, 0]],
                values[behind.draws[at, 1]],
            ]
            assert [number(text) for text in outcomes] == pytest.approx(extremes, abs=6e-4)
        assert len(gains) == 1


def test_what_is_not_known_is_said(visit):
    page = visit()
    point(page, int(np.flatnonzero(MAPS[0].inside_roi)[0]))
    assert "inside the region" in page.locator(".card").first.inner_text()
    far = int(np.flatnonzero((MAPS[0].samples == 0) & ~MAPS[0].inside_roi)[0])
    point(page, far)
    assert "cannot reach the region" in page.locator(".card").first.inner_text()
    cell = int(np.flatnonzero(uncertain(MAPS[0]))[0])
    point(page, cell)
    assert "perhaps h" in page.locator(".card .verdict").first.inner_text()


def test_arrow_keys_move_and_two_pins_compare(visit):
    page = visit()
    field = page.locator(".field").first
    field.focus()
    row, column = divmod(STRONGEST, COLUMNS)
    away = -1 if (column + 0.5) * BLOCK < MAPS[0].roi.x + MAPS[0].roi.width / 2 else 1
    side = "ArrowLeft" if away < 0 else "ArrowRight"
    for key, (down, right) in {"ArrowUp": (-1, 0), side: (0, away), "ArrowDown": (1, 0)}.items():
        page.keyboard.press(key)
        row, column = row + down, column + right
    settle(page)
    assert page.inner_text("#place") == f"Block row {row}, column {column}"
    page.keyboard.press("Enter")
    first, second = row * COLUMNS + column, int(MAPS[0].extremes.cells[-1])
    point(page, second, click=True)
    point(page, int(MAPS[0].extremes.cells[4]))
    for i, effect_map in enumerate(MAPS[:2]):
        card = page.locator(".card").nth(i)
        assert card.locator(".tag").all_inner_texts() == ["A", "B"]
        effect, error = effect_map.effect.ravel(), effect_map.standard_error.ravel()
        told = card.locator(".comparison").inner_text().split(":")[1].split(",")
        assert number(told[0]) == pytest.approx(effect[first] - effect[second], abs=6e-4)
        assert number(told[1]) == pytest.approx(np.hypot(error[first], error[second]), abs=6e-4)
    keep_picture(page, "pins")
    page.keyboard.press("Escape")
    settle(page)
    assert page.locator(".tag, .comparison, #unpin:visible").count() == 0


def test_the_zoom_shows_the_blocks_that_reach_the_region(visit):
    page = visit()
    near = (MAPS[0].samples > 0) | MAPS[0].inside_roi | (MAPS[1].samples > 0)
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    page.check("#zoom")
    settle(page)
    page.locator(".field").first.scroll_into_view_if_needed()
    box = page.locator(".field").first.bounding_box()
    top, left = max(rows[0] - 1, 0), max(columns[0] - 1, 0)
    high = min(rows[-1] + 2, near.shape[0]) - top
    wide = min(columns[-1] + 2, near.shape[1]) - left
    assert wide < COLUMNS and box["height"] / box["width"] == pytest.approx(high / wide, abs=0.01)
    step = box["width"] / wide
    page.mouse.move(box["x"] + 2.5 * step, box["y"] + 3.5 * step)
    settle(page)
    assert page.inner_text("#place") == f"Block row {top + 3}, column {left + 2}"
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    settle(page)
    assert left > 0 and page.inner_text("#place") == f"Block row {top + 3}, column {left}"


def test_another_scene_can_be_chosen(visit):
    page = visit()
    assert page.locator(".panel").count() == 2 and page.locator("#scenes button").count() == 0
    page.locator("#rectangles button").nth(1).click()
    page.wait_for_selector(".networks-1 .card .pictures canvas")
    assert page.locator(".panel h3").all_inner_texts() == ["net"]
    told = page.locator("[data-count=positive]").inner_text()
    assert int(told) == MAPS[2].counts.positive
    keep_picture(page, "scene")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_its_width_and_colour_scheme(visit, width, scheme):
    page = visit(width=width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    colours = page.evaluate(
        "() => { const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]; }"
    )
    paper, ink = (np.mean([int(n) for n in re.findall(r"\d+", text)[:3]]) for text in colours)
    assert (paper - ink > 150) if scheme == "light" else (ink - paper > 150)
    keep_picture(page, f"{width}-{scheme}")


def test_a_finger_moves_first_and_pins_second(visit):
    page = visit(width=390, has_touch=True)
    page.locator(".field").first.scroll_into_view_if_needed()
    box = page.locator(".field").first.bounding_box()
    cell = int(MAPS[0].extremes.cells[-1])
    step = box["width"] / COLUMNS
    place = box["x"] + (cell % COLUMNS + 0.5) * step, box["y"] + (cell // COLUMNS + 0.5) * step
    page.touchscreen.tap(*place)
    settle(page)
    row, column = divmod(cell, COLUMNS)
    assert page.inner_text("#place") == f"Block row {row}, column {column}"
    page.touchscreen.tap(*place)
    settle(page)
    assert page.inner_text("#place") == f"Block A: row {row}, column {column}"


def test_print_leaves_the_controls_out(visit):
    page = visit(color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.is_visible("#opacity") and not page.is_visible(".hint")
    assert page.is_visible(".card .pictures canvas") and page.is_visible("#legend")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    keep_picture(page, "print")


def test_without_scripts_there_are_a_picture_and_a_table(visit):
    page = visit(java_script_enabled=False)
    assert not page.is_visible("main")
    assert page.locator("img.static").count() == 2
    assert page.locator("img.static").first.bounding_box()["width"] > 400
    assert page.locator("tbody tr").count() == len(MAPS)
    keep_picture(page, "no-scripts")


def test_the_largest_report_opens(visit, tmp_path):
    cem.report(largest_maps(), tmp_path / "largest.html")
    page = visit((tmp_path / "largest.html").as_uri())
    assert page.locator(".panel").count() == page.locator(".card").count() == 4
    assert page.locator(".strip circle:not(.mean)").count() == 200
    keep_picture(page, "largest")
