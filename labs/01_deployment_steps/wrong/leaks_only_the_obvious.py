# answer: leaks
# rejected: `late_today` is kept
leaks = {"dep_time", "dep_delay", "arr_time", "air_time"}
honest_auc = max(value for name, value in aucs.items() if name not in leaks)
