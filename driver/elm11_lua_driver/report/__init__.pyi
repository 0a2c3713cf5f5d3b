from .caveats import Caveat
from .html import report_html
from .reproduce import command, python_lines

__all__ = [
    "Caveat",
    "command",
    "python_lines",
    "report_html",
]
