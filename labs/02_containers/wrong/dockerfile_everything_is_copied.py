# answer: dockerfile
# rejected: copying `.` in the second stage
install = """
RUN --mount=type=bind,source=wheels,target=/wheels \
    python3 -m zipfile -e /wheels/late-1.0-py3-none-any.whl /libraries
"""
copies = """
COPY --from=builder /libraries /opt/libraries
COPY . /opt
"""
start = """
USER 10001:10001
ENTRYPOINT ["python3", "/opt/server.py"]
"""
dockerfile = f"{FIRST}\n{install}\n{SECOND}\n{copies}\n{start}"
