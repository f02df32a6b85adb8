# answer: repair
# rejected: less than the 100 MiB
memory_mib = 1.25 * MEASURED_MIB[0]
host = "0.0.0.0"  # noqa: S104 - inside the container
entrypoint = ["python3", "/opt/server.py"]
grace_s = 15
