"""Files that try to run code in whoever loads them. Harmless: all they do is create an empty file.

For each format the attacks that we know of are made here, and tried in the fresh process that has
just loaded the honest file. A file named `ran` beside the hostile one tells that its code ran. That
nothing ran proves no safety: it says that these attempts failed.
"""

from __future__ import annotations

import builtins
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlref.models import Challenger, Champion
from mlref.runtime.lazy import extra
from mlref.serialization import savedmodel
from mlref.serialization.attempts import MARKER, HostileFile
from mlref.serialization.formats import Format

__all__ = ["craft", "plan_saved_models"]


class _Payload:
    """Pickled as a call of open(marker, "w"): what is unpickled runs it."""

    def __init__(self, folder: Path) -> None:
        self.marker = str(folder / MARKER)

    def __reduce__(self) -> tuple[Any, ...]:
        return builtins.open, (self.marker, "w")


def craft(
    each: Format, model: Champion | Challenger, folder: Path, honest: Path
) -> tuple[HostileFile, ...]:
    """Hostile files for a format, each in a folder of its own.

    Args:
        each: the format.
        model: the honest model.
        folder: where the folders are made.
        honest: the folder that `each.save` wrote, whose other files are copied beside the attack.

    Raises:
        MissingExtraError: a library is not installed.
        ProcessError: TensorFlow failed (SavedModel only).
    """
    if isinstance(model, Challenger) and each.loader == "saved_model":
        planned, places = plan_saved_models(each, folder)
        savedmodel.write_hostile(model, places, MARKER)
        return planned
    made = []
    for number, (what, write, loader) in enumerate(_ATTACKS[each.loader]):
        place = folder / str(number)
        place.mkdir(parents=True, exist_ok=True)
        for beside in honest.glob("*.json"):
            (place / beside.name).write_bytes(beside.read_bytes())
        with extra(each.needs_extra):
            write(place, place / each.file, honest / each.file)
        careless = loader is not None
        made.append(HostileFile(what, place, loader or each.loader, careless=careless))
    return tuple(made)


def _pickled(place: Path, target: Path, _honest: Path) -> None:
    target.write_bytes(pickle.dumps(_Payload(place)))


def _joblib(place: Path, target: Path, _honest: Path) -> None:
    import joblib

    joblib.dump(_Payload(place), target)


def _torch_saved(place: Path, target: Path, _honest: Path) -> None:
    import torch

    torch.save({"embeddings.0.weight": _Payload(place)}, target)


def _skops_constructor(place: Path, target: Path, _honest: Path) -> None:
    import skops.io

    arguments = skops.io.dumps((str(place / MARKER), "w"))
    with zipfile.ZipFile(io.BytesIO(arguments)) as archive:
        schema = json.loads(archive.read("schema.json"))
    outer = {"__class__": "open", "__module__": "io", "__loader__": "ConstructorFromReduceNode"}
    outer |= {name: schema[name] for name in ("protocol", "_skops_version")}
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("schema.json", json.dumps({**outer, "content": schema}))


def _safetensors_metadata(place: Path, target: Path, honest: Path) -> None:
    header, data = _safetensors_parts(honest)
    text = pickle.dumps(_Payload(place), protocol=0).decode("ascii")
    header["__metadata__"] = {"format": "pt", "__reduce__": text}
    _write_safetensors(target, header, data)


def _safetensors_offsets(_place: Path, target: Path, honest: Path) -> None:
    header, data = _safetensors_parts(honest)
    last = max(header, key=lambda name: header[name].get("data_offsets", [0])[-1])
    header[last]["data_offsets"][1] += 1 << 40
    _write_safetensors(target, header, data)


def _safetensors_parts(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def _write_safetensors(path: Path, header: dict[str, Any], data: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def _torch_export_samples(place: Path, target: Path, honest: Path) -> None:
    import torch

    with io.BytesIO() as payload, zipfile.ZipFile(honest) as source:
        torch.save(((_Payload(place), 0), {}), payload)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            for name in source.namelist():
                sample = "/sample_inputs/" in name
                archive.writestr(name, payload.getvalue() if sample else source.read(name))


def _onnx_operator(place: Path, target: Path, honest: Path) -> None:
    import onnx

    graph = onnx.load(honest)
    node = onnx.helper.make_node("Run", [], ["x"], domain="host", command=f"touch {place / MARKER}")
    graph.graph.node.append(node)
    graph.opset_import.append(onnx.helper.make_opsetid("host", 1))
    onnx.save(graph, target)


def _onnx_outside(place: Path, target: Path, honest: Path) -> None:
    import onnx

    (place.parent / "outside.bin").write_bytes(bytes(4))
    graph = onnx.load(honest)
    tensor = onnx.TensorProto(name="outside", data_type=onnx.TensorProto.FLOAT, dims=[1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../outside.bin")
    graph.graph.initializer.append(tensor)
    graph.graph.node.append(onnx.helper.make_node("Identity", ["outside"], ["read"]))
    graph.graph.output.append(
        onnx.helper.make_tensor_value_info("read", onnx.TensorProto.FLOAT, [1])
    )
    onnx.save(graph, target)


_Write = Callable[[Path, Path, Path], None]
_BYTES = "the bytes of a hostile pickle under this name"
_ONNX: tuple[tuple[str, _Write, str | None], ...] = (
    (_BYTES, _pickled, None),
    ("an operator of our own that asks for a command", _onnx_operator, None),
    ("a tensor stored in ../outside.bin", _onnx_outside, None),
)
_ATTACKS: dict[str, tuple[tuple[str, _Write, str | None], ...]] = {
    "pickle_file": (("an object whose __reduce__ calls open()", _pickled, None),),
    "joblib_file": (("an object whose __reduce__ calls open()", _joblib, None),),
    "skops_archive": (
        (_BYTES, _pickled, None),
        ("an archive that constructs io.open(...)", _skops_constructor, None),
        ("the same, all types trusted unread", _skops_constructor, "skops_trusting_all"),
    ),
    "onnx_graph": _ONNX,
    "state_dict": (
        ("an object whose __reduce__ calls open()", _torch_saved, None),
        ("the same with weights_only=False", _torch_saved, "state_dict_with_pickle"),
    ),
    "safetensors_weights": (
        (_BYTES, _pickled, None),
        ("a hostile pickle in the metadata", _safetensors_metadata, None),
        ("a tensor that ends 1 TiB behind the file", _safetensors_offsets, None),
    ),
    "torch_export": (
        (_BYTES, _pickled, None),
        ("its pickle of sample inputs replaced", _torch_export_samples, None),
    ),
}


def plan_saved_models(
    each: Format, folder: Path
) -> tuple[tuple[HostileFile, ...], dict[str, Path]]:
    """The hostile SavedModels, and the places where TensorFlow has yet to write them."""
    kinds = {
        "on load": "a table whose initialiser writes a file",
        "on call": "a graph that writes a file when called",
        "python": "a graph with a Python function inside, called",
    }
    places = {kind: folder / kind.replace(" ", "_") for kind in kinds}
    garbage = folder / "bytes"
    for place in (*places.values(), garbage):
        place.mkdir(parents=True, exist_ok=True)
    _pickled(garbage, garbage / each.file, garbage)
    attacks = (
        HostileFile(what, places[kind], each.loader, called=kind != "on load")
        for kind, what in kinds.items()
    )
    return (HostileFile(_BYTES, garbage, each.loader), *attacks), places
