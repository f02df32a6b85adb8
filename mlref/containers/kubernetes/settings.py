"""The one object that the manifests are made of, and what it may not say.

    Settings(
        name="flights",
        image="registry.example/flights:1.0.0",
        version="1.0.0",
        server=ServerSettings(drain_delay_s=5.0),      # as the server in the container is tuned
    )

What belongs together is stated once: the time that a pod gets to end follows from the server's
drain, and the probes from its routes.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from mlref.artifact import Artifact
from mlref.containers.kubernetes.quantities import parse_quantity
from mlref.containers.kubernetes.references import image_problem
from mlref.errors import ManifestError
from mlref.serving.settings import Settings as ServerSettings

__all__ = ["Canary", "Ray", "Resources", "Settings"]

_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_HOST = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_IMPORT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_LONGEST_NAME = 56  # 63, less the length of "-canary"
_LONGEST_VALUE = 63
_LONGEST_HOST = 253
_SCHEMES = ("s3", "gs", "pvc", "http", "https", "hf", "abfs", "azure", "hdfs", "webhdfs", "oci")


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a container may count on, and what it may not exceed.

    Memory is requested as it is limited: memory that a node promised to nobody is taken back by
    killing. The CPU limit may be None: then idle cores are used, and the model's thread pool is as
    large as the node.
    """

    request_cpu: str = "500m"
    request_memory: str = "512Mi"
    limit_cpu: str | None = "1"
    limit_memory: str = "512Mi"


@dataclass(frozen=True, kw_only=True)
class Canary:
    """Another version that gets a part of the requests.

    Attributes:
        image: by digest, or with a tag.
        version: of the model.
        weight_percent: how many of 100 requests go there.
        replicas: its pods, which no autoscaler touches: enough for that part of the load.
        digest: of its artefact, or None.
    """

    image: str
    version: str
    weight_percent: int = 10
    replicas: int = 1
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class Ray:
    """What a RayService runs. mlref builds no such image: it holds Ray, a module and the artefact.

    Attributes:
        image: by digest, or with a tag.
        version: of the Ray in it; autoscaler and workers must have the same.
        import_path: module:variable of the Serve application.
    """

    image: str
    version: str
    import_path: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that differs between two services; the rest is the same for each.

    Attributes:
        name: of the service and its objects; at most 56 letters, digits and "-".
        image: by digest, or with a tag other than latest.
        version: of the model.
        model: the model's name; None means `name`.
        digest: of the artefact (`Artifact.digest`), 64 hex digits, or None.
        min_replicas: the autoscaler's lower bound, at least 2: with one pod, each change of a node
            is an outage.
        max_replicas: its upper bound.
        target_cpu_percent: CPU time per CPU requested that it holds.
        port: where the server listens in the container.
        resources: CPU and memory of a pod.
        server: how the server is tuned; what differs from its defaults becomes arguments.
        margin_s: what a pod gets to end, beyond the server's own drain.
        start_s: how long a new pod may take to answer before it is started again.
        host: the name under which the Ingress answers.
        ingress_class: the controller of the Ingress; canaries need "nginx".
        ingress_namespace: where the Ingress controller runs.
        monitoring_namespace: where Prometheus runs.
        canary: another version beside it, or None.
        storage_uri: where KServe gets the artefact; None means that it is in the image.
        ray: what a RayService runs, or None for no RayService.

    Raises:
        ManifestError: a value that no object can have; the message lists all of them.
    """

    name: str
    image: str
    version: str
    model: str | None = None
    digest: str | None = None
    min_replicas: int = 2
    max_replicas: int = 10
    target_cpu_percent: int = 60
    port: int = 8080
    resources: Resources = field(default_factory=Resources)
    server: ServerSettings = field(default_factory=lambda: ServerSettings(drain_delay_s=5.0))
    margin_s: float = 5.0
    start_s: int = 60
    host: str = "models.example.com"
    ingress_class: str = "nginx"
    ingress_namespace: str = "ingress-nginx"
    monitoring_namespace: str = "monitoring"
    canary: Canary | None = None
    storage_uri: str | None = None
    ray: Ray | None = None

    def __post_init__(self) -> None:
        """Refuse what Kubernetes would refuse, or accept and never run.

        Raises:
            ManifestError: see the class.
        """
        problems = list(_type_problems(self)) or [
            *_name_problems(self),
            *_image_problems(self),
            *_number_problems(self),
            *_resource_problems(self.resources),
        ]
        if problems:
            raise ManifestError(
                "\n".join(["settings of no manifest:", *map("  - {}".format, problems)])
            )

    @classmethod
    def of(cls, artifact: Artifact, *, image: str, **others: Any) -> Self:
        """The settings of an artefact: name, version and digest are its own.

        Args:
            artifact: what the image serves.
            image: by digest, or with a tag.
            others: more of the attributes; they win over the artefact's.

        Raises:
            ManifestError: see the class; for instance a name that no object can have.
        """
        manifest = artifact.manifest
        own = {"model": manifest.name, "version": manifest.version, "digest": artifact.digest}
        name = manifest.name.lower().replace("_", "-").replace(".", "-")
        return cls(**{"name": name, "image": image, **own, **others})

    @property
    def grace_s(self) -> int:
        """Seconds from SIGTERM to SIGKILL: the server's whole drain, and the margin."""
        return math.ceil(self.server.drain_delay_s + self.server.drain_timeout_s + self.margin_s)


def _type_problems(settings: Settings) -> Iterator[str]:
    """What is of another type than its field; the other checks rely on it. Numbers come later."""
    kinds = {"resources": Resources, "server": ServerSettings, "canary": Canary, "ray": Ray}
    parts: dict[str, Any] = {"": settings}
    for where, kind in kinds.items():
        part = getattr(settings, where)
        if isinstance(part, kind):
            parts[f"{where}."] = part
        elif part is not None or where in {"resources", "server"}:
            yield f"{where} must be of the class {kind.__name__}, got {part!r}"
    parts.pop("server.", None)  # they have checked themselves
    for where, part in parts.items():
        for each in dataclasses.fields(part):
            value = getattr(part, each.name)
            allowed = {"str": (str,), "str | None": (str, type(None))}.get(str(each.type))
            if allowed is not None and not isinstance(value, allowed):
                yield f'{where}{each.name} must be text, got {value!r}; quote it, like "1"'


def _name_problems(settings: Settings) -> Iterator[str]:
    """What is wrong with names and labels."""
    for where in ("name", "ingress_class", "ingress_namespace", "monitoring_namespace"):
        text, longest = (
            getattr(settings, where),
            _LONGEST_NAME if where == "name" else _LONGEST_VALUE,
        )
        if not _LABEL.fullmatch(text) or len(text) > longest:
            allowed = f"a-z, 0-9 and -, first a letter, at most {longest} characters (RFC 1123)"
            yield f"{where} must be {allowed}, got {text!r}"
    values = {"version": settings.version, "model": settings.model or settings.name}
    if settings.canary is not None:
        values["canary.version"] = settings.canary.version
    for where, text in values.items():
        if not _VALUE.fullmatch(text) or len(text) > _LONGEST_VALUE:
            allowed = f"a label: letters, digits, -, _ and ., at most {_LONGEST_VALUE} of them"
            yield f"{where} must be {allowed}, got {text!r}"
    digests = {"digest": settings.digest, "canary.digest": (settings.canary or settings).digest}
    for where, digest in digests.items():
        if digest is not None and not _DIGEST.fullmatch(digest):
            yield f"{where} must be the 64 hex digits of Artifact.digest, got {digest!r}"
    if not _HOST.fullmatch(settings.host) or len(settings.host) > _LONGEST_HOST:
        yield f'host must be a name like "models.example.com", got {settings.host!r}'


def _image_problems(settings: Settings) -> Iterator[str]:
    """What is wrong with images, and with where models and code come from."""
    images = {"image": settings.image}
    if settings.canary is not None:
        images["canary.image"] = settings.canary.image
        if settings.canary.image == settings.image:
            yield f"canary.image must be another image than image, got {settings.image!r} for both"
    if settings.ray is not None:
        images["ray.image"] = settings.ray.image
        if not _IMPORT.fullmatch(settings.ray.import_path):
            yield f"ray.import_path must be module:variable, got {settings.ray.import_path!r}"
    for where, image in images.items():
        problem = image_problem(image)
        if problem is not None:
            yield f"{where}: {problem}"
    uri = settings.storage_uri
    if uri is not None and uri.partition("://")[0] not in _SCHEMES:
        yield f"storage_uri must begin with one of {', '.join(_SCHEMES)} and ://, got {uri!r}"


def _number_problems(settings: Settings) -> Iterator[str]:
    """What is wrong with numbers."""
    bounds = {
        "min_replicas": (settings.min_replicas, 2, 1000),
        "max_replicas": (settings.max_replicas, 2, 1000),
        "target_cpu_percent": (settings.target_cpu_percent, 1, 100),
        "port": (settings.port, 1024, 65535),
        "start_s": (settings.start_s, 1, 3600),
        "margin_s": (settings.margin_s, 0, 3600),
    }
    if settings.canary is not None:
        bounds["canary.weight_percent"] = (settings.canary.weight_percent, 0, 100)
        bounds["canary.replicas"] = (settings.canary.replicas, 1, 1000)
    for where, (value, least, most) in bounds.items():
        fits = type(value) is int or (where == "margin_s" and type(value) is float)
        if not fits or not least <= value <= most:
            kind = "number" if where == "margin_s" else "whole number"
            yield f"{where} must be a {kind} from {least} to {most}, got {value!r}"
    both = settings.min_replicas, settings.max_replicas
    if all(type(each) is int for each in both) and both[0] > both[1]:
        lower = f"min_replicas, {settings.min_replicas}"
        yield f"max_replicas must be at least {lower}, got {settings.max_replicas}"


def _resource_problems(resources: Resources) -> Iterator[str]:
    """What is wrong with amounts."""
    for kind in ("cpu", "memory"):
        amounts = {}
        for side in ("request", "limit"):
            text = getattr(resources, f"{side}_{kind}")
            if text is None:
                continue
            try:
                amounts[side] = parse_quantity(text)
            except ValueError as error:
                yield f"resources.{side}_{kind}: {error}"
                continue
            least = 2**20 if kind == "memory" else 0
            if amounts[side] <= least:
                advice = "; m means a thousandth, Mi a MiB" if kind == "memory" else ""
                unit = "1Mi" if kind == "memory" else "0"
                yield f"resources.{side}_{kind} must be more than {unit}, got {text!r}{advice}"
        if len(amounts) == 2 and amounts["limit"] < amounts["request"]:  # noqa: PLR2004 - both
            limit, request = (
                getattr(resources, f"limit_{kind}"),
                getattr(resources, f"request_{kind}"),
            )
            yield f"resources.limit_{kind} must be at least the request, {request}, got {limit}"
