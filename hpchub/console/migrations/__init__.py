"""How the console's tables came to be what they are, step by step; run by :func:`hpchub.console.database.migrate`."""
