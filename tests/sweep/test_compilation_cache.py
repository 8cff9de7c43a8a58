"""Where compiled programs are kept."""

import sys
from pathlib import Path

import pytest

from cem_jax.sweep.compilation_cache import default_cache, use_compilation_cache


@pytest.mark.skipif(sys.platform != "linux", reason="where Linux keeps it")
@pytest.mark.parametrize("told", [None, "", " ", "relative/folder"])
def test_what_is_no_folder_is_as_if_it_were_not_told(told, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if told is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", told)
    assert default_cache() == tmp_path / ".cache" / "cem-jax"


def test_the_users_choice_holds(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == Path(tmp_path) / "cem-jax"


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="directory="):
        use_compilation_cache(tmp_path / "file" / "cache")
