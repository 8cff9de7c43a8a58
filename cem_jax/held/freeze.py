"""Networks in which operations are held at the values that the unperturbed input gives them."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float, Shaped

from cem_jax.held.apply import Held, evaluate, leaving
from cem_jax.held.on_scene import on_scene
from cem_jax.held.operations import selected, traced_on
from cem_jax.held.traced import Traced
from cem_jax.network.compiler_options import jitted
from cem_jax.network.network import Network
from cem_jax.scene.scene import Scene


def freeze(network: Network, scene: Scene, at: str | Sequence[str] = "global") -> Network:
    """The same network with operations held at the values that the scene's input gives them.

    What passes through a held operation is cut: an intervention changes the output along all other
    paths only. With `at="global"` these are the local paths, so that a global network becomes a
    local one, with causal cones.

    Args:
        network: the network.
        scene: whose input gives the values.
        at: "global", the operations that bring the whole image together, found by how values
            change on virtual larger images; or names as `operations` lists them: a module
            ("body.3.attn"), all of whose operations are held, an operation
            ("body.3.attn:dot_general", all of that kind there; "body.3.attn:dot_general#2"), or
            several. "*" stands for any text within a part of a path: "body.*.attn".

    Returns:
        A network like any other, for images of the input's size. Where nothing is global, and
        where no held value reaches the output, it is the network itself.

    Raises:
        ValueError: a name that the network does not have, or nothing is left that depends on the
            image.

    Examples:
        >>> import cem_jax as cem
        >>> network = cem.wrap(lambda x: 0.9 * x + 0.1 * x.mean((1, 2), keepdims=True))
        >>> scene = cem.Scene.denoising(cem.example_image("pagoda")[:64, :64])
        >>> cem.freeze(network, scene).name
        '<lambda>, 1 held'
    """
    network = on_scene(network, scene)
    traced = traced_on(network, scene)
    names = selected(traced, network, scene, at)
    if not names:
        return network
    return held_at_input(network, scene, chosen(network, traced, names))


def chosen(network: Network, traced: Traced, names: Sequence[str]) -> Held:
    """A network's function with operations held: those that are already, and more.

    Args:
        network: the network.
        traced: the same on an image.
        names: of the operations.
    """
    graph, before = traced.graph, network.apply
    number = {name: first for first, name in traced.names.items()}
    inside = frozenset(number[name] for name in (*names, *traced.gone))
    own = before.apply if isinstance(before, Held) else before
    exits = tuple(leaving(graph, inside))
    held = tuple(name for first, name in traced.names.items() if first in inside)
    return Held(own, held, graph.shapes[graph.raw][1:], graph, inside, exits)


def held_at_input(network: Network, scene: Scene, held: Held) -> Network:
    """A network with operations held at the values that a scene's input gives.

    Raises:
        ValueError: nothing is left that depends on the image.
    """
    if held.constant:
        some = f"{held.names[0]}{' and others' if len(held.names) > 1 else ''}"
        raise ValueError(
            f"at: with {some} held, nothing in network {network.name} depends on the image"
        )
    if held.cut:
        return network
    before, own = network.apply, network.params
    kept: tuple[Any, ...] = ()
    if isinstance(before, Held):
        own, kept = network.params
    values = jitted(given, (0, 1))(
        held, before if isinstance(before, Held) else None, own, kept,
        jnp.asarray(scene.degraded)[None],
    )[1]  # fmt: skip
    return Network(
        f"{network.name}, {len(held.names)} held", held, (own, values), network.scale,
        anchor=None, channels=network.channels,
    )  # fmt: skip


def given(
    held: Held, before: Held | None, params: Any, kept: Any, x: Float[jax.Array, "1 h w c"]
) -> tuple[Float[jax.Array, "1 H W C"], tuple[Sequence[Shaped[jax.Array, "..."]], ...]]:
    """A network's output, and what the operations give that are to be held.

    Args:
        held: says which.
        before: those that are held already, whose graph is the same; None if none are.
        params: the network's own parameters.
        kept: the values of those that are held already.
        x: one image [1, h, w, c].
    """
    values = {} if before is None else dict(zip(before.exits, kept, strict=True))
    inside = frozenset() if before is None else before.inside
    output, made = evaluate(held.graph, params, x, values, inside, held.exits)
    return output, tuple(values[n] if n in values else made[n] for n in held.exits)
