"""The log of checkpoints on real files: it outlives a crash at any byte, and shows every cut and change."""

from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.backends.checkpoints import CheckpointLog, verify_chain
from pilothouse.kernel.checkpoint import Checkpoint, Note, NoteMalformed, VerifierKey, sign_note
from pilothouse.kernel.errors import PilothouseError, Unavailable
from pilothouse.kernel.ledger import Tampered

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEY = VerifierKey(name="bank.example/ledger", public=PRIVATE.public_key().public_bytes_raw())


def note(size: int, root: bytes = b"", origin: str = "bank.example/ledger") -> Note:
    hashed = sha256(root or b"%d" % size).digest()
    return sign_note(str(Checkpoint(origin=origin, size=size, root=hashed)), KEY, PRIVATE.sign)


def log_of(directory: Path, *notes: Note) -> CheckpointLog:
    log = CheckpointLog(directory / "checkpoints")
    for each in notes:
        log.append(each)
    return log


def test_what_was_appended_is_read_back_in_order_also_by_another_process(tmp_path: Path) -> None:
    notes = (note(0), note(5), note(5), note(1_000_000))
    log_of(tmp_path, *notes[:2])
    log_of(tmp_path, *notes[2:])
    again = CheckpointLog(tmp_path / "checkpoints")
    assert again.notes() == notes
    assert again.latest() == notes[-1]
    assert again.torn_bytes() == 0


def test_before_the_first_checkpoint_there_is_nothing(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    assert log.notes() == ()
    assert log.latest() is None
    assert list(tmp_path.iterdir()) == []


def test_the_files_are_plain_text_that_other_tools_can_verify(tmp_path: Path) -> None:
    log_of(tmp_path, note(1), note(2))
    assert (tmp_path / "checkpoints" / "log").read_text() == f"{note(1)}\n{note(2)}\n"
    assert (tmp_path / "checkpoints" / "latest").read_text() == str(note(2))


def test_a_crash_at_every_byte_of_the_last_record_loses_only_that_record(tmp_path: Path) -> None:
    log_of(tmp_path, note(1), note(2))
    path = tmp_path / "checkpoints" / "log"
    whole = path.read_bytes()
    full = whole + f"{note(3)}\n".encode()
    for length in range(len(whole), len(full)):
        path.write_bytes(full[:length])
        log = CheckpointLog(tmp_path / "checkpoints")
        assert log.notes() == (note(1), note(2))
        assert log.torn_bytes() == length - len(whole)
        log.append(note(4))
        assert log.notes() == (note(1), note(2), note(4))
        assert path.read_bytes() == whole + f"{note(4)}\n".encode()
        (tmp_path / "checkpoints" / "latest").write_text(str(note(2)))


def test_a_crash_in_the_very_first_append_leaves_an_empty_log(tmp_path: Path) -> None:
    record = f"{note(1)}\n".encode()
    (tmp_path / "checkpoints").mkdir()
    for length in range(len(record)):
        (tmp_path / "checkpoints" / "log").write_bytes(record[:length])
        assert CheckpointLog(tmp_path / "checkpoints").notes() == ()


def test_a_last_record_whose_blocks_did_not_all_arrive_is_ignored(tmp_path: Path) -> None:
    log_of(tmp_path, note(1))
    path = tmp_path / "checkpoints" / "log"
    record = f"{note(2)}\n".encode()
    path.write_bytes(path.read_bytes() + bytes(20) + record[20:])
    log = CheckpointLog(tmp_path / "checkpoints")
    assert log.notes() == (note(1),)
    assert log.torn_bytes() == len(record)


def test_a_crash_between_the_log_and_the_latest_copy_is_no_fault(tmp_path: Path) -> None:
    log = log_of(tmp_path, note(1), note(2))
    (tmp_path / "checkpoints" / "latest").write_text(str(note(1)))
    (tmp_path / "checkpoints" / "latest.new").write_text("half")
    assert log.notes() == (note(1), note(2))
    log.append(note(3))
    assert log.latest() == note(3)


def test_a_log_cut_behind_the_writers_back_shows(tmp_path: Path) -> None:
    log_of(tmp_path, note(1), note(2))
    (tmp_path / "checkpoints" / "log").write_text(f"{note(1)}\n")
    with pytest.raises(Tampered, match="cut off or replaced"):
        CheckpointLog(tmp_path / "checkpoints").notes()


@pytest.mark.parametrize("file", ["log", "latest"])
def test_a_damaged_file_is_named(tmp_path: Path, file: str) -> None:
    log = log_of(tmp_path, note(1), note(2))
    path = tmp_path / "checkpoints" / file
    path.write_bytes(path.read_bytes().replace("—".encode(), b"-", 1))
    with pytest.raises(Tampered, match="damaged"):
        log.notes()


NOTES = tuple(note(size) for size in (3, 4, 9))
RAW = "".join(f"{each}\n" for each in NOTES).encode()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@given(bit=st.integers(0, len(RAW) * 8 - 1))
def test_any_changed_bit_of_the_log_is_noticed(kept: Path, bit: int) -> None:
    log = log_of(kept, *NOTES) if not (kept / "checkpoints").exists() else CheckpointLog(kept / "checkpoints")
    changed = bytearray(RAW)
    changed[bit // 8] ^= 1 << bit % 8
    (kept / "checkpoints" / "log").write_bytes(changed)
    with pytest.raises(PilothouseError):
        verify_chain(log.notes(), KEY)


def test_a_note_that_is_no_checkpoint_is_not_appended(tmp_path: Path) -> None:
    with pytest.raises(NoteMalformed):
        log_of(tmp_path, sign_note("hello\n", KEY, PRIVATE.sign))
    with pytest.raises(NoteMalformed):
        log_of(tmp_path, Note(text=note(1).text, signatures=()))
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_cannot_be_written_refuses_and_goes_on_when_it_can(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file in the way")
    log = CheckpointLog(tmp_path / "checkpoints")
    with pytest.raises(Unavailable, match="checkpoint"):
        log.append(note(1))
    (tmp_path / "checkpoints").unlink()
    log.append(note(1))
    assert log.notes() == (note(1),)


def test_a_genuine_chain_gives_its_checkpoints(tmp_path: Path) -> None:
    chain = verify_chain((note(0), note(5), note(5), note(9)), KEY)
    assert [checkpoint.size for checkpoint in chain] == [0, 5, 5, 9]
    assert verify_chain((), KEY) == ()


@pytest.mark.parametrize(("bad", "says"), [
    (note(4), "its size 4 is below 5"),
    (note(5, b"other"), "another root at the same size 5"),
    (note(6, origin="elsewhere.example"), "its origin is"),
    (Note(text=note(6).text, signatures=note(7).signatures), "not for this text"),
    (sign_note("hello\n", KEY, PRIVATE.sign), "bad checkpoint"),
    (sign_note(note(6).text, VerifierKey(name="stranger", public=KEY.public), PRIVATE.sign), "not signed by"),
])
def test_the_first_bad_checkpoint_of_a_chain_is_named(bad: Note, says: str) -> None:
    with pytest.raises(Tampered, match=says) as found:
        verify_chain((note(1), note(5), bad, note(9)), KEY)
    assert found.value.facts == {"checkpoint": 2}
