"""Who makes what, among processes that share a place and nothing else.

In a folder by the system's locks, which end with their holder. An object store has no locks: there
a claim is an object that its holder renews, and that another process takes over when it has not
changed for a while by that process's own clock. Clocks are not compared.
"""

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from cem_jax.store.lock import LOCKS, Locks
from cem_jax.store.objects import AnyPath, ObjectPath

_RENEWED = 10.0
"""Seconds between two renewals of a claim."""
_EXPIRED = 4 * _RENEWED
"""Seconds without one after which others take a claim over."""


class Leases:
    """Claims by name in an object store; as a context it ends without a trace.

    Stores whose conditional writes are no more than a look and a write may, rarely, give a name to
    two processes: they then make the same map, and the same bytes are written twice.

    Args:
        folder: shared by all processes.
    """

    def __init__(self, folder: ObjectPath):
        self._folder = folder / ".job" / LOCKS
        self._own = secrets.token_bytes(8)
        self._seen: dict[str, tuple[bytes, float]] = {}

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[bool]:
        """Holds a claim while the context lasts; False where another process has it.

        Raises:
            OSError: the store does not answer.
        """
        place = self._folder / name
        if not self._taken(place):
            yield False
            return
        over = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(place, over), daemon=True)
        renewing.start()
        try:
            yield True
        finally:
            over.set()
            renewing.join()
            with contextlib.suppress(OSError):  # it expires by itself
                self._change(place, None)

    def _renew(self, place: ObjectPath, over: threading.Event) -> None:
        while not over.wait(_RENEWED):
            with contextlib.suppress(OSError):  # the next one may arrive
                self._change(place, self._own + secrets.token_bytes(8))

    def _change(self, place: ObjectPath, data: bytes | None) -> None:
        """Renews a claim or gives it up, as long as nobody has taken it over."""
        found = place.found()
        if found.data is not None and found.data.startswith(self._own):
            place.write_if(data, found.generation)

    def _taken(self, place: ObjectPath) -> bool:
        """Whether the claim is ours now."""
        found = place.found()
        if found.data is not None:
            name, now = str(place), time.monotonic()
            before, since = self._seen.get(name, (b"", now))
            if before != found.generation:
                before, since = found.generation, now
            self._seen[name] = before, since
            if now - since < _EXPIRED:
                return False
        return place.write_if(self._own + secrets.token_bytes(8), found.generation)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._seen.clear()


def claims_in(folder: AnyPath) -> Locks | Leases:
    """The claims of processes that share a place.

    Args:
        folder: the place.

    Raises:
        ValueError: it cannot be written.
    """
    return Leases(folder) if isinstance(folder, ObjectPath) else Locks(folder)
