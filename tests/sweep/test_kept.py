"""Plans and programs kept on disk: used where they are whole and the user's own, else made anew."""

import dataclasses

import jax
import numpy as np
import pytest
from conftest import unseen
from corrected_outcomes import breaking

import cem_jax as cem
from cem_jax.sweep import kept, layout, programs

ROI = cem.ROI(24, 32, 16, 16)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A folder for programs, which other tests do not see."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    forget()
    yield tmp_path / "cem-jax-programs"
    jax.config.update("jax_compilation_cache_dir", before)
    forget()


def forget():
    """As in a fresh process."""
    layout._plan.cache_clear()
    programs._compile.cache_clear()


def made(network, clean, pool, **more):
    scene = cem.Scene.denoising(clean)
    how = {"pool": pool, "plan": cem.CoarseToFine(2, 2), "progress": False} | more
    return cem.causal_effect_map(network, scene, ROI, **how)


ROOM = 1e9


def test_a_second_process_neither_plans_nor_compiles(cache, clean, pool, local, monkeypatch):
    monkeypatch.setattr(layout, "room", lambda device, sharing: ROOM)
    first = made(local, clean, pool)
    names = sorted(path.name for path in cache.iterdir())
    assert sum(name.endswith("-plan.npz") for name in names) == 1
    assert sum(name.endswith("-program.npz") for name in names) >= 4
    assert cache.stat().st_mode & 0o077 == 0
    forget()

    def never(*args, **how):
        raise AssertionError("planned or compiled again")

    monkeypatch.setattr(layout.cones, "plan", never)
    monkeypatch.setattr(programs, "known", never)
    # Whatever else runs on a device leaves a little less room there.
    monkeypatch.setattr(layout, "room", lambda device, sharing: 0.999 * ROOM)
    again = made(local, clean, pool)
    np.testing.assert_array_equal(again.values, first.values)
    np.testing.assert_array_equal(again.extremes.regions, first.extremes.regions)
    assert again.provenance["computed"] == first.provenance["computed"]


def test_a_network_without_a_cone_is_kept_too(cache, clean, pool, monkeypatch):
    network = cem.wrap(lambda x: x * (0.5 + x.mean(axis=(1, 2), keepdims=True)), name="global")
    first = made(network, clean, pool, plan=cem.Fixed(1))
    assert first.provenance["computed"].startswith("dense")
    forget()
    monkeypatch.setattr(programs, "known", None)
    again = made(network, clean, pool, plan=cem.Fixed(1))
    np.testing.assert_array_equal(again.values, first.values)


def test_two_windows_are_kept_too(cache, clean, pool, monkeypatch):
    network = breaking()
    plan = cem.Corrected(cem.Fixed(2), share=0.2)
    first = made(network, clean, pool, plan=plan)
    assert "two windows" in first.provenance["computed"]
    forget()

    def never(*args, **how):
        raise AssertionError("planned or compiled again")

    monkeypatch.setattr(layout.cones, "two_windows", never)
    monkeypatch.setattr(programs, "known", never)
    again = made(network, clean, pool, plan=plan)
    np.testing.assert_array_equal(again.values, first.values)
    assert again.provenance["computed"] == first.provenance["computed"]


def test_other_functions_outcomes_and_shapes_are_other_names(cache, clean, pool):
    def counted(network, image=clean, **more):
        made(network, image, pool, **more)
        return len(list(cache.iterdir()))

    def darker(share):
        return cem.wrap(lambda x: share * x + 0.0 * x[:, ::-1], receptive_radius=80, name="same")

    counts = [counted(darker(0.5))]
    counts.append(counted(darker(0.75)))
    counts.append(counted(darker(0.75), outcome="ssim"))
    counts.append(counted(darker(0.75), image=clean[:64]))
    assert counts == sorted(set(counts))
    forget()
    half, most = made(darker(0.5), clean, pool), made(darker(0.75), clean, pool)
    assert half.baseline != most.baseline
    assert counted(darker(0.75)) == counts[-1]


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "executable", "record", "lent"])
def test_what_cannot_be_read_is_made_anew(cache, clean, pool, local, damage):
    first = made(local, clean, pool)
    for path in cache.iterdir():
        data = path.read_bytes()
        if damage == "cut":
            path.write_bytes(data[: len(data) // 2])
        elif damage in ("empty", "text"):
            path.write_bytes(b"" if damage == "empty" else b"no archive")
        elif damage == "lent":  # others may write it
            path.chmod(0o666)
        elif path.name.endswith("-program.npz"):
            with np.load(path) as file:
                arrays = dict(file)
            key = "executable" if damage == "executable" else "record"
            arrays[key] = arrays[key][:0] if damage == "executable" else np.asarray("[]")
            np.savez(path, **arrays)
    forget()
    np.testing.assert_array_equal(made(local, clean, pool).values, first.values)


def test_a_program_that_others_may_write_is_not_read(cache, clean, pool, local):
    made(local, clean, pool)
    path = next(iter(cache.glob("*-program.npz")))
    name, devices = path.name.removesuffix("-program.npz"), jax.devices()[:1]
    path.chmod(0o666)
    assert kept.read_program(name, 1, devices) is None
    path.chmod(0o600)
    cache.chmod(0o777)
    assert kept.read_program(name, 1, devices) is None


def test_what_runs_on_the_host_is_not_kept(cache, clean, pool):
    network = cem.wrap(unseen, receptive_radius=None, name="host")
    made(dataclasses.replace(network), clean, pool, plan=cem.Fixed(1))
    assert not list(cache.glob("*-plan.npz"))


def test_nothing_is_kept_without_a_folder(tmp_path, clean, pool, local, monkeypatch):
    monkeypatch.setattr(kept, "_write", None)
    forget()
    if jax.config.jax_compilation_cache_dir is None:
        assert kept.folder() is None
        made(local, clean, pool)


def test_source_and_settings_are_part_of_a_name(monkeypatch):
    one = kept.name_of("x")
    assert one == kept.name_of("x") != kept.name_of("y")
    monkeypatch.setattr(kept, "_source", lambda: "another version")
    assert kept.name_of("x") != one
