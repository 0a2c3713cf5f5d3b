"""The prompt of the board: what it prints, and the machine that types at it."""
