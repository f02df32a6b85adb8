"""What an artefact says of itself, in one canonical form that shows any change."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlref import errors
from mlref.schema import Schema

__all__ = [
    "FORMAT",
    "MANIFEST",
    "Manifest",
    "Output",
    "canonical",
    "json_values",
    "label",
    "sha256",
    "text_of",
]

FORMAT = "mlref-artifact/1"
"""The format of the manifest. A folder of another format is refused."""

MANIFEST = "manifest.json"

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TEXTS = ("name", "version", "created", "licence")
_MAPS = ("files", "metrics", "training_data", "libraries")


@dataclass(frozen=True)
class Output:
    """What the model gives for a row: `name` in the graph, dtype, and shape () or (classes,)."""

    name: str
    dtype: str
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """What an artefact says of itself. `files` maps each other file to its SHA-256 (hex)."""

    name: str
    version: str
    created: str
    inputs: Schema
    output: Output
    files: Mapping[str, str]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    training_data: Mapping[str, Any] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""

    def to_bytes(self) -> bytes:
        """The manifest as it stands in the file: canonical JSON with a digest over itself."""
        values = self._values()
        values["digest"] = sha256(canonical(values))
        return canonical(values)

    def _values(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "created": self.created,
            "inputs": self.inputs.to_list(),
            "outputs": [
                {
                    "name": self.output.name,
                    "dtype": self.output.dtype,
                    "shape": list(self.output.shape),
                }
            ],
            "files": dict(self.files),
            "metrics": dict(self.metrics),
            "training_data": dict(self.training_data),
            "libraries": dict(self.libraries),
            "licence": self.licence,
        }

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """The manifest that `to_bytes` wrote.

        Raises:
            ArtifactTamperedError: a byte differs from what was packed.
            ArtifactSchemaError: it is of another format.
        """
        try:
            values = json.loads(data)
            canonical(values)  # NaN and half of a surrogate pair are read, but are not JSON
        except (ValueError, RecursionError) as error:
            text = f"{MANIFEST} is not JSON ({error}); get the artefact again"
            raise errors.ArtifactTamperedError(text, file=MANIFEST) from error
        found = values.get("format") if isinstance(values, dict) else None
        if found != FORMAT and not (isinstance(values, dict) and "digest" in values):
            text = f"{MANIFEST} is no artefact's manifest: format must be {FORMAT!r}, got {found!r}"
            raise errors.ArtifactSchemaError(text, file=MANIFEST)
        digest = values.pop("digest", None)
        whole = canonical({**values, "digest": digest})
        if digest != sha256(canonical(values)) or whole != data:
            text = f"{MANIFEST} was changed after it was packed; get the artefact again"
            raise errors.ArtifactTamperedError(text, file=MANIFEST)
        if found != FORMAT:
            text = f"{MANIFEST} has format {found!r}, this mlref reads {FORMAT!r}; pack it again"
            raise errors.ArtifactSchemaError(text, file=MANIFEST)
        try:
            return cls._from_values(values)
        except (KeyError, TypeError, ValueError) as error:
            text = f"{MANIFEST} does not hold what {FORMAT} needs: {error!r}"
            raise errors.ArtifactSchemaError(text, file=MANIFEST) from error

    @classmethod
    def _from_values(cls, values: Mapping[str, Any]) -> Manifest:
        (output,) = values["outputs"]
        wrong = [name for name in _TEXTS if not isinstance(values[name], str)]
        wrong += [name for name in _MAPS if not isinstance(values[name], dict)]
        if wrong or not isinstance(output["name"], str):
            raise ValueError(f"wrong type of {', '.join(wrong) or 'the name of the output'}")
        return cls(
            name=values["name"],
            version=values["version"],
            created=values["created"],
            inputs=Schema.from_list(values["inputs"]),
            output=Output(output["name"], output["dtype"], tuple(output["shape"])),
            files=values["files"],
            metrics=values["metrics"],
            training_data=values["training_data"],
            libraries=values["libraries"],
            licence=values["licence"],
        )


def canonical(values: Any) -> bytes:
    """JSON in one form: equal values give equal bytes."""
    text = json.dumps(values, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def json_values(value: Any, where: str) -> Any:
    """The same as plain JSON values; NumPy's numbers and arrays, and tuples, become Python's own.

    Args:
        value: what somebody wants to keep in the manifest.
        where: what errors call it, for instance "metrics".

    Raises:
        ArtifactSchemaError: a number that is not finite, a key that is not text, or another object.
    """
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value):
        return value
    if isinstance(value, (list, tuple)):
        return [json_values(each, f"{where}[{n}]") for n, each in enumerate(value)]
    if isinstance(value, Mapping):
        wrong = [key for key in value if not isinstance(key, str)]
        if wrong:
            text = f"{where} must have text as keys, got {wrong[0]!r}; write str({wrong[0]!r})"
            raise errors.ArtifactSchemaError(text, file=MANIFEST)
        return {
            json_values(key, f"a key of {where}"): json_values(each, f"{where}[{key!r}]")
            for key, each in value.items()
        }
    text = (
        f"{where} must be a JSON value (a finite number, text, a list, an object or None), "
        f"got {value!r}; leave it out, or give None where it is unknown"
    )
    raise errors.ArtifactSchemaError(text, file=MANIFEST)


def text_of(what: str, value: Any) -> str:
    """A text that the manifest can hold.

    Args:
        what: what errors call it, for instance "licence".
        value: the text; may be empty.

    Raises:
        ArtifactSchemaError: no text, or not Unicode.
    """
    if not isinstance(value, str):
        text = f"{what} must be text, got {value!r}"
        raise errors.ArtifactSchemaError(text, file=MANIFEST)
    return str(json_values(value, what))


def label(what: str, value: Any, *, example: str) -> str:
    """A name or a version that can stand in a path, a URL and a line of a log.

    Args:
        what: what errors call it, for instance "name".
        value: 1 to 100 letters a-z, digits, dots, underscores and hyphens; the first is a letter or
            a digit.
        example: one that would do, for the error.

    Raises:
        ArtifactSchemaError: it is not like that.
    """
    text = text_of(what, value)
    if not _LABEL.fullmatch(text):
        text = (
            f"{what} must be 1 to 100 letters a-z, digits, '.', '_' or '-', beginning with a "
            f"letter or a digit, got {value[:100]!r}; for instance {example!r}"
        )
        raise errors.ArtifactSchemaError(text, file=MANIFEST)
    return text


def sha256(data: bytes) -> str:
    """The SHA-256 of some bytes, in hex."""
    return hashlib.sha256(data).hexdigest()
