# answer: captures
# rejected: the week of the incident
def unit_change(hours):
    def off(columns, celsius):
        read = {n: columns[n] * 1.8 + 32 if n in celsius else columns[n] for n in ("temp", "dewp")}
        return float(np.nanmedian(np.abs(humidity(**read) - columns["humid"])))

    keys = sorted(hours)
    odd = [hour for hour in keys if off(hours[hour], set()) > 3]
    if not odd:
        return None
    candidates = [{"temp"}, {"dewp"}, {"temp", "dewp"}]
    return odd[0], min(candidates, key=lambda celsius: off(hours[keys[-1]], celsius))
