# answer: diagnose
# rejected: `minute_of_day` is prepared alike
culprits = set(COLUMNS)
worst = float(np.abs(asked - expected).max())
