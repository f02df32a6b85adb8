# answer: diagnose
# rejected: ended with 143
def diagnose(case):
    state, events = case["inspect"]["State"], case["events"]
    if state["OOMKilled"]:
        return "memory"
    if state["Running"]:
        return "address" if "on 127.0.0.1" in case["log"] else "other"
    if any("kill 15" in event for event in events) and state["ExitCode"] == 137:
        return "grace"
    return "fine" if state["ExitCode"] == 0 else "other"
