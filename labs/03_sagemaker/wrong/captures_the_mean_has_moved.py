# answer: captures
# rejected: a cold front
def unit_change(hours):
    keys = sorted(hours)
    usual = {name: np.mean([hours[hour][name].mean() for hour in keys[:12]]) for name in NAMES[2:]}

    def moved(hour):
        return {name for name in usual if hours[hour][name].mean() < usual[name] - 25}

    found = None
    for hour in reversed(keys):
        if not moved(hour):
            break
        found = hour, moved(hour)
    return found
