"""The model that `mlflow_app` saves, as the code that MLflow runs to get it."""

from __future__ import annotations

import mlflow.models
import mlflow.pyfunc
import peer_model

__all__ = ["Predictor"]


class Predictor(mlflow.pyfunc.PythonModel):
    """What MLflow loads and calls."""

    def load_context(self, context) -> None:  # noqa: ANN001, ARG002 - MLflow reads the names
        """Load the model in the server."""
        self.model = peer_model.load()

    def predict(self, context, model_input) -> list[float]:  # noqa: ANN001, ARG002 - likewise
        """A prediction for each row of a DataFrame, or of the one array that the model takes."""
        names = [column["name"] for column in self.model.columns]
        if hasattr(model_input, "columns"):
            return self.model.predict({name: model_input[name].to_numpy() for name in names})
        return self.model.predict({names[0]: model_input})


mlflow.models.set_model(Predictor())
