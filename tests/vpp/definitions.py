"""What vpp_papi needs to know of VPP 23.06, written by hand: it brings the handshake's messages, and a running VPP its own files
(/usr/share/vpp/api). Types are flat here: an address is its bytes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = (["u8", "af"], ["u8", "address", 16], ["u8", "len"])
RETVAL = (["i32", "retval"],)
INDEX = (["u32", "sw_if_index"],)
FAMILY = (*INDEX, ["bool", "is_ipv6"])
# name: (CRC, fields, CRC of its answer, the answer's fields)
MESSAGES: dict[str, tuple[str, tuple[list[Any], ...], str, tuple[list[Any], ...]]] = {
    "show_version": (
        *("51077d14", (), "c919bde1"),
        (
            *RETVAL,
            ["string", "program", 32],
            ["string", "version", 32],
            ["string", "build_date", 32],
            ["string", "build_directory", 256],
        ),
    ),
    "sw_interface_set_flags": ("f5aec1b8", (*INDEX, ["u32", "flags"]), "e8d4e804", RETVAL),
    "sw_interface_set_mtu": ("5cbe85e5", (*INDEX, ["u32", "mtu", 4]), "e8d4e804", RETVAL),
    "sw_interface_set_table": ("df42a577", (*FAMILY, ["u32", "vrf_id"]), "e8d4e804", RETVAL),
    "sw_interface_get_table": ("2d033de4", FAMILY, "a6eb0109", (*RETVAL, ["u32", "vrf_id"])),
    "sw_interface_add_del_address": (
        *("5463d73b", (*INDEX, ["bool", "is_add"], ["bool", "del_all"], *PREFIX)),
        *("e8d4e804", RETVAL),
    ),
    "tap_create_v3": (
        "3f3fd1df",
        (
            *(["u32", "id"], ["bool", "use_random_mac"], ["u8", "mac_address", 6]),
            *(
                ["u16", "num_rx_queues"],
                ["u16", "num_tx_queues"],
                ["u16", "tx_ring_sz"],
                ["u16", "rx_ring_sz"],
            ),
            *(["bool", "host_mtu_set"], ["u32", "host_mtu_size"]),
            *(["bool", "host_mac_addr_set"], ["u8", "host_mac_addr", 6]),
            *(["bool", "host_ip4_prefix_set"], ["u8", "host_ip4", 4], ["u8", "host_ip4_len"]),
            *(["bool", "host_ip6_prefix_set"], ["u8", "host_ip6", 16], ["u8", "host_ip6_len"]),
            *(["bool", "host_ip4_gw_set"], ["u8", "host_ip4_gw", 4]),
            *(["bool", "host_ip6_gw_set"], ["u8", "host_ip6_gw", 16]),
            ["u32", "tap_flags"],
            *(["bool", "host_namespace_set"], ["string", "host_namespace", 64]),
            *(["bool", "host_if_name_set"], ["string", "host_if_name", 64]),
            *(["bool", "host_bridge_set"], ["string", "host_bridge", 64]),
            ["string", "tag", 0],
        ),
        "5383d31f",
        (*RETVAL, *INDEX),
    ),
    "tap_delete_v2": ("f9e6675e", INDEX, "e8d4e804", RETVAL),
    "cli_inband": ("f8377302", (["string", "cmd", 0],), "05879051", (*RETVAL, ["string", "reply", 0])),
}
DUMPS: dict[str, tuple[str, tuple[list[Any], ...], str, str, tuple[list[Any], ...]]] = {
    "sw_interface_dump": (
        "aa610c27",
        (*INDEX, ["bool", "name_filter_valid"], ["string", "name_filter", 0]),
        *("sw_interface_details", "6c221fc7"),
        (
            *(*INDEX, ["u32", "sup_sw_if_index"], ["u8", "l2_address", 6], ["u32", "flags"], ["u32", "type"]),
            *(["u32", "link_duplex"], ["u32", "link_speed"], ["u16", "link_mtu"], ["u32", "mtu", 4]),
            *(["u32", "sub_id"], ["u8", "sub_number_of_tags"], ["u16", "outer_vlan"], ["u16", "inner_vlan"]),
            *(["u32", "sub_if_flags"], ["u32", "vtr_op"], ["u32", "vtr_push_dot1q"], ["u32", "vtr_tag1"]),
            *(["u32", "vtr_tag2"], ["u16", "outer_tag"], ["u8", "b_dmac", 6], ["u8", "b_smac", 6]),
            *(["u16", "b_vlanid"], ["u32", "i_sid"]),
            *(["string", "interface_name", 64], ["string", "interface_dev_type", 64], ["string", "tag", 64]),
        ),
    ),
    "ip_address_dump": ("2d033de4", FAMILY, "ip_address_details", "ee29b797", (*INDEX, *PREFIX)),
}
# vpp_papi looks whether it can read these
FAMILIES: list[Any] = ["address_family", ["ADDRESS_IP4", 0], ["ADDRESS_IP6", 1], {"enumtype": "u8"}]


def write(path: Path) -> str:
    """As a file of VPP's; the answer is its name."""
    messages: list[Any] = []
    services: dict[str, dict[str, Any]] = {}
    for name, (crc, fields, answer_crc, answer) in MESSAGES.items():
        messages += [_request(name, crc, fields), _answer(f"{name}_reply", answer_crc, answer)]
        services[name] = {"reply": f"{name}_reply"}
    for name, (crc, fields, details, details_crc, answer) in DUMPS.items():
        messages += [_request(name, crc, fields), _answer(details, details_crc, answer)]
        services[name] = {"reply": details, "stream": True}
    told = {"types": [], "unions": [], "enums": [FAMILIES], "enumflags": [], "aliases": {}}
    path.write_text(json.dumps(told | {"messages": messages, "services": services}))
    return str(path)


def _request(name: str, crc: str, fields: tuple[list[Any], ...]) -> list[Any]:
    head = [["u16", "_vl_msg_id"], ["u32", "client_index"], ["u32", "context"]]
    return [name, *head, *fields, {"crc": f"0x{crc}"}]


def _answer(name: str, crc: str, fields: tuple[list[Any], ...]) -> list[Any]:
    return [name, ["u16", "_vl_msg_id"], ["u32", "context"], *fields, {"crc": f"0x{crc}"}]
