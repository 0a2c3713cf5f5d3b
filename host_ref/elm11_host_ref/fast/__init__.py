"""The fast pipeline: the same distribution in integers, with a small part of the work."""
