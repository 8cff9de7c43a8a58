"""Figures as files that exist whole or not at all."""

import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cem_jax.plain_text import quoted
from cem_jax.store.atomic import write_file
from cem_jax.store.objects import AnyPath, as_place

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_bytes(figure: "Figure", suffix: str, **options: Any) -> bytes:
    """A figure as a file of the kind of a suffix.

    A name in a script that the font does not have is drawn as boxes, without a warning.

    Args:
        figure: the figure.
        suffix: "png", "pdf" or another that matplotlib writes.
        **options: of matplotlib's `savefig`.

    Raises:
        ValueError: matplotlib writes no such files.
    """
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(drawn, format=suffix, **options)
    return drawn.getvalue()


def write_figure(figure: "Figure", path: str | AnyPath, **options: Any) -> None:
    """Writes a figure, of the kind that the file's name ends in.

    Args:
        figure: the figure.
        path: the file, in a folder that exists.
        **options: of matplotlib's `savefig`.

    Raises:
        ValueError: the file cannot be written, or matplotlib writes no such files.
    """
    path = as_place(path)
    write_file(
        path, figure_bytes(figure, path.suffix.removeprefix(".").lower() or "png", **options)
    )


def write_pages(figures: "Sequence[Figure]", path: str | AnyPath, **options: Any) -> None:
    """Writes figures: one of any kind, or several as the pages of a PDF.

    Args:
        figures: at least one.
        path: the file, in a folder that exists.
        **options: of matplotlib's `savefig`.

    Raises:
        ValueError: several that are no PDF, or the file cannot be written.
    """
    from matplotlib.backends.backend_pdf import PdfPages

    path = as_place(path)
    if len(figures) == 1:
        write_figure(figures[0], path, **options)
        return
    if path.suffix.lower() != ".pdf":
        raise ValueError(
            f"path={quoted(str(path))}: maps of {len(figures)} pages; expected a .pdf, or fewer "
            "maps"
        )
    drawn = io.BytesIO()
    with warnings.catch_warnings(), PdfPages(drawn) as pages:
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        for figure in figures:
            pages.savefig(figure, **options)
    write_file(path, drawn.getvalue())
