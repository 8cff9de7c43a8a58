"""Ctrl-C while files are written and while workers start: one line, and nothing half-written."""

import os
import signal
import subprocess
import sys
import time

import pytest
from command_line import call
from report_maps import made_map

import cem_jax as cem

LINE = "cem-jax: interrupted; the same command continues\n"

AT_EVENT = """
import os, signal, sys

_, WHERE, PART, *WORDS = sys.argv
BEGUN = []

def interrupt(event, arguments):
    if event == WHERE and PART in str(arguments[:2]) and not BEGUN:
        BEGUN.append(1)
        os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
sys.addaudithook(interrupt)
from cem_jax.cli.main import main

sys.argv = ["cem-jax", *WORDS]
main()
"""
"""Interrupts itself in the middle of what Python's audit hooks see: files opened and renamed."""


def interrupted(where: str, part: str, words: tuple[str, ...], cwd) -> None:
    command = [sys.executable, "-c", AT_EVENT, where, part, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=600)
    assert (done.returncode, done.stderr) == (130, LINE), done.stdout


ENDING_SLOWLY = """
import atexit, signal, sys, time
from cem_jax.cli import cli, main

@cli.app.command()
def wait():
    signal.raise_signal(signal.SIGINT)
    time.sleep(60)

atexit.register(time.sleep, 1)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["cem-jax", "wait"]
main.main()
"""


def test_a_process_that_ends_slowly_tells_its_interrupt_once():
    """As where JAX has to be put away, or the machine is busy."""
    command = [sys.executable, "-c", ENDING_SLOWLY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (130, LINE)


WITH_A_THREAD = """
import signal, sys, threading, time
from cem_jax.cli import cli, main

@cli.app.command()
def wait():
    threading.Thread(target=time.sleep, args=(100,)).start()
    signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["cem-jax", "wait"]
main.main()
"""


def test_what_a_thread_is_at_is_not_waited_for():
    """As the sweep of a page, which `explore` makes beside the server."""
    begun = time.monotonic()
    command = [sys.executable, "-c", WITH_A_THREAD]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (130, LINE)
    assert time.monotonic() - begun < 90


CONVERTED = """
import signal, sys, time
from cem_jax.cli import cli, main

@cli.app.command()
def wait():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt as error:  # as JAX does of what a function of the host raises
        raise RuntimeError("INTERNAL: a callback failed") from error

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["cem-jax", "wait"]
main.main()
"""


def test_an_interrupt_of_which_a_library_made_an_error_is_an_interrupt():
    command = [sys.executable, "-c", CONVERTED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (130, LINE)


WRITTEN = {
    "report.html": ("report", "map.npz", "--out", "report.html"),
    "map.svg": ("plot", "map.npz", "--out", "map.svg"),
    "map.csv": ("export", "map.npz", "--format", "csv", "--out", "map.csv"),
    "again.npz": ("export", "map.npz", "--format", "npz", "--out", "again.npz"),
}


@pytest.mark.parametrize("file", WRITTEN)
@pytest.mark.parametrize("where", ["open", "os.rename"])
def test_an_interrupt_while_a_file_is_written_leaves_the_old_one(file, where, tmp_path):
    made_map().save(tmp_path / "map.npz")
    (tmp_path / file).write_text("old")
    interrupted(where, f".{file}.", WRITTEN[file], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"map.npz", file}
    assert (tmp_path / file).read_text() == "old"
    done = call(*WRITTEN[file], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / file).stat().st_size > 1000
    assert {path.name for path in tmp_path.iterdir()} == {"map.npz", file}


@pytest.mark.parametrize("part", [".sweep.json.", ".map.npz.", ".map.png."])
def test_a_map_goes_on_from_whatever_was_being_written(part, tmp_path):
    from PIL import Image

    Image.fromarray(cem.example_image("pagoda")[:32, :32]).save(tmp_path / "photo.png")
    words = ("map", "--model", "DnCNN-compact", "--task", "DN", "--image", "photo.png", "--roi",
             "8,8,8,8", "--plan", "fixed:2", "--out", "out")  # fmt: skip
    interrupted("os.rename", part, words, tmp_path)
    there = {path.name for path in (tmp_path / "out").iterdir()}
    assert part.split(".")[1] + "." + part.split(".")[2] not in there
    assert not [name for name in there if name.startswith(".")]
    done = call(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = cem.EffectMap.load(tmp_path / "out" / "map.npz")
    scene = cem.Scene.denoising(cem.example_image("pagoda")[:32, :32], name="photo")
    whole = cem.causal_effect_map(
        cem.load("DnCNN-compact"), scene, found.roi, plan=cem.Fixed(2), progress=False
    )
    # The command has a device for each core, other than the tests.
    assert abs(found.values - whole.values)[whole.samples > 0].max() < 1e-4
    resumed = found.provenance["evaluations_resumed"]
    # Nothing was kept before, all outcomes, or the map itself.
    assert resumed == (found.evaluations if part == ".map.npz." else 0)


WORKER = """
import os, sys, time
from cem_jax.jobs.processes import Processes

if __name__ == "__main__":
    with Processes(1) as executor:
        future = executor.submit(pow, 3, 4)
        while not executor._children:
            time.sleep(0.001)
        print(executor._children[0][0].pid, flush=True)
        print(future.result(), flush=True)
"""


def test_a_worker_does_not_hear_ctrl_c_not_even_while_it_starts(tmp_path):
    """It reaches all processes of a terminal; who started them answers it, and ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        pytest.skip("signals are masked on POSIX alone")
    (tmp_path / "started.py").write_text(WORKER)
    command = [sys.executable, str(tmp_path / "started.py")]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        end = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < end:
            try:
                os.kill(worker, signal.SIGINT)
            except ProcessLookupError:
                break
            time.sleep(0.005)
        out, errors = process.communicate(timeout=300)
    assert (process.returncode, out, errors) == (0, "81\n", "")
