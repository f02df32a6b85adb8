"""Application Auto Scaling of the local AWS: capacity that follows a metric, or a schedule.

What is computed has no I/O: target tracking (`tracking`), steps (`stepping`), schedules
(`schedules`). `scaler` lets alarms of the local CloudWatch and the virtual clock act on endpoints
(`resources`). `targets`, `policies` and `scheduled` are the operations.
"""

__all__: list[str] = []
