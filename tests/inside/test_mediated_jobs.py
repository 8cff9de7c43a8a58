"""Jobs whose maps are split by a mediator: made once, resumed, read as any other."""

import numpy as np
import pytest
from command_line import call

import cem_jax as cem

NETWORK = """
import jax.numpy as jnp
import cem_jax as cem


def scaled(x):
    return x * (1 + jnp.mean(x, axis=(1, 2), keepdims=True)) / 2


def make():
    return cem.wrap(scaled, name="scaled")
"""
FILE = """
plan = "fixed:3"
through = "global"

[[network]]
module = "own.py:make"
label = "scaled"

[[scene]]
task = "DN"
example = "pagoda"
rois = [[96, 96, 16, 16], [112, 112, 16, 16]]
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory) -> cem.Job:
    folder = tmp_path_factory.mktemp("job")
    (folder / "own.py").write_text(NETWORK)
    (folder / "job.toml").write_text(FILE)
    return cem.read_job(folder / "job.toml")


@pytest.fixture(scope="module")
def small(job) -> cem.Job:
    """The same of a smaller image."""
    scene = cem.Scene.denoising(cem.example_image("pagoda")[:48, :48], 10 / 255)
    maps = [cem.MapOf("scaled", "small", cem.ROI(y, 16, 16, 16)) for y in (0, 16)]
    return cem.Job(job.networks, {"small": lambda: scene}, maps, plan=job.plan, through=job.through)


@pytest.fixture(scope="module")
def made(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("made")
    return out, cem.run_job(small, out, progress=False)


def test_a_file_asks_for_a_mediator(job, tmp_path):
    assert job.through == ("global",) and len(job.maps) == 2
    assert job.names == ["psnr", "direct", "pure_indirect"]
    file = tmp_path / "job.toml"
    for line, told in (
        ('through = ""', "names of modules"),
        ("through = []", "names of modules"),
        ('through = "global"\noutcomes = ["psnr", "ssim"]', "one outcome"),
    ):
        file.write_text(FILE.replace('through = "global"', line))
        (tmp_path / "own.py").write_text(NETWORK)
        with pytest.raises(ValueError, match=f"through.*{told}"):
            cem.read_job(file)


def test_a_job_in_python_is_checked_too(small):
    with pytest.raises(ValueError, match="one outcome"):
        cem.Job(small.networks, small.scenes, small.maps, outcomes=("psnr", "ssim"), through="a")
    with pytest.raises(ValueError, match="through=7"):
        cem.Job(small.networks, small.scenes, small.maps, through=7)


def test_each_map_is_the_one_of_a_single_call(small, made):
    out, results = made
    assert [one.problem for one in results] == ["", ""]
    one = small.maps[1]
    scene = small.scenes["small"]()
    wanted = cem.mediated_maps(
        small.networks["scaled"](), cem.Scene.denoising(scene.clean, 10 / 255, name="small"),
        one.roi, plan=cem.Fixed(3), progress=False,
    )  # fmt: skip
    found = cem.MediatedMaps.load(out / str(one))
    for part in ("total", "direct", "pure_indirect"):
        np.testing.assert_allclose(
            getattr(found, part).effect, getattr(wanted, part).effect, atol=1e-6
        )


def test_finished_maps_are_found_and_others_resumed(small, made):
    out, _ = made
    assert all(one.found for one in cem.run_job(small, out, progress=False))
    status = cem.job_status(out)
    assert status.count("done") == 2
    gone = out / str(small.maps[0]) / "map.direct.npz"
    before = cem.EffectMap.load(gone)
    gone.unlink()
    assert cem.job_status(out).count("done") == 1
    again = cem.run_job(small, out, progress=False)
    assert [one.found for one in again] == [False, True]
    np.testing.assert_array_equal(cem.EffectMap.load(gone).effect, before.effect)
    resumed = cem.EffectMap.load(gone).provenance["evaluations_resumed"]
    assert resumed == before.evaluations


def test_tables_statistics_and_stores_know_the_parts(made, tmp_path):
    out, _ = made
    table = cem.job_table(out)
    names = ["psnr", "direct", "pure_indirect"]
    assert [row["outcome"] for row in table] == 2 * names
    found = cem.compare(table, by="outcome", numbers=["max"])
    assert {(one.group, one.minus) for one in found} >= {("psnr", "direct")}
    pytest.importorskip("xarray")
    assert cem.gather(out, tmp_path / "store", outcome="direct") == 2


def test_a_mediated_job_is_estimated(small):
    (cost,) = cem.estimate_job(small)
    assert cost.problem == "" and cost.evaluations[0] == 3 * 2 * (36 - 4)


def test_a_mediator_that_a_network_lacks_is_told_with_its_map(small, tmp_path):
    other = cem.Job(small.networks, small.scenes, small.maps[:1], through="attention")
    (result,) = cem.run_job(other, tmp_path, progress=False)
    assert "attention" in result.problem


def test_the_networks_of_a_job_are_compared_by_how_far_they_see(small, made):
    out, _ = made
    (row,) = cem.job_reach(small, out)
    assert (row["network"], row["analytic"], row["global"], row["maps"]) == ("scaled", 0, 1, 2)
    maps = [cem.EffectMap.load(out / str(one) / "map.npz") for one in small.maps]
    wanted = np.mean([cem.causal_radius(one, 0.95) for one in maps])
    assert row["causal_95"] == pytest.approx(wanted, abs=0.05)
    (alone,) = cem.job_reach(small)
    assert "causal_95" not in alone and alone["gradient_50"] == row["gradient_50"]


def test_the_command_prints_the_table_of_reach(job, made, tmp_path):
    (tmp_path / "own.py").write_text(NETWORK)
    (tmp_path / "job.toml").write_text(FILE)
    done = call("compare", str(tmp_path / "job.toml"), str(tmp_path))
    assert done.returncode == 0, done.stderr
    head, _, row = done.stdout.strip().splitlines()
    names = [cell.strip() for cell in head.strip("|").split("|")]
    assert names[:5] == ["network", "analytic", "global", "gradient_50", "gradient_95"]
    assert (
        dict(zip(names, (cell.strip() for cell in row.strip("|").split("|")), strict=True))["maps"]
        == "0"
    )
