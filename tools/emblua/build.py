#!/usr/bin/env python3
"""Build emblua, the board's Lua on this computer or on an emulated rv32i machine, and print the path of the binary.

Stock Lua 5.4 sources come from the folder that ``ELM11_LUA_SOURCES`` names, or else from the source distribution
of lupa 2.2 on PyPI, which has Lua 5.4.6 in it, the board's release; where that cannot be had, from Debian's or
Ubuntu's source package ``lua5.4`` (Debian 12: 5.4.4). They are fetched once into the user's cache folder, in some
twenty seconds; nothing of the system is changed, no root is needed. The binary lies in the cache as well, under a
name made from everything it was built from, so a second call costs nothing.

Exit codes: 0 built, 2 usage, 3 no compiler, 4 no Lua sources.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
SOURCES_VARIABLE = "ELM11_LUA_SOURCES"
PACKAGE = "lua5.4"
SDIST = "lupa==2.2"
SDIST_HASH = "sha256:665a006bcf8d9aacdfdb953824b929d06a0c55910a662b59be2f157ab4c8924d"
SDIST_FOLDER = "third-party/lua54"
SDIST_RELEASE = "5.4.6"
FETCH_TIMEOUT_S = 300.0
COMPILE_TIMEOUT_S = 120.0

# The board has no io, os, coroutine, debug, utf8 and no loading of libraries; the rest are programs.
LEFT_OUT = frozenset(
    {
        "lua",
        "luac",
        "onelua",
        "ltests",
        "linit",
        "liolib",
        "loslib",
        "loadlib",
        "ldblib",
        "lcorolib",
        "lutf8lib",
    }
)
# Names that single sources call and host.c defines anew (why: host.c says it at each function).
RENAMED: dict[str, tuple[str, ...]] = {
    "lauxlib": (
        "-Dlua_pushfstring=board_pushfstring",
        "-Dlua_pushvfstring=board_attempt_vfstring",
        "-Dlua_load=board_load",
    ),
    "lbaselib": ("-Dlua_load=board_load",),
    "ldo": ("-DluaO_pushfstring=board_attempt_fstring",),
    "lparser": ("-DluaO_pushfstring=board_attempt_fstring",),
    "ldebug": ("-DluaO_pushvfstring=board_pushvfstring",),
    "lstrlib": ("-Dmemchr=board_memchr",),
    "lvm": ("-Dstrcoll=board_strcoll",),
}
OWN_FLAGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror")
# The allocator alone, for replay_allocator.py: no Lua in it, so the compiler may be stricter.
REPLAY_FILES = ("allocator.c", "replay.c")
REPLAY_FLAGS = ("-std=c11", "-O2", "-Wsign-conversion", "-Wshadow")
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
FLAGS = (
    "-std=gnu11",
    "-O2",
    "-U_FORTIFY_SOURCE",  # it would turn snprintf into a macro
)
# The same code with 4-byte pointers, to check the model of the heap against the real sizes. Doubles keep the
# board's 8-byte alignment and are computed in SSE, not in 80 bits.
FLAGS_32 = ("-m32", "-msse2", "-mfpmath=sse", "-malign-double")

# The board's memory: a model that builds anywhere, or what the board does, which needs the board's object sizes.
MEMORIES: dict[str, tuple[str, ...]] = {
    "model": ("session_model.c", "memory_model.c"),
    "real": ("session_real.c", "memory_real.c", "allocator.c"),
}
REAL_FLAGS = ("-DBOARD_MEMORY_REAL",)
# The q test without a hook, as the board has it; process.c says why.
REAL_RENAMED = ("-DluaG_traceexec=board_traceexec",)
# Changes of the stock sources for the real memory: file, old words, new words. Each has to occur once. The board has
# six basic types more (pins and the like), so its tags have 16 bits, and there is room for six metatables more.
REAL_CHANGES = (
    ("lobject.h", "Value value_; lu_byte tt_", "Value value_; unsigned short tt_"),
    (
        "lobject.h",
        "struct GCObject *next; lu_byte tt; lu_byte marked",
        "struct GCObject *next; unsigned short tt; lu_byte marked",
    ),
    ("lobject.h", "lu_byte key_tt;", "unsigned short key_tt;"),
    ("lstate.h", "struct Table *mt[LUA_NUMT", "struct Table *more_mt[6]; struct Table *mt[LUA_NUMT"),
)

# The machine on which instructions are counted; README.md says why these flags.
MACHINE_COMPILER = "riscv64-unknown-elf-gcc"
MACHINE_FLAGS = ("--specs=picolibc.specs", "-march=rv32i", "-mabi=ilp32", "-std=gnu11", "-O1")
MACHINE_LINK_FLAGS = (
    *("--oslib=semihost", "--crt0=semihost"),
    # QEMU's "virt" starts at the beginning of its memory; 4 MiB for the program, 64 MiB for everything else.
    *("-Wl,--defsym=__flash=0x80000000", "-Wl,--defsym=__flash_size=0x00400000"),
    *("-Wl,--defsym=__ram=0x80400000", "-Wl,--defsym=__ram_size=0x04000000"),
    "-Wl,--defsym=__stack_size=0x10000",
)
# How the machine tests for 'q' at every VM instruction: by a stock line hook, or always alike (machine.c, README.md).
Q_TEST_RENAMED: dict[str, dict[str, tuple[str, ...]]] = {
    "line": {},
    "each": {"lvm": ("-DluaG_traceexec=board_traceexec",)},
}


class BuildError(Exception):
    """emblua cannot be built here. ``exit_code`` says whether the compiler or the sources are missing."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def cache_folder() -> Path:
    """The project's folder in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "elm11-lua-driver"


def lua_sources() -> Path:
    """The folder with the stock sources (``lua.h``, ``lvm.c``, ...), fetched if need be.

    Raises:
        BuildError: the named folder has no sources, or the package cannot be fetched.
    """
    named = os.environ.get(SOURCES_VARIABLE)
    if named:
        for folder in (Path(named), Path(named) / "src"):
            if (folder / "lua.h").is_file():
                return folder.resolve()
        raise BuildError(f"{SOURCES_VARIABLE}={named}: no lua.h in it", exit_code=4)
    boards = cache_folder() / f"lua-sources-{SDIST_RELEASE}"
    other = cache_folder() / "lua-sources"
    if (boards / "lua.h").is_file():
        return boards
    try:
        _fetch(_download_sdist, SDIST_FOLDER, boards)
    except BuildError as no_sdist:
        if not (other / "lua.h").is_file():
            try:
                _fetch(_download_source_package, "src", other)
            except BuildError as error:
                raise BuildError(f"{no_sdist}\n{error}", exit_code=4) from None
        return other
    return boards


def _fetch(download: Callable[[Path], Path], folder: str, destination: Path) -> None:
    """Put the C files of an archive's folder into ``destination``."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as work_name:
        work = Path(work_name)
        archive = download(work)
        unpacked = work / "unpacked"
        unpacked.mkdir()
        with tarfile.open(archive) as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                content = tar.extractfile(member) if path.parent.as_posix().endswith(f"/{folder}") else None
                if content is not None and path.suffix in {".c", ".h"}:
                    (unpacked / path.name).write_bytes(content.read())
        # In one step, so that two builds at once do not see half of the sources.
        if not destination.exists():
            unpacked.rename(destination)


def _download_sdist(work: Path) -> Path:
    """Fetch the archive by pip, without building anything of it."""
    # pip asks even for a download what the archive would need, and runs its setup.py for that. In an environment that
    # has setuptools and no Cython it answers at once; with Cython it would translate six modules first.
    environment = work / "environment"
    python = environment / "bin" / "python"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    requirements = work / "requirements.txt"
    requirements.write_text(f"{SDIST} --hash={SDIST_HASH}\n")
    for command in (
        [sys.executable, "-m", "venv", str(environment)],
        [*pip, "install", "setuptools", "wheel"],
        [
            *pip,
            "download",
            "--no-deps",
            "--no-build-isolation",
            "--no-binary=:all:",
            "-d",
            f"{work}",
            "-r",
            f"{requirements}",
        ],
    ):
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S)
        if done.returncode:
            raise BuildError(f"{SDIST} cannot be fetched: {done.stderr.strip()[-500:]}", exit_code=4)
    return next(work.glob("*.tar.gz"))


def _download_source_package(work: Path) -> Path:
    """Fetch the source package's archive as apt does, with lists and caches of our own below ``work``."""
    if shutil.which("apt-get") is None:
        raise BuildError(
            f"no Lua sources, and no apt-get to fetch them; set {SOURCES_VARIABLE} to a folder with some",
            exit_code=4,
        )
    parts = work / "sources"
    lists = work / "lists"
    (lists / "partial").mkdir(parents=True)
    parts.mkdir()
    _write_source_entries(parts)
    options = [
        "-qq",
        *("-o", "Dir::Etc::sourcelist=/dev/null"),
        *("-o", f"Dir::Etc::sourceparts={parts}"),
        *("-o", f"Dir::State::Lists={lists}"),
        *("-o", "Dir::Cache::pkgcache="),
        *("-o", "Dir::Cache::srcpkgcache="),
        *("-o", "APT::Sandbox::User="),
    ]
    for command in (["update"], ["source", "--download-only", PACKAGE]):
        done = subprocess.run(
            ["apt-get", *options, *command],
            cwd=work,
            check=False,
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
        )
        if done.returncode:
            raise BuildError(f"apt-get {' '.join(command)} failed: {done.stderr.strip()}", exit_code=4)
    archives = sorted(work.glob(f"{PACKAGE}_*.orig.tar.*"))
    if not archives:
        raise BuildError(f"apt-get source {PACKAGE} brought no archive", exit_code=4)
    return archives[0]


def _write_source_entries(parts: Path) -> None:
    """Copy the system's apt entries with source packages switched on."""
    apt = Path("/etc/apt")
    for entry in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if not entry.is_file():
            continue
        if entry.suffix == ".sources":
            text = re.sub(r"^Types:.*$", "Types: deb-src", entry.read_text(), flags=re.MULTILINE)
        elif entry.suffix == ".list":
            text = "".join(
                re.sub(r"^deb\s", "deb-src ", line) + "\n"
                for line in entry.read_text().splitlines()
                if line.startswith("deb ")
            )
        else:
            continue
        (parts / entry.name).write_text(text)


def compiler() -> str:
    """The C compiler: ``CC``, or the first of gcc, clang and cc.

    Raises:
        BuildError: there is none.
    """
    named = os.environ.get("CC")
    for name in (named,) if named else ("gcc", "clang", "cc"):
        if shutil.which(name):
            return name
    raise BuildError(f"no C compiler: {named or 'gcc, clang, cc'} not found", exit_code=3)


def lua_files(sources: Path) -> list[Path]:
    """The stock sources that belong to the board's Lua."""
    return [path for path in sorted(sources.glob("l*.c")) if path.stem not in LEFT_OUT]


def _fingerprint(command: tuple[str, ...], files: list[Path]) -> str:
    digest = hashlib.sha256("\0".join(command).encode())
    for path in [*files, Path(__file__)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def changed_sources(sources: Path) -> Path:
    """A copy of the sources with `REAL_CHANGES`, in the cache.

    Args:
        sources: the stock sources.

    Raises:
        BuildError: they are of another release, in which the words to be changed are not found.
    """
    files = sorted(sources.glob("*.[ch]"))
    copy = cache_folder() / "build" / f"sources-{_fingerprint((repr(REAL_CHANGES),), files)}"
    if copy.is_dir():
        return copy
    copy.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=copy.parent) as work_name:
        work = Path(work_name) / "sources"
        work.mkdir()
        for path in files:
            text = path.read_text("latin-1")
            for name, old, new in REAL_CHANGES:
                if name != path.name:
                    continue
                if text.count(old) != 1:
                    raise BuildError(f"{path}: {old!r} is not there once; is this Lua 5.4?", exit_code=4)
                text = text.replace(old, new)
            (work / path.name).write_text(text, "latin-1")
        if not copy.exists():
            work.rename(copy)
    return copy


def build(*, pointers_of_4_bytes: bool = False, memory: str = "model", sanitized: bool = False) -> Path:
    """Build emblua if it is not built yet.

    Args:
        pointers_of_4_bytes: build a 32-bit program (needs the compiler's 32-bit libraries), in which
            sizes are the board's own and not modelled.
        memory: a key of `MEMORIES`; "real" is always a 32-bit program.
        sanitized: with the compiler's checks; but not for alignment, since half of the board's blocks lie four bytes
            beside a multiple of eight.

    Returns:
        The path of the binary. A copy lies at ``<cache>/emblua`` or ``<cache>/emblua-real``, where the virtual board
        looks for it, unless it was built for a test.

    Raises:
        BuildError: no compiler, no sources, or a compilation failed.
    """
    if os.name != "posix":
        raise BuildError("emblua needs poll() and pipes as POSIX has them; use WSL on Windows", exit_code=3)
    real = memory == "real"
    flags = (
        *FLAGS,
        *(FLAGS_32 if pointers_of_4_bytes or real else ()),
        *((*SANITIZERS, "-fno-sanitize=alignment") if sanitized else ()),
    )
    renamed = {**RENAMED, "lvm": (*RENAMED["lvm"], *REAL_RENAMED)} if real else RENAMED
    name = "emblua-real" if real else "emblua"
    binary = _build((compiler(), *flags), "process.c", name, renamed=renamed, memory=memory)
    if not sanitized and real >= pointers_of_4_bytes:
        _publish(binary)
    return binary


def build_machine(q_test: str = "line", *, memory: str = "model") -> Path:
    """Build emblua for the rv32i machine if it is not built yet.

    Args:
        q_test: a key of `Q_TEST_RENAMED`.
        memory: a key of `MEMORIES`.

    Returns:
        The path of the ELF file that QEMU loads.

    Raises:
        BuildError: no cross compiler, no sources, or a compilation failed.
    """
    if shutil.which(MACHINE_COMPILER) is None:
        raise BuildError(
            f"{MACHINE_COMPILER} not found; Debian and Ubuntu have it: "
            "apt-get install gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
            exit_code=3,
        )
    renamed = {**RENAMED}
    for source, flags in Q_TEST_RENAMED[q_test].items():
        renamed[source] = (*renamed.get(source, ()), *flags)
    return _build((MACHINE_COMPILER, *MACHINE_FLAGS), "machine.c", "machine.elf", MACHINE_LINK_FLAGS, renamed, memory)


def build_replay(*, sanitized: bool = False) -> Path:
    """Build the program that replays requests on the board's allocator, if it is not built yet.

    Args:
        sanitized: with the compiler's checks for bad addresses and undefined behaviour.

    Returns:
        The path of the binary.

    Raises:
        BuildError: no compiler, or the compilation failed.
    """
    command = (compiler(), *REPLAY_FLAGS, *OWN_FLAGS, *(SANITIZERS if sanitized else ()))
    files = [HERE / name for name in REPLAY_FILES]
    binary = cache_folder() / "build" / _fingerprint(command, [*files, HERE / "allocator.h"]) / "replay"
    if not binary.is_file():
        binary.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=binary.parent) as work_name:
            built = Path(work_name) / binary.name
            _run([*command, *map(str, files), "-o", str(built)])
            built.replace(binary)
    return binary


def _build(
    command: tuple[str, ...],
    target: str,
    name: str,
    link_flags: tuple[str, ...] = (),
    renamed: dict[str, tuple[str, ...]] = RENAMED,
    memory: str = "model",
) -> Path:
    """The binary ``name`` of Lua's sources, the target's C file and ours; compiled if it is not in the cache."""
    sources = lua_sources()
    own = [HERE / file for file in ("host.c", target, *MEMORIES[memory])]
    if memory == "real":
        sources = changed_sources(sources)
        command = (*command, *REAL_FLAGS)
    stock = lua_files(sources)
    fingerprint = _fingerprint(
        (*command, *link_flags, repr(renamed)), [*own, *sorted(HERE.glob("*.h")), *sorted(sources.glob("*.h")), *stock]
    )
    binary = cache_folder() / "build" / fingerprint / name
    if not binary.is_file():
        binary.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=binary.parent) as work_name:
            built = Path(work_name) / name
            _compile(command, sources, [*stock, *own], built, link_flags, renamed)
            built.replace(binary)
    return binary


def _compile(
    command: tuple[str, ...],
    sources: Path,
    files: list[Path],
    binary: Path,
    link_flags: tuple[str, ...],
    renamed: dict[str, tuple[str, ...]],
) -> None:
    include = (f"-I{HERE}", f"-I{sources}", "-include", "board_luaconf.h")

    def compiled(source: Path) -> str:
        target = binary.parent / f"{source.stem}.o"
        flags = OWN_FLAGS if source.parent == HERE else ("-w",)
        new_names = () if source.parent == HERE else renamed.get(source.stem, ())
        _run([*command, *flags, *new_names, *include, "-c", str(source), "-o", str(target)])
        return str(target)

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the threads wait for compilers
        objects = list(pool.map(compiled, files))
    _run([*command, *link_flags, *objects, "-lm", "-o", str(binary)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S)
    if done.returncode:
        raise BuildError(f"{' '.join(command)}\n{done.stderr}", exit_code=3)


def _publish(binary: Path) -> None:
    """Put a copy where it is found without knowing the fingerprint, in one step."""
    published = cache_folder() / binary.name
    if published.is_file() and published.read_bytes() == binary.read_bytes():
        return
    with tempfile.TemporaryDirectory(dir=published.parent) as work:
        copy = Path(shutil.copy2(binary, work))
        copy.replace(published)


def main() -> int:
    """Build, print the path, return the exit code."""
    parser = argparse.ArgumentParser(description="Build emblua and print the path of the binary.")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--m32", action="store_true", help="a 32-bit program, to check the model of the heap")
    target.add_argument("--machine", choices=Q_TEST_RENAMED, help="for the rv32i machine: how it tests for 'q'")
    target.add_argument("--replay", action="store_true", help="the allocator alone, for replay_allocator.py")
    parser.add_argument("--memory", choices=MEMORIES, default="model", help="the board's memory (default: %(default)s)")
    parser.add_argument("--sanitize", action="store_true", help="with the compiler's checks (ASan, UBSan)")
    arguments = parser.parse_args()
    try:
        if arguments.replay:
            print(build_replay(sanitized=arguments.sanitize))
        elif arguments.machine:
            print(build_machine(arguments.machine, memory=arguments.memory))
        else:
            print(build(pointers_of_4_bytes=arguments.m32, memory=arguments.memory, sanitized=arguments.sanitize))
    except BuildError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
