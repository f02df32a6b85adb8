# answer: repair
# rejected: more than twice
memory_mib = 512
host = "0.0.0.0"  # noqa: S104 - inside the container
entrypoint = ["python3", "/opt/server.py"]
grace_s = 15
