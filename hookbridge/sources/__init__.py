"""The two sources of truth: what arrives from them, and what they say when asked."""
