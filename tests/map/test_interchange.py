"""Maps in other formats hold what the map holds; configurations of the paper's code are jobs."""

import csv
import dataclasses

import numpy as np
import pytest
import scipy.io
import yaml
from PIL import Image

import cem_jax as cem
from cem_jax.jobs.reference_config import CHECKPOINTS, read_reference_config
from cem_jax.map.interchange import reference_arrays, write_csv, write_netcdf, write_reference

ROI = cem.ROI(24, 32, 16, 16)
PLAN = cem.CoarseToFine(2, 4, tolerance=0.05)


@pytest.fixture(scope="module")
def found() -> cem.EffectMap:
    """A map with coarse blocks, fine blocks and blocks that cannot reach the region."""
    from conftest import curved

    network = cem.wrap(curved, receptive_radius=12, name="DnCNN")
    scene = cem.Scene.denoising(cem.example_image("facade")[:72, :72])
    pool = cem.PatchPool(cem.PatchPool.default().patches[::50])
    return cem.causal_effect_map(network, scene, ROI, pool=pool, plan=PLAN, progress=False)


def test_the_map_at_hand_has_all_kinds_of_blocks(found):
    outside = found.samples[~found.inside_roi]
    assert set(outside.tolist()) == {0, PLAN.coarse, PLAN.fine}


def drawn_by_the_papers_code(folder, prefix, image, found):
    """The map as that code computes it from its files: its own steps, in our words."""
    place = folder / "DN-CEM" / f"{prefix}-R16M8" / "DnCNN"
    read = {
        end: scipy.io.loadmat(place / f"{image}-PSNR{end}.mat")["PSNR"]
        for end in ("-Origin", "_all_perturb-C2", "_all_perturb-F4")
    }
    mean = read["_all_perturb-C2"].mean(2)
    fine = read["_all_perturb-F4"].mean(2)
    mean[fine != 0] = fine[fine != 0]
    effect = read["-Origin"] - mean
    effect[np.abs(effect) < found.tolerance] = 0
    return effect


def test_the_papers_code_draws_the_same_map_from_our_files(found, tmp_path):
    written = write_reference(found, tmp_path, "photo.png", "OWN")
    assert all(path.exists() for path in written) and len(written) == 3
    theirs = drawn_by_the_papers_code(tmp_path, "OWN", "photo.png", found)
    outside = ~found.inside_roi
    np.testing.assert_allclose(theirs[outside], found.thresholded[outside], atol=1e-5)
    assert np.count_nonzero(theirs[outside]) > 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"provenance": {"plan": "Fixed(n=3, tolerance=0.01)"}}, "plan=Fixed"),
        ({"outcome": "ssim"}, "outcome='ssim'"),
        ({"task": "custom"}, "task='custom'"),
        ({"roi": cem.ROI(24, 32, 16, 8)}, "square"),
    ],
)
def test_what_the_papers_code_has_no_place_for_is_refused(found, change, message):
    with pytest.raises(ValueError, match=message):
        reference_arrays(dataclasses.replace(found, **change))


OUTSIDE = ("../../X", "..", ".", "", " ", "/etc/x", "a/b", "a\\b", "C:x", "x\0", "x\n", "..\u202e")


@pytest.mark.parametrize("where", ["network", "image", "prefix", "task", "block"])
@pytest.mark.parametrize("text", OUTSIDE, ids=repr)
def test_nothing_is_written_outside_the_folder(where, text, found, tmp_path):
    changes: dict = {"task": text, "block": text}
    if where == "network":
        found = dataclasses.replace(found, provenance={**found.provenance, "network": text})
    elif where in changes:
        found = dataclasses.replace(found, **{where: changes[where]})
    folder = tmp_path / "a" / "b" / "out"
    folder.mkdir(parents=True)
    names = {where: text} if where in ("image", "prefix") else {}
    with pytest.raises(ValueError):
        write_reference(found, folder, **names)
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "b", "out"]


def test_links_that_lead_out_of_the_folder_are_not_followed(found, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "DN-CEM").symlink_to(tmp_path / "far")
    with pytest.raises(ValueError, match="leads out of"):
        write_reference(found, tmp_path / "out")
    assert not list((tmp_path / "far").iterdir())
    (tmp_path / "link").symlink_to(tmp_path / "far")  # the folder itself may be a link
    assert all(path.exists() for path in write_reference(found, tmp_path / "link"))


@pytest.mark.parametrize("plan", ["CoarseToFine(coarse=2, fine=3, tolerance=0.05)", None, 3])
def test_a_plan_that_is_not_the_maps_is_refused(plan, found):
    other = dataclasses.replace(found, provenance={**found.provenance, "plan": plan})
    with pytest.raises(ValueError, match="plan="):
        reference_arrays(other)


def test_a_table_has_a_line_for_each_block(found, tmp_path):
    write_csv(found, tmp_path / "map.csv")
    with (tmp_path / "map.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == found.effect.size
    low, _ = found.interval()
    for line in lines:
        cell = int(line["row"]), int(line["column"])
        assert (int(line["y"]), int(line["x"])) == (8 * cell[0], 8 * cell[1])
        assert int(line["inside_roi"]) == found.inside_roi[cell]
        assert line["effect"] == ("" if found.inside_roi[cell] else str(found.effect[cell]))
        assert line["low"] == ("" if np.isnan(low[cell]) else str(low[cell]))


def test_netcdf_is_read_without_this_package(found, tmp_path):
    pytest.importorskip("xarray")
    write_netcdf(found, tmp_path / "map.nc")
    with scipy.io.netcdf_file(tmp_path / "map.nc", mmap=False) as file:
        np.testing.assert_array_equal(file.variables["effect"][:], found.effect)
        assert file.variables["effect"].units == b"dB"
        assert file.variables["outcome"].dimensions == ("row", "column", "draw")
        assert file.baseline == found.baseline


def test_a_file_that_cannot_be_written_is_told(found, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match=r"path=.*cannot be written"):
        write_csv(found, tmp_path / "file" / "map.csv")


CONFIG = {
    "task": "DN", "sr": 1, "Modellist": ["DnCNN-compact"], "batch_size_dict": {"DnCNN": 1300},
    "TextImg_path": "./images/", "Imagelist": ["demo_2.png", "demo_3.png"],
    "patch_path": "./patches", "prefix": "DEMO", "w": 16, "h": 24, "ROI_size": 16,
    "mask_block_size": 8, "coarse_num": 2, "fine_num": 3, "load_previous": 1, "tol": 0.02,
}  # fmt: skip


@pytest.fixture
def checkout(tmp_path):
    """What lies around a configuration: photographs and a folder of patches."""
    for folder in ("images", "patches"):
        (tmp_path / folder).mkdir()
    for name in CONFIG["Imagelist"]:
        Image.fromarray(cem.example_image("facade")[:64, :64]).save(tmp_path / "images" / name)
    for n, patch in enumerate(cem.PatchPool.default().patches[:5]):
        Image.fromarray(patch).save(tmp_path / "patches" / f"{n:04}.png")
    return tmp_path


def config(folder, **changes):
    path = folder / "demo.yml"
    found = {key: value for key, value in (CONFIG | changes).items() if value is not None}
    path.write_text(yaml.safe_dump(found))
    return path


def test_a_configuration_is_a_job(checkout):
    job = read_reference_config(config(checkout))
    assert [str(one) for one in job.maps] == [
        f"DnCNN-compact/{name}/y24-x16-16x16" for name in CONFIG["Imagelist"]
    ]
    assert job.plan == cem.CoarseToFine(2, 3, tolerance=0.02) and job.rounded and job.block == 8
    np.testing.assert_array_equal(job.pool().patches, cem.PatchPool.default().patches[:5])
    scene = job.scenes["demo_2.png"]()
    expected = cem.Scene.denoising(cem.example_image("facade")[:64, :64], 50 / 255, seed=0)
    np.testing.assert_array_equal(scene.degraded, expected.degraded)


def test_rain_is_seeded_by_the_number_in_the_name(checkout):
    rain = {"task": "DR", "Modellist": ["SRResNet_DR-compact"]}
    job = read_reference_config(config(checkout, **rain))
    assert [job.scenes[name]().facts["seed"] for name in CONFIG["Imagelist"]] == [2, 3]


def test_official_checkpoints_beside_the_file_are_found(checkout):
    (checkout / CHECKPOINTS).mkdir(parents=True)
    file = config(checkout, Modellist=["DnCNN"])
    with pytest.raises(ValueError, match=r"DnCNN needs .*dncnn_color_blind\.pth"):
        read_reference_config(file)
    (checkout / CHECKPOINTS / "dncnn_color_blind.pth").write_text("not a checkpoint")
    with pytest.raises(ValueError, match=r"dncnn_color_blind\.pth"):
        read_reference_config(file).networks["DnCNN"]()


BAD = {
    "missing": ({"tol": None}, "missing tol"),
    "unknown": ({"tols": 1}, "unknown tols"),
    "kind": ({"w": "96"}, "w: '96': expected a whole number"),
    "names": ({"Imagelist": []}, "Imagelist: []"),
    "task": ({"task": "XX"}, "task: 'XX'"),
    "network": ({"Modellist": ["DnNN"]}, "DnNN"),
    "another task": ({"Modellist": ["EDSR-compact"]}, "EDSR-compact does SR at scale 4"),
    "photograph": ({"Imagelist": ["none.png"]}, "none.png"),
    "region": ({"w": 60}, "leaves the image"),
    "patches": ({"patch_path": "images"}, "a patch of 64 x 64"),
    "no patches": ({"patch_path": "none"}, "patch_path"),
    "draws": ({"fine_num": 0}, "fine=0"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_faulty_configuration_is_refused(case, checkout):
    changes, message = BAD[case]
    with pytest.raises(ValueError) as error:
        read_reference_config(config(checkout, **changes))
    assert str(error.value).startswith(str(checkout / "demo.yml")) and message in str(error.value)


def test_the_published_configurations_are_accepted(shared, tmp_path):
    """The three keys that differ between the paper's example files, with its own photographs."""
    pool = np.load(shared / "reference" / "div2k_patches_8.npz")
    patches = next(array for array in pool.values() if array.ndim == 4)[:3]
    (tmp_path / "patches").mkdir()
    for n, patch in enumerate(patches):
        Image.fromarray(patch).save(tmp_path / "patches" / f"{n:04}.png")
    file = config(
        tmp_path, Modellist=["DnCNN"], TextImg_path=str(shared / "reference" / "images"),
        w=96, h=152, ROI_size=32, coarse_num=3, fine_num=50, tol=0.01,
    )  # fmt: skip
    job = read_reference_config(file, shared / "weights")
    assert job.networks["DnCNN"]().receptive_radius == 20
    recorded = np.load(shared / "reference" / "dncnn_demo2.npz")
    degraded = np.round(255 * job.scenes["demo_2.png"]().degraded).astype(np.uint8)
    np.testing.assert_array_equal(degraded, recorded["degraded"])


def test_every_format_is_a_command(found, tmp_path):
    from command_line import call

    from cem_jax.cli.look import Format, export

    found.save(tmp_path / "map.npz")
    for kind in Format:
        export(tmp_path / "map.npz", kind, tmp_path / kind.value)
        assert (tmp_path / kind.value).exists()
    again = cem.EffectMap.load(tmp_path / "npz")
    np.testing.assert_array_equal(again.values, found.values)
    done = call("export", "map.npz", "--format", "mat", "--out", "a", "--prefix", "P", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a/DN-CEM/P-R16M8/DnCNN/image.png-PSNR-Origin.mat").exists()


def test_a_configuration_is_run_by_the_map_command(checkout, tmp_path):
    from command_line import call

    file = config(checkout, Imagelist=["demo_2.png"], coarse_num=1, fine_num=1)
    done = call("map", "--reference-config", str(file), "--out", str(tmp_path / "maps"))
    assert done.returncode == 0, done.stderr
    map_ = cem.EffectMap.load(tmp_path / "maps/DnCNN-compact/demo_2.png/y24-x16-16x16/map.npz")
    assert map_.provenance["rounded"]
    done = call("map", "--out", str(tmp_path / "other"))
    assert (
        done.returncode == 2
        and "--image, and either --task or --degraded are needed" in done.stderr
    )
