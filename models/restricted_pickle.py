"""The part of pickle that checkpoints are written in, read without running what it names.

Python's own unpickler calls whatever a file asks for, allocates what it claims, and sets attributes
of what it built. This reader knows plain containers, numbers and strings; every name and every
outside reference goes to the caller.
"""

import pickletools
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import IO, Any

_MOST_INSTRUCTIONS = 2**20
"""Enough for tens of thousands of tensors; more would only fill the memory."""
_LARGEST_KEY = 2**60
"""Python hashes larger integers modulo a prime, so that a file could make all of them collide."""

_IGNORED = frozenset({"PROTO", "FRAME"})
_VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_GET = frozenset({"BINGET", "LONG_BINGET"})
_PUT = frozenset({"BINPUT", "LONG_BINPUT"})
_LITERALS = frozenset(
    {"BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"}
    | {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"}
    | {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
)


def shown(text: object) -> str:
    """A file's own text, cut to what a message can hold; anything else is only named by type."""
    return repr(text[:120]) if isinstance(text, str) else f"a {type(text).__name__}"


def fill_dict(target: dict[Any, Any], pairs: Iterable[tuple[Any, Any]]) -> None:
    """Puts pairs into a dictionary.

    Raises:
        ValueError: a key is neither a string nor a moderate integer. Tuples are refused since
            hashing a nested one can take for ever.
    """
    for key, value in pairs:
        if type(key) is not str and not (type(key) is int and abs(key) < _LARGEST_KEY):
            raise ValueError(f"a dictionary has {shown(key)} as a key")
        target[key] = value


class _Machine:
    """Stack, marks and memo of one pickle."""

    def __init__(self, find: Callable[[str, str], Any], refer: Callable[[Any], Any]):
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.find, self.refer = find, refer
        self.left = _MOST_INSTRUCTIONS

    def spend(self, work: int) -> None:
        self.left -= work
        if self.left < 0:
            raise ValueError(f"its pickle asks for more than {_MOST_INSTRUCTIONS} steps")

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _PUT:
            self.memo[argument] = stack[-1]
        elif name in _GET:
            stack.append(self.memo[argument])
        elif name in _VALUES:
            stack.append(_VALUES[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            items = tuple(stack[-_TUPLES[name] :])
            if len(items) < _TUPLES[name]:
                raise ValueError("a tuple lacks its items")
            stack[-_TUPLES[name] :] = [items]
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name == "TUPLE":
            stack.append(tuple(self.since_mark()))
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name == "BINPERSID":
            stack.append(self.refer(stack.pop()))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            self._name(argument)
        elif name == "REDUCE":
            self._call()
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else self.since_mark()
            self._top(list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = [stack.pop(-2), stack.pop()] if name == "SETITEM" else self.since_mark()
            fill_dict(self._top(dict), zip(items[::2], items[1::2], strict=True))
        elif name == "BUILD":
            stack.pop()  # attributes: of a state dict, the versions of its modules
            self._top(dict)
        elif name not in _IGNORED:
            raise ValueError(f"it holds the pickle instruction {name}, which no tensor needs")

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"items or attributes are given to {shown(self.stack[-1])}")
        return self.stack[-1]

    def _name(self, argument: Any) -> None:
        """GLOBAL holds `module name` itself, STACK_GLOBAL has the two strings on the stack."""
        if argument is None:
            name, module = self.stack.pop(), self.stack.pop()
        else:
            module, _, name = argument.partition(" ")
        if type(module) is not str or type(name) is not str:
            raise ValueError("it asks for something without a name")
        self.stack.append(self.find(module, name))

    def _call(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, FunctionType) or type(arguments) is not tuple:
            raise ValueError(f"it calls {shown(function)}")
        self.spend(
            sum(len(a) for a in arguments if type(a) in (list, tuple))
        )  # one list, many calls
        self.stack.append(function(*arguments))


def load(file: IO[bytes], find: Callable[[str, str], Any], refer: Callable[[Any], Any]) -> Any:
    """Reads one pickle, and leaves the file behind it.

    Args:
        file: where the pickle begins; its `read(n)` must not allocate more than there is.
        find: what stands for `module`, `name`: a Python function, which the pickle may call, or
            any other object, which it may pass on. It raises for a name that it does not know.
        refer: what stands for a persistent id.

    Returns:
        The pickled object, of plain containers, numbers, strings and what `find` and `refer` gave.

    Raises:
        ValueError: the pickle holds something else, or is damaged; damage may also raise what
            Python raises for wrong types and missing items.
    """
    machine = _Machine(find, refer)
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "STOP":
            break
        machine.spend(1)
        machine.step(opcode.name, argument)
    return machine.stack.pop()
