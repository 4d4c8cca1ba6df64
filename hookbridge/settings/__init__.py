"""The settings of this machine: ``config.toml`` < ``.env`` < environment < options of the command line."""

from hookbridge.settings.loading import load

__all__ = ["load"]
