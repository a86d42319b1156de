"""All that the doctor's rules judge by. Looks only; what cannot be looked at is told, and hides nothing else."""

from __future__ import annotations

from ...conf.hostsubnet import DATA_DIR
from ...decide.facts import Facts
from ...kernel.files import Files
from ...leases.transaction import Judge
from ...vf.host import Host
from ...words.device import Device
from ...words.failures import Failures
from . import cards, clusters, hearing, hostplan, hugefiles, machine, processes, runtimes, state


def gather(
    host: Host,
    files: Files,
    where: str = "",
    is_root: bool = True,
    is_dead: Judge | None = None,
    data_dir: str = DATA_DIR,
    bundle: str = "",
    judge: clusters.JudgeFile | None = None,
) -> Facts:
    """`where`: a card by name, altname or PCI address; "" = all. PfUnusable or BadConfig where there is none such.

    `bundle`: our own plugin's path. `judge`: what is wrong with a cluster's file, None = as it is there.
    """
    facts = Facts(is_root=is_root)
    failures = Failures()
    host, ears = hearing.listening(host)
    if where:
        facts.wanted = cards.find(host, files, where)
    mounts: list[str] = []
    running: list[processes.Process] = []
    with failures.of(what="mounts"):
        mounts = hugefiles.mounts(files)
    with failures.of(what="processes"):
        running = processes.scan(files, failures, mounts)
    found: list[Device] = []
    before = len(failures.told)
    with failures.of(what="PCI devices"):
        found = cards.pci_devices(files, failures)
    facts.cards = cards.look(host, files, failures, found, running, facts.wanted)
    facts.has_all_cards = len(failures.told) == before
    facts.machine = machine.look(files, failures, found, running, mounts)
    if is_root:  # what is attached, root alone may see
        facts.provision = hostplan.look(host, files, failures, facts.wanted)
        facts.state = state.look(host, files, failures, facts.wanted, is_dead, data_dir)
    if not where:
        facts.runtimes = runtimes.look(host, files, failures, bundle)
    if is_root and not where:
        networks = [one for runtime in facts.runtimes.runtimes for one in runtime.networks]
        facts.clusters = clusters.look(host, failures, networks, data_dir, judge)
    facts.unseen = failures.told + ears.heard
    return facts
