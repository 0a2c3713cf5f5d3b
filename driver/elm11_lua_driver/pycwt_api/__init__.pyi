from .drop_in import wct, wct_significance
from .many_pairs import wct_significance_many
from .mod_backend import ELM11LuaBackend
from .patch import accelerate_pycwt, restore_pycwt

__all__ = [
    "ELM11LuaBackend",
    "accelerate_pycwt",
    "restore_pycwt",
    "wct",
    "wct_significance",
    "wct_significance_many",
]
