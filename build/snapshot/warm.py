"""Rehearses calls before the picture is taken: then its code is in the picture as CPython has specialised it (README.md).

Only what is pure: no file, socket, clock or environment is asked, and nothing is kept (tests/unit/test_snapshot.py). In
the place of the kernel stands `Kernel`, whose answers the real codec reads.
"""

import _socket
import os
import sys

from cni_sriov.decide import choose, knobs, subnets
from cni_sriov.doors import calls
from cni_sriov.doors import cni as door
from cni_sriov.kernel import nlsocket, rtnl, traits
from cni_sriov.kernel.attributes import HEADER, attr, attr_text, attr_u32, message
from cni_sriov.kernel.netlink import Netlink
from cni_sriov.leases import holding, index, snapshot
from cni_sriov.state.ledger import Ledger
from cni_sriov.verbs import add
from cni_sriov.vf import admin, card, drift, golden, host, pod, restore
from cni_sriov.wire import cni, results
from cni_sriov.words import inet, jsontext, log, pci, stored
from cni_sriov.words.domain import PF, VF, IpamResult, IPConfig
from cni_sriov.words.record import Record

ROUNDS = (
    12  # CPython 3.11 begins with the eighth run of a function; what it could not specialise, it tries again
)
MAC, WHERE, NETNS = "02:00:00:00:00:01", "0000:01:10.1", "/run/netns/pod"
IPAM = {"type": "host-subnet", "pools": [{"subnet": "10.0.0.0/16", "prefixLength": 24}], "onlink": True}
CONF = {"cniVersion": "1.0.0", "name": "net", "type": "sriov", "deviceID": WHERE, "mac": MAC, "ipam": IPAM}
CALL = {"CNI_CONTAINERID": "pod", "CNI_NETNS": NETNS, "CNI_IFNAME": "net1", "CNI_PATH": "/opt/cni/bin"}
CALL |= {"CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod"}
CODERS = ("encodekey", "decodekey", "encodevalue", "decodevalue")  # of os.environ
LEASED = [inet.parse_prefix(f"10.0.{n}.0/24") for n in range(4)]

# a PF and its one VF in one link, with as many attributes as links have
NAME = attr_text(rtnl.IFLA_IFNAME, "net1") + attr(rtnl.IFLA_ADDRESS, rtnl.pack_mac(MAC))
LINK = rtnl.link(3, NAME, up=True)
LINK += b"".join(attr_u32(kind, 1500) for kind in (rtnl.IFLA_MTU, *range(44, 52), *range(60, 72)))
LINK += attr_text(rtnl.IFLA_PARENT_DEV_NAME, WHERE) + attr_u32(rtnl.IFLA_NUM_VF, 1)
KNOBS = rtnl.vf_mac(1, MAC) + rtnl.vf_vlan(1, 5, 0, "802.1q") + rtnl.vf_rate(1, 0, 0)
KNOBS += rtnl.vf_setting(rtnl.IFLA_VF_SPOOFCHK, 1, 1) + rtnl.vf_setting(rtnl.IFLA_VF_TRUST, 1, 0)
LINK += attr(rtnl.IFLA_VFINFO_LIST, attr(rtnl.IFLA_VF_INFO, KNOBS))


class Kernel:
    """In the place of a netlink socket: yes to every change, to a question one answer, to a dump two."""

    def __init__(self, address, route):
        self.sent = b""
        self.bodies = {rtnl.RTM_GETLINK: LINK, rtnl.RTM_GETADDR: address, rtnl.RTM_GETROUTE: route}

    def send(self, data):
        self.sent = data

    def recv(self, *_):
        _, kind, flags, sequence, _ = HEADER.unpack_from(self.sent)
        if flags & nlsocket.NLM_F_ACK:
            return message(nlsocket._NLMSG_ERROR, 0, sequence, bytes(20))  # of number 0
        answer = message(kind, 0, sequence, self.bodies[kind])
        is_dump = flags & nlsocket.NLM_F_DUMP
        return answer * 2 + message(nlsocket._NLMSG_DONE, 0, sequence, bytes(4)) if is_dump else answer


def make_host(request, conf, _override):
    lines = log.Log("none", context={"verb": request.verb, "containerID": "pod"})
    return host.Host(Ledger(conf.state_dir, lines, boot_id="boot"), lines, request=request)


def call(verb, conf):
    """As its door understands it."""
    told = {os.fsencode(name): os.fsencode(value) for name, value in (CALL | {"CNI_COMMAND": verb}).items()}
    environment = os._Environ(told, *(getattr(os.environ, name) for name in CODERS))
    return calls.make(cni.parse_request(environment, jsontext.render(conf)), make_host)


def lease(asked):
    """What host-subnet gives, and that again from its file."""
    view = snapshot.Snapshot(None, "default")
    view.indexes[4] = index.build(4, LEASED)
    leases = subnets.choose(asked.ipam, view, []).leases
    for leased in (True, False):
        view.indexes[4].mark(inet.parse_prefix(leases[0].subnet), leased)
    held = holding.Holding(asked.request.attachment, leases, "net", NETNS, [4, 5], "boot", created=0)
    holding.owner_name(stored.parsed("lease", held.render().decode(), holding.Holding.from_json).attachment)
    ips = [IPConfig(one.address, one.gateway, 0) for one in leases]
    return IpamResult(ips, subnets.routes(asked.ipam, leases), {}, leases)


def as_at_first(this):
    """What was kept of the VF, from its file."""
    kept = golden.Golden(5, this.admin, dict(this.told))
    first = golden.Golden.from_json(jsontext.parse_object(jsontext.render(kept.to_json())))
    first.lacks(this)
    return first


def attach(asked, given):
    """The VF, all that the kernel is told and asked about it, and the answer; the Record."""
    pf, vf = PF("0000:01:00.0", "pf0", 2, "igb", 1, 1), VF(1, WHERE, "igbvf", "")
    choose.free_vf([(pf, [vf])], {})
    record = Record(asked.request.attachment, "net", pf.pci_address, WHERE, 1, NETNS, [4, 5], "boot")
    record.settings, record.leases = asked.conf.settings, given.leases
    record.addresses, record.ipam = [ip.address for ip in given.ips], {"dataDir": "/", "scope": ""}
    netlink = asked.host._netlink = Netlink.__new__(Netlink)  # without a socket
    spoken = netlink._socket = nlsocket.NetlinkSocket.__new__(nlsocket.NetlinkSocket)
    spoken._sequence = 0
    spoken.raw = Kernel(rtnl.address(3, given.ips[0].address), rtnl.route(3, given.routes[0]))
    link, record.baseline = netlink.link("net1"), netlink.vf_state(2, 1)
    this = card.Card(asked.host, record, pf, link, record.baseline, netlink.link_by_index(2))
    this.told = traits.of_link(link) | {"features": "2f"}
    restore.differences(this, record.baseline, as_at_first(this))
    admin.bring_pf_up(this, asked.conf)
    admin.set_mac(this)
    admin.set_knobs(this)
    knobs.own_steps(link, knobs.as_found(record.baseline))
    netlink.move(3, 4, "net1")
    inside = pod.InPod(asked.host, None, netlink, link)
    pod._each(inside, pod._add_address, record.addresses)
    pod._each(inside, pod._add_route, given.routes)
    netlink.announce(3, "10.0.4.2")
    return record, results.render_result(add._result(record, asked.conf, link, given, given.routes), "1.0.0")


def version():
    """What each call does, and little else."""
    door.main({"CNI_COMMAND": "VERSION"}, str, lambda _fd, _text: None)


def rehearse():
    """An ADD, a CHECK and a DEL, as far as they are pure. What one says to the kernel, the others say, too."""
    asked = call("ADD", CONF)
    record, answer = attach(asked, lease(asked))
    record = stored.parsed("record", stored.rendered("record", record.to_json()), Record.from_json)
    conf = CONF | {"prevResult": jsontext.parse(answer)}
    checked, netlink = call("CHECK", conf).conf, asked.host.netlink
    link = netlink.links()[0]
    drift._link(record, link, checked)
    drift._addresses(netlink, record, checked, link)
    drift._routes(netlink, checked)
    knobs.differences(netlink.vf_state(2, 1), record.expected())
    call("DEL", conf)
    pci._canonical.cache_clear()


# For which calls each stands: hot.c puts together what the same ones write to
CALLS = (("VERSION STATUS ADD CHECK DEL", version), ("ADD CHECK DEL", rehearse))

# A type of C that nobody has asked for anything is not ready yet: 45 names would come in at each call
_socket.socket.bind  # noqa: B018
# Which attribute is whose: what the imports asked for would go out one by one in a call, and be written to for that
sys._clear_type_cache()
for _ in range(ROUNDS):
    for _, rehearsed in CALLS:
        rehearsed()
