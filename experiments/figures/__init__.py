"""The figures of the paper: each is computed into a folder, and drawn from there.

    cem-jax figures NAME... [--preset quick|compact|full] [--weights DIR] [--out DIR]
    cem-jax figures --check [NAME...] [--weights DIR] [--seed N] [--minutes M]

A figure is a module with `compute(study) -> results`, `draw(store, results, colour_map) -> Figure`
and `expected(results) -> str`; its docstring says what the paper claims, and how to make it. One
with networks of its own has `files()` too, their weights.

As in `cem_jax`, a module is imported when one of its names is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "names": ["NAMES"],
        "preset": ["PRESETS", "Preset"],
        "repeat": ["Repeated", "check", "summary"],
        "run": ["Made", "claim", "draw_anew", "find", "make", "redraw"],
        "store": ["Store"],
    },
)
