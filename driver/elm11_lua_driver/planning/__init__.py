"""What a job takes on a board: instructions, memory, time."""
