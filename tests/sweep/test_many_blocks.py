"""What accelerators get: calls that hold many blocks of a program, few and almost full."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest
from conftest import curved

import cem_jax as cem
from cem_jax.grid import Grid
from cem_jax.outcome import clip, psnr
from cem_jax.sweep import layout
from cem_jax.sweep.layout import Layout, mixes_blocks
from cem_jax.sweep.local import Local, Mixed
from cem_jax.sweep.sweep import Sweep, _busy, _chunk

ROI = cem.ROI(24, 32, 16, 16)


def test_blocks_share_calls_on_accelerators_and_where_more_is_asked_for(monkeypatch):
    assert not mixes_blocks(None, 53, 2)
    assert not mixes_blocks(106, 53, 2)
    assert mixes_blocks(107, 53, 2)
    monkeypatch.setattr(layout.jax, "default_backend", lambda: "gpu")
    assert mixes_blocks(None, 53, 2) and mixes_blocks(1, 53, 2)


@pytest.mark.parametrize("chunk", [9, 64, 1000])
def test_many_blocks_in_a_call_give_what_one_does(clean, local, pool, chunk):
    scene = cem.Scene.denoising(clean)
    how = {"pool": pool, "plan": cem.CoarseToFine(2, 2), "progress": False}
    one = cem.causal_effect_map(local, scene, ROI, **how)
    many = cem.causal_effect_map(local, scene, ROI, chunk=chunk, **how)
    np.testing.assert_allclose(many.values, one.values, atol=2e-5)
    np.testing.assert_array_equal(np.isnan(many.values), np.isnan(one.values))
    assert many.provenance["calls"] < one.provenance["calls"]
    evaluations = many.provenance["evaluations"]
    assert many.provenance["evaluated"] >= evaluations == one.provenance["evaluations"]
    # What stands behind the map is made by the same calls.
    np.testing.assert_array_equal(many.extremes.cells, one.extremes.cells)
    np.testing.assert_array_equal(many.extremes.regions, one.extremes.regions)


@pytest.mark.parametrize("mixed", [False, True])
def test_an_empty_request_has_no_groups(clean, mixed):
    found = swept(clean, mixed)
    assert isinstance(found.method, Mixed if mixed else Local)
    nothing = np.zeros(0, np.int64)
    asked = found.as_given(nothing, np.zeros((0, 8, 8, 3), np.float32))
    assert found.method.groups(asked) == {}
    assert list(found.evaluate(asked)) == []


def swept(clean, mixed, radius=2):
    scene = cem.Scene.denoising(clean)
    grid = Grid.make(*scene.degraded.shape[:2], 8, 1)
    wanted = ~grid.near(ROI, 0)
    network = cem.wrap(curved, receptive_radius=radius)
    how = {"draws": (3, 53), "mixed": mixed}
    return Sweep.make(Layout.make(network, scene, (ROI,), grid, wanted, clip, (psnr,), **how))


def test_chunks_to_begin_with_are_large_and_leave_little_to_fill(clean):
    one, many = swept(clean, mixed=False), swept(clean, mixed=True)
    assert one.chunk.size == 3
    blocks, programs = int(many.layout.reach.sum()), len(many.layout.plan.programs)
    assert many.chunk.size & (many.chunk.size - 1) == 0
    assert many.chunk.size <= max(16, 3 * blocks / (8 * programs * jax.device_count()))
    assert programs <= len(one.layout.plan.programs)


@pytest.mark.parametrize(
    ("work", "asked", "size"),
    [(4e9, None, 2), (1e12, None, 1), (0.0, None, 4), (4e9, 7, 4), (4e9, 1, 1), (4e9, 9999, 265)],
)
def test_chunks_of_whole_images(work, asked, size, monkeypatch):
    """By two devices: 8e9 multiply-adds on a CPU, a share of what is asked, never more than all."""
    found = SimpleNamespace(work=SimpleNamespace(crop=work), draws=(3, 53), reach=np.ones(10, bool))
    chosen = _chunk(found, SimpleNamespace(devices=2), asked)
    assert (chosen.size, chosen.grows) == (size, False)
    nothing = SimpleNamespace(**{**vars(found), "reach": np.zeros(10, bool)})
    assert _chunk(nothing, SimpleNamespace(devices=2), 8).size == 1
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    chosen = _chunk(found, SimpleNamespace(devices=2), asked)
    assert (chosen.size, chosen.grows) == ((16, True) if asked is None else (size, False))


@pytest.mark.parametrize(
    ("work", "draws", "size"), [(1e9, 16, 64), (5e9, 16, 32), (1e9, 1, 16), (1e12, 16, 16)]
)
def test_a_chunk_of_many_blocks_is_an_eighth_of_a_round_or_keeps_a_device_busy(work, draws, size):
    """96 blocks are in reach, of two programs on two devices: 48 draws of each to a device."""
    programs = np.append(np.arange(96) % 2, -1)
    found = SimpleNamespace(
        plan=SimpleNamespace(program_of=programs, reads=[None, None]), draws=(2 * draws, 53),
        work=SimpleNamespace(programs=np.where(programs == -1, 1e15, 2 * work * programs)),
    )  # fmt: skip
    assert _busy(found, SimpleNamespace(devices=2)) == size


@pytest.mark.long
@pytest.mark.parametrize(("name", "scale"), [("DnCNN-compact", 1), ("EDSR-compact", 4)])
def test_a_map_takes_few_calls_that_are_almost_full(name, scale):
    clean = cem.example_image("cabin")
    scene = cem.Scene.super_resolution(clean, scale) if scale > 1 else cem.Scene.denoising(clean)
    found = cem.causal_effect_map(
        cem.load(name), scene, cem.ROI(152, 96, 32, 32), chunk=128, progress=False
    )
    assert found.provenance["calls"] <= 60
    assert found.provenance["evaluated"] <= 1.25 * found.provenance["evaluations"]
