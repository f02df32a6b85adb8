"""The container's side of multi-model endpoints, asked as SageMaker asks: by HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mlref.artifact import Artifact
from mlref.errors import RequestRefusedError
from mlref.runtime import process
from mlref.serving import Client, create_app, engine, serve
from mlref.serving.environment import for_container, from_environment
from mlref.serving.protocols import multi_model
from mlref.serving.settings import Settings

CSV_ROWS = b"red,3,0.5\r\nblue,4,\r\n"
GOLDEN = b"3.5\n8.0\n"  # red 1 x 3 + 0.5; blue 2 x 4, nothing on top


@pytest.fixture
def root(tmp_path: Path, colours: Artifact) -> Path:
    """A folder with two models, as SageMaker unpacks them: below {name}/model."""
    for name in ("one", "two"):
        shutil.copytree(colours.folder, tmp_path / "models" / name / "model")
    return tmp_path / "models"


@pytest.fixture
def app(root: Path) -> Any:
    """A server without any model that has room for two."""
    return create_app(settings=Settings(max_models=2), multi_model=root)


def _ask(app: Any, method: str, path: str, **arguments: Any) -> Any:
    import httpx

    async def send() -> Any:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **arguments)

    return asyncio.run(send())


def _load(app: Any, name: Any, url: Any) -> Any:
    return _ask(app, "POST", "/models", json={"model_name": name, "url": str(url)})


def _invoke(app: Any, name: str) -> Any:
    kind = {"content-type": "text/csv"}
    return _ask(app, "POST", f"/models/{name}/invoke", content=CSV_ROWS, headers=kind)


def test_the_life_of_a_model(app: Any, root: Path) -> None:
    """Loaded, listed, told, asked and unloaded, with the contract's names of members."""
    url = str(root / "one" / "model")
    told = {"modelName": "2a7e", "modelUrl": url}
    assert _ask(app, "GET", "/models").json() == {"models": []}
    assert _load(app, "2a7e", url).status_code == 200
    assert _ask(app, "GET", "/models").json() == {"models": [told]}
    assert _ask(app, "GET", "/models/2a7e").json() == told
    response = _invoke(app, "2a7e")
    assert (response.status_code, response.content) == (200, GOLDEN)
    assert _ask(app, "DELETE", "/models/2a7e").status_code == 200
    assert _ask(app, "GET", "/models").json() == {"models": []}
    for method, path in (
        ("GET", "/models/2a7e"),
        ("DELETE", "/models/2a7e"),
        ("POST", "/models/2a7e/invoke"),
    ):
        assert _ask(app, method, path, content=CSV_ROWS).status_code == 404, path


def test_the_same_model_may_have_several_names(app: Any, root: Path) -> None:
    """Both answer; unloading one leaves the other."""
    for name in ("one", "two"):
        assert _load(app, name, root / name).status_code == 200
        assert _invoke(app, name).content == GOLDEN
    _ask(app, "DELETE", "/models/one")
    assert _invoke(app, "one").status_code == 404
    assert _invoke(app, "two").content == GOLDEN


def test_a_name_is_any_text(app: Any, root: Path) -> None:
    """It is a key of SageMaker's: a slash or a space in it means nothing."""
    assert _load(app, "a b/\u00e4.tar.gz", root / "one").status_code == 200
    found = "a%20b%2F%C3%A4.tar.gz"
    assert _ask(app, "GET", f"/models/{found}").status_code == 200
    assert _invoke(app, found).content == GOLDEN
    assert _ask(app, "DELETE", f"/models/{found}").status_code == 200


def test_a_name_that_is_loaded_is_a_conflict(app: Any, root: Path) -> None:
    """409, whatever its folder; the first one stays."""
    _load(app, "m", root / "one")
    assert _load(app, "m", root / "two").status_code == 409
    assert _ask(app, "GET", "/models/m").json()["modelUrl"] == str(root / "one")


def test_no_room_is_507_until_another_is_unloaded(app: Any, root: Path) -> None:
    """As many as the settings allow."""
    for name in ("a", "b"):
        assert _load(app, name, root / "one").status_code == 200
    refused = _load(app, "c", root / "one")
    assert refused.status_code == 507
    assert "max_models" in refused.json()["error"]
    _ask(app, "DELETE", "/models/a")
    assert _load(app, "c", root / "one").status_code == 200


def test_no_memory_is_507(app: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that does not fit takes no place afterwards."""

    def fails(*_: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(multi_model.artifact, "load", fails)
        assert _load(app, "m", root / "one").status_code == 507
    assert _load(app, "m", root / "one").status_code == 200


def test_only_folders_below_the_root_are_loaded(app: Any, root: Path, colours: Artifact) -> None:
    """Neither a path elsewhere, nor dots, nor a link; and not the root itself."""
    (root / "link").symlink_to(colours.folder)
    outside = [colours.folder, root / ".." / "x", root / "link", root, f"{root}/one/../..", "a\0b"]
    for url in outside:
        refused = _load(app, "m", url)
        assert refused.status_code == 400, url
    assert _ask(app, "GET", "/models").json() == {"models": []}
    (root / "inner").symlink_to(root / "one")
    assert _load(app, "m", root / "inner").status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"model_name":"m"}', b'{"model_name":1,"url":"x"}', b"[" * 10_000],
)
def test_a_body_that_is_another_is_told_so(app: Any, body: bytes) -> None:
    """400 with what it must be."""
    refused = _ask(app, "POST", "/models", content=body)
    assert refused.status_code == 400
    assert "model_name" in refused.json()["error"]


def test_what_cannot_be_loaded_is_refused_and_leaves_nothing(app: Any, root: Path) -> None:
    """A folder that is not there is 404; one whose artefact is damaged, or that has none, 400."""
    assert _load(app, "m", root / "none").status_code == 404
    (root / "empty").mkdir()
    assert _load(app, "m", root / "empty").status_code == 400
    (root / "two" / "model" / "golden.json").write_text("{}")
    assert _load(app, "m", root / "two").status_code == 400
    assert _load(app, "m" * 1025, root / "one").status_code == 400
    assert _load(app, "m", root / "one").status_code == 200


def test_of_many_loads_at_a_time_one_succeeds(root: Path) -> None:
    """The others are told that the name is loaded, also while it is being loaded."""
    models = multi_model.LoadedModels(engine.Engine(), root)

    def load(_: int) -> int:
        try:
            models.load("m", str(root / "one"))
        except RequestRefusedError as error:
            return error.status
        return 200

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(load, range(8))) == [200] + [409] * 7


def test_long_lists_come_in_pages(root: Path) -> None:
    """Each page tells the token of the next; one that nobody gave is refused."""
    models = multi_model.LoadedModels(engine.Engine(Settings(max_models=150)), root)
    for number in range(120):
        models.load(f"m{number}", str(root / "one"))
    first = models.page()
    second = models.page(first["nextPageToken"])
    assert "nextPageToken" not in second
    names = [each["modelName"] for each in (*first["models"], *second["models"])]
    assert names == [f"m{number}" for number in range(120)]
    with pytest.raises(RequestRefusedError, match="next_page_token"):
        models.page("x")


def test_it_is_ready_without_any_model(app: Any) -> None:
    """SageMaker's ping comes before the first model; other routes are as they were."""
    assert _ask(app, "GET", "/ping").status_code == 200
    assert _ask(app, "GET", "/health").json() == {"status": "ok", "model": None}
    assert _ask(app, "GET", "/").json()["models"] == []
    assert _ask(app, "POST", "/v1/predict", json={}).status_code == 404
    app.engine.draining = True
    assert _ask(app, "GET", "/ping").status_code == 503


def test_other_servers_have_no_such_routes(colours_app: Any) -> None:
    """Nobody loads models into a server that was not told to let them."""
    assert _ask(colours_app, "POST", "/models", json={}).status_code == 404
    assert _ask(colours_app, "POST", "/models/m/invoke").status_code == 404


def test_sagemakers_variable_starts_it() -> None:
    """No artefact; models below /opt/ml/models, at most as many as a variable says."""
    environ = {"SAGEMAKER_MULTI_MODEL": "true", "MLREF_MAX_MODELS": "3"}
    for start in (from_environment(environ), for_container(environ)):
        assert (start.artifact, start.models, start.max_models) == (None, "/opt/ml/models", 3)
        assert (start.platform, start.port) == ("sagemaker", 8080)
    for wrong in ({"MLREF_MAX_MODELS": "0"}, {"SAGEMAKER_MULTI_MODEL": "yes"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            from_environment(environ | wrong)


@pytest.fixture
def start() -> Callable[..., Any]:
    """Starts a server with some arguments."""

    def begin(*arguments: str, **environ: str) -> Any:
        command = [sys.executable, "-m", "mlref.serving", "--port", "0", *arguments]
        return process.start(command, name="server", env=environ)

    return begin


def test_a_process_with_the_flag_takes_models(start: Callable[..., Any], root: Path) -> None:
    """From the command line, and over a real connection: the lane answers /invoke, too."""
    with start(f"--multi-model={root}") as server:
        url = f"http://127.0.0.1:{server.wait_report()['port']}"
        import httpx

        with Client(url) as client:
            assert client.health()["status"] == "ok"
        body = {"model_name": "m", "url": str(root / "one")}
        assert httpx.post(f"{url}/models", json=body).status_code == 200
        kind = {"content-type": "text/csv"}
        found = httpx.post(f"{url}/models/m/invoke", content=CSV_ROWS, headers=kind)
        assert (found.status_code, found.content) == (200, GOLDEN)


def test_a_process_follows_sagemakers_variables(start: Callable[..., Any]) -> None:
    """The root and the number of models come from the environment."""
    environ = {"SAGEMAKER_MULTI_MODEL": "true", "MLREF_MAX_MODELS": "1"}
    with start("--host", "127.0.0.1", **environ) as server:
        url = f"http://127.0.0.1:{server.wait_report()['port']}"
        import httpx

        body = {"model_name": "m", "url": "/opt/ml/models/none/model"}
        told = httpx.post(f"{url}/models", json=body)
        assert told.status_code == 404
        assert json.loads(told.content)["error"].startswith("there is no folder")


def test_what_does_not_go_together_is_refused(root: Path, colours: Artifact) -> None:
    """A multi-model server is given no artefact of its own; one line says so."""
    with pytest.raises(ValueError, match="multi-model"):
        serve(colours.folder, multi_model=root)
    command = [sys.executable, "-m", "mlref.serving", f"--multi-model={root}", "--admin"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 1
    assert done.stderr.startswith("error: a multi-model server")
