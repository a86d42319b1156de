"""The doctor's rules about who calls the plugin: is it found, by which configuration, and who else manages VFs."""

from __future__ import annotations

from collections.abc import Iterator

from .facts import Facts, Rule
from .facts_runtime import Network, Runtime
from .trouble import Evidence, Severity, Trouble, by_hand, quoted

OURS = ("sriov", "host-subnet")


# the plugin's executable ---------------------------------------------------------------------------------------------


def plugin_not_found(facts: Facts) -> Iterator[Trouble]:
    """A runtime does not find `sriov` where it looks for CNI plugins.

    error, note: `ln -s .../sriov DIR/sriov`
    """
    for runtime in facts.runtimes.runtimes:
        if runtime.is_seen and "sriov" not in runtime.programs:
            asks = [network.path for network in runtime.networks if network.is_ours]
            needs = f", and {asks[0]} asks for it" if asks else ""
            dirs = " and ".join(runtime.bin_dirs)
            why = f"{runtime.name} looks for CNI plugins in {dirs}, where no sriov is{needs}"
            severity: Severity = "error" if asks else "note"
            remedy = _links(facts.runtimes.bundle, runtime)
            yield Trouble("plugin-not-found", severity, runtime.name, why, remedy, _of(runtime))


def _links(bundle: str, runtime: Runtime) -> str:
    directory = quoted(runtime.bin_dir)
    if not bundle:
        return f"# from the source:\nmake install CNIBINDIR={directory}"
    lines = [] if runtime.has_dir.get(runtime.bin_dir) else [f"mkdir -p {directory}"]
    lines += [_link(bundle, f"{runtime.bin_dir}/{name}") for name in OURS if name not in runtime.programs]
    return "\n".join([*lines, by_hand(f"or, from the source: make install CNIBINDIR={runtime.bin_dir}")])


def _link(bundle: str, path: str) -> str:
    return f"ln -s {quoted(bundle)} {quoted(path)}"


def _aside(path: str, to: str) -> str:
    return f"mv {quoted(path)} {quoted(to)}"


def another_sriov(facts: Facts) -> Iterator[Trouble]:
    """The `sriov` that a runtime finds is another plugin, as sriov-cni of the SR-IOV network operator.

    error, note: `mv DIR/sriov DIR/sriov.orig` and `ln -s`
    """
    for runtime in facts.runtimes.runtimes:
        program = runtime.programs.get("sriov")
        if program is None or program.kind != "another's":
            continue
        why = f"the sriov that {runtime.name} calls, {program.path}, is not this one but another plugin of that name"
        bundle = facts.runtimes.bundle
        lines = ["# if something puts it there again (an operator, a DaemonSet), end that first"]
        lines += [_aside(program.path, f"{program.path}.orig")]
        directory = quoted(program.path.rpartition("/")[0])
        lines += [_link(bundle, program.path) if bundle else f"make install CNIBINDIR={directory}"]
        severity: Severity = "error" if runtime.wants_ours else "note"
        evidence = [Evidence(program.path, "a Go program; ours is none"), *_of(runtime)]
        yield Trouble("another-sriov", severity, program.path, why, "\n".join(lines), evidence)


def plugin_missing(facts: Facts) -> Iterator[Trouble]:
    """A network of ours names another plugin that the runtime does not find.

    error: install that plugin, or take it out of the list
    """
    for runtime in facts.runtimes.runtimes:
        for network in runtime.networks:
            is_judged = network.is_ours and not network.errors and runtime.is_seen
            wanted = [*network.types] if is_judged else []
            for name in sorted({*wanted} - {*runtime.programs} - {"sriov"}):
                dirs = " and ".join(runtime.bin_dirs)
                why = f"{network.path} names the plugin {name}, which is not in {dirs}, where {runtime.name} looks"
                there = "install it there (Debian: containernetworking-plugins)"
                remedy = by_hand(f"{there}, or take it out of {network.path}")
                if name == "host-subnet" and facts.runtimes.bundle:
                    remedy = _link(facts.runtimes.bundle, f"{runtime.bin_dir}/{name}")
                evidence = [Evidence(network.path, f"type {name}"), *_of(runtime)]
                yield Trouble("plugin-missing", "error", network.path, why, remedy, evidence)


def _of(runtime: Runtime) -> list[Evidence]:
    return [Evidence(runtime.seen, f"{runtime.name} is here"), *runtime.told]


# network files -------------------------------------------------------------------------------------------------------


def conflist_broken(facts: Facts) -> Iterator[Trouble]:
    """A network file cannot be loaded, or is refused by the plugin that it names.

    error, warning: `sriovctl validate FILE`
    """
    for network, runtimes in _each_network(facts):
        if network.errors:
            stopped = [one.name for one in runtimes if one.stops and one.networks[0].path == network.path]
            severity: Severity = "error" if network.is_ours or stopped else "warning"
            more = f" (and {len(network.errors) - 1} more)" if network.errors[1:] else ""
            why = f"{network.path} is broken: {network.errors[0]}{more}"
            if stopped:
                why += f"; it sorts first, and {' and '.join(stopped)} {'have' if stopped[1:] else 'has'} no network at all while it is there"
            remedy = (
                f"sriovctl validate {quoted(network.path)}\n# correct what it says; or take the file out of the way:\n"
                + _aside(network.path, f"{network.path}.off")
            )
            evidence = [Evidence(network.path, error) for error in network.errors[:3]]
            yield Trouble("conflist-broken", severity, network.path, why, remedy, evidence)


def _each_network(facts: Facts) -> Iterator[tuple[Network, list[Runtime]]]:
    """Each file once, with all that load it."""
    found: dict[str, tuple[Network, list[Runtime]]] = {}
    for runtime in facts.runtimes.runtimes:
        for network in runtime.networks:
            found.setdefault(network.path, (network, []))[1].append(runtime)
    yield from found.values()


def conflist_shadowed(facts: Facts) -> Iterator[Trouble]:
    """A network of ours is never taken: the runtime takes the first file by name, or one that its configuration names.

    warning, note: `mv FILE` to a name that sorts first
    """
    for runtime in facts.runtimes.runtimes:
        taken = _taken(runtime)
        if not taken or any("multus" in network.types for network in taken):
            continue  # Multus decides by itself, and a broken first one is a trouble of its own
        behind = [one for one in runtime.networks if one.is_ours and not one.errors and one not in taken]
        if behind and not (any(one.is_ours for one in taken) and _is_loaded_elsewhere(facts, behind[0])):
            yield _shadowed(runtime, taken[0], behind)


def _taken(runtime: Runtime) -> list[Network]:
    networks = runtime.networks
    if runtime.chosen:
        return [one for one in networks if one.name == runtime.chosen and not one.errors][:1]
    if not runtime.takes:
        return networks
    if runtime.stops:
        first = networks[: runtime.takes]
        return [] if any(one.errors for one in first) else first
    return [one for one in networks if not one.errors][: runtime.takes]


def _is_loaded_elsewhere(facts: Facts, network: Network) -> bool:
    """By one that takes every network by its name, as podman does."""
    others = (one for one in facts.runtimes.runtimes if not one.takes)
    return any(network.path == one.path for runtime in others for one in runtime.networks)


def _shadowed(runtime: Runtime, winner: Network, behind: list[Network]) -> Trouble:
    ours = behind[0]
    how = "its configuration names that network" if runtime.chosen else "it takes the first by name"
    more = f", nor {len(behind) - 1} more of ours" if behind[1:] else ""
    why = f"{runtime.name} never takes {ours.path}{more}: {how}, {winner.path} (network {winner.name or 'without name'})"
    evidence = [Evidence(runtime.conf_dir, ", ".join(map(_base, runtime.networks[:5]))), *_of(runtime)]
    severity: Severity = "note" if winner.is_ours else "warning"
    return Trouble("conflist-shadowed", severity, ours.path, why, _to_front(runtime, winner, ours), evidence)


def _to_front(runtime: Runtime, winner: Network, ours: Network) -> str:
    if runtime.chosen:
        return by_hand(f'set cni_default_network = "{ours.name}" where it is set now; restart {runtime.name}')
    directory, name = ours.path.rpartition("/")[0], _base(ours)
    first = _base(winner)
    front = next((new for new in (f"00-{name}", f"0-{name}", f"!{name}") if new < first), "")
    note = "# if its containers shall get this network; Multus can give it to some beside the other one:"
    if not front:
        return f"{note}\n{_aside(winner.path, f'{winner.path}.off')}"
    return f"{note}\n{_aside(ours.path, f'{directory}/{front}')}"


def _base(network: Network) -> str:
    return network.path.rpartition("/")[2]


def same_network_name(facts: Facts) -> Iterator[Trouble]:
    """Two network files have one name, and a runtime takes one of them.

    warning: another `name` in one of them
    """
    for runtime in facts.runtimes.runtimes:
        first: dict[str, Network] = {}
        for network in runtime.networks:
            other = first.setdefault(network.name, network) if network.name else network
            if other is not network and (other.is_ours or network.is_ours):
                why = f"{other.path} and {network.path} are both called {network.name}: {runtime.name} takes one of them"
                aside = _aside(network.path, f"{network.path}.off")
                remedy = f"# give it another name, or take one of them away:\n{aside}"
                evidence = [Evidence(one.path, f'"name": "{one.name}"') for one in (other, network)]
                yield Trouble("same-network-name", "warning", network.path, why, remedy, evidence)


def network_without_pf(facts: Facts) -> Iterator[Trouble]:
    """A network of ours names a PF that is not there, or cannot be used.

    error: another `master`, or what the sentence says
    """
    for network, _ in _each_network(facts):
        if network.unserved is not None and network.unserved.lack == "pf":
            why = f"{network.path} can give nobody a VF: {network.unserved.why}"
            remedy = network.unserved.command or (
                "sriovctl status\n" + by_hand(f"name a PF of this node in {network.path}")
            )
            yield _unserved("network-without-pf", "error", network, why, remedy)


def network_without_vfs(facts: Facts) -> Iterator[Trouble]:
    """The PF that a network of ours names has no VFs.

    error: `sriovctl vfs PF N`
    """
    for network, _ in _each_network(facts):
        if network.unserved is not None and network.unserved.lack == "vfs":
            why = f"{network.path} can give nobody a VF: {network.unserved.why}"
            yield _unserved("network-without-vfs", "error", network, why, network.unserved.command)


def no_free_vf(facts: Facts) -> Iterator[Trouble]:
    """All VFs that a network of ours means are in use: the next container gets none.

    note: more VFs, or an end of what is in use
    """
    for network, _ in _each_network(facts):
        if network.unserved is not None and network.unserved.lack == "full":
            why = f"{network.path} has no free VF for the next container: {network.unserved.why}"
            remedy = "sriovctl status\nsriovctl gc\n# takes back what is dead; how many VFs each PF can have: `sriovctl vfs`"
            yield _unserved("no-free-vf", "note", network, why, remedy)


def _unserved(rule: str, severity: Severity, network: Network, why: str, remedy: str) -> Trouble:
    said = network.unserved.why if network.unserved is not None else ""
    return Trouble(rule, severity, network.path, why, remedy, [Evidence(network.path, said)])


RULES: tuple[Rule, ...] = (
    *(plugin_not_found, another_sriov, plugin_missing, conflist_broken, conflist_shadowed),
    *(same_network_name, network_without_pf, network_without_vfs, no_free_vf),
)
