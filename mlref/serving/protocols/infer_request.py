"""Requests of the Open Inference Protocol on their way to the arrays that a model takes.

`InferReader` accepts exactly what the protocol and the schema describe; of anything else it names
every problem. `mlref.serving.protocols.fast_tensors` is the short way for requests that are right.

A request is a JSON object, perhaps with the bytes of tensors behind it:

    {"id": "7", "inputs": [{"name": "temp", "shape": [2, 1], "datatype": "FP32", "data": [71, 60]}]}
    {"inputs": [{..., "parameters": {"binary_data_size": 8}}]}<8 bytes>

How a column becomes a tensor, `mlref.serving.protocols.tensors` tells. Parameters are free, apart
from those that mean something: binary_data_output and on_unknown ("impute" or "error") of a
request, binary_data_size of an input, binary_data of an output.

Source: Open Inference Protocol, REST, "Inference"; its extension for binary tensor data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

import numpy as np

from mlref import errors
from mlref.schema import Schema
from mlref.schema.checking import first_few, show
from mlref.schema.rows import RepeatedKeys, listed, stands_twice, strangers
from mlref.serving import wire
from mlref.serving.decoding import strict_loads
from mlref.serving.exchange import Block, block_of
from mlref.serving.protocols.tensors import SIZE, Tensor

__all__ = ["ALL_BINARY", "BINARY", "Asked", "InferReader"]

ALL_BINARY, BINARY = "binary_data_output", "binary_data"
"""The parameters of a request, and of an output, that ask for the output's bytes."""

_REQUEST = ("id", "parameters", "inputs", "outputs", "model_name", "model_version")
_INPUT = ("name", "shape", "datatype", "parameters", "data")
_OUTPUT = ("name", "parameters")
_POLICIES = ("impute", "error")
_ELSEWHERE = "shared_memory_"


class Asked(NamedTuple):
    """What the reply must know of its request.

    Attributes:
        id: the request's id in JSON; empty if it had none.
        binary: whether the output is wanted as bytes.
    """

    id: bytes
    binary: bool


class InferReader:
    """Checked rows from any request, or every reason why there are none. Safe to share by threads.

    Args:
        schema: the columns of the model.
        model: the model's name and version, which a request may repeat.
        output: the name of what it gives.
    """

    def __init__(self, schema: Schema, *, model: Mapping[str, str], output: str) -> None:
        self._schema, self._output = schema, output
        self._model = {f"model_{key}": text for key, text in model.items()}

    def __call__(self, head: bytes, tail: memoryview) -> Block:
        """The rows of a request.

        Args:
            head: the JSON object.
            tail: the bytes behind it.

        Raises:
            InvalidInputError: with every problem found.
        """
        document = _document(head)
        problems = [*_wrong_keys(document, "a request", _REQUEST)]
        problems += self._model_problems(document)
        ident = document.get("id", "")
        if not isinstance(ident, str):
            problems.append(_malformed(f"id must be text, got {show(ident)}"))
        parameters = _parameters(document, "the request", problems)
        on_unknown = parameters.get("on_unknown", "impute")
        if on_unknown not in _POLICIES:
            text = f'on_unknown must be "impute" or "error", got {show(on_unknown)}'
            problems.append(_malformed(text))
            on_unknown = "impute"
        ident = wire.dump(ident) if "id" in document else b""
        asked = Asked(ident, self._is_binary(document, parameters, problems))
        columns = self._columns(document.get("inputs"), tail, problems)
        return self._block(columns, asked, cast("Literal['impute', 'error']", on_unknown), problems)

    def _block(
        self,
        columns: Mapping[str, Any],
        asked: Asked,
        on_unknown: Literal["impute", "error"],
        problems: list[errors.InputProblem],
    ) -> Block:
        """The rows, after the schema has seen the values of all tensors that have any."""
        readable = [column for column in self._schema if column.name in columns]
        decoded = None
        if readable:
            try:
                with np.errstate(invalid="ignore"):  # a signalling NaN is a missing value, too
                    decoded = Schema(readable).decode(columns, on_unknown=on_unknown)
            except errors.InvalidInputError as error:
                problems += cast("tuple[errors.InputProblem, ...]", error.exceptions)
        if problems or decoded is None:
            raise errors.InvalidInputError(problems)
        return block_of(decoded, self._schema, asked)

    def _model_problems(self, document: Mapping[str, Any]) -> Iterator[errors.InputProblem]:
        """What the path says already must not be said otherwise."""
        for key, text in self._model.items():
            if document.get(key, text) != text:
                yield _malformed(f"{key} must be {text} or left out, got {show(document[key])}")

    def _is_binary(
        self,
        document: Mapping[str, Any],
        parameters: Mapping[str, Any],
        problems: list[errors.InputProblem],
    ) -> bool:
        """Whether the output is wanted as bytes."""
        binary = _flag(parameters, ALL_BINARY, problems, otherwise=False)
        outputs = document.get("outputs", [])
        if not isinstance(outputs, list) or not all(isinstance(each, dict) for each in outputs):
            problems.append(_malformed(f"outputs must be a list of objects, got {show(outputs)}"))
            return binary
        for place, output in enumerate(outputs):
            where = f"outputs[{place}]"
            problems += _wrong_keys(output, where, _OUTPUT)
            if output.get("name") != self._output:
                text = f"{where} must name an output of this model, {self._output}"
                problems.append(_malformed(f"{text}, got {show(output.get('name'))}"))
            wanted = _parameters(output, where, problems)
            binary = _flag(wanted, BINARY, problems, otherwise=binary)
            if wanted.get("classification"):
                text = f"{where} must not ask for classification; sort the numbers yourself"
                problems.append(_malformed(text))
        if len(outputs) > 1:
            problems.append(_malformed(f"outputs must name {self._output} once, not more"))
        return binary

    def _columns(
        self, inputs: Any, tail: memoryview, problems: list[errors.InputProblem]
    ) -> dict[str, Any]:
        """For each input that is right so far its values, and what is wrong with the others."""
        if not isinstance(inputs, list) or not all(isinstance(each, dict) for each in inputs):
            problems.append(_malformed(f"inputs must be a list of objects, got {show(inputs)}"))
            return {}
        names = [tensor.get("name") for tensor in inputs]
        given = Counter(name for name in names if isinstance(name, str))
        problems += self._name_problems(names, given)
        columns: dict[str, Any] = {}
        start = 0
        for place, tensor in enumerate(inputs):
            where = f"inputs[{place}]"
            problems += _wrong_keys(tensor, where, _INPUT)
            size = _binary_size(_parameters(tensor, where, problems), where, problems)
            piece = tail[start : start + size] if size is not None else None
            start += size or 0
            name = names[place] if isinstance(names[place], str) else ""
            if given[name] == 1 and name in self._schema.names:
                values = Tensor(self._schema[name], tensor, problems).values(piece, size)
                if values is not None:
                    columns[name] = values
        if start != len(tail):
            problems.append(_malformed(_sum_text(start, len(tail))))
        return columns

    def _name_problems(
        self, names: Sequence[Any], given: Mapping[str, int]
    ) -> Iterator[errors.InputProblem]:
        wanted = self._schema.names
        unnamed = [place for place, name in enumerate(names) if not isinstance(name, str)]
        yield from first_few(
            _malformed(f"inputs[{place}] needs a name, got {show(names[place])}")
            for place in unnamed
        )
        for name in wanted:
            if name not in given:
                text = f"{name} is missing; the inputs are {listed(wanted)}"
                yield errors.MissingColumnError(text, column=name)
        yield from first_few(stands_twice(name) for name, count in given.items() if count > 1)
        others: dict[str, list[int]] = {name: [] for name in given if name not in wanted}
        yield from strangers(others, wanted, fits_none=not given.keys() & set(wanted))


def _document(head: bytes) -> dict[str, Any]:
    """The JSON object that the request begins with, strict about what JSON leaves open."""
    text = ""
    try:
        document = strict_loads(head.decode("utf-8"))
        if isinstance(document, dict):
            return document
        text = f"a request must be a JSON object, got {show(document)}"
    except UnicodeDecodeError as error:
        text = f"a request must be UTF-8, byte {error.start} is not"
        if b"inputs" in head:
            text += "; say in Inference-Header-Content-Length where the JSON object ends"
    except RecursionError:
        text = "a request must not be nested that deeply"
    except ValueError as error:
        text = f"a request must be JSON: {error}"
    raise errors.InvalidInputError([_malformed(text)])


def _malformed(text: str) -> errors.InputProblem:
    return errors.MalformedRequestError(text)


def _wrong_keys(
    value: Mapping[str, Any], where: str, allowed: Sequence[str]
) -> Iterator[errors.InputProblem]:
    """What is wrong with the keys of an object."""
    twice = value.keys_repeated if isinstance(value, RepeatedKeys) else ()
    texts = [f"{show(key)} stands more than once in {where}; give it once" for key in twice]
    texts += [
        f"{show(key)} is not part of {where}; allowed are {', '.join(allowed)}"
        for key in value
        if allowed and key not in allowed
    ]
    return first_few(_malformed(text) for text in texts)


def _parameters(
    holder: Mapping[str, Any], where: str, problems: list[errors.InputProblem]
) -> Mapping[str, Any]:
    """The parameters of a request, an input or an output. Names that nobody knows are allowed."""
    given = holder.get("parameters", {})
    if not isinstance(given, dict):
        text = f"the parameters of {where} must be an object, got {show(given)}"
        problems.append(_malformed(text))
        return {}
    problems += _wrong_keys(given, f"the parameters of {where}", ())
    wrong = [key for key, value in given.items() if type(value) not in (str, bool, int, float)]
    problems += first_few(
        _malformed(f"{show(key)} of {where} must be text, a number, true or false") for key in wrong
    )
    if any(key.startswith(_ELSEWHERE) for key in given):
        problems.append(_malformed(f"{where} must be in the body: shared memory is not offered"))
    return given


def _flag(
    parameters: Mapping[str, Any],
    name: str,
    problems: list[errors.InputProblem],
    *,
    otherwise: bool,
) -> bool:
    value = parameters.get(name, otherwise)
    if isinstance(value, bool):
        return value
    problems.append(_malformed(f"{name} must be true or false, got {show(value)}"))
    return otherwise


def _binary_size(
    parameters: Mapping[str, Any], where: str, problems: list[errors.InputProblem]
) -> int | None:
    """How many bytes of the tail are the tensor's; None if none are."""
    size = parameters.get(SIZE)
    if size is None and SIZE not in parameters:
        return None
    if type(size) is int and size >= 0:
        return size
    problems.append(_malformed(f"{SIZE} of {where} must be a number of bytes, got {show(size)}"))
    return 0


def _sum_text(said: int, there: int) -> str:
    """Why the sizes of the tensors are not those of the body."""
    text = f"the {SIZE} of all inputs are {said} bytes together, the body has {there}"
    if said and not there:
        return f"{text}; is Inference-Header-Content-Length the length of the JSON object?"
    return f"{text} behind the JSON object"
