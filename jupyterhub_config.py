"""What is deployed, from top to bottom.  The values are the site's, in the file that HPCHUB_SITE names."""

import os
from pathlib import Path

from hpchub import config

c = get_config()  # noqa: F821 - given by JupyterHub

catalogue = config.load()
site = catalogue.site

config.apply_hub(c, site)
config.apply_internal_tls(c, site)
config.apply_proxy(c, site)
config.apply_sign_in(c, site)
config.apply_admin_token(c, site)
config.apply_console(c, site)
config.apply_narrow_tokens(c, site)
config.apply_spawner(c, site)
config.apply_engine(c, catalogue)

# The escape hatch: a site's own file may change any of the above, in JupyterHub's terms.
local = Path(os.environ["HPCHUB_SITE"]).with_name("jupyterhub_local.py")
if local.exists():
    load_subconfig(str(local))  # noqa: F821 - given by JupyterHub
