"""Either model as ONE ONNX graph, from raw named columns to the probability of being late.

Each column is an input of its own, shape (n, 1), string or float; the one output is `probability`,
shape (n,). What the Python model does before it predicts (codes for categories, fill-in for missing
numbers) is inside the graph, so that nobody has to write it a second time, and get it wrong.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from mlref.models.challenger import Challenger, Preparation
from mlref.models.champion import Champion
from mlref.runtime.lazy import extra

__all__ = ["OUTPUT", "to_onnx"]

OUTPUT = "probability"
"""Name of the graph's one output."""

_OPSET = 18
_ML_OPSET = 3
_PRODUCER = "mlref"


def to_onnx(model: Champion | Challenger) -> Any:
    """The model as an onnx.ModelProto, weights inside, nothing of this machine inside.

    Args:
        model: a fitted champion or a trained challenger.

    Returns:
        A graph that agrees with `model.predict` within 1e-5; the same model gives the same bytes.

    Raises:
        TypeError: another kind of model.
        MissingExtraError: "train" (champion) or "torch" (challenger) is not installed.
    """
    if isinstance(model, Champion):
        graph = _champion(model)
    elif isinstance(model, Challenger):
        graph = _challenger(model)
    else:
        raise TypeError(f"to_onnx takes a Champion or a Challenger, got {type(model).__name__}")
    return _cleaned(graph)


def _champion(model: Champion) -> Any:
    with extra("train"):
        from onnx import TensorProto, helper
        from skl2onnx import to_onnx as convert
        from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    types = [
        (c.name, (StringTensorType if c.dtype == "string" else FloatTensorType)([None, 1]))
        for c in model.inputs
    ]
    with warnings.catch_warnings():
        # The converter puts booleans where protobuf wants integers, which it will refuse one day.
        warnings.filterwarnings("ignore", "Field onnx.AttributeProto", DeprecationWarning)
        made = convert(
            model.pipeline,
            initial_types=types,
            options={"zipmap": False},
            target_opset={"": _OPSET, "ai.onnx.ml": _ML_OPSET},
            name="champion",
        )
    graph = made.graph
    names = [node.name for node in graph.output]
    (both,) = [name for name in names if "prob" in name]  # (n, 2): punctual, late
    graph.initializer.append(helper.make_tensor("late", TensorProto.INT64, [], [1]))
    graph.node.append(helper.make_node("Gather", [both, "late"], [OUTPUT], axis=1))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None]))
    return made


def _challenger(model: Challenger) -> Any:
    with extra("torch"):
        import onnx
    network = _exported_network(model)
    before = _preparation_graph(model.preparation, opset=network.opset_import[0].version)
    before.ir_version = network.ir_version = min(before.ir_version, network.ir_version, 10)
    return onnx.compose.merge_models(
        before,
        onnx.compose.add_prefix(network, "network_"),
        io_map=[("codes", "network_codes"), ("numbers", "network_numbers")],
        outputs=[f"network_{OUTPUT}"],
    )


def _exported_network(model: Challenger) -> Any:
    """The export by torch itself, in memory. It logs and warns about its own insides."""
    import logging

    import torch

    sizes, width = model.preparation.sizes, model.preparation.width
    codes = torch.zeros((2, len(sizes)), dtype=torch.int64)
    numbers = torch.zeros((2, width), dtype=torch.float32)
    rows = torch.export.Dim("rows")
    noisy = logging.getLogger("torch.onnx")
    level = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                model.network,
                (codes, numbers),
                dynamo=True,
                input_names=["codes", "numbers"],
                output_names=[OUTPUT],
                dynamic_shapes=({0: rows}, {0: rows}),
                opset_version=_OPSET,
                external_data=False,
                verbose=False,
            )
    finally:
        noisy.setLevel(level)
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program; the torch version is not supported")
    return program.model_proto


def _preparation_graph(preparation: Preparation, *, opset: int) -> Any:
    """`Preparation.apply` in ONNX: LabelEncoder, Imputer, scaling, flags of what was missing."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, initializers = [], []

    def constant(name: str, values: Any) -> str:
        initializers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    codes = []
    for name, known in preparation.categories.items():
        codes.append(f"{name}_code")
        nodes.append(
            helper.make_node(
                "LabelEncoder",
                [name],
                [codes[-1]],
                domain="ai.onnx.ml",
                keys_strings=list(known),
                values_int64s=list(range(1, len(known) + 1)),
                default_int64=0,
            )
        )
    nodes.append(helper.make_node("Concat", codes, ["codes"], axis=1))
    nodes.append(helper.make_node("Concat", list(preparation.numbers), ["raw"], axis=1))
    nodes.append(
        helper.make_node(
            "Imputer",
            ["raw"],
            ["filled"],
            domain="ai.onnx.ml",
            imputed_value_floats=preparation.fill.tolist(),
            replaced_value_float=float("nan"),
        )
    )
    low, high = constant("low", preparation.low), constant("high", preparation.high)
    nodes.append(helper.make_node("Max", ["filled", low], ["not_below"]))
    nodes.append(helper.make_node("Min", ["not_below", high], ["known"]))
    nodes.append(helper.make_node("Sub", ["known", constant("mean", preparation.mean)], ["off"]))
    nodes.append(helper.make_node("Div", ["off", constant("scale", preparation.scale)], ["scaled"]))
    nodes.append(helper.make_node("IsNaN", ["raw"], ["missing"]))
    flagged = constant("flagged", np.array(preparation.flagged, dtype=np.int64))
    nodes.append(helper.make_node("Gather", ["missing", flagged], ["flags_bool"], axis=1))
    nodes.append(helper.make_node("Cast", ["flags_bool"], ["flags"], to=TensorProto.FLOAT))
    nodes.append(helper.make_node("Concat", ["scaled", "flags"], ["numbers"], axis=1))
    strings, floats = TensorProto.STRING, TensorProto.FLOAT
    width = preparation.width
    graph = helper.make_graph(
        nodes,
        "preparation",
        [helper.make_tensor_value_info(n, strings, [None, 1]) for n in preparation.categories]
        + [helper.make_tensor_value_info(n, floats, [None, 1]) for n in preparation.numbers],
        [
            helper.make_tensor_value_info("codes", TensorProto.INT64, [None, len(codes)]),
            helper.make_tensor_value_info("numbers", floats, [None, width]),
        ],
        initializers,
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
    return helper.make_model(graph, opset_imports=opsets)


def _cleaned(model: Any) -> Any:
    """The graph without what does not belong into it: stack traces, paths, versions of tools."""
    from onnx import checker

    model.producer_name, model.producer_version, model.doc_string = _PRODUCER, "", ""
    model.graph.name = "model"
    model.graph.doc_string = ""
    for output in model.graph.output:
        _rename_output(model.graph, output)
    opsets = sorted(model.opset_import, key=lambda each: each.domain)  # they come from a set
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    parts = (model.graph.node, model.graph.initializer, model.graph.input, model.graph.output)
    for part in parts:
        for item in part:
            item.doc_string = ""
            if hasattr(item, "metadata_props"):
                del item.metadata_props[:]
    checker.check_model(model, full_check=True)
    return model


def _rename_output(graph: Any, output: Any) -> None:
    old = output.name
    if old == OUTPUT:
        return
    for node in graph.node:
        for position, name in enumerate(node.output):
            if name == old:
                node.output[position] = OUTPUT
    output.name = OUTPUT
