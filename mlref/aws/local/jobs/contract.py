"""What SageMaker tells a training script: files under input/config, and variables.

The files are what every training container gets. The SM_* variables are those of the training
toolkit, which AWS's framework containers have inside. A container without it gets only the files,
TRAINING_JOB_NAME and TRAINING_JOB_ARN: a script that is to run there, too, reads the files.

Source: the Amazon SageMaker Developer Guide, "How Amazon SageMaker Provides Training Information";
the documentation of the SageMaker training toolkit, "Environment variables".
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlref.aws.local.jobs.folder import OPT_ML, save_json
from mlref.aws.local.world import REGION

__all__ = ["Training", "arguments_of", "decoded"]

_HOST = "algo-1"
_GROUP = "homogeneousCluster"
_ONLY_IN_ALL = {"channel_input_dirs", "hyperparameters", "is_master", "job_name", "master_hostname"}
"""What stands in SM_TRAINING_ENV, and in no variable of its own."""
_INTERNAL = "sagemaker_"  # what hyperparameters begin with that are not the script's


@dataclass(frozen=True)
class Training:
    """What a training script is told.

    Attributes:
        name: of the job.
        arn: of the job.
        hyperparameters: as CreateTrainingJob got them.
        channels: the members of InputDataConfig.
        instance_type: that the job asked for.
        program: the script, or "".
        source: where the script's folder came from, or "".
    """

    name: str
    arn: str
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[Mapping[str, Any], ...] = ()
    instance_type: str = ""
    program: str = ""
    source: str = ""

    def own_hyperparameters(self) -> dict[str, Any]:
        """Those that are meant for the script, decoded."""
        return {
            name: decoded(value)
            for name, value in sorted(self.hyperparameters.items())
            if not name.startswith(_INTERNAL)
        }

    def resources(self) -> dict[str, Any]:
        """What resourceconfig.json holds."""
        return {
            "current_host": _HOST,
            "current_instance_type": self.instance_type,
            "current_group_name": _GROUP,
            "hosts": [_HOST],
            "instance_groups": [
                {
                    "instance_group_name": _GROUP,
                    "instance_type": self.instance_type,
                    "hosts": [_HOST],
                }
            ],
            "network_interface_name": "eth0",
        }

    def inputs(self) -> dict[str, dict[str, str]]:
        """What inputdataconfig.json holds. FastFile counts as File, as on AWS."""
        found = {}
        for each in self.channels:
            source = each["DataSource"]["S3DataSource"]
            told = {"ContentType": each["ContentType"]} if "ContentType" in each else {}
            found[each["ChannelName"]] = {
                **told,
                "TrainingInputMode": "File",
                "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
                "RecordWrapperType": each.get("RecordWrapperType", "None"),
            }
        return found

    def save(self, folder: Path) -> None:
        """Write the files.

        Args:
            folder: what /opt/ml holds.
        """
        config = folder / "input" / "config"
        save_json(config / "hyperparameters.json", dict(self.hyperparameters))
        save_json(config / "inputdataconfig.json", self.inputs())
        save_json(config / "resourceconfig.json", self.resources())

    def variables(self) -> dict[str, str]:
        """The variables of the script."""
        own = self.own_hyperparameters()
        names = [each["ChannelName"] for each in self.channels]
        directories = {name: f"{OPT_ML}/input/data/{name}" for name in names}
        told: dict[str, Any] = {
            "channel_input_dirs": directories,
            "current_host": _HOST,
            "current_instance_group": _GROUP,
            "current_instance_group_hosts": [_HOST],
            "current_instance_type": self.instance_type,
            "hosts": [_HOST],
            "hyperparameters": own,
            "input_config_dir": f"{OPT_ML}/input/config",
            "input_data_config": self.inputs(),
            "input_dir": f"{OPT_ML}/input",
            "instance_groups": [_GROUP],
            "is_hetero": False,
            "is_master": True,
            "job_name": self.name,
            "log_level": 20,
            "master_hostname": _HOST,
            "model_dir": f"{OPT_ML}/model",
            "module_dir": self.source,
            "module_name": self.program.removesuffix(".py"),
            "network_interface_name": "eth0",
            "num_cpus": os.cpu_count() or 1,
            "num_gpus": 0,
            "output_data_dir": f"{OPT_ML}/output/data",
            "output_dir": f"{OPT_ML}/output",
            "output_intermediate_dir": f"{OPT_ML}/output/intermediate",
            "resource_config": self.resources(),
            "user_entry_point": self.program,
        }
        found = {f"SM_{name.upper()}": _text(told[name]) for name in told.keys() - _ONLY_IN_ALL}
        found |= {f"SM_CHANNEL_{name.upper()}": path for name, path in directories.items()}
        found |= {f"SM_HP_{name.upper()}": _text(value) for name, value in own.items()}
        return found | {
            "SM_CHANNELS": _text(sorted(names)),
            "SM_HPS": _text(own),
            "SM_TRAINING_ENV": _text(told),
            "SM_USER_ARGS": _text(arguments_of(own)),
            "TRAINING_JOB_NAME": self.name,
            "TRAINING_JOB_ARN": self.arn,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }


def decoded(value: str) -> Any:
    r"""A hyperparameter: what its text is in JSON, or the text itself.

    SageMaker's SDK sends each as JSON, boto3 whatever it is given.

    >>> decoded("0.1"), decoded('"adam"'), decoded("adam")
    (0.1, 'adam', 'adam')
    """
    try:
        return json.loads(value)
    except ValueError:
        return value


def arguments_of(hyperparameters: Mapping[str, Any]) -> list[str]:
    """The arguments of a script: two for each hyperparameter, one if it is empty.

    >>> arguments_of({"epochs": 3, "optimizer": "adam", "verbose": ""})
    ['--epochs', '3', '--optimizer', 'adam', '--verbose']
    """
    found = []
    for name, value in hyperparameters.items():
        found.append(f"-{name}" if len(name) == 1 else f"--{name}")
        text = "" if value is None else _argument(value)
        if text.strip():
            found.append(text)
    return found


def _argument(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={each}" for name, each in sorted(value.items()))
    return str(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
