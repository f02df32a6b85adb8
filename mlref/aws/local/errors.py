"""What the local AWS answers when it refuses: a code, a sentence and a status, as AWS does."""

from __future__ import annotations

__all__ = ["AwsError", "conflict", "not_found", "throttled", "unsupported", "validation"]


class AwsError(Exception):
    """An answer that is an error.

    Attributes:
        code: by which boto3 names the exception, for instance "ValidationException".
        message: what was got, what is allowed, what to do.
        status: the HTTP status; boto3 tries again from 500 on, and on throttling.
        fields: more members of the error, for instance those of ModelError.
    """

    def __init__(self, code: str, message: str, *, status: int = 400, **fields: object) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields


def validation(message: str) -> AwsError:
    """A request that is wrong in itself, or asks for what is not there, as SageMaker says it."""
    return AwsError("ValidationException", message)


def not_found(message: str) -> AwsError:
    """Something that a request names is not there, where AWS has an exception for it."""
    return AwsError("ResourceNotFound", message)


def conflict(message: str) -> AwsError:
    """Something that a request names is in use, or in another state."""
    return AwsError("ResourceInUse", message)


def throttled(message: str) -> AwsError:
    """Too much at once; boto3 tries again."""
    return AwsError("ThrottlingException", message, status=429)


def unsupported(service: str, operation: str) -> AwsError:
    """An operation that the local AWS does not have; boto3 does not try again."""
    text = f"the local AWS does not have {service} {operation}; docs/local-aws.md lists what it has"
    return AwsError("UnsupportedOperation", f"{text}, or use a real account")
