"""What right answers to lab 02 satisfy: the figures and the causes.

The exercises in which something is built and run have files of their own.
"""

import copy
import hashlib

from mlref.study.labs.checks import exercise, reject

# 2. Sizes


def _chain(layers):
    """The layers of an image by what identifies them: themselves, and all that is below them."""
    below, found = "", {}
    for name, size in layers:
        below = hashlib.sha256(f"{below}/{name}/{size}".encode()).hexdigest()
        found[below] = size
    return found


def _store(images, names):
    """What a node holds that has some images: each layer once, whatever it is called."""
    return {layer: size for name in names for layer, size in _chain(images[name]).items()}


def _pulled(images, name, there=()):
    """What a node pulls that has some images already, in MB."""
    have = _store(images, there)
    return sum(size for layer, size in _chain(images[name]).items() if layer not in have)


def _expect(answer, name, right, mistakes, *, why):
    """Reject a number that is not right, in the words of the mistake that gives it."""
    value = answer.number(name)
    if abs(value - right) <= 0.005 * right:
        return
    told = next(
        (text for wrong, text in mistakes if abs(value - wrong) <= 0.005 * wrong),
        "write the layers from the bottom up, and cross out those that are there already",
    )
    reject(f"{name} is {value:g} MB; {told}", why=why)


@exercise("size")
def an_update_pulls_what_is_new(answer):
    """A new tag costs a node its new layers, and no more."""
    images = answer.IMAGES
    whole, code = _pulled(images, "late:1.1"), images["late:1.1"][-1][1]
    _expect(
        answer,
        "update_mb",
        _pulled(images, "late:1.1", ["late:1.0"]),
        [
            (whole, "that is the whole image, and the node has most of it"),
            (code + images["late:1.1"][-2][1], "the model is the same as in late:1.0"),
        ],
        why="a deployment a day of the whole image is the difference between a second and a minute "
        "on each node",
    )


@exercise("size")
def a_new_base_is_a_new_image(answer):
    """Above a layer that changed, every layer is new."""
    images = answer.IMAGES
    base = images["late:1.2"][0][1]
    _expect(
        answer,
        "patched_mb",
        _pulled(images, "late:1.2", ["late:1.0", "late:1.1"]),
        [
            (base, "that is the patched layer; those above it now lie on another one"),
            (base + images["late:1.2"][1][1], "that is the base; what lies above it is new, too"),
        ],
        why="a security update of the base moves every image of the company at once; plan for it",
    )


@exercise("size")
def a_layer_is_kept_once(answer):
    """A node keeps each layer once, however many images and tags share it."""
    images = answer.IMAGES
    have = ["late:1.0", "late:1.1", "fraud:3.0"]
    each = [_pulled(images, name) for name in have]
    right = sum(_store(images, have).values())
    _expect(
        answer,
        "disk_mb",
        right,
        [
            (sum(each) + each[1], "that counts shared layers each time, and the second tag, too"),
            (sum(each), "that counts the shared layers once for each image"),
            (right + images["late:1.1"][-1][1], "a tag is a name, and brings no layer"),
        ],
        why="ten models on one base need little more disk than their weights, if they share it",
    )


@exercise("size")
def deleting_does_not_shrink(answer):
    """What a later layer deletes is still there."""
    whole = _pulled(answer.IMAGES, "naive:0.9")
    _expect(
        answer,
        "naive_mb",
        whole,
        [(whole - 290, "it counts as gone what the last layer deletes")],
        why="the deleted files are pulled and stored all the same, and anyone who has the image "
        "can read them: this is how passwords get out",
    )


@exercise("size")
def a_rollout_is_paid_by_each_node(answer):
    """Each node of a fleet pulls what it lacks."""
    images = answer.IMAGES
    known, new = _pulled(images, "fraud:3.0", ["late:1.1"]), _pulled(images, "fraud:3.0")
    _expect(
        answer,
        "fleet_mb",
        8 * known + 4 * new,
        [
            (12 * new, "8 of the nodes have the layers that both models share"),
            (12 * known, "the 4 new nodes have nothing yet"),
            (known + new, "that is one node of each kind"),
            (8 * known, "the 4 new nodes pull it, too"),
        ],
        why="autoscaling starts new nodes exactly when traffic is high, and each waits for its pull",
    )


# 3. Diagnosis


def _changed(case, *, log=None, events=None, health=None, **state):
    """A case like another one, with some of it changed."""
    made = copy.deepcopy(case)
    made["inspect"]["State"].update(state)
    if health:
        made["inspect"]["State"]["Health"] = {"Status": health, "Log": []}
    made.update({"log": log or case["log"], "events": events or case["events"]})
    return made


def _diagnosed(answer, case, right, what, *, why):
    """Reject the answer if it finds another cause for a case."""
    got = answer.function("diagnose")(copy.deepcopy(case))
    if got != right:
        known = isinstance(got, str) and got in answer.CAUSES
        told = f"{got!r:.30}" if known else f"{got!r:.30}, which is not in CAUSES"
        reject(f"{what}: `diagnose` says {told}, not {right!r}", why=why)


@exercise("diagnose")
def the_three_are_told(answer):
    """The cause of each of the three containers of the incident is found."""
    for name, right, why in (
        ("first", "memory", "the state says it in a word: OOMKilled"),
        ("second", "address", "127.0.0.1 is the container itself, and each container has its own"),
        ("third", "grace", "137 is SIGKILL; the events tell who sent it, and what had been sent"),
    ):
        _diagnosed(answer, answer.CASES[name], right, f"the {name} container", why=why)


@exercise("diagnose")
def a_status_is_no_cause(answer):
    """Containers that have ended are told apart, also those with one exit status."""
    first, third = answer.CASES["first"], answer.CASES["third"]
    asked = ["0.0 s start", "7.0 s kill 15"]
    by_hand = _changed(
        first, OOMKilled=False, events=["0.0 s start", "7.0 s kill 9", "7.0 s die 137"]
    )
    for case, right, what, why in (
        (by_hand, "other", "137, not out of memory, never asked to end",
         "somebody sent SIGKILL; who raises the memory now pays for it for nothing"),
        (_changed(third, ExitCode=143, events=[*asked, "7.1 s die 143"]), "fine",
         "asked to end, and ended with 143", "143 is 128 + 15: it went when it was told to"),
        (_changed(third, ExitCode=0, events=[*asked, "8.1 s die 0"]), "fine",
         "asked to end, and ended with 0", "it finished its work and went"),
        (_changed(third, ExitCode=1, events=[*asked, "7.2 s die 1"]), "other",
         "asked to end, and ended with 1 at once", "its farewell failed; more time is no help"),
        (_changed(first, ExitCode=1, OOMKilled=False, events=["0.0 s start", "0.4 s die 1"],
                  log="ModuleNotFoundError: No module named 'late'"), "other",
         "ended with 1 by itself", "its log says why; none of the three repairs mends it"),
        (_changed(first, events=[*asked, "7.5 s oom", "7.6 s die 137"]), "memory",
         "out of memory while it was ending", "the kernel was quicker than the grace period"),
    ):  # fmt: skip
        _diagnosed(answer, case, right, what, why=why)


@exercise("diagnose")
def health_is_no_cause(answer):
    """Containers that run are told apart, also those that one health check calls the same."""
    case, port = answer.CASES["second"], ":8080"
    public = f"listening on 0.0.0.0{port}"
    for log, health, right, what, why in (
        (public, "healthy", "fine", "it runs, healthy, on 0.0.0.0", "nothing is wrong"),
        (public, "unhealthy", "other", "it runs, unhealthy, on 0.0.0.0",
         "the address is right; perhaps the model is not loaded yet"),
        (f"listening on 127.0.0.1{port}", "healthy", "address", "healthy, on 127.0.0.1",
         "a check from inside asks the one place from where it can be reached"),
        (f"listening on localhost{port}", "unhealthy", "address", "unhealthy, on localhost",
         "localhost is another name of 127.0.0.1"),
        (f"listening on [::1]{port}", "unhealthy", "address", "unhealthy, on [::1]",
         "[::1] is IPv6 for 127.0.0.1"),
        (f"{public}\n127.0.0.1 GET /health/ready 200", "healthy", "fine",
         "healthy, on 0.0.0.0, asked by 127.0.0.1", "who asks is not where it listens"),
    ):  # fmt: skip
        _diagnosed(answer, _changed(case, log=log, health=health), right, what, why=why)
