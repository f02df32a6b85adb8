"""Whether a version of Kubernetes knows the fields of an object, without asking a cluster.

The schemas are those of the API itself, as the package kubernetes-validate carries them: a field
that the version does not have, or a value of another type, is found. What only a running cluster
knows (whether a name is free, a quota is kept) is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mlref.containers.kubernetes.custom import CUSTOM
from mlref.containers.kubernetes.objects import Object, Violation, name_of, pods_of
from mlref.errors import ManifestError
from mlref.runtime.lazy import extra

__all__ = ["check_schema", "schema_versions"]

_RULE = "schema"


def schema_versions() -> list[str]:
    """The versions of Kubernetes whose schemas are installed, the oldest first.

    Raises:
        MissingExtraError: kubernetes-validate is not installed.
    """
    with extra("cluster"):
        from kubernetes_validate import utils  # type: ignore[import-untyped,unused-ignore]

    return list(dict.fromkeys(utils.major_minor(each) for each in utils.all_versions()))


def check_schema(objects: Iterable[Object], version: str) -> list[Violation]:
    """What is wrong with the fields of some objects; the first fault of each.

    Args:
        objects: as `build` gives them.
        version: of Kubernetes, for instance "1.34". The objects of KServe and KubeRay have versions
            of their own, and only their pods depend on it.

    Raises:
        ManifestError: the schemas of that version are not installed.
        MissingExtraError: kubernetes-validate is not installed.
    """
    known = schema_versions()
    if version not in known:
        allowed = f"one of {', '.join(known)}"
        raise ManifestError(f"version must be {allowed}, whose schemas are here, got {version!r}")
    return [found for obj in objects for found in _check(obj, version)]


def _check(obj: Object, version: str) -> Iterator[Violation]:
    missing = [key for key in ("apiVersion", "kind") if not isinstance(obj.get(key), str)]
    if missing:
        yield Violation(name_of(obj), _RULE, f"{' and '.join(missing)} must be there, and text")
        return
    if "items" in obj:  # a list: none of the rules would see what is in it
        yield Violation(
            name_of(obj), _RULE, "a list of objects; write each as a document of its own"
        )
        return
    schema = CUSTOM.get((obj["apiVersion"], obj["kind"]))
    if schema is None:
        yield from _against_kubernetes(obj, obj, version)
        return
    problem = _first_error(obj, schema)
    if problem is not None:
        yield Violation(name_of(obj), _RULE, problem)
        return
    for pod in pods_of(obj):
        meta = {"name": "pod", "labels": dict(pod.labels)}
        as_pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": dict(pod.spec)}
        yield from _against_kubernetes(as_pod, obj, version, where=pod.where)


def _against_kubernetes(
    obj: Object, shown: Object, version: str, *, where: tuple[str, ...] = ()
) -> Iterator[Violation]:
    from kubernetes_validate import utils

    try:
        utils.validate(dict(obj), version, strict=True)
    except utils.ValidationError as error:
        path = [str(part) for part in error.path]
        place = ".".join([*where, *path[1:]] if where else path) or "the object"
        text = f"{place}: {error.message} (Kubernetes {version})"
        yield Violation(name_of(shown), _RULE, text)
    except utils.SchemaNotFoundError:
        text = f"Kubernetes {version} has no {obj['kind']} of {obj['apiVersion']}"
        yield Violation(name_of(shown), _RULE, f"{text}; see kubectl api-versions")


def _first_error(obj: Object, schema: dict[str, Any]) -> str | None:
    from jsonschema.validators import (  # type: ignore[import-untyped,unused-ignore]
        Draft202012Validator,
    )

    errors = sorted(
        Draft202012Validator(schema).iter_errors(dict(obj)), key=lambda e: list(map(str, e.path))
    )
    if not errors:
        return None
    return f"{'.'.join(map(str, errors[0].path)) or 'the object'}: {errors[0].message}"
