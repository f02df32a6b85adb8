"""What right answers to lab 03 satisfy: the figures, the causes and the columns.

The exercises in which something is deployed have files of their own.
"""

import copy

from mlref.study.labs.checks import exercise, reject

# 2. The bill


def _expect(answer, name, right, mistakes, *, why):
    """Reject a number that is not right, in the words of the mistake that gives it."""
    value = answer.number(name)
    if abs(value - right) <= 0.005 * right:
        return
    told = next(
        (text for wrong, text in mistakes if abs(value - wrong) <= 0.005 * wrong),
        "write down what is counted, how many of it, for how long, and its price",
    )
    reject(f"{name} is {value:,.2f}; {told}", why=why)


@exercise("bill")
def what_stands_is_paid(answer):
    """An endpoint is paid by the hour of each instance, asked or not."""
    hour = answer.HOUR
    _expect(
        answer,
        "month_usd",
        2 * hour * 730,
        [
            (0.0, "nobody asks it, and both instances stand all the same"),
            (hour * 730, "that is one instance; the variant has two"),
            (2 * hour * 720, "AWS counts 730 hours a month: 365 days by 24 hours by 12"),
            (2 * hour * 24, "that is a day"),
        ],
        why="the first surprise on a bill is an endpoint that stands and is not asked",
    )


@exercise("bill")
def an_update_has_two_fleets(answer):
    """While an update bakes, the old fleet and the new one stand side by side."""
    hour = answer.HOUR
    _expect(
        answer,
        "update_usd",
        2 * hour * 40 / 60,
        [
            (2 * hour * 30 / 60, "the old fleet stays for ten minutes more after the canary"),
            (hour * 40 / 60, "the canary is a share of the traffic; the new fleet is whole"),
            (hour * 30 / 60, "the new fleet is whole, and the old one stays for ten minutes more"),
            (4 * hour * 40 / 60, "one of the two fleets is paid anyway"),
        ],
        why="it is little money, but twice the instances: the account's quota must hold both fleets, "
        "or no update can be made",
    )


@exercise("bill")
def serverless_is_paid_by_use(answer):
    """Serverless is paid by memory and time of the requests."""
    used = 400_000 * 0.15
    _expect(
        answer,
        "serverless_usd",
        used * 2 * answer.GB_SECOND,
        [
            (used * answer.GB_SECOND, "that is 1 GB; the memory that is configured is paid"),
            (400_000 * 2 * answer.GB_SECOND, "a request takes 0.15 s, not a second"),
            (used * 2048 * answer.GB_SECOND, "the price is for a GB, and 2,048 are MB"),
            (used * answer.HOUR / 3600, "that is the price of an instance"),
        ],
        why="what is paid by use costs nothing at night: most small models belong here",
    )


@exercise("bill")
def they_meet_where_both_cost_the_same(answer):
    """The two ways meet where a month costs the same on both."""
    month, each = 2 * answer.HOUR * 730, 0.15 * 2 * answer.GB_SECOND
    _expect(
        answer,
        "even_requests",
        month / each,
        [
            (
                month / 2 / each,
                "that is where one instance would be as cheap; the endpoint has two",
            ),
            (month / (0.15 * answer.GB_SECOND), "each request is paid for 2 GB"),
            (month / (2 * answer.GB_SECOND), "a request takes 0.15 s, not a second"),
        ],
        why="below that number an endpoint that stands is paid for waiting",
    )


@exercise("bill")
def what_is_forgotten_goes_on(answer):
    """Nobody's endpoint is paid through the weekend."""
    hour = answer.HOUR
    _expect(
        answer,
        "forgotten_usd",
        2 * hour * 63,
        [
            (0.0, "the notebook has ended, and the endpoint has not"),
            (hour * 63, "each variant has an instance of its own"),
            (2 * hour * 48, "Friday has 6 hours more, and Monday 9"),
            (2 * hour * 39, "from Friday 18:00 to Monday 9:00 it is 63 hours"),
            (2 * hour * 87, "from Friday 18:00 to Monday 9:00 it is 63 hours"),
        ],
        why="what deletes must run also when the rest fails, and each thing should carry a tag that "
        "says when it may be swept",
    )


# 4. The night


def _diagnosed(answer, case, right, what, *, why):
    """Reject the answer if it finds another cause for a case."""
    got = answer.function("diagnose")(copy.deepcopy(case))
    if got != right:
        known = isinstance(got, str) and got in answer.CAUSES
        told = f"{got!r:.30}" if known else f"{got!r:.30}, which is not in CAUSES"
        reject(f"{what}: `diagnose` says {told}, not {right!r}", why=why)


@exercise("diagnose")
def the_five_are_told(answer):
    """The cause of each of the five of the night is found."""
    for name, right, why in (
        ("fares-lisbon", "code", "the container ran, and says what it lacks: the image has no xgboost"),
        ("fares-madrid", "archive", "the container ran, and found nothing where it looks"),
        ("fares-oslo", "slow", "its log has no error, and ends in the middle of its work"),
        ("fares-paris", "access", "no container was ever started: read the sentence to its end"),
        ("fares-rome", "fine", "a request that failed is no deployment that failed"),
    ):  # fmt: skip
        _diagnosed(answer, answer.CASES[name], right, name, why=why)


@exercise("diagnose")
def the_reason_is_read_to_its_end(answer):
    """Failures that no container has a part in are told apart."""
    begin = "The primary container for production variant main could not be started: "
    broken = (
        f"{begin}Failed to extract model data archive from URL s3://fares-models/x/model.tar.gz."
    )
    full = "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity."
    lost = "Could not access model data at s3://fares-models/x/model.tar.gz. The role lacks s3:GetObject."
    for reason, right, what, why in (
        (broken, "archive", "an archive that cannot be extracted",
         "no container ran, so there is no log"),
        (full, "other", "no capacity in the zone", "none of the repairs of this night mends it"),
        ("Request to service failed. If failure persists after retry, contact customer support.",
         "other", "a failure of the service", "ask again, and then ask somebody else"),
        (lost, "access", "a role that lost its right after the model was created",
         "the role is asked again when the endpoint starts"),
    ):  # fmt: skip
        _diagnosed(answer, answer.case(reason=reason), right, what, why=why)


@exercise("diagnose")
def the_log_is_read_for_what_it_says(answer):
    """Containers that do not answer a ping are told apart by what they printed."""
    oslo = answer.CASES["fares-oslo"]["log"]
    for log, right, what, why in (
        ([], "other", "no ping, and no log at all",
         "a container that printed nothing has told nothing; start it by hand and look"),
        (["loading the weights", "12 % ... 31 % ... 58 %"], "slow", "no ping, loading at 58 %",
         "it needs more time, or less to load, and no larger instance"),
        (["error: model_fn of inference.py failed: FileNotFoundError: airports.json"], "code",
         "no ping, model_fn failed", "its own code looks for a file that nobody packed"),
        ([*oslo, "Traceback (most recent call last):", "KeyError: 'part 5'"], "code",
         "no ping, a traceback after four parts", "it was not slow, it had ended"),
        (["error: model.onnx was changed after it was packed (SHA-256 differs)"], "archive",
         "no ping, a file that was changed", "what was packed is not what was tested"),
    ):  # fmt: skip
        _diagnosed(answer, answer.case(reason=answer.PING, log=log), right, what, why=why)
    rome = answer.case(status="InService", log=[*oslo, "no artefact in the request's header"])
    _diagnosed(
        answer,
        rome,
        "fine",
        "in service, with an odd log",
        why="it answers: leave it alone tonight",
    )


# 5. The column


def _found(answer, case, *, shuffled=False, blank=False):
    """What the answer finds in some hours, as (hour, set of columns) or None."""
    import numpy as np

    hours = answer.hourly(answer.recorded(**case))
    if blank:
        for columns in hours.values():
            columns["humid"][2] = np.nan
    if shuffled:
        hours = dict(sorted(hours.items(), key=lambda each: each[0][::-1]))
    got = answer.function("unit_change")(hours)
    if got is None:
        return None
    is_pair = isinstance(got, (tuple, list)) and len(got) == 2
    if not is_pair or not isinstance(got[1], (set, frozenset, list, tuple)):
        reject(
            f"`unit_change` gives {got!r:.60}, not None and not a pair of an hour and a set",
            why="whoever is called at night wants to know since when, and which column",
        )
    return str(got[0]), set(got[1])


def _told(found):
    return "nothing" if found is None else f"{', '.join(sorted(found[1]))} since {found[0]}"


def _expects(answer, case, right, what, *, why, **options):
    got = _found(answer, case, **options)
    if got != right:
        reject(f"{what}: `unit_change` finds {_told(got)}, not {_told(right)}", why=why)


def _hour(number):
    return f"2026-03-{2 + number // 24:02d}T{number % 24:02d}"


@exercise("captures")
def the_week_is_told(answer):
    """The column of the incident, and the hour since when it has another unit."""
    case = {"seed": 7, "celsius": answer.CHANGED, "since": answer.SINCE, "stuck": [20]}
    _expects(
        answer,
        case,
        (_hour(answer.SINCE), set(answer.CHANGED)),
        "the week of the incident",
        why="with the hour you find the release that did it, and with the column the line of code",
    )


@exercise("captures")
def nobody_is_accused_of_the_weather(answer):
    """A cold front and a broken sensor are no change of unit."""
    for case, what, why in (
        ({"seed": 1}, "a quiet week", "a false alarm at night is the last one that is read"),
        ({"seed": 2, "front": 14}, "a cold front, 36 °F in six hours",
         "the law between the three columns holds all the time: winter has come"),
        ({"seed": 3, "stuck": [20, 21]}, "a sensor that says 0 for two hours",
         "it came back by itself, so no client was changed"),
        ({"seed": 4, "stuck": range(22, 40)}, "a sensor that says 0 from an hour on",
         "reading it as °C mends nothing: call the weather service, not the mobile team"),
    ):  # fmt: skip
        _expects(answer, {"hours": 40, **case}, None, what, why=why)


@exercise("captures")
def each_change_is_found(answer):
    """One column or two, on a cold day or after a broken hour, in any order."""
    temp, dewp = "temp", "dewp"
    for celsius, since, more, options, what in (
        ([dewp], 25, {}, {}, "the dew point in °C"),
        ([temp, dewp], 18, {}, {}, "both in °C"),
        ([temp], 21, {"front": 12}, {}, "the temperature in °C, after a cold front"),
        ([temp], 31, {"stuck": [27]}, {}, "the temperature in °C, some hours after a broken one"),
        ([dewp], 16, {}, {"shuffled": True}, "the dew point in °C, hours in no order"),
        ([temp, dewp], 20, {}, {"blank": True}, "both in °C, some humidity is missing"),
    ):
        case = {"seed": since, "hours": 40, "celsius": celsius, "since": since, **more}
        _expects(
            answer, case, (_hour(since), set(celsius)), what,
            why="the rows in between were answered, and somebody has to be told which ones",
            **options,
        )  # fmt: skip
