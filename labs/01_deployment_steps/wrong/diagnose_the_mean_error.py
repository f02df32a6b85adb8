# answer: diagnose
# rejected: that is the mean of the errors
culprits = {"humid", "wind_gust"}
worst = float(np.abs(asked - expected).mean())
