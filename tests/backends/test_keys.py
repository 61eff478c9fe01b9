"""The key ring on real files: nothing sealed before its key is durable, nothing left of a destroyed key."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pilothouse.backends.checkpoints import signature_holds
from pilothouse.backends.keys import KeyRing, KeysExposed, KeysLost, SubjectErased, SubjectHeld
from pilothouse.kernel.checkpoint import parse_verifier_key, sign_note, verify_note
from pilothouse.kernel.errors import PilothouseError, Unavailable
from pilothouse.kernel.ledger import Tampered

POSIX = pytest.mark.skipif(os.name != "posix", reason="file modes are a matter of POSIX")


class NoonClock:
    """A clock that stands at noon."""

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC)


def ring(directory: Path, *, create: bool = True) -> KeyRing:
    return KeyRing(directory / "keys", clock=NoonClock(), name="bank.example/ledger", create=create)


def stored(directory: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((directory / "keys" / "subjects.json").read_bytes())
    return found


def test_a_sealed_text_opens_after_a_restart_and_only_with_its_own_label(tmp_path: Path) -> None:
    sealed = ring(tmp_path).seal("pr_anna", b"her question", b"text/1")
    assert b"her question" not in sealed
    again = ring(tmp_path)
    assert again.unseal("pr_anna", sealed, b"text/1") == b"her question"
    with pytest.raises(Tampered):
        again.unseal("pr_anna", sealed, b"text/2")


def test_one_subjects_key_does_not_open_anothers_text(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    keys.ensure(["pr_anna", "pr_ben"])
    with pytest.raises(Tampered):
        keys.unseal("pr_ben", keys.seal("pr_anna", b"hers", b""), b"")


def test_any_changed_bit_or_missing_end_of_a_sealed_text_is_noticed(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    sealed = keys.seal("pr_anna", b"four", b"")
    flips = (bytes(b ^ (i == bit // 8) << bit % 8 for i, b in enumerate(sealed)) for bit in range(len(sealed) * 8))
    for changed in (*flips, *(sealed[:length] for length in range(len(sealed))), sealed + b"x"):
        with pytest.raises(Tampered):
            keys.unseal("pr_anna", changed, b"")


def test_sealing_the_same_text_twice_looks_different_but_commits_to_the_same(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    assert keys.seal("pr_anna", b"same", b"") != keys.seal("pr_anna", b"same", b"")
    assert keys.commit("pr_anna", b"same") == ring(tmp_path).commit("pr_anna", b"same")
    assert keys.commit("pr_anna", b"same") != keys.commit("pr_anna", b"sane")
    assert keys.commit("pr_anna", b"same") != keys.commit("pr_ben", b"same")
    assert len(bytes.fromhex(keys.commit("pr_anna", b"same"))) == 32


def test_a_destroyed_key_is_in_no_file_and_its_texts_read_as_gone(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    sealed = keys.seal("pr_anna", b"hers", b"")
    kept = keys.seal("pr_ben", b"his", b"")
    wrapped = stored(tmp_path)["pr_anna"]["wrapped"].encode()
    keys.destroy("pr_anna")
    keys.destroy("pr_anna")
    assert all(wrapped not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for now in (keys, ring(tmp_path)):
        assert now.unseal("pr_anna", sealed, b"") is None
        assert now.unseal("pr_ben", kept, b"") == b"his"
        assert now.state("pr_anna") == "destroyed"
    assert stored(tmp_path)["pr_anna"] == {"state": "destroyed", "since": "2026-03-01T12:00:00.000000Z", "wrapped": ""}


def test_nothing_more_is_sealed_for_an_erased_subject_even_one_without_a_key(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    keys.destroy("pr_anna")
    use: Callable[[], object]
    for use in (lambda: keys.seal("pr_anna", b"x", b""), lambda: keys.commit("pr_anna", b"x"),
                lambda: keys.hold("pr_anna")):
        with pytest.raises(SubjectErased):
            use()
    keys.release("pr_anna")
    keys.ensure(["pr_anna"])
    assert ring(tmp_path).state("pr_anna") == "destroyed"


def test_a_legal_hold_blocks_erasure_until_it_is_released(tmp_path: Path) -> None:
    sealed = ring(tmp_path).seal("pr_anna", b"hers", b"")
    keys = ring(tmp_path)
    keys.hold("pr_anna")
    keys.hold("pr_anna")
    with pytest.raises(SubjectHeld, match="release the hold"):
        ring(tmp_path).destroy("pr_anna")
    assert keys.unseal("pr_anna", sealed, b"") == b"hers"
    assert keys.unseal("pr_anna", keys.seal("pr_anna", b"more", b""), b"") == b"more"
    keys.release("pr_anna")
    keys.release("pr_anna")
    keys.destroy("pr_anna")
    assert ring(tmp_path).unseal("pr_anna", sealed, b"") is None


def test_a_hold_can_come_before_the_first_text(tmp_path: Path) -> None:
    ring(tmp_path).hold("pr_new")
    keys = ring(tmp_path)
    assert keys.state("pr_new") == "held"
    assert keys.unseal("pr_new", keys.seal("pr_new", b"x", b""), b"") == b"x"


def test_a_thousand_keys_are_one_rewrite_of_the_keystore(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    store = tmp_path / "keys" / "subjects.json"
    held_open = store.open("rb")
    keys.ensure(f"pr_{i}" for i in range(1000))
    first = store.stat().st_ino
    assert len(stored(tmp_path)) == 1000
    keys.ensure(f"pr_{i}" for i in range(1000))
    assert store.stat().st_ino == first
    assert held_open.read() == b"{}"
    held_open.close()


def test_an_unknown_subject_is_told_apart_from_an_erased_one(tmp_path: Path) -> None:
    with pytest.raises(KeysLost, match="not the one this text was sealed with"):
        ring(tmp_path).unseal("pr_stranger", bytes(40), b"")
    assert ring(tmp_path).state("pr_stranger") is None


def test_checkpoints_are_signed_by_the_key_that_the_public_file_names(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    note = sign_note("bank.example/ledger\n", keys.vkey, keys.sign)
    published = parse_verifier_key((tmp_path / "keys" / "signing.pub").read_text())
    verify_note(note, published, signature_holds)
    assert published == ring(tmp_path).vkey
    assert published.name == "bank.example/ledger"


@POSIX
def test_keys_are_made_for_one_account_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ring(tmp_path).seal("pr_anna", b"x", b"")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()}
    assert modes == dict.fromkeys(("master.key", "signing.key", "signing.pub", "subjects.json"), 0o600)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


@POSIX
@pytest.mark.parametrize(("name", "mode"), [("master.key", 0o640), ("signing.key", 0o604), ("subjects.json", 0o644),
                                            ("subjects.json", 0o620), (".", 0o770)])
def test_keys_that_others_can_use_are_refused_with_the_command_that_helps(tmp_path: Path, name: str, mode: int) -> None:
    ring(tmp_path)
    (tmp_path / "keys" / name).chmod(mode)
    with pytest.raises(KeysExposed, match=f"mode {mode:03o}.*chmod go-rwx"):
        ring(tmp_path)


@pytest.mark.parametrize("name", ["master.key", "signing.key", "subjects.json"])
def test_a_lost_key_is_never_replaced_by_a_new_one(tmp_path: Path, name: str) -> None:
    ring(tmp_path).seal("pr_anna", b"x", b"")
    (tmp_path / "keys" / name).unlink()
    with pytest.raises(KeysLost, match=f"{name} is gone; restore it"):
        ring(tmp_path)
    assert not (tmp_path / "keys" / name).exists()


@pytest.mark.parametrize("name", ["master.key", "signing.key", "signing.pub", "subjects.json"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe", b"{\"a\": 1}"])
def test_a_damaged_key_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    ring(tmp_path).seal("pr_anna", b"x", b"")
    (tmp_path / "keys" / name).write_bytes(content)
    with pytest.raises(PilothouseError):
        ring(tmp_path)


def test_a_master_key_of_another_workspace_is_noticed(tmp_path: Path) -> None:
    ring(tmp_path).seal("pr_anna", b"x", b"")
    ring(tmp_path / "other")
    (tmp_path / "keys" / "master.key").write_bytes((tmp_path / "other" / "keys" / "master.key").read_bytes())
    with pytest.raises(Tampered, match=r"does not open with master\.key"):
        ring(tmp_path).seal("pr_anna", b"x", b"")


def test_opening_without_create_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeysLost):
        ring(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("made", range(5))
def test_a_crash_during_the_very_first_opening_is_finished_by_the_next(tmp_path: Path, made: int) -> None:
    ring(tmp_path)
    for name in ("subjects.json", "master.key", "signing.key", "signing.pub")[made:]:
        (tmp_path / "keys" / name).unlink()
    (tmp_path / "keys" / "master.key.new").write_bytes(b"half")
    keys = ring(tmp_path)
    assert keys.unseal("pr_anna", keys.seal("pr_anna", b"x", b""), b"") == b"x"
    assert not list(tmp_path.rglob("*.new"))


def test_a_rewrite_killed_at_any_byte_leaves_the_old_keystore_whole(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    sealed = keys.seal("pr_anna", b"hers", b"")
    before = (tmp_path / "keys" / "subjects.json").read_bytes()
    keys.ensure(["pr_ben"])
    after = (tmp_path / "keys" / "subjects.json").read_bytes()
    for length in range(0, len(after) + 1, 7):
        (tmp_path / "keys" / "subjects.json").write_bytes(before)
        (tmp_path / "keys" / "subjects.json.new").write_bytes(after[:length])
        again = ring(tmp_path)
        assert again.unseal("pr_anna", sealed, b"") == b"hers"
        assert again.state("pr_ben") is None
        assert not list(tmp_path.rglob("*.new"))


WRITER = """
import sys
from pathlib import Path
from datetime import UTC, datetime
from pilothouse.backends.keys import KeyRing
class Clock:
    def now(self): return datetime.now(UTC)
keys = KeyRing(Path(sys.argv[1]) / "keys", clock=Clock())
for i in range(10**6):
    print(f"pr_{i}", keys.seal(f"pr_{i}", b"said by %d" % i, b"").hex(), flush=True)
"""


@pytest.mark.parametrize("answers", [1, 7, 30])
def test_everything_sealed_before_the_process_is_killed_can_be_read_after(tmp_path: Path, answers: int) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(answers)]
        writer.kill()
        lines += writer.stdout.readlines()
    keys = ring(tmp_path)
    for i, line in enumerate(line for line in lines if line.endswith("\n")):
        subject, sealed = line.split()
        assert keys.unseal(subject, bytes.fromhex(sealed), b"") == b"said by %d" % i


def test_a_keystore_that_cannot_be_written_refuses_and_loses_nothing(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    sealed = keys.seal("pr_anna", b"hers", b"")
    blocker = tmp_path / "keys" / "subjects.json.new"
    blocker.mkdir()
    use: Callable[[], object]
    for use in (lambda: keys.seal("pr_new", b"x", b""), lambda: keys.destroy("pr_anna"),
                lambda: keys.hold("pr_anna")):
        with pytest.raises(Unavailable, match=r"cannot write subjects\.json"):
            use()
    assert keys.state("pr_new") is None
    assert keys.state("pr_anna") == "active"
    assert keys.unseal("pr_anna", sealed, b"") == b"hers"
    blocker.rmdir()
    keys.destroy("pr_anna")
    assert keys.unseal("pr_anna", sealed, b"") is None


def test_threads_that_meet_the_same_new_subject_share_one_key(tmp_path: Path) -> None:
    keys, start, sealed = ring(tmp_path), threading.Barrier(8), list[tuple[str, bytes]]()

    def work() -> None:
        start.wait()
        sealed.extend((f"pr_{i}", keys.seal(f"pr_{i}", b"x", b"")) for i in range(10))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = ring(tmp_path)
    assert [again.unseal(subject, text, b"") for subject, text in sealed] == [b"x"] * 80
