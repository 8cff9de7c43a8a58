"""The commit of the clone that the package is run from."""

import functools
import subprocess
from pathlib import Path


@functools.cache
def commit() -> str | None:
    """As `git describe` tells it, with "-dirty" behind it where files were changed; or None."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=10"],
            cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
