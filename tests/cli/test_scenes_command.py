"""Tasks, pairs, grey and regions on the command line; a photograph looked at."""

import json

import numpy as np
import pytest
from command_line import status
from PIL import Image
from safetensors.numpy import save_file

import cem_jax as cem
from cem_jax.cli.options import Task
from cem_jax.scene.tasks import find_task

CLEAN = cem.example_image("facade")[:64, :64]


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(CLEAN).save("photo.png")
    Image.fromarray(cem.Jpeg(10)(CLEAN)).save("degraded.png")
    (tmp_path / "simulator.py").write_text("def half(image):\n    return image / 2\n")
    return tmp_path


def run(monkeypatch, *more: str) -> int:
    command = ("map", "--model", "DnCNN-compact", "--image", "photo.png", "--plan", "fixed:1")
    return status(monkeypatch, *command, "--out", "out", *more)


def test_the_options_name_every_task():
    assert [find_task(task.value) for task in Task] == list(cem.task_names())


def test_a_task_with_what_it_is_told_and_a_region_by_rule(photographs, monkeypatch, capsys):
    arguments = ("--task", "jpeg", "--scene", "quality=30", "--scene", "subsampling=4:4:4")
    assert run(monkeypatch, *arguments, "--roi", "auto") == 0
    found = cem.EffectMap.load("out/map.npz")
    assert found.provenance["scene"]["steps"] == ["Jpeg(quality=30, subsampling='4:4:4')"]
    scene = cem.make_scene("JPEG", CLEAN, quality=30, subsampling="4:4:4")
    np.testing.assert_array_equal(found.degraded, np.round(255 * scene.degraded))
    assert found.roi == cem.parse_roi("structure", scene).roi
    assert "most structure" in capsys.readouterr().err


@pytest.mark.parametrize("do", ["residual", "simulator.py:half"])
def test_a_pair_with_a_meaning(photographs, monkeypatch, do):
    assert run(monkeypatch, "--degraded", "degraded.png", "--do", do, "--roi", "25%,25%,16,16") == 0
    found = cem.EffectMap.load("out/map.npz")
    assert (found.roi, found.task) == (cem.ROI(16, 16, 16, 16), "custom")
    assert found.provenance["scene"]["do"] == {"residual": "residual"}.get(do, "again")


REFUSED = {
    "no region": (("--task", "DN"), "--roi is needed, a region of the image of 64 x 64 pixels"),
    "no meaning": (("--degraded", "degraded.png", "--roi", "auto"), "--do go together"),
    "task and pair": (
        ("--task", "DN", "--degraded", "degraded.png", "--do", "residual"), "either --task or",
    ),
    "meaning": (
        ("--degraded", "degraded.png", "--do", "again", "--roi", "auto"), "do='again': expected",
    ),
    "file": (
        ("--degraded", "degraded.png", "--do", "none.py:f", "--roi", "auto"), "--do none.py: No",
    ),
    "function": (
        ("--degraded", "degraded.png", "--do", "simulator.py:f", "--roi", "auto"), "no function",
    ),
    "told": (("--task", "DN", "--scene", "sigma", "--roi", "auto"), "--scene 'sigma': expected"),
    "unknown": (("--task", "jpeg", "--scene", "sigma=3", "--roi", "auto"), "JPEG takes quality"),
    "grey": (("--task", "DN", "--grey", "--roi", "auto"), "takes images of 3 channels"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_told_on_one_line(name, photographs, monkeypatch, capsys):
    arguments, message = REFUSED[name]
    assert run(monkeypatch, *arguments) == 2
    printed = capsys.readouterr().err
    assert message in printed.splitlines()[-1] and "Traceback" not in printed
    assert not (photographs / "out" / "map.npz").exists()


def test_a_photograph_is_looked_at(photographs, monkeypatch, capsys):
    assert status(monkeypatch, "look", "photo.png", "--degraded", "degraded.png", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["--roi"] for row in rows] == ["structure", "centre", "lost"]
    scene = cem.Scene.custom(CLEAN, cem.Jpeg(10)(CLEAN))
    for row in rows:
        roi = cem.parse_roi(row["--roi"], scene).roi
        assert row["Y,X,H,W"] == f"{roi.y},{roi.x},{roi.height},{roi.width}"
    assert np.asarray(Image.open("look.png")).shape[0] > 300
    assert status(monkeypatch, "look", "photo.png", "--out", "plain.pdf") == 0
    assert "64 x 64 pixels" in capsys.readouterr().out


def grey_denoiser(path) -> None:
    """Weights of a DnCNN for one channel, as of the field's grey benchmark."""
    random, tensors = np.random.default_rng(0), {}
    for n, (out, into) in enumerate(((6, 1), (6, 6), (1, 6))):
        kernel = random.normal(0, 0.1, (out, into, 3, 3))
        tensors[f"model.{2 * n}.weight"] = kernel.astype(np.float32)
        tensors[f"model.{2 * n}.bias"] = np.zeros(out, np.float32)
    save_file(tensors, path)


@pytest.mark.parametrize("more", [(), ("--grey",)])
def test_a_network_of_one_channel_gets_the_photograph_in_grey(photographs, monkeypatch, more):
    grey_denoiser(photographs / "grey.safetensors")
    words = ("--weights", "grey.safetensors", "--task", "DN", "--sigma", "25", *more)
    command = ("map", "--image", "photo.png", "--plan", "fixed:2", "--out", "out")
    assert status(monkeypatch, *command, *words, "--model", "DnCNN", "--roi", "16,24,16,16") == 0
    found = cem.EffectMap.load("out/map.npz")
    scene = cem.Scene.denoising(cem.to_grey(CLEAN), 25 / 255, name="photo")
    np.testing.assert_array_equal(found.degraded, np.round(255 * scene.degraded))
    network = cem.load("DnCNN", "grey.safetensors")
    whole = cem.causal_effect_map(network, scene, found.roi, plan=cem.Fixed(2), progress=False)
    assert network.channels == scene.degraded.shape[2] == 1
    np.testing.assert_array_equal(found.values, whole.values)
    # One channel's PSNR by hand.
    restored = np.clip(np.asarray(network(scene.degraded[None]))[0, 16:32, 24:40], 0, 1)
    error = np.mean((restored - scene.clean[16:32, 24:40]) ** 2, dtype=np.float64)
    assert found.baseline == pytest.approx(-10 * np.log10(error), abs=1e-3)


def test_a_job_of_grey_networks_and_scenes_is_made(photographs, monkeypatch):
    grey_denoiser(photographs / "grey.safetensors")
    (photographs / "job.toml").write_text("""
        plan = "fixed:1"
        network = [{name = "DnCNN", weights = "grey.safetensors", label = "grey"}]
        [[scene]]
        task = "DN"
        image = "photo.png"
        grey = true
        rois = [[16, 24, 16, 16]]
    """)
    assert status(monkeypatch, "sweep", "job.toml", "--out", "out") == 0
    found = cem.EffectMap.load("out/grey/photo/y16-x24-16x16/map.npz")
    assert found.degraded.shape == (64, 64, 1)
    assert (photographs / "out" / "report.html").stat().st_size > 10_000


JOB = """
block = 8
plan = {kind = "fixed", n = 1}
outcomes = ["psnr", "removal", "psnr_y-crop2"]
network = [{name = "DnCNN-compact"}]
"""


def test_a_job_meets_pairs_by_name_other_tasks_and_regions_by_text(photographs):
    for name in ("one", "two"):
        for folder in ("clean", "degraded"):
            (photographs / folder).mkdir(exist_ok=True)
        Image.fromarray(CLEAN).save(f"clean/{name}.png")
        Image.fromarray(cem.Jpeg(10)(CLEAN)).save(f"degraded/{name}.jpg", quality=95)
    (photographs / "job.toml").write_text(
        JOB
        + """
        [[scene]]
        image = "clean/*.png"
        degraded = "degraded/*.jpg"
        do = "residual"
        rois = ["centre", [0, 0, 16, 16]]

        [[scene]]
        task = "haze"
        image = "photo.png"
        noise = 5
        depth = 0.5
        grey = true
        rois = ["auto"]
    """
    )
    job = cem.read_job("job.toml")
    structure = cem.parse_roi("auto", cem.Scene.custom(cem.to_grey(CLEAN), cem.to_grey(CLEAN))).roi
    assert [(one.scene, one.roi) for one in job.maps] == [
        ("one", cem.ROI(16, 16, 32, 32)), ("one", cem.ROI(0, 0, 16, 16)),
        ("two", cem.ROI(16, 16, 32, 32)), ("two", cem.ROI(0, 0, 16, 16)), ("photo", structure),
    ]  # fmt: skip
    assert job.scenes["one"]().facts == {"do": "residual"}
    hazy = job.scenes["photo"]()
    assert hazy.degraded.shape == (64, 64, 1) and f"Noise(sigma={5 / 255}" in hazy.facts["steps"][1]
    assert [getattr(one, "__name__", "") for one in job.outcomes] == [
        "psnr", "removal", "psnr_y-crop2",
    ]  # fmt: skip


FAULTY = {
    "degraded alone": ('image = "photo.png"\ndegraded = "degraded.png"', "do: do=''"),
    "do alone": ('task = "DN"\nimage = "photo.png"\ndo = "residual"', "do: it goes with degraded"),
    "other name": (
        'image = "*.png"\ndegraded = "pairs/*.png"\ndo = "residual"',
        "degraded: none is named 'degraded'",
    ),
    "size": (
        'image = "photo.png"\ndegraded = "small.bmp"\ndo = "residual"',
        "degraded: it has (60, 64) pixels",
    ),
    "value": ('task = "jpeg"\nimage = "photo.png"\nquality = 0', "quality=0"),
    "region": ('task = "DN"\nimage = "photo.png"\nrois = ["top"]', "rois: roi='top'"),
    "key of another": ('task = "blur"\nimage = "photo.png"\nquality = 9', "task blur has none"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_job_says_what_is_wrong_with_a_scene(name, photographs):
    scene, message = FAULTY[name]
    Image.fromarray(CLEAN[:60]).save("small.bmp")
    (photographs / "pairs").mkdir()
    for other in ("photo", "else"):
        Image.fromarray(CLEAN).save(f"pairs/{other}.png")
    rois = "" if "rois" in scene else "\nrois = [[0, 0, 16, 16]]"
    (photographs / "job.toml").write_text(f"{JOB}\n[[scene]]\n{scene}{rois}\n")
    with pytest.raises(ValueError) as found:
        cem.read_job("job.toml")
    assert message in str(found.value) and str(found.value).startswith("job.toml: [[scene]] 1")
