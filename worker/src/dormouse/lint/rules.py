"""What must a workflow not do by itself, why not, and what does it do instead? A table of names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One way to be different in a replay.

    Attributes:
        code: what a suppression calls it.
        why: what is wrong, to follow the name of what was found.
        remedy: what to do instead.
    """

    code: str
    why: str
    remedy: str


_IN_AN_ACTIVITY = "do that in an @activity and await it"
_CLOCK = Rule("clock", "says another moment in each replay", "use dormouse.now()")
_STOPWATCH = Rule("clock", "counts anew in each process", "measure with dormouse.now(), or in an @activity")
_WAIT = Rule("clock", "holds up every execution, and is not durable", "use await asyncio.sleep(...)")
_CHANCE = Rule(
    "chance", "comes out differently in each replay", "use dormouse.random(), or random.Random(dormouse.random())"
)
_UUID = Rule("chance", "comes out differently in each replay", "use dormouse.uuid4()")
_HASH = Rule("chance", "differs from process to process", "compare the values themselves, or use hashlib")
_ENVIRONMENT = Rule(
    "environment", "may be different where the replay runs", "pass it in the input, or read it in an @activity"
)
_FILES = Rule("files", "touches files, which a replay would do again", _IN_AN_ACTIVITY)
_NETWORK = Rule("network", "uses the network, which a replay would do again", _IN_AN_ACTIVITY)
_THREADS = Rule("threads", "runs beside the workflow, in no order that a replay could repeat", _IN_AN_ACTIVITY)
_PROCESSES = Rule("processes", "starts a process, which a replay would do again", _IN_AN_ACTIVITY)
_LOOP = Rule("threads", "needs an event loop of its own", "await it: the workflow runs on a loop already")
SET_ORDER = Rule("order", "has another order in each process", "iterate over sorted(...), or keep a list")
MODULE_STATE = Rule(
    "module-state",
    "belongs to all executions together, and is forgotten with the process",
    "keep it in a local variable of the workflow",
)

_GROUPS: tuple[tuple[Rule, str, str], ...] = (
    (_CLOCK, "datetime.datetime", "now utcnow today"),
    (_CLOCK, "datetime.date", "today"),
    (_CLOCK, "time", "localtime gmtime ctime asctime strftime clock_gettime clock_gettime_ns"),
    (_STOPWATCH, "time", "monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns"),
    (_STOPWATCH, "time", "thread_time thread_time_ns"),
    (_WAIT, "time", "sleep"),
    (_CHANCE, "random", "random randint randrange uniform choice choices sample shuffle gauss normalvariate"),
    (_CHANCE, "random", "betavariate expovariate triangular getrandbits randbytes seed Random SystemRandom"),
    (_CHANCE, "secrets", "choice randbelow randbits token_bytes token_hex token_urlsafe SystemRandom"),
    (_CHANCE, "numpy.random", "rand randn randint random choice shuffle permutation default_rng"),
    (_CHANCE, "os", "urandom getrandom"),
    (_UUID, "uuid", "uuid1 uuid4"),
    (_HASH, "builtins", "hash id"),
    (_ENVIRONMENT, "os", "environ environb getenv getenvb getpid getppid getcwd getlogin getuid uname cpu_count"),
    (_ENVIRONMENT, "sys", "argv stdin"),
    (_ENVIRONMENT, "socket", "gethostname getfqdn"),
    (_ENVIRONMENT, "platform", "node uname platform machine system release"),
    (_ENVIRONMENT, "builtins", "input"),
    (_FILES, "builtins", "open"),
    (_FILES, "io", "open FileIO"),
    (_FILES, "os", "open listdir scandir walk stat lstat access readlink utime chdir truncate"),
    (_FILES, "os", "remove unlink rename replace mkdir makedirs rmdir"),
    (_FILES, "os.path", "exists isfile isdir getsize getmtime realpath"),
    (_FILES, "pathlib.Path", "cwd home"),
    (_FILES, "pathlib.Path()", "open read_text read_bytes write_text write_bytes exists is_file is_dir iterdir glob"),
    (_FILES, "pathlib.Path()", "rglob mkdir unlink rename replace rmdir stat touch resolve"),
    (_FILES, "shutil", "copy copy2 copyfile copytree move rmtree disk_usage which"),
    (_FILES, "tempfile", "TemporaryFile NamedTemporaryFile TemporaryDirectory mkdtemp mkstemp"),
    (_FILES, "sqlite3", "connect"),
    (_NETWORK, "requests", "get post put patch delete head options request Session session"),
    (_NETWORK, "httpx", "get post put patch delete head options request stream Client AsyncClient"),
    (_NETWORK, "aiohttp", "ClientSession request"),
    (_NETWORK, "urllib.request", "urlopen urlretrieve build_opener"),
    (_NETWORK, "http.client", "HTTPConnection HTTPSConnection"),
    (_NETWORK, "socket", "socket create_connection create_server getaddrinfo gethostbyname"),
    (_NETWORK, "smtplib", "SMTP SMTP_SSL"),
    (_NETWORK, "boto3", "client resource Session"),
    (_NETWORK, "asyncio", "open_connection open_unix_connection start_server start_unix_server"),
    (_THREADS, "threading", "Thread Timer"),
    (_THREADS, "multiprocessing", "Process Pool"),
    (_THREADS, "concurrent.futures", "ThreadPoolExecutor ProcessPoolExecutor"),
    (_THREADS, "asyncio", "to_thread run_coroutine_threadsafe"),
    (_LOOP, "asyncio", "run new_event_loop Runner"),
    (_PROCESSES, "subprocess", "run call check_call check_output getoutput getstatusoutput Popen"),
    (_PROCESSES, "asyncio", "create_subprocess_exec create_subprocess_shell"),
    (_PROCESSES, "os", "system popen fork forkpty execv execve execvp spawnl spawnv posix_spawn kill"),
)
RULES = {f"{module}.{name}": rule for rule, module, names in _GROUPS for name in names.split()}
"""What is found by its name, as it is called where it comes from."""
METHODS = {"run_in_executor": _THREADS}
"""What is found by the name of the method alone, whoever has it."""
HARMLESS_WITH_ARGUMENTS = {
    "random.Random": 1,
    "time.localtime": 1,
    "time.gmtime": 1,
    "time.ctime": 1,
    "time.asctime": 1,
    "time.strftime": 2,
}
"""What depends on nothing but its arguments once it has so many."""
CODES = sorted({rule.code for rule in (*RULES.values(), *METHODS.values(), SET_ORDER, MODULE_STATE)})
