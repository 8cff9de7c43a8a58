"""What the registry knows of one network."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from flax import nnx


class Misfit(ValueError):
    """A state dict's keys or shapes are not those of the network that was named."""


class OtherVariant(ValueError):
    """A state dict is of a variant that the architecture does not compute; the message names it."""


class Architecture(Protocol):
    """What a network's class offers beside its constructor and `__call__`.

    A class whose torch original registers index tables and masks may offer `tables(**config)`,
    their values by torch key; one that registers a tensor twice, `aliases(**config)`, from the
    later key to the first. Both are checked where a state dict has them, and are no part of ours.
    One that is published in several forms may offer `translated(state_dict)`: the same network in
    the form that ours has; what is none of the forms comes back as it is.

    What shapes leave open is offered by

    - `arguments`: what users can tell, of type `Argument`;
    - `found(state_dict)`: constructor arguments that follow from values, such as a mean colour;
    - `needed(told, **config)`: why an argument that was not told must be; empty where none must.

    Facts that depend on the arguments are given by `factor(**config)`, output pixels per input
    pixel, where no argument is called by a usual name, and `period(**config)`, the period of the
    network's grid in input pixels.
    """

    def __call__(self, *, rngs: nnx.Rngs, **config: Any) -> nnx.Module: ...

    def config(self, shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
        """Constructor arguments that a torch state dict's shapes determine.

        Raises:
            OtherVariant: the shapes are those of a variant that is not computed.
        """
        ...

    def receptive_radius(self, **config: Any) -> int | None:
        """Farthest input pixel that reaches an output pixel; None if the network is global."""
        ...


@dataclasses.dataclass(frozen=True)
class Entry:
    """A named network: an architecture, its arguments and where its weights come from.

    Args:
        name: the public name.
        architecture: the class.
        config: constructor arguments that differ from the class's defaults.
        tasks: "SR", "DN", "DR".
        scale: output pixels per input pixel.
        official_files: names of the checkpoint files that its authors publish.
        published_at: where they publish them.
        licence: note on the weights' licence.
        size_multiple: sides of the input that the architecture needs; others are padded.
        size_minimum: shortest side that the architecture takes; shorter ones are padded.
        anchor: period of the network's own grid (strides, windows) in input pixels, on which a crop
            must begin; None where the output depends on the size of the whole image
            (align_corners, pooling cells that may be cut off), so that no crop stands for it.
        global_operations: operations that look at the whole image.
        bundled: whether weights come with the package.
    """

    name: str
    architecture: Any
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    tasks: tuple[str, ...] = ()
    scale: int = 1
    official_files: tuple[str, ...] = ()
    published_at: str = ""
    licence: str = ""
    size_multiple: int = 1
    size_minimum: int = 1
    anchor: int | None = 1
    global_operations: tuple[str, ...] = ()
    bundled: bool = False
