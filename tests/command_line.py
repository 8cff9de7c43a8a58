"""The command line, in a process of its own or within this one."""

import os
import subprocess
import sys

import cem_jax as cem
from cem_jax.cli.main import main


def call(*arguments: str, cwd=None) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "cem_jax.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=600)


def status(monkeypatch, *arguments: str) -> int:
    """The exit status of a command that is run within this process, where JAX has started."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["cem-jax", *arguments])
        patch.setitem(os.environ, "MPLBACKEND", "Agg")
        patch.setattr("signal.signal", lambda *more: None)
        for setting in ("use_all_cores", "use_compilation_cache"):
            patch.setattr(cem, setting, lambda: None)
        try:
            main()
        except SystemExit as done:
            return int(done.code or 0)
