"""What the server does for each verb, by "Kubernetes API Concepts" and "API Conventions"."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import yaml

from . import schema, status
from .schema import Resource
from .status import Cause
from .store import Place, Store, now

Json = dict[str, Any]
# "Object Names and IDs": DNS subdomain names
LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = re.compile(rf"{LABEL}(\.{LABEL})*", re.ASCII)
SAYS_NAME = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    f"with an alphanumeric character (e.g. 'example.com', regex used for validation is '{LABEL}(\\.{LABEL})*')"
)
MAX_BODY = 3 << 20
JSON_TYPE = "application/json"
BODIES = {JSON_TYPE, "application/yaml", ""}
MERGE = "application/merge-patch+json"
META = "meta.k8s.io/v1"


class Asked(NamedTuple):
    """One request for objects, as its address and headers say."""

    resource: Resource
    namespace: str
    name: str
    subresource: str
    query: dict[str, str]
    accept: str
    content_type: str
    body: bytes

    @property
    def place(self) -> Place:
        return self.namespace, self.name

    @property
    def is_dry(self) -> bool:
        return self.query.get("dryRun") == "All"


class Verbs:
    """Each answers a status code and a document; `Refused` else."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def get(self, asked: Asked) -> tuple[int, Json]:
        found = self.store.get(asked.resource, asked.place)
        wanted = accepted(asked.accept)
        return 200, found if not wanted else _partial(found)

    def list(self, asked: Asked) -> tuple[int, Json]:
        wanted, query = accepted(asked.accept), asked.query
        token, limit = query.get("continue", ""), _number(query.get("limit", "0"))
        if token and query.get("resourceVersion", "0") not in {"", "0"}:
            raise status.bad_request("specifying resource version is not allowed when using continue")
        page = self.store.page(asked.resource, asked.namespace, limit, token)
        chosen = _selected(page.items, query)
        metadata: Json = {"continue": page.after, "resourceVersion": page.version}
        if page.remaining is not None and chosen is page.items:
            metadata["remainingItemCount"] = page.remaining
        if wanted:
            partial = [_partial(found) for found in chosen]
            metadata.pop("remainingItemCount", None)
            return 200, {"kind": wanted, "apiVersion": META, "metadata": metadata, "items": partial}
        kind = f"{asked.resource.kind}List"
        return 200, {
            "apiVersion": asked.resource.api_version,
            "items": chosen,
            "kind": kind,
            "metadata": metadata,
        }

    def create(self, asked: Asked) -> tuple[int, Json]:
        document = self._sent(asked)
        metadata = document["metadata"]
        if metadata.get("resourceVersion"):
            raise status.unnamed("resourceVersion should not be set on objects to be created")
        name = metadata.get("name", "")
        found = self._judged(asked.resource, document, name)
        found["metadata"]["managedFields"] = [_managed(asked)]
        return 201, self.store.add(asked.resource, (asked.namespace, name), found, keep=not asked.is_dry)

    def update(self, asked: Asked) -> tuple[int, Json]:
        document = self._sent(asked)
        metadata, name = document["metadata"], asked.name
        if metadata.get("name", "") != name:
            said = f"the name of the object ({metadata.get('name', '')}) does not match the name on the URL ({name})"
            raise status.bad_request(said)
        if not metadata.get("resourceVersion"):
            cause = Cause(
                "metadata.resourceVersion",
                "FieldValueInvalid",
                "Invalid value: 0x0: must be specified for an update",
            )
            raise status.invalid(asked.resource.plural, asked.resource.group, name, [cause])
        found = self._judged(asked.resource, document, name)
        return 200, self.store.replace(asked.resource, asked.place, found, keep=not asked.is_dry)

    def patch(self, asked: Asked) -> tuple[int, Json]:
        """A merge patch alone; JSON Patch and server-side apply this stand-in has not."""
        if asked.content_type != MERGE:
            raise status.unsupported(f"application/json-patch+json, {MERGE}, application/apply-patch+yaml")
        held = self.store.get(asked.resource, asked.place)
        merged = _merged(held, parsed(asked.body))
        found = self._judged(asked.resource, merged, asked.name)
        return 200, self.store.replace(asked.resource, asked.place, found, keep=not asked.is_dry)

    def delete(self, asked: Asked) -> tuple[int, Json]:
        options = parsed(asked.body) if asked.body else {}
        if options.get("kind", "DeleteOptions") != "DeleteOptions":
            raise status.unnamed(f'no kind "{options["kind"]}" is registered for version "meta.k8s.io/v1"')
        preconditions = options.get("preconditions") or {}
        if any(not isinstance(value, str) for value in preconditions.values()):
            raise status.unnamed('v1.DeleteOptions.Preconditions: ReadString: expects " or n')
        resource = asked.resource
        was = self.store.remove(resource, asked.place, preconditions, keep=not asked.is_dry)
        if "deletionTimestamp" in was["metadata"]:
            return 200, was
        details = status.details(asked.name, resource.group, resource.plural)
        return 200, status.deleted(details | {"uid": was["metadata"]["uid"]})

    def deletecollection(self, asked: Asked) -> tuple[int, Json]:
        found = self.store.all(asked.resource, asked.namespace)
        for document in found:
            metadata = document["metadata"]
            self.store.remove(asked.resource, (metadata.get("namespace", ""), metadata["name"]), {})
        kind = f"{asked.resource.kind}List"
        metadata = {"continue": "", "resourceVersion": str(self.store.version)}
        return 200, {
            "apiVersion": asked.resource.api_version,
            "items": found,
            "kind": kind,
            "metadata": metadata,
        }

    def _sent(self, asked: Asked) -> Json:
        """The object of the body, of the resource's own kind."""
        if asked.content_type not in BODIES:
            raise status.unsupported(
                "application/json, application/yaml, application/vnd.kubernetes.protobuf"
            )
        document, resource = parsed(asked.body), asked.resource
        if not document.get("kind") or not document.get("apiVersion"):
            missing = "Kind" if not document.get("kind") else "apiVersion"
            raise status.bad_request(f"Object '{missing}' is missing in '{asked.body.decode()}'")
        if document["apiVersion"] != resource.api_version:
            said = f"the API version in the data ({document['apiVersion']}) does not match the expected API version"
            raise status.bad_request(f"{said} ({resource.api_version})")
        if document["kind"] != resource.kind:
            cause = Cause(
                "kind", "FieldValueInvalid", f'Invalid value: "{document["kind"]}": must be {resource.kind}'
            )
            name = (document.get("metadata") or {}).get("name", "")
            raise status.invalid(document["kind"], resource.group, name, [cause])
        document["metadata"] = dict(document.get("metadata") or {})
        return document

    @staticmethod
    def _judged(resource: Resource, document: Json, name: str) -> Json:
        found = document if resource.schema is None else schema.judged(document, resource.schema)
        problems = _of_name(name) + ([] if resource.schema is None else schema.causes(found, resource.schema))
        if problems:
            raise status.invalid(resource.kind, resource.group, name, problems)
        return found


def accepted(header: str) -> str:
    """Nothing for the objects themselves, else the kind of metadata alone ("Metadata-only fetches"): the first that is known."""
    for entry in (header or "*/*").split(","):
        media, *parameters = [word.strip() for word in entry.split(";")]
        wanted = dict(word.partition("=")[::2] for word in parameters).get("as", "")
        if media in {"*/*", "application/*", JSON_TYPE} and wanted in {
            "",
            "PartialObjectMetadataList",
            "PartialObjectMetadata",
        }:
            return wanted
    raise status.not_acceptable()


def _managed(asked: Asked) -> Json:
    """Of "Server-Side Apply", Field management, what a client must expect to find in metadata."""
    kind: Json = {
        "apiVersion": asked.resource.api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {".": {}}},
    }
    return kind | {"manager": "unknown", "operation": "Update", "time": now()}


def _of_name(name: str) -> list[Cause]:
    if not name:
        return [
            Cause("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")
        ]
    if len(name) > 253:
        said = f'Invalid value: "{name}": must be no more than 253 characters'
        return [Cause("metadata.name", "FieldValueInvalid", said)]
    if not SUBDOMAIN.fullmatch(name):
        return [Cause("metadata.name", "FieldValueInvalid", f'Invalid value: "{name}": {SAYS_NAME}')]
    return []


def _selected(items: list[Json], query: dict[str, str]) -> list[Json]:
    """By a field selector of the name, which is all that custom resources have, or by labels that are equal."""
    fields, labels = query.get("fieldSelector", ""), query.get("labelSelector", "")
    for wanted in filter(None, fields.split(",")):
        key, _, value = wanted.replace("==", "=").partition("=")
        if key != "metadata.name":
            raise status.bad_request(f"field label not supported: {key}")
        items = [found for found in items if found["metadata"]["name"] == value]
    for wanted in filter(None, labels.split(",")):
        key, _, value = wanted.replace("==", "=").partition("=")
        items = [found for found in items if found["metadata"].get("labels", {}).get(key) == value]
    return items


def _partial(document: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": document["metadata"]}


def _number(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]+", text or "0"):
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return max(int(text or "0"), 0)


def parsed(body: bytes) -> Json:
    if len(body) > MAX_BODY:
        raise status.too_large()
    try:
        document = json.loads(body) if body.lstrip()[:1] == b"{" else yaml.safe_load(body)
    except (ValueError, yaml.YAMLError) as wrong:
        raise status.bad_request(
            f"the object provided is unrecognized (must be of type Object): {wrong}"
        ) from None
    if not isinstance(document, dict):
        raise status.bad_request("the object provided is unrecognized (must be of type Object)")
    return document


def _merged(value: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    found = dict(value) if isinstance(value, dict) else {}
    for key, inner in patch.items():
        if inner is None:
            found.pop(key, None)
        else:
            found[key] = _merged(found.get(key), inner)
    return found
