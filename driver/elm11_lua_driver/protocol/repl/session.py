"""The board's prompt, line by line: bytes in, events out. Knows no port and no clock.

`ReplSession` is what is known of the board's state over several lines, and makes the conversation for each:

===================  ===========================================================================
`repl_reader`        what the board sends, cut into lines, prompts, questions and boot messages
`board_errors`       what of it is an error of Lua's
`line_typing`        typing a line, each piece compared with its echo
`execution`          a line from its first character to the prompt after its output
===================  ===========================================================================
"""

from __future__ import annotations

from .execution import Execution
from .state import ReplState
from .tokenizer import MAX_LINE


class ReplSession(ReplState):
    """What is known of the board's prompt, from one line to the next; and the next line.

    Args:
        settings: sizes and times.
    """

    def execute(
        self,
        line: str,
        *,
        timeout_s: float,
        silence_s: float | None = None,
        repeatable: bool = False,
        multi_line: bool = False,
        expect_reboot: bool = False,
        ends_when_quiet_s: float | None = None,
    ) -> Execution:
        """Drive one line.

        Args:
            line: at most `MAX_LINE` printable ASCII characters. With at most 253, no single doubled byte
                can submit the line early.
            timeout_s: longest time from the line feed to the prompt.
            silence_s: longest time without a byte while the line runs; None for no such limit.
            repeatable: whether the line may be typed again although a part of it (up to a damaged byte) has
                run. True for lines whose beginnings do nothing or the same, such as one call: ``f(1, 2)``.
            multi_line: whether the continuation prompt is a good end. Otherwise an unfinished statement is
                thrown away and reported as a `LuaError`.
            expect_reboot: whether boot text is what the line is for.
            ends_when_quiet_s: a pause this long is an end too (for commands that do not end with a prompt).

        Returns:
            The conversation, to be driven with bytes and the time.

        Raises:
            ValueError: the line is too long or has other characters.
        """
        if len(line) > MAX_LINE:
            raise ValueError(f"line must have at most {MAX_LINE} characters, this one has {len(line)}")
        if not (line.isascii() and line.isprintable()):
            raise ValueError(f"line must be printable ASCII, not {line!r}")
        if timeout_s <= 0:
            raise ValueError(f"timeout_s must be above 0, not {timeout_s}")
        return Execution(
            self,
            line.encode("ascii"),
            timeout_s=timeout_s,
            silence_s=silence_s,
            repeatable=repeatable,
            multi_line=multi_line,
            expect_reboot=expect_reboot,
            ends_when_quiet_s=ends_when_quiet_s,
        )

    def attach(self, *, timeout_s: float, silence_s: float | None = None) -> Execution:
        """Collect the output of what is running already, until its prompt.

        Args:
            timeout_s: longest time to the prompt.
            silence_s: longest time without a byte; None for no such limit.

        Returns:
            The conversation, to be driven with bytes and the time.
        """
        return Execution(self, None, timeout_s=timeout_s, silence_s=silence_s)

    def find_prompt(self, *, timeout_s: float = 5.0, expect_reboot: bool = False) -> Execution:
        """Send an empty line and wait for the prompt that answers it.

        Args:
            timeout_s: longest time from the line feed to the prompt.
            expect_reboot: whether boot text is no error.

        Returns:
            The conversation, to be driven with bytes and the time.
        """
        return self.execute("", timeout_s=timeout_s, repeatable=True, expect_reboot=expect_reboot)
