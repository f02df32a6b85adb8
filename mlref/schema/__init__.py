"""The columns that a model takes, and the one place where rows are checked against them.

Every way into a model (a DataFrame in a notebook, JSON over HTTP, a golden row) goes through
`Schema.decode`: it turns rows into the arrays that the ONNX graph takes, or raises one
`InvalidInputError` that lists every problem. So the same rows are refused everywhere, for the same
reasons.

A *missing* value is None, NaN or pandas.NA; it may stand in a nullable column only. A JSON document
cannot say NaN: the server's parser hands `JsonConstant("NaN")` over instead, which is refused.
"""

from mlref.schema.checking import JsonConstant
from mlref.schema.column import Column, DType
from mlref.schema.schema import Decoded, OnUnknown, Rows, Schema

__all__ = ["Column", "DType", "Decoded", "JsonConstant", "OnUnknown", "Rows", "Schema"]
