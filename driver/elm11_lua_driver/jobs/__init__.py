"""What to compute and what came out: the job, its histogram, and their files."""
