"""What comes with the package is whole, and says whose it is."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import cem_jax as cem
from cem_jax.experiments.bundle import SCENES, SIDE

DATA = Path(cem.__file__).parent / "data"
WEIGHTS = sorted(Path(cem.models.__file__).parent.glob("weights/*.safetensors"))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_data_have_the_checksums_that_are_listed():
    lines = (DATA / "SHA256SUMS").read_text().splitlines()
    listed = {name: sum_ for sum_, name in (line.split("  ") for line in lines)}
    files = [DATA / "pool_8.npz", *(DATA / "scenes").glob("*.png")]
    assert {str(file.relative_to(DATA)): digest(file) for file in files} == listed


def test_every_photograph_has_its_author_and_licence():
    text = (DATA / "ATTRIBUTION.md").read_text()
    assert set(cem.example_names()) == set(SCENES) and len(SCENES) == 14
    for name in cem.example_names():
        (line,) = (line for line in text.splitlines() if f"`scenes/{name}.png`" in line)
        assert line.endswith(("CC0", "CC-BY-2.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0"))
        image = cem.example_image(name)
        assert image.shape == (SIDE, SIDE, 3) and image.dtype == np.uint8
        assert image.std() > 20  # something is to be seen


@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.stem)
def test_weights_have_the_checksum_of_their_record(path):
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["sha256"] == digest(path)
    assert cem.models.describe(record["name"]).licence == "trained here, Apache-2.0"


def test_the_weights_say_their_licence():
    assert "Apache-2.0" in (WEIGHTS[0].parent / "ATTRIBUTION.md").read_text()
