from .atomic import atomic_file, check_writable, replace_file
from .user_dirs import cache_folder, config_folder

__all__ = [
    "atomic_file",
    "cache_folder",
    "check_writable",
    "config_folder",
    "replace_file",
]
