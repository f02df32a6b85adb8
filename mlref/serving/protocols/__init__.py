"""The languages that the server speaks, one module for each; see `mlref.serving.exchange.Codec`."""

__all__: list[str] = []
