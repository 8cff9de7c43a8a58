"""Two virtual CPU devices, strict broadcasting and types, and checked arrays for every test."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from shapes import CHECKED

import cem_jax as cem
from cem_jax.network.host import OnHost

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

assert not set(CHECKED) & set(sys.modules)  # what is imported already would not be checked
jaxtyping.install_import_hook(CHECKED, "shapes.checked")

# Tests that start themselves as a process find what they share with others.
os.environ["PYTHONPATH"] = str(Path(__file__).parent)

SHARED = Path(os.environ.get("CEM_JAX_SHARED", Path(__file__).parents[2] / "shared"))
"""Reference recordings, official weights and fixtures, where a developer has them."""


LONG = (
    "cone/test_exact.py", "cone/test_local_networks.py", "cone/test_operations.py",
    "cone/test_two_windows.py", "cone/test_windows.py", "docs/test_doc_commands.py",
    "docs/test_notebooks.py",
    "effects/test_regions.py",
    "experiments/test_figure_measures.py", "experiments/test_figures.py",
    "experiments/test_official_figures.py", "experiments/test_training.py",
    "explore/test_explore_browser.py", "explore/test_server.py", "explore/test_session.py",
    "held/test_freeze.py", "held/test_freeze_zoo.py", "inside/test_mediated.py",
    "jobs/test_companies.py", "jobs/test_engines.py", "jobs/test_results.py",
    "jobs/test_status.py", "jobs/test_under_fire.py",
    "models/test_checkpoints_hostile.py", "models/test_layers_cpu.py",
    "models/test_layouts.py", "models/test_models.py",
    "models/test_official.py", "models/test_recognise.py", "models/test_zoo.py",
    "models/test_zoo_radius.py", "models/test_zoo_weights.py", "network/test_foreign.py",
    "network/test_onnx.py", "network/test_spandrel.py", "store/test_objects.py",
    "sweep/test_corrected_sweep.py",
    "sweep/test_devices.py", "sweep/test_kept.py", "test_benchmarks.py", "view/test_pictures.py",
    "view/test_report_browser.py", "view/test_report_pictures_browser.py",
)  # fmt: skip
"""Modules of many networks, or of many processes: as a whole they take hours on two cores."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is long by its module."""
    for item in items:
        if item.path.relative_to(Path(__file__).parent).as_posix() in LONG:
            item.add_marker(pytest.mark.long)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """For tests of refusals: they hand over arrays that annotations forbid."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def shared() -> Path:
    if not (SHARED / "reference").is_dir():
        pytest.skip("no reference recordings beside the repository")
    return SHARED


def blur(x: jax.Array) -> jax.Array:
    """The mean of 3x3 pixels, zeros outside: linear, and in [0, 1]."""
    total = jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "SAME")
    return total / 9


def curved(x: jax.Array) -> jax.Array:
    """Two rounds of blur around a nonlinearity: local with radius 2."""
    return jnp.clip(blur(jnp.square(blur(x)) + 0.3 * x), 0, 1)


unseen = OnHost(lambda image: image, "unseen")
"""The same image by way of the host: nobody sees which pixels it depends on."""


@pytest.fixture
def clean() -> np.ndarray:
    return cem.example_image("facade")[:72, :88]


@pytest.fixture
def pool() -> cem.PatchPool:
    return cem.PatchPool(cem.PatchPool.default().patches[::50], "every 50th")


@pytest.fixture
def local() -> cem.Network:
    return cem.wrap(curved, receptive_radius=2)


def unchanged(patch: jax.Array, y: jax.Array, x: jax.Array, key: jax.Array) -> jax.Array:
    """do() of a task without degradation."""
    return patch
