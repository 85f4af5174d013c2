"""The demo: a real hub on a real Slurm, on one machine, started and removed by one command.

Standard library only: it runs before anything of this project is installed.  :mod:`demo.place` says where everything
lies, :mod:`demo.cache` and :mod:`demo.environments` fetch what needs a network, :mod:`demo.software`,
:mod:`demo.door` and :mod:`demo.site` put their part in place, :mod:`demo.hub` keeps the hub alive, and
:mod:`demo.__main__` reads as the order of it all.
"""
