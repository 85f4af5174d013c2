"""Sign-in: who a person is, which groups and roles they have, and which POSIX account is theirs."""
