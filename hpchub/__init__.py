"""A JupyterHub for HPC sites: notebook environments launched as Slurm jobs.

This package knows Slurm, the catalogue, sign-in and the console.  It never imports :mod:`spawners`.
"""

__version__ = "0.1.0"
