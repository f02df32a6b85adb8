"""Endpoints that a session makes are added up; nothing here is sent to anybody."""

from __future__ import annotations

import pytest
from support.ledger import CAPACITY, DIMENSION, SCALING, Held, estimate, refused

from mlref.cost import Estimate
from mlref.errors import SpendingRefusedError


def test_endpoints_are_added_up() -> None:
    """Each would pass alone; what is deleted makes room."""
    mine = Held(estimate(hosting=2))
    mine.make("a")
    mine.make("b")
    with refused(
        "CreateEndpoint",
        r"has 2 hosting ml\.m5\.large \(8 instance-hours in 4 h\), and with this request the "
        "session would have 3 at a time: 1 of endpoint a, 1 of endpoint b, 1 of endpoint c; delete "
        "what is not needed",
    ):
        mine.make("c")
    mine.tell("DeleteEndpoint", {}, EndpointName="a")
    mine.make("c")


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("dear", r"no hosting ml\.g5\.2xlarge"),
        ("three", "3 of endpoint a"),
        ("shadow", "2 of endpoint a"),
    ],
)
def test_what_another_has_configured_is_looked_up(config: str, why: str) -> None:
    """It was not this session that had to keep to the estimate when it was made."""
    with refused("CreateEndpoint", why):
        Held(estimate(hosting=1)).make("a", config)


def test_what_has_no_instances_is_not_counted() -> None:
    """Serverless compute costs by use."""
    mine = Held(Estimate())
    mine.make("a", "small")
    mine.make("b", "small")


def test_what_is_not_there_is_not_guessed() -> None:
    """Nobody knows what it would be."""
    mine, nothing = Held(estimate(hosting=1)), "so what it has is not known; create it first"
    for call, what in (
        (lambda: mine.make("a", "no-such"), "CreateEndpoint.* no configuration 'no-such'"),
        (lambda: mine.resize("no-such", "A", 1), f"{CAPACITY}.* no endpoint 'no-such'"),
        (lambda: mine.scale("no-such", 1), "RegisterScalableTarget.* no endpoint 'no-such'"),
    ):
        with pytest.raises(SpendingRefusedError, match=f"^{what}, {nothing}"):
            call()
    mine.make("a")


def test_an_update_may_be_rolled_back() -> None:
    """So the greater of old and new counts, until AWS tells which one it is."""
    mine = Held(estimate(hosting=2))
    mine.make("a", "two")
    mine.update("a", "one")
    mine.describe("a", "two", "Updating", A=1, B=1)
    with refused("CreateEndpoint", "2 of endpoint a, 1 of endpoint b"):
        mine.make("b")
    mine.describe("a", "one", A=1)
    mine.make("b")
    with refused("UpdateEndpoint", "2 of endpoint a, 1 of endpoint b"):
        mine.update("a", "two")


def test_an_update_that_was_rolled_back_has_what_it_had() -> None:
    """As DescribeEndpoint tells."""
    mine = Held(estimate(hosting=2))
    mine.make("a", "one")
    mine.update("a", "two")
    mine.describe("a", "one", A=1)
    mine.make("b")


@pytest.mark.parametrize("but", [[], [{"VariantPropertyType": "DesiredInstanceCount"}]])
def test_an_update_may_keep_what_a_variant_has(but: list[dict[str, str]]) -> None:
    """RetainAllVariantProperties keeps the number of instances, unless that is excluded."""
    mine = Held(estimate(hosting=3))
    mine.make("a")
    mine.resize("a", "A", 3)
    more = {"RetainAllVariantProperties": True, "ExcludeRetainedVariantProperties": but}
    if but:
        mine.update("a", "two", **more)
        return
    with refused("UpdateEndpoint", "4 of endpoint a"):
        mine.update("a", "two", **more)


def test_what_is_not_kept_is_what_the_configuration_says() -> None:
    """It may be more than the variant has."""
    mine = Held(estimate(hosting=2))
    mine.make("a")
    but = [{"VariantPropertyType": "DesiredInstanceCount"}]
    with refused("UpdateEndpoint", "3 of endpoint a"):
        mine.update(
            "a", "three", RetainAllVariantProperties=True, ExcludeRetainedVariantProperties=but
        )


def test_what_sagemaker_may_scale_to_counts_whatever_is_asked_for() -> None:
    """Inference components bring their instances."""
    mine = Held(estimate(hosting=4))
    mine.make("a", "managed")
    mine.resize("a", "A", 1)
    mine.describe("a", "managed", A=1)
    with refused("CreateEndpoint", "4 of endpoint a, 1 of endpoint b"):
        mine.make("b")


def test_what_it_may_scale_to_counts() -> None:
    """A target's bound, and that of a scheduled action: the greatest is what it may cost."""
    mine = Held(estimate(hosting=4))
    mine.make("a")
    mine.scale("a", 2)
    mine.scale("a", 3, action="morning")
    mine.make("b")
    with refused("CreateEndpoint", "3 of endpoint a, 1 of endpoint b, 1 of endpoint c"):
        mine.make("c")
    with refused("RegisterScalableTarget", "4 of endpoint a, 1 of endpoint b"):
        mine.scale("a", 4)
    mine.tell("DeleteEndpoint", {}, EndpointName="b")
    mine.scale("a", 4)


def test_a_target_without_a_new_maximum_keeps_its_own() -> None:
    """Only its minimum is changed, or what is suspended."""
    mine = Held(estimate(hosting=3))
    mine.make("a")
    mine.scale("a", 3)
    place = {"ResourceId": "endpoint/a/variant/A", "ScalableDimension": DIMENSION}
    mine.ask("RegisterScalableTarget", SCALING, **place, MinCapacity=1)
    mine.ask("RegisterScalableTarget", SCALING, **place)
    with refused("CreateEndpoint", "3 of endpoint a"):
        mine.make("b")


def test_what_has_scaled_stays_when_nothing_scales_it_any_more() -> None:
    """No instance goes by that; less is told by DescribeEndpoint, or asked for by hand."""
    mine = Held(estimate(hosting=4))
    mine.make("a", "two")
    mine.scale("a", 3)
    mine.scale("a", 3, action="morning")
    place = {"ResourceId": "endpoint/a/variant/A"}
    end = "DeregisterScalableTarget"
    mine.tell(end, {}, **place, ScalableDimension="sagemaker:variant:DesiredProvisionedConcurrency")
    mine.describe("a", "two", A=1, B=1)
    with refused("CreateEndpoint", "4 of endpoint a, 1 of endpoint b"):
        mine.make("b")  # that was another dimension
    mine.tell(end, {}, **place, ScalableDimension=DIMENSION)
    with refused("CreateEndpoint", "4 of endpoint a, 1 of endpoint b"):
        mine.make("b")
    mine.describe("a", "two", A=2, B=1)
    mine.make("b")


def test_a_variant_that_scales_is_not_that_beside_it() -> None:
    """Deregistering one changes nothing of the other."""
    mine = Held(estimate(hosting=6))
    mine.make("a", "two")
    mine.scale("a", 3, "A")
    mine.scale("a", 3, "B")
    place = {"ResourceId": "endpoint/a/variant/A", "ScalableDimension": DIMENSION}
    mine.tell("DeregisterScalableTarget", {}, **place)
    mine.scale("a", 1, "B")
    mine.describe("a", "two", A=1, B=1)
    mine.make("b", "three")
    with refused("CreateEndpoint", "3 of endpoint b, 2 of endpoint a"):
        mine.make("c", "two")


def test_a_scheduled_action_has_changed_the_target() -> None:
    """What it has set stays when it is deleted, until the target gets another maximum."""
    mine = Held(estimate(hosting=3))
    mine.make("a")
    mine.scale("a", 3, action="morning")
    place = {"ResourceId": "endpoint/a/variant/A", "ScalableDimension": DIMENSION}
    mine.tell("DeleteScheduledAction", {}, **place, ScheduledActionName="morning")
    mine.describe("a", "one", A=1)
    with refused("CreateEndpoint", "3 of endpoint a, 1 of endpoint b"):
        mine.make("b")
    mine.scale("a", 1)
    with refused("CreateEndpoint", "3 of endpoint a, 1 of endpoint b"):
        mine.make("b")  # they go when it scales in
    mine.describe("a", "one", A=1)
    mine.make("b")


def test_what_gets_smaller_is_smaller_once_aws_has_agreed() -> None:
    """If nobody knows whether it has, the greater counts."""
    mine = Held(estimate(hosting=3))
    mine.make("a", "three")
    for end in ("undo", "leave", ""):
        mine.resize("a", "A", 1, end=end)
        with refused("CreateEndpoint", "3 of endpoint a, 1 of endpoint b"):
            mine.make("b")
    mine.resize("a", "A", 1)
    mine.make("b")


def test_two_registrations_are_two() -> None:
    """One that fails takes nothing from one that succeeds."""
    mine = Held(estimate(hosting=3))
    mine.make("a")
    failing = mine.scale("a", 3, end="")
    mine.scale("a", 3)
    mine.ledger.undo(failing)
    with refused("CreateEndpoint", "3 of endpoint a, 1 of endpoint b"):
        mine.make("b")


def test_what_aws_told_before_a_change_is_not_what_there_is_after() -> None:
    """A describe that was under way is late; one that is asked then is not."""
    mine = Held(estimate(hosting=3))
    mine.make("a", "one")
    asked = mine.ledger.mark()
    mine.update("a", "three")
    mine.describe("a", "one", mark=asked, A=1)
    mine.tell("DescribeEndpoint", None, mark=asked, EndpointName="a")
    with refused("CreateEndpoint", "3 of endpoint a, 1 of endpoint b"):
        mine.make("b")
    mine.describe("a", "one", A=1)
    mine.make("b")


@pytest.mark.parametrize("end", ["commit", "leave"])
def test_what_is_being_made_is_not_there_yet(end: str) -> None:
    """That it is not there, told meanwhile, says nothing of it."""
    mine = Held(estimate(hosting=1))
    begun = mine.make("a", end="")
    mine.tell("DescribeEndpoint", None, EndpointName="a")
    with refused("CreateEndpoint", "1 of endpoint a, 1 of endpoint b"):
        mine.make("b")
    getattr(mine.ledger, end)(begun)
    with refused("CreateEndpoint", "1 of endpoint a, 1 of endpoint b"):
        mine.make("b")


def test_what_was_broken_off_may_be_described() -> None:
    """Ctrl-C ends a request without a word; AWS knows what came of it."""
    mine = Held(estimate(hosting=1))
    mine.make("a", end="")  # and nobody keeps the reservation
    with refused("CreateEndpoint", "1 of endpoint a, 1 of endpoint b"):
        mine.make("b")
    mine.tell("DescribeEndpoint", None, EndpointName="a")
    mine.make("b")


def test_what_goes_back_to_serverless_has_no_instances() -> None:
    """Its configuration is known, although it has none."""
    mine = Held(estimate(hosting=1))
    mine.make("a", "small")
    mine.update("a", "one")
    mine.describe("a", "small")
    mine.make("b")


def test_a_refusal_names_the_greatest() -> None:
    """And tells how many more there are."""
    mine = Held(estimate(hosting=7))
    for name, config in zip("abcd", ("one", "two", "three", "one"), strict=True):
        mine.make(name, config)
    with refused(
        "CreateEndpoint", "9 at a time: 3 of endpoint c, 2 of endpoint b, 2 of .* e, 2 more"
    ):
        mine.make("e", "two")


def test_what_is_not_elsewhere_may_be_here() -> None:
    """Another region, or another AWS, knows nothing of it."""
    mine = Held(estimate(hosting=1))
    mine.make("a")
    place = "https://api.sagemaker.us-west-2.amazonaws.com"
    mine.tell("DescribeEndpoint", None, place=place, EndpointName="a")
    with refused("CreateEndpoint", "1 of endpoint a, 1 of endpoint b"):
        mine.make("b")


def test_what_scaled_an_endpoint_goes_with_it() -> None:
    """Another one of the same name does not scale."""
    mine = Held(estimate(hosting=3))
    mine.make("a")
    mine.scale("a", 3)
    mine.tell("DeleteEndpoint", {}, EndpointName="a")
    mine.make("a")
    mine.make("b", "two")


@pytest.mark.parametrize("way", ["resize", "scale"])
def test_what_another_has_made_counts_from_when_it_is_changed(way: str) -> None:
    """As DescribeEndpoint tells it: with all variants, and the instances that they have."""
    mine = Held(estimate(hosting=4))
    name = mine.theirs("two", A=1, B=2)
    if way == "resize":
        mine.resize(name, "A", 2)
    else:
        mine.scale(name, 2)
    with refused("CreateEndpoint", "4 of endpoint theirs, 1 of endpoint a"):
        mine.make("a")


def test_what_another_has_made_may_come_back_when_it_is_updated() -> None:
    """If the update is rolled back."""
    mine = Held(estimate(hosting=3))
    mine.update(mine.theirs("two", A=1, B=2), "one")
    with refused("CreateEndpoint", "3 of endpoint theirs, 1 of endpoint a"):
        mine.make("a")
    mine.describe("theirs", "one", A=1)
    mine.make("a", "two")


def test_a_request_that_failed_hides_nothing() -> None:
    """The name belongs to another session's endpoint, which is looked up when it is changed."""
    mine = Held(estimate(hosting=2))
    mine.make(mine.theirs("two"), "one", end="undo")
    mine.scale("theirs", 1)
    with refused("CreateEndpoint", "2 of endpoint theirs, 1 of endpoint a"):
        mine.make("a")


def test_what_asks_for_less_is_never_refused() -> None:
    """Also if somebody else's is already more than was estimated."""
    mine = Held(estimate(hosting=1))
    mine.resize(mine.theirs("three", A=3), "A", 1)
    with refused(CAPACITY, "2 of endpoint theirs"):
        mine.resize("theirs", "A", 2)


def test_what_is_undone_is_not_counted() -> None:
    """As if the request had never been made."""
    mine = Held(estimate(hosting=1))
    mine.make("a", end="undo")
    begun = mine.make("b", end="")
    with refused("CreateEndpoint", "1 of endpoint b, 1 of endpoint c"):
        mine.make("c")
    mine.ledger.undo(begun)
    mine.make("c")


def test_of_two_requests_for_a_name_the_one_that_succeeds_counts() -> None:
    """Whichever fails is undone, and takes nothing from the other."""
    for loser in (0, 1):
        mine = Held(estimate(hosting=1))
        begun = [mine.make("a", end="") for _ in range(2)]
        mine.ledger.undo(begun[loser])
        mine.ledger.commit(begun[1 - loser])
        with refused("CreateEndpoint", "1 of endpoint a, 1 of endpoint b"):
            mine.make("b")


@pytest.mark.parametrize("operation", ["DeleteEndpoint", "DescribeEndpoint"])
def test_what_is_not_there_any_more_is_not_counted(operation: str) -> None:
    """It was deleted elsewhere, or has never come to be: AWS says so when it is asked."""
    mine = Held(estimate(hosting=1))
    mine.make("a")
    mine.tell(operation, None, EndpointName="a")
    mine.make("b")
