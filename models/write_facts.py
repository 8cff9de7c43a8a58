"""Writes `facts.json`, what is known of every network, from the architectures.

python -m cem_jax.models.write_facts
"""

import dataclasses
import json

from .facts import FILE
from .registry import described, entries


def facts() -> str:
    """What the file shall hold: a line for each network."""
    lines = [json.dumps(dataclasses.asdict(described(entry))) for entry in entries()]
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    FILE.write_text(facts(), "utf-8")
