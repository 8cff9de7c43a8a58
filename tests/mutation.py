"""Small faults, put into the source one at a time: does a test notice?

    python tests/mutation.py plans --sample 40        # or statistics, store, cone, rules, sweep

Each mutant changes one operator, comparison, constant, argument of `axis` or condition of a module
and runs the tests that belong to it until one fails; those that call the changed function come
first. What survives is printed with its line: a test is missing there, or the change means nothing;
then `mutation_explained.py` says why, and the mutant is not tried again. Mutants are made in
memory; no file is touched. Needs a system that can fork.
"""

import argparse
import ast
import importlib
import io
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from mutation_explained import EXPLAINED
from mutation_plugins import First, Imported, Recorded

ROOT = Path(__file__).parents[1]

GROUPS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "plans": (
        (
            "cem_jax/plans/adaptive.py", "cem_jax/plans/surprise.py", "cem_jax/plans/drawing.py",
            "cem_jax/plans/estimate.py", "cem_jax/plans/coarse_to_fine.py",
            "cem_jax/plans/every_block.py", "cem_jax/plans/plan.py", "cem_jax/plans/names.py",
            "cem_jax/pool/strata.py",
        ),
        ("tests/pool/test_strata.py", "tests/plans/test_plan_names.py",
         "tests/plans/test_promises.py", "tests/plans/test_precision.py",
         "tests/plans/test_intervals.py", "tests/plans/test_plans.py"),
    ),
    "statistics": (
        ("cem_jax/map/difference.py", "cem_jax/map/noise.py", "experiments/figures/masking.py",
         "experiments/figures/measures.py", "experiments/figures/statistics.py"),
        ("tests/map/test_difference.py", "tests/map/test_noise.py", "tests/plans/test_intervals.py",
         "tests/experiments/test_figure_numbers.py", "tests/experiments/test_figure_measures.py",
         "tests/view/test_compare.py"),
    ),
    "store": (
        ("cem_jax/store/store.py", "cem_jax/store/resume.py"),
        ("tests/store/test_store.py", "tests/store/test_answers.py", "tests/store/test_objects.py",
         "tests/sweep/test_devices.py"),
    ),
    "cone": (
        ("cem_jax/cone/analyse.py", "cem_jax/cone/windows.py", "cem_jax/cone/pasting.py"),
        ("tests/cone/test_windows.py", "tests/cone/test_operations.py",
         "tests/cone/test_analyse.py", "tests/cone/test_pasting.py", "tests/cone/test_exact.py"),
    ),
    "rules": (
        ("cem_jax/cone/regions.py", "cem_jax/cone/rules/window.py"),
        ("tests/cone/test_boxes.py", "tests/cone/test_slides.py"),
    ),
    "sweep": (
        ("cem_jax/sweep/sweep.py", "cem_jax/sweep/chunks.py", "cem_jax/sweep/source.py"),
        ("tests/sweep", "tests/effects/test_method.py"),
    ),
}  # fmt: skip
"""Modules and the tests that should notice."""

_SWAPS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or,
    ast.Or: ast.And, ast.USub: ast.UAdd, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


def mutants(source: str) -> Iterator[tuple[int, str, ast.Module]]:
    """Every mutant of a module: its line, what was changed, and the changed tree."""
    count = sum(1 for _ in _places(ast.parse(source)))
    for number in range(count):
        tree = ast.parse(source)
        node, kind, index = next(p for n, p in enumerate(_places(tree)) if n == number)
        before = ast.unparse(node)
        _change(node, kind, index)
        yield node.lineno, f"{before}  ->  {ast.unparse(node)}", ast.fix_missing_locations(tree)


def unexplained(path: str) -> Iterator[tuple[str, int, str, ast.Module]]:
    """The mutants of a file that may not survive, each with its path."""
    source = (ROOT / path).read_text()
    lines, explained = source.splitlines(), EXPLAINED.get(path, {})
    for line, change, tree in mutants(source):
        if (lines[line - 1].strip(), change) not in explained:
            yield path, line, change, tree


def _places(tree: ast.Module) -> Iterator[tuple[ast.expr, str, int]]:
    """What can be changed: the expression, how, and which part of it."""
    aside = _aside(tree)
    skipped = {
        id(part)
        for node in ast.walk(tree)
        for part in ast.walk(node)
        # Messages, annotations and decorators are nothing that a test should hold to the letter.
        if isinstance(node, ast.JoinedStr | ast.Raise) or id(node) in aside
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp) and type(node.op) in _SWAPS:
            yield node, "op", 0
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
            yield node, "drop", 0
        elif isinstance(node, ast.Compare):
            for index, operator in enumerate(node.ops):
                if type(operator) in _SWAPS:
                    yield node, "ops", index
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
            yield node, "constant", 0


def _aside(tree: ast.Module) -> set[int]:
    """The annotations and decorators of a module."""
    found = set()
    for parent in ast.walk(tree):
        for name in ("annotation", "returns"):
            if getattr(parent, name, None) is not None:
                found.add(id(getattr(parent, name)))
        found |= {id(one) for one in getattr(parent, "decorator_list", ())}
    return found


def _change(node: ast.expr, kind: str, index: int) -> None:
    if kind == "op":
        node.op = _SWAPS[type(node.op)]()  # type: ignore[attr-defined]
    elif kind == "ops":
        node.ops[index] = _SWAPS[type(node.ops[index])]()  # type: ignore[attr-defined]
    elif kind == "drop":
        node.op = ast.UAdd() if isinstance(node.op, ast.Invert) else ast.Not()  # type: ignore
        if isinstance(node.op, ast.Not):  # type: ignore[attr-defined]
            node.operand = ast.UnaryOp(ast.Not(), node.operand)  # type: ignore[attr-defined]
    elif isinstance(node.value, bool):  # type: ignore[attr-defined]
        node.value = not node.value  # type: ignore[attr-defined]
    else:
        node.value = node.value + 1  # type: ignore[attr-defined]


def put(path: Path, tree: ast.Module) -> None:
    """Lets a file be imported as a changed tree, whoever imports it, and never from bytecode.

    The loader of all files is changed, since the hook of `conftest.py` finds modules before any
    finder of ours would.
    """
    changed, loader = ast.unparse(tree).encode(), SourceFileLoader
    read, stats = loader.get_data, loader.path_stats

    def get_data(self: SourceFileLoader, name: str) -> bytes:
        return changed if Path(name) == path else read(self, name)

    def path_stats(self: SourceFileLoader, name: str) -> Mapping[str, Any]:
        if Path(name) == path:
            raise OSError("its bytecode is another's")
        return stats(self, name)

    loader.get_data, loader.path_stats = get_data, path_stats  # type: ignore[method-assign]


def notices(
    path: Path,
    tree: ast.Module | None,
    tests: Sequence[str],
    select: str,
    limit: float,
    plugin: object,
    *more: str,
) -> bool | None:
    """Whether a test fails with a module changed, in a child process; None: none did in time.

    The plugin and further arguments are for pytest.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if tree is not None:
                put(path, tree)
            import pytest

            os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they take a second to load
            options = ["-q", "-x", "-p", "no:cacheprovider", "-m", "", "-k", select, *more]
            options += ["-o", "addopts=--strict-markers"]  # others are for those plugins
            options.append("--assert=plain")  # nobody reads why a test fails
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                code = int(pytest.main([*options, *tests], plugins=[plugin]))
        finally:
            os._exit(code)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status != 0
        time.sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return None


def main() -> None:
    """Prints the mutants that no test notices, and how many were tried."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("group", choices=tuple(GROUPS))
    parser.add_argument("--sample", type=int, help="how many mutants, at random; all otherwise")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="places, as path:line, that hold this text")
    parser.add_argument("--select", default="", help="which of the tests, as pytest -k")
    parser.add_argument(
        "--limit", type=float, help="seconds for one mutant; a minute and five times the tests'"
    )
    args = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT / "tests"))
    paths, tests = GROUPS[args.group]
    with tempfile.TemporaryDirectory() as folder:
        run(paths, tests, args, Path(folder) / "seconds.json")


def import_of_others(tests: Sequence[str], select: str, file: Path) -> None:
    """Imports all that tests import, but nothing of the package: before the fork, it costs once."""
    notices(ROOT, None, tests, select, 36_000, Imported(file, ROOT), "--collect-only")
    for module in file.read_text().splitlines():
        with suppress(Exception):
            importlib.import_module(module)


def run(
    paths: Sequence[str], tests: Sequence[str], args: argparse.Namespace, seconds: Path
) -> None:
    """Tries a sample of the mutants of modules, see `main`."""
    todo = [one for path in paths for one in unexplained(path)]
    todo = [one for one in todo if args.only in f"{one[0]}:{one[1]}"]
    if args.sample is not None and args.sample < len(todo):
        todo = sorted(random.Random(args.seed).sample(todo, args.sample), key=lambda one: one[:2])
    files = [ROOT / path for path in sorted({path for path, *_ in todo})]
    import_of_others(tests, args.select, seconds.with_name("modules.txt"))
    begun = time.monotonic()
    recorded = Recorded(seconds, files)
    if notices(ROOT, None, tests, args.select, 36_000, recorded) is not False:
        sys.exit(f"the tests fail without a change: {' '.join(tests)}")
    limit = args.limit or 60 + 5 * (time.monotonic() - begun)
    wrong = ast.parse("raise AssertionError('no test imports this module')")
    for path in files:
        if not notices(path, wrong, tests, args.select, limit, First(seconds, path, 0)):
            sys.exit(f"no test of {' '.join(tests)} imports {path.relative_to(ROOT)}")
    survived = {False: 0, None: 0}
    for number, (path, line, change, tree) in enumerate(todo):
        print(f"{number} of {len(todo)}", end="\r", file=sys.stderr, flush=True)
        first = First(seconds, ROOT / path, line)
        noticed = notices(ROOT / path, tree, tests, args.select, limit, first)
        if not noticed:
            survived[noticed] += 1
            late = "" if noticed is False else f" (no test failed within {limit:.0f} s)"
            print(f"{path}:{line}: {change}{late}", flush=True)
    print(f"{len(todo)} mutants, {survived[False]} survived, {survived[None]} were not decided")


if __name__ == "__main__":
    main()
