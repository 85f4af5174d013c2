"""The hub's pages: in the reader's language, with the site's look, under a strict content security policy."""
