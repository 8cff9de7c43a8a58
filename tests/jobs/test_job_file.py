"""Files of jobs: what they say, and that a faulty one is refused as a whole, with its place."""

import dataclasses
import re
import shutil
from pathlib import Path

import pytest
import zoo
from job_folder import FILE, write_job
from PIL import Image
from safetensors.numpy import save_file
from small_denoiser import write_small_denoiser

import cem_jax as cem
from cem_jax.jobs import job_file, network_table

_POOL = Path(cem.__file__).parent / "data" / "pool_8.npz"


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return write_job(tmp_path_factory.mktemp("written"))


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
    "tasks": ("[[network]]", "[[network]]\ntasks = ['DN']",
              ": tasks: networks of the zoo have their own"),
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
    "region of all": ("[16, 24, 16, 16]", "[0, 0, 64, 72]",
                      ": [[scene]] 1: rois: ROI(y=0, x=0, height=64, width=72): it leaves no bl"),
    "empty pool": ("seed = 5", "pool = ' '", ": pool: expected a file or a folder, found an empty"),
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
    "no scale": ("receptive_radius = 0", "scale = 0", ": arguments: scale=0: expected at least 1"),
    "radius": ("_radius = 0", "_radius = -1", ": arguments: receptive_radius=-1: expected at le"),
    "no model": ("own.py:darker", "none.onnx", ": [[network]] 1: module: '"),
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
