"""A client of the CRI, as the kubelet is one: JSON in, JSON out, in the guest. The messages were compiled from api.proto.

Input is a list of chains, each a list of [method, request]; a chain's calls are made one after another, the chains side by
side, as many as the argument says. "$pod_sandbox_id" and "$container_id" in a request stand for what the chain's calls have
answered. A call that fails ends its chain. Output is a list of lists of answers; a refusal is {"code": ..., "details": ...}
as gRPC tells it.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import api_pb2
import grpc
from google.protobuf import json_format

SOCKET = "unix:///run/containerd/containerd.sock"
TIMEOUT_S = 120
IDS = ("pod_sandbox_id", "container_id")
SERVICES = api_pb2.DESCRIPTOR.services_by_name


def call(channel: Any, method: str, request: Any) -> Any:
    service = next(found for found in SERVICES.values() if method in found.methods_by_name)
    asked, answered = (
        getattr(api_pb2, kind.name)
        for kind in (service.methods_by_name[method].input_type, service.methods_by_name[method].output_type)
    )
    stub = channel.unary_unary(
        f"/{service.full_name}/{method}",
        request_serializer=asked.SerializeToString,
        response_deserializer=answered.FromString,
    )
    try:
        answer = stub(json_format.ParseDict(request, asked()), timeout=TIMEOUT_S)
    except grpc.RpcError as refusal:
        return {"code": refusal.code().name, "details": refusal.details()}
    return json_format.MessageToDict(answer, preserving_proto_field_name=True)


def run(channel: Any, chain: Any) -> Any:
    answers: list[Any] = []
    known: dict[str, str] = {}
    for method, request in chain:
        text = json.dumps(request)
        for name, value in known.items():
            text = text.replace(f"${name}", value)
        answers.append(call(channel, method, json.loads(text)))
        if "code" in answers[-1]:
            break
        known |= {name: answers[-1][name] for name in IDS if name in answers[-1]}
    return answers


with grpc.insecure_channel(SOCKET) as channel, ThreadPoolExecutor(int(sys.argv[1])) as pool:
    print(json.dumps(list(pool.map(lambda chain: run(channel, chain), json.load(sys.stdin)))))
