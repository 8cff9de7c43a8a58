"""The report in a headless Chromium: its pictures, many regions, its address, and what it saves."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import report_page
from PIL import Image
from report_maps import BLOCK, made_map
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
from cem_jax.map.images import Images

address, browser, visit = report_page.address, report_page.browser, report_page.visit  # fixtures

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
    for place in (0, 7, 150, 299):
        page.locator(f'#rectangles button[data-scenes="{place}"]').click(position={"x": 3, "y": 3})
        roi, told = rois[place], f"{maps[place].baseline:.3f} dB on the region"
        page.locator(".baseline", has_text=told).wait_for()
        chosen = page.locator('#rectangles button[aria-pressed="true"]')
        assert chosen.count() == 1 and page.input_value("#region-list") == str(place)
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
    for place in ("1", "0"):
        page.locator("#rectangles button").first.click()
        page.wait_for_function(f"document.querySelector('#region-list').value === '{place}'")


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


@pytest.mark.parametrize("width", [1280, 390])
def test_maps_of_a_row_stand_at_one_height(visit, tmp_path, width):
    names = ("first", "a checkpoint whose name is so long that it takes several lines")
    maps = [made_map(name, (40, 50), seed=seed) for seed, name in enumerate(names)]
    maps = [dataclasses.replace(one, provenance={**one.provenance, **ALIKE}) for one in maps]
    cem.report(maps, tmp_path / "report.html")
    page = visit((tmp_path / "report.html").as_uri(), width=width)
    boxes = [one.bounding_box() for one in page.locator(".field").all()]
    assert len(boxes) == 3
    row = [box["y"] for box in boxes if box["x"] > boxes[0]["x"]]
    assert row[0] == pytest.approx(boxes[0]["y"], abs=0.5)
    if width == 1280:
        assert row == pytest.approx([boxes[0]["y"]] * 2, abs=0.5)
    for bar in page.locator(".bar").all():
        for one in bar.locator("span").all():
            sign = one.get_attribute("class")
            count = bar.locator("xpath=following-sibling::p").locator(f"[data-count={sign}]")
            seen = one.evaluate("part => part.clientWidth") >= 2
            assert seen == (int(count.inner_text()) > 0), sign


def test_a_saved_map_says_what_it_shows(visit):
    page = visit()
    page.evaluate(
        """() => {
          window.written = [];
          const write = CanvasRenderingContext2D.prototype.fillText;
          CanvasRenderingContext2D.prototype.fillText = function (text, ...where) {
            window.written.push([text, where[1], this.canvas.height]);
            return write.call(this, text, ...where);
          };
        }"""
    )
    with page.expect_download():
        page.locator("button", has_text="Save picture").first.click()
    written = page.evaluate("window.written")
    told = " ".join(text for text, *_ in written)
    shown = page.locator(".panel").first
    assert shown.locator(".baseline").inner_text() in told
    assert shown.locator(".tally").text_content() in told
    for part in ("sign uncertain, the 95 % interval holds 0", "green: the region", "out of reach"):
        assert part in told
    assert all(y < height - 5 for _, y, height in written)
