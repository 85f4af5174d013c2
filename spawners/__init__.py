"""What JupyterHub loads: the spawners and their page.

:class:`~spawners.site.SiteSpawner` is the one that JupyterHub is configured with; the choice's cluster decides which
class beneath it runs the job.
"""
