"""A local AWS that really serves: free, offline, without an account."""

__all__: list[str] = []
