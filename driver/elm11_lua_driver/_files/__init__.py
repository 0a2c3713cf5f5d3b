"""Files that are whole or absent, and the folders in which a user's files live."""
