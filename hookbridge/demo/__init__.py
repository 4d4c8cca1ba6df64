"""A demonstration without an account: the service, two local sources, edits, lost webhooks and outages.

Everything it touches lies in a temporary folder and on the loopback address; the settings of the user are not read.
"""
