from .caveats import doubts
from .html import report_html
from .reproduce import command, python_lines

__all__ = [
    "command",
    "doubts",
    "python_lines",
    "report_html",
]
