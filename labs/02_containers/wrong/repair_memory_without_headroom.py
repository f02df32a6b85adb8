# answer: repair
# rejected: less than a quarter above
memory_mib = 100
host = "0.0.0.0"  # noqa: S104 - inside the container
entrypoint = ["python3", "/opt/server.py"]
grace_s = 15
