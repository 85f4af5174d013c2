"""Sign-in: who a person is, and which groups they are in."""
