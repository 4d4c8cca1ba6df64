"""The steps of a change, in their order: verify → cache → index → handlers."""
