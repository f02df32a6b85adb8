"""SageMaker's control plane: models, endpoints, jobs, the registry and monitoring."""

__all__: list[str] = []
