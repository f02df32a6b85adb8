# answer: leaks
# rejected: weak columns leak, too
leaks = {name for name, value in aucs.items() if value > 0.61 or name == "late_today"}
honest_auc = max(value for name, value in aucs.items() if name not in leaks)
