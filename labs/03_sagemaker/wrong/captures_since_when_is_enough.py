# answer: captures
# rejected: not a pair
def unit_change(hours):
    def off(columns):
        return np.nanmedian(np.abs(humidity(columns["temp"], columns["dewp"]) - columns["humid"]))

    found = None
    for hour in sorted(hours, reverse=True):
        if off(hours[hour]) < 3:
            break
        found = hour
    return found
