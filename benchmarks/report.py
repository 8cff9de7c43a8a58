"""The report's size, and how soon it is open in a headless Chromium.

    python benchmarks/report.py [REPORT.html]

Without a file it writes the largest report that is promised to stay small: four networks, 32 x 32
blocks with 50 draws each, all of them with patches and restored regions (tests/report_maps.py). A
report is open when maps and blocks are shown; the fastest of five times counts.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

import cem_jax as cem

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from report_maps import largest_maps


def seconds_to_open(file: Path) -> float:
    """The fastest of five times from the address to the first block shown."""
    times = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for _ in range(5):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            begun = time.perf_counter()
            page.goto(file.resolve().as_uri())
            page.wait_for_selector(".card .pictures canvas")
            times.append(time.perf_counter() - begun)
            page.close()
        browser.close()
    return min(times)


def main() -> None:
    """Prints size and time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?")
    file = parser.parse_args().file
    with tempfile.TemporaryDirectory() as folder:
        if file is None:
            file = Path(folder) / "report.html"
            begun = time.perf_counter()
            cem.report(largest_maps(), file)
            print(f"written in {time.perf_counter() - begun:.1f} s")
        print(f"{file.stat().st_size / 1e6:.1f} MB, open in {seconds_to_open(file):.2f} s")


if __name__ == "__main__":
    main()
