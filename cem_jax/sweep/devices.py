"""All cores of a CPU as devices, which is the same code path as several GPUs or TPUs."""

import os

import jax


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
