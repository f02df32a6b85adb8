"""What right answers to lab 01 satisfy."""

import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx.parser
import onnxruntime

from mlref import artifact
from mlref.study.labs.checks import exercise, reject


def _names(answer, variable, *, why):
    """The names in a set, a list, an array or an index."""
    value = getattr(answer, variable)
    if isinstance(value, str | dict) or not isinstance(value, Iterable):
        reject(f"`{variable}` must be a set of names, got {value!r:.60}", why=why)
    names = list(value)
    if others := [each for each in names if not isinstance(each, str)]:
        reject(f"`{variable}` must hold names, each a text, got {others[0]!r:.60} in it", why=why)
    return set(names)


def _known(names, variable, columns):
    """Names of columns; one that is misspelt is told, not passed over."""
    if unknown := sorted(names - set(columns)):
        reject(
            f"`{variable}` names {', '.join(unknown)}; the columns are {', '.join(columns)}",
            why="a column that is misspelt is neither left out nor repaired",
        )


def _and_others(count):
    """What to add when more is wrong than was named; naming all would give the answer away."""
    return f"; and {count} more like it" if count else ""


# 1. Leaks

TOO_LATE = {
    "dep_time": "it is written down when the aircraft leaves, an hour after you were asked",
    "dep_delay": "it is the best predictor there is, and nobody knows it before the departure",
    "arr_time": "it is known when the flight is over",
    "air_time": "it is the time really flown, not the planned one; weak columns leak, too",
    "late_today": "the share of this whole day holds flights that have not left yet, and this one",
}
IN_TIME = {
    "minute_of_day": "it stands in the schedule",
    "distance": "it never changes",
    "busy": "it counts what is scheduled, not what happens",
    "late_yesterday": "yesterday is over",
}


def _leaks(answer):
    return _names(answer, "leaks", why="of each column it is asked whether it is in it")


@exercise("leaks")
def leaks_is_a_set_of_columns(answer):
    """`leaks` is a set of columns from the table."""
    _known(_leaks(answer), "leaks", [*TOO_LATE, *IN_TIME])


@exercise("leaks")
def every_leak_is_found(answer):
    """No column is kept that is known only after the question was asked."""
    if missed := [name for name in TOO_LATE if name not in _leaks(answer)]:
        reject(
            f"`{missed[0]}` is kept, but {TOO_LATE[missed[0]]}{_and_others(len(missed) - 1)}",
            why="a model that was given it shines in every test and is blind in production, where "
            "the column is empty when it is asked",
        )


@exercise("leaks")
def nothing_honest_is_thrown_away(answer):
    """Columns that are known in time are kept, however good or bad they look."""
    if lost := [name for name in IN_TIME if name in _leaks(answer)]:
        reject(
            f"`{lost[0]}` is no leak: {IN_TIME[lost[0]]}{_and_others(len(lost) - 1)}",
            why="a leak is a matter of when a value is known; throwing away by AUC loses what "
            "the model could honestly use",
        )


@exercise("leaks")
def the_honest_auc_is_that_of_the_best_column_left(answer):
    """`honest_auc` is the AUC of the best column that is known in time."""
    value = answer.number("honest_auc")
    if abs(value - max(answer.aucs[name] for name in IN_TIME)) <= 0.0035:  # two digits will do
        return
    has_it = [name for name, auc in answer.aucs.items() if abs(auc - value) < 0.0006]
    if not has_it:
        told = "no column has that; look it up in `aucs`"
    elif has_it[0] in TOO_LATE:
        told = f"which is what {has_it[0]} has, a leak"
    else:
        told = f"which is what {has_it[0]} has; another column that is known in time has more"
    reject(
        f"honest_auc is {value:.3f}, {told}",
        why="the figure that you promise must be one that production can keep",
    )


# 2. An artefact that refuses tampering


def _published(answer, place, graph=None):
    """A folder with what the answer published, and what it told the receiver."""
    folder = f"{place}/late"
    model = answer.graph_of(_prepared()) if graph is None else graph
    return Path(folder), answer.function("publish")(folder, model, answer.rows, answer.expected)


def _standardised(name, source, mean, deviation):
    return f"""
    mean_{name} = Constant <value = float[1] {{{mean}}}> ()
    deviation_{name} = Constant <value = float[1] {{{deviation}}}> ()
    centred_{name} = Sub ({source}, mean_{name})
    z_{name} = Div (centred_{name}, deviation_{name})"""


def _prepared(usual_gust=26.5):
    """The preparation as the solution of the last exercise writes it."""
    known = f"""
    unknown = IsNaN (wind_gust)
    usual = Constant <value = float[1] {{{usual_gust}}}> ()
    known = Where (unknown, usual, wind_gust)"""
    minute = _standardised("minute", "minute_of_day", 817.8, 281.4)
    humid = _standardised("humid", "humid", 57.8, 20.3)
    return minute + humid + known + _standardised("gust", "known", 26.8, 3.9)


def _refuses(call, *arguments):
    """Whether a call ends in an error; a model that only fails later is not refused."""
    try:
        call(*arguments)
    except NotImplementedError:
        raise  # a hole
    except Exception:
        return True
    return False


@exercise("refuse_tampering")
def what_was_published_is_received(answer):
    """What was published arrives, and predicts for the five rows what the training code did."""
    with tempfile.TemporaryDirectory() as place:
        folder, digest = _published(answer, place)
        if not isinstance(digest, str) or not digest:
            reject(
                f"`publish` returned {digest!r:.60}, not a text that identifies the artefact",
                why="without it the receiver cannot tell your folder from any other",
            )
        model = answer.function("receive")(folder, digest)
        if not hasattr(model, "predict"):
            reject(
                f"`receive` returned {type(model).__name__}, not a model that predicts",
                why="whoever calls it wants predictions",
            )
        got = model.predict(answer.rows)
        if np.abs(got - answer.expected).max() > 1e-5:
            reject(
                f"the model that was received predicts {np.round(got, 3)}, the training code "
                f"{np.round(answer.expected, 3)}",
                why="the same rows must give the same answers everywhere",
            )


@exercise("refuse_tampering")
def golden_rows_come_from_the_training_code(answer):
    """A graph that does not answer as the training code is not published."""
    wrong = answer.graph_of(_prepared(usual_gust=0.0))
    with tempfile.TemporaryDirectory() as place:
        # Whichever error: a right graph was published by the check before this one.
        if not _refuses(_published, answer, place, wrong):
            reject(
                "`publish` packed a graph that treats a missing gust as 0, though `expected` says "
                "otherwise for the row without a gust",
                why="golden answers that the graph gave itself always agree with it; they prove "
                "nothing about the conversion",
            )


@exercise("refuse_tampering")
def every_damaged_file_is_refused(answer):
    """`receive` refuses the folder when one bit of any of its files was flipped."""
    with tempfile.TemporaryDirectory() as place:
        folder, digest = _published(answer, place)
        for path in sorted(folder.iterdir()):
            good = path.read_bytes()
            middle = len(good) // 2
            path.write_bytes(good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :])
            if not _refuses(answer.receive, folder, digest):
                reject(
                    f"one bit of {path.name} was flipped, and `receive` took the folder",
                    why="a disk or a proxy that damages one byte gives you another model, which "
                    "answers without any error",
                )
            path.write_bytes(good)


@exercise("refuse_tampering")
def a_forged_manifest_is_refused(answer):
    """`receive` refuses a manifest that was rewritten with all its checksums made to fit."""
    with tempfile.TemporaryDirectory() as place:
        folder, digest = _published(answer, place)
        path = folder / "manifest.json"
        forged = replace(artifact.Manifest.from_bytes(path.read_bytes()), metrics={"auc": 0.99})
        path.write_bytes(forged.to_bytes())
        if not _refuses(answer.receive, folder, digest):
            reject(
                "somebody wrote an AUC of 0.99 into the manifest and made its checksums fit; "
                "`receive` believed it",
                why="checksums inside the folder find accidents; against intent, what identifies "
                "the artefact must come on another way than the artefact",
            )


@exercise("refuse_tampering")
def another_artefact_is_refused(answer):
    """`receive` refuses a whole, sound artefact that is not the one that was published."""
    with tempfile.TemporaryDirectory() as place:
        folder, digest = _published(answer, place)
        other = Path(place, "other")
        artifact.pack(
            other,
            model=answer.graph_of(_prepared()),
            name="late",
            version="0.9.0",
            inputs=answer.INPUTS,
            golden=answer.rows,
            expected=answer.expected,
        )
        shutil.rmtree(folder)
        shutil.move(other, folder)
        if not _refuses(answer.receive, folder, digest):
            reject(
                "version 0.9.0 lay in the folder instead of the one that was published, and "
                "`receive` took it",
                why="a roll-out that picks up yesterday's folder is the most common mix-up of all",
            )


# 3. Diagnosis


def _culprits(answer):
    return _names(answer, "culprits", why="there may be more than one")


@exercise("diagnose")
def the_culprits_are_columns(answer):
    """`culprits` is a set of the model's columns."""
    _known(_culprits(answer), "culprits", answer.COLUMNS)


@exercise("diagnose")
def every_culprit_is_found(answer):
    """Every column that is prepared differently is named, and no other."""
    culprits = _culprits(answer)
    if not culprits:
        reject(
            "`culprits` is empty, but the answers differ from the truth",
            why="status 200 says that the server understood the request, not that the request "
            "said what was meant",
        )
    if "minute_of_day" in culprits:
        reject(
            "`minute_of_day` is prepared alike on both sides",
            why="whoever repairs what is not broken breaks it",
        )
    if "wind_gust" not in culprits:
        reject(
            "a column is missing in `culprits`: compare the two preparations in the row in which "
            "something was not reported",
            why="a gap that becomes a zero is a calm day that never was; look at the rows in "
            "which something is missing first",
        )
    if "humid" not in culprits:
        reject(
            "a column is missing in `culprits`: its numbers look plausible in every row, and are "
            "right in none",
            why="a difference that is small in every row is the one that nobody notices; here the "
            "client took mean and deviation of its own summer",
        )


@exercise("diagnose")
def the_worst_error_is_measured(answer):
    """`worst` is the largest error of a probability among the five rows."""
    value = answer.number("worst")
    error = np.abs(answer.asked - answer.expected)
    if abs(value - error.max()) <= 1e-3:
        return
    if abs(value - error.mean()) < 1e-3:
        told = "that is the mean of the errors"
    elif abs(abs(value) - error.max()) < 1e-3:
        told = "an error's size has no sign"
    elif value == error.argmax():
        told = "that is the row in which it is largest, not how large it is"
    else:
        told = "compare `asked` with `expected`, row by row; the difference counts, not the ratio"
    reject(
        f"worst is {value:.3f}; {told}",
        why="a mean over many good rows hides the one passenger who missed the flight",
    )


# 4. Repair

MADE = {"minute_of_day": "z_minute", "humid": "z_humid", "wind_gust": "z_gust"}


def _graph(answer):
    """The graph around the answer's preparation."""
    text = answer.function("preparation")()
    if not isinstance(text, str):
        kind = type(text).__name__
        reject(f"`preparation` returned {kind}, not text", why="the graph is made of it")
    try:
        return answer.graph_of(text)
    except onnx.parser.ParseError as error:
        told = error.args[0]
        told = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
        place = told.rpartition("Error context: ")[2]
        reject(
            f"ONNX cannot read your lines; the mistake is here, or in the line above:\n{place:.300}",
            why="each line is `result = Operator (inputs)`; copy the pattern of the minute",
        )


def _session(answer):
    """The graph, ready to run; it tells the prepared columns, too."""
    graph = _graph(answer)
    for name in MADE.values():
        shape = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", 1])
        graph.graph.output.append(shape)
    try:
        return onnxruntime.InferenceSession(graph.SerializeToString())
    except Exception as error:
        told = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", " ".join(str(error).split()))
        reject(
            f"ONNX Runtime cannot run your graph: {told:.300}",
            why="each name that a line reads is made by a line above it, and what an operator "
            "takes is all of one type; a graph that does not load is at least found at once",
        )


def _difference(answer, positions):
    """Where the graph first prepares some of the rows otherwise than the training did, in words."""
    rows = {name: [values[i] for i in positions] for name, values in answer.rows.items()}
    wanted = answer.training(rows)
    raw = {name: np.array(values, np.float32)[:, None] for name, values in rows.items()}
    made = dict(zip(MADE, _session(answer).run(list(MADE.values()), raw), strict=True))
    for name, got in made.items():
        for row, (mine, right) in enumerate(zip(got[:, 0], wanted[name], strict=True)):
            if not abs(mine - right) < 1e-4:
                value = f"{name} {rows[name][row]}" if rows[name][row] else f"no {name}"
                return f"of {value} your lines make {MADE[name]} {mine:.3f}, `training` {right:.3f}"
    return None


@exercise("repair")
def the_graph_takes_raw_columns(answer):
    """The graph is whole: it makes z_humid and z_gust of the raw columns, and can be run."""
    made = {name for node in _graph(answer).graph.node for name in node.output}
    if lacking := sorted(set(MADE.values()) - made):
        reject(
            f"no line makes {' and '.join(lacking)}",
            why="the model's last part reads them; the graph cannot be loaded without",
        )
    _session(answer)


@exercise("repair")
def complete_rows_are_prepared_as_in_training(answer):
    """Rows in which nothing is missing are prepared as the training code does."""
    if told := _difference(answer, (0, 1, 2, 4)):
        reject(
            f"{told}: compare mean and deviation with the table, and what is subtracted from what",
            why="the preparation of the training is part of the model; any other is another model",
        )


@exercise("repair")
def a_missing_gust_is_prepared_as_in_training(answer):
    """A row without a gust is prepared as with the median gust, not with a calm or with nothing."""
    if told := _difference(answer, (3,)):
        reject(
            f"{told}, which fills 26.5 before it subtracts the mean and divides",
            why="three rows of four have no gust; an order of steps that only fails on them fails "
            "nearly everywhere, and still answers 200",
        )
