"""AWS, real and local: sessions, strict validation, file formats, and a local AWS that serves."""

__all__: list[str] = []
