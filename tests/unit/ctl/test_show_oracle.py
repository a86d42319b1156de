"""What the operator sees of the oracle."""

from __future__ import annotations

import io
from pathlib import Path

from cni_sriov.ctl import show_oracle, slot
from cni_sriov.ctl.foretell import Foretold
from cni_sriov.decide.oracle import capacity
from cni_sriov.kernel.files import Files
from tests.unit.ctl.cards import i350


def shown(root: Path) -> list[str]:
    found = slot.look(Files(str(root)), "0000:01:00.0")
    out = io.StringIO()
    show_oracle.oracle(out, [Foretold(found, capacity(found))], [])
    return out.getvalue().splitlines()


def test_what_binds_comes_first_with_its_remedy(tmp_path: Path) -> None:
    i350(tmp_path)

    lines = shown(tmp_path)

    assert lines[0] == "enp1s0f0 (0000:01:00.0, igb): this slot carries 0 of 7 VFs, and has 0 now"
    assert lines[1].strip().startswith("0: the VFs need bus 02 (02:10.0), but the port above (0000:00:01.0)")
    assert "another slot" in lines[2]
    assert lines[-1] == "  " + "7: it can have at most 7 (driver igb allows no more of the card's 8)"


def test_what_is_only_likely_says_so(tmp_path: Path) -> None:
    card = i350(tmp_path, offset=0x80, ari=True, numvfs=3)
    card.write("resource", "0x0 0x0 0x0\n" * 13)

    lines = shown(tmp_path)

    assert lines[1].strip().startswith("0, most likely: BAR 0, 3 of the VFs has no memory")
    assert lines[-1].strip().startswith("note: it has 3 VFs now")


def test_no_pf_at_all() -> None:
    out = io.StringIO()
    show_oracle.oracle(out, [], [])

    assert "no device that can have VFs" in out.getvalue()


def test_what_could_not_be_looked_at_is_told() -> None:
    out = io.StringIO()
    show_oracle.oracle(out, [], ["0000:02:00.0: look at /sys/x: Input/output error"])

    assert out.getvalue() == "cannot be looked at: 0000:02:00.0: look at /sys/x: Input/output error\n"
