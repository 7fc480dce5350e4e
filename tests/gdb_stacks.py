# SPDX-License-Identifier: GPL-2.0-or-later
"""Run inside gdb, attached to a process: stops at an allocating function now and then and writes
its stacks as gdb unwinds them.

    gdb -q -batch -p PID -ex 'python FUNC, MODULE, STOPS, OUT = "malloc", "libc.so.6", 100, "out.json"' -x gdb_stacks.py

One list of return addresses for each stop, innermost first, without the function itself; inlined
frames are no frames here. The breakpoint is behind the first instructions, where no other is.
"""
import json
import random
import gdb


def setup():
    for line in ("pagination off", "confirm off", "backtrace limit 200", "print thread-events off",
                 "backtrace past-main on", "backtrace past-entry off"):
        gdb.execute("set " + line)
    gdb.execute("handle all nostop noprint pass", to_string=True)
    gdb.execute("handle SIGTRAP stop", to_string=True)


def function_address(name, module):
    """Of the function in the file whose name begins so; gdb's own choice may be another's."""
    for line in gdb.execute("info functions -n ^%s$" % name, to_string=True).splitlines():
        word = line.split()
        if len(word) >= 2 and word[0].startswith("0x") and word[1].split("@")[0] == name:
            addr = int(word[0], 16)
            if module in (gdb.solib_name(addr) or gdb.current_progspace().filename):
                return addr
    text = gdb.execute("info address " + name, to_string=True)
    for word in text.replace(",", " ").replace(".", " ").split():
        if word.startswith("0x"):
            return int(word, 16)
    raise gdb.GdbError("no %s in %s" % (name, module))


def memory_byte(pid, addr):
    with open("/proc/%d/mem" % pid, "rb") as mem:
        mem.seek(addr)
        return mem.read(1)[0]


def breakpoint_address(pid, func):
    """The third instruction or so: of the file, not of the memory, where others have breakpoints."""
    gdb.execute("set trust-readonly-sections on")
    lines = gdb.selected_inferior().architecture().disassemble(func, count=8)
    gdb.execute("set trust-readonly-sections off")
    for insn in lines[2:]:
        if memory_byte(pid, insn["addr"]) != 0xCC:
            return insn["addr"]
    raise gdb.GdbError("no place for a breakpoint")


def is_generated(frame, code):
    """V8's code, made at run time or with the program: without unwind information, gdb guesses from there on."""
    return (frame.name() or "").startswith("Builtins_") or not any(a <= frame.pc() < b for a, b in code)


def file_code(pid):
    with open("/proc/%d/maps" % pid) as maps:
        for line in maps:
            words = line.split()
            if len(words) > 5 and words[5].startswith("/") and "x" in words[1]:
                yield tuple(int(x, 16) for x in words[0].split("-"))


def frames(code):
    """Return addresses, innermost first; the last is None where generated code begins."""
    pcs = []
    frame = gdb.newest_frame()
    while frame is not None and frame.is_valid():
        if is_generated(frame, code):
            return pcs + [None]
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):  # those have no return address of their own
            pcs.append(frame.pc())
        try:
            frame = frame.older()
        except gdb.error:
            break
    return pcs


def main():
    setup()
    random.seed(1)
    pid = gdb.selected_inferior().pid
    code = list(file_code(pid))
    func = function_address(FUNC, MODULE)
    point = gdb.Breakpoint("*%d" % breakpoint_address(pid, func), internal=False)
    stacks = []
    for _ in range(STOPS):
        point.ignore_count = random.randrange(60)
        try:
            gdb.execute("continue", to_string=True)
        except gdb.error:
            break
        if not gdb.selected_inferior().pid:
            break
        stacks.append(frames(code)[1:])
    point.delete()
    with open(OUT, "w") as out:
        json.dump(stacks, out)
    gdb.execute("detach")


main()
