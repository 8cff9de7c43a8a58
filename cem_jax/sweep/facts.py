"""What a network is said to be, checked against what it does, once for each network and scene."""

import contextlib
import functools
import weakref
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32, UInt8

from cem_jax import cone as cones
from cem_jax.grid import ROI, Crop
from cem_jax.network.network import Network
from cem_jax.network.zoo import has_known_facts
from cem_jax.scene.image import to_bytes
from cem_jax.scene.scene import Scene
from cem_jax.sweep.mode import check_mode

_AGREEMENT = {"cpu": 1e-4}
"""How far two ways to compute a pixel may lie apart, by backend; pixels are in [0, 1]."""

_LOW_PRECISION = 1e-3
"""On other backends, whose matrix products may be shorter than float32."""

_BEYOND = 0.25
"""How far outside of [0, 1] a restored pixel is no overshoot any more, and which share of such
pixels is no accident."""

_NEAR = 10**-1.6
"""Mean square error of a region from which on another range of the output is thought of: 16 dB."""

_MUCH = 4
"""By how much the mean square error must be smaller for another range to be the right one."""

_ABOUT = 0.2
"""Share of values below 0 from which an output is thought to be a change of the input."""

_SIGNED = 0.05
"""How far below 0 an output of [-1, 1] must be: overshoots of others are smaller."""

_CONTRAST = 1.5
"""Contrast to the true image's from which an output is thought to be of [-1, 1], where it is 2."""

_ALIKE = 2e-5
"""How far an outcome may move with what else is in its batch: rounding, on some devices."""

_FURTHER = 64
"""Pixels, a multiple of most periods: how much larger the crop is where the image is too large."""

_restored: weakref.WeakKeyDictionary[Network, weakref.WeakKeyDictionary[Scene, np.ndarray]] = (
    weakref.WeakKeyDictionary()
)
"""Whole images that networks with declared facts restored, for as long as both are in use."""


_differences: weakref.WeakKeyDictionary[Network, weakref.WeakKeyDictionary[Scene, float | None]] = (
    weakref.WeakKeyDictionary()
)
"""How far networks are from what they were made from, for as long as they are in use."""


@contextlib.contextmanager
def named_errors(network: Network, shape: tuple[int, ...]) -> Iterator[None]:
    """Errors of a network's own code become a ValueError that names it and the image's shape."""
    try:
        yield
    except Exception as error:  # a user's function may raise anything
        text = " ".join(str(error).split())[:300]
        if text.startswith("network="):
            raise
        raise ValueError(
            f"network={network.name}: it cannot take an image {shape}: "
            f"{type(error).__name__}: {text}"
        ) from error


def check_output(network: Network, scene: Scene, height: int, width: int) -> None:
    """Refuses a network that does not turn an image into one of the scene's scale, by shapes alone.

    Args:
        network: the network.
        scene: for its scale and channels.
        height: rows of what it is given, in pixels.
        width: columns.

    Raises:
        ValueError: the message says what it returns and what is needed, or that it is in training
            mode.
    """
    check_function(network, scene.scale, (height, width, scene.degraded.shape[2]))


def check_function(network: Network, scale: int, shape: tuple[int, int, int]) -> None:
    """`check_output` where there is no scene.

    Args:
        network: the network.
        scale: output pixels per input pixel.
        shape: of an image [h, w, c] that it is given.

    Raises:
        ValueError: see `check_output`.
    """
    height, width, channels = shape
    size = jax.ShapeDtypeStruct((1, height, width, channels), jnp.float32)
    with named_errors(network, size.shape):
        out = jax.eval_shape(network.apply, network.params, size)
    expected = (1, height * scale, width * scale, channels)
    if not isinstance(out, jax.ShapeDtypeStruct):
        raise ValueError(
            f"network={network.name}: it returns a {type(out).__name__}; expected one array "
            f"{expected}"
        )
    if out.shape != expected:
        raise ValueError(
            f"network={network.name}: it turns {size.shape} into {out.shape}; at scale {scale} "
            f"{expected} are needed{_other_scale(size.shape, out.shape)}"
        )
    if out.dtype != jnp.float32:
        raise ValueError(
            f"network={network.name}: its output is {out.dtype}; expected float32 in [0, 1]"
        )
    check_mode(network, size.shape)


def _other_scale(given: tuple[int, ...], made: tuple[int, ...]) -> str:
    """The scale that an output has, in words; empty if it has none."""
    found = made[1] // given[1] if len(made) == 4 else 0
    if found < 1 or made[1:3] != (found * given[1], found * given[2]):
        return ""
    return f"; its own scale is {found}" if made[3] == given[3] else ""


def check_crop(
    network: Network, scene: Scene, crop: Crop, region: Float32[np.ndarray, "h w c"] | None
) -> None:
    """Refuses declared facts under which a region comes out otherwise than in the whole image.

    Args:
        network: the network; one of the zoo has no declared facts.
        scene: clean image and input.
        crop: what the facts leave of the input.
        region: what the sweep's program makes of the region, before it is finished, float32
            [h, w, c]; None if that is yet to be computed.

    Raises:
        ValueError: the message names the facts and the difference.
    """
    h, w, _ = scene.degraded.shape
    if has_known_facts(network) or (crop.height, crop.width) == (h, w):
        return
    if region is None:
        region = _region_of(network, scene, crop)
    far = float(np.abs(_from_more(network, scene, crop) - region).max())
    if np.isnan(far) or far <= _AGREEMENT.get(jax.default_backend(), _LOW_PRECISION):
        return  # what is not finite is told with the outcomes
    raise ValueError(
        f"network={network.name}: {_facts(network)} do not hold: in the crop of {crop.height} x "
        f"{crop.width} pixels that they leave, the region differs from that of the whole image by "
        f"up to {far:.2g}{_known(network, (1, *scene.degraded.shape))}; correct them, or leave "
        "receptive_radius out"
    )


def _region_of(network: Network, scene: Scene, crop: Crop) -> Float32[np.ndarray, "h w c"]:
    """The restored region, [h, w, c], from a part of the input."""
    part = scene.degraded[crop.top :, crop.left :][: crop.height, : crop.width]
    roi = crop.roi
    restored = np.asarray(network(part[None]))[0]
    return restored[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width]


def _from_more(network: Network, scene: Scene, crop: Crop) -> Float32[np.ndarray, "h w c"]:
    """The restored region from the whole image, or from as much as the memory allows."""
    inner, scale = crop.roi, scene.scale
    y, x = crop.top * scale + inner.y, crop.left * scale + inner.x
    try:
        whole = restored_image(network, scene)
        return whole[y : y + inner.height, x : x + inner.width]
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
    h, w, _ = scene.degraded.shape
    roi, radius = ROI(y, x, inner.height, inner.width), network.receptive_radius or 0
    larger = Crop.make(h, w, roi, scale, 2 * radius + _FURTHER, _FURTHER * (network.anchor or 1))
    return _region_of(network, scene, larger)


def _facts(network: Network) -> str:
    return f"receptive_radius={network.receptive_radius} and size_multiple={network.anchor}"


def _known(network: Network, shape: tuple[int, ...]) -> str:
    """What the network's operations show of its radius, in words."""
    apply, params = network.apply, network.params
    function = functools.partial(apply, None) if params is None else apply
    try:
        found = cones.receptive_radius(function, shape, params)
    except (ValueError, TypeError):  # it takes no image of twice the size, or no whole scale
        return ""
    shown = "the whole image" if found is None else f"{found} pixels"
    return f" (its operations show that an output pixel may depend on {shown})"


def restored_image(network: Network, scene: Scene) -> Float32[np.ndarray, "h w c"]:
    """The whole restored image, [h, w, c], as the network gives it.

    It is kept for as long as both are in use.

    Args:
        network: the network, as it runs on the scene.
        scene: for its input.
    """
    own = _restored.setdefault(network, weakref.WeakKeyDictionary())
    if scene not in own:
        own[scene] = np.asarray(network(scene.degraded[None]))[0]
    return own[scene]


def difference_from_original(network: Network, scene: Scene) -> float | None:
    """How far a network of another framework is from what it was made from, on the scene's input.

    Args:
        network: the network.
        scene: for its input.

    Returns:
        Largest absolute difference of a pixel; None for a network of JAX, and for one on the host.

    Raises:
        ValueError: it is too far; see `Network.check`.
    """
    own = _differences.setdefault(network, weakref.WeakKeyDictionary())
    if scene not in own:
        own[scene] = network.check(scene.degraded[None])
    return own[scene]


def check_alone(
    network: Network, alone: Float[np.ndarray, " k"], beside: Float[np.ndarray, " k"]
) -> None:
    """Refuses a network to which the other images of a batch matter.

    Args:
        network: the network.
        alone: outcomes of the input in a batch of its like.
        beside: the same in a batch with interventions.

    Raises:
        ValueError: they differ.
    """
    if np.allclose(beside, alone, rtol=_ALIKE / 20, atol=_ALIKE):
        return
    raise ValueError(
        f"network={network.name}: what it makes of an image depends on the other images of the "
        f"batch (an outcome of {float(alone[0]):.6g} becomes {float(beside[0]):.6g}), as with "
        "normalisation by a batch's own statistics (training mode); use those that were learnt, "
        "or take every image alone: cem.wrap(jax.vmap(lambda image: f(image[None])[0]))"
    )


def check_range(
    network: Network,
    scene: Scene,
    pixels: UInt8[np.ndarray, "h w c"],
    clean: Float[np.ndarray, "h w c"],
) -> None:
    """Refuses a network whose output is not in [0, 1] but for overshoots.

    Args:
        network: the network.
        scene: clean image and input.
        pixels: the finished region, uint8 [h, w, c].
        clean: the true one, float [h, w, c].

    Raises:
        ValueError: the message names the range.
    """
    ends = [np.mean((p <= 0) | (p >= top)) for p, top in ((pixels, 255), (clean, 1))]
    near = float(np.mean((pixels / 255 - clean) ** 2)) < _NEAR
    if ends[0] - ends[1] <= _BEYOND and near:  # too few that clipping can have changed
        return
    restored = restored_image(network, scene)
    beyond = float(np.mean((restored < -_BEYOND) | (restored > 1 + _BEYOND)))
    if _is_what_was_added(restored, scene):
        raise ValueError(
            f"network={network.name}: its output lies about 0, from {restored.min():.4g} to "
            f"{restored.max():.4g}, and the input without it is nearer to the true image; expected "
            "the restored image. A network that returns the noise is wrapped as "
            "cem.wrap(lambda x: x - f(x)), one that returns what is missing as "
            "cem.wrap(lambda x: x + f(x))"
        )
    if beyond > _BEYOND or _is_of_other_range(restored, scene.clean):
        raise ValueError(
            f"network={network.name}: its output is {restored.dtype} from {restored.min():.4g} to "
            f"{restored.max():.4g}; expected float32 in [0, 1]. A network of another range is "
            "wrapped with its scaling: cem.wrap(lambda x: f(255 * x) / 255), or for [-1, 1] "
            "cem.wrap(lambda x: (f(2 * x - 1) + 1) / 2)"
        )


def check_region(network: Network, scene: Scene, roi: ROI, crop: Crop) -> None:
    """`check_range` where no sweep has restored the region yet.

    Args:
        network: the network.
        scene: clean image and input.
        roi: the region, in output pixels.
        crop: the part of the input from which it is restored.

    Raises:
        ValueError: the message names the range.
    """
    region = _region_of(network, scene, crop)
    if not np.isfinite(region).all():
        return  # what is not finite is told with the outcomes
    clean = scene.clean[roi.y :, roi.x :][: roi.height, : roi.width]
    check_range(network, scene, to_bytes(np.clip(region, 0, 1)), clean)


def _is_what_was_added(restored: np.ndarray, scene: Scene) -> bool:
    """Whether an output lies about 0, and is nearer to the truth as a change of the input."""
    given, clean = scene.degraded, scene.clean
    if not restored.shape == given.shape == clean.shape or np.mean(restored < 0) < _ABOUT:
        return False
    far, before, *changed = (
        float(np.mean((np.clip(image, 0, 1) - clean) ** 2))
        for image in (restored, given, given - restored, given + restored)
    )
    return min(changed) < min(far / _MUCH, before)


def _is_of_other_range(restored: np.ndarray, clean: np.ndarray) -> bool:
    """Whether an output is much nearer to the truth as one of [-1, 1] or of [0, 1 / 255]."""
    if restored.shape != clean.shape:
        return False

    def far(pixels: np.ndarray) -> float:
        return float(np.mean((np.clip(pixels, 0, 1) - clean) ** 2))

    def coarse(pixels: np.ndarray) -> np.ndarray:
        """Means of 8 x 8 pixels, which a blur hardly changes."""
        rows, columns = (side // 8 * 8 for side in pixels.shape[:2])
        return pixels[:rows, :columns].reshape(rows // 8, 8, columns // 8, 8, -1).mean((1, 3))

    found, true = far(restored) / _MUCH, coarse(clean)
    centred = true - (true.mean() if true.size else 0)
    contrast = float(np.sum(centred * coarse(restored)) / max(np.sum(centred**2), 1e-9))
    signed = restored.min() < -_SIGNED and contrast > _CONTRAST
    tiny = restored.max() < 2 / 255
    return (signed and far((restored + 1) / 2) < found) or (tiny and far(255 * restored) < found)
