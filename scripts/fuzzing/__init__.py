"""What ``scripts/fuzz`` throws bytes at."""
