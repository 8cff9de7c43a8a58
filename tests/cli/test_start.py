"""What a command costs before it computes, and how it is interrupted then."""

import os
import subprocess
import sys

import pytest
from PIL import Image
from report_maps import made_map

import cem_jax as cem

HEAVY = {"jax", "jaxlib", "flax", "optax", "orbax", "matplotlib", "scipy", "tensorstore", "rich"}
"""Packages that take longer to import than most commands take to answer."""

TOLD = """
import atexit, sys
from cem_jax.cli.main import main

atexit.register(lambda: print("MODULES", *sys.modules, file=sys.stderr))
sys.argv = ["cem-jax", *sys.argv[1:]]
main()
"""


def imported(*arguments: str, program: str = TOLD, **more) -> tuple[int, set[str], str]:
    """Status of a command, the packages that it has imported, and what it printed."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **more)
    *errors, modules = done.stderr.splitlines()
    assert modules.startswith("MODULES "), done.stderr
    packages = {name.partition(".")[0] for name in modules.split()[1:]}
    return done.returncode, packages, done.stdout + "\n".join(errors)


MAP = ("map", "--out", "out", "--task", "DN", "--image", "none.png", "--roi", "0,0,8,8")
LIGHT = {
    "help": (("--help",), 0, "Commands:"),
    "nothing": ((), 0, "Commands:"),
    "version": (("--version",), 0, "cem-jax 0."),
    "help of map": (("map", "--help"), 0, "--reference-config"),
    "help of figures": (("figures", "--help"), 0, "--preset"),
    "command": (("mpa",), 2, "cem-jax: No such command 'mpa'"),
    "option": (("map", "--nonsense"), 2, "cem-jax: No such option: --nonsense"),
    "missing": (("convert", "file"), 2, "cem-jax: Missing option '--model'"),
    "choice": (("map", "--out", "x", "--task", "XX"), 2, "'XX' is not one of 'sr', 'dn', 'dr'"),
    "number": (("map", "--out", "x", "--block", "8.5"), 2, "cem-jax: Invalid value for '--block'"),
    "needed": (("map", "--out", "out"), 2, "are needed"),
    "network": ((*MAP, "--model", "EDRS-compact"), 2, "nearest: EDSR-compact"),
    "region": ((*MAP, "--model", "DnCNN-compact", "--roi", "1,2"), 2, "--roi '1,2'"),
    "figure": (("figures", "teasr"), 2, "figure 'teasr': expected one of teaser"),
    "plan": ((*MAP, "--model", "DnCNN-compact", "--plan", "fixed"), 2, "--plan 'fixed'"),
    "two networks": ((*MAP, "--model", "DnCNN", "--module", "a:b"), 2, "--module makes the whole"),
    "fact": ((*MAP, "--module", "a:b", "--set", "radius=3"), 2, "--set radius: --module is told"),
    "no network": (MAP, 2, "--model, --weights or --module: one of them is needed"),
    "score": ((*MAP, "--model", "DnCNN", "--outcome", "psmr"), 2, "--outcome 'psmr': expected"),
    "set": ((*MAP, "--model", "DnCNN", "--set", "scale"), 2, "--set 'scale': expected KEY=VALUE"),
    "many draws": ((*MAP, "--model", "DnCNN", "--plan", "fixed:1000000000"), 2, "n=1000000000: "),
    "many medoids": ((*MAP, "--model", "DnCNN", "--plan", "quadrature:100000"), 2, "n=100000: exp"),
    "many strata": ((*MAP, "--model", "DnCNN", "--plan", f"stratified:{2**40}"), 2, f"n={2**40}: "),
    "many rounds": ((*MAP, "--model", "DnCNN", "--plan", f"adaptive:{2**40}"), 2, f"={2**40}: "),
    "digits": ((*MAP, "--model", "DnCNN", "--plan", "fixed:" + 9000 * "9"), 2, "…"),
    "draws": ((*MAP, "--model", "DnCNN-compact", "--plan", "fixed:0"), 2, "n=0"),
    "photograph": ((*MAP, "--model", "DnCNN-compact"), 2, "none.png"),
    "pool": ((*MAP, "--model", "DnCNN-compact", "--pool", "none.npz"), 2, "none.npz"),
    "converted network": (("convert", "x.pth", "--model", "DnNN", "--out", "o"), 2, "nearest: "),
    "no map": (("report", "none.npz"), 2, "cem-jax: none.npz: No such file or directory"),
    "empty folder": (("plot", "."), 2, "no map.npz in this folder"),
    "no job": (("status", "."), 2, "no job was begun in this folder"),
    "no table": (("table", "."), 2, "no job was begun in this folder"),
    "nothing to compare": (("compare", "."), 2, "no job was begun in this folder"),
    "engine": (("sweep", "job.toml", "--on", "ray"), 2, "--on 'ray': expected processes:4"),
    "time": (("sweep", "job.toml", "--for", "long"), 2, "--for 'long': expected a time"),
    "models": (("models",), 0, "| DnCNN-compact "),
    "models in detail": (("models", "--details"), 0, "licence of the weights"),
    "models for scripts": (("models", "--json"), 0, '"parameters": '),
}  # fmt: skip


@pytest.mark.parametrize("case", LIGHT)
def test_a_command_answers_before_anything_heavy_is_imported(case, tmp_path):
    arguments, expected, text = LIGHT[case]
    status, packages, printed = imported(*arguments, cwd=tmp_path)
    assert (status, packages & HEAVY) == (expected, set()), printed
    assert text in printed and "Traceback" not in printed
    if expected:
        assert printed.strip().count("\n") == 0
    assert not list(tmp_path.iterdir())


def test_a_missing_region_is_suggested_before_anything_heavy_is_imported(tmp_path):
    Image.new("RGB", (160, 120)).save(tmp_path / "none.png")
    status, packages, printed = imported(*MAP[:-2], "--model", "DnCNN-compact", cwd=tmp_path)
    assert (status, packages & HEAVY) == (2, set())
    assert "--roi is needed, a region of the image of 120 x 160 pixels" in printed
    assert "--roi auto is where" in printed and "--roi 44,64,32,32 its middle" in printed


@pytest.mark.parametrize("case", ["help", "version", "help of map", "command", "option"])
def test_words_that_name_nothing_are_told_before_values_are_converted(case, tmp_path):
    _, packages, _ = imported(*LIGHT[case][0], cwd=tmp_path)
    assert "typer" in packages and "pydantic" not in packages


@pytest.mark.parametrize("words", ["cem-jax mo", "cem-jax map --task D", "cem-jax map --model Dn"])
def test_completion_imports_nothing_heavy(words):
    environment = os.environ | {
        "_CEM_JAX_COMPLETE": "complete_bash", "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }  # fmt: skip
    _, packages, printed = imported(env=environment)
    assert not packages & HEAVY and printed.strip()


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (("export", "map.npz", "--format", "npz", "--out", "again.npz"), set()),
        (("export", "map.npz", "--format", "csv", "--out", "map.csv"), {"scipy"}),
        (("plot", "map.npz", "--out", "map.svg"), {"matplotlib", "scipy"}),
        (("report", "map.npz", "--out", "report.html"), {"matplotlib", "scipy"}),
    ],
)  # fmt: skip
def test_what_only_shows_maps_needs_no_jax(arguments, allowed, tmp_path):
    made_map().save(tmp_path / "map.npz")
    status, packages, printed = imported(*arguments, cwd=tmp_path)
    assert status == 0 and (tmp_path / arguments[-1]).stat().st_size > 0, printed
    assert packages & HEAVY <= allowed


@pytest.mark.parametrize("module", ["cem_jax", "cem_jax.models", "cem_jax.cli.cli"])
def test_what_is_imported_alone_is_light(module):
    told = 'import sys; print("MODULES", *sys.modules, file=sys.stderr)'
    _, packages, _ = imported(program=f"import {module}; {told}")
    assert not packages & HEAVY


def test_nothing_of_stores_or_engines_is_imported_for_one_map(tmp_path):
    program = (
        "import sys\nimport cem_jax as cem\n"
        "scene = cem.Scene.denoising(cem.example_image('pagoda')[:32, :32])\n"
        "network = cem.wrap(lambda x: 0.9 * x, receptive_radius=0)\n"
        "cem.causal_effect_map(network, scene, cem.ROI(0, 0, 16, 16), plan=cem.Fixed(1),\n"
        "                      directory=sys.argv[1], progress=False)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
        "print(*(name for name in sys.modules if name.startswith('cem_jax.jobs')))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "map")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    # JAX itself imports cloudpickle where it is.
    new = {"tensorstore", "fsspec", "boto3", "dask", "distributed", "submitit", "mpi4py",
           "pyarrow", "zarr", "xarray"}  # fmt: skip
    packages, jobs = done.stdout.split("\n")[:2]
    assert not new & set(packages.split()) and not jobs


# Ctrl-C

AT_IMPORT = """
import os, signal, sys

_, WHERE, PHOTO = sys.argv

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == WHERE:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
sys.meta_path.insert(0, Interrupting())
from cem_jax.cli.main import main

sys.argv = ["cem-jax", "map", "--model", "DnCNN-compact", "--task", "DN", "--image", PHOTO,
            "--roi", "8,8,8,8", "--plan", "fixed:1", "--out", "out"]
main()
"""
LINE = "cem-jax: interrupted; the same command continues\n"


@pytest.mark.parametrize(
    "module",
    ["cem_jax.cli.cli", "typer", "numpy", "numpy._core.multiarray", "PIL.Image", "jax",
     "jax._src.xla_bridge", "flax.nnx", "cem_jax.effects.effect", "matplotlib.pyplot"],
)  # fmt: skip
def test_an_interrupt_within_an_import_is_one_line(module, tmp_path):
    from PIL import Image

    Image.fromarray(cem.example_image("pagoda")[:24, :24]).save(tmp_path / "photo.png")
    command = [sys.executable, "-c", AT_IMPORT, module, "photo.png"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert (done.returncode, done.stderr) == (130, LINE), done.stdout


AT_THE_END = """
import atexit, os, signal, sys
from cem_jax.cli.main import main

signal.signal(signal.SIGINT, signal.default_int_handler)
atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))
sys.argv = ["cem-jax", "--version"]
main()
"""


def test_an_interrupt_while_the_process_ends_is_one_line():
    done = subprocess.run([sys.executable, "-c", AT_THE_END], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, LINE)


def test_a_background_job_goes_on_to_ignore_interrupts():
    ignoring = AT_THE_END.replace("default_int_handler", "SIG_IGN")
    done = subprocess.run([sys.executable, "-c", ignoring], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_has_read_enough_is_no_error():
    command = f"{sys.executable} -m cem_jax.cli models | head -n 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"") and done.stdout.startswith(b"| name")
