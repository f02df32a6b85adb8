"""Question 1: the formats in which a model can be kept, compared by measurement.

pickle, joblib, skops, ONNX, a state_dict, safetensors, torch.export and TensorFlow's SavedModel:
how large, how fast to save and to load, whether the predictions stay the same, what else must be
installed to load it, and what a file from a stranger can do to you.

    comparison = compare(champion, challenger, rows, "build/runs/formats")
    comparison                          # one table
    comparison.to_attempts_table()      # what the hostile files did

Everything that is measured about loading is measured in fresh processes, for in this one the
libraries are imported already.
"""

from mlref.serialization.attempts import Attempt, HostileFile
from mlref.serialization.compare import Comparison, Row, compare
from mlref.serialization.formats import Format, Saved, formats
from mlref.serialization.fresh import FreshLoad
from mlref.serialization.hostile import craft
from mlref.serialization.needs import Needs, distributions
from mlref.serialization.network import read_network, read_preparation, write_network

__all__ = [
    "Attempt",
    "Comparison",
    "Format",
    "FreshLoad",
    "HostileFile",
    "Needs",
    "Row",
    "Saved",
    "compare",
    "craft",
    "distributions",
    "formats",
    "read_network",
    "read_preparation",
    "write_network",
]
