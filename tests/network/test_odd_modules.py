"""Torch modules as people have them: weights that are computed or shared, results in containers."""

import copy
import dataclasses
import types

import numpy as np
import pytest

import cem_jax as cem

torch = pytest.importorskip("torch")
nn = torch.nn

IMAGE = np.random.default_rng(0).random((2, 6, 8, 3), np.float32)


def of_torch(module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        y = module.eval()(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))
    return y.numpy().transpose(0, 2, 3, 1)


class Casts(nn.Module):
    """One value as several types, which differ by this alone."""

    def forward(self, x):
        return (7 * x).to(torch.int32).float() + (7 * x).to(torch.float16).float()


class Shared(nn.Module):
    """One layer under two names, used by the second."""

    def __init__(self):
        super().__init__()
        self.first = self.second = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        return self.second(self.second(x))


class WithToken(nn.Module):
    """torch.export gives its program a token, which keeps the check of the inverse in order."""

    def forward(self, x):
        products = x.flatten(2) @ x.flatten(2).transpose(1, 2)
        return x * torch.linalg.inv(torch.eye(3) + products).sum((1, 2))[:, None, None, None]


def weight_normalised() -> nn.Module:
    module = nn.utils.weight_norm(nn.Conv2d(3, 3, 3, padding=1))
    module(torch.zeros(1, 3, 4, 4))
    return module


def spectrally_normalised() -> nn.Module:
    return nn.utils.spectral_norm(nn.Conv2d(3, 3, 3, padding=1)).eval()


def scripted() -> nn.Module:
    return torch.jit.script(nn.Conv2d(3, 3, 3, padding=1))


class Modulated(nn.Module):
    def forward(self, x, mod):
        return x * mod


class NamesItsArgument(nn.Module):
    """The name of an argument is one that torch.export takes for its own."""

    def __init__(self):
        super().__init__()
        self.layer, self.part = nn.Conv2d(3, 3, 3, padding=1), Modulated()

    def forward(self, x):
        return self.part(self.layer(x), mod=0.5 + x.mean((2, 3), keepdim=True))


MADE = [
    NamesItsArgument,
    Casts,
    Shared,
    WithToken,
    weight_normalised,
    spectrally_normalised,
    scripted,
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("make", MADE)
def test_odd_modules_are_taken_as_they_are(make):
    torch.manual_seed(0)
    module = make()
    network, wanted = cem.wrap_torch(module), of_torch(module, IMAGE)
    np.testing.assert_allclose(network(IMAGE), wanted, rtol=1e-5, atol=2e-6)
    difference = network.check(IMAGE[:1])
    assert difference is None or difference < 1e-5 * max(1.0, np.abs(wanted).max())


class Contained(nn.Module):
    def __init__(self, wrapped, on_host):
        super().__init__()
        self.wrapped, self.on_host = wrapped, on_host

    def forward(self, x):
        y = x + 0 * torch.histc(x).sum() if self.on_host else x
        return self.wrapped(2 * y)


@dataclasses.dataclass
class Sample:
    sample: object
    strength: float = 1.0


@pytest.mark.parametrize("on_host", [False, True])
@pytest.mark.parametrize(
    "wrapped",
    [lambda y: [y], lambda y: {"image": y}, lambda y: (y, None), lambda y: [[y]], Sample,
     lambda y: (y, 0.5), lambda y: types.MappingProxyType({"image": Sample((y,))})],
)  # fmt: skip
def test_the_one_tensor_of_a_result_is_the_image(wrapped, on_host):
    network = cem.wrap_torch(Contained(wrapped, on_host))
    np.testing.assert_array_equal(network(IMAGE), 2 * IMAGE)
    assert network.check(IMAGE) in (None, 0) and network.on_host == on_host


def test_several_tensors_are_refused_with_a_way_out():
    with pytest.raises(ValueError, match=r"a list of Tensor, Tensor; expected one.*alone"):
        cem.wrap_torch(Contained(lambda y: [y, y], False))(IMAGE)


def test_modules_without_values_are_refused():
    with pytest.raises(ValueError, match=r"module=Conv2d.*meta"):
        cem.wrap_torch(nn.Conv2d(3, 3, 1).to("meta"))
    with pytest.raises(ValueError, match=r"module=LazyConv2d.*uninitialized"):
        cem.wrap_torch(nn.LazyConv2d(3, 1))


def test_the_weights_of_a_normalised_module_stay_its_own():
    module = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 3, 1))
    before = copy.deepcopy(module.state_dict())
    found = np.asarray((network := cem.wrap_torch(module))(IMAGE))
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(2)
    np.testing.assert_array_equal(network(IMAGE), found)
    module.load_state_dict(before)
    np.testing.assert_allclose(found, of_torch(module, IMAGE), atol=1e-6)


class Guided(nn.Module):
    def forward(self, x, sigma, *others, strength, mode="same"):
        return x * sigma * strength


def test_what_a_module_needs_beside_the_image_is_named_and_the_lines_that_fix_it_work():
    with pytest.raises(ValueError, match="needs sigma and strength beside the image") as caught:
        cem.wrap_torch(Guided())
    told, *lines = str(caught.value).split("\n")
    assert told.startswith("module=Guided: its forward(image, sigma, others, strength, mode)")
    code = "\n".join(lines).replace("sigma=...", "sigma=0.5").replace("strength=...", "strength=3")
    assert "..." not in code and len(lines) == 3
    made = {"torch": torch}
    exec(code, made)
    np.testing.assert_allclose(cem.wrap_torch(made["OfImage"](Guided()))(IMAGE), 1.5 * IMAGE)


def test_a_module_without_a_place_for_the_image_is_refused():
    class Nothing(nn.Module):
        def forward(self, *, sigma):
            return sigma

    with pytest.raises(ValueError, match=r"module=Nothing.*takes no image"):
        cem.wrap_torch(Nothing())


def test_arguments_that_a_module_can_do_without_are_left_alone():
    class Optional(nn.Module):
        def forward(self, x, sigma=0.5, *rest, **options):
            return x * sigma

    np.testing.assert_allclose(cem.wrap_torch(Optional())(IMAGE), 0.5 * IMAGE)


def test_a_module_whose_argument_torch_export_keeps_for_itself_is_native():
    network = cem.wrap_torch(NamesItsArgument())
    network(IMAGE)
    assert not network.on_host and set(network.params) == {"layer.weight", "layer.bias"}


@pytest.mark.parametrize("part", ["whole", "inner", "in place"])
def test_a_compiled_module_is_taken_as_it_was(part):
    """JAX compiles; torch's compiler would take a minute, and may not be there."""

    def never(graph, inputs):
        raise AssertionError("torch compiles nothing")

    inner = nn.Conv2d(3, 3, 1)
    module = nn.Sequential(torch.compile(inner, backend=never) if part == "inner" else inner)
    if part == "in place":
        module.compile(backend=never)
    network = cem.wrap_torch(torch.compile(module, backend=never) if part == "whole" else module)
    wanted = nn.functional.conv2d(
        torch.from_numpy(IMAGE.transpose(0, 3, 1, 2)), inner.weight, inner.bias
    )
    np.testing.assert_allclose(
        network(IMAGE), wanted.detach().numpy().transpose(0, 2, 3, 1), atol=1e-6
    )
    assert network.name == "Sequential" and set(network.params) == {"0.weight", "0.bias"}
    assert network.check(IMAGE) is not None and network.check(IMAGE) < 1e-6
