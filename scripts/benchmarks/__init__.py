"""What ``scripts/bench`` measures: one file a group of rows."""
