# answer: diagnose
# rejected: `humid` is missing
culprits = {"wind_gust"}
worst = float(np.abs(asked - expected).max())
