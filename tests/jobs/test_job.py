"""Jobs: files are checked as a whole, maps are made once by whoever is free, failures are told."""

import dataclasses
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zoo
from PIL import Image
from safetensors.numpy import save_file
from small_denoiser import write_small_denoiser

import cem_jax as cem
from cem_jax.effects.effect import causal_effect_maps
from cem_jax.jobs import job as jobs
from cem_jax.jobs import job_file, network_table
from cem_jax.store.lock import Locks

ROI = cem.ROI(0, 0, 16, 16)
OUTCOMES = (cem.psnr, cem.negative_l1)

FILE = """
plan = {kind = "coarse-to-fine", coarse = 2, fine = 3}
seed = 5

[[network]]
name = "DnCNN"
weights = "small.safetensors"
label = "small"

[[scene]]
task = "DN"
image = "photos/*.png"
sigma = 25
rois = [[16, 24, 16, 16], [32, 8, 16, 16]]
"""

_POOL = Path(cem.__file__).parent / "data" / "pool_8.npz"


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A folder with photographs, the weights of a small denoiser, and a job's file."""
    folder = tmp_path_factory.mktemp("written")
    (folder / "photos").mkdir()
    for name in ("cabin", "pagoda"):
        Image.fromarray(cem.example_image(name)[:64, :72]).save(folder / f"photos/{name}.png")
    write_small_denoiser(folder / "small.safetensors")
    cem.PatchPool(cem.PatchPool.default().patches[:9]).save(folder / "pool.npz")
    (folder / "job.toml").write_text(FILE)
    return folder


def sweep(*arguments, **more) -> subprocess.Popen:
    command = [sys.executable, "-m", "cem_jax.cli", "sweep", *map(str, arguments)]
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True, **more)


def test_the_file_says_what_the_job_is(written):
    job = cem.read_job(written / "job.toml")
    assert [str(one) for one in job.maps] == [
        "small/cabin/y16-x24-16x16", "small/cabin/y32-x8-16x16",
        "small/pagoda/y16-x24-16x16", "small/pagoda/y32-x8-16x16",
    ]  # fmt: skip
    assert job.plan == cem.CoarseToFine(2, 3) and job.seed == 5
    scene = job.scenes["cabin"]()
    assert scene.facts == {"sigma": 25 / 255, "seed": 0}
    assert job.networks["small"]().receptive_radius == 3


def test_networks_meet_the_scenes_of_their_task_and_scale(written):
    file = written / "two.toml"
    file.write_text("""
        plan = {kind = "fixed", n = 2, tolerance = 0.5}
        outcomes = ["negative_l1", "ssim"]
        network = [{name = "EDSR-compact"}, {name = "DnCNN-compact"},
                   {name = "DnCNN-compact", label = "again"}]
        scene = [{task = "SR", example = "cabin", rois = {grid = 128}},
                 {task = "DN", example = "cabin", label = "noisy", rois = [[0, 0, 16, 16]]}]
    """)
    job = cem.read_job(file)
    assert [str(one) for one in job.maps] == [
        *(f"EDSR-compact/cabin/y{y}-x{x}-128x128" for y in (0, 128) for x in (0, 128)),
        "DnCNN-compact/noisy/y0-x0-16x16", "again/noisy/y0-x0-16x16",
    ]  # fmt: skip
    assert job.plan == cem.Fixed(2, 0.5)
    assert list(job.outcomes) == [cem.negative_l1, cem.ssim]


def test_preupsampled_scenes_meet_networks_of_scale_1_that_do_sr(written, monkeypatch):
    several = dataclasses.replace(cem.models.describe("DnCNN-compact"), tasks=("SR", "DN"))
    monkeypatch.setattr(cem.models, "describe", lambda name: several)
    file = written / "full size.toml"
    text = """
        block = 6
        network = [{name = "DnCNN-compact"}]
        scene = [{task = "preupsampled", factor = 3, example = "cabin", rois = [[239, 0, 16, 17]]}]
    """
    file.write_text(text)
    assert cem.read_job(file).block == 6  # whose patches are cut from the bundled photographs
    file.write_text(text.replace("block = 6", f"block = 6\npool = '{_POOL}'"))
    with pytest.raises(ValueError, match=r"pool: .*8 x 8.*block = 6"):
        cem.read_job(file)
    file.write_text(text.replace("block = 6", "block = 8"))
    with pytest.raises(ValueError, match=r"\[\[scene\]\] 1: block: block=8: .*multiple of 3"):
        cem.read_job(file)
    file.write_text(text.replace("block = 6", "").replace("factor = 3, ", ""))
    job = cem.read_job(file)
    assert [str(one) for one in job.maps] == ["DnCNN-compact/cabin/y239-x0-16x17"]
    scene = job.scenes["cabin"]()
    assert (scene.task, scene.scale, scene.facts["factor"]) == ("SR", 1, 4)
    file.write_text(text.replace("factor = 3", "scale = 4"))
    with pytest.raises(ValueError, match="scale: a scene of task preupsampled has none"):
        cem.read_job(file)
    file.write_text(text.replace("factor = 3", "factor = 1"))
    with pytest.raises(ValueError, match=r"factor: 1: expected 2 \.\. 64"):
        cem.read_job(file)
    file.write_text(text.replace("preupsampled", "SR").replace("factor = 3", "scale = 1"))
    with pytest.raises(ValueError, match=r"scale: 1: expected 2 \.\. 64"):
        cem.read_job(file)


def code_in(language: str) -> list[str]:
    text = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_page_shows_a_job_that_can_be_read_and_one_that_runs(written, tmp_path, monkeypatch):
    shutil.copytree(written / "photos", tmp_path / "photos")
    (tmp_path / "photos" / "pagoda.png").unlink()
    Image.fromarray(cem.example_image("cabin")).save(tmp_path / "photos" / "cabin.png")
    (tmp_path / "checkpoints").mkdir()
    write_small_denoiser(tmp_path / "checkpoints" / "dncnn_color_blind.pth")
    (tmp_path / "many.toml").write_text(code_in("toml")[0])
    assert len(cem.read_job(tmp_path / "many.toml").maps) == 2 * (2 + 16)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code_in("python")[0], names)
    assert [result.problem for result in names["results"]] == [""]


def test_the_page_names_every_key():
    text = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text()
    for key in {**job_file._JOB, **network_table.KEYS, **job_file._SCENE}:
        assert f"`{key}`" in text or f"`[[{key}]]`" in text, key


@pytest.mark.parametrize(
    ("written_as", "plan"),
    [
        ('{kind = "fixed", n = 4, tolerance = 0.5}', cem.Fixed(4, 0.5)),
        ('{kind = "quadrature", n = 16}', cem.Quadrature(16)),
        ('{kind = "adaptive", most = 32}', cem.Adaptive(most=32)),
        ('"coarse-to-fine:4,5"', cem.CoarseToFine(4, 5)),
        ('"fixed:6"', cem.Fixed(6)),
    ],
)
def test_every_plan_can_be_asked_for(written_as, plan, written):
    asked = '{kind = "coarse-to-fine", coarse = 2, fine = 3}'
    file = written / "plan.toml"
    file.write_text(FILE.replace(asked, written_as))
    assert cem.read_job(file).plan == plan


def test_a_network_is_recognised_and_told(written, tmp_path):
    shutil.copytree(written, tmp_path / "job")
    file = tmp_path / "job" / "job.toml"
    file.write_text(FILE.replace('name = "DnCNN"\n', ""))
    assert cem.read_job(file).networks["small"]().name == "small"
    scales = {**zoo.small("FSRCNN"), "scale_factor": 2}
    save_file(zoo.state_dict("FSRCNN", scales), tmp_path / "job" / "small.safetensors")
    told = FILE.replace('"DnCNN"', '"FSRCNN"\narguments = {scale = 2}')
    file.write_text(told.replace('task = "DN"', 'task = "SR"\nscale = 2').replace("sigma = 25", ""))
    job = cem.read_job(file)
    assert job.networks["small"]().scale == 2 and len(job.maps) == 4


BAD = {
    "no toml": ("seed = 5", "seed = ", ": cannot be read"),
    "unknown key": ("seed = 5", "seeds = 5", "unknown key 'seeds'; expected network, scene, plan"),
    "seed": ("seed = 5", "seed = -1", ": seed: -1: expected at least 0"),
    "kind of value": ("seed = 5", "seed = '5'", ": seed: '5': expected a whole number"),
    "truth": ("seed = 5", "seed = true", ": seed: True: expected a whole number"),
    "no network": ("[[network]]", "[[scene]]", ": it has no [[network]]"),
    "single table": ("[[network]]", "[network]", ": network: {"),
    "name": ('"DnCNN"', '"DnNN"', ": [[network]] 1: name: name='DnNN'"),
    "no name": ('name = "DnCNN"\nweights = "small.safetensors"', "",
                ": [[network]] 1: it has no name"),
    "argument": ('label = "small"', "arguments = {foo = 1}", "arguments: foo=1: DnCNN takes no"),
    "value": ('name = "DnCNN"', 'name = "EDSR"\narguments = {range = 3}',
              ": arguments: range=3: expected 1 or 255"),
    "weights": ("small.saf", "smell.saf", ": [[network]] 1: weights: "),
    "named plan": ('{kind = "coarse-to-fine", coarse = 2, fine = 3}', "'fixd:2'",
                   ": plan: plan='fixd:2': expected coarse-to-fine"),
    "module and name": ("[[network]]", "[[network]]\nmodule = 'a:b'",
                        ": [[network]] 1: name: a network with module has none"),
    "tasks": ("[[network]]", "[[network]]\ntasks = ['DN']", ": tasks: only a network with module"),
    "no weights": ('weights = "small.safetensors"', "", "dncnn_color_blind.pth"),
    "label": ('"small"', '"../small"', ": [[network]] 1: label: label '../small'"),
    "two labels": ("[[scene]]", '[[network]]\nname = "DnCNN-compact"\nlabel = "small"\n[[scene]]',
                   ": [[network]] 2: label: 'small' is taken"),
    "idle network": ("[[scene]]", '[[network]]\nname = "EDSR-compact"\n[[scene]]',
                     ": network 'EDSR-compact' suits no scene"),
    "task": ('"DN"', '"DX"', ": [[scene]] 1: task: 'DX': expected SR, DN, DR"),
    "idle scene": ('"DN"\n', '"DR"\n', ": [[scene]] 1: sigma: a scene of task DR has none"),
    "scale": ("sigma = 25", "scale = 2", ": [[scene]] 1: scale: a scene of task DN has none"),
    "sigma": ("sigma = 25", "sigma = -1", ": [[scene]] 1: sigma: -1: expected grey levels"),
    "not a number": ("sigma = 25", "sigma = nan", ": [[scene]] 1: sigma: nan: expected grey"),
    "no image": ("photos/", "fotos/", ": [[scene]] 1: image: "),
    "two images": ("sigma", 'example = "cabin"\nsigma', ": [[scene]] 1: expected either image"),
    "no picture": ("photos/*.png", "job.toml", ": [[scene]] 1: image: "),
    "example": ('image = "photos/*.png"', 'example = "x"', ": [[scene]] 1: example: name='x'"),
    "label of many": ("sigma", 'label = "x"\nsigma', ": [[scene]] 1: label: one label for 2"),
    "region": ("[16, 24, 16, 16]", "[16, 24, 16]", ": [[scene]] 1: rois: [16, 24, 16]: expected"),
    "no regions": ("rois = [[16", "#", ": [[scene]] 1: rois: None: expected [[y, x"),
    "outside": ("[16, 24, 16", "[60, 24, 16", ": [[scene]] 1: rois: roi=ROI(y=60"),
    "twice": ("[32, 8, 16, 16]", "[16, 24, 16, 16]", "y16-x24-16x16 twice"),
    "grid": ("[[16, 24, 16, 16], [32, 8, 16, 16]]", "{grid = 65}", ": rois: grid = 65: expected 1"),
    "grid key": ("[[16, 24, 16, 16], [32, 8, 16, 16]]", "{step = 8}", ": rois: unknown key 'step'"),
    "block": ("seed = 5", "block = 0", ": [[scene]] 1: block: block=0"),
    "pool": ("seed = 5", "pool = 'none.npz'", ": pool: path="),
    "patches": (
        "seed = 5", f"block = 16\npool = '{_POOL}'",
        ": pool: its patches have 8 x 8 pixels; block = 16",
    ),
    "plan": ('"coarse-to-fine"', '"coarse"', ": plan: kind = 'coarse': expected coarse-to-fine"),
    "draws": ("fine = 3", "fine = 0", ": plan: fine=0: expected 1 .. 10000"),
    "key of plan": ("fine = 3", "fines = 3", ": plan: unknown key 'fines'; expected coarse, fine"),
    "needed": ('"coarse-to-fine", coarse = 2, fine = 3', '"fixed"', ": plan: fixed needs n"),
    "outcome": ("seed = 5", "outcomes = ['psmr']", ": outcomes: 'psmr': expected psnr"),
    "outcomes": ("seed = 5", "outcomes = ['psnr', 'psnr']", ": outcomes: ['psnr', 'psnr']"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_faulty_file_is_refused_with_its_place(case, written, tmp_path):
    old, new, message = BAD[case]
    assert old in FILE
    shutil.copytree(written, tmp_path / "job")
    file = tmp_path / "job" / "job.toml"
    file.write_text(FILE.replace(old, new, 1))
    with pytest.raises(ValueError) as found:
        cem.read_job(file)
    assert str(found.value).startswith(str(file)) and message in str(found.value)
    assert "\n" not in str(found.value)


OWN_FILE = """
seed = 5
plan = "fixed:1"
outcomes = ["ssim"]

[[network]]
module = "own.py:darker"
tasks = ["DN"]
arguments = {receptive_radius = 0}

[[scene]]
task = "DN"
image = "photos/cabin.png"
rois = [[16, 24, 16, 16]]
"""


@pytest.fixture
def own(written, tmp_path) -> Path:
    """A job's file with a network that a function of the user makes."""
    shutil.copytree(written / "photos", tmp_path / "photos")
    (tmp_path / "own.py").write_text("def darker():\n    return lambda x: 0.9 * x\n")
    (tmp_path / "own.toml").write_text(OWN_FILE)
    return tmp_path / "own.toml"


def test_a_function_of_the_user_makes_a_jobs_network(own, tmp_path):
    (result,) = cem.run_job(cem.read_job(own), tmp_path / "out", progress=False)
    assert not result.problem
    found = cem.EffectMap.load(tmp_path / "out/darker/cabin/y16-x24-16x16/map.npz")
    assert (found.outcome, found.provenance["network"]) == ("ssim", "darker")
    assert found.counts.positive == found.counts.negative == 0  # of radius 0


OWN_BAD = {
    "form": ("own.py:darker", "own.py", ": [[network]] 1: module: 'own.py': expected package.mod"),
    "file": ("own.py", "one.py", "one.py' does not exist"),
    "no tasks": ('["DN"]', "[]", ": [[network]] 1: tasks: []: expected a list of SR, DN"),
    "task": ('["DN"]', '["DX"]', ": [[network]] 1: tasks: ['DX']: expected a list of SR, DN, DR"),
    "argument": ("receptive_radius", "radius", ": arguments: unknown key 'radius'; expected scale"),
    "scale": ("receptive_radius = 0", "scale = 2", "does DN at scale 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", OWN_BAD)
def test_a_faulty_function_of_the_user_is_refused_with_its_place(case, own):
    old, new, message = OWN_BAD[case]
    own.write_text(OWN_FILE.replace(old, new, 1))
    with pytest.raises(ValueError) as found:
        cem.read_job(own)
    assert str(found.value).startswith(str(own)) and message in str(found.value)


@pytest.mark.parametrize("body", ["1 // 0", "raise SystemExit(3)", "return 5"])
def test_a_function_of_the_user_that_fails_is_told_with_its_map(body, own, tmp_path):
    (tmp_path / "own.py").write_text(f"def darker():\n    {body}\n")
    (result,) = cem.run_job(cem.read_job(own), tmp_path / "out", progress=False)
    assert "own.py:darker" in result.problem


def test_plans_and_outcomes_of_a_job_have_names(clean, pool, local):
    job = dataclasses.replace(
        small_job(clean, pool, local), plan="adaptive:64", outcomes=("ssim", cem.psnr)
    )
    assert (job.plan, job.outcomes) == (cem.Adaptive(most=64), (cem.ssim, cem.psnr))
    for wrong in ({"plan": "many"}, {"plan": 3}, {"outcomes": ["psmr"]}):
        with pytest.raises(ValueError, match=r"plan=|outcome="):
            dataclasses.replace(job, **wrong)


def small_job(clean, pool, local, **more) -> cem.Job:
    scenes = {"noisy": lambda: cem.Scene.denoising(clean), "calm": lambda: denoised(clean)}
    maps = [cem.MapOf("net", scene, ROI) for scene in scenes]
    options = {"networks": {"net": lambda: local}, "scenes": scenes, "maps": maps} | more
    return cem.Job(pool=pool, plan=cem.Fixed(2), outcomes=OUTCOMES, **options)


def denoised(clean):
    return cem.Scene.denoising(clean, sigma=5 / 255)


def test_each_map_is_the_one_that_a_single_call_gives(tmp_path, clean, pool, local):
    job = small_job(clean, pool, local)
    results = cem.run_job(job, tmp_path, progress=False)
    assert [result.asked for result in results] == list(job.maps)
    alone = causal_effect_maps(
        local, denoised(clean), ROI, OUTCOMES, pool=pool, plan=cem.Fixed(2), progress=False
    )
    for name, file in (("psnr", "map.npz"), ("negative_l1", "map.negative_l1.npz")):
        kept = cem.EffectMap.load(tmp_path / "net/calm/y0-x0-16x16" / file)
        np.testing.assert_array_equal(kept.values, alone[name].values)
    index = json.loads((tmp_path / jobs.INDEX).read_text())
    assert len(index) == 4
    place = {"network": "net", "scene": "calm", "roi": [0, 0, 16, 16], "outcome": "psnr",
             "directory": "net/calm/y0-x0-16x16",
             "evaluations": alone["psnr"].evaluations}  # fmt: skip
    assert [row for row in index if place.items() <= row.items()]


def test_finished_maps_are_found_again(tmp_path, clean, pool, local, monkeypatch):
    job = small_job(clean, pool, local)
    first = cem.run_job(job, tmp_path, progress=False)
    assert not any(result.found for result in first)

    def never(*args, **more):
        raise AssertionError("nothing is left to compute")

    monkeypatch.setattr("cem_jax.sweep.sweep.Sweep.make", never)
    again = cem.run_job(job, tmp_path, progress=False)
    assert [result.rows for result in again] == [result.rows for result in first]
    assert all(result.found for result in again)


def test_a_map_that_fails_does_not_stop_the_others(tmp_path, clean, pool, local):
    def damaged():
        raise ValueError("weights='x.pth':\n not a checkpoint")

    networks = {"bad": damaged, "net": lambda: local}
    regions = (ROI, cem.ROI(60, 0, 16, 16))
    maps = [cem.MapOf(network, "noisy", roi) for network in networks for roi in regions]
    told = []
    results = cem.run_job(
        small_job(clean, pool, local, networks=networks, maps=maps), tmp_path,
        progress=False, each=told.append,
    )  # fmt: skip
    assert told == results
    problems = [result.problem for result in results]
    assert problems[:3] == ["weights='x.pth': not a checkpoint"] * 2 + [""]
    assert "leaves the image" in problems[3]
    index = json.loads((tmp_path / jobs.INDEX).read_text())
    assert [(row["network"], row.get("problem", "")) for row in index] == [
        ("bad", problems[0]), ("bad", problems[1]), ("net", ""), ("net", ""), ("net", problems[3])
    ]  # fmt: skip


class Odd(Exception):
    """An error of somebody else's class."""

    def __str__(self):
        raise RuntimeError


FAILURES = {
    "ZeroDivisionError": (lambda: 1 // 0, "ZeroDivisionError: integer division or modulo by zero"),
    "exit": (lambda: sys.exit("not here"), "SystemExit: not here"),
    "missing file": (lambda: os.stat("/nowhere/x"), "No such file or directory: '/nowhere/x'"),
    "memory": (lambda: np.zeros(2**50), "MemoryError: "),
    "nothing": (lambda: None, "network=None: expected a cem_jax.Network"),
    "a line of control codes": (lambda: 1 / {}["\x1b[2J\n"], r"KeyError: '\x1b[2J\n'"),
    "odd": (lambda: (_ for _ in ()).throw(Odd()), "Odd"),
    "group": (
        lambda: (_ for _ in ()).throw(ExceptionGroup("two", [Odd(), Odd()])), "ExceptionGroup: two"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILURES)
def test_whatever_a_loader_raises_is_told_and_the_others_are_made(
    case, tmp_path, clean, pool, local
):
    fails, message = FAILURES[case]
    maps = [cem.MapOf(network, "noisy", ROI) for network in ("bad", "net")]
    networks = {"bad": fails, "net": lambda: local}
    job = small_job(clean, pool, local, networks=networks, maps=maps)
    bad, good = cem.run_job(job, tmp_path, progress=False)
    assert message in bad.problem and bad.problem.isprintable()
    assert good.rows and not good.problem
    index = json.loads((tmp_path / jobs.INDEX).read_text())
    assert [row.get("problem") for row in index] == [bad.problem, None, None]


def test_whatever_a_scene_or_a_network_raises_is_told(tmp_path, clean, pool, local):
    def untraceable(x):
        return x + {"shift": 1}["shfit"]

    scenes = {"bad": lambda: 1 // 0, "no scene": lambda: clean, "noisy": lambda: denoised(clean)}
    networks = {"net": lambda: local, "bad": lambda: cem.wrap(untraceable, receptive_radius=0)}
    maps = [cem.MapOf("net", scene, ROI) for scene in scenes] + [cem.MapOf("bad", "noisy", ROI)]
    job = small_job(clean, pool, local, networks=networks, scenes=scenes, maps=maps)
    problems = [result.problem for result in cem.run_job(job, tmp_path, progress=False)]
    assert problems[0].startswith("ZeroDivisionError") and problems[2] == ""
    assert "expected a cem_jax.Scene" in problems[1]
    assert "shfit" in problems[3]


@pytest.mark.parametrize(
    ("one", "other"), [("EDSR", "edsr"), ("stra\u00dfe", "STRASSE"), ("caf\u00e9", "cafe\u0301")]
)
@pytest.mark.parametrize("of", ["networks", "scenes"])
def test_labels_that_some_systems_take_for_one_folder_are_refused(one, other, of, local, clean):
    networks, scenes = {"net": lambda: local}, {"scene": lambda: cem.Scene.denoising(clean)}
    both = dict.fromkeys(
        (one, other), next(iter((networks if of == "networks" else scenes).values()))
    )
    given = {"networks": networks, "scenes": scenes} | {of: both}
    network, scene = next(iter(given["networks"])), next(iter(given["scenes"]))
    with pytest.raises(ValueError, match=r"label .*the same folder as"):
        cem.Job(maps=[cem.MapOf(network, scene, cem.ROI(0, 0, 8, 8))], **given)


OWN = ("maps.json", "Maps.JSON", "locks", "LOCKS")
NOWHERE = ("", ".", "..", ".hidden", "a/b", "a\\b", "a:b", "ends.", "ends ", " begins", "tab\t",
           "line\n", "null\0", "half \ud800", "\u202eturned", "what?", "a*", "<b>", "x" * 201,
           "\u00e9" * 101, "CON", "nul.txt", "com1", 5, b"bytes", None)  # fmt: skip


@pytest.mark.parametrize("label", OWN + NOWHERE, ids=repr)
def test_labels_that_are_no_folders_name_or_the_jobs_own_are_refused(label, clean, pool, local):
    one = cem.MapOf(label, "noisy", ROI)
    with pytest.raises(ValueError, match="label"):
        small_job(clean, pool, local, networks={label: lambda: local}, maps=[one])


@pytest.mark.parametrize("label", ["photo (1)", "Müller & Co", "写真", "$x^2$", "x" * 200, "-v"])
def test_other_labels_are_folders(label, tmp_path, clean, pool, local):
    job = small_job(
        clean, pool, local, networks={label: lambda: local}, maps=[cem.MapOf(label, "noisy", ROI)]
    )
    assert cem.run_job(job, tmp_path, progress=False)[0].problem == ""
    assert (tmp_path / label / "noisy" / ROI.label / "map.npz").is_file()


@pytest.mark.parametrize("changes", [{"block": 0}, {"block": 8.0}, {"seed": -1}, {"seed": "1"}])
def test_numbers_of_a_job_are_checked_before_work(changes, clean, pool, local):
    with pytest.raises(ValueError, match=next(iter(changes))):
        small_job(clean, pool, local, **changes)
    job = small_job(clean, pool, local, block=np.int64(8), seed=np.uint8(3))
    assert type(job.block) is int and type(job.seed) is int


def test_a_job_that_cannot_be_is_refused(clean, pool, local):
    one = cem.MapOf("net", "noisy", ROI)
    for maps, message in (
        ([], r"maps=\[\]: expected"), ([one, one], "twice"),
        ([cem.MapOf("other", "noisy", ROI)], "no such network or scene"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            small_job(clean, pool, local, maps=maps)
    for label in ("", "a/b", "..", ".hidden", "a\\b", "ends.", "a:b"):
        with pytest.raises(ValueError, match="label"):
            small_job(clean, pool, local, networks={label: lambda: local}, maps=[one])


def test_a_folder_that_cannot_be_written_is_refused_first(tmp_path, clean, pool):
    def never():
        raise AssertionError("no work is started")

    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match=r"out=.*cannot be written"):
        cem.run_job(small_job(clean, pool, None, networks={"net": never}), tmp_path / "file" / "o")


def _hold(folder, name, holding, go):
    with Locks(Path(folder)).locked(name) as mine:
        holding.put(mine)
        go.wait()
    os._exit(0)


def test_a_lock_keeps_others_off_until_its_holder_ends(tmp_path):
    context = multiprocessing.get_context("spawn")
    holding, go = context.Queue(), context.Event()
    other = context.Process(target=_hold, args=(str(tmp_path), "a", holding, go))
    other.start()
    assert holding.get(timeout=120)
    with Locks(tmp_path) as locks:
        with locks.locked("a") as mine:
            assert not mine
        with locks.locked("b") as mine:
            assert mine
        other.kill()
        other.join()
        with locks.locked("a") as mine:
            assert mine


def test_processes_share_a_job_through_its_folder(written, tmp_path):
    """Two commands at once, both of which are told of a network that cannot be read."""
    folder = tmp_path / "job"
    shutil.copytree(written, folder)
    (folder / "bad.safetensors").write_bytes(b"no tensors")
    file = folder / "job.toml"
    bad = '[[network]]\nname = "DnCNN"\nweights = "bad.safetensors"\nlabel = "bad"\n'
    file.write_text(FILE.replace(", [32, 8, 16, 16]", "") + bad)
    both = [sweep(file) for _ in range(2)]
    said = [process.communicate(timeout=500) for process in both]
    for process, (out, errors) in zip(both, said, strict=True):
        assert process.returncode == 2, errors
        assert "2 maps in" in out
        lines = [line for line in errors.splitlines() if line]
        assert len(lines) == 2 and all("bad.safetensors" in line for line in lines), errors
    made = [line for out, _ in said for line in out.splitlines() if line.endswith(" s")]
    assert len(made) == 2, said  # each map by one of them
    index = json.loads((folder / "job" / jobs.INDEX).read_text())
    assert sum("problem" in row for row in index) == 2 and len(index) == 4
    job = cem.read_job(file)
    for one in job.maps[:2]:
        alone = cem.causal_effect_map(
            job.networks["small"](), job.scenes[one.scene](), one.roi, plan=job.plan, seed=5,
            progress=False,
        )  # fmt: skip
        kept = cem.EffectMap.load(folder / "job" / str(one) / "map.npz")
        np.testing.assert_allclose(kept.values, alone.values, rtol=0, atol=1e-5)


@pytest.mark.long
def test_processes_of_a_cluster_share_a_job(written, tmp_path):
    """`--distributed` as SLURM starts it: two tasks of a job step on this machine."""
    step = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_STEP_NODELIST": "localhost",
            "SLURM_NTASKS": "2", "SLURM_STEP_NUM_NODES": "1"}  # fmt: skip
    both = [
        sweep(written / "job.toml", "--out", tmp_path / "out", "--distributed",
              env=os.environ | step | {"SLURM_PROCID": str(n), "SLURM_LOCALID": str(n)})
        for n in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=500) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    made = [[line for line in out.splitlines() if line.endswith(" s")] for out, _ in said]
    assert sum(map(len, made)) == 4 and all(made), said
