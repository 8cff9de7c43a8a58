"""TorchScript as networks of JAX: scripted or traced, at any size, in half precision too."""

import io

import numpy as np
import pytest

import cem_jax as cem

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore")

IMAGE = np.random.default_rng(0).random((2, 11, 14, 3), np.float32)


class Padded(nn.Module):
    """Sides are filled up to multiples of 4, as traces compute in tensors of one number."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 4, stride=4)
        self.norm = nn.BatchNorm2d(8)
        self.norm.running_mean.fill_(0.3)
        self.up = nn.ConvTranspose2d(8, 3, 4, stride=4)

    def forward(self, x):
        h, w = x.shape[2], x.shape[3]
        y = F.pad(x, [0, (4 - w % 4) % 4, 0, (4 - h % 4) % 4], "replicate")
        y = self.up(F.relu(self.norm(self.down(y))))
        return x + y[:, :, :h, :w]


class Tiles(nn.Module):
    """A loop over the rows, which writes into parts of an image."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        out = torch.zeros_like(x)
        for first in range(0, x.shape[2] - 4, 3):
            out[:, :, first : first + 5] += self.layer(x[:, :, first : first + 5])
        return out


class Casting(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x):
        y = x.half()
        return (y + self.second(torch.relu(self.first(y)))).float()


class Decides(nn.Module):
    def forward(self, x):
        if bool(x.mean() > 0.4):
            return 2 * x
        return x


class Around(nn.Module):
    """A script as a part of a module of Python."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.last = inner, nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return {"image": self.last(self.inner(x))}


def of_torch(module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        y = module.eval()(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))
    return y.numpy().transpose(0, 2, 3, 1)


def traced(module) -> nn.Module:
    return torch.jit.trace(module.eval(), torch.rand(1, 3, 9, 10))


def loaded(module) -> nn.Module:
    data = io.BytesIO()
    torch.jit.save(torch.jit.freeze(traced(module)), data)
    data.seek(0)
    return torch.jit.load(data)


@pytest.mark.parametrize(
    ("make", "kind"),
    [(traced, Padded), (loaded, Padded), (torch.jit.script, Padded), (torch.jit.script, Tiles)],
)
def test_scripts_are_native_at_any_size(make, kind):
    torch.manual_seed(0)
    module = make(kind().eval())
    network = cem.wrap_torch(module)
    for x in (IMAGE, IMAGE[:, :9, :12]):
        np.testing.assert_allclose(network(x), of_torch(module, x), atol=2e-6)
    assert not network.on_host and network.check(IMAGE[:1]) < 2e-6


def test_a_scripts_parameters_have_its_keys_and_are_what_is_computed_with():
    script = torch.jit.script(Padded().eval())
    network = cem.wrap_torch(script)
    network(IMAGE)
    assert set(network.params) == set(dict(script.named_parameters()))
    none = {key: np.zeros_like(value) for key, value in network.params.items()}
    np.testing.assert_array_equal(network.apply(none, IMAGE), IMAGE)


def test_a_script_within_a_module_is_native():
    torch.manual_seed(0)
    network = cem.wrap_torch(Around(traced(Padded())))
    found = np.asarray(network(IMAGE))
    assert not network.on_host and network.check(IMAGE[:1]) < 2e-6
    assert "last.weight" in network.params and found.shape == IMAGE.shape


@pytest.mark.parametrize("make", [torch.jit.script, traced])
def test_half_precision_inside_a_script_is_widened(make):
    torch.manual_seed(0)
    script = make(Casting().half())
    before = [weight.clone() for weight in script.parameters()]
    network = cem.wrap_torch(script)
    found = np.asarray(network(IMAGE))
    assert not network.on_host and "weights of float16 are widened to float32" in network.note
    assert network.check(IMAGE[:1]) < 1e-6
    wide = Casting()
    wide.load_state_dict(script.state_dict())
    wanted = wide.second(torch.relu(wide.first(x := torch.from_numpy(IMAGE.transpose(0, 3, 1, 2)))))
    np.testing.assert_allclose(
        found, (x + wanted).detach().numpy().transpose(0, 2, 3, 1), atol=1e-6
    )
    for old, new in zip(before, script.parameters(), strict=True):
        assert new.dtype == torch.float16 and torch.equal(old, new)


def test_a_script_that_decides_by_values_runs_on_the_host():
    network = cem.wrap_torch(torch.jit.script(Decides()))
    for x in (IMAGE, 0.1 * IMAGE):
        np.testing.assert_array_equal(network(x[:1]), of_torch(Decides(), x[:1]))
    assert "the image's values decide what is done" in network.note
