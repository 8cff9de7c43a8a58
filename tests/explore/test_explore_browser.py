"""Exploring in a headless Chromium: a region is dragged, its map firms up, a closed tab stops."""

import os
import shutil
import threading
import time
from pathlib import Path

import pytest
import small_session as small
from PIL import Image

import cem_jax as cem
from cem_jax.explore.server import Server

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
if CHROMIUM is None:
    pytest.skip("no chromium", allow_module_level=True)

PATIENCE = 120_000


@pytest.fixture(scope="module")
def server():
    with Server(small.session()) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, server):
    """Opens the page; afterwards nothing may have been asked of others, nor complained."""
    contexts, asked, complaints = [], [], []

    def opened(width: int = 1280, **options):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.address)
        until(page, "photo.png")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [text for text in complaints if "400" not in text] == []
    assert all(url.startswith((server.address, "data:", "blob:")) for url in asked)


def until(page, text: str) -> None:
    page.locator("#status", has_text=text).wait_for()


def drag(page, roi: cem.ROI) -> None:
    """Drags a region over the photograph of 96 x 112 pixels."""
    box = page.locator("#photo").bounding_box()
    step = box["width"] / 112
    page.mouse.move(box["x"] + (roi.x + 1) * step, box["y"] + (roi.y + 1) * step)
    page.mouse.down()
    page.mouse.move(
        box["x"] + (roi.x + roi.width - 1) * step, box["y"] + (roi.y + roi.height - 1) * step
    )
    page.mouse.up()


def free(server) -> bool:
    for _ in range(1200):
        if server.session.free:
            return True
        time.sleep(0.1)
    return False


def saved(page, tmp_path) -> cem.EffectMap:
    with page.expect_download() as download:
        page.click("#save-map")
    download.value.save_as(tmp_path / "map.npz")
    return cem.EffectMap.load(tmp_path / "map.npz")


def keep_picture(page, name: str) -> None:
    """A screenshot, where somebody asked for them: CEM_JAX_SCREENSHOTS=FOLDER pytest ..."""
    if folder := os.environ.get("CEM_JAX_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"explore-{name}.png", full_page=True)


WATCH = """() => {
  window.seen = new Set();
  const watch = () => {
    const canvas = document.querySelector(".field canvas");
    if (canvas) window.seen.add(canvas.toDataURL());
    requestAnimationFrame(watch);
  };
  watch();
}"""


def test_a_dragged_region_gets_its_map(visit, server, tmp_path):
    page = visit()
    page.evaluate(WATCH)
    drag(page, small.ROI)
    until(page, "done: ")
    assert page.evaluate("window.seen.size") >= 3
    small.same(saved(page, tmp_path), small.expected())
    assert "--roi 40,48,16,16" in page.inner_text("#command")
    positive = small.expected().counts.positive
    assert int(page.inner_text("[data-count=positive]")) == positive
    for name in ("restored", "true", "input"):
        page.check(f"#image-{name}")
    keep_picture(page, "done")
    page.click("#pin")
    page.select_option("#network", "blur")
    until(page, "done: ")
    assert page.locator(".panel h3").all_inner_texts() == ["wide", "blur", "First \u2212 second"]
    keep_picture(page, "compared")


def test_another_region_takes_the_place_of_the_first(visit, server, tmp_path):
    page = visit()
    drag(page, small.ROI)
    page.locator("#stop").wait_for()
    other = cem.ROI(16, 16, 16, 16)
    drag(page, other)
    until(page, "done: ")
    small.same(saved(page, tmp_path), small.expected(other))


def test_a_sweep_can_be_stopped(visit, server):
    page = visit()
    drag(page, cem.ROI(8, 8, 24, 24))
    page.click("#stop")
    until(page, "stopped")
    assert free(server)


def test_a_closed_tab_stops_its_sweep_and_frees_the_device(visit, server, tmp_path):
    page = visit()
    drag(page, cem.ROI(40, 56, 24, 32))
    page.locator("#stop").wait_for()
    page.close()
    assert free(server)
    again = visit()
    drag(again, small.ROI)
    until(again, "done: ")


def test_a_photograph_of_ones_own_and_what_is_none(visit, tmp_path):
    page = visit()
    hostile = tmp_path / "<img src=x onerror='window.hit=1'>$(x).png"
    Image.fromarray(small.photograph()).save(hostile)
    page.set_input_files("#file", hostile)
    until(page, hostile.name)
    assert page.evaluate("window.hit") is None
    drag(page, small.ROI)
    until(page, "done: ")
    assert (
        f"'{hostile.name.replace(chr(39), chr(39) + chr(34) + chr(39) + chr(34) + chr(39))}'"
        in (page.inner_text("#command"))
    )
    (tmp_path / "none.png").write_text("no image")
    page.set_input_files("#file", tmp_path / "none.png")
    page.locator("#problem", has_text="none.png").wait_for()
    assert len(page.inner_text("#problem").splitlines()) == 1
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(2**26 + 1)
    page.evaluate("document.querySelector('#problem').textContent = ''")
    page.set_input_files("#file", tmp_path / "large.png")
    page.locator("#problem", has_text="at most").wait_for()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light"), (390, "dark")])
def test_the_page_fits(visit, width, scheme):
    page = visit(width, color_scheme=scheme)
    drag(page, small.ROI)
    until(page, "done: ")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    keep_picture(page, f"{width}-{scheme}")


def test_the_map_and_its_scale_are_in_sight_while_one_drags(visit):
    page = visit()
    page.set_viewport_size({"width": 1280, "height": 720})
    drag(page, small.ROI)
    until(page, "done: ")
    assert page.evaluate("window.scrollY") == 0
    boxes = [page.locator(what).first.bounding_box() for what in ("#photo", ".field", "#legend")]
    for box in boxes:
        assert box["y"] >= 0 and box["y"] + box["height"] <= 720
    photo, field, _ = boxes
    assert field["x"] > photo["x"] + photo["width"] and field["width"] > 300
    card = page.locator(".card").first
    assert card.evaluate("card => card.scrollWidth <= card.clientWidth")
