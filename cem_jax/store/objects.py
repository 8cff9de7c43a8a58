"""Places in object stores (`s3://`, `gs://`), used like paths, through tensorstore.

An object exists whole or not at all, and has no folder to stand in: folders are what names have in
common. Requests that fail are made again for half a minute.
"""

import atexit
import functools
import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from cem_jax.plain_text import quoted

SCHEMES = {"s3": "s3", "gs": "gcs"}
"""What a place begins with, and tensorstore's driver for it."""

_PLACE = re.compile(f"({'|'.join(SCHEMES)}):/+(.+)", re.DOTALL)
"""A place as a text, or as a `Path`, in which two strokes have become one."""
_RETRIES = {"max_retries": 8, "initial_delay": "200ms", "max_delay": "8s"}
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_LONGEST = 4096
"""Characters of a path, as systems have them at most."""
_TOGETHER = 64
"""Requests that are on their way at a time."""


class Found(NamedTuple):
    """An object as it is.

    Args:
        data: what it holds; None if there is none.
        generation: which of the objects that stood here one after another.
    """

    data: bytes | None
    generation: bytes


@functools.lru_cache(maxsize=8)
def _bucket(scheme: str, bucket: str, endpoint: str) -> Any:
    """A bucket's objects by name; who may use it, the store's own variables and files say."""
    import tensorstore

    driver = SCHEMES[scheme]
    spec: dict[str, Any] = {"driver": driver, "bucket": bucket}
    if endpoint:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        spec |= {"endpoint": endpoint, "aws_region": region or "us-east-1"}
    spec["context"] = {f"{driver}_request_retries": _RETRIES}
    if driver == "s3" and "AWS_ACCESS_KEY_ID" in os.environ:
        # Else files and machines that are not there are asked first, with lines on stderr.
        spec["context"]["aws_credentials"] = {"type": "environment"}
    return tensorstore.KvStore.open(spec).result()


class ObjectPath:
    """A place in an object store, with what is used of a `pathlib.Path`.

    Args:
        text: such as `s3://bucket/folder/file`; folders of names end with a stroke or not.

    Raises:
        ValueError: another text.
    """

    __slots__ = ("_place", "_scheme")

    def __init__(self, text: str):
        scheme, colon, rest = text.partition("://")
        if scheme not in SCHEMES or not colon or not rest.strip("/"):
            known = " or ".join(f"{one}://bucket/name" for one in SCHEMES)
            raise ValueError(f"path={quoted(text)}: expected {known}")
        self._scheme, self._place = scheme, PurePosixPath(rest.strip("/"))
        if ".." in self._place.parts:
            raise ValueError(f"path={quoted(text)}: expected no ..")

    def __str__(self) -> str:
        return f"{self._scheme}://{self._place}"

    def __repr__(self) -> str:
        return f"ObjectPath({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return ObjectPath, (str(self),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectPath) and str(self) == str(other)

    def __lt__(self, other: "ObjectPath") -> bool:
        return str(self) < str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __truediv__(self, name: "str | os.PathLike[str]") -> "ObjectPath":
        return ObjectPath(f"{self}/{os.fspath(name)}")

    def with_name(self, name: str) -> "ObjectPath":
        """The place of another name beside this one."""
        return self.parent / name

    def with_suffix(self, suffix: str) -> "ObjectPath":
        """The place with another ending."""
        return self.with_name(f"{self.stem}{suffix}")

    @property
    def name(self) -> str:
        """The last part."""
        return self._place.name

    @property
    def stem(self) -> str:
        """The last part without its ending."""
        return self._place.stem

    @property
    def suffix(self) -> str:
        """The ending of the last part, with its dot."""
        return self._place.suffix

    @property
    def parent(self) -> "ObjectPath":
        """What this place stands in; a bucket stands in itself."""
        above = self._place.parent
        return ObjectPath(f"{self._scheme}://{above}") if above.name else self

    def is_relative_to(self, other: "ObjectPath") -> bool:
        """Whether this place stands in another one."""
        return str(self) == str(other) or str(self).startswith(f"{other}/")

    def relative_to(self, other: "ObjectPath") -> PurePosixPath:
        """The way from another place to this one."""
        return self._place.relative_to(other._place)

    @property
    def _key(self) -> str:
        return "/".join(self._place.parts[1:])

    @property
    def _objects(self) -> Any:
        endpoint = next((found for key in _ENDPOINTS if (found := os.environ.get(key))), "")
        own = endpoint if self._scheme == "s3" else ""
        return _bucket(self._scheme, self._place.parts[0], own.rstrip("/"))

    def _result(self, wanted: Any) -> Any:
        """What a request brings.

        Raises:
            OSError: it failed, as often as it was made.
        """
        try:
            return wanted().result()
        except (ValueError, RuntimeError) as error:
            reason = str(error).partition(" [")[0][:300]
            raise OSError(None, f"the store does not answer: {reason}", str(self)) from error

    def found(self) -> Found:
        """What stands here now.

        Raises:
            OSError: the store does not answer.
        """
        read = self._result(lambda: self._objects.read(self._key))
        return Found(read.value if read.state == "value" else None, read.stamp.generation)

    def read_bytes(self) -> bytes:
        """The object.

        Raises:
            FileNotFoundError: there is none.
            OSError: the store does not answer.
        """
        data = self.found().data
        if data is None:
            raise FileNotFoundError(2, "there is no such object", str(self))
        return data

    def read_text(self, encoding: str = "utf-8") -> str:
        """The object as a text; see `read_bytes`."""
        return self.read_bytes().decode(encoding)

    def open(self, mode: str = "rb") -> io.BytesIO:
        """The object as a file to read; see `read_bytes`."""
        if mode != "rb":
            raise ValueError(f"mode={quoted(mode)}: expected 'rb'")
        return io.BytesIO(self.read_bytes())

    def write_bytes(self, data: bytes) -> None:
        """Puts an object here, whole; what stood here is gone.

        Raises:
            OSError: the store does not answer, or refuses.
        """
        self._result(lambda: self._objects.write(self._key, data))

    def write_if(self, data: bytes | None, generation: bytes) -> bool:
        """Puts an object here, or takes it away, if nothing has changed since; False if it has.

        Args:
            data: the object; None takes away what is here.
            generation: of what was found here.

        Raises:
            OSError: the store does not answer, or refuses.
        """
        if not generation:
            raise ValueError("generation: expected that of `found`; an empty one asks for nothing")
        written = self._result(lambda: self._objects.write(self._key, data, if_equal=generation))
        return bool(written.generation)

    def unlink(self, missing_ok: bool = False) -> None:
        """Takes the object away.

        Raises:
            FileNotFoundError: there is none.
            OSError: the store does not answer, or refuses.
        """
        if not missing_ok and not self.is_file():
            raise FileNotFoundError(2, "there is no such object", str(self))
        self._result(lambda: self._objects.write(self._key, None))

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        """Does nothing: stores have no folders."""

    def is_file(self) -> bool:
        """Whether an object stands here."""
        return bool(self._key) and self._key in self._names(self._key, exactly=True)

    def is_dir(self) -> bool:
        """Whether objects stand below."""
        return bool(self._names(self._below))

    def exists(self) -> bool:
        """Whether an object stands here, or below."""
        return self.is_file() or self.is_dir()

    @property
    def _below(self) -> str:
        return f"{self._key}/" if self._key else ""

    def _names(self, prefix: str, exactly: bool = False) -> list[str]:
        """Names of objects that begin so, in order."""
        import tensorstore

        end = f"{prefix}\0" if exactly else prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else ""
        names = tensorstore.KvStore.KeyRange(prefix, end)
        return sorted(
            name.decode("utf-8", "surrogateescape")
            for name in self._result(lambda: self._objects.list(names))
        )

    def all_below(self) -> list["ObjectPath"]:
        """All objects below, in the order of their names."""
        root = f"{self._scheme}://{self._place.parts[0]}"
        return [ObjectPath(f"{root}/{name}") for name in self._names(self._below)]

    def iterdir(self) -> Iterator["ObjectPath"]:
        """What stands directly below: objects, and what several have in common."""
        names = (name[len(self._below) :].partition("/")[0] for name in self._names(self._below))
        yield from (self / name for name in dict.fromkeys(names))

    def rglob(self, name: str) -> Iterator["ObjectPath"]:
        """All objects of a name at any depth below."""
        yield from (one for one in self.all_below() if one.name == name)

    def glob(self, pattern: str) -> Iterator["ObjectPath"]:
        """All objects directly below whose names fit a pattern of `fnmatch`."""
        import fnmatch

        yield from (
            one
            for one in self.all_below()
            if one.parent == self and fnmatch.fnmatchcase(one.name, pattern)
        )


AnyPath = Path | ObjectPath


def as_place(path: "str | os.PathLike[str] | AnyPath", argument: str = "path") -> AnyPath:
    """A file or folder, or a place in an object store, from what a user gives.

    Args:
        path: a path, or a text such as `s3://bucket/folder`.
        argument: what it is called, for the message.

    Raises:
        ValueError: a place in a store that is not known, or no path.
    """
    if isinstance(path, ObjectPath):
        return path
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else b""
    if not isinstance(text, str) or "\0" in text or len(text) > _LONGEST:
        raise ValueError(f"{argument}={quoted(path)}: expected the path of a file or a folder")
    if found := _PLACE.fullmatch(text):
        return ObjectPath(f"{found[1]}://{found[2]}")
    if isinstance(path, str) and "://" in path:
        return ObjectPath(path)
    return Path(path)


def joined(folder: AnyPath, text: str) -> AnyPath:
    """A place as it is called in a folder: relative to it, absolute, or in an object store.

    Args:
        folder: where it is called so.
        text: how.
    """
    place = as_place(text)
    if isinstance(place, ObjectPath) or place.is_absolute():
        return place
    return folder / place.as_posix() if isinstance(folder, ObjectPath) else folder / place


def absolute(place: AnyPath) -> AnyPath:
    """A place as it is called from any folder."""
    return place.absolute() if isinstance(place, Path) else place


def local_folder(place: AnyPath) -> Path:
    """A folder with code, which is only run from this machine's own files; else the current one."""
    return place if isinstance(place, Path) else Path.cwd()


def local_copy(place: AnyPath) -> Path:
    """A file that is read where it is; of an object, a copy in this process's temporary folder.

    Args:
        place: the file or object, or a folder of the latter.

    Raises:
        OSError: there is none, or the store does not answer.
    """
    if not isinstance(place, ObjectPath):
        return place
    below = place.all_below()
    for one in below or [place]:
        target = _temporary() / str(one).replace("://", "/")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(one.read_bytes())
    return _temporary() / str(place).replace("://", "/")


@functools.cache
def _temporary() -> Path:
    """A folder that ends with this process."""
    folder = tempfile.mkdtemp(prefix="cem-jax-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def read_all(places: Sequence[AnyPath]) -> list[bytes | None]:
    """What stands at many places, many requests at a time; None where nothing does.

    Raises:
        OSError: a store does not answer.
    """
    from concurrent.futures import ThreadPoolExecutor

    def read(place: AnyPath) -> bytes | None:
        try:
            return place.read_bytes()
        except FileNotFoundError:
            return None

    if len(places) < 2 or isinstance(places[0], Path):
        return [read(place) for place in places]
    with ThreadPoolExecutor(_TOGETHER) as pool:
        return list(pool.map(read, places))
