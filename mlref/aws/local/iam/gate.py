"""Who may invoke an endpoint: whoever acts in a role needs a policy that allows it.

Temporary credentials of AssumeRole are held against the policies of their role; one that nobody
was given is refused. Any other access key is the account's own and may do everything, as
`test/test` does.

Source: the Service Authorization Reference, "Actions, resources, and condition keys for Amazon
SageMaker AI"; the IAM User Guide, "Troubleshoot access denied error messages".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mlref.aws.local.errors import AwsError
from mlref.aws.local.iam.directory import Directory
from mlref.aws.local.iam.roles import RolesOfIam
from mlref.aws.local.world import arn
from mlref.runtime.clock import Clock

__all__ = ["Gate"]

_ACTIONS = {
    "invocations": "InvokeEndpoint",
    "async-invocations": "InvokeEndpointAsync",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}
_CREDENTIAL = "Credential="
_TEMPORARY = "ASIA"


class Gate:
    """Lets through who may invoke an endpoint.

    Args:
        directory: knows whose credentials are whose.
        roles: knows what may be done in a role.
        tags: of a resource, by its ARN.
        signers: the clock of the clients, by which credentials end.
    """

    def __init__(
        self,
        directory: Directory,
        roles: RolesOfIam,
        tags: Callable[[str], Mapping[str, str]],
        signers: Clock,
    ) -> None:
        self._directory = directory
        self._roles = roles
        self._tags = tags
        self._signers = signers

    @staticmethod
    def concerns(headers: Mapping[str, str]) -> bool:
        """Whether a request is signed with temporary credentials.

        Args:
            headers: names in lower case.
        """
        return f"{_CREDENTIAL}{_TEMPORARY}" in headers.get("authorization", "")

    def check(self, headers: Mapping[str, str], endpoint: str, way: str) -> None:
        """Return if a request may pass.

        Args:
            headers: names in lower case.
            endpoint: its name.
            way: the last part of the path, for instance "invocations".

        Raises:
            AwsError: its credentials are wrong or have ended, or no policy allows it.
        """
        signed = headers.get("authorization", "").partition(_CREDENTIAL)[2]
        login = self._directory.login(signed.partition("/")[0])
        if login is None:
            text = "The security token included in the request is invalid."
            told = f"{text} (The local AWS gave no such temporary key; test/test always works.)"
            raise AwsError("UnrecognizedClientException", told, status=403)
        if headers.get("x-amz-security-token") != login.token:
            text = "The security token included in the request is invalid."
            raise AwsError("UnrecognizedClientException", text, status=403)
        if login.expires <= self._signers.now():
            text = "The security token included in the request is expired"
            raise AwsError("ExpiredTokenException", text, status=403)
        resource = arn("sagemaker", f"endpoint/{endpoint.lower()}")
        tags = self._tags(resource)
        context: dict[str, Sequence[str]] = {"aws:sourceip": ["127.0.0.1"]}
        context |= {
            f"{key.lower()}/{name.lower()}": [value]
            for name, value in tags.items()
            for key in ("aws:ResourceTag", "sagemaker:ResourceTag")
        }
        model = headers.get("x-amzn-sagemaker-target-model")
        if model is not None:
            context["sagemaker:targetmodel"] = [model]
        action = f"sagemaker:{_ACTIONS.get(way, 'InvokeEndpoint')}"
        self._roles.require_allowed(login, action, resource, context)
