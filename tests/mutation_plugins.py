"""Plugins of pytest for the mutation run: which tests come first, and what all of them import."""

import ast
import json
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

Functions = Mapping[str, Sequence[Sequence[Any]]]
"""By test, the functions that it called: file, and the line that the function begins at."""


class Recorded:
    """Writes what each test took, and which functions of some files it called.

    Args:
        file: that is written, JSON; see `First`.
        files: whose functions are told.
    """

    def __init__(self, file: Path, files: Sequence[Path]) -> None:
        self.file, self.files = file, {str(path) for path in files}
        self.seconds: Counter[str] = Counter()
        self.called: dict[str, set[tuple[str, int]]] = {}
        self.now: set[tuple[str, int]] = set()

    def _note(self, frame: FrameType, event: str, arg: object) -> None:
        code = frame.f_code
        if code.co_filename in self.files:
            self.now.add((code.co_filename, code.co_firstlineno))

    def pytest_collection_finish(self) -> None:
        threading.settrace(self._note)
        sys.settrace(self._note)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.now = self.called.setdefault(nodeid, set())

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
        called = {test: sorted(found) for test, found in self.called.items()}
        self.file.write_text(json.dumps({"seconds": self.seconds, "called": called}))


class First:
    """Puts tests that call the function of a changed line first, and the quickest of them.

    Those that share what is made once for a module count as one.

    Args:
        file: that `Recorded` wrote.
        path: of the changed module.
        line: that is changed; 0 for none.
    """

    def __init__(self, file: Path, path: Path, line: int) -> None:
        known = json.loads(file.read_text())
        self.seconds: Mapping[str, float] = known["seconds"]
        function = [str(path), begin_of_function(path.read_text(), line) if line else 0]
        self.calling = {test for test, found in known["called"].items() if function in found}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        together: Counter[tuple[bool, str]] = Counter()

        def group(item: Any) -> tuple[bool, str]:
            return item.nodeid not in self.calling, _shares(item)

        for item in items:
            together[group(item)] += self.seconds.get(item.nodeid, 0.0)

        def place(item: Any) -> tuple[bool, float, str, float]:
            own, (late, module) = self.seconds.get(item.nodeid, 0.0), group(item)
            return late, (together[late, module] if module else own), module, own

        items.sort(key=place)


def begin_of_function(source: str, line: int) -> int:
    """The line that the innermost function around a line begins at, decorators included; else 0.

    Args:
        source: of the module.
        line: 1 for the first.
    """
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    begins = [
        min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, kinds) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return max(begins, default=0)


def _shares(item: Any) -> str:
    """The module of a test that shares a fixture with others; empty of others."""
    fixtures = [one for found in item._fixtureinfo.name2fixturedefs.values() for one in found]
    return "" if all(one.scope == "function" for one in fixtures) else item.nodeid.split("::")[0]


class Imported:
    """Writes the names of all modules that the tests have imported, but those of a folder.

    Args:
        file: that is written, a name in a line.
        but: the folder.
    """

    def __init__(self, file: Path, but: Path) -> None:
        self.file, self.but = file, but

    def pytest_sessionfinish(self) -> None:
        self.file.write_text("\n".join(filter(self._elsewhere, [*sys.modules])))

    def _elsewhere(self, name: str) -> bool:
        origin = getattr(getattr(sys.modules[name], "__spec__", None), "origin", None)
        return origin is not None and not Path(origin).is_relative_to(self.but)
