"""One deployable folder: a model, what it takes and gives, and proof that it still works.

    flights-1.0.0/
    ├── model.onnx      the graph, preprocessing inside, from raw columns to the prediction
    ├── golden.json     a few rows with the predictions that the original model gave for them
    └── manifest.json   name, version, schema, metrics, origin, and the SHA-256 of the others

`pack` writes it, after it has checked that the graph gives the golden predictions; `load` reads it,
after it has checked every byte. Packing the same model twice gives the same bytes, in any folder
and any process, so a digest names one model for good. The digests find damage and mix-ups; they do
not prove who packed the folder: compare `Artifact.digest` with one that came on a trusted way.

Neither needs more than numpy and ONNX Runtime: this is what every target runs.
"""

from mlref.artifact.folder import TOLERANCE, Artifact, Golden, load, pack
from mlref.artifact.manifest import FORMAT, Manifest, Output

__all__ = ["FORMAT", "TOLERANCE", "Artifact", "Golden", "Manifest", "Output", "load", "pack"]
