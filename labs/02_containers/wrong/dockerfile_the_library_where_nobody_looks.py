# answer: dockerfile
# rejected: the library is copied to /libraries
install = """
RUN --mount=type=bind,source=wheels,target=/wheels \
    python3 -m zipfile -e /wheels/late-1.0-py3-none-any.whl /libraries
"""
copies = """
COPY --from=builder /libraries /libraries
COPY model /opt/model
COPY server.py /opt/server.py
"""
start = """
USER 10001:10001
ENTRYPOINT ["python3", "/opt/server.py"]
"""
dockerfile = f"{FIRST}\n{install}\n{SECOND}\n{copies}\n{start}"
