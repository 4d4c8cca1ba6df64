"""The crash test: a service, its sources and their senders as three processes, and what is left after each blow."""
