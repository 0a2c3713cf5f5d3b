"""Checks of the installation and of boards, and the support bundle."""
