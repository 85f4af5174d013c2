"""The audit record: who came in, who started and stopped what, who did something about somebody else."""
