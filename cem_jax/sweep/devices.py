"""All cores of a CPU as devices, which is the same code path as several GPUs or TPUs."""

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def use_all_cores() -> None:
    """Makes one virtual JAX device of every CPU core that this process may use.

    Call it before the first JAX computation. On GPU and TPU backends it changes nothing of their
    devices. XLA runs a convolution on one thread of a CPU device, so that one device alone would
    leave the other cores idle.

    Raises:
        RuntimeError: JAX has already started.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    jax.config.update("jax_num_cpu_devices", cores or 1)


def on_every_device(tree: Any, mesh: Mesh) -> Any:
    """Arrays with a copy on every device; CPU devices share one, since they share the memory.

    Args:
        tree: a pytree of arrays.
        mesh: the devices, all of this process.
    """
    everywhere = NamedSharding(mesh, PartitionSpec())
    devices = list(mesh.devices.flat)

    def shared(array: Any) -> jax.Array:
        array = jnp.asarray(array)
        if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):  # no numbers of numpy
            return jax.device_put(array, everywhere)
        one = np.asarray(array.addressable_data(0))
        parts = [jax.device_put(one, device, may_alias=True) for device in devices]
        return jax.make_array_from_single_device_arrays(one.shape, everywhere, parts)

    if len(devices) == 1 or any(device.platform != "cpu" for device in devices):
        return jax.device_put(tree, everywhere)
    return jax.tree.map(shared, tree)


def join_processes() -> None:
    """Joins the processes of a TPU pod or a cluster's job step (`jax.distributed`).

    Call it before the first JAX computation.

    Raises:
        ValueError: JAX finds no such surroundings.
    """
    try:
        jax.distributed.initialize()
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"--distributed: no pod or cluster was found: {error}") from error
