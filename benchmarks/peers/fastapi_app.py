"""Plain FastAPI as its tutorial has it: pydantic in, pydantic out, `async def` and `def`.

Text columns are `str` and not a Literal of the known categories, because the model answers for
unknown ones. Ranges are not checked, which favours this peer.
"""

from typing import Annotated, Any

import peer_model
from fastapi import FastAPI
from pydantic import BaseModel, Field, create_model

__all__ = ["Prediction", "Rows", "app"]

model = peer_model.load()


def _values(column: dict[str, Any]) -> Any:
    """The type of one column."""
    if column["dtype"] == "string":
        return list[str]
    if column.get("shape"):
        (width,) = column["shape"]
        return list[Annotated[list[float], Field(min_length=width, max_length=width)]]
    return list[float | None] if column.get("nullable") else list[float]


_fields: dict[str, Any] = {column["name"]: (_values(column), ...) for column in model.columns}
Columns: type[BaseModel] = create_model("Columns", **_fields)


class Rows(BaseModel):
    """The body of a request."""

    columns: Columns  # type: ignore[valid-type]


class Prediction(BaseModel):
    """The body of an answer."""

    predictions: list[float]


app = FastAPI()


@app.post("/async")
async def predict_async(rows: Rows) -> Prediction:
    """A prediction for each row, made in the event loop."""
    return Prediction(predictions=model.predict(vars(rows.columns)))


@app.post("/def")
def predict_def(rows: Rows) -> Prediction:
    """The same in a thread of the pool: what the tutorial's `def` does."""
    return Prediction(predictions=model.predict(vars(rows.columns)))
