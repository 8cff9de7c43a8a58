"""Files are written whole, and only where a file is or can be."""

import os
import socket
import stat

import pytest
from report_maps import made_map

import cem_jax as cem
from cem_jax.map.interchange import write_csv
from cem_jax.store.atomic import write_atomically, write_file

WRITERS = {
    "map": lambda path: made_map().save(path),
    "report": lambda path: cem.report(made_map(), path),
    "table": lambda path: write_csv(made_map(), path),
    "pool": lambda path: cem.PatchPool(cem.PatchPool.default().patches[:2]).save(path),
}


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755])
def test_a_file_that_is_replaced_keeps_its_mode(mode, tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(mode)
    if not os.access(path, os.W_OK):
        with pytest.raises(PermissionError):
            write_atomically(path, b"new")
        return
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_mode_of_the_users_files(tmp_path):
    (tmp_path / "usual").write_text("")
    write_atomically(tmp_path / "ours", b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed_and_stays(there, tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "target", tmp_path / "link"
    if there:
        target.write_text("old")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["target"]


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "device", "loop"])
def test_nothing_but_files_is_replaced(kind, writer, tmp_path, monkeypatch):
    path = tmp_path / "place.npz"
    monkeypatch.chdir(tmp_path)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)  # of a short name: these end at 108 bytes
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/null" if kind == "device" else path)
    before = path.lstat().st_ino
    with pytest.raises(ValueError, match=r"path=.*place\.npz'"):
        WRITERS[writer](path)
    assert path.lstat().st_ino == before and [one.name for one in tmp_path.iterdir()] == [
        "place.npz"
    ]


def test_names_of_any_length_that_the_system_has(tmp_path):
    for name in ("n" * 255, "\u00e9" * 127):
        write_file(tmp_path / name, b"x")
        assert (tmp_path / name).read_bytes() == b"x"
    for name in ("n" * 256, "null\0", "none/file"):
        with pytest.raises(ValueError, match=r"path=.*cannot be written"):
            write_file(tmp_path / name, b"x")
