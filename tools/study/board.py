"""What a simulation costs on the board: instructions counted elsewhere (docs/cost.json), as a range of seconds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from elm11_lua_driver.planning.cost import SLOWEST_INSTRUCTIONS_PER_S

if TYPE_CHECKING:
    from pathlib import Path

FASTEST_INSTRUCTIONS_PER_S: Final = 15.5e6
"""66 MHz at 4.25 clocks per instruction, if the core never waited for its memory. A board's own rate is what
`elm11 calibrate` measures; it is expected in between."""

_FORMAT: Final = 1


def read(path: Path) -> dict[str, Any]:
    """Instructions per simulation by job, its share of the set-up of 300 simulations included.

    The machine that counts them tests for the `q` key in two ways, with the board in between; so each job has two
    numbers.

    Args:
        path: docs/cost.json.

    Returns:
        `rows` (job, fewest and most instructions) and the two rates; or `missing`, the reason why there are none.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != _FORMAT:
            return {"missing": f"{path.name} has format {document['format']}, and this program reads {_FORMAT}"}
        rows = []
        for name, job in document["jobs"].items():
            counts = sorted(job[way]["with_set_up"] for way in ("each", "line"))
            rows.append({"job": name, "fewest": counts[0], "most": counts[-1]})
    except OSError:
        return {"missing": f"{path.name} is not there"}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return {"missing": f"{path.name} is not as expected: {type(error).__name__} {error}"}
    return {
        "rows": rows,
        "slowest_per_s": SLOWEST_INSTRUCTIONS_PER_S,
        "fastest_per_s": FASTEST_INSTRUCTIONS_PER_S,
    }
