"""A map is the same on any number of devices and processes, which do not talk while they compute.

As a script this file makes the maps of one process: see `start`.
"""

import functools
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import conftest
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

import cem_jax as cem
from cem_jax.store.record import LOG
from cem_jax.sweep import dense, local
from cem_jax.sweep.devices import on_every_device

COLLECTIVE = re.compile(r"all-reduce|all-gather|all-to-all|reduce-scatter|collective-")


KERNELS = [
    np.random.default_rng(n).normal(0, 0.1, (3, 3, *channels)).astype(np.float32)
    for n, channels in enumerate([(3, 16), (16, 3)])
]


def mixed(x: jax.Array) -> jax.Array:
    """Two convolutions behind an operation by which every pixel depends on the whole image."""
    y = x * (0.9 + jnp.mean(x, (1, 2), keepdims=True) ** 2)
    layout = ("NHWC", "HWIO", "NHWC")
    for kernel in KERNELS:
        conv = jax.lax.conv_general_dilated(y, kernel, (1, 1), "SAME", dimension_numbers=layout)
        y = jax.nn.relu(conv)
    return x + y


def make(kind: str, name: str, **more) -> cem.EffectMap:
    """A map of a local or a global network, on a small image or with a real network."""
    pool = cem.PatchPool(cem.PatchPool.default().patches[::50], "every 50th")
    network = cem.wrap({"local": conftest.curved, "global": mixed}[name])
    side, plan = 64, cem.CoarseToFine(2, 4)
    if kind == "large":
        side, plan = 128, cem.CoarseToFine(3, 20)
        network = cem.load("DnCNN-compact") if name == "local" else network
    scene = cem.Scene.denoising(cem.example_image("facade")[:side, : side + 8])
    roi = cem.ROI(24, 32, 16, 16)
    return cem.causal_effect_map(
        network, scene, roi, pool=pool, plan=plan, seed=3, progress=False, **more
    )


def start(kind: str, out: Path, devices: int, process: str = "") -> subprocess.Popen:
    """Makes both maps in another process; `process` is "ADDRESS NUMBER OF" where it has fellows."""
    command = [sys.executable, __file__, kind, str(out), str(devices), *process.split()]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3"}
    return subprocess.Popen(command, env=os.environ | quiet, stderr=-1, text=True)


def main(kind: str, out: str, devices: str, *process: str) -> None:
    jax.config.update("jax_num_cpu_devices", int(devices))
    folder = Path(out)
    if process:
        address, number, count = process
        jax.distributed.initialize(address, int(count), int(number))
        assert jax.process_count() == int(count) and len(jax.local_devices()) == int(devices)
    for name in ("local", "global"):
        directory = folder.parent / f"{kind}-{name}" if process else None
        make(kind, name, directory=directory).save(folder.with_name(f"{folder.name}-{name}.npz"))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def ends(*processes: subprocess.Popen) -> None:
    for process in processes:
        _, errors = process.communicate(timeout=550)
        assert process.returncode == 0, errors[-2000:]


def same(found: cem.EffectMap, expected: cem.EffectMap) -> None:
    np.testing.assert_array_equal(np.isfinite(found.values), np.isfinite(expected.values))
    for name in ("values", "effect", "standard_error"):
        a, b = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    assert np.abs(found.effect[~found.inside_roi]).max() > 1e-3 and found.evaluations > 50


def check(kind: str, folder: Path) -> None:
    """1 and 2 devices here, 4 in another process, and two processes with 2 each."""
    address = f"localhost:{free_port()}"
    others = [start(kind, folder / f"p{n}", 2, f"{address} {n} 2") for n in range(2)]
    others.append(start(kind, folder / "d4", 4))
    expected = {name: make(kind, name) for name in ("local", "global")}
    single = {name: make(kind, name, devices=jax.devices()[:1]) for name in expected}
    ends(*others)
    for name, map_ in expected.items():
        assert map_.provenance["devices"].startswith("2 ")
        assert single[name].provenance["devices"].startswith("1 ")
        same(single[name], map_)
        for other in ("d4", "p0", "p1"):
            same(cem.EffectMap.load(folder / f"{other}-{name}.npz"), map_)
        # Both processes took part, and kept what they computed in logs of their own.
        sizes = [(folder / f"{kind}-{name}" / LOG.format(n)).stat().st_size for n in range(2)]
        assert min(sizes) > 0.3 * max(sizes)


def test_devices_and_processes_give_one_map(tmp_path):
    check("small", tmp_path)


@pytest.mark.long
def test_devices_and_processes_give_one_map_of_a_real_network(tmp_path):
    check("large", tmp_path)


@pytest.mark.parametrize("name", ["local", "global"])
def test_devices_do_not_talk_while_they_compute(name, monkeypatch):
    seen = []

    def noted(compiled, *args, **named):
        program = compiled(*args, **named)
        seen.append(program)
        return program

    for module in (local, dense):
        monkeypatch.setattr(module, "compiled", functools.partial(noted, module.compiled))
    found = make("small", name)
    assert found.provenance["computed"].startswith({"local": "cone", "global": "dense"}[name])
    assert seen
    for program in {id(program): program for program in seen}.values():
        text = program.run.as_text()
        assert "num_partitions=2" in text and not COLLECTIVE.search(text)


def test_devices_of_one_memory_share_what_all_of_them_read():
    mesh = Mesh(np.array(jax.local_devices()), ("sweep",))
    given = {"one": jnp.ones((65, 3)), "key": jax.random.key(1), "own": np.float32(np.eye(3))}
    put = on_every_device(given, mesh)
    pieces = [shard.data for shard in put["one"].addressable_shards]
    assert [piece.devices() for piece in pieces] == [{device} for device in mesh.devices]
    assert len({piece.unsafe_buffer_pointer() for piece in pieces}) == 1
    for name in ("one", "own"):
        assert put[name].is_fully_replicated
        np.testing.assert_array_equal(put[name], given[name])
    assert jax.random.bits(put["key"]) == jax.random.bits(given["key"])
    again = on_every_device(put, mesh)
    np.testing.assert_array_equal(again["one"], given["one"])


def test_a_program_in_which_devices_talk_would_be_noticed():
    mesh = Mesh(np.array(jax.local_devices()), ("sweep",))
    each = PartitionSpec("sweep")
    total = jax.shard_map(
        lambda x: jax.lax.psum(x, "sweep"), mesh=mesh, in_specs=each, out_specs=PartitionSpec()
    )
    assert COLLECTIVE.search(jax.jit(total).lower(jnp.ones(2)).compile().as_text())


if __name__ == "__main__":
    main(*sys.argv[1:])
