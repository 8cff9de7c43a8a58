"""Torch modules in half precision: run in float32 with the same weights, and that is told."""

import numpy as np
import pytest

import cem_jax as cem

torch = pytest.importorskip("torch")
nn = torch.nn

IMAGE = np.random.default_rng(0).random((2, 6, 8, 3), np.float32)


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.norm.running_mean.fill_(0.3)

    def forward(self, x):
        return self.second(self.norm(self.first(x)))


class Casting(Plain):
    """Its second half is in half precision, and its code casts to that."""

    dtype = torch.float16

    def forward(self, x):
        y = self.norm(self.first(x))
        zero = torch.zeros(y.shape, dtype=self.dtype)
        y = y.half() + zero + y.to(self.dtype) * 0
        return self.second(y.type(torch.float16)).float()


class OnHost(Plain):
    def forward(self, x):
        return super().forward(x) + 0 * torch.histc(x.float()).sum()


def mixed() -> nn.Module:
    module = Casting()
    module.second.half()
    return module


def normalised() -> nn.Module:
    """One weight is an attribute that is computed of parameters."""
    module = nn.utils.weight_norm(nn.Conv2d(3, 3, 3, padding=1)).bfloat16()
    module(torch.zeros(1, 3, 4, 4, dtype=torch.bfloat16))
    return module


def widened(module: nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        y = module.eval().float()(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))
    return y.numpy().transpose(0, 2, 3, 1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    ("make", "name"),
    [(lambda: Plain().half(), "float16"), (lambda: Plain().bfloat16(), "bfloat16"),
     (normalised, "bfloat16")],
)  # fmt: skip
def test_a_module_in_half_precision_is_native_and_runs_in_float32(make, name):
    torch.manual_seed(0)
    module = make()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    network = cem.wrap_torch(module)
    found = np.asarray(network(IMAGE))
    assert not network.on_host and f"weights of {name} are widened to float32" in network.note
    assert network.check(IMAGE) < 1e-5
    for key, value in module.state_dict().items():  # the module stays in half precision
        assert value.dtype == before[key].dtype and torch.equal(value, before[key])
    assert all(value.dtype == np.float32 for value in network.params.values())
    np.testing.assert_allclose(found, widened(module, IMAGE), atol=1e-5)


def test_a_module_that_casts_a_part_of_itself_is_native_too():
    torch.manual_seed(0)
    module = mixed()
    network = cem.wrap_torch(module)
    found = np.asarray(network(IMAGE))
    assert not network.on_host and "weights of float16 are widened" in network.note
    assert network.check(IMAGE) < 1e-5
    whole = Plain()
    whole.load_state_dict(module.state_dict())
    np.testing.assert_allclose(found, widened(whole, IMAGE), atol=1e-5)
    assert torch.zeros(1).half().dtype == torch.float16  # elsewhere torch is what it was


def test_on_the_host_they_run_in_float32_too():
    torch.manual_seed(0)
    module = OnHost().half()
    network = cem.wrap_torch(module)
    found = np.asarray(network(IMAGE))
    assert network.on_host and "weights of float16 are widened" in network.note
    np.testing.assert_allclose(found, widened(module, IMAGE), atol=1e-6)


def test_rounding_that_a_module_of_float32_does_itself_is_kept():
    class Rounds(nn.Module):
        def forward(self, x):
            return x.half().float()

    network = cem.wrap_torch(Rounds())
    np.testing.assert_array_equal(network(IMAGE), IMAGE.astype(np.float16).astype(np.float32))
    assert "widened" not in network.note


class Autocast(Plain):
    """Its code casts to what autocast casts to, as it may within."""

    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.second(self.norm(self.first(x.bfloat16())))
        return y.float()


class AutocastOnHost(Autocast):
    def forward(self, x):
        return super().forward(x) + 0 * torch.histc(x).sum()


@pytest.mark.parametrize("kind", [Autocast, AutocastOnHost])
def test_what_autocast_would_cast_stays_float32(kind):
    torch.manual_seed(0)
    module, whole = kind(), Plain()
    whole.load_state_dict(module.state_dict())
    network = cem.wrap_torch(module)
    found = np.asarray(network(IMAGE))
    assert network.on_host == (kind is AutocastOnHost)
    assert "what torch.autocast would cast to bfloat16 stays float32" in network.note
    np.testing.assert_allclose(found, widened(whole, IMAGE), atol=1e-6)
    np.testing.assert_allclose(network.original()(IMAGE), widened(whole, IMAGE), atol=1e-6)
    with torch.autocast("cpu", dtype=torch.bfloat16):  # elsewhere torch is what it was
        assert nn.Conv2d(3, 3, 1)(torch.zeros(1, 3, 2, 2)).dtype == torch.bfloat16


def test_where_autocast_is_off_nothing_is_told():
    class Off(Plain):
        def forward(self, x):
            with torch.autocast("cpu", enabled=False):
                return super().forward(x)

    network = cem.wrap_torch(Off())
    network(IMAGE)
    assert not network.on_host and "autocast" not in network.note


def test_a_map_tells_that_weights_were_widened():
    scene = cem.Scene.denoising(cem.example_image("facade")[:32, :32])
    network = cem.wrap_torch(nn.Sequential(Plain(), nn.Sigmoid()).half())
    found = cem.causal_effect_map(
        network, scene, cem.ROI(8, 8, 8, 8), plan=cem.Fixed(1), progress=False
    )
    assert found.provenance["network_note"] == network.note
    assert found.provenance["difference_from_original"] < 1e-5
