"""What imports what, read from the source, and the picture of it in the docs.

`python tests/architecture.py` draws `docs/figures/folders.svg` anew.
"""

import ast
import functools
from html import escape
from pathlib import Path

from pages import ROOT

PICTURE = ROOT / "docs" / "figures" / "folders.svg"

ORDER = (
    "models", "root", "store", "scene", "pool", "network", "cone", "held", "sweep", "plans",
    "map", "effects", "attribution", "inside", "view", "explore", "jobs", "cli",
)  # fmt: skip
"""Folders from the ground up: each imports only from those before it."""


@functools.cache
def modules() -> dict[str, Path]:
    """Every module of the package, by its name as it is imported."""
    found = {}
    for top, name in (("cem_jax", "cem_jax"), ("models", "cem_jax.models"),
                      ("experiments", "cem_jax.experiments")):  # fmt: skip
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT / top).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            found[".".join((name, *parts))] = path
    return found


def imports_of(name: str, path: Path, known: set[str]) -> set[str]:
    """The modules of ours that a module imports, anywhere in its text."""
    return imports_in(path.read_text(), name, path.name == "__init__.py", known)


def imports_in(text: str, name: str, is_folder: bool, known: set[str]) -> set[str]:
    """The modules of ours that a text imports, also by their names as strings.

    Args:
        text: of the module.
        name: of the module, as it is imported.
        is_folder: whether it is the `__init__` of a folder.
        known: names of all modules.
    """
    package = name.split(".") if is_folder else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *(node.module.split(".") if node.module else [])])
            inner = {f"{source}.{alias.name}" for alias in node.names}
            found.update((inner & known) or {source})
        elif isinstance(node, ast.Constant) and node.value in known:  # for `import_module`
            found.add(node.value)
    return {module for module in found if module.split(".")[0] == "cem_jax"} - {name}


@functools.cache
def graph() -> dict[str, set[str]]:
    """What each module imports of ours."""
    known = modules()
    return {name: imports_of(name, path, set(known)) for name, path in known.items()}


def folder_of(module: str) -> str:
    """The folder in which a module stands; "root" for those beside the folders."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in (*ORDER, "experiments") else "root"


@functools.cache
def folders() -> dict[str, set[str]]:
    """What each folder imports of the others."""
    found: dict[str, set[str]] = {folder: set() for folder in ORDER}
    for name, targets in graph().items():
        if folder_of(name) in found and name != "cem_jax":
            found[folder_of(name)].update(map(folder_of, targets - {"cem_jax"}))
    return {folder: targets - {folder} for folder, targets in found.items()}


def circle(edges: dict[str, set[str]]) -> list[str] | None:
    """A way that leads back to where it began, or None."""
    done: set[str] = set()

    def walk(node: str, way: list[str]) -> list[str] | None:
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return None
        for target in sorted(edges.get(node, ())):
            if found := walk(target, [*way, node]):
                return found
        done.add(node)
        return None

    return next((found for node in sorted(edges) if (found := walk(node, []))), None)


def _title(folder: str) -> str:
    """What a folder is, from the first line of its docstring."""
    if folder == "root":
        return "Regions and blocks, outcomes, checks that several modules share."
    path = ROOT / ("models" if folder == "models" else f"cem_jax/{folder}") / "__init__.py"
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.split(". Imports")[0].split("\n")[0].replace("`", "").rstrip(".") + "."


def _needed(edges: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows that no longer way stands for."""

    def below(folder: str) -> set[str]:
        return edges[folder].union(*(below(target) for target in edges[folder]))

    return [
        (folder, target)
        for folder in ORDER
        for target in sorted(edges[folder], key=ORDER.index)
        if not any(target in below(other) for other in edges[folder] - {target})
    ]


def picture() -> str:
    """The folders on one page, the first at the top, with an arrow to what each imports."""
    high, step, left, width = 40, 54, 16, 720
    height = step * len(ORDER) + 16
    y = {folder: 12 + step * n for n, folder in enumerate(ORDER)}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 {height}" '
        'font-family="sans-serif" font-size="14">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#446"/></marker></defs>',
        f'<rect width="880" height="{height}" fill="#fff"/>',
    ]
    for folder in ORDER:
        lines += [
            f'<rect x="{left}" y="{y[folder]}" width="{width}" height="{high}" rx="6" '
            'fill="#eef2f8" stroke="#8899bb"/>',
            f'<text x="{left + 12}" y="{y[folder] + 25}" font-weight="bold" fill="#223">'
            f"{folder}</text>",
            f'<text x="{left + 112}" y="{y[folder] + 25}" font-size="12.5" fill="#223">'
            f"{escape(_title(folder))}</text>",
        ]
    right = left + width
    drawn = {folder: targets & set(ORDER) for folder, targets in folders().items()}
    for folder, target in _needed(drawn):
        apart = ORDER.index(folder) - ORDER.index(target)
        begin, end = y[folder] + 12, y[target] + high - 12
        bend = right + 18 + 14 * apart
        lines.append(
            f'<path d="M{right} {begin} C{bend} {begin} {bend} {end} {right + 2} {end}" '
            'fill="none" stroke="#446" stroke-width="1.2" marker-end="url(#head)"/>'
        )
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(picture())
