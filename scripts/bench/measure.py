"""Runs commands in turn, A B A B ..., and gives medians of wall time, CPU seconds and peak memory.

The machine may be shared and noisy, so nothing here is an absolute truth: what counts is the ratio of two commands
that ran side by side.
"""

import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time


class Sample:
    """One finished run."""

    def __init__(self, wall, cpu, rss_kib, code):
        self.wall, self.cpu, self.rss_kib, self.code = wall, cpu, rss_kib, code


def run_once(command, cwd=None, env=None, stdout=subprocess.DEVNULL):
    """Runs `command` (a list, or a text for the shell) and waits for it, children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        shell=isinstance(command, str),
        executable="/bin/bash" if isinstance(command, str) else None,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return Sample(wall, cpu, usage.ru_maxrss, process.returncode)


def peak_kib(command):
    """The peak memory of a run in KiB, or None without GNU time.

    What `wait4` says of a child of this process is at least what this process has itself, so a small program starts it.
    """
    timer = shutil.which("time")
    if not timer or isinstance(command, str):
        return None
    with tempfile.NamedTemporaryFile("r") as out:
        done = run_once([timer, "-f", "%M", "-o", out.name, *command])
        return int(out.read().split()[-1]) if done.code == 0 else None


def side_by_side(commands, runs, prepare=None, warmup=1, expect=0):
    """Runs every command of the dict `commands` `runs` times in turn. `prepare(name)` runs before each, untimed.

    Gives {name: {"wall", "cpu", "rss_mib", "min", "max", "runs"}}; stops with an error where a command fails.
    """
    samples = {name: [] for name in commands}
    for turn in range(runs + warmup):
        for name, command in commands.items():
            if prepare:
                prepare(name)
            sample = run_once(command)
            if sample.code != expect:
                raise SystemExit(f"bench: `{command}` ended with {sample.code}")
            if turn >= warmup:
                samples[name].append(sample)
    out = {name: summary(taken) for name, taken in samples.items()}
    for name, command in commands.items():
        if prepare:
            prepare(name)
        peak = peak_kib(command)
        if peak is not None:
            out[name]["rss_mib"] = peak / 1024
    return out


def summary(taken):
    """Medians of a list of samples."""
    walls = [s.wall for s in taken]
    return {
        "wall": statistics.median(walls),
        "cpu": statistics.median(s.cpu for s in taken),
        "rss_mib": max(s.rss_kib for s in taken) / 1024,
        "min": min(walls),
        "max": max(walls),
        "runs": len(taken),
    }


def ms(seconds):
    """A time in milliseconds, for tables."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def mib(size):
    """A size in MiB, for tables."""
    return f"{size / (1 << 20):.1f} MiB"
