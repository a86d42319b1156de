"""The ledger remembers what this call has read and written; the files are right all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cni_sriov.state import files
from cni_sriov.state.ledger import Ledger
from cni_sriov.words.domain import Attachment
from cni_sriov.words.log import Log
from cni_sriov.words.record import Record

if TYPE_CHECKING:
    from pathlib import Path

PF, VF = "0000:01:00.0", "0000:01:10.0"
OURS, OTHER = Attachment("c1", "net1"), Attachment("c2", "net1")


def record(attachment: Attachment) -> Record:
    return Record(attachment, "fast", PF, VF, 0, "/run/netns/x", [4, 5], "this boot")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(str(tmp_path / "state"), Log("none"), str(tmp_path / "run"), "this boot")
    ledger.open()
    return ledger


def another(ledger: Ledger) -> Ledger:
    """The same files, seen by another process."""
    return Ledger(ledger.state_dir, ledger.log, ledger.run_dir, ledger.boot_id)


def known(ledger: Ledger, how: str) -> tuple[Ledger, Record]:
    """A ledger that knows the claim by what it did, and the Record."""
    ours = record(OURS)
    ledger.put(ours)
    if how == "wrote":
        return ledger, ours
    reader = another(ledger)
    found = reader.find(OURS)
    assert found is not None
    return reader, found


@pytest.mark.parametrize("how", ["wrote", "read"])
def test_a_vf_that_another_has_by_now_is_his(ledger: Ledger, how: str) -> None:
    ours, found = known(ledger, how)
    another(ledger).claim(record(OTHER))

    assert (ours.claimant(found), ours.owns(found)) == (OTHER, False)
    ours.forget(found)
    assert another(ledger).claimant(found) == OTHER


@pytest.mark.parametrize("how", ["wrote", "read"])
def test_a_claim_that_is_lost_is_taken_again(ledger: Ledger, how: str, tmp_path: Path) -> None:
    ours, found = known(ledger, how)
    (tmp_path / f"run/claims/{PF}+{VF}").unlink()

    assert ours.claimant(found) is None
    assert ours.owns(found)
    assert another(ledger).claimant(found) == OURS


@pytest.mark.parametrize("how", ["wrote", "read"])
@pytest.mark.parametrize("content", ["", "{}", "a directory"])
def test_a_claim_that_was_damaged_since_is_set_aside(
    ledger: Ledger, how: str, content: str, tmp_path: Path
) -> None:
    ours, found = known(ledger, how)
    path = tmp_path / f"run/claims/{PF}+{VF}"
    path.unlink()
    if content == "a directory":
        path.mkdir()
    else:
        path.write_text(content)

    assert ours.claimant(found) is None
    assert (path.parent / f".damaged-{PF}+{VF}").exists()


def test_a_delete_reads_its_claim_as_text_alone(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, found = known(ledger, "read")
    monkeypatch.setattr(Record, "from_json", None)  # a call of it would fail

    assert ours.owns(found)
    ours.forget(found)
    assert ours.claimed() == {}


@pytest.mark.parametrize("leave", ["nothing", "text of a killed writer"])
def test_a_file_is_written_anew_over_what_a_killed_writer_left(tmp_path: Path, leave: str) -> None:
    path = tmp_path / "f"
    if leave != "nothing":
        (tmp_path / ".tmp-f").write_text(leave)

    files.replace(str(path), "new")

    assert (path.read_text(), [entry.name for entry in tmp_path.iterdir()]) == ("new", ["f"])


def test_the_temporary_file_is_never_a_symlink_that_is_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / ".tmp-f").symlink_to(tmp_path / "theirs")

    files.replace(str(tmp_path / "f"), "ours")

    assert ((tmp_path / "theirs").read_text(), (tmp_path / "f").is_symlink()) == ("theirs", False)


def test_two_states_have_two_names(tmp_path: Path) -> None:
    """Directories in use are links by their path, in one directory."""
    names: list[Any] = [files.as_name(path) for path in ("/a/b", "/a%2Fb", "/a%b", "/a/%2F")]
    assert len({*names}) == len(names)
    assert not any("/" in name for name in names)
