"""The commands and programs of the pages: which are quick, slow, or not run by the tests."""

from pages import PAGES, Shown, shown

_MAT = "DN-CEM/DEMO-R32M8/DnCNN/demo_2.png-PSNR-Origin.mat"
_DEMO = ("cem-demo/report.html", "cem-demo/teaser.png", "cem-demo/DN/map.npz")
_OFFICIAL = "results/DnCNN/demo_2.png/y152-x96-32x32/map.npz"

QUICK = {
    "cem-jax look photo.png --out look.png": ("look.png",),
    "cem-jax models": (),
    "cem-jax models --json": (),
    "cem-jax map --help": (),
    "cem-jax figures": (),
    "cem-jax report results/photo --out photo.html": ("photo.html",),
    "cem-jax plot results/photo --out photo.pdf": ("photo.pdf",),
    "cem-jax report results/photo --out report.html": ("report.html",),
    "cem-jax plot map.npz --out map.pdf --zoom near --limit 0.5": ("map.pdf",),
    "cem-jax compare first/map.npz second/map.npz --out difference.png": ("difference.png",),
    "cem-jax export map.npz --format csv --out map.csv": ("map.csv",),
    "cem-jax export map.npz --format netcdf --out map.nc": ("map.nc",),
    "cem-jax export map.npz --format mat --out . --image demo_2.png": (_MAT,),
    f"cem-jax export {_OFFICIAL} --format mat --out . --image demo_2.png --prefix DEMO": (_MAT,),
    "python -m cem_jax.experiments.evaluate --write docs/compact-networks.md": (
        "docs/compact-networks.md",
    ),
    "python -m cem_jax.experiments.photos MANIFEST SOURCE PHOTOS": ("PHOTOS/train",),
}
"""Commands of a few seconds, and what each must write."""

SLOW = {
    "cem-jax demo": _DEMO,
    "cem-jax demo --out cem-demo": _DEMO,
    "python -m cem_jax.experiments.gallery cem-demo docs": ("docs/figures/one-map.png",),
    "cem-jax map --model DnCNN --weights dncnn_color_blind.pth --task DN --image photo.png "
    "--roi 96,112,32,32 --out results/photo": ("results/photo/map.npz", "results/photo/map.png"),
    "cem-jax map --model DnCNN-compact --task DN --image photo.png --roi 96,112,32,32 "
    "--plan adaptive --out results/photo": ("results/photo/map.npz", "results/photo/map.png"),
    "cem-jax map --model SRResNet_MIO-compact --task jpeg --scene quality=10 --image photo.png "
    "--roi auto --plan fixed:4 --out results/jpeg": ("results/jpeg/map.npz",),
    "cem-jax map --model SRResNet_MIO-compact --image photo.png --degraded degraded.png "
    "--do residual --roi auto --plan fixed:4 --out results/pair": ("results/pair/map.npz",),
    "cem-jax map --model SRResNet_MIO-compact --image photo.png --degraded degraded.png "
    "--do simulator.py:degrade --roi auto --plan fixed:4 --out results/again": (
        "results/again/map.npz",
    ),
    "cem-jax map --model RCAN-compact --task SR --image photo.png --roi 96,112,32,32 "
    "--plan fixed:2 --through global --out mediated": (
        "mediated/map.npz",
        "mediated/map.direct.png",
    ),
    "cem-jax map --reference-config demo-DN_CEM.yml --out results": (_OFFICIAL,),
    "cem-jax sweep job.toml --out results": ("results/maps.json",),
    "cem-jax sweep many.toml --out results/many": ("results/many/maps.json",),
    "cem-jax sweep seven.toml --out results/seven": tuple(
        f"results/seven/SRResNet_MIO-compact/{task}/y48-x48-32x32/map.npz"
        for task in ("SR", "DN", "DR", "blur", "JPEG", "haze", "low-light")
    ),
    "cem-jax map --model DnCNN --weights dncnn_color_blind.pth --task DN --image photo.png "
    "--roi 152,96,32,32 --pool div2k.npz --rounded --out results/paper": ("results/paper/map.npz",),
    "cem-jax map --model DnCNN --weights dncnn_color_blind.pth --task DN --image photo.png "
    "--roi 152,96,32,32 --rounded --out results/official": ("results/official/map.npz",),
    "cem-jax report results/official --out official.html": ("official.html",),
    "cem-jax export results/official/map.npz --format mat --out . --image photo.png": (
        "DN-CEM/DEMO-R32M8/DnCNN/photo.png-PSNR-Origin.mat",
    ),
    "taskset -c 0 cem-jax sweep regions.toml & taskset -c 1 cem-jax sweep regions.toml; wait": (
        "regions/maps.json",
    ),
    "cem-jax report regions --out regions.html": ("regions.html",),
    "python -m cem_jax.experiments.attribution": (),
    "python -m cem_jax.experiments.evaluate --photos PHOTOS": (),
    "python benchmarks/cone.py": (),
    "python benchmarks/plans.py": (),
    "python benchmarks/report.py": (),
}
"""Commands of the long form, and what each must write."""

_FRESH = "installs from a package index: .ci/run does so in a fresh environment"
_CI = ".ci/run runs it"
_ENGINES = "tests/jobs/test_engines.py runs every engine"
_RESULTS = "tests/jobs/test_status.py and test_results.py run it"
_FIGURES = "takes minutes to hours; tests/experiments/test_figures.py makes all under `long`"
_OFFICIAL_FIGURES = "tests/experiments/test_official_figures.py runs it on one small network"
ELSEWHERE = {
    "cem-jax map --module my_networks.py:restorer --label mine --task DN --image photo.png "
    "--roi auto --out out": "tests/cli/test_own_networks.py maps with networks of the user",
    "python3 -m venv .venv": _FRESH,
    "python -m venv .venv": _FRESH,
    ". .venv/bin/activate": _FRESH,
    "pip install -e .": _FRESH,
    "pip install -e '.[test]'": _FRESH,
    "pip install -e '.[test,dev]'": _FRESH,
    "pip install -e '.[docs]'": _FRESH,
    "pip install 'cem-jax[xarray]'": _FRESH,
    "pip install 'cem-jax[torch]'": _FRESH,
    "pip install 'cem-jax[onnx]'": _FRESH,
    "export GLIBC_TUNABLES=glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1:"
    "glibc.malloc.mmap_threshold=4000000000:glibc.malloc.trim_threshold=8000000000:"
    "glibc.malloc.top_pad=400000000": "is of a machine with glibc",
    "cem-jax --install-completion": "changes the reader's shell; tests/cli/test_cli.py completes",
    "pip install 'jax[cuda13]'": "needs a GPU",
    "pip install 'jax[tpu]'": "needs a TPU",
    "pytest -n auto": "is this suite",
    "pytest -m long": "is this suite",
    "pytest -m long -s tests/jobs/test_under_fire.py": "is this suite",
    "pytest tests/models/test_models.py -k YourNet": "the reader's own network, in this suite",
    "python -m cem_jax.models.write_facts": "tests/models/test_facts.py compares what it writes",
    "cem-jax sweep many.toml --out results/many --on processes:4": _ENGINES,
    "cem-jax sweep s3://photos/many.toml --out s3://results/many": (
        "needs a store; tests/store/test_objects.py starts one"
    ),
    "cem-jax status results/many": _RESULTS,
    "cem-jax table results/many": _RESULTS,
    "cem-jax gather results/many results/many.zarr": _RESULTS,
    "cem-jax compare results/many": _RESULTS,
    "cem-jax compare many.toml results/many": _RESULTS,
    "python benchmarks/jobs.py": "tests/test_benchmarks.py runs it on little",
    "cem-jax compare --by outcome": "tests/inside/test_mediated_jobs.py compares such maps",
    "cem-jax compare first second": "tests/view/test_compare.py runs it",
    "python tests/architecture.py": "tests/docs/test_architecture.py compares what it draws",
    "python tests/mutation.py plans --sample 40": "takes an hour",
    "python benchmarks/torch_native.py --speed": "needs an idle machine",
    "python benchmarks/torch_native.py --write docs/own-network.md": (
        "takes a quarter of an hour; tests/network/test_spandrel.py reads such checkpoints"
    ),
    "python benchmarks/torch_local.py --write docs/own-network.md": (
        "takes a quarter of an hour; tests/test_benchmarks.py looks at small modules"
    ),
    "python benchmarks/deceptive.py": "tests/plans/test_promises.py plays the same outcomes",
    "python benchmarks/corrected.py": "tests/plans/test_corrected_recorded.py plays its outcomes",
    "python benchmarks/against.py --only rates dense": "needs a checkout of an older version",
    "python benchmarks/schedule.py": "tests/test_benchmarks.py runs it on little",
    "ruff check .": _CI,
    "ruff format --check .": _CI,
    ".ci/run": "is where the others run",
    "cem-jax explore photo.png": "never ends; tests/explore opens it in a browser",
    "cem-jax explore photo.png --weights own.pth --model DnCNN": "as above",
    "mkdocs serve": "never ends; .ci/run builds the same site",
    "cem-jax models --details": "is compared with docs/zoo.md by tests/cli/test_cli.py",
    "cem-jax figures --all": _FIGURES,
    "cem-jax figures sr dn --preset compact": _FIGURES,
    "cem-jax figures multi-task --preset compact": _FIGURES,
    "cem-jax figures sr --weights DIR": _OFFICIAL_FIGURES,
    "cem-jax figures official": _OFFICIAL_FIGURES,
    "cem-jax figures patch-size --redraw --published docs/results": (
        "makes nine maps; tests/experiments/test_figures.py draws published figures"
    ),
    "cem-jax figures official texture --preset compact --weights SOME --out first": (
        _OFFICIAL_FIGURES
    ),
    "cem-jax figures official texture --preset compact --weights OTHERS --out second "
    "--add-to first/compact": _OFFICIAL_FIGURES,
    "cem-jax figures texture": _OFFICIAL_FIGURES,
    "cem-jax figures capacity": "tests/experiments/test_figures.py makes it of four networks",
    "cem-jax figures --check": _OFFICIAL_FIGURES,
    "cem-jax figures --check --minutes 10 --seed 0": _OFFICIAL_FIGURES,
    "cem-jax figures --check --minutes 10 --seed 0 --weights DIR": _OFFICIAL_FIGURES,
    "cem-jax figures --all --preset compact --weights DIR --out figures": _FIGURES,
    "python -m cem_jax.experiments.official_psnr --weights DIR --images Set5": (
        "needs official checkpoints and images; tests/experiments/test_claims.py tries its parts"
    ),
    "python -m cem_jax.experiments.official_psnr --results docs/results "
    "--write docs/official-networks.md": "tests/experiments/test_claims.py compares what it writes",
    "git log --follow -p experiments/registered.toml": "reads the history",
    "git log docs/results": "reads the history",
    "cem-jax figures more-information channel-attention mediation multi-task --preset compact": (
        _FIGURES
    ),
    "python -m cem_jax.experiments.publish figures/compact docs": _FIGURES,
    "python -m cem_jax.experiments.train RCAN "
    "--photos PHOTOS --out RUNS": "takes hours; tests/experiments/test_training.py trains briefly",
    "python -m cem_jax.experiments.train --preset series "
    "--photos PHOTOS --out RUNS": "takes minutes; tests/experiments/test_training.py trains",
}
"""Commands that are not run here, and why."""

SLOW_PROGRAMS = {
    "README.md": {0},
    "docs/attribution.md": {0},
    "docs/inside.md": {0, 1, 2, 3, 4, 5, 6, 7},
    "docs/quick-start.md": {0},
    "docs/scale.md": {0},
    "docs/walkthroughs.md": {0, 2},
}
"""Programs of the long form, by their number on the page."""

BEFORE = {
    "README.md": """
import cem_jax as cem
my_params = {}
def my_function(params, x):
    return x.repeat(4, 1).repeat(4, 2)
""",
    "docs/plans.md": """
import cem_jax as cem
found = map_a = map_b = cem.EffectMap.load("map.npz")
""",
    "docs/report.md": """
import cem_jax as cem
""",
    "docs/cone.md": """
import jax, jax.numpy as jnp, numpy as np
params = jnp.full((3, 3, 3, 3), 0.03)
def apply(params, x):
    for _ in range(20):
        x = jnp.tanh(jax.lax.conv_general_dilated(
            x, params, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")))
    return x
random = np.random.default_rng(0)
x, patches = random.random((1, 256, 256, 3), np.float32), random.random((2, 8, 8, 3), np.float32)
""",
}
"""What a page's programs take as given."""

SHOWN = [one for page in PAGES for one in shown(page)]
PROGRAMS = [one for one in SHOWN if one.kind == "program"]
OPTIONAL = {"torch", "onnxruntime", "equinox", "playwright"}


def is_slow(one: Shown) -> bool:
    if one.kind == "program":
        return one.number in SLOW_PROGRAMS.get(one.page, ())
    return one.text in SLOW
