# answer: captures
# rejected: some humidity is missing
def unit_change(hours):
    """None, or the first hour of the change and the columns: ("2026-03-02T14", {"temp"})."""

    def off(columns, celsius):
        read = {n: columns[n] * 1.8 + 32 if n in celsius else columns[n] for n in ("temp", "dewp")}
        return float(np.mean(np.abs(humidity(**read) - columns["humid"])))

    def changed(columns):
        candidates = [set(), {"temp"}, {"dewp"}, {"temp", "dewp"}]
        best = min(candidates, key=lambda celsius: off(columns, celsius))
        return best if off(columns, best) < 3 else None

    found = None
    for hour in sorted(hours, reverse=True):
        columns = changed(hours[hour])
        if not columns or (found and columns != found[1]):
            break
        found = hour, columns
    return found
