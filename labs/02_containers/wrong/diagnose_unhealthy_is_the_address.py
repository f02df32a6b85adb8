# answer: diagnose
# rejected: unhealthy, on 0.0.0.0
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
    return "fine" if state["Health"]["Status"] == "healthy" else "address"
