"""The results of a job as a table, as one array store, and compared: scenes are the unit."""

import dataclasses
import json
import math
import statistics

import numpy as np
import pytest
from command_line import call

import cem_jax as cem
from cem_jax.jobs import table as tables

ROIS = [cem.ROI(0, 0, 16, 16), cem.ROI(16, 16, 16, 16)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A job of two networks and two scenes of different sizes, and a network that fails."""
    import conftest

    pool = cem.PatchPool(cem.PatchPool.default().patches[::50], "every 50th")
    networks = {
        "curved": lambda: cem.wrap(conftest.curved, receptive_radius=2),
        "blur": lambda: cem.wrap(conftest.blur, receptive_radius=1),
        "bad": lambda: 1 // 0,
    }
    photo = cem.example_image("facade")
    scenes = {
        "small": lambda: cem.Scene.denoising(photo[:40, :48]),
        "wide": lambda: cem.Scene.denoising(photo[:32, :64]),
    }
    maps = [cem.MapOf(network, scene, roi) for network in ("curved", "blur") for scene in scenes
            for roi in ROIS[: 2 if scene == "small" else 1]]  # fmt: skip
    maps.append(cem.MapOf("bad", "small", ROIS[0]))
    outcomes = (cem.psnr, cem.negative_l1)
    job = cem.Job(networks, scenes, maps, pool, plan=cem.Fixed(2), outcomes=outcomes)
    out = tmp_path_factory.mktemp("made")
    cem.run_job(job, out, progress=False)
    return job, out


def test_a_table_has_a_row_for_each_map_and_outcome(made):
    _, out = made
    rows = cem.job_table(out)
    assert len(rows) == 2 * 6 + 1
    for row in rows[:-1]:
        file = "map.npz" if row["outcome"] == "psnr" else f"map.{row['outcome']}.npz"
        found = cem.EffectMap.load(out / row["directory"] / file)
        summary = cem.summarise(found)
        assert {key: row[key] for key in summary if key != "network"} == {
            key: value for key, value in summary.items() if key != "network"
        }
        assert (row["y"], row["x"], row["height"], row["width"]) == (dataclasses.astuple(found.roi))
        assert row["problem"] in (None, "")
    assert "ZeroDivisionError" in rows[-1]["problem"] and rows[-1]["min"] is None


def test_maps_that_nobody_recorded_are_in_the_table_too(made, tmp_path):
    import shutil

    _, out = made
    shutil.copytree(out, tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / ".job" / "ended")
    again = cem.job_table(tmp_path / "out")
    for row, wanted in zip(again[:-1], cem.job_table(out)[:-1], strict=True):
        assert {**row, "problem": None} == {**wanted, "problem": None}
    assert again[-1]["problem"] == "it is not made yet"


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_table_is_read_as_it_was_written(name, made, tmp_path):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    rows = [{**row, "problem": row["problem"] or None} for row in cem.job_table(made[1])]
    cem.write_table(rows, tmp_path / name)
    assert tables.read_table(tmp_path / name) == rows
    assert str(cem.compare(tmp_path / name)) == str(cem.compare(rows))  # NaN is not NaN


def test_a_table_of_before_the_networks_files_were_told_is_read(made, tmp_path):
    cem.write_table(cem.job_table(made[1]), tmp_path / "table.csv")
    lines = (tmp_path / "table.csv").read_text().splitlines()
    place = lines[0].split(",").index("network_source")
    kept = [",".join(n for k, n in enumerate(line.split(",")) if k != place) for line in lines[:-1]]
    (tmp_path / "older.csv").write_text("\n".join(kept) + "\n")
    assert str(cem.compare(tmp_path / "older.csv")) == str(cem.compare(tmp_path / "table.csv"))


def test_tables_that_are_none_are_refused(made, tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.csv or \.parquet"):
        cem.write_table([], tmp_path / "table.xls")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for file in ("other.csv", "none.csv"):
        with pytest.raises(ValueError, match=file):
            cem.compare(tmp_path / file)
    with pytest.raises(ValueError, match="no job was begun"):
        cem.job_table(tmp_path)


# Comparing


def row(network: str, scene: str, y: int, positive: float, **more) -> dict:
    return {"network": network, "scene": scene, "y": y, "x": 0, "height": 8, "width": 8,
            "outcome": "psnr", "task": "DN", "positive": positive, **more}  # fmt: skip


def test_scenes_are_the_unit_and_networks_are_paired():
    rows = [
        row("a", "s", 0, 10), row("a", "s", 8, 20), row("a", "t", 0, 40), row("a", "u", 0, 7),
        row("b", "s", 0, 11), row("b", "s", 8, 23), row("b", "t", 0, 46),
        row("b", "v", 0, 90, problem="lost"),
    ]  # fmt: skip
    first, second, apart = cem.compare(rows, numbers=["positive"])
    assert (first.group, first.mean, first.scenes) == ("a", pytest.approx((15 + 40 + 7) / 3), 3)
    assert (second.group, second.mean, second.scenes) == ("b", pytest.approx((17 + 46) / 2), 2)
    # Regions are averaged within s: -2; t differs by -6; u and v have no pair.
    assert (apart.group, apart.minus, apart.scenes) == ("a", "b", 2)
    assert apart.mean == pytest.approx(-4)
    half = 12.7062 * statistics.stdev([-2, -6]) / math.sqrt(2)  # t with one degree of freedom
    assert (apart.low, apart.high) == (pytest.approx(-4 - half, rel=1e-5),
                                       pytest.approx(-4 + half, rel=1e-5))  # fmt: skip
    assert apart.effect_size == pytest.approx(-4 / statistics.stdev([-2, -6]))


def test_intervals_agree_with_scipy_and_hold_the_truth_as_often_as_they_say():
    from scipy import stats

    random, held = np.random.default_rng(0), 0
    for trial in range(400):
        scenes = random.normal(3, 2, 6)
        rows = [row("a", f"s{n}", 8 * k, float(value))
                for n, value in enumerate(scenes) for k in range(2)]  # fmt: skip
        (found,) = cem.compare(rows, numbers=["positive"])
        held += found.low <= 3 <= found.high
        if trial == 0:
            wanted = stats.ttest_1samp(scenes, 0).confidence_interval()
            assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert 0.92 < held / 400 < 0.98


def test_one_scene_has_no_interval():
    (found,) = cem.compare([row("a", "s", 0, 5)], numbers=["positive"])
    assert found.mean == 5 and math.isnan(found.low) and math.isnan(found.high)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"by": "scene"}, "by='scene': expected one of network"), ({"by": None}, "^by="),
        ({"numbers": ["size"]}, "^numbers="), ({"numbers": []}, "^numbers="),
        ({"numbers": "positive"}, "^numbers="), ({"numbers": 3}, "^numbers="),
        ({"table": []}, "^table=.*at least one"), ({"table": 3}, "^table="),
        ({"table": [[1]]}, "^table="), ({"table": [{}]}, "^table: .*not tell network, outcome"),
        ({"table": "none.csv"}, r"^path='none\.csv' cannot be read"),
        *(({"table": [{**row("a", "s", 0, 5), key: None}]}, f"^table: .*does not tell {key}")
          for key in ("network", "scene", "y", "x", "height", "width", "outcome")),
        ({"table": [row("a", "s", 0, 5, problem="lost")]}, "^table: expected finished maps"),
        ({"table": [row("a", "s", 0, "5")]}, "^table: positive='5'; expected a number"),
        ({"table": [row("a", "s", 0, 5), row("a", "s", 0, 6)]},
         "^table: two rows of network 'a', scene 's', y 0, .* have different positive"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        cem.compare(**{"table": [row("a", "s", 0, 5)], **change})


def test_a_row_that_is_there_twice_counts_once():
    rows = [row("a", "s", 0, 5), row("a", "s", 8, 7), row("a", "s", 0, 5), row("a", "s", 8, 7)]
    (found,) = cem.compare(rows[:3], numbers=["positive"])
    assert found.mean == 6
    assert str(cem.compare(rows, numbers=["positive"])) == str([found])


def test_outcomes_are_compared_apart_or_with_each_other(made):
    rows = cem.job_table(made[1])
    by_network = cem.compare(rows, numbers=["positive"])
    assert [(one.outcome, one.group, one.minus) for one in by_network] == [
        (outcome, *pair)
        for outcome in ("psnr", "negative_l1")
        for pair in (("curved", ""), ("blur", ""), ("curved", "blur"))
    ]
    by_outcome = cem.compare(rows, by="outcome", numbers=["positive"])
    assert [one.minus for one in by_outcome] == ["", "", "negative_l1"]
    assert by_outcome[-1].scenes == 2


# One store


def test_all_maps_are_one_dataset(made, tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("zarr")
    job, out = made
    assert cem.gather(out, tmp_path / "maps.zarr") == 6
    data = xarray.open_zarr(tmp_path / "maps.zarr")
    assert dict(data.sizes) == {"network": 3, "scene": 2, "region": 2, "row": 5, "column": 8}
    assert data["effect"].dims == ("network", "scene", "region", "row", "column")
    assert data["effect"].attrs["units"] == "dB" and data["roi_y"].attrs["units"] == "output pixel"
    for one in job.maps[:-1]:
        found = cem.EffectMap.load(out / str(one) / "map.npz")
        region = ROIS.index(one.roi)
        part = data.sel(network=one.network, scene=one.scene).isel(region=region)
        height, width = found.effect.shape
        for name in ("effect", "standard_error", "samples", "undecided", "inside_roi"):
            kept = part[name].values
            np.testing.assert_array_equal(kept[:height, :width], getattr(found, name))
        assert np.isnan(part["effect"].values[height:]).all()
        assert np.isnan(part["effect"].values[:, width:]).all()
        assert float(part["baseline"]) == found.baseline
        assert int(part["evaluations"]) == found.evaluations
        assert int(part["roi_x"]) == one.roi.x
    lost = data.sel(network="bad")
    assert np.isnan(lost["effect"].values).all() and (lost["samples"].values == -1).all()
    record = json.loads(data.attrs["provenance"])
    assert record["plan"] and "network" not in record and data.attrs["outcome"] == "psnr"
    assert len(set(data["parameters"].values.tolist())) >= 2
    cem.gather(out, tmp_path / "other.zarr", "negative_l1")
    assert xarray.open_zarr(tmp_path / "other.zarr").attrs["outcome"] == "negative_l1"


def test_a_store_is_not_written_over_and_needs_maps(made, tmp_path):
    _, out = made
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="a new or an empty folder"):
        cem.gather(out, tmp_path / "there")
    with pytest.raises(ValueError, match="outcome='ssim': expected one of psnr, negative_l1"):
        cem.gather(out, tmp_path / "x", "ssim")
    with pytest.raises(ValueError, match="no job was begun"):
        cem.gather(tmp_path / "there", tmp_path / "x")


def test_the_commands_of_results(made, tmp_path):
    _, out = made
    done = call("table", str(out), "--out", str(tmp_path / "all.csv"))
    assert done.returncode == 0 and (tmp_path / "all.csv").read_text().startswith("network,scene,y")
    done = call("gather", str(out), str(tmp_path / "maps.zarr"), "--json")
    assert json.loads(done.stdout)[0]["maps"] == 6
    for source in (str(out), str(tmp_path / "all.csv")):
        done = call("compare", source)
        assert "curved - blur" in done.stdout, done.stderr
