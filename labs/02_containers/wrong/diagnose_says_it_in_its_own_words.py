# answer: diagnose
# rejected: which is not in CAUSES
def diagnose(case):
    state = case["inspect"]["State"]
    return "OOM" if state["OOMKilled"] else "binding" if state["Running"] else "SIGKILL"
