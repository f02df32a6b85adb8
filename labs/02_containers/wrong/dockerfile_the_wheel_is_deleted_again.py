# answer: dockerfile
# rejected: copying `wheels` in the second stage
install = """
RUN true
"""
copies = """
COPY wheels /wheels
RUN python3 -m zipfile -e /wheels/late-1.0-py3-none-any.whl /opt/libraries && rm -r /wheels
COPY model /opt/model
COPY server.py /opt/server.py
"""
start = """
USER 10001:10001
ENTRYPOINT ["python3", "/opt/server.py"]
"""
dockerfile = f"{FIRST}\n{install}\n{SECOND}\n{copies}\n{start}"
