"""The pages: links lead somewhere, every page is in the menu, public names are documented."""

import ast
import dataclasses
import importlib
import inspect
import re
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from pages import FENCE, PAGES, ROOT, name_of

import cem_jax as cem
from cem_jax.jobs import reference_config
from cem_jax.map import interchange

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
            for heading in headings}  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    text = FENCE.sub("", page.read_text())
    for link in _LINK.findall(text):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_menu_of_the_site_has_every_page():
    found = (ROOT / "mkdocs.yml").read_text()
    menu = yaml.safe_load(found)["nav"]

    def pages(entry):
        if isinstance(entry, str):
            yield entry
        for part in entry.values() if isinstance(entry, dict) else ():
            for one in part if isinstance(part, list) else [part]:
                yield from pages(one)

    named = [page for entry in menu for page in pages(entry)]
    assert sorted(named) == sorted(
        str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")
    )


# Docstrings


def public_names() -> dict[str, object]:
    """What a user may call: functions and classes by their full names, with their methods."""
    places = (cem, cem.models, interchange, reference_config)
    found: dict[str, object] = {}
    for place in places:
        for name in dir(place):
            value = getattr(place, name)
            if name.startswith("_") or not isinstance(value, type | types.FunctionType):
                continue
            if not value.__module__.startswith(place.__name__):
                continue
            found[f"{place.__name__}.{name}"] = value
            if isinstance(value, type):
                above = vars(cem.Degradation) if issubclass(value, cem.Degradation) else {}
                told = above if value is not cem.Degradation else {}  # once for all of them
                for inner, member in vars(value).items():
                    if not inner.startswith("_") and inner not in told:
                        found[f"{place.__name__}.{name}.{inner}"] = member
    return found


PUBLIC = public_names()
CLASSES = {value.__name__ for value in PUBLIC.values() if isinstance(value, type)}
OF_A_PLAN = {name for name in vars(cem.Plan) if not name.startswith("_")}
"""What `Plan` documents once for all plans."""


def sections(doc: str) -> dict[str, str]:
    """A Google docstring by section; "" is what comes first."""
    heads = r"^(Args|Returns|Raises|Yields|Examples):$"
    parts = re.split(heads, inspect.cleandoc(doc), flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def parameters(value: object) -> list[str]:
    if isinstance(value, type):
        if not dataclasses.is_dataclass(value):
            return []
        return [field.name for field in dataclasses.fields(value) if field.init]
    assert callable(value)
    return [name for name in inspect.signature(value).parameters if name not in ("self", "cls")]


def raises_value_error(value: object, known: tuple[object, ...] = ()) -> bool:
    """Whether it does so itself, or calls one of ours by name that does, outside of a `try`."""
    source = value.__dict__.get("__post_init__") if isinstance(value, type) else value
    if not isinstance(source, types.FunctionType):
        return False
    source = inspect.unwrap(source)  # of what checks its arrays
    if source in known:
        return False
    tree = ast.parse(textwrap.dedent(inspect.getsource(source)))
    nodes = list(uncaught(tree))
    raised = [node.exc for node in nodes if isinstance(node, ast.Raise)]
    if any(isinstance(one, ast.Call) and named(one.func) == "ValueError" for one in raised):
        return True
    calls = [node.func for node in nodes if isinstance(node, ast.Call)]
    return any(raises_value_error(one, (*known, source)) for one in ours(calls, source))


def uncaught(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it, but for what stands in a `try` that catches a ValueError."""
    yield node
    for below in ast.iter_child_nodes(node):
        caught = [named(one.type) for one in getattr(node, "handlers", ())]
        if any("ValueError" in names for names in caught) and below in getattr(node, "body", ()):
            continue
        yield from uncaught(below)


def named(node: ast.AST | None) -> str:
    return "" if node is None else ast.unparse(node)


def ours(calls: list[ast.expr], source: types.FunctionType) -> Iterator[object]:
    """The functions and classes of the package that a function calls by name."""
    for call in calls:
        first, *rest = named(call).split(".")
        found = source.__globals__.get(first)
        for name in rest:
            found = getattr(found, name, None)
        found = getattr(found, "__func__", found)  # of a classmethod
        if str(getattr(found, "__module__", "")).startswith("cem_jax"):
            yield found


def complaints(name: str, value: object) -> list[str]:
    """What a public docstring lacks."""
    value = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    if not isinstance(value, type | types.FunctionType | property):
        return []
    doc = value.__doc__ or ""
    found = sections(doc)
    summary = found[""].split("\n\n")[0]
    wrong = []
    if not summary.strip().endswith(".") or "\n" in summary.strip():
        wrong.append("a summary of one line")
    if isinstance(value, property):
        return wrong
    if not (name.count(".") > 1 and name.rsplit(".", 1)[1] in OF_A_PLAN):
        args = found.get("Args", "")
        wrong += [
            f"argument {one}"
            for one in parameters(value)
            if not re.search(rf"^    \*{{0,2}}{one}: \S", args, re.MULTILINE)
        ]
        returns = "" if isinstance(value, type) else _returned(value)
        if returns not in ("", "None", *CLASSES) and "Returns" not in found:
            wrong.append(f"what it returns ({returns})")
    wrong += unmeasured(value, found)
    if raises_value_error(value) and "    ValueError: " not in found.get("Raises", ""):
        wrong.append("Raises ValueError")
    return wrong


ARRAY = r"(numpy\.ndarray|jax\.Array|jax\.jaxlib\._jax\.Array)( \| None)?"
SHAPE, UNIT = r"\[|shape", r"dB|unit|pixel|degrees|level|between|share|0 or more|second|%"


def unmeasured(value: object, found: dict[str, str]) -> list[str]:
    """Arrays without a shape, and numbers without a unit, among a docstring's sections."""
    assert callable(value)
    signature = inspect.signature(value)
    told = {
        name: re.search(rf"^    {name}: (.*?)(?=^    \S|\Z)", found.get("Args", ""), re.M | re.S)
        for name in signature.parameters
    }
    texts = {name: match[1] for name, match in told.items() if match}
    asked = {name: one.annotation for name, one in signature.parameters.items() if name in texts}
    if "Returns" in found:
        texts["Returns"], asked["Returns"] = found["Returns"], signature.return_annotation
    wrong = []
    for name, annotation in asked.items():
        kind = inspect.formatannotation(annotation)
        if re.fullmatch(ARRAY, kind) and not re.search(f"{SHAPE}|dB|unit", texts[name]):
            wrong.append(f"the shape of {name}")
        if re.fullmatch(r"float( \| None)?", kind) and not re.search(UNIT, texts[name]):
            wrong.append(f"the unit of {name}")
    return wrong


def _returned(function: types.FunctionType) -> str:
    annotation = inspect.signature(function).return_annotation
    return str(getattr(annotation, "__name__", annotation)).strip('"')


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name):
    assert not complaints(name, PUBLIC[name])


def test_a_poor_docstring_is_found():
    def poor(x: int, y: int) -> int:
        """Adds.

        Args:
            x: a number.
        """
        if x < 0:
            raise ValueError(x)
        return x + y

    assert complaints("poor", poor) == [
        "argument y", "what it returns (int)", "Raises ValueError"
    ]  # fmt: skip

    def trusting(y: int) -> None:
        """Makes a region.

        Args:
            y: a number.
        """
        cem.ROI(y, 0, 8, 8)

    assert complaints("trusting", trusting) == ["Raises ValueError"]

    def vague(image: np.ndarray, sigma: float) -> np.ndarray:
        """Blurs.

        Args:
            image: what is blurred.
            sigma: how much.

        Returns:
            The blurred image.
        """
        return image * sigma

    assert complaints("vague", vague) == [
        "the shape of image", "the unit of sigma", "the shape of Returns"
    ]  # fmt: skip


def test_the_reference_has_every_public_name():
    text = "\n".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    listed = set(re.findall(r"^::: (\S+)$", text, re.MULTILINE))
    for path in listed:
        module, _, name = path.replace("models.", "cem_jax.models.", 1).rpartition(".") \
            if path.startswith("models.") else path.rpartition(".")  # fmt: skip
        assert hasattr(importlib.import_module(module), name), path
    last = {path.rsplit(".", 1)[1] for path in listed}
    wanted = {
        name.rsplit(".", 1)[1]
        for name, value in PUBLIC.items()
        if isinstance(value, type | types.FunctionType)
        and name.rsplit(".", 1)[0] in ("cem_jax", "cem_jax.models")
    }
    assert wanted <= last, wanted - last
