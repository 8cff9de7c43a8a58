"""The mutation run itself: faults that a test sees are noticed, others are printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mutation import ROOT, mutants
from mutation_explained import EXPLAINED

TINY = """
def twice(x):
    return x + x


def at_least(x):
    return max(x, 0)
"""
SEEN = """
import tiny


def test_tiny():
    assert tiny.twice(3) == 6 and tiny.at_least(3) == 3
"""
RUN = """
import argparse, mutation, pathlib
mutation.ROOT = pathlib.Path.cwd()
options = argparse.Namespace(only="", sample=None, seed=0, select="", limit=60.0)
mutation.run(["tiny.py"], ["test_tiny.py"], options, pathlib.Path("seconds.json"))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system that cannot fork")
def test_what_no_test_notices_is_printed(tmp_path: Path):
    def told() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True
        )
        return (done.stdout or done.stderr).splitlines()

    (tmp_path / "tiny.py").write_text(TINY)
    (tmp_path / "test_tiny.py").write_text(SEEN)
    assert told() == [
        "tiny.py:7: 0  ->  1", "2 mutants, 1 survived, 0 were not decided"
    ]  # fmt: skip
    (tmp_path / "test_tiny.py").write_text("def test_nothing():\n    pass\n")
    assert told() == ["no test of test_tiny.py imports tiny.py"]
    (tmp_path / "test_tiny.py").write_text("def test_nothing():\n    assert False\n")
    assert told() == ["the tests fail without a change: test_tiny.py"]


@pytest.mark.parametrize("path", EXPLAINED)
def test_what_is_explained_is_there(path: str):
    source = (ROOT / path).read_text()
    lines = source.splitlines()
    there = {(lines[line - 1].strip(), change) for line, change, _ in mutants(source)}
    assert not set(EXPLAINED[path]) - there
