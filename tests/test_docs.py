"""The pages: links lead somewhere, commands and programs are valid, public names are documented."""

import ast
import dataclasses
import importlib
import inspect
import re
import shlex
import textwrap
import types
from pathlib import Path

import matplotlib
import pytest
import yaml

import cem_jax as cem
from cem_jax import cli, interchange, reference_config

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
"""Pages to which the tests below apply."""

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"cem-jax (?:[^`\n\\]|\\\n)+")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    return [
        textwrap.dedent(body)
        for _, found, body in _FENCE.findall(page.read_text())
        if found == language
    ]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
            for heading in headings}  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    text = _FENCE.sub("", page.read_text())
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


# Commands


def commands(text: str) -> list[list[str]]:
    """Every `cem-jax ...` of a page, its lines joined."""
    found = [match.replace("\\\n", " ") for match in _COMMAND.findall(text)]
    lines = [shlex.split(command, comments=True)[1:] for command in found]
    return [line for line in lines if line and re.fullmatch(r"[a-z-]+", line[0])]


def parse(arguments: list[str]) -> None:
    """Reads a command line as `cem-jax` does, without running it."""
    import typer

    group = typer.main.get_command(cli.app)
    name, *rest = arguments
    with group.make_context("cem-jax", [name], resilient_parsing=True) as context:
        command = group.get_command(context, name)
        assert command is not None, f"no command {name}"
        if rest == ["--help"]:
            return
        found = command.make_context(name, rest, parent=context).params
    if found.get("plan"):
        cli.parse_plan(found["plan"])
    if found.get("roi"):
        cli.parse_roi(found["roi"])


def shell(page: Path) -> str:
    """What a page shows as commands: shell blocks and indented lines."""
    text = page.read_text()
    indented = re.findall(r"^    .*cem-jax .*$", _FENCE.sub("", text), re.MULTILINE)
    return "\n".join([*blocks(page, "bash"), *indented])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_are_ones_that_the_command_line_knows(page):
    for arguments in commands(shell(page)):
        parse(arguments)


def test_commands_are_found_and_faulty_ones_refused():
    assert sum(len(commands(shell(page))) for page in PAGES) > 8
    text = "x && cem-jax map --model A \\\n    --out b  # why\n"
    assert commands(text) == [["map", "--model", "A", "--out", "b"]]
    for line in ("mapp", "map --models A --out b", "map --out b --task XX", "map --model A"):
        with pytest.raises((AssertionError, cli.TyperException)):
            parse(shlex.split(line))


# Programs


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_programs_compile(page):
    for program in blocks(page, "python"):
        compile(program, name_of(page), "exec")


RUN = {
    "docs/quick-start.md": "load(", "docs/reading-a-map.md": "load(", "docs/gallery.md": "load(",
    "docs/map-format.md": "np.load", "docs/own-network.md": "wrap(",
}  # fmt: skip
"""Pages of which those programs are run that hold the given text and compute no map."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the map that the pages speak of."""
    from conftest import curved

    path = tmp_path_factory.mktemp("docs")
    scene = cem.Scene.denoising(cem.example_image("facade")[:128, :128])
    network = cem.wrap(curved, receptive_radius=2, name="small")
    roi = cem.ROI(y=96, x=96, height=16, width=16)
    found = cem.causal_effect_map(network, scene, roi, plan=cem.Fixed(2), progress=False)
    found.save(path / "map.npz")
    return path


@pytest.mark.parametrize("page", RUN)
def test_programs_run(page, folder, monkeypatch):
    matplotlib.use("Agg")
    monkeypatch.chdir(folder)
    needs = {"wrap_onnx", "torch", "equinox", "causal_effect_map"}
    ran = 0
    for program in blocks(ROOT / page, "python"):
        if RUN[page] in program and not any(word in program for word in needs):
            exec(compile(program, page, "exec"), {})
            ran += 1
    assert ran


# Docstrings


def public_names() -> dict[str, object]:
    """What a user may call: functions and classes by their full names, with their methods."""
    places = (cem, cem.models, interchange, reference_config)
    found: dict[str, object] = {}
    for place in places:
        for name, value in vars(place).items():
            if name.startswith("_") or not isinstance(value, type | types.FunctionType):
                continue
            if not value.__module__.startswith(place.__name__):
                continue
            found[f"{place.__name__}.{name}"] = value
            if isinstance(value, type):
                for inner, member in vars(value).items():
                    if not inner.startswith("_"):
                        found[f"{place.__name__}.{name}.{inner}"] = member
    return found


PUBLIC = public_names()
CLASSES = {value.__name__ for value in PUBLIC.values() if isinstance(value, type)}
OF_A_PLAN = {name for name in vars(cem.Plan) if not name.startswith("_")}
"""What `Plan` documents once for all plans."""


def sections(doc: str) -> dict[str, str]:
    """A Google docstring by section; "" is what comes first."""
    parts = re.split(r"^(Args|Returns|Raises|Yields):$", inspect.cleandoc(doc), flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def parameters(value: object) -> list[str]:
    if isinstance(value, type):
        if not dataclasses.is_dataclass(value):
            return []
        return [field.name for field in dataclasses.fields(value) if field.init]
    assert callable(value)
    return [name for name in inspect.signature(value).parameters if name not in ("self", "cls")]


def raises_value_error(value: object) -> bool:
    """Whether it does so itself, or by a check of its arguments."""
    source = value.__dict__.get("__post_init__") if isinstance(value, type) else value
    if source is None:
        return False
    tree = ast.parse(textwrap.dedent(inspect.getsource(source)))
    own = {"whole_number", "check_tolerance", "check_pair", "as_image", "as_unit"}
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
        for names, nodes in (({"ValueError"}, raised), (own, calls))
        for node in nodes
    )


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
            if not re.search(rf"^    {one}: \S", args, re.MULTILINE)
        ]
        returns = "" if isinstance(value, type) else _returned(value)
        if returns not in ("", "None", *CLASSES) and "Returns" not in found:
            wrong.append(f"what it returns ({returns})")
    if raises_value_error(value) and "    ValueError: " not in found.get("Raises", ""):
        wrong.append("Raises ValueError")
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
