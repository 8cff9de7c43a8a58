"""Python code of the user, by where it is: `package.module:name` or `folder/file.py:name`."""

import contextlib
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

_SHARED = [Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib")]
"""Where modules lie that belong to no folder of the user."""
_BROUGHT: set[str] = set()
"""Names of modules that were imported because they lie beside a file."""


def split_code(text: str) -> tuple[str, str]:
    """Where code is, and the name of what is wanted of it, which may have dots.

    Args:
        text: `package.module:name` or `folder/file.py:name`.

    Raises:
        ValueError: another form; the message says which are accepted.
    """
    where, _, name = text.rpartition(":")
    dotted = all(part.isidentifier() for part in where.split("."))
    if not (dotted or where.endswith(".py")) or not all(map(str.isidentifier, name.split("."))):
        raise ValueError("expected package.module:function, file.py:function or file.onnx")
    return where, name


def is_onnx(text: str) -> bool:
    """Whether a text names an ONNX file, which is a network without code."""
    return text.lower().endswith(".onnx")


def import_file(path: Path) -> Any:
    """A module of its own from a file; files of one name in two folders are two modules.

    It is called by the file's name and content: what looks its classes up finds them, none of them
    passes for part of an installed package of that name, and the folder may move.

    Args:
        path: of a Python file, which is executed.

    Raises:
        ValueError: there is no such file.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not a file")
    content = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    name = f"file_{path.stem}_{content}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        _restore(name, before)
        if "relative import" not in str(error):
            raise
        raise ValueError(
            f"{error}; a file of a package is named as package.module:function, in the folder that "
            "holds the package"
        ) from error
    except BaseException:
        _restore(name, before)
        raise
    return module


def _restore(name: str, before: ModuleType | None) -> None:
    if before is None:
        sys.modules.pop(name, None)
    else:
        sys.modules[name] = before


@contextlib.contextmanager
def beside(folder: Path) -> Iterator[None]:
    """The modules of a folder can be imported, but for those whose names installed ones have.

    Raises:
        ValueError: at the end, where a module was imported whose name another folder's has too.
    """
    folder = folder.resolve()
    own = _modules_in(folder)
    aside = {name: sys.modules.pop(name) for name in own & _BROUGHT if _is_another(name, folder)}
    before = set(sys.modules)
    sys.path.append(str(folder))
    try:
        yield
        new = own & (set(sys.modules) - before)
        for name in sorted(new):
            other = aside.get(name, sys.modules[name])
            if name in aside or _is_another(name, folder):
                raise ValueError(
                    f"it imports {name}, which is in {folder} and also {_place(other)}; give one "
                    "of them another name, or use them in two processes"
                )
        _BROUGHT.update(new)
        keep_for_later(folder)
    finally:
        sys.path.remove(str(folder))
        sys.modules.update(aside)


class _Later(importlib.abc.MetaPathFinder):
    """Finds what lies in folders of the user and nowhere else, and in one of them alone."""

    folders: ClassVar[list[Path]] = []

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        """As Python's import asks for it."""
        there = [] if path else [one for one in self.folders if fullname in _modules_in(one)]
        if not there:
            return None
        if len(there) > 1:
            raise ImportError(
                f"{fullname} is in {there[0]} and also in {there[1]}; give one of them another "
                "name, or use them in two processes"
            )
        _BROUGHT.add(fullname)
        return importlib.machinery.PathFinder.find_spec(fullname, [str(there[0])], target)


def keep_for_later(folder: Path) -> None:
    """The modules of a folder can be imported by code that does so when it is called.

    Args:
        folder: of the user.
    """
    if not any(isinstance(one, _Later) for one in sys.meta_path):
        sys.meta_path.append(_Later())  # the last one, so that whatever else finds it goes before
    if folder.resolve() not in _Later.folders:
        _Later.folders.append(folder.resolve())


def _modules_in(folder: Path) -> set[str]:
    """The names of modules and packages that lie in a folder."""
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    return packages | {path.stem for path in folder.glob("*.py")}


def _place(module: ModuleType) -> Path | None:
    """The file of a module, of a package the folder; None for what is built in."""
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    found = Path(file).resolve()
    return found.parent if found.name == "__init__.py" else found


def _is_another(name: str, folder: Path) -> bool:
    """Whether an imported module is the user's, of another folder."""
    place = _place(sys.modules[name]) if name in sys.modules else None
    if place is None or place.parent == folder:
        return False
    return not any(place.is_relative_to(shared.resolve()) for shared in _SHARED)
