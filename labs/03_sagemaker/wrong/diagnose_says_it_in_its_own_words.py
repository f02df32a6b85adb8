# answer: diagnose
# rejected: which is not in CAUSES
def diagnose(case):
    """The cause of a case: one of the names in CAUSES."""
    if case["status"] == "InService":
        return "fine"
    if "Could not access model data" in case["refused"] + case["reason"]:
        return "access"
    log = "\n".join(case["log"])
    if "model data archive" in case["reason"] or "no artefact" in log or "was changed" in log:
        return "archive"
    if "ping" not in case["reason"] or not log:
        return "other"
    return "code" if "Error:" in log or "Traceback" in log else "timeout"
