from .atomic import atomic_file, check_writable, replace_file
from .user_dirs import config_folder

__all__ = [
    "atomic_file",
    "check_writable",
    "config_folder",
    "replace_file",
]
