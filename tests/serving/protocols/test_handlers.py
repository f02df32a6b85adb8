"""The four handlers: ours on artefacts, and a user's inference.py in our server."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlref import errors
from mlref.artifact import Artifact, pack
from mlref.schema import Column, Schema
from mlref.serving.exchange import Reply, Request
from mlref.serving.protocols import handlers
from mlref.serving.protocols.handlers import Handlers, load_handlers

CSV_ROWS = b"red,3,0.5\nblue,4,\n"
GOLDEN = [3.5, 8.0]  # red 1 x 3 + 0.5; blue 2 x 4, nothing on top


@pytest.fixture
def model_dir(colours: Artifact, tmp_path: Path) -> Path:
    """What a model.tar.gz is unpacked into: the artefact in a folder, and code beside it."""
    folder = tmp_path / "model"
    shutil.copytree(colours.folder, folder / "colours-0.1.0")
    (folder / "code").mkdir()
    return folder


@pytest.fixture
def script(model_dir: Path) -> Callable[[str], Handlers]:
    """A function that writes code/inference.py and loads it."""

    def write(source: str) -> Handlers:
        (model_dir / "code/inference.py").write_text(source)
        return load_handlers(model_dir)

    return write


def _request(body: bytes = CSV_ROWS, **headers: str) -> Request:
    given = {"content_type": "text/csv"} | headers
    pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in given.items() if v]
    return Request("POST", "/invocations", pairs, body)


def _error(reply: Reply) -> str:
    return str(json.loads(reply.body)["error"])


def test_the_four_functions_in_their_order(model_dir: Path) -> None:
    """Called as a container calls them, they answer in the format that is asked for."""
    model = handlers.model_fn(str(model_dir))
    data = handlers.input_fn(CSV_ROWS, "text/csv")
    prediction = handlers.predict_fn(data, model)
    assert handlers.output_fn(prediction, "text/csv") == (b"3.5\n8.0\n", "text/csv")
    body, kind = handlers.output_fn(prediction, "*/*")
    assert (json.loads(body), kind) == ({"predictions": GOLDEN}, "application/json")


def test_containers_that_decode_the_body_are_served_too(colours: Artifact) -> None:
    """The toolkit hands CSV and JSON over as text; both give the same rows."""
    text = handlers.input_fn(CSV_ROWS.decode(), "text/csv")
    assert handlers.predict_fn(text, colours).tolist() == GOLDEN
    rows = {"colour": ["red"], "count": [3], "extra": [0.5]}
    document = handlers.input_fn(json.dumps({"columns": rows}))
    assert handlers.predict_fn(document, colours).tolist() == GOLDEN[:1]


def test_a_model_that_gives_no_number_is_an_error(tmp_path: Path) -> None:
    """A graph that divides by its input: infinity does not leave predict_fn, the row is told."""
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, 1]) for n in ("x", "y")]
    node = helper.make_node("Reciprocal", ["x"], ["y"])
    graph = helper.make_graph([node], "reciprocal", ends[:1], ends[1:])
    model = pack(
        tmp_path / "artifact",
        model=helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9),
        name="reciprocal",
        version="1",
        inputs=Schema([Column("x")]),
        golden={"x": [2.0]},
        expected=[0.5],
    )
    assert handlers.predict_fn({"x": [4.0]}, model).tolist() == [0.25]
    with pytest.raises(errors.EndpointError, match="row 1"):
        handlers.predict_fn({"x": [4.0, 0.0]}, model)


def test_our_handlers_answer_like_the_codec(model_dir: Path) -> None:
    """Bound to a folder they negotiate, refuse and answer as /invocations does without them."""
    answer = Handlers().bind(model_dir)
    reply = answer(_request())
    assert (reply.status, reply.body, reply.content_type) == (200, b"3.5\n8.0\n", b"text/csv")
    reply = answer(_request(accept="application/json"))
    assert json.loads(reply.body) == {"predictions": GOLDEN}
    assert answer(_request(content_type="text/libsvm")).status == 415
    assert answer(_request(accept="image/png")).status == 406
    refused = answer(_request(b"red,-1,0.5\n"))
    (problem,) = json.loads(refused.body)["problems"]
    assert refused.status == 422
    assert (problem["kind"], problem["column"], problem["rows"]) == ("OutOfRange", "count", [0])


def test_a_users_functions_are_used_and_ours_fill_in(script: Any, model_dir: Path) -> None:
    """Any subset will do: here a format of one's own, and a rule after the model."""
    loaded = script(
        "from mlref.serving.protocols.handlers import predict_fn as ours\n"
        "def input_fn(body, content_type):\n"
        "    assert content_type == 'text/pairs'\n"
        "    pairs = [line.split('=') for line in body.decode().split()]\n"
        "    return [{'colour': k, 'count': int(v), 'extra': None} for k, v in pairs]\n"
        "def predict_fn(data, model):\n"
        "    return 10 * ours(data, model)\n"
    )
    assert (loaded.model_fn, loaded.output_fn) == (handlers.model_fn, handlers.output_fn)
    reply = loaded.bind(model_dir)(_request(b"red=1\nblue=2\n", content_type="text/pairs"))
    assert json.loads(reply.body) == {"predictions": [10.0, 40.0]}


def test_a_handler_may_take_the_toolkits_context(script: Any, model_dir: Path) -> None:
    """One argument more is the toolkit's context; a default of one's own is not overwritten."""
    loaded = script(
        "def input_fn(body, content_type, context):\n"
        "    return context, body\n"
        "def predict_fn(data, model, factor=2):\n"
        "    return data[0], factor\n"
        "def output_fn(prediction, accept):\n"
        "    return repr(prediction)\n"
    )
    assert loaded.bind(model_dir)(_request()).body == b"(None, 2)"


@pytest.mark.parametrize(
    ("returned", "accept", "expected"),
    [
        ("'text'", "text/csv", (b"text", b"text/csv")),
        ("b'bytes'", "", (b"bytes", b"application/json")),
        ("'text'", "*/*", (b"text", b"application/json")),
        ("('<p/>', 'text/html')", "text/csv", (b"<p/>", b"text/html")),
        ("bytearray(b'x')", "text/csv;q=0.5, */*", (b"x", b"text/csv")),
    ],
)
def test_what_output_fn_may_return(
    script: Any, model_dir: Path, returned: str, accept: str, expected: Any
) -> None:
    """Text or bytes of the type asked for, as the toolkit has it, or a pair with a type."""
    loaded = script(f"def output_fn(prediction, accept):\n    return {returned}\n")
    reply = loaded.bind(model_dir)(_request(accept=accept))
    assert (reply.status, reply.body, reply.content_type) == (200, *expected)


@pytest.mark.parametrize("step", ["input_fn", "predict_fn", "output_fn"])
@pytest.mark.parametrize("failure", ["raise KeyError('secret')", "raise SystemExit(3)"])
def test_a_users_error_is_logged_and_not_shown(
    script: Any, model_dir: Path, step: str, failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    """500 that names the function; the type and the trace are in the log, and in it only."""
    loaded = script(f"def {step}(first, second):\n    {failure}\n")
    with caplog.at_level(logging.ERROR, "mlref"):
        reply = loaded.bind(model_dir)(_request())
    assert reply.status == 500
    assert f"{step} of inference.py failed" in _error(reply)
    assert "secret" not in _error(reply)
    (record,) = caplog.records
    assert failure.partition("(")[0].removeprefix("raise ") in record.getMessage()
    assert record.exc_info


@pytest.mark.parametrize("returned", ["{'a': 1}", "None", "[1]", "('x', 3)", "('a', 'b', 'c')"])
def test_an_output_that_is_no_body_is_a_users_error(
    script: Any, model_dir: Path, returned: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Anything but text or bytes is 500, and the log says what output_fn must return."""
    loaded = script(f"def output_fn(prediction, accept):\n    return {returned}\n")
    with caplog.at_level(logging.ERROR, "mlref"):
        assert loaded.bind(model_dir)(_request()).status == 500
    assert "output_fn must return text or bytes" in caplog.text


def test_a_user_may_blame_the_request(script: Any, model_dir: Path) -> None:
    """An error with a status_code from 400 to 499, as the toolkit's are, is the reply's status."""
    loaded = script(
        "class Unreadable(Exception):\n"
        "    status_code = 415\n"
        "def input_fn(body, content_type):\n"
        "    raise Unreadable('send pairs')\n"
    )
    reply = loaded.bind(model_dir)(_request())
    assert (reply.status, _error(reply)) == (415, "send pairs")


def test_a_script_may_import_what_lies_beside_it(script: Any, model_dir: Path) -> None:
    """code/ is searched, as it is in AWS's containers."""
    (model_dir / "code/mlref_test_helper.py").write_text("WORD = 'beside'\n")
    loaded = script(
        "import mlref_test_helper\n"
        "def output_fn(prediction, accept):\n"
        "    return mlref_test_helper.WORD\n"
    )
    assert loaded.bind(model_dir)(_request()).body == b"beside"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def model_fn(:\n", "cannot be imported: SyntaxError"),
        ("import no_such_module_at_all\n", "cannot be imported: ModuleNotFoundError"),
        ("raise SystemExit(1)\n", "cannot be imported: SystemExit"),
        ("def input_fn(body):\n    return body\n", "input_fn of inference.py must take 2"),
        ("def predict_fn(a, b, c, d):\n    return a\n", "predict_fn of inference.py must take 2"),
        ("output_fn = 'json'\n", "output_fn of inference.py must take 2"),
        ("def transform_fn(m, b, c, a):\n    return b\n", "defines transform_fn"),
    ],
)
def test_a_script_that_cannot_serve_is_told_at_the_start(
    script: Any, source: str, words: str
) -> None:
    """Not at the first request: the message names the file, the function and the error."""
    with pytest.raises(errors.ArtifactError, match=words):
        script(source)


def test_a_model_fn_that_fails_is_told_at_the_start(script: Any, model_dir: Path) -> None:
    """Its error becomes ours, with the type and text of the first."""
    loaded = script("def model_fn(model_dir):\n    return {}['weights']\n")
    with pytest.raises(errors.ArtifactError, match=r"model_fn of inference\.py failed: KeyError"):
        loaded.bind(model_dir)


def test_handlers_that_are_not_there_are_told(tmp_path: Path) -> None:
    """A folder without a script, and a path without a file."""
    for path in (tmp_path, tmp_path / "inference.py"):
        with pytest.raises(errors.ResourceNotFoundError, match="no handlers at"):
            load_handlers(path)
