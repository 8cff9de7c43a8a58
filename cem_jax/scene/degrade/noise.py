"""Additive Gaussian noise, clipped and truncated to 8 bits."""

import jax
import jax.numpy as jnp
import numpy as np


def add_noise(image: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """The noisy input of a scene, equal to the paper's code for the same seed.

    numpy's legacy generator is used because its stream is frozen for good.

    Args:
        image: uint8 [h, w, c].
        sigma: standard deviation, in units of [0, 1].
        seed: seed of the noise.

    Returns:
        uint8 [h, w, c].
    """
    noise = np.random.RandomState(seed).normal(0.0, sigma, image.shape)
    return (np.clip(noise + image / 255, 0.0, 1.0) * 255).astype(np.uint8)


def add_fresh_noise(key: jax.Array, image: jax.Array, sigma: float) -> jax.Array:
    """The same degradation with noise drawn from a key, for patches on the device.

    Args:
        key: random key.
        image: integers 0 .. 255, [..., c].
        sigma: standard deviation, in units of [0, 1].

    Returns:
        int32 0 .. 255, of the image's shape.
    """
    noise = 255 * sigma * jax.random.normal(key, image.shape)
    return jnp.floor(jnp.clip(image + noise, 0, 255)).astype(jnp.int32)
