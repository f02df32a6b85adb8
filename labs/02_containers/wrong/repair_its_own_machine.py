# answer: repair
# rejected: host is 'localhost'
memory_mib = 1.25 * MEASURED_MIB[AT_ONCE]
host = "localhost"
entrypoint = ["python3", "/opt/server.py"]
grace_s = 15
