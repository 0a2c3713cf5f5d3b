"""`python -m elm11_lua_driver` is the program `elm11`."""

from .cli.entry import elm11

if __name__ == "__main__":
    elm11()
