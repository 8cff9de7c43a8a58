"""The report in a headless Chromium: fixtures that open it, and what tests do to its page."""

import base64
import io
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_maps import made_map

import cem_jax as cem

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


def number(text: str) -> float:
    return float(re.search(r"[+\u2212]?[\d.]+", text)[0].replace("\u2212", "-"))


STRONGEST = int(np.nanargmax(np.abs(MAPS[0].effect)))
