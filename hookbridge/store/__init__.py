"""Where events, dirty records and copies are kept: the contract, and its engines."""
