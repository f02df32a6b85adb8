# answer: leaks
# rejected: `late_yesterday` is no leak
leaks = {"dep_time", "dep_delay", "arr_time", "air_time", "late_today", "late_yesterday"}
honest_auc = max(value for name, value in aucs.items() if name not in leaks)
