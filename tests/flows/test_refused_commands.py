"""A command that cannot do what it is told says so in one line that names the thing and the fix, and leaves nothing."""

import json
import socket
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pilothouse.app.main import cli

INIT = ["init", "--name", "Ada", "--password", "correct horse battery"]


def run(*words: str | Path, **env: str) -> Result:
    return CliRunner(env={"PILOTHOUSE_EMBEDDER": "none", "PILOTHOUSE_HOME": "", **env}).invoke(
        cli, [str(w) for w in words])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("place") / "home"
    assert run(*INIT, place).exit_code == 0
    return place


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("a file", encoding="utf8")
    return path


def refused(result: Result, code: int, *says: str) -> None:
    assert result.exit_code == code, result.output + repr(result.exception)
    assert isinstance(result.exception, SystemExit)
    for words in says:
        assert words in result.output, result.output


def test_a_workspace_is_not_begun_on_a_file_below_one_or_among_other_files(file: Path) -> None:
    refused(run(*INIT, file), 5, "is a file", "name a new directory")
    refused(run(*INIT, file / "below"), 2, "Not a directory")
    refused(run(*INIT, file.parent), 5, "holds other files")
    assert [p.name for p in file.parent.iterdir()] == ["file"]


def test_a_refused_beginning_leaves_a_place_where_the_next_one_succeeds(tmp_path: Path) -> None:
    refused(run("init", "--name", "Ada", "--password", "short", tmp_path / "home"), 2, "password")
    assert not (tmp_path / "home").exists()
    assert run(*INIT, tmp_path / "home").exit_code == 0


def test_a_beginning_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    assert run(*INIT, tmp_path / "home").exit_code == 0
    (tmp_path / "home" / "pilothouse.json").unlink()  # it is written last
    again = run(*INIT, tmp_path / "home")
    assert again.exit_code == 0, again.output
    assert "API key ph_" in again.output
    refused(run(*INIT, tmp_path / "home"), 5, "is a workspace already")


def test_a_workspace_of_a_newer_build_or_with_a_broken_marker_is_refused_untouched(tmp_path: Path) -> None:
    assert run(*INIT, tmp_path / "home").exit_code == 0
    marker, database = tmp_path / "home" / "pilothouse.json", tmp_path / "home" / "pilothouse.db"
    before = database.read_bytes()
    marker.write_text(json.dumps({"format": 9, "operator": "admin", "demo": False}), encoding="utf8")
    for words in (("ask", "--home", tmp_path / "home", "Why?"), ("serve", "--home", tmp_path / "home"),
                  ("backup", "--home", tmp_path / "home", tmp_path / "copy")):
        refused(run(*words), 5, "newer build", "upgrade")
    marker.write_text("not JSON", encoding="utf8")
    refused(run("ask", "--home", tmp_path / "home", "Why?"), 5, "pilothouse.json", "from a backup")
    assert database.read_bytes() == before


def test_only_a_backup_is_restored(home: Path, file: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    assert run("export", "--home", home, bundle).exit_code == 0
    refused(run("restore", bundle, tmp_path / "new"), 2, "is no backup")
    assert not (tmp_path / "new").exists()
    assert run("backup", "--home", home, tmp_path / "copy").exit_code == 0
    refused(run("restore", tmp_path / "copy", file), 5, "name a new directory")
    assert run("restore", tmp_path / "copy", tmp_path / "new").exit_code == 0


def test_copies_go_to_a_new_directory_outside_the_workspace(home: Path, file: Path) -> None:
    refused(run("backup", "--home", home, home / "copy"), 2, "lies within the workspace")
    refused(run("backup", "--home", home, file), 5, "name a new directory")
    refused(run("export", "--home", home, file), 2, "Not a directory", str(file))


def test_settings_that_do_not_fit_name_their_variable(home: Path, file: Path) -> None:
    refused(run("doctor", "--home", home, PILOTHOUSE_DATABASE="nonsense"), 2, "PILOTHOUSE_DATABASE", "postgresql://")
    refused(run("serve", "--home", home, PILOTHOUSE_TLS_CERTIFICATE="/no/cert.pem", PILOTHOUSE_TLS_KEY=str(file)), 2,
            "PILOTHOUSE_TLS_CERTIFICATE", "/no/cert.pem")
    refused(run("serve", "--home", home, "--port", "99999"), 2, "--port")
    refused(run("verify", "--checkpoint", "nope", home), 2, "nope")


@pytest.mark.skipif(sys.platform == "win32", reason="ports are shared otherwise there")
def test_a_port_that_is_taken_is_said_before_anything_is_opened(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(run("serve", "--home", home, "--port", str(port)), 5, f"port {port}", "--port or PILOTHOUSE_PORT")
    refused(run("serve", "--home", home, PILOTHOUSE_HOST="300.1.1.1", PILOTHOUSE_BEHIND_PROXY="1"), 5, "300.1.1.1")
