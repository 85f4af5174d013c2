"""The exit statuses of our job script: how a job that cannot speak to the hub says why it ended, through Slurm.

They stay clear of the shell's own (126, 127, 128 + signal).  ``bootstrap.py`` runs without this package and repeats
its four; a test keeps them the same.
"""

NO_ENVIRONMENT = 71
"""The environment's folder has no Python on the compute node."""
SERVER_EXITED = 72
"""The notebook server ended by itself with an error."""
HUB_UNREACHABLE = 73
"""The job could not reach the hub, for as long as it had patience."""
NOT_WANTED = 74
"""The hub answered that this session is over."""
NO_PLACE = 75
"""The compute node has no place where the session's certificate can be written."""
