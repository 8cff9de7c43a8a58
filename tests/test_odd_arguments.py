"""Arguments are checked alike everywhere: numbers, texts, sequences, and how messages show them."""

import decimal
import fractions
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import cem_jax as cem
from cem_jax.arguments import (
    number_in,
    one_of,
    part,
    positive_number,
    probability,
    several,
    truth,
    whole_number,
)
from cem_jax.plain_text import quoted, told
from cem_jax.store.objects import as_place

pytestmark = pytest.mark.usefixtures("unchecked")


class Silent:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError


class Failing:
    """An object that cannot be a number."""

    def __float__(self) -> float:
        raise ZeroDivisionError

    __index__ = __float__  # type: ignore[assignment]


NO_NUMBERS = (
    None, True, False, np.bool_(True), np.array(True), "3", "", b"3", 1j, [3.0], np.array([3.0]),
    {}, object(), Silent(), Failing(), float("nan"), decimal.Decimal("NaN"), np.ma.masked, int,
    "x" * 9000, list(range(9000)), np.zeros((90, 90)),
)  # fmt: skip
READERS = {
    "whole": lambda value: whole_number("a", value, 0),
    "positive": lambda value: positive_number("a", value),
    "within": lambda value: number_in("a", value, -9, 9),
    "probability": lambda value: probability("a", value),
    "part": lambda value: part("a", value),
}


def short(message: str) -> bool:
    return len(message) < 300 and message.isprintable()


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
def test_what_is_no_number_is_refused_on_one_short_line(read, value):
    with pytest.raises(ValueError, match=r"^a=.*: expected ") as caught:
        READERS[read](value)
    assert short(str(caught.value))


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "value", [10**400, -(10**5000), -float("inf")], ids=["long", "less", "inf"]
)
def test_numbers_of_any_length_are_refused_on_one_short_line(read, value):
    if (read, value) == ("whole", 10**400):
        assert whole_number("a", value, 0) == value
        return
    with pytest.raises(ValueError, match=r"^a=.*: expected ") as caught:
        READERS[read](value)
    assert short(str(caught.value))


def test_numbers_of_every_kind_become_pythons_own():
    for eight in (8, np.int8(8), np.uint64(8), np.array(8), jnp.int32(8)):
        assert whole_number("a", eight, 1) == 8 and type(whole_number("a", eight, 1)) is int
    for half in (0.5, np.float16(0.5), np.array(0.5), jnp.float32(0.5), fractions.Fraction(1, 2)):
        assert probability("a", half) == part("a", half) == number_in("a", half, 0) == 0.5
        assert type(positive_number("a", half)) is float


def test_ends_are_accepted_or_not_as_said():
    assert part("a", 1) == 1.0 and number_in("a", 9, -9, 9) == 9 and whole_number("a", 3, 3, 3) == 3
    for read, value in ((part, 0), (part, 1.0001), (probability, 0), (probability, 1),
                        (positive_number, 0)):  # fmt: skip
        with pytest.raises(ValueError, match=f"^a={value}: expected a number"):
            read("a", value)
    with pytest.raises(ValueError, match=r"^a=4: expected 0 \.\. 3"):
        whole_number("a", 4, 0, 3)


@pytest.mark.parametrize(
    "value", [None, 1, b"x", ["x"], np.array(["x"]), np.zeros((9, 9)), Silent(), "z", "x" * 9000]
)
def test_one_of_several_texts(value):
    assert one_of("a", "x", ("x", "y")) == "x"
    with pytest.raises(ValueError, match=r"^a=.*: expected one of x, y$") as caught:
        one_of("a", value, ("x", "y"))
    assert short(str(caught.value))


@pytest.mark.parametrize("value", [None, 3, [], "xy", [1], np.zeros(3), jnp.zeros(3), Silent()])
def test_several_things_of_one_kind(value):
    assert several("a", ({"x": 1},), dict, "rows") == [{"x": 1}]
    with pytest.raises(ValueError, match=r"^a=.*: expected rows, at least one"):
        several("a", value, dict, "rows")


@pytest.mark.parametrize("value", [None, 3, b"/tmp", ["x"], "x" * 5000, "a\0b", np.array("x")])
def test_what_is_no_path_is_refused(value):
    with pytest.raises(ValueError, match=r"^out=.*: expected the path of") as caught:
        as_place(value, "out")
    assert short(str(caught.value))


@pytest.mark.parametrize("value", [0, 1, "yes", None, np.array([True])])
def test_true_and_false_alone_are_true_and_false(value):
    assert truth("a", np.bool_(True)) is True
    with pytest.raises(ValueError, match=r"^a=.*: expected True or False"):
        truth("a", value)


def test_values_are_shown_on_one_short_line():
    nested: list = []
    for _ in range(60):  # as large as 2**60 if all of it were written
        nested = [nested, nested]
    for value in (
        nested,
        "a\nb\x1b[31m" * 999,
        10**9999,
        Silent(),
        np.zeros((99, 99)),
        {1: nested},
    ):
        assert short(quoted(value)) and len(quoted(value)) <= 160
    assert quoted("abc") == "'abc'" and quoted(Path("a")) == f"{Path('a')!r}"
    assert len(told(ValueError("x" * 99999))) <= 1200


PHOTO = np.full((16, 16, 3), 128, np.uint8)
SCENE = cem.Scene.denoising(PHOTO)
NETWORK = cem.wrap(lambda x: 0.9 * x, receptive_radius=0)

FUNCTIONS = {
    "rain": lambda value: cem.Scene.deraining(PHOTO, rain=value),
    "steps": lambda value: cem.Scene.degraded_by(PHOTO, value),
    "images": lambda value: cem.PatchPool.from_images(value),
    "kernel": lambda value: cem.Blur(value),
    "subsampling": lambda value: cem.Jpeg(75, value),
    "kind": lambda value: cem.Rain.of_kind(value),
    "grey": lambda value: cem.Noise(0.1, value),
    "name": lambda value: cem.load(value),
    "state_dict": lambda value: cem.from_torch("DnCNN", value),
    "maps": lambda value: cem.report(value, "report.html"),
    "rows": lambda value: cem.markdown_table(value),
    "roi": lambda value: cem.parse_roi(value, SCENE),
    "scene": lambda value: cem.parse_roi("auto", value),
    "apply": lambda value: cem.Network("n", value, None),
    "of": lambda value: cem.Corrected(value),
    "network": lambda value: cem.operations(value, SCENE),
    "rois": lambda value: cem.region_maps(NETWORK, SCENE, value),
    "pixel": lambda value: cem.effective_receptive_field(NETWORK, [PHOTO], pixel=value),
    "outcome": lambda value: cem.gradient_map(NETWORK, SCENE, cem.ROI(0, 0, 8, 8), outcome=value),
    "effect_map": lambda value: cem.summarise(value),
    "found": lambda value: cem.plot(value),
    "networks": lambda value: cem.Job(value, {}, []),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("value", [3, Silent(), np.zeros((9, 90)), list(range(9000))],
                         ids=["number", "silent", "array", "list"])  # fmt: skip
def test_arguments_of_another_kind_are_named(name, value):
    with pytest.raises(ValueError, match=rf"^{name}\b") as caught:
        FUNCTIONS[name](value)
    assert short(str(caught.value))


def test_the_first_number_of_adaptive_is_its_draws_as_in_its_text():
    assert cem.Adaptive(64) == cem.Adaptive(most=64)
    with pytest.raises(ValueError, match=r"most=0\.01"):
        cem.Adaptive(0.01)


def test_a_pool_is_bounded():
    with pytest.raises(ValueError, match=r"count=1000000000000: expected 1 \.\. 1000000"):
        cem.PatchPool.from_images([PHOTO], count=10**12)
