"""Networks of the user on the command line: what they print, and what tells them apart."""

import json
import shutil

import numpy as np
import pytest
from command_line import status
from PIL import Image

import cem_jax as cem
from cem_jax.explore import server

OWN = """
print("imported")

def loud():
    print("made")
    def restore(x):
        print("called")
        return 0.9 * x
    return restore
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(cem.example_image("pagoda")[:40, :48]).save("photo.png")
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


MAP = ("map", "--task", "DN", "--image", "photo.png", "--roi", "8,8,16,16", "--plan", "fixed:1",
       "--out")  # fmt: skip
JOB = """
plan = "fixed:1"
network = [{module = "own.py:loud"}]
scene = [{task = "DN", image = "photo.png", rois = [[8, 8, 16, 16]]}]
"""


def test_standard_output_has_results_alone(folder, monkeypatch, capsys):
    (folder / "job.toml").write_text(JOB)
    for words in ((*MAP, "out", "--module", "own.py:loud", "--json"),
                  ("sweep", "job.toml", "--out", "results", "--json"),
                  ("compare", "job.toml", "--json")):  # fmt: skip
        assert status(monkeypatch, *words) == 0
        printed = capsys.readouterr()
        assert len(json.loads(printed.out)) == 1
        assert {"imported", "made", "called"} <= set(printed.err.splitlines())


def test_the_file_of_a_network_is_told_beside_its_label(folder, monkeypatch, capsys):
    words = (*MAP, "out", "--module", "own.py:loud", "--label", "two\nlines | one")
    assert status(monkeypatch, *words) == 0
    out = capsys.readouterr().out
    assert r"| two lines \| one |" in out and "\nNetwork: own.py:loud sha256:" in out
    assert status(monkeypatch, *words, "--json") == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["network"] == "two\nlines | one"
    assert record["network_source"].startswith("own.py:loud sha256:")


def test_two_files_of_one_name_are_told_apart_when_they_are_compared(folder, monkeypatch, capsys):
    for name, gain in (("one", 0.9), ("two", 0.8)):
        (folder / name).mkdir()
        text = f"def make():\n    return lambda x: {gain} * x\n"
        (folder / name / "own.py").write_text(text)
        assert status(monkeypatch, *MAP, f"{name}/out", "--module", f"{name}/own.py:make") == 0
    capsys.readouterr()
    assert status(monkeypatch, "compare", "one/out", "two/out", "--json") == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["first"] != record["second"]
    assert all(record[one].startswith("make (own.py:make sha256:") for one in ("first", "second"))
    assert status(monkeypatch, "compare", "one/out", "one/out", "--json") == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["first"] == record["second"] == "make"


def test_a_folder_is_free_for_the_right_scale_after_the_wrong_one(folder, monkeypatch, capsys):
    (folder / "own.py").write_text("def up():\n    return lambda x: x.repeat(2, 1).repeat(2, 2)\n")
    words = ("map", "--task", "SR", *MAP[3:], "out", "--module", "own.py:up")
    assert status(monkeypatch, *words) == 2
    assert "its own scale is 2" in capsys.readouterr().err
    assert status(monkeypatch, *words, "--set", "scale=2") == 0


def test_one_may_be_called_as_a_bundled_network_is(folder, monkeypatch):
    """The page offers the user's own one under this name."""
    found = {}

    class Served:
        def __init__(self, session, port):
            found.update(session.choices)
            raise ValueError("no page is needed")

    monkeypatch.setattr(server, "Server", Served)
    words = ("explore", "photo.png", "--module", "own.py:loud", "--label", "DnCNN-compact")
    assert status(monkeypatch, *words) == 2
    assert next(iter(found)) == "DnCNN-compact"
    assert found["DnCNN-compact"].options == words[2:]
    image = np.ones((1, 8, 8, 3), np.float32)
    assert found["DnCNN-compact"].make()(image).max() == np.float32(0.9)
    assert "EDSR-compact" in found


def test_two_checkpoints_of_one_architecture_have_the_names_of_their_files(folder):
    bundled = cem.models.bundled_weights("DnCNN-compact")
    for name in ("first.safetensors", "SECOND.SAFETENSORS"):
        shutil.copy(bundled, folder / name)
    (folder / "job.toml").write_text("""
        plan = "fixed:1"
        network = [{name = "DnCNN-compact", weights = "first.safetensors"},
                   {name = "DnCNN-compact", weights = "SECOND.SAFETENSORS"},
                   {name = "DnCNN-compact"}]
        scene = [{task = "DN", image = "photo.png", rois = [[8, 8, 16, 16]]}]
    """)
    job = cem.read_job("job.toml")
    names = ["DnCNN-compact first", "DnCNN-compact SECOND", "DnCNN-compact"]
    assert list(job.networks) == names
    for name, make in job.networks.items():
        network = make()
        assert network.name == name and network.source is not None
        file = {"first": "first", "SECOND": "SECOND"}.get(name.split()[-1], "DnCNN-compact")
        assert network.source.casefold().startswith(f"{file}.safetensors sha256:".casefold())
    assert cem.load("SECOND.SAFETENSORS").name == "DnCNN-compact SECOND"
