"""An exploration without a browser: maps firm up, one sweep at a time, and are made again alike."""

import itertools
import shlex
import threading

import numpy as np
import pytest
import small_session as small
from command_line import status
from PIL import Image

import cem_jax as cem
from cem_jax.effects.progress import State
from cem_jax.explore import session as exploring
from cem_jax.explore.asked import Photograph
from cem_jax.explore.session import BusyError, Session, StoppedError, bundled


@pytest.fixture(scope="module")
def session() -> Session:
    return small.session()


@pytest.fixture(scope="module")
def expected() -> cem.EffectMap:
    return small.expected()


@pytest.fixture(scope="module")
def sent(session):
    """What a page is told of a sweep."""
    lines = []
    session.sweep(small.read(), lines.append, lambda: False)
    return lines


def test_a_map_firms_up_and_ends_as_python_makes_it(session, sent, expected):
    rounds = [line for line in sent if "round" in line]
    assert len({line["round"] for line in rounds}) > 1
    effects = [small.unpacked(line["scene"]["maps"][0]["effect"]) for line in rounds]
    assert all((before != after).any() for before, after in itertools.pairwise(effects))
    done = next(line for line in sent if "done" in line)
    small.same(session.map(done["done"]), expected)
    np.testing.assert_array_equal(
        small.unpacked(done["scene"]["maps"][0]["effect"]),
        expected.effect.astype(np.float32).ravel(),
    )
    low, _ = expected.interval()
    last = rounds[-1]["scene"]["maps"][0]
    np.testing.assert_array_equal(small.unpacked(last["low"]), low.astype(np.float32).ravel())
    drawn = int((expected.samples > 0).sum())
    decided = drawn - int(expected.undecided.sum())
    assert rounds[-1]["told"].endswith(f"{decided} of {drawn} blocks decided")
    assert sent[-1]["restored"].startswith("data:image/png;base64,") and session.free


@pytest.mark.parametrize(("seconds", "most"), [(0.0, 200), (3.0, 19)])
def test_a_sweep_does_not_wait_for_pictures_of_it(monkeypatch, seconds, most):
    clock, sent = [100.0], []
    monkeypatch.setattr(exploring.time, "monotonic", lambda: clock[0])

    def send(state: State) -> None:
        sent.append(state.done)
        clock[0] += seconds

    follower = exploring._Follower(send, threading.Event(), lambda: False)
    with follower.follow("net") as show:
        for done in range(1, 201):
            clock[0] += 0.5  # the work between
            show(State(1, done, 1000, clock[0] - 100, lambda: np.zeros((1, 1))))
    assert 3 < len(sent) <= most and (seconds or len(sent) == 200)
    assert seconds * len(sent) <= 0.6 * 100  # of the work


def test_whole_images_are_kept_with_the_map(session, sent):
    found = session.map(next(line["done"] for line in sent if "done" in line))
    scene = cem.Scene.denoising(small.photograph(), 50 / 255, 0, name="photo")
    kept = cem.with_images(found, small.network(), scene).images
    np.testing.assert_array_equal(found.images.restored, kept.restored)
    np.testing.assert_array_equal(found.images.clean, small.photograph())


def test_what_is_chosen_is_made_ready(expected):
    """The same map afterwards, of the scene that is there already."""
    fresh = small.session()
    assert fresh.prepare(small.read(roi=[8, 8, 16, 16])) and fresh.free
    assert list(fresh._networks) == ["wide"] and len(fresh._scenes) == 1
    lines = []
    fresh.sweep(small.read(), lines.append, lambda: False)
    small.same(fresh.map(next(line["done"] for line in lines if "done" in line)), expected)
    assert len(fresh._scenes) == 1
    with pytest.raises(ValueError, match="network='none'"):
        fresh.prepare(small.read(network="none"))
    with fresh._owning("two", 1.0):
        assert not fresh.prepare(small.read())  # the device has other work


def test_the_command_makes_the_same_map(session, sent, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(small.photograph()).save("photo.png")
    (tmp_path / "own.py").write_text("from small_session import network\n")
    done = next(line for line in sent if "done" in line)
    program, *words = shlex.split(done["command"])
    assert program == "cem-jax" and status(monkeypatch, *words) == 0
    small.same(cem.EffectMap.load("map/map.npz"), session.map(done["done"]))


def test_a_stopped_sweep_lets_the_device_go(session):
    lines = []

    def send(line):
        lines.append(line)
        if "round" in line:
            session.stop("one")

    with pytest.raises(StoppedError):
        session.sweep(small.read(), send, lambda: False)
    assert session.free and sum("round" in line for line in lines) == 1


def test_a_closed_page_ends_its_sweep(session):
    seen = []
    with pytest.raises(StoppedError):
        session.sweep(small.read(), seen.append, lambda: any("round" in line for line in seen))
    assert session.free

    def broken(line):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        session.sweep(small.read(), broken, lambda: False)
    assert session.free


def test_one_sweep_has_the_device(session):
    """Another page is refused; the page's own next sweep takes the place of its last one."""
    begun, problems, ended = threading.Event(), [], []
    go_on = threading.Event()

    def slowly(line):
        if "round" in line:
            begun.set()
            go_on.wait(30)

    def first():
        try:
            session.sweep(small.read(), slowly, lambda: False)
        except StoppedError:
            ended.append("stopped")

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(60)
    with pytest.raises(BusyError, match="another page"):
        session.sweep(small.read(tab="two"), problems.append, lambda: False)
    assert problems == [] and not session.free
    threading.Timer(0.2, go_on.set).start()
    lines = []
    roi = cem.ROI(16, 16, 16, 16)
    session.sweep(small.read(roi=[16, 16, 16, 16]), lines.append, lambda: False)
    thread.join(60)
    assert ended == ["stopped"] and session.free
    done = next(line["done"] for line in lines if "done" in line)
    small.same(session.map(done), small.expected(roi))


def test_a_kept_map_stands_beside_the_next_with_the_difference(session, sent):
    kept = next(line["done"] for line in sent if "done" in line)
    lines = []
    session.sweep(small.read(network="blur", pinned=[kept, 999]), lines.append, lambda: False)
    shown = next(line["scene"]["maps"] for line in lines if "done" in line)
    assert [one["name"] for one in shown] == ["wide", "blur", "First \u2212 second"]
    expected = cem.difference(small.expected(), small.expected(of=small.other()))
    np.testing.assert_array_equal(
        small.unpacked(shown[2]["effect"]), expected.effect.astype(np.float32).ravel()
    )
    lines.clear()
    session.sweep(small.read(roi=[16, 16, 16, 16], pinned=[kept]), lines.append, lambda: False)
    shown = next(line["scene"]["maps"] for line in lines if "done" in line)
    assert len(shown) == 1  # of another region


def test_photographs_of_pages_come_and_go():
    session = small.session()
    first = session.keep(Photograph("first.png", small.photograph()))
    assert (first["height"], first["width"], first["name"]) == (96, 112, "first.png")
    for number in range(32):
        last = session.keep(Photograph(f"{number}.png", small.photograph()))
    assert session.about(last["number"])["name"] == "31.png"
    with pytest.raises(ValueError, match="there is none"):
        session.about(first["number"])
    assert session.about(0)["name"] == "photo.png"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"roi": [0, 0, 16]}, "roi="), ({"roi": [0, 0, 16, 1.5]}, "roi="),
        ({"roi": "all"}, "roi="), ({"roi": [0, 0, 640, 16]}, "leaves the image"),
        ({"network": "none"}, "network='none'"), ({"task": "none"}, "task='none'"),
        ({"plan": "all"}, "plan="), ({"sigma": 0}, "sigma"), ({"sigma": True}, "sigma"),
        ({"seed": -1}, "seed"), ({"photograph": 99}, "photograph 99"),
        ({"pinned": ["x"]}, "pinned"),
        ({"tab": 3}, "tab="),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(session, changes, message):
    with pytest.raises(ValueError, match=message):
        session.sweep(small.read(**changes), lambda line: None, lambda: False)
    assert session.free


def test_bundled_networks_can_be_chosen():
    found = bundled()
    assert {"DnCNN-compact", "EDSR-compact"} <= set(found)
    assert found["DnCNN-compact"].tasks == ("DN",)
