"""The programs that a board keeps: listed, uploaded, read back, compared, deleted."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from ..errors import CommandRefusedError, LuaError, ProtocolError, VerificationError
from ..protocol.program_text import Comparison, read_back_faults
from ..protocol.repl.tokenizer import PromptKind, listed_program
from ..protocol.upload import Upload, UploadResult, UploadSettings
from .console import plain_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..protocol.upload import UploadEvent
    from .console import Console

MAX_UPLOADS = 128
"""Slots of the board; each upload takes one, and only `delete|all_programs` frees them."""

_READ_BACK_TIMEOUT_S = 30.0  # the longest program takes 2 s on the wire
LOAD_TIMEOUT_S = 300.0  # all programs, twice as long as the slowest board takes
_LIST_TIMEOUT_S = 60.0
_COMPARE_TIMEOUT_S = 120.0
_LIST_TRIES = 24  # a long list is seldom whole on a bad line, and each of its entries must be read twice
_MOST_READS = 24  # of a text; one is enough as a rule, and with 20 % of lines damaged one in 10^5 needs more
_PROGRAM_LINE = re.compile(r"Program ([0-9]{1,3})\.\s*: (.+?)(?:\t\t<- start on boot)?$")


class ProgramStore:
    """The programs that a board keeps; errors as `Console`, and as each method says.

    Attributes:
        n_changes: how often programs have been uploaded or deleted here.
    """

    def __init__(self, console: Console, settings: UploadSettings | None = None) -> None:
        self.n_changes = 0
        self._console = console
        self._settings = settings or UploadSettings()

    def programs(self) -> list[str]:
        """Names of the stored programs, broken entries included."""
        votes: dict[int, Counter[str]] = {}
        lengths: Counter[int] = Counter()
        with self._console.within(_LIST_TIMEOUT_S):
            for _ in range(_LIST_TRIES):
                lines = [line for line in self._console.command("list|programs").split("\n") if line.strip()]
                lengths[len(lines)] += 1
                for entry in filter(None, map(_PROGRAM_LINE.search, lines)):
                    votes.setdefault(int(entry[1]), Counter())[entry[2]] += 1
                # Two reads that agree: nothing else shows a damaged letter. A damaged number may have made entries
                # that are not in the list: they come once. (list|program_count counts uploads, not programs.)
                agreed = [name for number in sorted(votes) for name, n in votes[number].most_common(1) if n > 1]
                length, n_reads = lengths.most_common(1)[0]
                if n_reads > 1 and len(agreed) == length:
                    return agreed
        raise ProtocolError(
            "the list of programs was damaged each time.",
            state="listing programs",
            next_step="Look at the cable, then try again.",
        )

    def upload(
        self,
        name: str,
        text: str,
        *,
        overwrite: bool = True,
        verify: bool = True,
        on_progress: Callable[[UploadEvent], None] | None = None,
    ) -> UploadResult:
        """Store a program. An old one of that name is deleted first.

        Args:
            name: 1 to 29 printable ASCII characters without double quotes.
            text: the program, Latin-1.
            overwrite: whether an old one may be deleted.
            verify: read it back and compare.
            on_progress: called after each page, and when the whole program is sent again.

        Raises:
            ValueError: the name or the text cannot be stored.
            VerificationError: the sums were wrong in every attempt, or what is read back differs.
            CommandRefusedError: the board refused, or there is one and it may not be overwritten.
        """
        self._require_a_slot(name)
        self._console.enter(PromptKind.COMMAND)
        content = text.encode("latin-1")
        upload = Upload(self._console.session, name, content, overwrite=overwrite, settings=self._settings)
        self.n_changes += 1
        self._console.drive(upload, on_progress)
        assert upload.result is not None
        if verify:
            self.verify(name, text)
        return upload.result

    def n_uploads(self) -> int:
        """Uploads since all programs were deleted, overwriting ones included: the board's count of programs.

        A flash that was never written gives 4294967295.
        """

        def ask() -> str:
            return self._console.command("list|program_count").strip()

        answer = self._console.agreed_answer(ask)
        count = re.search(r": ([0-9]+)$", answer)
        if count is None:
            raise ProtocolError(f"the board answered {answer!r} when it was asked for its count of programs.")
        return int(count[1])

    def _require_a_slot(self, name: str) -> None:
        """Do nothing if the board can take an upload. If it cannot, it would delete an old program all the same."""
        n_uploads = self.n_uploads()
        if n_uploads < MAX_UPLOADS:
            return
        what = (
            f"the board has taken {n_uploads} of its {MAX_UPLOADS} uploads, overwriting ones included"
            if n_uploads == MAX_UPLOADS
            else "the board's flash was never written"
        )
        raise CommandRefusedError(
            f"{what}: {name!r} was not sent.",
            command="upload|program",
            state="uploading a program",
            next_step="Delete all programs with delete|all_programs; it clears the start-on-boot setting too.",
        )

    def read_back(self, name: str) -> list[str]:
        """The lines of a stored program, read once. Nothing shows whether the wire has damaged them.

        Raises:
            CommandRefusedError: there is no such program.
            ValueError: the name has characters that a program's name cannot have.
        """
        command = f'list|program_code("{plain_name(name)}")'
        lines = self._console.command_lines(command, _READ_BACK_TIMEOUT_S, lists_program=True)
        if lines and "failed to print program" in lines[0].text:
            raise CommandRefusedError(
                f"there is no program {name!r} on the board.", command="list|program_code", reply=lines[0].text
            )
        return listed_program(lines)

    def matches(self, name: str, text: str) -> bool:
        """Whether a stored program is this text, by reading it back, line ends left aside.

        Lines that the wire has damaged are read again: each line must have been read as it should be, and as many of
        them as there should be. A text that is read twice alike, and is not the one wanted, is another text.

        Raises:
            CommandRefusedError: there is no such program.
            VerificationError: the text cannot be read back: a line is too long.
        """
        fault = read_back_faults(text)
        if fault:
            raise VerificationError(
                f"{name!r} cannot be verified: {fault}.",
                program=name,
                state="reading a program back",
                next_step="Break the line, or upload without verifying.",
            )
        comparison = Comparison(text)
        with self._console.within(_COMPARE_TIMEOUT_S):
            for _ in range(_MOST_READS):
                verdict = comparison.read(self.read_back(name))
                if verdict is not None:
                    return verdict
        return False

    def verify(self, name: str, text: str) -> None:
        """Do nothing if the stored program is this text.

        Raises:
            VerificationError: it is another, is not there, or cannot be read back.
        """
        try:
            same = self.matches(name, text)
        except CommandRefusedError as error:
            raise VerificationError(
                error.what, program=name, state="verifying", next_step="Upload it again."
            ) from error
        if not same:
            raise VerificationError(
                f"program {name!r} on the board is not what was sent.",
                program=name,
                state="verifying",
                next_step="Upload it again; if it happens again, lengthen the pause between bytes (--tx-delay).",
            )

    def check_program(self, name: str) -> tuple[int, str] | None:
        """Have the board check the text of one of this driver's programs, by loading it.

        Returns:
            Length and CRC-32 that the board found; None if the program has no check, is damaged or is not there.
        """
        line = f'local _,n,c=run_program("{plain_name(name)}")print(n,c)'
        try:
            with self._console.within(LOAD_TIMEOUT_S):
                answer = self._console.agreed_answer(lambda: self._console.type_line(line, LOAD_TIMEOUT_S).text)
        except LuaError:
            return None
        words = answer.split("\t")
        return (int(words[0]), words[1]) if len(words) == 2 and words[0].isdecimal() else None

    def delete(self, name: str) -> None:
        """Delete a stored program.

        Raises:
            CommandRefusedError: there is none of that name.
            ValueError: the name has characters that a program's name cannot have.
        """
        self.n_changes += 1
        reply = self._console.command(f'delete|program("{plain_name(name)}")')
        if reply.strip():
            raise CommandRefusedError(
                f"program {name!r} was not deleted: {reply.strip()}.",
                command="delete|program",
                reply=reply.strip(),
                state="deleting a program",
                next_step="See which programs there are: elm11 list.",
            )
