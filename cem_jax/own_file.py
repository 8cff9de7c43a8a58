"""Python files of the user, imported by their paths: `folder/file.py`."""

import contextlib
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

_SHARED = [Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib")]
"""Where modules lie that belong to no folder of the user."""
_BROUGHT: set[str] = set()
"""Names of modules that were imported because they lie beside a file."""


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
    own = {path.stem for path in folder.glob("*.py")}
    own |= {path.parent.name for path in folder.glob("*/__init__.py")}
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
    finally:
        sys.path.remove(str(folder))
        sys.modules.update(aside)


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
