"""Who may speak to the local AWS: programs of this machine, and no page in a browser."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

FORM = "application/x-www-form-urlencoded"
SIGNED = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/{}/aws4_request, Signature=0"


def asked(account: Any, path: str, body: str, **headers: str) -> tuple[int, str]:
    """Status and body of a request as it is written here; underscores in names are hyphens."""
    address = urlsplit(account.cloud.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    host = given.pop("Host", address.netloc)
    connection.putrequest("POST", path, skip_host=True)
    for name, value in {**given, "Host": host, "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body.encode())
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Host": "elsewhere.example:5620"},
        {"Host": "127.0.0.1.elsewhere.example"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/_mlref/clock", "/endpoints/x/invocations"])
def test_a_page_of_a_web_site_gets_nothing(
    account: Any, path: str, headers: dict[str, str]
) -> None:
    """A browser says whose page asks; a name that was given this address says so itself."""
    status, text = asked(account, path, "Action=ListRoles", Content_Type=FORM, **headers)
    assert (status, text) == (403, "only programs of this machine may ask")


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:80", "127.0.0.1", "127.9.9.9:1", "[::1]:5"]
)
def test_names_of_this_machine_are_taken(account: Any, host: str) -> None:
    """With a port or without."""
    status, text = asked(account, "/_mlref/status", "{}", Host=host)
    assert (status, json.loads(text)["name"]) == (200, "mlref")


def test_a_form_is_only_for_services_that_take_forms(account: Any) -> None:
    """The operation of a JSON service stands in a header; a form cannot name one."""
    status, text = asked(
        account,
        "/",
        "Action=ListEndpoints",
        Content_Type=FORM,
        Authorization=SIGNED.format("sagemaker"),
    )
    assert (status, "UnsupportedOperation" in text) == (400, True)
    status, text = asked(
        account, "/", "Action=ListRoles&Version=2010-05-08", Content_Type=FORM,
        Authorization=SIGNED.format("iam"),
    )  # fmt: skip
    assert (status, "ListRolesResult" in text) == (200, True)


def test_an_object_may_look_like_a_form_and_a_bucket_like_the_data_plane(account: Any) -> None:
    """S3 has no forms, and its paths are its own."""
    account.s3.create_bucket(Bucket="endpoints")
    body = b"Action=login&user=1"
    account.s3.put_object(Bucket="endpoints", Key="a/invocations", Body=body, ContentType=FORM)
    found = account.s3.get_object(Bucket="endpoints", Key="a/invocations")["Body"].read()
    assert found == body


def test_cloudwatch_answers_in_the_form_in_which_it_was_asked(account: Any) -> None:
    """Older clients ask with a form, and read XML."""
    status, text = asked(
        account, "/", "Action=ListMetrics&Version=2010-08-01&Namespace=none", Content_Type=FORM,
        Authorization=SIGNED.format("monitoring"),
    )  # fmt: skip
    assert status == 200, text
    assert "<ListMetricsResult>" in text
