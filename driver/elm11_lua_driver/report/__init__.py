"""The one-page HTML report, its caveats and the script that reproduces it."""
