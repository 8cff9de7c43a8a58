"""Every command of the pages is known to the tests, and its names and options are right."""

import json
import re

import pytest
import typer
from page_commands import BEFORE, ELSEWHERE, PROGRAMS, QUICK, SHOWN, SLOW, SLOW_PROGRAMS
from pages import PAGES, ROOT, mentioned, name_of, shown

from cem_jax.cli import cli

RECORDS = map(json.loads, (path.read_text() for path in (ROOT / "docs/results").glob("*.json")))
OF_RECORDS = {record["command"] for record in RECORDS if "command" in record}
"""By which published figures were made: each stands under its figure."""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_is_known_here(page):
    found = [one.text for one in shown(page) if one.kind == "command"] + mentioned(page)
    known = QUICK.keys() | SLOW.keys() | ELSEWHERE.keys() | OF_RECORDS
    assert [text for text in found if text not in known] == []


def test_every_command_known_here_is_shown():
    texts = {one.text for one in SHOWN} | {text for page in PAGES for text in mentioned(page)}
    assert (QUICK.keys() | SLOW.keys() | ELSEWHERE.keys()) <= texts
    for page, numbers in SLOW_PROGRAMS.items():
        assert numbers <= {one.number for one in PROGRAMS if one.page == page}
    assert BEFORE.keys() <= {one.page for one in PROGRAMS}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_names_of_commands_and_options_are_right(page):
    group = typer.main.get_command(cli.app)
    with group.make_context("cem-jax", ["models"], resilient_parsing=True) as context:
        for name, rest in re.findall(r"cem-jax ([a-z]+)\b([^`\n]*)", page.read_text()):
            command = group.get_command(context, name)
            assert command is not None, name
            known = {text for one in command.params for text in one.opts} | {"--help"}
            assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= known, rest


def test_commands_are_found():
    page = ROOT / "docs" / "page.md"
    text = "`cem-jax models --json`, `cem-jax report`, `cem-jax map ...`\n\n    python a.py\n"
    block = "```bash\nx && cem-jax map --model A \\\n    --out b  # why\n```\n"

    class Page(type(page)):
        def read_text(self):
            return text + block + "```toml\n# a.toml\n```\n"

    found = shown(Page(page))
    assert [(one.kind, one.text) for one in found] == [
        ("command", "x"), ("command", "cem-jax map --model A --out b"), ("file", "# a.toml\n"),
    ]  # fmt: skip
    assert mentioned(Page(page)) == ["cem-jax models --json", "python a.py"]
