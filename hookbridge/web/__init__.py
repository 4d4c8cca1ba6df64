"""The HTTP surface: every endpoint, and the only place that knows aiohttp's server."""
