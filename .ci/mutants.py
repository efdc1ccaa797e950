#!/usr/bin/env python3
"""Mutation testing: changes the program in one place after another and sees whether a test notices.

    .ci/mutants.py               all rooms of the list below
    .ci/mutants.py vault wire…   these
    .ci/mutants.py … --again     only what an earlier run missed or did not come to
    .ci/mutants.py … --of RE     only the changes whose names the expression finds; with --again, the others stay as they were
    .ci/mutants.py … --only RE   only by the tests whose names the expression finds

The changes are those that cargo-mutants names. All of them are woven into one copy of the sources, each behind a switch
(tests/mutants), so that there is one build instead of one a change. Every test is run once alone to see which changes it
passes by; then each change is switched on for the tests that do, until one fails or hangs: the quickest first, and before
them those that noticed others of the same file. Tests that take longer than --slow seconds alone, and after --most seconds
of tests a change, no more, are left out.

Results: .ci/cache/mutants/ROOM.txt, a line a change, written as they come: --again goes on with a run that was ended.
docs/mutants.md explains what is missed.
"""

import argparse, collections, json, os, re, shutil, subprocess, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".ci/cache/mutants"
TREE = CACHE / "tree"
VERSION = "27.1.0"
TOOL = CACHE / "bin/cargo-mutants"
ROOMS = {
    "vault": ["src/vault/*.rs"],
    "wire": ["src/egress/wire/*.rs", "src/egress/gate.rs"],
    "egress": ["src/egress/*.rs"],
    "projection": ["src/stream/*.rs"],
    "store": ["src/store/*.rs", "src/dbfile.rs"],
    "sync": ["src/sync/*.rs"],
}
# They judge the sources themselves, or take the machine for themselves.
LEFT_OUT = r"^(policy|judges|benches)::"

SWITCH = """
/// The switch of mutation testing: is this change on? Notes once that it was asked.
#[allow(clippy::all, missing_docs)]
pub fn mutant(number: usize) -> bool {
    use std::io::Write as _;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    static ON: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    static TRACE: std::sync::OnceLock<Option<std::fs::File>> = std::sync::OnceLock::new();
    static SEEN: [AtomicBool; 16384] = [const { AtomicBool::new(false) }; 16384];
    let trace = TRACE.get_or_init(|| {
        let path = std::env::var_os("MUTANTS_TRACE")?;
        std::fs::OpenOptions::new().append(true).create(true).open(path).ok()
    });
    if let Some(mut file) = trace.as_ref()
        && !SEEN[number].swap(true, Relaxed)
    {
        drop(file.write_all(format!("{number}\\n").as_bytes()));
    }
    *ON.get_or_init(|| std::env::var("MUTANT").ok().and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)) == number
}
"""


def run(*command, **more):
    return subprocess.run([str(part) for part in command], check=True, text=True, **more)


def install():
    have = subprocess.run([TOOL, "mutants", "--version"], capture_output=True, text=True).stdout if TOOL.exists() else ""
    if f" {VERSION}" not in have:
        run("cargo", "install", "--locked", "--quiet", "--root", CACHE, "--target-dir", CACHE / "build", "cargo-mutants",
            "--version", VERSION)
    run("cargo", "build", "--locked", "--release", "--quiet", "--manifest-path", ROOT / "tests/mutants/Cargo.toml")


def fresh():
    """The sources as they are in the index; what was compiled stays."""
    TREE.mkdir(parents=True, exist_ok=True)
    for folder in ("src", "tests"):
        shutil.rmtree(TREE / folder, ignore_errors=True)
    run("git", "-C", ROOT, "checkout-index", "--all", "--force", f"--prefix={TREE}/")


def listed(rooms):
    files = [pattern for room in rooms for pattern in ROOMS[room]]
    named = [word for pattern in files for word in ("--file", pattern)]
    found = run(TOOL, "mutants", "--dir", TREE, "--list", "--json", *named, stdout=subprocess.PIPE).stdout
    path = CACHE / "list.json"
    path.write_text(found)
    return path, json.loads(found)


def weave(path, skip):
    aside = CACHE / "skip.txt"
    aside.write_text("".join(f"{number}\n" for number in sorted(skip)))
    weaver = ROOT / "tests/mutants/target/release/mutants"
    told = run(weaver, path, TREE, aside, stdout=subprocess.PIPE).stdout
    with (TREE / "src/lib.rs").open("a") as lib:
        lib.write(SWITCH)
    return [line.split("\t") for line in told.splitlines()]


def messages(*arguments):
    command = ["cargo", *arguments, "--locked", "--message-format=json"]
    # Woven code has brackets and branches that nobody would write.
    env = {**os.environ, "RUSTFLAGS": "--cap-lints allow", "CARGO_PROFILE_DEV_DEBUG": "0"}
    done = subprocess.run(command, cwd=TREE, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")], done


MARK = re.compile(rb"/\*<(\d+)\*/|/\*(\d+)>\*/")


def around(file, at):
    """The innermost woven change around a byte of a file; else those on the last line before it that has any."""
    if not (TREE / file).is_file():
        return [], []
    text = (TREE / file).read_bytes()
    open_marks = []
    for mark in MARK.finditer(text):
        if mark.start() > at:
            break
        if mark[1]:
            open_marks.append(int(mark[1]))
        elif open_marks and open_marks[-1] == int(mark[2]):
            open_marks.pop()
    if open_marks:
        return open_marks[-1:], []
    line = text.rfind(b"\n", 0, text.rfind(b"/*<", 0, text.find(b"\n", at)))
    return [], [int(mark[1]) for mark in MARK.finditer(text[line : text.find(b"\n", line + 1)]) if mark[1]]


def spans_of(message):
    yield from message["spans"]
    for child in message["children"]:
        yield from spans_of(child)


def broken(found):
    """Changes that do not compile."""
    numbers, unknown = set(), []
    for one in found:
        message = one.get("message")
        if one["reason"] != "compiler-message" or message["level"] != "error" or not message["spans"]:
            continue
        spans = list(spans_of(message))
        inside = {number for span in spans for number in around(span["file_name"], span["byte_start"])[0]}
        if not inside:
            inside = {number for span in spans for number in around(span["file_name"], span["byte_start"])[1]}
        numbers |= inside
        if not inside:
            unknown.append(message["rendered"])
    return numbers, unknown


def woven(rooms):
    path, mutants = listed(rooms)
    skip = set()
    while True:
        fresh()
        told = weave(path, skip)
        found, _ = messages("check", "--lib")
        numbers, unknown = broken(found)
        print(f"{len(told)} changes, {len(numbers)} of them do not compile, {len(skip)} are left out already", flush=True)
        if not numbers:
            if unknown:
                sys.exit("errors that belong to no change:\n" + "\n".join(unknown[:3]))
            return mutants, told
        skip |= numbers


def binaries():
    found, done = messages("test", "--no-run")
    programs = {one["target"]["name"] + ":" + one["target"]["kind"][0]: one["executable"]
                for one in found if one["reason"] == "compiler-artifact" and one.get("executable")}
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return {"lib": programs["counterfoil:lib"], "all": programs["all:test"]}


def environment(**more):
    memory = {"TMPDIR": "/dev/shm"} if Path("/dev/shm").is_dir() else {}
    # A few short lives of the simulation are a test like the others.
    return {**os.environ, **memory, "RUST_BACKTRACE": "0", "SEEDS": "6", "DAYS": "1", **more}


def tests_of(programs, slow, only):
    """Every test: how long it takes alone, and which changes it passes by."""
    names = []
    for which, program in programs.items():
        told = run(program, "--list", "--format=terse", stdout=subprocess.PIPE, cwd=TREE).stdout
        tests = [line[: -len(": test")] for line in told.splitlines() if line.endswith(": test")]
        names += [(which, name) for name in tests if not re.search(LEFT_OUT, name) and re.search(only, name)]

    def alone(test):
        which, name = test
        trace = CACHE / "trace" / re.sub(r"\W+", "-", f"{which}-{name}")
        trace.unlink(missing_ok=True)
        begin = time.monotonic()
        state, _ = execute(programs[which], [name], slow, MUTANTS_TRACE=str(trace))
        passed = {int(line) for line in trace.read_text().split()} if trace.exists() else set()
        return test, state, time.monotonic() - begin, passed

    (CACHE / "trace").mkdir(exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(alone, names))


def execute(program, names, limit, **more):
    """Runs tests by their whole names: passed, failed or hung, and how long it took."""
    begin = time.monotonic()
    child = subprocess.Popen([program, "--exact", *names], cwd=TREE, env=environment(**more), start_new_session=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        state = "passed" if child.wait(timeout=limit) == 0 else "failed"
    except subprocess.TimeoutExpired:
        state = "hung"
    try:
        os.killpg(child.pid, 9)
    except ProcessLookupError:
        pass
    child.wait()
    return state, time.monotonic() - begin


NOTICED = collections.Counter()


def judge(number, file, tests, programs, most):
    """Switches a change on: which test noticed it first. Tests that noticed others of the same file come earlier."""
    spent, ran = 0.0, 0
    for which in ("lib", "all"):
        of = [(took, name) for (kind, name), _, took, passed in tests if kind == which and number in passed]
        of.sort(key=lambda one: one[0] / (1 + NOTICED[file, one[1]]))
        while of and spent < most:
            batch, sum_of = [], 0.0
            while of and len(batch) < 24 and (not batch or sum_of + of[0][0] < 1.0):
                took, name = of.pop(0)
                batch.append(name)
                sum_of += took
            state, took = execute(programs[which], batch, 10 + 5 * sum_of, MUTANT=str(number))
            spent, ran = spent + took, ran + len(batch)
            if state != "passed":
                if len(batch) == 1:
                    NOTICED[file, batch[0]] += 1
                return state, batch[0] if len(batch) == 1 else f"one of {batch[0]} …", ran
    return ("missed" if ran else "unreached"), "", ran


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rooms", nargs="*")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--of", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--slow", type=float, default=15)
    parser.add_argument("--most", type=float, default=60)
    asked = parser.parse_args()
    rooms = asked.rooms or list(ROOMS)
    install()
    fresh()
    mutants, told = woven(rooms)
    programs = binaries()
    tests = tests_of(programs, asked.slow, asked.only)
    for (which, name), state, took, _ in tests:
        if state != "passed":
            print(f"not used: {which} {name}: {state} alone, {took:.1f} s", flush=True)
    tests = [one for one in tests if one[1] == "passed"]
    print(f"{len(tests)} tests, {sum(took for _, _, took, _ in tests):.0f} s alone", flush=True)
    for room in rooms:
        patterns = [re.compile(pattern.replace("*", "[^/]*") + "$") for pattern in ROOMS[room]]
        result = CACHE / f"{room}.txt"
        before = dict(line.split("\t")[1::-1] for line in result.read_text().splitlines()) if asked.again and result.exists() else None
        lines, mine = [], []
        for (number, word, name), mutant in zip(told, mutants):
            if any(pattern.match(mutant["file"]) for pattern in patterns):
                known = (before or {}).get(name)
                left = not re.search(asked.of, name)
                if known in ("failed", "hung", "unviable") or (known and left):
                    lines.append(f"{known}\t{name}\t(before)")
                elif left:
                    continue
                elif word == "woven":
                    mine.append((int(number), name, mutant["file"]))
                else:
                    lines.append(f"{word}\t{name}\t")
        with ThreadPoolExecutor(2) as pool, result.open("w", buffering=1) as so_far:
            so_far.writelines(f"{line}\n" for line in lines)
            judged = pool.map(lambda one: (one, judge(one[0], one[2], tests, programs, asked.most)), mine)
            for (_, name, _), (state, by, ran) in judged:
                lines.append(f"{state}\t{name}\t{by or f'{ran} tests'}")
                so_far.write(f"{lines[-1]}\n")
                if state in ("missed", "unreached"):
                    print(f"{state}: {name} ({ran} tests)", flush=True)
        result.write_text("".join(f"{line}\n" for line in sorted(lines)))
        count = collections.Counter(line.split("\t")[0] for line in lines)
        print(f"=== {room}: {len(lines)} changes, " + ", ".join(f"{n} {word}" for word, n in sorted(count.items())), flush=True)


main()
