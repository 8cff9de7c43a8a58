"""The command line in a process of its own."""

import subprocess
import sys


def call(*arguments: str, cwd=None) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "cem_jax.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=600)
