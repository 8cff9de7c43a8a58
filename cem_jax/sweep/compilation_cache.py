"""Compiled programs kept on disk, so that the next run starts at once."""

from pathlib import Path

import jax

from cem_jax.plain_text import quoted, reason
from cem_jax.store.objects import as_place

_LEAST_SECONDS = 0.0
"""Programs that compile faster are not kept: a fresh process wants the smallest ones too."""


def default_cache() -> Path:
    """Where the command line keeps compiled programs: the user's cache folder."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("cem-jax", appauthor=False))


def use_compilation_cache(directory: str | Path | None = None) -> None:
    """Keeps plans and compiled programs on disk, and uses those that are there.

    Compiled programs are JAX's persistent cache; `cem_jax.sweep.kept` says what else is kept.

    The command line calls it; importing the package changes no setting.

    Args:
        directory: where; None takes the user's cache folder.

    Raises:
        ValueError: the directory cannot be written.
    """
    folder = default_cache() if directory is None else as_place(directory, "directory")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"directory={quoted(str(folder))} cannot be written: {reason(error)}"
        ) from error
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _LEAST_SECONDS)


def cache_variables() -> dict[str, str]:
    """Environment variables by which processes that are started use the user's cache folder."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(default_cache()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": str(_LEAST_SECONDS),
    }
