# answer: repair
# rejected: is no list of words
memory_mib = 1.25 * MEASURED_MIB[AT_ONCE]
host = "0.0.0.0"  # noqa: S104 - inside the container
entrypoint = "python3 /opt/server.py"
grace_s = 15
