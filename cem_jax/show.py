"""How results show themselves: the one way from a result up to what draws it.

What is drawn, and how, is known by `cem_jax.view` alone, which stands above all results. It is
found when a result is asked to show itself.
"""

import importlib
from typing import Any


def html(self: Any) -> str:
    """A result's `_repr_html_`: what a notebook shows of it; `repr` is its short text."""
    return importlib.import_module("cem_jax.view.notebook").html_of(self)


def plot(self: Any, ax: Any = None, **options: Any) -> Any:
    """Draws a result; see `cem_jax.plot`, or `cem_jax.plot_attribution` for an attribution.

    Args:
        self: the result.
        ax: matplotlib axes to draw into; None makes a figure.
        **options: of that function.

    Returns:
        The axes.
    """
    view = importlib.import_module("cem_jax.view.notebook")
    return view.drawing_of(self)(self, ax, **options)
