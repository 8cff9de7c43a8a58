"""What runs on the host is told apart by all that its results depend on."""

import functools

import numpy as np
import pytest

from cem_jax.network.host_digest import digest_file, digest_module

torch = pytest.importorskip("torch")


class Scaled(torch.nn.Module):
    def __init__(self, factor=1.0, after=torch.relu, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = torch.nn.Conv2d(3, 3, 3, padding=1)
        self.factor, self.after = factor, after
        self.cache = None

    def forward(self, x):
        return self.factor * self.after(self.conv(x))


class Other(Scaled):
    def forward(self, x):
        return x


def closing_over(number):
    return lambda x: number * x


LIMIT = 1.0


def test_equal_modules_have_one_fingerprint_in_every_mode():
    assert digest_module(Scaled()) == digest_module(Scaled().eval()) is not None
    assert digest_module(Scaled(after=closing_over(2))) == digest_module(
        Scaled(after=closing_over(2))
    )


@pytest.mark.parametrize(
    "other",
    [
        lambda: Scaled(factor=2.0), lambda: Scaled(seed=1), lambda: Scaled(after=torch.tanh),
        lambda: Scaled(after=closing_over(2)), lambda: Other(), lambda: Scaled(factor=np.ones(3)),
        lambda: Scaled(after=torch.nn.ReLU()), lambda: Scaled().double(),
        lambda: Scaled(after=lambda x: x), lambda: torch.nn.Sequential(Scaled()),
    ],
)  # fmt: skip
def test_modules_that_differ_in_anything_have_others(other):
    assert digest_module(other()) != digest_module(Scaled())


def test_closures_and_globals_are_part_of_a_function(monkeypatch):
    assert digest_module(Scaled(after=closing_over(2))) != digest_module(
        Scaled(after=closing_over(3))
    )
    module = Scaled(after=lambda x: x.clamp(max=LIMIT))
    before = digest_module(module)
    monkeypatch.setitem(globals(), "LIMIT", 2.0)
    assert digest_module(module) != before


class Reading(torch.nn.Module):
    """Its text says nothing of the values that it reads."""

    @staticmethod
    def most():
        return SETTINGS["most"]

    def forward(self, x):
        return sum(part * FACTOR for part in (x, scaled(x))).clamp(max=self.most())


def scaled(x):
    return (lambda: SHIFT + x)()


FACTOR, SHIFT, SETTINGS = 1.0, 0.0, {"most": 1.0}


@pytest.mark.parametrize(
    ("name", "value"), [("FACTOR", 2.0), ("SHIFT", 0.5), ("SETTINGS", {"most": 2.0})]
)
def test_what_the_methods_of_a_module_read_is_part_of_it(monkeypatch, name, value):
    before = digest_module(Reading())
    assert before == digest_module(Reading()) is not None
    monkeypatch.setitem(globals(), name, value)
    assert digest_module(Reading()) != before


def test_wrapped_functions_are_seen_through():
    def limited(x, most):
        return x.clamp(max=most)

    def of(function, **more):
        return digest_module(Scaled(after=functools.partial(function, **more)))

    assert of(limited, most=1) == of(limited, most=1) is not None
    assert of(limited, most=1) != of(limited, most=2)
    remembered = [digest_module(Scaled(after=functools.lru_cache(closing_over(n)))) for n in (2, 3)]
    assert None not in remembered and remembered[0] != remembered[1]


def test_what_cannot_be_seen_has_none():
    module = Scaled()
    module.held = object()
    assert digest_module(module) is None


def test_modules_that_hold_themselves_end():
    module = Scaled()
    module.cache = {"own": [module]}
    assert digest_module(module) is not None


def test_a_file_and_the_weights_that_it_names(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"... net.onnx.data ...")
    (tmp_path / "net.onnx.data").write_bytes(b"1")
    (tmp_path / "unrelated").write_bytes(b"1")
    first = digest_file(path)
    (tmp_path / "unrelated").write_bytes(b"2")
    assert digest_file(path) == first
    (tmp_path / "net.onnx.data").write_bytes(b"2")
    assert digest_file(path) != first
    path.write_bytes(b"other")
    assert digest_file(path) != first
