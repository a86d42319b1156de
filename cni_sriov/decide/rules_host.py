"""The doctor's rules about programs of the host that stand beside the plugin: who configures VFs, and podman 5."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from .facts import Facts, Rule
from .facts_runtime import Managed, Podman
from .trouble import Evidence, Severity, Trouble, quoted

_NM = "/etc/NetworkManager/conf.d/90-cni-sriov-vfs.conf"
_NETWORKD = "/etc/systemd/network/05-cni-sriov-vf.network"
_OURS = "/usr/local/lib/netavark"  # where build/install puts it
_PF_TOO = {"mlx5_core", "mlx4_core", "bnxt_en", "mana", "nfp", "ionic"}  # drive PF and VF alike: name the VFs


def vf_managed(facts: Facts) -> Iterator[Trouble]:
    """NetworkManager or systemd-networkd configures VFs: it brings each up, asks for DHCP, and so takes it away.

    warning: `conf/NetworkManager` or `conf/systemd-networkd` of this project, which name VFs as unmanaged
    """
    for by in ("NetworkManager", "systemd-networkd"):
        managed = [one for one in facts.runtimes.managed if one.by == by]
        if managed:
            yield _managed(by, managed)


def _managed(by: str, managed: list[Managed]) -> Trouble:
    names = ", ".join(one.netdev for one in managed[:4]) + (", ..." if managed[4:] else "")
    files = sorted({one.network_file for one in managed} - {""})
    by_file = f" by {', '.join(files)}" if files else ""
    why = (
        f"{by} configures {len(managed)} VF{'s' if managed[1:] else ''} ({names}){by_file}: it brings them up, asks for"
        " DHCP there, and a VF that gets an address is given to no container"
    )
    remedy = _unmanage(managed) if by == "NetworkManager" else _unmatch(managed)
    return Trouble("vf-managed", "warning", by, why, remedy, [one.told for one in managed[:4]])


def _unmanage(managed: list[Managed]) -> str:
    """As conf/NetworkManager/90-cni-sriov.conf: by driver, since VFs change their names."""
    drivers = sorted({one.driver for one in managed if one.driver not in _PF_TOO})
    names = sorted(one.netdev for one in managed if one.driver in _PF_TOO)
    listed = ";".join([*(f"driver:{name}" for name in drivers), *(f"interface-name:{n}" for n in names)])
    return "\n".join(
        [
            _write(_NM, "[keyfile]", f"unmanaged-devices+={listed}"),
            "nmcli general reload",
            "# conf/NetworkManager/90-cni-sriov.conf of this project names the drivers of all VFs",
        ]
    )


def _write(path: str, *lines: str) -> str:
    return f"printf '%s\\n' {shlex.join(lines)} > {path}"


def _unmatch(managed: list[Managed]) -> str:
    """As conf/systemd-networkd/05-cni-sriov-vf.network."""
    drivers = sorted({one.driver for one in managed if one.driver not in _PF_TOO})
    names = sorted(one.netdev for one in managed if one.driver in _PF_TOO)
    lines = []
    if drivers:
        lines.append(_write(_NETWORKD, "[Match]", f"Driver={' '.join(drivers)}", "[Link]", "Unmanaged=yes"))
    if names:
        path = _NETWORKD.replace("-vf", "-vf-names")
        lines.append(_write(path, "[Match]", f"Name={' '.join(names)}", "[Link]", "Unmanaged=yes"))
    ours = "# conf/systemd-networkd/05-cni-sriov-vf.network of this project names the drivers of all VFs"
    return "\n".join([*lines, "networkctl reload", ours])


def podman_without_plugin(facts: Facts) -> Iterator[Trouble]:
    """Podman uses netavark, which calls no CNI plugins, and finds no netavark plugin of ours.

    error, note: `ln -s .../sriov DIR/sriov`
    """
    podman = facts.runtimes.podman
    if podman is None or podman.plugin:
        return
    asks = f", and {podman.networks[0]} asks for it" if podman.networks else ""
    why = (
        f"podman{_version(podman)} has its networks from netavark, which calls no CNI plugins, and finds no plugin sriov in"
        f" {' or '.join(podman.plugin_dirs)}{asks}"
    )
    severity: Severity = "error" if podman.networks else "note"
    evidence = [Evidence(podman.seen, "podman is here"), podman.told]
    evidence += [Evidence(path, '"driver": "sriov"') for path in podman.networks]
    yield Trouble("podman-without-plugin", severity, "podman", why, _put_plugin(facts, podman), evidence)


def podman_plugin_differs(facts: Facts) -> Iterator[Trouble]:
    """The netavark plugin `sriov` that podman finds is not the one of this version: an older one, or another's.

    warning: `ln -sfn .../sriov DIR/sriov`
    """
    podman = facts.runtimes.podman
    if podman is None or podman.is_this:
        return
    bundle = facts.runtimes.bundle
    why = f"podman{_version(podman)} finds {podman.plugin}, which is not {bundle}: an older version, or another plugin"
    remedy = f"ln -sfn {quoted(bundle)} {quoted(podman.plugin)}"
    evidence = [Evidence(podman.plugin, "its bytes are others"), Evidence(bundle, "what sriovctl came with")]
    yield Trouble("podman-plugin-differs", "warning", podman.plugin, why, remedy, evidence)


def _version(podman: Podman) -> str:
    return f" {podman.version}" if podman.version else ""


def _put_plugin(facts: Facts, podman: Podman) -> str:
    """podman up to 4 can also go back to CNI."""
    where = _OURS if _OURS in podman.plugin_dirs else podman.plugin_dirs[0]
    bundle = facts.runtimes.bundle
    lines = [f"# from the source:\nmake install NETAVARKDIR={quoted(where)}"]
    if bundle:
        lines = [f"mkdir -p {quoted(where)}", f"ln -s {quoted(bundle)} {quoted(f'{where}/sriov')}"]
    if podman.version[:1] in {"", "3", "4"}:
        lines += [
            "# podman up to 4 can use CNI instead; it asks for `podman system reset` first, which removes all containers:",
            *(
                f"# {line}"
                for line in (
                    "/etc/containers/containers.conf.d/50-cni.conf",
                    "[network]",
                    'network_backend = "cni"',
                )
            ),
        ]
    return "\n".join(lines)


RULES: tuple[Rule, ...] = (vf_managed, podman_without_plugin, podman_plugin_differs)
