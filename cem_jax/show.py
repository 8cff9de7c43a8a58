"""How results show themselves in notebooks and as drawings.

What is drawn, and how, is known by `view`, which stands above all results. The package itself,
which stands above `view`, says here how to find it; it is loaded when a result is first asked to
show itself.
"""

from collections.abc import Callable
from typing import Any


def _nobody() -> Any:
    raise RuntimeError("results are shown by cem_jax.view, which `cem_jax` makes known")


_drawings: Callable[[], Any] = _nobody


def drawn_by(load: Callable[[], Any]) -> None:
    """Makes known what shows results.

    Args:
        load: returns a module with `html_of(result)` and `drawing_of(result)`.
    """
    global _drawings
    _drawings = load


def html(self: Any) -> str:
    """A result's `_repr_html_`: what a notebook shows of it; `repr` is its short text."""
    return _drawings().html_of(self)


def plot(self: Any, ax: Any = None, **options: Any) -> Any:
    """Draws a result; see `cem_jax.plot`, or `cem_jax.plot_attribution` for an attribution.

    Args:
        self: the result.
        ax: matplotlib axes to draw into; None makes a figure.
        **options: of that function.

    Returns:
        The axes.
    """
    return _drawings().drawing_of(self)(self, ax, **options)
