"""Every option with what nobody should give it: one line, status 2, and nothing is written."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import status
from PIL import Image
from report_maps import made_map

import cem_jax as cem

LONG = "x" * 5000
NUMBERS = ("nan", "inf", "-inf", "-1", "many", "1e999", "0x10", "8,5", "8.5")
"""None of them is a whole number, at least 0."""
TIMES = ("0s", "-1h", "nan", "inf", "1d", "99999999h", "1h-1m", "x", "1.5h")
PLACES = ("none", "folder", "pipe", "text", "photo.png/none", "none\nany", "\x1b[31m", LONG)
"""Of none of them can a photograph, a map or a job be read."""
MAP = ("map", "--model", "DnCNN-compact", "--task", "DN", "--image", "photo.png",
       "--roi", "8,8,8,8", "--out", "out")  # fmt: skip
OWN = ("map", "--task", "DN", "--image", "photo.png", "--roi", "8,8,8,8", "--out", "out")
PAIR = ("map", "--model", "DnCNN-compact", "--image", "photo.png", "--roi", "8,8,8,8", "--out",
        "out", "--degraded", "photo.png", "--do")  # fmt: skip

WRONG: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "model": (MAP[:1] + OWN[1:] + ("--model",), ("DnCNN\n", "../DnCNN", LONG, "\x1b[31m", "nan")),
    "task": ((*MAP, "--task"), ("nan", "D\nN", LONG)),
    "image": ((*MAP, "--image"), PLACES),
    "degraded": ((*PAIR, "residual", "--degraded"), PLACES),
    "do": (PAIR, ("again", "none.py:f", "folder:f", "own.py:none", "own.py:", LONG, "text:f")),
    "roi": (
        (*MAP, "--roi"),
        ("nan", "inf,0,8,8", "-1,0,8,8", "0,0,0,0", "999999999,0,8,8", "1e1,0,8,8", "8,8,8",
         "0,0,8,8,8", "101%,0,8,8", "0,0,9999999999,8", "nan%,0,8,8", LONG, "60,60,8,8"),
    ),
    "weights": ((*MAP, "--weights"), PLACES),
    "set": ((*MAP, "--set"), ("x", "x=", "=1", "weights=a", "scale=2", "x\n=1", LONG)),
    "module": (
        (*OWN, "--module"),
        ("own", "none.py:f", "own.py:none", "own.py:fails", "own.py:number", "own.py:", "a b:c",
         "no.such.module:f", "none.onnx", "text.onnx", "folder:f", "own.py:same.none", "own.py: f",
         LONG),
    ),
    "facts": (
        (*OWN, "--module", "own.py:same", "--set"),
        ("scale=0", "scale=nan", "scale=1.5", "scale=-1", "scale=99999999999", "size_multiple=0",
         "receptive_radius=-1", "receptive_radius=x", "scale=2"),
    ),
    "scene": ((*MAP, "--scene"), ("sigma", "x=1", "clean=1", "name=a", "sigma=nan", "sigma=inf",
                                  "seed=-1", "sigma=x")),
    "plan": ((*MAP, "--plan"), ("nan", "fixed:nan", "fixed:-1", "adaptive:0", LONG, "fixed:\n")),
    "outcome": (
        (*MAP, "--outcome"),
        ("nan", "psnr-crop", "psnr-crop0", "psnr-crop99999", "psnr-crop-4", "psnr-crop\u0664",
         "removal-crop4", "PSNR", "psnr-crop4", LONG),
    ),
    "pool": ((*MAP, "--pool"), (*PLACES, "photo.png")),
    "block": ((*MAP, "--block"), (*NUMBERS, "0", "1000000000", "9" * 5000)),
    "sigma": ((*MAP, "--sigma"), ("nan", "inf", "-inf", "-1", "1e999", "256", "many")),
    "seed": ((*MAP, "--seed"), (*NUMBERS, str(2**32), "9" * 5000)),
    "through": ((*MAP, "--through"), ("nothing", "\x1b[31m", LONG)),
    "config": (("map", "--out", "out", "--reference-config"), PLACES),
    "out of a map": ((*MAP, "--out"), ("text", "photo.png/out", "pipe", LONG, ".")),
    "job": (("sweep",), PLACES),
    "out of a job": (("sweep", "job.toml", "--out"), ("text", "text/out", "pipe", LONG)),
    "engine": (
        ("sweep", "job.toml", "--on"),
        ("processes:0", "processes:-1", "processes:nan", "processes:1000000000", "processes:1.5",
         "slurm:0", "dask://host:99999", "dask://:1", "mpi:1", "processes:" + "9" * 5000, LONG),
    ),
    "for": (("sweep", "job.toml", "--for"), TIMES),
    "report": (("report",), PLACES),
    "out of a report": (
        ("report", "map.npz", "--out"), ("folder", "none/a.html", "pipe", "text/a.html", LONG),
    ),
    "layers": (("report", "map.npz", "--layers"), PLACES),
    "interactions": (("report", "map.npz", "--interactions"), PLACES),
    "plot": (("plot",), PLACES),
    "picture": (
        ("plot", "map.npz", "--out"),
        ("a", "a.txt", "folder", "none/a.png", "text/a.png", "a.png\n", LONG, f"{LONG}.png"),
    ),
    "limit": (("plot", "map.npz", "--limit"), ("nan", "inf", "-1", "0", "many", "1e999")),
    "colours": (("plot", "map.npz", "--colour-map"), ("none", "\x1b[31m", LONG)),
    "look": (("plot", "map.npz", "--look"), ("none", "Clear\n")),
    "export": (("export", "--format", "csv", "--out", "a.csv"), PLACES),
    "format": (("export", "map.npz", "--out", "a", "--format"), ("xls", "CSV\n")),
    "out of an export": (
        ("export", "map.npz", "--format", "csv", "--out"),
        ("folder", "pipe", "text/a.csv", LONG),
    ),
    "image of an export": (
        ("export", "map.npz", "--format", "mat", "--out", "out", "--image"), ("../a", "a/b", "a\n"),
    ),
    "table": (("table",), ("none", "folder", "text", "pipe", LONG, "none\nany")),
    "out of a table": (("table", "folder", "--out"), ("a.xls", "none/a.csv", "folder", LONG)),
    "gather": (("gather",), ("none", "folder", "text", LONG)),
    "status": (("status",), ("none", "folder", "text", "pipe", LONG, "none\nany", "\x1b[31m")),
    "compare": (("compare",), PLACES),
    "compared": (("compare", "map.npz"), PLACES),
    "by": (("compare", "folder", "--by"), ("nan", "scene", LONG)),
    "convert": (("convert", "--model", "DnCNN", "--out", "out"), PLACES),
    "out of convert": (("convert", "text", "--model", "DnCNN", "--out"), ("text", "pipe", LONG)),
    "photograph": (("look",), PLACES),
    "port": (("explore", "--port"), ("-1", "65536", "99999999", "nan", "many")),
    "explored": (("explore",), PLACES),
    "figure": (("figures",), ("none", "TEASER", "../teaser", "teaser\n", LONG)),
    "preset": (("figures", "teaser", "--preset"), ("none", "FULL\n")),
    "folder of weights": (("figures", "teaser", "--weights"), ("none", "pipe", LONG)),
    "out of figures": (("figures", "teaser", "--out"), ("text", "text/out", "pipe", LONG)),
    "published": (("figures", "--check", "--published"), ("none", "pipe", LONG)),
    "minutes": (("figures", "--check", "--minutes"), ("nan", "inf", "-1", "many")),
    "seed of the check": (("figures", "--check", "--seed"), ("-1", "nan", "1.5")),
}  # fmt: skip
READY = {"outcome": ("psnr-crop4",)}
"""Wrong for the region at hand alone."""


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with a file of each kind, in which nothing may be written."""
    found = tmp_path / "wrong"
    found.mkdir()
    Image.fromarray(cem.example_image("pagoda")[:64, :64]).save(found / "photo.png")
    (found / "folder").mkdir()
    os.mkfifo(found / "pipe")
    for name in ("text", "text.onnx"):
        (found / name).write_text("no image, no map, no job\n")
    (found / "job.toml").write_text("seed = -1\n")
    (found / "own.py").write_text(
        "def same():\n    return lambda x: x\ndef fails():\n    return 1 / 0\n"
        "def number():\n    return 3\n"
    )
    made_map().save(found / "map.npz")
    return found


def contents(folder: Path) -> dict[str, int]:
    found = {path.name: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    return {name: time for name, time in found.items() if "own." not in name and name[0] != "_"}


@pytest.mark.parametrize("option", WRONG)
def test_what_an_option_cannot_be_is_told_on_one_line(option, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    words, values = WRONG[option]
    before = contents(folder)
    for value in values:
        # A value that begins with a dash is one with its option.
        joined = [*words[:-1], f"{words[-1]}={value}"] if value.startswith("-") else [*words, value]
        assert status(monkeypatch, *joined) == 2, value
        printed = capsys.readouterr()
        lines = printed.err.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith("cem-jax: "), (value, printed.err)
        assert len(lines[0]) < 1300 and lines[0].isprintable(), lines
        # What a user's own function raises is told with its kind; nothing of ours is.
        assert "factory=" in lines[0] or "Error" not in lines[0], lines
        assert contents(folder) == before, value


COMMANDS = (
    ("demo", "--out"), ("map", "--out"), ("sweep",), ("sweep", "job.toml", "--out"), ("status",),
    ("report",), ("report", "map.npz", "--out"), ("plot",), ("export",), ("table",), ("gather",),
    ("compare",), ("convert",), ("look",), ("explore",), ("figures", "teaser", "--out"),
)  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_text_is_no_path(words, empty, folder, monkeypatch, capsys):
    """`--out "$NAME"` of a variable that is not set would mean the current folder."""
    monkeypatch.chdir(folder)
    before = contents(folder)
    joined = [*words[:-1], f"{words[-1]}="] if words[-1].startswith("--") else [*words, ""]
    for given in ((*words, empty), joined):
        assert status(monkeypatch, *given) == 2
        assert "expected a value, found an empty text" in capsys.readouterr().err
    assert contents(folder) == before


LIGHT = [
    (option, value)
    for option, (_, values) in WRONG.items()
    for value in (values[0], values[-1])
    if option in ("plan", "outcome", "block", "sigma", "seed", "engine", "for", "limit", "picture",
                  "port", "figure", "preset", "minutes", "set", "task", "roi", "module")
    and (option, value) not in (("roi", "60,60,8,8"), ("picture", "a.png\n"))
]  # fmt: skip
MISSING = [(option, "none") for option in (
    "image", "degraded", "weights", "pool", "config", "job", "report", "layers", "plot", "export",
    "table", "gather", "status", "compare", "convert", "photograph", "explored",
    "folder of weights", "published",
)]  # fmt: skip
SLOW = {"jax", "jaxlib", "flax", "optax", "orbax", "scipy", "matplotlib", "torch", "onnx"}
"""What takes longer to import than an answer should: nothing of it is needed to refuse."""


def imported(*words: str, cwd: Path) -> set[str]:
    """The packages that a command of a fresh process imported."""
    command = [sys.executable, "-X", "importtime", "-m", "cem_jax.cli", *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize(("option", "value"), LIGHT + MISSING)
def test_a_wrong_value_or_a_missing_file_is_answered_without_slow_imports(option, value, folder):
    words = WRONG[option][0]
    joined = [*words[:-1], f"{words[-1]}={value}"] if value.startswith("-") else [*words, value]
    seen = imported(*joined, cwd=folder)
    assert "typer" in seen and not seen & SLOW, (joined, seen & SLOW)


def test_names_of_results_are_shown_as_one_line(folder, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    made_map().save(tmp_path / "map.npz")
    name = "two\nlines\x1b[31m"
    assert status(monkeypatch, "export", "map.npz", "--format", "csv", "--out", name) == 0
    printed = capsys.readouterr().out
    assert printed == "Written: two lines\\x1b[31m\n" and (tmp_path / name).is_file()
    assert status(monkeypatch, "report", "map.npz", "--out", f"{name}.html") == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["CON", "nul.csv", "a:b", "ends.", "..x", "-x", "\u202eturned"])
def test_odd_names_of_results_are_files_of_this_system(name, monkeypatch, tmp_path):
    if os.name == "nt":
        pytest.skip("Windows reserves some of them")
    monkeypatch.chdir(tmp_path)
    made_map().save(tmp_path / "map.npz")
    words = ("export", "map.npz", "--format", "csv", f"--out={name}")
    assert status(monkeypatch, *words) == 0
    assert (tmp_path / name).read_bytes().count(b"\n") == 1 + made_map().effect.size
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((name, "map.npz"))
    assert np.isfinite(cem.EffectMap.load("map.npz").baseline)
