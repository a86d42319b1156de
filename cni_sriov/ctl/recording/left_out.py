"""What is never taken into a recording, and what of it only in part: secrets, what runs on the node for others, what is long
and says nothing of it. By path, whoever asks for it.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator

from .. import golang

LEFT_OUT = "(left out)"
_NEVER = re.compile(
    r"/proc/(\d+|self)/(environ|cmdline|mem|auxv|stack|syscall|pagemap)$|/proc/(kcore|kmsg|kallsyms|keys)$"
    r"|^/sys/.*/(rom|vpd|resource\d+(_wc)?|serial|serial_number|.*_serial|uuid|product_uuid)$"
    r"|^/etc/(g?shadow-?|ssl/|pki/|ssh/|machine-id)|/system-connections/"
    r"|^/etc/cni-sriov/(clusters/|(?!.*\.json$))"
    r"|/clusters/[^/]+/(\.tmp-)?(token|machine)[^/]*$"  # of our state, as state/blocks.py has it
    r"|kubeconfig|\.(key|pem|crt|p12|pfx|jks|keytab)$|/(\.docker|\.kube|\.ssh)/"
)
_GUARDED = r"(?:pass(?:word|wd|phrase)?|secret|token|credential|api_?key|private_?key|auth(?!or)|bearer|kubeconfig|_key|Key)"
# "somePassword": whatever follows, as far as it is a string, a list, or an object without another one in it
_JSON = re.compile(
    rf'("[^"\\]*{_GUARDED}[^"\\]*"\s*:\s*)("(?:[^"\\]|\\.)*"|\[[^\]]*\]|\{{[^{{}}]*\}})', re.IGNORECASE
)
# { user = "x", password = "y" }
_INLINE = re.compile(rf"(?i)([\w.\-]*{_GUARDED}[\w.\-]*\s*=\s*)(\"[^\"]*\"|'[^']*')")
# password = x, token: x (TOML, INI, YAML)
_LINE = re.compile(rf"(?m)^(\s*[\w.\-\"]*{_GUARDED}[\w.\-\"]*\s*[=:][ \t]*)(\S[^\n]*)$", re.IGNORECASE)
_IN_URL = re.compile(r"(\w+://)[^/\s\"@]+@")
_MAPS = re.compile(r"vfio|uio|huge|rte_|librte|dpdk|vpp|vlib|/dev/|/sys/")
_FD = re.compile(r"^/dev/(vfio|uio|hugepages|vhost|vdpa)|huge|rtemap_|rte_|^anon_inode:\[vfio-device\]$")
_MOUNTED = {"hugetlbfs", "sysfs", "nsfs", "proc", "securityfs", "efivarfs", "devtmpfs"}
_MODULES = re.compile(
    r"vfio|uio|pci-stub|igb|ixgbe|i40e|iavf|\bice\b|mlx|mana|bnxt|ena\b|qede|sfc|nfp|cxgb|octeon|qat|virtio"
)


def is_never(path: str) -> bool:
    return _NEVER.search(path) is not None


def may_name(path: str, target: str) -> bool:
    """Whether that link may be told of: what a process has open only where it is about a device."""
    return "/fd/" not in path or not path.startswith("/proc/") or _FD.search(target) is not None


def kept_names(path: str, names: list[str], peek: Callable[[str], str]) -> list[str]:
    """Of a listing. `peek`: what a link in it says."""
    if re.fullmatch(r"/proc/\d+/fd", path):
        return [name for name in names if _FD.search(peek(name))]
    if path == "/run/udev/data":
        return [name for name in names if name.startswith("n")]
    return names


def edited(path: str, content: bytes) -> bytes:
    """What of that file is taken."""
    if content.startswith(golang.ELF):
        return _program(content)
    if path.endswith(".gz"):
        return content
    for pattern, edit in _EDITS:
        if re.search(pattern, path):
            text = edit(content.decode("utf-8", "surrogateescape"))
            return text.encode("utf-8", "surrogateescape")
    return content


def _program(content: bytes) -> bytes:
    """Of a plugin: enough to tell whether it is another one, and of what kind (ctl/doctor/runtimes.py)."""
    head = content[: golang.HEAD]
    return head[:64] + hashlib.sha256(head).digest() + b"".join(golang.NOTE.findall(head)[:1])


def without_secrets(text: str) -> str:
    text = _JSON.sub(rf'\1"{LEFT_OUT}"', text)
    text = _INLINE.sub(rf'\1"{LEFT_OUT}"', text)
    text = _LINE.sub(_line, text)
    text = _IN_URL.sub(rf"\1{LEFT_OUT}@", text)
    return without_passwords(text)


def without_passwords(text: str) -> str:
    """Of Wake-on-LAN, as kernel/ethtool.py tells it."""
    return re.sub(r"\b(password(?:-end)?) \d+", r"\1 0", text)


def _line(found: re.Match[str]) -> str:
    """What is left out stays as a value of its kind: it must be parsed again."""
    value = found[2]
    if value.startswith(("|", ">")) or LEFT_OUT in value:
        return found[0]
    if value.startswith(("{", "[")):
        return found[1] + re.sub(r'"[^"]*"|\'[^\']*\'', f'"{LEFT_OUT}"', value)
    end = "," if value.endswith(",") else ""
    return f'{found[1]}"{LEFT_OUT}"{end}' if '"' in value else f"{found[1]}{LEFT_OUT}{end}"


def _maps(text: str) -> str:
    """Without the addresses, which tell where a process can be hit."""
    kept = []
    for line in text.splitlines():
        where, _, rest = line.partition(" ")
        if _MAPS.search(rest):
            kept.append(f"{'0' * 8}-{'0' * 8} {rest}" if "-" in where else line)
    return "".join(f"{line}\n" for line in kept)


def _mounts(text: str) -> str:
    """Of /proc/mounts: the paths of all others are the containers' own."""
    kept = [line for line in text.splitlines() if len(line.split()) > 2 and line.split()[2] in _MOUNTED]
    return "".join(f"{line}\n" for line in kept)


def _mountinfo(text: str) -> str:
    kept = [line for line in text.splitlines() if line.partition(" - ")[2].split(" ")[0] in _MOUNTED]
    return "".join(f"{line}\n" for line in kept)


def _first_cpu(text: str) -> str:
    return text.partition("\n\n")[0] + "\n"


def _status(text: str) -> str:
    """Of /proc/PID/status: what it may do."""
    return "".join(f"{line}\n" for line in text.splitlines() if line.startswith("CapEff:"))


def _modules(text: str) -> str:
    return "".join(f"{line}\n" for line in text.splitlines() if _MODULES.search(line))


def _cmdline(text: str) -> str:
    """The kernel's: a value that may open something."""
    return re.sub(rf"(?i)(\S*{_GUARDED}\S*=)\S+", rf"\1{LEFT_OUT}", text)


def _contact(text: str) -> str:
    """Of a shared pool: who has these numbers can pass for this node (ADR 0018)."""
    text = re.sub(r'("nonces"\s*:\s*)\[[^\]]*\]', r"\1[]", text)
    return re.sub(r'("(?:nonce|pending)"\s*:\s*)"[^"]*"', r'\1""', text)


_EDITS: tuple[tuple[str, Callable[[str], str]], ...] = (
    (r"/clusters/[^/]+/(\.tmp-)?contact$", _contact),
    (r"^/proc/\d+/maps$", _maps),
    (r"^/proc/\d+/status$", _status),
    (r"^/proc/mounts$|^/proc/\d+/mounts$", _mounts),
    (r"^/proc/(\d+|self)/mountinfo$", _mountinfo),
    (r"^/proc/cpuinfo$", _first_cpu),
    (r"^/proc/cmdline$", _cmdline),
    (r"/modules/[^/]*/modules\.(dep|builtin)$", _modules),
    (r"^/(etc|run|var|opt|home|root|usr/(lib|share)/(containers|modprobe\.d))/", without_secrets),
)


def of_present(path: str, content: bytes, present: set[tuple[str, str]]) -> bytes:
    """Of lists of all devices that there are: what is about those, as (vendor, device) in hex."""
    name = path.rpartition("/")[2]
    if name not in {"pci.ids", "modules.alias", "modules.builtin.modinfo"}:
        return content
    text = content.decode("utf-8", "surrogateescape")
    if name == "pci.ids":
        kept = "".join(f"{line}\n" for line in _names(text, present))
    else:
        vendors = tuple(f"pci:v{vendor.upper():>08}" for vendor in sorted({vendor for vendor, _ in present}))
        end = "\0" if name == "modules.builtin.modinfo" else "\n"
        kept = "".join(f"{one}{end}" for one in text.split(end) if _is_about(one, vendors))
    return kept.encode("utf-8", "surrogateescape")


def _is_about(text: str, vendors: tuple[str, ...]) -> bool:
    """An alias: alias pci:v00008086d... igb; igb.alias=pci:v00008086d..."""
    found = re.search(r"\balias[ =](vfio_)?(pci:v\S*)", text)
    return found is not None and (found[2].startswith((*vendors, "pci:v*")) or found[1] is not None)


def _names(text: str, present: set[tuple[str, str]]) -> Iterator[str]:
    vendor, vendors = "", {known for known, _ in present}
    for line in text.splitlines():
        if re.match(r"[0-9a-f]{4}  ", line):
            vendor = line[:4]
            if vendor in vendors:
                yield line
        elif line.startswith("\t") and line[1:2] != "\t" and (vendor, line[1:5]) in present:
            yield line


def lines_about(path: str, content: bytes, whose: set[str]) -> bytes:
    """Of a log: what it tells of others is theirs."""
    is_packed = path.endswith(".gz")
    if is_packed:
        try:
            content = zlib.decompressobj(wbits=31).decompress(content, 1 << 24)
        except zlib.error:
            content = b""
    names = [name.encode("utf-8", "surrogateescape") for name in sorted(whose)]
    kept = b"".join(line for line in content.splitlines(keepends=True) if any(name in line for name in names))
    return gzip.compress(kept, mtime=0) if is_packed else kept
