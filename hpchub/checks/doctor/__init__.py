"""The whole deployment, looked at piece by piece: each check is a small function that gives findings with remedies."""
