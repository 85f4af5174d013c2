"""What an admin checks: profiles against the living clusters, environments by real jobs, the whole deployment."""
