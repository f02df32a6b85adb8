# answer: diagnose
# rejected: healthy, on 127.0.0.1
def diagnose(case):
    state, events = case["inspect"]["State"], case["events"]
    if state["OOMKilled"]:
        return "memory"
    if not state["Running"]:
        asked = any("kill 15" in event for event in events)
        return (
            {137: "grace", 143: "fine", 0: "fine"}.get(state["ExitCode"], "other")
            if asked
            else "other"
        )
    if state["Health"]["Status"] == "healthy":
        return "fine"
    return "address" if "on 127.0.0.1" in case["log"] else "other"
