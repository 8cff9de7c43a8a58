"""What one exploration holds: photographs, networks, maps, and the sweep that owns the device."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from cem_jax import models
from cem_jax.effects.effect import causal_effect_map
from cem_jax.effects.images import with_images
from cem_jax.effects.progress import State
from cem_jax.effects.ready import make_ready
from cem_jax.explore.asked import Asked, Photograph
from cem_jax.map.effect_map import EffectMap
from cem_jax.network.network import Network
from cem_jax.network.zoo import load
from cem_jax.plain_text import quoted
from cem_jax.scene.examples import example_image, example_names, example_path
from cem_jax.scene.image import to_bytes, to_grey
from cem_jax.scene.scene import Scene
from cem_jax.scene.tasks import scene_for, task_names
from cem_jax.view.report.pack import picture
from cem_jax.view.report.values import LONGEST, scene_values
from cem_jax.view.scenes import by_scene

Send = Callable[[dict[str, Any]], None]
"""Tells a page something; raises an OSError where it is closed."""

_EVERY = 0.3
"""Seconds between two pictures of a map that firms up."""
_PACE = 2.0
"""How much longer than it takes to send one: that of a large photograph takes seconds."""
_PATIENCE = 60.0
"""Seconds that a new sweep waits for the page's own last one to stop."""
_COURTESY = 3.0
"""Seconds that it waits for another page's: that of a page that was loaded anew ends so soon."""
_ROOM = 2**21
"""Bytes for the compressed regions of the maps that are shown."""
_PHOTOGRAPHS, _MAPS, _SCENES = 32, 64, 4
"""So many are kept; the oldest go first."""


class StoppedError(Exception):
    """A sweep was stopped by its page, or its page is closed."""


class BusyError(Exception):
    """Another page has the device."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """A network that can be chosen.

    Args:
        tasks: that it is for; empty if it may be any.
        make: loads it.
        options: words of the command line that name it.
    """

    tasks: tuple[str, ...]
    make: Callable[[], Network]
    options: tuple[str, ...]


def bundled() -> dict[str, Choice]:
    """The bundled networks by their names."""
    found = {}
    for name in models.names():
        facts = models.describe(name)
        if facts.bundled:
            found[name] = Choice(tuple(facts.tasks), _loader(name), ("--model", name))
    return found


def _loader(name: str) -> Callable[[], Network]:
    return lambda: load(name)


@dataclasses.dataclass(frozen=True, eq=False)
class _Shown:
    """A scene, and the pictures of it that a page is sent.

    Args:
        scene: the scene.
        input: address of its input's picture.
        clean: address of the true image's.
    """

    scene: Scene
    input: str
    clean: str

    @classmethod
    def of(cls, scene: Scene) -> "_Shown":
        drawn = [picture(to_bytes(one), LONGEST, 1) for one in (scene.degraded, scene.clean)]
        return cls(scene, *drawn)


@dataclasses.dataclass(frozen=True)
class _Follower:
    """Sends a map as it firms up, and ends its sweep when it is told to."""

    send: Callable[[State], None]
    stop: threading.Event
    closed: Callable[[], bool]

    @contextlib.contextmanager
    def follow(self, name: str) -> Iterator[Callable[[State], None]]:
        ready = before = 0.0

        def show(state: State) -> None:
            nonlocal ready, before
            if self.stop.is_set() or self.closed():
                raise StoppedError
            begun = time.monotonic()
            if state.done == state.total or begun > ready:
                self.send(state)
                now = time.monotonic()
                # The first one prepares for the others, and says nothing of what they will take.
                ready = now + max(_EVERY, _PACE * min(before, now - begun))
                before = now - begun

        yield show


class Session:
    """One exploration.

    Args:
        choices: networks by their labels, the first one chosen at first.
        photographs: beside the bundled ones; the first one chosen at first.
    """

    def __init__(self, choices: Mapping[str, Choice], photographs: list[Photograph]) -> None:
        self.choices = dict(choices)
        examples = [
            Photograph(str(example_path(name)), example_image(name)) for name in example_names()
        ]
        self._photographs = dict(enumerate([*photographs, *examples]))
        self._sent: list[int] = []
        self._networks: dict[str, Network] = {}
        self._scenes: dict[tuple[Any, ...], _Shown] = {}
        self._maps: dict[int, tuple[EffectMap, str]] = {}
        self._next = len(self._photographs)
        self._device = threading.Lock()
        self._state = threading.Lock()
        self._running: tuple[str, threading.Event] | None = None

    @property
    def free(self) -> bool:
        """Whether no sweep has the device."""
        return not self._device.locked()

    def keep(self, photograph: Photograph) -> dict[str, Any]:
        """Takes a photograph that a page has sent, and says what a page must know of it."""
        with self._state:
            number, self._next = self._next, self._next + 1
            self._photographs[number] = photograph
            self._sent.append(number)
            if len(self._sent) > _PHOTOGRAPHS:
                del self._photographs[self._sent.pop(0)]
        return self.about(number)

    def photographs(self) -> list[dict[str, Any]]:
        """Numbers and names of all photographs."""
        return [{"number": n, "name": one.name} for n, one in self._photographs.items()]

    def about(self, number: int) -> dict[str, Any]:
        """What a page shows of a photograph.

        Raises:
            ValueError: there is none of this number.
        """
        photograph = self._photograph(number)
        height, width = photograph.pixels.shape[:2]
        shown = picture(_bytes(photograph.pixels), LONGEST, 1)
        return {
            "number": number, "name": photograph.name, "height": height, "width": width,
            "picture": shown,
        }  # fmt: skip

    def tasks(self) -> tuple[str, ...]:
        """The tasks, by their names."""
        return tuple(name for name in task_names() if name != "preupsampled")

    def map(self, number: int) -> EffectMap:
        """A map that was made.

        Raises:
            ValueError: there is none of this number.
        """
        if number not in self._maps:
            raise ValueError(f"map {number}: there is none, or it is too long ago")
        return self._maps[number][0]

    def stop(self, tab: str) -> None:
        """Stops the sweep of a page, if it has one."""
        with self._state:
            if self._running is not None and self._running[0] == tab:
                self._running[1].set()

    def prepare(self, asked: Asked) -> bool:
        """Loads and traces what a page has chosen, before it chooses a region.

        Args:
            asked: what a sweep would be asked for, with a region like those to come.

        Returns:
            Whether all is ready: not if the device has other work, or the page's sweep came first.

        Raises:
            ValueError: what is chosen does not fit.
        """
        try:
            with self._owning(asked.tab, 0.0) as stop:
                network = self._network(asked.network)
                scene = self._scene(asked, self._photograph(asked.photograph), network).scene
                if stop.is_set():
                    return False
                make_ready(network, scene, asked.roi, plan=asked.plan, seed=asked.seed)
                return True
        except BusyError:
            return False

    def sweep(self, asked: Asked, send: Send, closed: Callable[[], bool]) -> None:
        """Makes a map, and tells a page how it firms up.

        Args:
            asked: what is wanted.
            send: tells the page.
            closed: whether the page is closed.

        Raises:
            BusyError: another page has the device.
            StoppedError: the page has stopped the sweep, or is closed.
            ValueError: what is asked for does not fit.
        """
        self.stop(asked.tab)
        with self._state:
            other = self._running is not None and self._running[0] != asked.tab
        with self._owning(asked.tab, _COURTESY if other else _PATIENCE) as stop:
            if closed():
                raise StoppedError
            self._make(asked, send, stop, closed)

    @contextlib.contextmanager
    def _owning(self, tab: str, patience: float) -> Iterator[threading.Event]:
        """The device, for one page; what is awaited for so many seconds is that it comes free."""
        if not self._device.acquire(timeout=patience):
            raise BusyError("another page computes; close it, or stop it there")
        stop = threading.Event()
        try:
            with self._state:
                self._running = tab, stop
            yield stop
        finally:
            with self._state:
                self._running = None
            self._device.release()

    def _make(
        self, asked: Asked, send: Send, stop: threading.Event, closed: Callable[[], bool]
    ) -> None:
        send({"told": f"loading {asked.network}"})
        photograph, network = self._photograph(asked.photograph), self._network(asked.network)
        shown = self._scene(asked, photograph, network)
        scene = shown.scene
        pinned = {number: self._maps[number][0] for number in asked.pinned if number in self._maps}
        send({"told": "preparing the sweep", "input": shown.input, "clean": shown.clean})

        def firming(state: State) -> None:
            assert state.map is not None
            found = state.map()
            undecided = int(found.undecided.sum())
            drawn = int((found.samples > 0).sum())
            rate = state.done / state.seconds if state.seconds else 0.0
            told = (
                f"round {state.stage}: {state.done} of {state.total} evaluations, {rate:.0f}/s; "
                f"{drawn - undecided} of {drawn} blocks decided"
            )
            send({"told": told, "round": state.stage, "scene": _values(pinned, found)})

        found = causal_effect_map(
            network, scene, asked.roi, plan=asked.plan, seed=asked.seed,
            progress=_Follower(firming, stop, closed),
        )  # fmt: skip
        command = asked.command(photograph, self.choices[asked.network].options)
        with self._state:
            number, self._next = self._next, self._next + 1
            self._maps[number] = found, command
            for old in list(self._maps)[:-_MAPS]:
                del self._maps[old]
        seconds = found.provenance["seconds"]
        told = f"done: {found.evaluations} evaluations in {seconds:.1f} s"
        values = _values(pinned, found)
        send({"told": told, "done": number, "command": command, "scene": values})
        if stop.is_set() or closed():
            return
        found = with_images(found, network, scene)
        if found.images is not None:
            with self._state:
                self._maps[number] = found, command
            send({"told": told, "restored": picture(found.images.restored, LONGEST, 1)})

    def _photograph(self, number: int) -> Photograph:
        if number not in self._photographs:
            raise ValueError(f"photograph {number}: there is none, or it is too long ago")
        return self._photographs[number]

    def _network(self, label: str) -> Network:
        if label not in self.choices:
            raise ValueError(f"network={quoted(label)}: expected one of {', '.join(self.choices)}")
        if label not in self._networks:
            self._networks[label] = self.choices[label].make()
        return self._networks[label]

    def _scene(self, asked: Asked, photograph: Photograph, network: Network) -> _Shown:
        grey = network.channels == 1
        key = (asked.photograph, asked.task, asked.sigma, asked.seed, network.scale, grey)
        if key not in self._scenes:
            clean = to_grey(photograph.pixels) if grey else photograph.pixels
            shared = {"sigma": asked.sigma, "seed": asked.seed}
            scene = scene_for(network.scale, asked.task, clean, shared, {}, photograph.stem)
            self._scenes[key] = _Shown.of(scene)
            for old in list(self._scenes)[:-_SCENES]:
                del self._scenes[old]
        return self._scenes[key]


def _bytes(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.dtype == np.uint8 else to_bytes(pixels)


def _values(pinned: Mapping[int, EffectMap], found: EffectMap) -> dict[str, Any]:
    """A map beside the pinned ones of its scene, which are told with their numbers."""
    kept = [*pinned.values(), found]
    together = next(scene for scene in by_scene(kept) if scene[-1] is found)
    values, numbers = (
        scene_values(together, _ROOM // len(together)),
        {id(m): n for n, m in pinned.items()},
    )
    for entry, one in zip(values["maps"], together, strict=False):  # a difference has no number
        entry["number"] = numbers.get(id(one))
    return values
