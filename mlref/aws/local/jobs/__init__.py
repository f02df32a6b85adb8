"""Jobs that really run: a script in a process of its own, by SageMaker's container contract.

    inputs from S3 -> /opt/ml/input/... -> the script -> /opt/ml/model, /opt/ml/output -> S3

On SageMaker the script runs in a container, so that /opt/ml is its own. Here it is a process. Where
Linux allows a mount namespace (as it does for most users), the process gets an /opt/ml of its own
too, and a script that names such paths works as it is. Where it does not (in many containers, on
macOS), the folder lies elsewhere: SM_* variables, arguments and the environment point into it, and
the job's log says so.
"""

__all__: list[str] = []
