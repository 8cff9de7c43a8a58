"""What is called on the host, told apart: ONNX files by their bytes, torch modules by all of them.

A sweep goes on only with the network that it was begun with; of what JAX cannot look into, these
are the fingerprints.
"""

import dataclasses
import functools
import hashlib
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_BY_NAME = ("torch", "numpy", "builtins", "math", "operator", "logging", "typing")
"""Packages whose code is known by its version, or changes no result from version to version."""
_INSTALLED = ("site-packages", "dist-packages")
"""Folders of packages that nobody changes while they are used: their text says what they do."""


def digest_file(path: Path) -> str:
    """A fingerprint of a file, and of the files beside it that it names (weights kept apart)."""
    data = path.read_bytes()
    found = hashlib.sha256(data)
    for other in sorted(path.parent.iterdir()):
        if other != path and other.is_file() and other.name.encode() in data:
            found.update(other.name.encode() + other.read_bytes())
    return found.hexdigest()


class _UnknownError(Exception):
    """Something that holds what cannot be seen."""


def digest_module(module: Any) -> str | None:
    """A fingerprint of a torch module: classes and their code, weights, and all other attributes.

    Args:
        module: a `torch.nn.Module`.

    Returns:
        None where it holds something whose contents are unknown.
    """
    collected = _Collected()
    try:
        collected.module(module)
    except _UnknownError:
        return None
    return collected.hash.hexdigest()


@dataclasses.dataclass(frozen=True)
class _Collected:
    """What was found, as a hash; every object is entered once."""

    hash: Any = dataclasses.field(default_factory=hashlib.sha256)
    seen: dict[int, int] = dataclasses.field(default_factory=dict)
    kept: list[Any] = dataclasses.field(default_factory=list)

    def text(self, *parts: object) -> None:
        self.hash.update(repr(parts).encode())

    def module(self, module: Any) -> None:
        self.code_of(type(module))
        for name, value in sorted(vars(module).items()):
            if name == "training":  # it is put into evaluation mode
                continue
            self.text("attribute", name)
            self.value(value)

    def is_new(self, value: Any) -> bool:
        """Whether an object is met for the first time; else its number is entered."""
        if id(value) in self.seen:
            self.text("again", self.seen[id(value)])
            return False
        self.seen[id(value)] = len(self.seen)
        self.kept.append(value)  # so that no other object gets its id
        return True

    def code_of(self, kind: type) -> None:
        """What defines a class and those that it inherits from: their files, and what these read.

        The text of a file does not tell values that it computes, or that others put into it.
        """
        for one in kind.__mro__:
            if not self.is_new(one):
                continue
            self.text("class", one.__module__, one.__qualname__)
            package = one.__module__.partition(".")[0]
            if package in _BY_NAME:
                self.text("version", getattr(sys.modules.get(package), "__version__", ""))
                continue
            try:
                source = inspect.getsource(sys.modules[one.__module__])
            except (OSError, TypeError, KeyError):
                try:
                    source = inspect.getsource(one)
                except (OSError, TypeError) as error:
                    raise _UnknownError from error
            self.text("source", source)
            if _is_installed(one.__module__):
                continue
            for member in vars(one).values():
                parts = (getattr(member, name, None) for name in ("__func__", "fget", "func"))
                for function in (member, *parts):
                    if isinstance(function, FunctionType):
                        self.value(function)

    def value(self, value: Any) -> None:
        if isinstance(value, _PLAIN):
            self.text(type(value).__name__, value)
            return
        if isinstance(value, type):
            self.code_of(value)
            return
        if not self.is_new(value):
            return
        kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(value).__mro__}
        if "torch.nn.modules.module.Module" in kinds:
            self.module(value)
        elif "torch.Tensor" in kinds:
            self.array(value.detach().cpu())
        elif isinstance(value, np.ndarray | np.generic):
            self.text("array", str(value.dtype), value.shape, value.tobytes())
        elif isinstance(value, Mapping):
            self.text("mapping", len(value))
            for key, item in value.items():
                self.value(key)
                self.value(item)
        elif isinstance(value, list | tuple):
            self.text(type(value).__name__, len(value))
            for item in value:
                self.value(item)
        elif isinstance(value, set | frozenset):
            self.text("set", sorted(map(repr, value)))
        elif isinstance(value, FunctionType):
            self.function(value)
        elif isinstance(value, functools.partial):
            self.value((value.func, value.args, value.keywords))
        elif isinstance(getattr(value, "__wrapped__", None), FunctionType):  # as lru_cache does
            self.value(value.__wrapped__)
        elif isinstance(value, MethodType):
            self.value(value.__self__)
            self.value(value.__func__)
        else:
            self.named(value)

    def array(self, tensor: Any) -> None:
        self.text("tensor", str(tensor.dtype), tuple(tensor.shape))
        if str(tensor.dtype) in ("torch.bfloat16", "torch.float16"):
            tensor = tensor.float()
        try:
            self.hash.update(np.ascontiguousarray(tensor.numpy()).tobytes())
        except (TypeError, RuntimeError) as error:
            raise _UnknownError from error

    def function(self, function: FunctionType) -> None:
        self.text("function", function.__module__, function.__qualname__)
        if function.__module__.partition(".")[0] in _BY_NAME:
            return
        self.code(function.__code__)
        for cell in function.__closure__ or ():
            self.value(cell.cell_contents)
        for default in (function.__defaults__ or ()) + tuple(
            (function.__kwdefaults__ or {}).values()
        ):
            self.value(default)
        if _is_installed(function.__module__):
            return
        for name in _names(function.__code__):  # globals that it reads
            if name in function.__globals__:
                held = function.__globals__[name]
                self.text("global", name)
                self.text(held.__name__) if inspect.ismodule(held) else self.value(held)

    def code(self, code: CodeType) -> None:
        self.text("code", code.co_code, code.co_names)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self.code(constant)
            else:
                self.text(repr(constant))

    def named(self, value: Any) -> None:
        """Built-in functions, types of numbers, devices: what they are called says all."""
        package = type(value).__module__.partition(".")[0]
        if isinstance(value, BuiltinFunctionType):
            self.text("built-in", value.__module__, value.__qualname__)
        elif package in _BY_NAME and " at 0x" not in repr(value):
            self.text(type(value).__qualname__, repr(value))
        else:
            raise _UnknownError


def _is_installed(module: str) -> bool:
    """Whether a module's file belongs to an installed package."""
    path = getattr(sys.modules.get(module), "__file__", None)
    return path is not None and any(folder in Path(path).parts for folder in _INSTALLED)


def _names(code: CodeType) -> list[str]:
    """Names of globals and attributes in a function's code, and in the functions within it."""
    inner = [part for part in code.co_consts if isinstance(part, CodeType)]
    return [*code.co_names, *(name for part in inner for name in _names(part))]
