"""`make demo`: three containers get VFs of a two-port SR-IOV card, through the plugin as built, in the lab's guest.

Everything below a command line is what the guest printed, or was read back from it with `ip`, sysfs and `ping`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any, NoReturn

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cni_sriov.ctl.screen import Screen
from tests import bundle
from tests.lab.errors import LabError
from tests.lab.node import PLUGIN_DIR, Node
from tests.lab.progress import Progress
from tests.lab.ready import prepare
from tests.lab.vm import PORTS

CONTAINERS = {"web": 100, "db": 100, "other": 200}
CONF: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "fast",
    "type": "sriov",
    "pf": {"names": list(PORTS)},
    "ipam": {
        "type": "host-subnet",
        "pools": [{"subnet": "10.10.0.0/16", "prefixLength": 24}],
        "onlink": True,
    },
}


class Demo:
    def __init__(self, node: Node, console: Console) -> None:
        self.node = node
        self.console = console
        self.failed: list[str] = []

    def run(self) -> None:
        self.create_vfs()
        before = self.node.card()
        self.attach()
        self.show_status()
        self.ping()
        self.check()
        self.detach(before)

    def title(self, text: str) -> None:
        self.console.print()
        self.console.print(Text(text, style="bold cyan"))

    def shell(self, command: str) -> str:
        """Run in the guest, and show command and output as they are."""
        self.console.print(Text(f"  # {command}", style="bold"))
        done = self.node.vm.run(command, check=False, env=self.environment())
        output = (done.stdout + done.stderr).rstrip()
        if output:
            self.console.print(Padding(Text.from_ansi(output), (0, 0, 0, 2), expand=False))
        self.expect(done.returncode == 0, f"{command} failed")
        return done.stdout

    def environment(self) -> dict[str, str]:
        colours = {"FORCE_COLOR": "1", "TERM": "xterm-256color"} if self.console.color_system else {}
        return colours | {
            "COLUMNS": str(self.console.width - 2),
            "PATH": f"{PLUGIN_DIR}:/usr/sbin:/usr/bin:/sbin:/bin",
        }

    def expect(self, so: bool, otherwise: str) -> None:
        if not so:
            self.failed.append(otherwise)

    def mark(self, so: bool, otherwise: str) -> Text:
        self.expect(so, otherwise)
        return Text("as it should be", style="green") if so else Text(f"WRONG: {otherwise}", style="bold red")

    def create_vfs(self) -> None:
        self.title("VFs on both ports of the card")
        for port in PORTS:
            self.shell(f"ip link set {port} up && sriovctl vfs {port} 7")

    def attach(self) -> None:
        self.title("Three containers; the plugin picks their VFs from both ports")
        columns = "container", "asked", "VF", "was", "is", "MAC", "address", "PF says"
        table = Table(*columns, box=None, padding=(0, 1, 0, 0), pad_edge=False)
        names = {pci: link["ifname"] for pci, link in self.node.card().items()}
        self.node.add_netns(*CONTAINERS)
        for container, vlan in CONTAINERS.items():
            added = self.node.cni("ADD", CONF | {"vlan": vlan}, container)
            self.expect(added.code == 0, f"ADD {container}: {added.text}")
            if added.code:
                continue
            ((pci, link),) = ((p, entry) for p, entry in self.node.links(container).items() if p != "lo")
            (address,) = self.node.addresses(container)
            seen = self.seen_by_pf(names[pci])
            table.add_row(
                container, f"VLAN {vlan}", pci, names[pci], link["ifname"], link["address"], address, seen
            )
        self.console.print(Padding(table, (0, 0, 0, 2), expand=False))

    def seen_by_pf(self, name: str) -> str:
        port, _, index = name.rpartition("v")
        vlans = self.node.vf(port, int(index))["vlan_list"]
        return f"vf {index} vlan {vlans[0].get('vlan', 0)}"

    def show_status(self) -> None:
        self.title("The operator's view")
        self.shell("sriovctl status")

    def ping(self) -> None:
        self.title("Across the wire: neighbours in different subnets, by VLAN")
        for source, target in (("web", "db"), ("db", "web"), ("web", "other"), ("other", "db")):
            (address,) = self.node.addresses(target)
            same = CONTAINERS[source] == CONTAINERS[target]
            answers = self.node.pings_soon(source, address) if same else self.node.pings(source, address)
            line = Text(
                f"  {source:>5} (VLAN {CONTAINERS[source]}) pings {target:<5} {address.partition('/')[0]:<12}"
            )
            line.append(" answers   " if answers else " no answer ", style="bold")
            self.console.print(line.append(self.mark(answers == same, f"ping {source} -> {target}")))

    def check(self) -> None:
        self.title("CHECK: is everything as ADD left it?")
        for container, vlan in CONTAINERS.items():
            checked = self.node.cni("CHECK", CONF | {"vlan": vlan}, container)
            self.console.print(
                Text(f"  CHECK {container:<6} exit {checked.exit_code}  ").append(
                    self.mark(checked.code == 0, checked.text)
                )
            )
        self.console.print("  and if somebody turns the VLAN of web's VF from 100 to 7 behind its back:")
        (pci,) = self.node.links("web").keys() - {"lo"}
        port, index = self.port_and_index(pci)
        self.shell(f"ip link set {port} vf {index} vlan 7")
        drifted = self.node.cni("CHECK", CONF | {"vlan": 100}, "web")
        self.console.print(
            f"  CHECK web    exit {drifted.exit_code}  {json.dumps(drifted.document.get('details', ''))}"
        )
        self.expect(drifted.code == 107, "CHECK did not see the drift")

    def port_and_index(self, pci: str) -> tuple[str, int]:
        for port in PORTS:
            for index in range(7):
                link = self.node.vm.run(f"readlink /sys/class/net/{port}/device/virtfn{index}").stdout
                if link.strip().endswith(pci):
                    return port, index
        raise LabError(f"no PF has the VF {pci}")

    def detach(self, before: dict[str, dict[str, Any]]) -> None:
        self.title("DEL: every VF as it was, no lease left")
        for container, vlan in CONTAINERS.items():
            deleted = self.node.cni("DEL", CONF | {"vlan": vlan}, container)
            self.console.print(
                Text(f"  DEL {container:<6} exit {deleted.exit_code}  ").append(
                    self.mark(deleted.code == 0, deleted.text)
                )
            )
        different = self.node.changed(before)
        line = Text(
            f"  `ip -d link` of {len(before)} PFs and VFs, before and after: {len(different)} differences  "
        )
        self.console.print(line.append(self.mark(not different, "; ".join(different))))
        files = self.node.state_files()
        line = Text(f"  claims, records and leases on disk: {len(files)}  ")
        self.console.print(line.append(self.mark(not files, " ".join(files))))
        self.shell("sriovctl leases")


def main() -> int:
    console = Screen(sys.stdout, 0 if sys.stdout.isatty() else 120).console
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    try:
        with Progress(console) as progress:
            lab = prepare(progress)
        with lab.restore(bundle.directory()) as vm:
            console.print(
                f"guest: Linux {vm.run('uname -r').stdout.strip()}, card: {_card(vm.run('lspci -d ::0200').stdout)}"
            )
            demo = Demo(Node(vm), console)
            demo.run()
    except LabError as error:
        console.print(Text(f"the lab failed: {error}", style="bold red"))
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; nothing is left running")
        return 130
    console.print()
    for line in demo.failed:
        console.print(Text(f"failed: {line}", style="bold red"))
    console.print(
        f"{'FAILED' if demo.failed else 'done'} in {time.monotonic() - started:.0f} s; the guest is gone",
        style="bold",
    )
    return 1 if demo.failed else 0


def _card(lspci: str) -> str:
    ports = [line.partition(": ")[2] for line in lspci.splitlines() if "82576" in line]
    return f"{len(ports)} x {ports[0]}" if ports else "none"


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    os.chdir("/")
    sys.exit(main())
