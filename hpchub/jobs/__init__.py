"""From an accepted choice to a job and back: request, script, launcher, what runs inside the job, and its session."""
