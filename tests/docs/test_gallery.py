"""Every picture of the pages stands under the lines that make it, or is a figure of the paper."""

import re

from pages import PAGES, ROOT

from cem_jax.experiments import figures
from cem_jax.experiments.gallery import programs

DOCS = ROOT / "docs"


def test_every_picture_of_the_gallery_stands_under_its_program():
    page = (DOCS / "gallery.md").read_text("utf-8")
    shown = re.findall(r"!\[[^]]+\]\(figures/([^)]+)\)", page)
    found = dict(programs(DOCS))
    assert list(found) == shown and len(shown) > 5
    for name, code in found.items():
        assert f'savefig("{name}"' in code  # it writes what stands under it
        assert (DOCS / "figures" / name).is_file()


def test_no_picture_is_left_over():
    pictures = {path.name for path in (DOCS / "figures").iterdir()}
    known = {name for name, _ in programs(DOCS)} | {f"{name}.png" for name in figures.NAMES}
    assert pictures <= known | {"folders.svg"}
    linked = {
        name for page in PAGES for name in re.findall(r"figures/([\w-]+\.\w+)\)", page.read_text())
    }
    assert linked <= pictures and {name for name, _ in programs(DOCS)} <= linked
