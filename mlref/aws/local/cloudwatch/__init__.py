"""CloudWatch of the local AWS: metrics that are kept, and alarms that are evaluated and act.

Observations are kept as value -> count for each period (`store`), from which every statistic is
computed when it is asked for (`statistics`), alone or in formulas (`series`, `expressions`,
`queries`). Alarms (`book`) look at them every minute by AWS's published rules (`evaluation`), or at
each other (`rules`), and act (`actions`). `metrics` and `alarms` are the operations.
"""

__all__: list[str] = []
