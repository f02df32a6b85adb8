# answer: refuse_tampering
# rejected: one bit of golden.json was flipped
import hashlib
from pathlib import Path


def publish(folder, graph, rows, expected):
    artifact.pack(
        folder,
        model=graph,
        name="late",
        version="1.0.0",
        inputs=INPUTS,
        golden=rows,
        expected=expected,
    )
    return hashlib.sha256(Path(folder, "model.onnx").read_bytes()).hexdigest()


def receive(folder, digest):
    import onnxruntime

    data = Path(folder, "model.onnx").read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError("another model")
    session = onnxruntime.InferenceSession(data)

    class Model:
        def predict(self, rows):
            columns = {
                name: np.array([np.nan if v is None else v for v in values], np.float32)[:, None]
                for name, values in rows.items()
            }
            return session.run(None, columns)[0][:, 0]

    return Model()
