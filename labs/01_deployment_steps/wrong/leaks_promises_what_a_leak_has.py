# answer: leaks
# rejected: which is what dep_delay has
leaks = {"dep_time", "dep_delay", "arr_time", "air_time", "late_today"}
honest_auc = max(aucs.values())
