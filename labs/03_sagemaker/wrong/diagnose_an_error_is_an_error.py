# answer: diagnose
# rejected: fares-rome
def diagnose(case):
    """The cause of a case: one of the names in CAUSES."""
    if "Could not access model data" in case["refused"] + case["reason"]:
        return "access"
    log = "\n".join(case["log"])
    if "model data archive" in case["reason"] or "no artefact" in log or "was changed" in log:
        return "archive"
    return "code" if "Error:" in log or "Traceback" in log else "slow"
