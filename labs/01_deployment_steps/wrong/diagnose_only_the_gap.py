# answer: diagnose
# rejected: its numbers look plausible in every row
culprits = {"wind_gust"}
worst = float(np.abs(asked - expected).max())
