# answer: diagnose
# rejected: fares-madrid
def diagnose(case):
    if case["status"] == "InService":
        return "fine"
    return "access" if case["refused"] else "code"
