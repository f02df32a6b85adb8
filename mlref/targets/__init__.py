"""Where a model runs. One artefact, one contract, the same answers in every place.

    from mlref import artifact, targets

    with targets.Local().deploy(artifact.load("flights-1.0.0")) as endpoint:
        endpoint.predict(rows)

`mlref.targets.base` holds the contract; `all_targets` lists every place that keeps it.
"""

from mlref.targets.base import Description, Endpoint, Target
from mlref.targets.container import Container
from mlref.targets.in_process import InProcess
from mlref.targets.local import Local
from mlref.targets.sagemaker import SageMaker

__all__ = [
    "Container",
    "Description",
    "Endpoint",
    "InProcess",
    "Local",
    "SageMaker",
    "Target",
    "all_targets",
]


def all_targets() -> tuple[Target, ...]:
    """Every target with its defaults, the reference first.

    >>> [target.name for target in all_targets()]
    ['in_process', 'local', 'container', 'sagemaker']
    """
    return (InProcess(), Local(), Container(), SageMaker())
