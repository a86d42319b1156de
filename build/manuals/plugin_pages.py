"""sriov(8) and host-subnet(8), by the doors: their verbs, what the call must have, and the error codes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from roff import FILES, document, listed, literal, plain, roff

from cni_sriov.doors import calls
from cni_sriov.doors.cni import GIVES
from cni_sriov.wire import netavark
from cni_sriov.wire.cni import KNOWN_ARGS, VERBS
from cni_sriov.words.errors import CODES
from cni_sriov.words.versions import VERSIONS

ROOT = Path(__file__).parents[2]
ERRORS = ROOT / "docs" / "errors.md"
INTRODUCTION = {
    "sriov": (
        "sriov is called by a container runtime for each interface of a container: by containerd, CRI-O, podman, Multus or"
        " cnitool. It picks a free virtual function (VF) of a network card, sets it up, moves it into the container, and takes it"
        " back later as it was. It is started anew for each call, and there is no daemon."
    ),
    "host-subnet": (
        "host-subnet is called by a CNI plugin whose configuration has it as the type of its ipam. Each interface gets a subnet of"
        " its own out of a pool, one that overlaps no other on this node. Under the plugin sriov it runs within that."
    ),
}
CALL = (
    "A verb in CNI_COMMAND and a configuration on standard input, as the CNI specification has it, versions {versions}."
    " The answer is one JSON document on standard output; log lines go to standard error, or where the configuration says."
    " The configuration is described in `cni-sriov.conf`(5), and judged by `sriovctl validate`."
)
NETAVARK = (
    "Without CNI_COMMAND, {verbs} as the first argument is the call of podman 5, whose network stack netavark takes sriov as a"
    " plugin of its own."
)
PERSON = "Without CNI_COMMAND, `--help` or `--version` as the first argument says what it is."
LEASES = {  # what those of sriov do is in the modules themselves
    "ADD": "lease a subnet of each pool, and answer with the addresses and routes of the interface.",
    "CHECK": "whether the leases are there, and are those of this interface.",
    "DEL": "give them back. Nothing there is success, again and again.",
    "GC": "give back those of every attachment of this network that the runtime no longer knows.",
    "STATUS": "could an ADD be served now?",
}
VARIABLES = {
    "CNI_CONTAINERID": "the container; with CNI_IFNAME it names the attachment",
    "CNI_NETNS": "the path of its network namespace",
    "CNI_IFNAME": "the name of its interface",
}
ENVIRONMENT = (
    ("CNI_ARGS", f"KEY=VALUE;KEY=VALUE, of {', '.join(KNOWN_ARGS)}"),
    ("CNI_PATH", "where another IPAM plugin is looked for"),
    ("CNI_NETNS_OVERRIDE", "1 lets CNI_NETNS be the plugin's own"),
    ("CNI_SRIOV_TIMES", "1 tells on standard error where the time of the call went"),
    ("TRACEPARENT", "the caller's trace, which each log line then has"),
)
STATUS = (
    ("0", "done; nothing but the answer is on standard output"),
    ("1", "it failed; the document there has `code`, `msg` and `details`"),
)
SPOKEN = "CNI_COMMAND=VERSION {directory}/{name} </dev/null"
DIRECTORY = "/opt/cni/bin"


def sriov() -> str:
    call = [*_paragraphs(INTRODUCTION["sriov"], _call()), ".PP"]
    call += [
        *roff(NETAVARK.format(verbs=", ".join(f"`{verb}`" for verb in netavark.VERBS))),
        ".PP",
        *roff(PERSON),
    ]
    synopsis = [*_synopsis("sriov"), ".br", f"\\fBsriov\\fR {'|'.join(map(_bold, netavark.VERBS))}"]
    about = {verb: _said(sys.modules[run.__module__]) for verb, run in calls.RUN.items()}
    return _page("sriov", synopsis, call, about)


def host_subnet() -> str:
    call = [*_paragraphs(INTRODUCTION["host-subnet"], _call(), PERSON)]
    return _page("host-subnet", _synopsis("host-subnet"), call, LEASES)


def _page(name: str, synopsis: list[str], call: list[str], about: dict[str, str]) -> str:
    verbs = [(verb, f"{about[verb]} Since CNI {VERBS[verb].since}.") for verb in VERBS]
    sections = {
        "SYNOPSIS": synopsis,
        "DESCRIPTION": call,
        "VERBS": listed([*verbs, ("VERSION", "which versions of CNI it speaks.")]),
        "ENVIRONMENT": listed([_command(), *_needed(), *ENVIRONMENT]),
        "EXIT STATUS": listed(STATUS),
        "ERRORS": _errors(),
        "FILES": listed(FILES),
        "EXAMPLES": literal(SPOKEN.format(directory=DIRECTORY, name=name)),
    }
    return document(name, f"CNI plugin that gives {GIVES[name]}", sections)


def _synopsis(name: str) -> list[str]:
    return [
        f"CNI_COMMAND=\\fIVERB\\fR ... {_bold(name)} < \\fICONFIGURATION\\fR",
        ".br",
        f"{_bold(name)} {_bold('--help')}|{_bold('--version')}",
    ]


def _bold(word: str) -> str:
    return f"\\fB{plain(word)}\\fR"


def _call() -> str:
    return CALL.format(versions=f"{VERSIONS[0]} to {VERSIONS[-1]}")


def _paragraphs(*texts: str) -> list[str]:
    return [line for n, text in enumerate(texts) for line in (*([".PP"] if n else []), *roff(text))]


def _said(module: object) -> str:
    """The first paragraph of its docstring, without the verb at its beginning."""
    told = " ".join((module.__doc__ or "").partition("\n\n")[0].split())
    return told.partition(": ")[2]


def _command() -> tuple[str, str]:
    return "CNI_COMMAND", f"{', '.join(VERBS)} or VERSION"


def _needed() -> list[tuple[str, str]]:
    return [
        (
            name,
            f"{about}. Needed for {', '.join(verb for verb, asked in VERBS.items() if name in asked.needs)}",
        )
        for name, about in VARIABLES.items()
    ]


def _errors() -> list[str]:
    """When, and what to do: as on the page of errors, which a test holds against CODES."""
    rows = re.findall(
        r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", ERRORS.read_text("utf-8"), re.MULTILINE
    )
    if [int(code) for code, *_ in rows] != list(CODES):
        raise ValueError(f"{ERRORS}: its table has other codes than words/errors.py")
    return [
        line
        for code, name, when, remedy in rows
        for line in (
            ".TP",
            f"{_bold(code)}, {plain(name)}",
            *roff(_sentence(when)),
            ".br",
            *roff(_sentence(remedy)),
        )
    ]


def _sentence(cell: str) -> str:
    """Of a cell of a table in Markdown: where a link leads to is left out, and a page is named by its path."""
    text = re.sub(r" \(\[[^]]*\]\([^)]*\)\)", "", cell)
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"docs/\1", text).strip().rstrip(".")
    return f"{text[0].upper()}{text[1:]}."
