"""All that the doctor's rules judge by. Looks only; what cannot be looked at is told, and hides nothing else."""

from __future__ import annotations

from ...decide.facts import Facts
from ...kernel.files import Files
from ...vf.host import Host
from ...words.failures import Failures
from . import cards, hugepages, machine, processes


def gather(host: Host, files: Files, where: str = "", is_root: bool = True) -> Facts:
    """`where`: a card by name, altname or PCI address; "" = all. PfUnusable or BadConfig where there is none such."""
    facts = Facts(is_root=is_root)
    failures = Failures()
    if where:
        facts.wanted = cards.find(host, files, where)
    mounts: list[str] = []
    running: list[processes.Process] = []
    with failures.of(what="mounts"):
        mounts = hugepages.mounts(files)
    with failures.of(what="processes"):
        running = processes.scan(files, failures, mounts)
    facts.machine = machine.look(files, failures, running, mounts)
    with failures.of(what="the cards"):
        facts.cards = cards.look(host, files, failures, running, facts.wanted)
    facts.unseen = failures.told
    return facts
