"""All pictures of the pages, made anew: the gallery's by its own programs, run on the demo's maps.

    cem-jax demo --out cem-demo
    python -m cem_jax.experiments.gallery cem-demo docs

The figures of the paper take hours to compute. Where they were computed, `--figures
figures/compact` draws them anew too and puts them into the pages.
"""

import argparse
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import matplotlib

import cem_jax as cem

PAGE = "gallery.md"
_PROGRAM = re.compile(r"```python\n(.*?)```\n\n!\[[^]]*\]\(figures/([^)]+)\)", re.S)
_MAPS = {"sr.npz": "SR", "dn.npz": "DN", "dr.npz": "DR"}
"""Maps of the page by the tasks of the demo."""
_SECOND = "SRResNet_DN-compact"
"""Of which the page has a second map of the denoising scene."""


def programs(docs: Path) -> list[tuple[str, str]]:
    """The programs of the page that have a picture, each with its file's name.

    Args:
        docs: folder of the pages.

    Raises:
        ValueError: there is no such page.
    """
    page = docs / PAGE
    if not page.is_file():
        raise ValueError(f"{page}: no such page")
    return [(name, code) for code, name in _PROGRAM.findall(page.read_text("utf-8"))]


def draw(maps: Path, docs: Path) -> list[Path]:
    """Runs the programs of the page, each of which writes the picture that it stands above.

    Args:
        maps: folder of the demo.
        docs: folder of the pages.

    Returns:
        The pictures.

    Raises:
        ValueError: the demo's maps are not there, or a program does not write its picture.
    """
    import matplotlib.pyplot as plt

    found, written, figures = programs(docs), [], docs.resolve() / "figures"
    with tempfile.TemporaryDirectory() as name, _in_folder(Path(name), maps.resolve()):
        for file, code in found:
            exec(compile(code, f"{PAGE}: {file}", "exec"), {})
            plt.close("all")
            if not Path(file).is_file():
                raise ValueError(f"{docs / PAGE}: the program above {file} does not write it")
            written.append(Path(shutil.copyfile(file, figures / file)))
    return written


@contextlib.contextmanager
def _in_folder(folder: Path, maps: Path) -> Iterator[None]:
    """A folder with the maps that the programs speak of, while it lasts the current one."""
    from cem_jax.experiments.demo import PLAN, ROI, make_scene

    for file, task in _MAPS.items():
        cem.EffectMap.load(maps / task / "map.npz").save(folder / file)
    second = cem.causal_effect_map(
        cem.load(_SECOND), make_scene("DN"), ROI, plan=PLAN, directory=maps / "second",
        progress=False,
    )  # fmt: skip
    second.save(folder / "second.npz")
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def draw_figures(folder: Path, docs: Path) -> list[Path]:
    """Draws the figures of the paper from what was computed, and puts them into the pages.

    Args:
        folder: of a preset, as `cem-jax figures` writes it.
        docs: folder of the pages.

    Returns:
        The pictures.

    Raises:
        ValueError: nothing was computed there, or a figure cannot be drawn.
    """
    from cem_jax.experiments import figures
    from cem_jax.experiments.publish import publish

    names = [name for name in figures.NAMES if (folder / f"{name}.json").is_file()]
    if not names:
        raise ValueError(f"{folder}: no results of figures in this folder")
    for made in figures.redraw(names, folder.parent, folder.name):
        if made.problem:
            raise ValueError(f"{made.name}: {made.problem}")
    publish(folder, docs)
    return [docs / "figures" / f"{name}.png" for name in names]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("maps", type=Path, help="folder of the demo")
    parser.add_argument("docs", type=Path, help="folder of the pages")
    parser.add_argument("--figures", type=Path, help="folder of a preset's computed figures")
    given = parser.parse_args()
    matplotlib.use("Agg")
    written = draw(given.maps, given.docs)
    if given.figures is not None:
        written += draw_figures(given.figures, given.docs)
    print("\n".join(map(str, written)))


if __name__ == "__main__":
    main()
