"""Requests and responses of AWS's query protocol, by botocore's model of an operation.

A request is a form: `ContextEntries.member.1.ContextKeyName=aws:username`. A response is XML.

Source: the Smithy specification of awsQuery.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

__all__ = ["CONTENT_TYPE", "dump", "load"]

CONTENT_TYPE = "text/xml"

_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BOOLEANS = {"true": True, "false": False}


def load(body: bytes, shape: Any) -> dict[str, Any]:
    """The parameters of a request.

    Args:
        body: a form.
        shape: of the operation's input; None if it takes nothing.
    """
    given = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    found = _read(_tree(given), shape) if shape is not None else {}
    return dict(found)


def dump(response: Mapping[str, Any], model: Any) -> bytes:
    """The body of a response.

    Args:
        response: the members of the output.
        model: of the operation.
    """
    root = ET.Element(f"{model.name}Response")
    space = model.service_model.metadata.get("xmlNamespace")
    if space:
        root.set("xmlns", space)
    shape = model.output_shape
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{model.name}Result")
        _write(root, wrapper, response, shape)
    told = ET.SubElement(root, "ResponseMetadata")
    ET.SubElement(told, "RequestId").text = str(uuid.uuid4())
    return b'<?xml version="1.0" encoding="UTF-8"?>' + ET.tostring(root)


def _tree(fields: Mapping[str, str]) -> dict[str, Any]:
    """Fields by the parts of their names: {"a.b": "x"} is {"a": {"b": "x"}}."""
    root: dict[str, Any] = {}
    for name, value in fields.items():
        *way, last = name.split(".")
        here = root
        for part in way:
            below = here.setdefault(part, {})
            here = below if isinstance(below, dict) else here.setdefault(f"{part}.", {})
        here[last] = value
    return root


def _name(shape: Any, otherwise: str) -> str:
    return str(shape.serialization.get("name", otherwise))


def _read(node: Any, shape: Any) -> Any:
    """A value from the form; what does not fit the shape stays, for the check to find."""
    kind = shape.type_name
    if kind == "structure" and isinstance(node, dict):
        named = {name: _name(member, name) for name, member in shape.members.items()}
        return {
            name: _read(node[key], shape.members[name])
            for name, key in named.items()
            if key in node
        }
    if kind == "list":
        return _read_list(node, shape)
    if kind == "map" and isinstance(node, dict):
        return _read_map(node, shape)
    return _read_text(node, kind) if isinstance(node, str) else node


def _read_map(node: Mapping[str, Any], shape: Any) -> Any:
    """A map; what is none is text that tells what came."""
    entries = node if shape.serialization.get("flattened") else node.get("entry", {})
    key, value = _name(shape.key, "key"), _name(shape.value, "value")
    pairs = _numbered(entries) if isinstance(entries, dict) else []
    if not pairs or not all(isinstance(each, dict) and key in each for each in pairs):
        return str(node)
    return {each[key]: _read(each.get(value), shape.value) for each in pairs}


def _read_list(node: Any, shape: Any) -> Any:
    if node == "":
        return []  # as clients say that a list is empty
    if not isinstance(node, dict):
        return node
    if not shape.serialization.get("flattened"):
        node = node.get(_name(shape.member, "member"), {})
        if not isinstance(node, dict):
            return node
    return [_read(each, shape.member) for each in _numbered(node)]


def _numbered(node: Mapping[str, Any]) -> list[Any]:
    """What is numbered, in the order of the numbers."""
    numbers = sorted((name for name in node if name.isdecimal()), key=int)
    return [node[number] for number in numbers]


def _read_text(text: str, kind: str) -> Any:
    if kind == "boolean":
        return _BOOLEANS.get(text.lower(), text)
    try:
        if kind in {"integer", "long"}:
            return int(text)
        if kind in {"float", "double"}:
            return float(text)
        if kind == "timestamp":
            return _moment(text)
        return base64.b64decode(text) if kind == "blob" else text
    except (ValueError, OverflowError):
        return text


def _moment(text: str) -> datetime:
    if re.fullmatch(r"[\d.]+", text):
        return datetime.fromtimestamp(float(text), UTC)
    return datetime.fromisoformat(text)


def _write(parent: ET.Element, name: str, value: Any, shape: Any) -> None:
    """Append a value; of a list, all its items."""
    kind = shape.type_name
    flat = bool(shape.serialization.get("flattened"))
    if kind == "list":
        holder = parent if flat else ET.SubElement(parent, name)
        item = _name(shape.member, name if flat else "member")
        for each in value:
            _write(holder, item, each, shape.member)
    elif kind == "map":
        holder = parent if flat else ET.SubElement(parent, name)
        for key, each in value.items():
            entry = ET.SubElement(holder, name if flat else "entry")
            _write(entry, _name(shape.key, "key"), key, shape.key)
            _write(entry, _name(shape.value, "value"), each, shape.value)
    elif kind == "structure":
        holder = ET.SubElement(parent, name)
        for member, each in value.items():
            if each is not None:
                _write(holder, _name(shape.members[member], member), each, shape.members[member])
    else:
        ET.SubElement(parent, name).text = _text(value, kind)


def _text(value: Any, kind: str) -> str:
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "timestamp":
        return str(value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))
    text = base64.b64encode(value).decode() if kind == "blob" else str(value)
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
