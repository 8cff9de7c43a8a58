"""What a figure computes with: maps of named networks and scenes, kept in one folder.

Maps that several figures share are made once; an unfinished one resumes.
"""

import dataclasses
import functools
import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cem_jax as cem
from cem_jax.experiments.figures import checkpoints, scenes
from cem_jax.experiments.figures.clock import Clock
from cem_jax.experiments.figures.parts import Parts
from cem_jax.experiments.figures.preset import Preset
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.subjects import Missing, Subject, find


@functools.lru_cache(maxsize=4)
def load(subject: Subject) -> cem.Network:
    """A subject's network; the last few are kept."""
    return subject.load()


@functools.lru_cache(maxsize=4)
def other_photographs(but: str, block: int) -> cem.PatchPool:
    """A pool of patches of all bundled photographs but one."""
    images = [cem.example_image(name) for name in cem.example_names() if name != but]
    pool = cem.PatchPool.from_images(images, size=block, count=4_000, seed=0)
    return dataclasses.replace(pool, name=f"photographs but {but}")


@functools.lru_cache(maxsize=4)
def own_photograph(name: str, block: int) -> cem.PatchPool:
    """A pool of patches of one bundled photograph."""
    pool = cem.PatchPool.from_images([cem.example_image(name)], size=block, count=4_000, seed=0)
    return dataclasses.replace(pool, name=f"photograph {name}")


POOLS: dict[str, Callable[[str, int], cem.PatchPool | None]] = {
    "default": lambda name, block: None,
    "others": other_photographs,
    "own": own_photograph,
}
"""Pools by name: what `cem_jax` takes by itself, patches of the other bundled photographs, or of
the scene's own; each of (photograph, side of a block)."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A region of a photograph.

    Args:
        name: of the photograph.
        side: of the part of it that is used, in output pixels.
        roi: the region, in output pixels.
    """

    name: str
    side: int
    roi: cem.ROI


@dataclasses.dataclass(frozen=True)
class Study:
    """Where and how large the figures are computed.

    Args:
        preset: how much.
        store: the folder.
        weights: folder with official checkpoints, or None.
        clock: times the maps.
        tell: receives a line for each network that is not there.
        progress: show each map's progress on a terminal.
        earlier: results whose networks are not computed again, or None.
    """

    preset: Preset
    store: Store
    clock: Clock
    weights: Path | None
    tell: Callable[[str], None]
    progress: bool = True
    earlier: Store | None = None

    @property
    def parts(self) -> Parts:
        """The networks' parts of figures that consist of such."""
        return Parts(self.preset, self.clock, self.earlier)

    def subjects(self, names: Sequence[str], most: int | None = None) -> dict[str, Subject]:
        """The networks among the named ones that are there, by name; a line tells of the others.

        Args:
            names: architectures, see `subjects.find`.
            most: how many at most.

        Raises:
            Missing: not one is there.
        """
        found: dict[str, Subject] = {}
        without = []
        for name in names:
            try:
                found[name] = self._ready(name)
            except Missing:
                without.append(name)
            except ValueError as problem:
                self.tell(str(problem))
        if without:
            self.tell(f"left out, since there are no weights of them here: {', '.join(without)}")
        if not found:
            raise Missing(self._none_of(names))
        return dict(list(found.items())[:most])

    def official(self, task: str) -> dict[str, Subject]:
        """The official networks of a task in the folder of weights, by how they are written.

        Args:
            task: "SR", "DN" or "DR".

        Returns:
            They; none where there is no folder, or no such network in it.
        """
        if self.weights is None:
            return {}
        found = {}
        for subject in checkpoints.official(task, self.weights, self.store, self.tell):
            try:
                load(subject)  # a damaged file is found before any work
            except ValueError as problem:
                self.tell(str(problem))
                continue
            found[subject.label] = subject
        return found

    def first(self, names: Sequence[str]) -> Subject:
        """The first of the named networks that is there.

        Raises:
            Missing: not one is there.
        """
        for name in names:
            try:
                return self._ready(name)
            except Missing:
                continue
            except ValueError as problem:
                self.tell(str(problem))
        raise Missing(self._none_of(names))

    def _none_of(self, names: Sequence[str]) -> str:
        where = "is bundled" if self.preset.networks == "bundled" else "is there"
        if self.weights is not None:
            where += f", nor are weights in {self.weights}"
        return f"none of {', '.join(names)} {where}; `cem-jax models` names their official files"

    def _ready(self, name: str) -> Subject:
        subject = find(name, self.preset.networks, self.weights)
        load(subject)  # a damaged file is found before any work
        return subject

    def shown(self, task: str) -> list[Place]:
        """The gallery's photographs for a task, each with its region of most structure."""
        side = self.preset.side if task == "SR" else self.preset.large_side
        return self._places(self.preset.shown, side, 1)

    @property
    def counted(self) -> list[Place]:
        """The photographs and regions of the statistics."""
        return self.places(self.preset.regions)

    def places(self, each: int, side: int | None = None) -> list[Place]:
        """The photographs of the statistics, each with so many regions.

        Args:
            each: 1 to 3, the one of most structure first.
            side: of the part of a photograph that is used; None takes the preset's.
        """
        return self._places(self.preset.counted, side or self.preset.counted_side, each)

    def _places(self, count: int, side: int, each: int) -> list[Place]:
        return [
            Place(name, side, roi)
            for name in scenes.names(count)
            for roi in scenes.regions(scenes.photograph(name, side), each)
        ]

    def scene(self, subject: Subject, task: str, place: Place) -> cem.Scene:
        """The scene as the network takes it."""
        network = load(subject)
        return scenes.make(task, place.name, place.side, network.scale, network.channels or 3)

    def map(
        self,
        subject: Subject,
        task: str,
        place: Place,
        *,
        plan: cem.Plan | None = None,
        block: int = 8,
        pool: str = "default",
    ) -> str:
        """Makes a map, unless it is there.

        Args:
            subject: the network.
            task: as `scenes.make` takes it.
            place: photograph and region.
            plan: draws for each block; None takes the preset's.
            block: side of a block, in output pixels.
            pool: one of `POOLS`.

        Returns:
            Its key in the store.
        """
        plan = self.preset.plan if plan is None else plan
        key = f"{_image(subject, task, place, plan, block, pool)}/{place.roi.label}"
        patches = POOLS[pool](place.name, block)
        network, scene = load(subject), self.scene(subject, task, place)
        with self.clock.making(key):
            cem.causal_effect_map(
                network, scene, place.roi, plan=plan, block=block, pool=patches,
                directory=self.store.directory(key), progress=self.progress,
            )  # fmt: skip
        return key

    def counted_maps(
        self, subject: Subject, task: str, plan: cem.Plan, *, block: int = 8, pool: str = "default",
        each: int | None = None, side: int | None = None,
    ) -> list[str]:  # fmt: skip
        """Makes the maps of all counted places, those of one image together; otherwise like `map`.

        Args:
            subject: the network.
            task: as `scenes.make` takes it.
            plan: draws for each block.
            block: side of a block, in output pixels.
            pool: one of `POOLS`.
            each: regions of each photograph; None takes the preset's.
            side: of the scenes, in output pixels; None takes the preset's.

        Returns:
            Their keys in the store, in the order of the places.
        """
        keys, wanted = [], self.places(self.preset.regions if each is None else each, side)
        for _, group in itertools.groupby(wanted, lambda place: place.name):
            places = list(group)
            image = _image(subject, task, places[0], plan, block, pool)
            patches = POOLS[pool](places[0].name, block)
            network, scene = load(subject), self.scene(subject, task, places[0])
            with self.clock.making(image):
                cem.region_maps(
                    network, scene, [place.roi for place in places], plan=plan, block=block,
                    pool=patches, directory=self.store.directory(image), progress=self.progress,
                )  # fmt: skip
            keys += [f"{image}/{place.roi.label}" for place in places]
        return keys

    def attribution(self, subject: Subject, task: str, place: Place, key: str) -> cem.Attribution:
        """Makes a local attribution map, unless it is there.

        Args:
            subject: the network.
            task: as `scenes.make` takes it.
            place: photograph and region.
            key: of the map that it is kept beside.
        """
        file = self.store.directory(key) / "lam.npz"
        with self.clock.making(f"{key}/lam"):
            if not file.exists():
                network, scene = load(subject), self.scene(subject, task, place)
                cem.local_attribution_map(network, scene, place.roi).save(file)
        return self.store.attribution(key)

    def mediated(
        self, subject: Subject, task: str, place: Place, through: str,
        plan: cem.Plan, *, block: int, pool: str = "default",
    ) -> cem.MediatedMaps:  # fmt: skip
        """Makes mediated maps, unless they are there; otherwise like `map`.

        Args:
            subject: the network.
            task: as `scenes.make` takes it.
            place: photograph and region.
            through: the mediator, as `cem.mediated_maps` takes it.
            plan: draws for each block.
            block: side of a block, in output pixels.
            pool: "default", or "others".
        """
        image = _image(subject, task, place, plan, block, pool)
        key = f"{image}/{place.roi.label}/through-{_slug(through)}"
        patches = None if pool == "default" else other_photographs(place.name, block)
        network, scene = load(subject), self.scene(subject, task, place)
        with self.clock.making(key):
            return cem.mediated_maps(
                network, scene, place.roi, through=through, plan=plan, block=block, pool=patches,
                directory=self.store.directory(key), progress=self.progress,
            )  # fmt: skip

    def beside(self, key: str, name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What belongs to a map: computed once, and kept beside it.

        Args:
            key: of the map.
            name: of what is kept; what it depends on beside the map is part of it.
            compute: gives it.
        """
        path = f"maps/{key}/{name}"
        with self.clock.making(f"{key}/{name}"):
            found = self.store.read(path)
            if found is None:
                found = compute()
                self.store.write(path, found)
        return found


def _image(subject: Subject, task: str, place: Place, plan: cem.Plan, block: int, pool: str) -> str:
    """The part of a key that the maps of one image share."""
    network, where = f"{subject.name}-{subject.digest}", f"{place.name}-{place.side}"
    return f"{network}/{task}/{where}/block{block}-{pool}-{_slug(plan)}"


def _slug(asked: object) -> str:
    return re.sub(r"[^\w.]+", "-", str(asked)).strip("-")
