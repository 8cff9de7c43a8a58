"""The report in a headless Chromium: nothing is asked for, and every control does what it says."""

import base64
import dataclasses
import io
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_maps import BLOCK, largest_maps, made_map

import cem_jax as cem
from cem_jax.map.images import Images

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
if CHROMIUM is None:
    pytest.skip("no chromium", allow_module_level=True)

HOSTILE = '</script ><script>window.hit=1</script><img src=x onerror="window.hit=1">'
MAPS = [made_map("first"), made_map(HOSTILE, seed=1), made_map(roi=cem.ROI(48, 24, 16, 16))]
COLUMNS = MAPS[0].effect.shape[1]


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    cem.report(MAPS, path)
    return path.as_uri()


def keep_picture(page, name: str) -> None:
    """A screenshot, where somebody asked for them: CEM_JAX_SCREENSHOTS=FOLDER pytest ..."""
    if folder := os.environ.get("CEM_JAX_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.fixture
def visit(browser, address):
    """Opens the report; afterwards no request may have left and no console may have complained."""
    contexts, asked, complaints = [], [], []

    def opened(
        file: str = address, width: int = 1280, height: int = 900,
        ready: str = ".card .pictures canvas", **options,
    ):  # fmt: skip
        size = {"width": width, "height": height}
        contexts.append(browser.new_context(viewport=size, **options))
        page = contexts[-1].new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(file)
        if options.get("java_script_enabled", True):
            page.wait_for_selector(ready)
            assert page.evaluate("window.hit") is None
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert all(url.startswith(("file:", "data:", "blob:", "about:srcdoc")) for url in asked)
    assert len([url for url in asked if url.startswith("file:")]) == len(contexts)


def settle(page) -> None:
    """Waits until what was asked for is drawn."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 20)))")


def point(page, cell: int, panel: int = 0, click: bool = False) -> None:
    """Moves the mouse over a block of a map (of the whole grid)."""
    field = page.locator(".field").nth(panel)
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    step = box["width"] / COLUMNS
    x, y = (cell % COLUMNS + 0.5) * step, (cell // COLUMNS + 0.5) * step
    page.mouse.move(box["x"] + x, box["y"] + y)
    if click:
        page.mouse.click(box["x"] + x, box["y"] + y)
    settle(page)


def slide(page, name: str, value: float) -> None:
    page.locator(f"#{name}").fill(str(value))
    settle(page)


def pixels(page, selector: str, number: int = 0) -> np.ndarray:
    """RGB of a canvas, uint8 [height, width, 3]."""
    png = page.locator(selector).nth(number).evaluate("canvas => canvas.toDataURL()")
    with Image.open(io.BytesIO(base64.b64decode(png.split(",")[1]))) as image:
        return np.asarray(image.convert("RGB"))


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


def number(text: str) -> float:
    return float(re.search(r"[+\u2212]?[\d.]+", text)[0].replace("\u2212", "-"))


def uncertain(effect_map: cem.EffectMap) -> np.ndarray:
    low, high = effect_map.interval()
    return ((low <= 0) & (high >= 0) & (np.abs(effect_map.effect) >= effect_map.tolerance)).ravel()


STRONGEST = int(np.nanargmax(np.abs(MAPS[0].effect)))


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


ALIKE = {"scene": {}, "images": "i", "pool": "p", "seed": 0, "block": 8}


@pytest.fixture(scope="module")
def alike(tmp_path_factory):
    """A report of two maps that share their draws, with few blocks that matter."""
    maps = [made_map(name, (40, 50), seed=seed) for seed, name in enumerate(("first", "second"))]
    maps = [dataclasses.replace(one, provenance={**one.provenance, **ALIKE}) for one in maps]
    path = tmp_path_factory.mktemp("alike") / "alike.html"
    cem.report(maps, path)
    return maps, path.as_uri()


def test_two_maps_stand_beside_their_difference(visit, alike):
    (first, second), address = alike
    page = visit(address)
    assert page.locator(".panel h3").all_inner_texts() == [
        "first", "second", "First \u2212 second"
    ]  # fmt: skip
    found = cem.difference(first, second)
    large = (np.abs(found.effect) >= found.tolerance) & ~found.inside_roi
    for sign, expected in (("positive", found.effect > 0), ("negative", found.effect < 0)):
        told = page.locator(f"[data-count={sign}]").nth(2).inner_text()
        assert int(told) == (large & expected).sum() > 0
    rows = page.locator("#summary tr")
    assert rows.count() == 3
    cell = int(np.nanargmax(np.maximum(np.abs(first.effect), np.abs(second.effect))))
    told = rows.nth(2).locator("td").first.inner_text()
    assert number(told) == pytest.approx(found.effect.ravel()[cell], abs=6e-4)
    keep_picture(page, "difference")


def test_few_blocks_are_shown_large_at_first(visit, alike):
    page = visit(alike[1])
    assert page.is_checked("#zoom")
    page = visit()
    assert not page.is_checked("#zoom")


@pytest.mark.parametrize("many", [2, 4])
def test_the_details_stay_in_sight(visit, tmp_path, many):
    """Beside the map that is looked at, also where maps stand in two rows of a small screen."""
    maps = [made_map(f"network {number}", seed=number) for number in range(many)]
    cem.report(maps, tmp_path / "many.html")
    page = visit((tmp_path / "many.html").as_uri(), height=720)
    last = page.locator(".field").last
    last.evaluate("field => field.scrollIntoView({block: 'end'})")
    settle(page)
    field, box = last.bounding_box(), page.locator("#summary").bounding_box()
    for one in (field, box):
        assert one["y"] >= 0 and one["y"] + one["height"] <= 721
    assert field["x"] + field["width"] <= box["x"]


def test_the_region_can_be_shown_restored_and_true(visit):
    page = visit()
    assert page.locator("#images .part:visible").count() == 2  # the region alone was kept
    slide(page, "opacity", 0)
    roi, effect_map = MAPS[0].roi, MAPS[0]
    for name, expected in (
        ("restored", effect_map.extremes.restored), ("true", effect_map.extremes.clean),
        ("input", effect_map.degraded[roi.y :, roi.x :][: roi.height, : roi.width]),
    ):  # fmt: skip
        page.check(f"#image-{name}")
        settle(page)
        image = pixels(page, ".field canvas")
        step = image.shape[1] / (COLUMNS * BLOCK)
        y, x = (int((at + 8.5) * step) for at in (roi.y, roi.x))
        np.testing.assert_array_equal(image[y, x], expected[8, 8])


def shares_of(box, around) -> list[float]:
    """Left, top, width and height of a box within another."""
    left, top = box["x"] - around["x"], box["y"] - around["y"]
    return [left / around["width"], top / around["height"], box["width"] / around["width"],
            box["height"] / around["height"]]  # fmt: skip


def test_hundreds_of_regions_are_rectangles_in_one_picture(visit, tmp_path):
    """300 regions of one photograph, small ones over a large one, and one of another."""
    image = np.tile(cem.example_image("facade"), (2, 2, 1))
    base = made_map(image=image, roi=cem.ROI(96, 96, 16, 16))
    corners = [divmod(k, 20) for k in range(299)]
    rois = [cem.ROI(24, 24, 160, 200), *(cem.ROI(32 * y, 24 * x, 16, 16) for y, x in corners)]
    assert all(roi.y + roi.height <= 512 and roi.x + roi.width <= 512 for roi in rois)
    maps = [
        dataclasses.replace(base, roi=roi, extremes=base.extremes if roi == rois[7] else None,
                            baseline=20 + number / 100)
        for number, roi in enumerate(rois)
    ]  # fmt: skip
    cem.report([*maps, made_map("elsewhere")], tmp_path / "many.html")
    page = visit((tmp_path / "many.html").as_uri(), ready=".card")
    rectangles = page.locator("#rectangles button")
    assert rectangles.count() == page.locator("#region-list option").count() == 300
    around = page.locator("#rectangles img").bounding_box()
    for number in (0, 7, 150, 299):
        page.locator(f'#rectangles button[data-scenes="{number}"]').click(position={"x": 3, "y": 3})
        roi, told = rois[number], f"{maps[number].baseline:.3f} dB on the region"
        page.locator(".baseline", has_text=told).wait_for()
        chosen = page.locator('#rectangles button[aria-pressed="true"]')
        assert chosen.count() == 1 and page.input_value("#region-list") == str(number)
        expected = [roi.x / 512, roi.y / 512, roi.width / 512, roi.height / 512]
        assert shares_of(chosen.bounding_box(), around) == pytest.approx(expected, abs=0.002)
    keep_picture(page, "regions")
    page.select_option("#region-list", "20")
    page.locator(".baseline", has_text="20.200 dB").wait_for()
    page.wait_for_timeout(600)
    assert "scene=20&" in page.evaluate("location.hash")
    page.locator("#scenes button", has_text="1 region").click()
    page.locator(".panel h3", has_text="elsewhere").wait_for()
    assert not page.is_visible("#regions")
    small = visit((tmp_path / "many.html").as_uri(), width=390, ready=".card")
    assert small.evaluate("document.documentElement.scrollWidth") == 390
    keep_picture(small, "regions-390")


def test_scenes_of_one_region_take_turns_in_its_rectangle(visit, tmp_path):
    ssim = dataclasses.replace(MAPS[0], outcome="ssim", unit="")
    cem.report([MAPS[0], ssim, MAPS[2]], tmp_path / "turns.html")
    page = visit((tmp_path / "turns.html").as_uri())
    assert page.locator("#rectangles button").count() == 2
    for number in ("1", "0"):
        page.locator("#rectangles button").first.click()
        page.wait_for_function(f"document.querySelector('#region-list').value === '{number}'")


def test_the_whole_image_can_be_shown_restored_and_true(visit, tmp_path):
    restored, true = 255 - MAPS[0].degraded, np.roll(MAPS[0].degraded, 7, axis=1)
    found = dataclasses.replace(MAPS[0], images=Images(restored, true), extremes=None)
    cem.report(found, tmp_path / "whole.html")
    page = visit((tmp_path / "whole.html").as_uri(), ready=".card")
    assert page.locator("#images .part:visible").count() == 0
    slide(page, "opacity", 0)
    places = [(20, 30), (90, 120), (60, 70)]
    images = {"restored": restored, "true": true, "input": found.degraded}
    for name, expected in images.items():
        page.check(f"#image-{name}")
        settle(page)
        image = pixels(page, ".field canvas")
        step = image.shape[1] / (COLUMNS * BLOCK)
        for y, x in places:
            at = image[int((y + 0.5) * step), int((x + 0.5) * step)]
            np.testing.assert_array_equal(at, expected[y, x])
    keep_picture(page, "whole")


def test_the_view_is_in_the_address(visit, address):
    page = visit()
    cell = int(MAPS[0].extremes.cells[3])
    point(page, cell, click=True)
    slide(page, "limit", 40)
    slide(page, "tolerance", 3)
    page.check("#hide")
    page.check("#image-true")
    page.wait_for_timeout(600)
    told = page.evaluate("location.hash")
    assert told.startswith("#")
    again = visit(address + told)
    settle(again)
    for id in ("limit-value", "tolerance-value", "place"):
        assert again.inner_text(f"#{id}") == page.inner_text(f"#{id}")
    assert again.is_checked("#hide") and again.is_checked("#image-true")
    assert again.inner_text("#place").startswith("Block A: ")
    for hostile in ("#scene=9&block=-1.x&pins=99.99_a&tolerance=x&colours=x&image=x", "#%ff&&=="):
        visit(address + hostile)


def test_maps_and_cards_are_saved(visit, tmp_path):
    page = visit()
    kept = {}
    for text in ("Save picture", "Save numbers", "Save card", "Save draws"):
        with page.expect_download() as download:
            page.locator("button", has_text=text).first.click()
        kept[text] = tmp_path / download.value.suggested_filename
        download.value.save_as(kept[text])
    with Image.open(kept["Save picture"]) as picture, Image.open(kept["Save card"]) as card:
        assert picture.width > 400 and card.width > 400
        assert len(np.unique(np.asarray(card.convert("L")))) > 50
        if folder := os.environ.get("CEM_JAX_SCREENSHOTS"):
            picture.save(Path(folder) / "saved-map.png")
            card.save(Path(folder) / "saved-card.png")
    rows = np.genfromtxt(kept["Save numbers"], delimiter=",", names=True)
    np.testing.assert_array_equal(rows["effect"], MAPS[0].effect.ravel().astype(np.float32))
    np.testing.assert_array_equal(rows["samples"], MAPS[0].samples.ravel())
    draws = np.genfromtxt(kept["Save draws"], delimiter=",", names=True)
    values = MAPS[0].values.reshape(-1, MAPS[0].values.shape[2])[STRONGEST]
    np.testing.assert_allclose(draws["outcome"], values[np.isfinite(values)], atol=1e-3)


def test_a_patch_that_only_harms_less_is_not_called_helpful(visit):
    page = visit()
    behind = MAPS[0].extremes
    values = MAPS[0].values.reshape(-1, MAPS[0].values.shape[2])[behind.cells]
    best = np.nanmax(values, axis=1)
    for at in (np.flatnonzero(best <= MAPS[0].baseline)[:1], np.flatnonzero(best > 27.3)[:1]):
        if len(at):
            point(page, int(behind.cells[at[0]]))
            told = page.locator(".card").first.locator(".caption b").all_inner_texts()
            less = best[at[0]] <= MAPS[0].baseline
            assert told[2] == ("least harmful patch" if less else "most helpful patch")


def test_a_large_photograph_is_shown_at_its_resolution_when_zoomed(visit, tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (400, 2400, 3), np.uint8)
    found = made_map(roi=cem.ROI(192, 1200, 16, 16), image=image)
    cem.report(found, tmp_path / "large.html")
    page = visit((tmp_path / "large.html").as_uri())
    assert page.is_checked("#zoom")
    slide(page, "opacity", 0)
    shown = pixels(page, ".field canvas")
    near = page.evaluate("document.querySelector('.field canvas').width")
    row, column = (found.inside_roi | (found.samples > 0)).nonzero()
    left, top = (column.min() - 1) * BLOCK, (row.min() - 1) * BLOCK
    wide = (column.max() + 2) * BLOCK - left
    step = near / wide
    for y, x in ((3, 5), (20, 31), (50, 40)):
        place = shown[int((y + 0.5) * step), int((x + 0.5) * step)]
        np.testing.assert_array_equal(place, image[top + y, left + x])


def test_a_map_in_a_notebook_frame_opens(visit, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{MAPS[0]._repr_html_()}", "utf-8")
    page = visit(path.as_uri(), ready="iframe")
    frame = page.frame_locator("iframe")
    frame.locator(".card .pictures canvas").first.wait_for()
    assert int(frame.locator("[data-count=positive]").inner_text()) == MAPS[0].counts.positive
    keep_picture(page, "notebook")
