# answer: refuse_tampering
# rejected: golden answers that the graph gave itself
def publish(folder, graph, rows, expected):
    import onnxruntime

    session = onnxruntime.InferenceSession(graph.SerializeToString())
    columns = {
        name: np.array([np.nan if v is None else v for v in values], np.float32)[:, None]
        for name, values in rows.items()
    }
    own = session.run(None, columns)[0][:, 0]
    packed = artifact.pack(
        folder,
        model=graph,
        name="late",
        version="1.0.0",
        inputs=INPUTS,
        golden=rows,
        expected=own,
    )
    return packed.digest


def receive(folder, digest):
    return artifact.load(folder, digest=digest)
