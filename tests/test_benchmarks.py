"""The benchmarks: torch's forms compute our networks, and every section runs on little."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from zoo import small_network

import cem_jax as cem

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


@pytest.mark.parametrize("name", ["DnCNN", "EDSR", "RCAN", "SwinIR", "RFDN", "IMDN", "PAN"])
def test_the_torch_form_is_the_network(benchmarks, name):
    torch = pytest.importorskip("torch")
    from torch_networks import forward

    network = small_network(name)
    x = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    run = forward(name, cem.to_torch(network))
    theirs = run(torch.from_numpy(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    ours = np.asarray(network(x))
    assert np.linalg.norm(theirs - ours) < 5e-6 * np.linalg.norm(ours)


@pytest.mark.parametrize("name", ["DnCNN", "EDSR"])
def test_a_compact_network_in_the_official_size_is_the_same_function(benchmarks, name):
    import subjects

    large, compact = subjects.network(name), cem.load(f"{name}-compact")
    assert {k: v.shape for k, v in cem.to_torch(large).items() if "mean" not in k} == (
        subjects.shapes(name)
    )
    x = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    np.testing.assert_allclose(large(x), compact(x), atol=1e-5)


def test_what_is_truly_global_is_told_from_what_only_counts_so(benchmarks):
    torch = pytest.importorskip("torch")
    from torch_local import looked_at

    class Mixed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x):
            x = self.conv(x)
            rows = torch.arange(x.shape[2]).reshape(-1, 16).T.flatten()  # read column by column
            scrambled = x[:, :, rows]
            return x * x.mean((2, 3), keepdim=True) + torch.fft.rfft2(x).abs().mean() + scrambled

    found = looked_at("Mixed", cem.wrap_torch(Mixed()), 3)
    assert found.share < 1 and "fft" in found.true and "reduce_sum" in found.true
    assert [name.split(":")[-1] for name in found.only] == ["pick"]
    local = looked_at("Mixed", cem.wrap_torch(torch.nn.Conv2d(3, 3, 5, padding=2)), 3)
    assert not local.true and not local.only


@pytest.mark.parametrize("afterwards", [True, False])
def test_tokens_in_one_line_cost_nothing_where_they_are_sorted(benchmarks, afterwards):
    torch = pytest.importorskip("torch")
    from torch_local import looked_at

    class Sorted(torch.nn.Module):
        def forward(self, x):
            tokens = x.flatten(2)
            placed = tokens.argsort(dim=2, stable=True).reshape(x.shape) / 1e6
            if afterwards:
                return placed
            turned = tokens.roll(1, 2)[:, :, : x.shape[2]].mean(
                2
            )  # a strip of them, read otherwise
            return placed + turned[..., None, None] + tokens.roll(5, 2).reshape(x.shape)

    found = looked_at("Sorted", cem.wrap_torch(Sorted()), 3)
    assert "sort" in found.true and bool(found.only) != afterwards


def test_mediated_maps_are_timed_beside_the_total_one(benchmarks, monkeypatch):
    import mediated

    network = cem.wrap(lambda x: x * (0.5 + x.mean((1, 2), keepdims=True)), name="gate")
    monkeypatch.setattr(mediated.subjects, "network", lambda name: network)
    found = mediated.row("gate", 1, 32)
    assert found["network"] == "gate" and float(found["ratio"]) > 0


def test_a_network_without_locality_is_computed_whole(benchmarks):
    import rates
    import subjects

    scene, network = subjects.scene(1, 64), cem.load("DnCNN-compact")
    network = rates.without_locality(network)
    subject = rates.Subject.make(network, scene, cem.ROI(24, 24, 16, 16))
    assert subject.sweep.layout.note.startswith("dense")
    assert (subject.exact == subject.whole).all()
    assert len(subject.reaching) == 64 - 4


def test_the_sections_run(tmp_path):
    pytest.importorskip("torch")
    command = [sys.executable, str(FOLDER / "sweep.py"), "--quick", "--json", "found.json"]
    command += ["--only", "networks", "map", "growth"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    found = json.loads((tmp_path / "found.json").read_text())
    assert [row["blocks"] for row in found["networks"]] == ["candidates", "all"]
    assert all(row["sweep /s"] > 0 and 0 < row["of peak"] < 1 for row in found["networks"])
    assert [row["map s"] > 0 for row in found["map"]] == [True] * 3
    narrow, wide = found["growth"]
    assert wide["whole GMAC"] == pytest.approx(4 * narrow["whole GMAC"])
    assert wide["cone GMAC"] == pytest.approx(narrow["cone GMAC"])


def test_what_a_job_costs_is_measured_on_little(tmp_path):
    command = [sys.executable, str(FOLDER / "jobs.py"), "--maps", "3", "--json", "found.json"]
    command += ["--engines", "here", "processes"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    found = json.loads((tmp_path / "found.json").read_text())
    assert [row["engine"] for row in found["engines"]] == ["here", "processes"]
    assert all(row["first run s"] > 0 for row in found["engines"])
    assert found["requests"]["write"] > 3


def test_a_simulated_job_keeps_its_books(benchmarks):
    from schedule import Machine, Schedule, simulate

    calm = Machine(chips=4, spread=0.0, slow=0.0, losses=0.0, first_seconds=1.0,
                   compile_seconds=2.0, map_seconds=10.0, overhead_seconds=0.5)  # fmt: skip
    found = simulate(calm, Schedule("map by map"), images=8, networks=1)
    # Four chips make two maps each; all compile, since none has ended when they begin.
    assert found["hours"] * 3600 == pytest.approx(3 + 2 * 10.5)
    assert found["work %"] == pytest.approx(100 * 80 / (4 * 24))
    assert found["idle %"] == pytest.approx(0, abs=1e-9)
    one = simulate(calm, Schedule("one task", together=8), images=8, networks=1)
    assert one["hours"] * 3600 == pytest.approx(3 + 8 * 10.5)
    assert one["idle %"] == pytest.approx(75)
    stormy = simulate(
        Machine(chips=4, losses=30.0, map_seconds=10.0), Schedule("map by map"), 40, 2
    )  # fmt: skip
    assert stormy["lost %"] > 10
    total = sum(value for name, value in stormy.items() if name.endswith("%"))
    assert total == pytest.approx(100)
