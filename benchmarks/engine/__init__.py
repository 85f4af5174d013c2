"""The Slurm engine against batchspawner and MOSS: what each asks of Slurm, and how long people wait.

It runs as root inside ``python3 -m devcluster isolate``; ``./run bench`` and ``./run soak`` call it.
"""
