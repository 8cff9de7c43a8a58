"""Checkpoints of architectures beyond the zoo: recognised by spandrel, read by our own reader."""

import numpy as np
import pytest
from torch_writer import call, mapping, named, text, zip_file, zipped

import cem_jax as cem

torch = pytest.importorskip("torch")
spandrel = pytest.importorskip("spandrel")


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray]:
    """A small MoSR, x2, with weights that are none of them zero."""
    from spandrel.architectures.MoSR import MoSR

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = MoSR(upscale=2, n_block=2, dim=8)
        return {
            key: (value + 0.05 * torch.randn_like(value)).numpy()
            for key, value in module.state_dict().items()
            if value.is_floating_point()
        }


@pytest.fixture
def unread(monkeypatch):
    """Neither torch's nor spandrel's own reader is ever called."""

    def refuse(*_, **__):
        raise AssertionError("a file was given to a reader that executes what it holds")

    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(torch.jit, "load", refuse)
    monkeypatch.setattr(spandrel.ModelLoader, "load_from_file", refuse)
    monkeypatch.setattr(spandrel.ModelLoader, "load_state_dict_from_file", refuse)


def test_a_checkpoint_alone_is_recognised_and_native(state, tmp_path, unread):
    path = tmp_path / "mine.pth"
    path.write_bytes(zip_file(state))
    network = cem.load(path)
    assert (network.name, network.scale) == ("mine", 2) and "host" not in network.note
    x = np.random.default_rng(0).random((2, 16, 18, 3), np.float32)
    tensors = {key: torch.from_numpy(value) for key, value in state.items()}
    found = spandrel.MAIN_REGISTRY.load(tensors)
    for image, ours in zip(x, np.asarray(network(x)), strict=True):
        wanted = found(torch.from_numpy(image.transpose(2, 0, 1)[None].copy())).numpy()
        np.testing.assert_allclose(ours.clip(0, 1), wanted[0].transpose(1, 2, 0), atol=1e-5)
    assert network.check(x[:1]) < 1e-5
    assert cem.load(str(path), label="other").name == "other"


def test_a_job_takes_a_checkpoint_alone(state, tmp_path, unread):
    (tmp_path / "mine.pth").write_bytes(zip_file(state))
    file = tmp_path / "job.toml"
    file.write_text(
        "plan = 'fixed:2'\n[[network]]\nweights = 'mine.pth'\ntasks = ['SR']\n"
        "[[scene]]\ntask = 'SR'\nscale = 2\nexample = 'pagoda'\nrois = [[0, 0, 16, 16]]\n"
    )
    job = cem.read_job(file)
    assert [str(one) for one in job.maps] == ["mine/pagoda/y0-x0-16x16"]
    assert job.networks["mine"]().scale == 2
    file.write_text(file.read_text().replace("tasks = ['SR']", "arguments = {noise_level = 25}"))
    with pytest.raises(ValueError, match=r"job\.toml: \[\[network\]\] 1: weights: "):
        cem.read_job(file)


def test_the_command_line_takes_a_part_of_a_checkpoint():
    from cem_jax.cli.options import parse_set

    assert parse_set(["part=1", "res_scale=1"]) == {"part": "1", "res_scale": 1}


def test_what_nobody_knows_is_said_in_one_error(tmp_path, unread):
    path = tmp_path / "odd.pth"
    path.write_bytes(zip_file({"odd": np.zeros((2, 3), np.float32)}))
    with pytest.raises(ValueError, match=r"odd\.pth.*spandrel") as caught:
        cem.load(path)
    assert len(str(caught.value)) < 1000


def test_nothing_that_is_pickled_is_executed(tmp_path, unread, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, (module, name, argument) in enumerate(
        [("os", "system", "touch SENTINEL"), ("builtins", "eval", "open('SENTINEL', 'w')"),
         ("torch.storage", "_load_from_bytes", "a")]
    ):  # fmt: skip
        path = tmp_path / f"hostile{number}.pth"
        body = mapping({"a": call(named(module, name), text(argument))})
        path.write_bytes(zipped(body, {}))
        with pytest.raises(ValueError, match=f"asks for '{module}.{name}'"):
            cem.load(path)
        assert not (tmp_path / "SENTINEL").exists()


def test_without_spandrel_the_install_is_named(state, tmp_path, monkeypatch):
    import sys

    path = tmp_path / "mine.pth"
    path.write_bytes(zip_file(state))
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(ValueError, match=r"mine\.pth.*cem-jax\[torch\]"):
        cem.load(path)


def test_what_spandrel_cannot_be_told_is_refused(state, tmp_path, unread):
    (tmp_path / "mine.pth").write_bytes(zip_file(state))
    with pytest.raises(ValueError, match=r"noise_level: MoSR is built by spandrel, .*told nothing"):
        cem.load(tmp_path / "mine.pth", noise_level=25)
