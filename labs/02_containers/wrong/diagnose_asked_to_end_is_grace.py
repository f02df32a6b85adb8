# answer: diagnose
# rejected: ended with 1 at once
def diagnose(case):
    state, events = case["inspect"]["State"], case["events"]
    if state["OOMKilled"]:
        return "memory"
    if state["Running"]:
        return "address" if "on 127.0.0.1" in case["log"] else "other"
    if state["ExitCode"] in {0, 143}:
        return "fine"
    return "grace" if any("kill 15" in event for event in events) else "other"
