"""What the pages show: commands, programs and files, in the order in which a reader meets them."""

import dataclasses
import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_KINDS = {"bash": "command", "python": "program", "toml": "file"}
_COMMAND = re.compile(r"(cem-jax \S|python3? \S|pytest\b|pip install|srun |mkdocs |ruff |\.ci/)")
"""How a command begins; the bare name of one of ours, as in `cem-jax report`, only mentions it."""
_PLACEHOLDER = re.compile(r"\.\.\.|\b[A-Z]{3,}\b")


@dataclasses.dataclass(frozen=True)
class Shown:
    """A command, a program, or a file with its name in its first line.

    Args:
        page: where it stands, from the repository's root.
        kind: "command", "program" or "file".
        text: it.
        number: how many of its kind stand before it on the page.
    """

    page: str
    kind: str
    text: str
    number: int

    def __str__(self) -> str:
        return self.text if self.kind == "command" else f"{self.page}-{self.number}"


def name_of(page: Path) -> str:
    """A page from the repository's root."""
    return str(page.relative_to(ROOT))


def commands(block: str) -> list[str]:
    """The single commands of a shell block, without comments, each on one line."""
    lines = block.replace("\\\n", " ").splitlines()
    bare = (" ".join(re.sub(r"(^|\s)#.*$", "", line).split()) for line in lines)
    return [command for line in bare if line for command in line.split(" && ")]


def shown(page: Path) -> list[Shown]:
    """Everything that stands in a page's blocks of bash, Python and TOML."""
    found: list[Shown] = []
    for _, language, body in FENCE.findall(page.read_text()):
        kind = _KINDS.get(language)
        if kind is None:
            continue
        text = textwrap.dedent(body)
        for one in commands(text) if kind == "command" else [text]:
            number = sum(other.kind == kind for other in found)
            found.append(Shown(name_of(page), kind, one, number))
    return found


def mentioned(page: Path) -> list[str]:
    """Commands in running text that a reader may type as they stand, and those of indented lines.

    What has a placeholder in capitals, or dots, only tells the form of a command.
    """
    text = FENCE.sub("", page.read_text())
    spans = [" ".join(span.split()) for span in _SPAN.findall(text)]
    spans = [span for span in spans if " " in span and not _PLACEHOLDER.search(span)]
    indented = [line.strip() for line in re.findall(r"^    .*$", text, re.MULTILINE)]
    bare = re.compile(r"cem-jax [a-z]+")
    return [one for one in (*spans, *indented) if _COMMAND.match(one) and not bare.fullmatch(one)]
