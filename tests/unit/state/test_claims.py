"""What can be told of a file with a Record in it, whatever became of it."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.state import claims
from cni_sriov.state.claims import Claims
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import Unreadable
from cni_sriov.words.log import Log
from cni_sriov.words.record import Record

PF, VF = "0000:01:00.0", "0000:01:10.0"
GOOD: dict[str, Any] = Record(
    Attachment("c1", "net1"), "fast", PF, VF, 0, "/run/netns/x", [4, 5], "b"
).to_json()


@pytest.fixture
def here(tmp_path: Path) -> Claims:
    (tmp_path / "claims").mkdir()
    return Claims(str(tmp_path), "b", Log("none"))


def write(here: Claims, text: str, vf: str = VF) -> str:
    path = Path(here.run_dir, "claims", f"{PF}+{vf}")
    path.write_text(text)
    return str(path)


def unreadable(path: str) -> Unreadable:
    _, found = claims.read_record(path)
    assert isinstance(found, Unreadable)
    return found


def test_its_name_keeps_a_vf_taken_whatever_is_in_it(here: Claims) -> None:
    write(here, "")
    write(here, json.dumps(GOOD | {"vf": "0000:01:10.2"}), "0000:01:10.2")

    assert here.claimed() == {VF: PF, "0000:01:10.2": PF}
    assert [record.vf for record in here.claims()] == ["0000:01:10.2"]
    assert [error.path for error in here.unreadable_claims()] == [f"{here.run_dir}/claims/{PF}+{VF}"]
    with pytest.raises(Unreadable):
        here.claim_of(PF, VF)
    with pytest.raises(Unreadable):
        here.claim_on(VF)
    assert here.claim_on("0000:01:10.4") is None


def test_a_good_file_under_another_vfs_name_is_nobodys_claim(here: Claims) -> None:
    """A restored backup, a copy: it says of its VF what its own file says."""
    write(here, json.dumps(GOOD))
    write(here, json.dumps(GOOD), "0000:01:10.2")

    assert here.claimed().keys() == {VF, "0000:01:10.2"}
    assert len(here.claims()) == 1
    with pytest.raises(Unreadable, match="it is of c1/net1 on VF 0000:01:10"):
        here.claim_on("0000:01:10.2")


def test_a_later_versions_file_tells_whose_it_is_and_of_which_vf(here: Claims) -> None:
    error = unreadable(write(here, json.dumps(GOOD | {"format": 2, "vf_index": "zero"})))

    assert claims.attachment_in(error) == Attachment("c1", "net1")
    assert (claims.vf_in(error), claims.text_in(error, "network")) == ((PF, VF), "fast")
    assert not claims.is_torn(error)
    assert not here.is_unclear()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"attachment": {"container_id": 5, "ifname": "x"}}', '{"attachment": 1, "vf": "../x", "pf": 7}'])  # fmt: skip
def test_what_tells_nothing_is_nobodys_to_know(here: Claims, text: str) -> None:
    error = unreadable(write(here, text))

    assert (claims.attachment_in(error), claims.vf_in(error)) == (None, None)
    assert here.is_unclear()
    with pytest.raises(Unreadable):
        here.refuse_unclear(Attachment("c9", "net1"))
    assert claims.is_torn(error) == (text in {"", "{", "[]"})


def test_out_of_descriptors_is_not_the_files_fault(here: Claims, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = write(here, json.dumps(GOOD)), os.open

    def fail(name: Any, *rest: Any, **more: Any) -> int:
        if name == path:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), name)
        return real(name, *rest, **more)

    monkeypatch.setattr(os, "open", fail)
    error = unreadable(path)

    assert (error.passing, claims.is_torn(error), "--forget" in error.details) == (True, False, False)
    assert "Too many open files" in error.msg


def test_each_file_is_told_of_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    here = Claims(str(tmp_path), "b", Log("error", str(log)))
    (tmp_path / "claims").mkdir()
    write(here, "")

    for _ in range(3):
        assert here.claims() == []
    assert log.read_text().count("cannot be read") == 1
