"""Regions of one image in a job: by one sweep where that computes less, with the same maps."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cem_jax as cem
from cem_jax.effects import effect
from cem_jax.jobs import job as jobs
from cem_jax.sweep.sweep import Sweep

ROIS = [cem.ROI(8, 8, 8, 8), cem.ROI(16, 16, 16, 8), cem.ROI(24, 0, 8, 8)]


def whole(x):
    """Every pixel depends on all others: nobody looks into the loop, whose sum is of all."""
    kernel = jnp.broadcast_to(jnp.eye(3) / 9, (3, 3, 3, 3))

    def step(x, _):
        x = x * (1.2 - 0.4 * x.mean(axis=(1, 2), keepdims=True))
        near = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return 0.5 * x + 0.5 * near, None

    return jax.lax.scan(step, x, None, length=3)[0]


@pytest.fixture
def job(clean, pool) -> cem.Job:
    maps = [cem.MapOf("whole", "noisy", roi) for roi in ROIS]
    networks = {"whole": lambda: cem.wrap(whole, name="whole")}
    scenes = {"noisy": lambda: cem.Scene.denoising(clean[:32, :32])}
    return cem.Job(networks, scenes, maps, pool, plan=cem.Fixed(2))


def load(out, one: cem.MapOf) -> cem.EffectMap:
    return cem.EffectMap.load(out / str(one) / "map.npz")


def test_regions_share_a_sweep_where_the_network_sees_the_whole_image(job, tmp_path):
    results = cem.run_job(job, tmp_path, progress=False)
    assert [one.problem for one in results] == [""] * 3
    for one in job.maps:
        found = load(tmp_path, one)
        assert "3 regions share this sweep" in found.provenance["computed"]
        if one != job.maps[1]:
            continue
        alone = cem.causal_effect_map(
            job.networks["whole"](), job.scenes["noisy"](), one.roi, pool=job.pool, plan=job.plan,
            progress=False,
        )  # fmt: skip
        np.testing.assert_allclose(found.values, alone.values, rtol=0, atol=1e-4)
        np.testing.assert_array_equal(found.samples, alone.samples)


def test_regions_of_a_local_network_are_swept_one_by_one(job, local, tmp_path):
    job = dataclasses.replace(job, networks={"whole": lambda: local})
    cem.run_job(job, tmp_path, progress=False)
    assert all(
        "share this sweep" not in load(tmp_path, one).provenance["computed"] for one in job.maps
    )


def test_an_end_between_two_maps_of_a_sweep_loses_nothing(job, tmp_path, monkeypatch):
    cem.run_job(job, tmp_path / "quiet", progress=False)
    save, saved = effect._save, []

    def stop_after_one(*args):
        if saved:
            raise KeyboardInterrupt
        saved.append(1)
        save(*args)

    with monkeypatch.context() as patch:
        patch.setattr(effect, "_save", stop_after_one)
        with pytest.raises(KeyboardInterrupt):
            cem.run_job(job, tmp_path / "out", progress=False)
    assert cem.job_status(tmp_path / "out").count("done") == 1

    def never(*args):
        raise AssertionError("all outcomes are kept")

    monkeypatch.setattr(Sweep, "evaluate", never)
    results = cem.run_job(job, tmp_path / "out", progress=False)
    assert [one.problem for one in results] == [""] * 3
    assert [one.found for one in results] == [True, False, False]
    for one in job.maps:
        found, quiet = load(tmp_path / "out", one), load(tmp_path / "quiet", one)
        np.testing.assert_array_equal(found.values, quiet.values)
        np.testing.assert_array_equal(found.effect, quiet.effect)


def test_a_region_that_fails_does_not_stop_its_company(job, tmp_path):
    bad = cem.MapOf("whole", "noisy", cem.ROI(24, 24, 16, 16))
    job = dataclasses.replace(job, maps=[*job.maps, bad])
    problems = [one.problem for one in cem.run_job(job, tmp_path, progress=False)]
    assert problems[:3] == [""] * 3 and "leaves the image" in problems[3]


def test_companies_are_not_larger_than_a_sweep_can_hold(job):
    maps = [cem.MapOf("whole", "noisy", cem.ROI(0, x, 8, 8)) for x in range(2 * jobs._TOGETHER + 1)]
    sizes = [len(part) for part in dataclasses.replace(job, maps=maps).parts]
    assert sizes == [jobs._TOGETHER, jobs._TOGETHER, 1]
