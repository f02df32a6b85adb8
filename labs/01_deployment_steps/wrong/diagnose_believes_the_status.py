# answer: diagnose
# rejected: `culprits` is empty
culprits = set()
worst = 0.0
