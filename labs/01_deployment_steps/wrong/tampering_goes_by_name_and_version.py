# answer: refuse_tampering
# rejected: not a text that identifies the artefact
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


def receive(folder, digest):
    return artifact.load(folder, digest=digest)
