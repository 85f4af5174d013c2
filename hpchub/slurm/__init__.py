"""Everything that knows Slurm's commands, words and units."""
