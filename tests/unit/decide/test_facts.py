"""What of the facts says that somebody wants devices in user space."""

from __future__ import annotations

from cni_sriov.decide.facts import Facts
from tests.unit.decide.patient import healthy


def test_user_space_is_wanted_once_a_pf_or_vf_is_there_or_meant_to_be() -> None:
    assert not Facts().wants_userspace
    assert not healthy().wants_userspace
    for name in ("is_userspace", "is_meant"):
        pf, vf = healthy(), healthy()
        setattr(pf.cards[0], name, True)
        setattr(vf.cards[0].vfs[6], name, True)
        assert (pf.wants_userspace, vf.wants_userspace) == (True, True)
