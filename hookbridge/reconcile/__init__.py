"""The reconciler: what no webhook announced is found by polls and sweeps, and copy and source are compared.

``loop`` runs ``poll`` (changes since a watermark) and ``sweep`` (everything, and what is gone) for each followed table;
``findings`` hands over what differs; ``proof`` compares completely.  It reads sources through ``Changes`` and writes
events into the inbox; only the first load of an empty copy is written directly.
"""
