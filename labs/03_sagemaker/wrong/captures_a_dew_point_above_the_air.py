# answer: captures
# rejected: the week of the incident: `unit_change` finds nothing
def unit_change(hours):
    found = None
    for hour in sorted(hours, reverse=True):
        if np.nanmedian(hours[hour]["dewp"] - hours[hour]["temp"]) <= 0:
            break
        found = hour, {"temp"}
    return found
