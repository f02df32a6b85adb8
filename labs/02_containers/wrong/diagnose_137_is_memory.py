# answer: diagnose
# rejected: the third container
def diagnose(case):
    state = case["inspect"]["State"]
    if state["ExitCode"] == 137:
        return "memory"
    return "address" if state["Running"] else "grace"
