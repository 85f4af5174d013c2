"""The page on which a notebook is chosen: everything that it shows, as values; templates only print them.

Each state of the page is an address, and the server draws them all: with scripts and without.
"""
