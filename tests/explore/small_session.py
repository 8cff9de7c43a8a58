"""A session of one small network and one small photograph, for tests."""

import base64
import zlib

import conftest
import jax
import jax.numpy as jnp
import numpy as np

import cem_jax as cem
from cem_jax.explore.asked import Asked, Photograph
from cem_jax.explore.session import Choice, Session

ROI = cem.ROI(40, 48, 16, 16)


def photograph() -> np.ndarray:
    return cem.example_image("facade")[:96, :112]


def wide(x: jax.Array) -> jax.Array:
    """A pixel and the mean of the 49 x 49 around it, squared: many blocks, which decide late."""
    mean, steps = jnp.square(x), (1, 1, 1, 1)
    for window in ((1, 49, 1, 1), (1, 1, 49, 1)):
        mean = jax.lax.reduce_window(mean, 0.0, jax.lax.add, window, steps, "SAME") / 49
    return jnp.clip(0.5 * conftest.blur(x) + 0.5 * mean, 0, 1)


def network() -> cem.Network:
    return cem.wrap(wide, receptive_radius=24, name="wide")


def other() -> cem.Network:
    return cem.wrap(conftest.blur, receptive_radius=1, name="blur")


def session() -> Session:
    choices = {
        "wide": Choice((), network, ("--module", "own.py:network")),
        "blur": Choice((), other, ("--module", "own.py:blur")),
    }
    return Session(choices, [Photograph("photo.png", photograph())])


def told(**changes) -> dict:
    """What a page asks for."""
    asked = {
        "tab": "one", "photograph": 0, "task": "DN", "network": "wide",
        "roi": [ROI.y, ROI.x, ROI.height, ROI.width], "plan": "adaptive", "sigma": 50, "seed": 0,
        "pinned": [],
    }  # fmt: skip
    return asked | changes


def expected(roi: cem.ROI = ROI, seed: int = 0, of: cem.Network | None = None) -> cem.EffectMap:
    """The map that Python makes of the same."""
    scene = cem.Scene.denoising(photograph(), 50 / 255, seed, name="photo")
    return cem.causal_effect_map(
        network() if of is None else of, scene, roi, plan=cem.Adaptive(), seed=seed, progress=False
    )


def same(first: cem.EffectMap, second: cem.EffectMap) -> None:
    for name in ("effect", "standard_error", "samples", "undecided", "values", "degraded"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.baseline == second.baseline and first.roi == second.roi


def unpacked(value: dict[str, str]) -> np.ndarray:
    """An array that a page is told."""
    data = zlib.decompress(base64.b64decode(value["data"]))
    return np.frombuffer(data, np.dtype(value["dtype"]).newbyteorder("<"))


def read(**changes) -> Asked:
    return Asked.read(told(**changes))
