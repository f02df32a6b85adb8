# answer: diagnose
# rejected: never asked to end
def diagnose(case):
    state = case["inspect"]["State"]
    if state["Running"]:
        return "address"
    if state["ExitCode"] == 137:
        return "memory" if state["OOMKilled"] else "grace"
    return "fine"
