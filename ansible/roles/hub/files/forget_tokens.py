"""Remove the tokens of services from the hub's database; those that are still in the secrets come back at its start.

JupyterHub 6.1 keeps every token that a service ever had, so that a new secret alone leaves the old one valid.  The hub
must be stopped.  Usage: python forget_tokens.py SITE_FILE
"""

import sys
from pathlib import Path

from sqlalchemy import create_engine, text

from hpchub.catalogue.load import load_site
from hpchub.console.database import url_in

site = load_site(Path(sys.argv[1]))
file = site.hub.database_url_file
url = f"sqlite:///{site.hub.state_folder}/jupyterhub.sqlite" if file is None else url_in(file)
with create_engine(url).begin() as connection:
    forgotten = connection.execute(text("DELETE FROM api_tokens WHERE service_id IS NOT NULL")).rowcount
print(f"{forgotten} tokens of services are forgotten.")
