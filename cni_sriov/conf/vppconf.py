"""What a conf says of VPP: whose it is, where the files of a container's VPP go, and what is in them. Pure.

The path is the operator's; of a pod there are single words in it, which are names and nothing else.
"""

from __future__ import annotations

import re
from typing import Any

from ..words.errors import BadConfig
from ..words.jsontext import words
from ..words.names import is_ifname, is_name
from . import values
from .values import Key, Parser, Table

# placeholder: where its word comes from, for the one who misses it
PLACEHOLDERS = {
    "containerID": "CNI_CONTAINERID",
    "namespace": "CNI_ARGS K8S_POD_NAMESPACE",
    "pod": "CNI_ARGS K8S_POD_NAME",
}
_LITERAL = "[A-Za-z0-9_.+@=,~-]"
_PART = re.compile(f"({_LITERAL}|{{({'|'.join(PLACEHOLDERS)})}})+")
_PLAIN = re.compile(f"(/{_LITERAL}+)+")  # one word for VPP, which cuts at blanks and braces
_NAME_MOST = 253  # of a pod, and of a path's part with little around it
_CORES = re.compile("[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*")
_SIZE = re.compile("[1-9][0-9]{0,5}[MG]")
# In VPP's CLI an interface stands where keywords may stand, which it takes by their beginning (del, local, via ...); a dot
# means a subinterface, and tap0, loop0 ... are names that it gives itself
_VPP_NAME = re.compile(
    "(?!del|all|tap|tun|loop|local|host|memif|pipe|via|use|ip[46]|drop|punt|l2|rx-|out-|udp|resolve|pop|mpls|src|weight|pref)"
    "[a-z][A-Za-z0-9_-]*"
)


def directory(value: Any) -> str:
    path = values.directory(value)
    if not all(_PART.fullmatch(part) for part in path[1:].split("/")):
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise ValueError(
            f"must be of letters, digits and _.+@=,~-, with {known} where a word of the call goes"
        )
    return path


def _plain(most: int) -> Parser:
    def parse(value: Any) -> str:
        path = values.directory(value)
        if not _PLAIN.fullmatch(path) or len(path) > most:
            raise ValueError(f"must be of letters, digits and _.+@=,~-, at most {most}")
        return path

    return parse


def _cores(value: Any) -> str:
    if not _CORES.fullmatch(values.string(value)):
        raise ValueError("must be a list of cores like 2-3,6")
    return str(value)


def _size(value: Any) -> str:
    if not _SIZE.fullmatch(values.string(value)):
        raise ValueError("must be a size like 512M or 1G")
    return str(value)


def _tap_name(value: Any) -> str:
    name = values.string(value)
    if not is_ifname(name) or not re.fullmatch("[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ValueError("must be at most 15 letters, digits and _.-")  # VPP cuts a longer one in silence
    return name


TAP = Table({"name": _tap_name, "defaultRoute": values.boolean})
VPP = Table(
    {
        "mode": Key(values.one_of("container", "host"), "container"),
        "directory": directory,
        "mountedAt": Key(_plain(200), "/etc/vpp/cni-sriov"),
        # with /api.sock it must fit a socket's address (107 bytes): else VPP runs without its API
        "runtimeDir": Key(_plain(90), "/run/vpp"),
        "tap": Key(values.an_object, below=TAP),
        "mainCore": values.integer(0, 1023),
        "workerCores": _cores,
        "buffers": values.integer(1024, 1 << 24),
        "mainHeap": _size,
        "hugepages": Key(values.boolean, True),
        "rxQueues": values.integer(1, 64),
        "socket": Key(values.directory, "/run/vpp/api.sock"),
        "table": Key(values.integer(0, (1 << 32) - 2), 0),  # of VPP's FIB; ~0 means none
    }
)
# of VPP as a whole: what one network of a container says, another may not say otherwise
OPTIONS = ("runtimeDir", "mainCore", "workerCores", "buffers", "mainHeap", "hugepages")


def read(raw: dict[str, Any]) -> dict[str, Any]:
    """`vpp` of the conf, judged; BadConfig."""
    told = VPP.read(raw, "read vpp.")
    if "tap" in told:
        told["tap"] = TAP.read(told["tap"], "read vpp.tap.")
    if told["mode"] == "container" and "directory" not in told:
        raise BadConfig(
            "read vpp: no directory is named",
            'give "directory", the host\'s side of what the container mounts, like /run/vpp-of/{namespace}/{pod}',
        )
    _check_cores(told)
    return told


def _check_cores(told: dict[str, Any]) -> None:
    """VPP ends where its main thread has a worker's core, and by itself it takes the one that it runs on."""
    if "workerCores" not in told:
        return
    if "mainCore" not in told:
        raise BadConfig("read vpp.workerCores: needs a mainCore")
    for part in told["workerCores"].split(","):
        first, _, last = part.partition("-")
        if int(first) <= told["mainCore"] <= int(last or first) or int(last or first) < int(first):
            raise BadConfig(
                f"read vpp.workerCores {told['workerCores']}: must go upwards, without mainCore {told['mainCore']}"
            )


def place(template: str, given: dict[str, str]) -> tuple[str, str]:
    """(the directory of one container, the part of it that no word of a call is in). BadConfig where a word is missing or is
    no name: so none of them can lead out of the path.
    """
    for name, where in PLACEHOLDERS.items():
        word = given.get(name, "")
        if f"{{{name}}}" in template and not is_name(word, _NAME_MOST):
            raise BadConfig(
                f"read vpp.directory {words(template)}: {where} is {words(word)}, which is no name of a directory",
                "leave that placeholder out where the runtime does not send it",
            )
    path = re.sub(r"\{(\w+)\}", lambda found: given[found[1]], template)
    root = template.partition("{")[0].rpartition("/")[0] if "{" in template else template
    return path, root


def vpp_name(ifname: str) -> str:
    """What the VF is called in VPP: as the interface, or BadConfig where VPP would take that for something else."""
    if not _VPP_NAME.fullmatch(ifname):
        raise BadConfig(
            f"use CNI_IFNAME {words(ifname)} in VPP: it cannot be told from a word of VPP's own",
            "call it like net1 or eth1: a small letter first, then letters, digits, _ and -",
        )
    return ifname
