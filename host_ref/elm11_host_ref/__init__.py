"""The mathematics of the project in NumPy: a readable reference, module for module as the Lua, and a fast engine."""
