"""The commands: ``python -m hookbridge …``.

A command is thin: it reads options, calls what the HTTP surface calls, and prints.  How it ends, whatever happens, is
``ending``.
"""
