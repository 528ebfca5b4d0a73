"""What the benchmarks share: the machine, the host under test, a lean HTTP client, percentiles and result files."""

import asyncio
import datetime
import json
import os
import pathlib
import platform
import re
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
ACCOUNT = "000000000000"
REGION = "us-east-1"
RATE_LIMITER = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:rate-limiter"


class BenchmarkError(Exception):
    """Ends a benchmark with a sentence instead of a stack trace."""


# ------------------------------------------------------------------ the machine and the results


def _first(path, pattern):
    try:
        match = re.search(pattern, pathlib.Path(path).read_text(), re.MULTILINE)
    except OSError:
        return "unknown"
    return match.group(1).strip() if match else "unknown"


def _output(*command):
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def circumstances():
    """Where, when, of what and how: goes into every result file."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": shlex.join([os.path.relpath(sys.argv[0], ROOT), *sys.argv[1:]]),
        "commit": _output("git", "rev-parse", "HEAD"),
        "changed": bool(_output("git", "status", "--porcelain", "--", "crates", "statemachines", "Cargo.lock")),
        "machine": {
            "cpu": _first("/proc/cpuinfo", r"^model name\s*:\s*(.*)$"),
            "cores": os.cpu_count(),
            "memoryKiB": int(_first("/proc/meminfo", r"^MemTotal:\s*(\d+)") or 0),
            "kernel": platform.release(),
            "architecture": platform.machine(),
        },
        "python": platform.python_version(),
        "rustc": _output("rustc", "--version"),
    }


def write_results(folder, name, document, table):
    """Keeps the raw run and its summary side by side, and prints the summary."""
    folder = pathlib.Path(folder) / "results"
    folder.mkdir(exist_ok=True)
    machine = document["circumstances"]["machine"]
    heading = (
        f"{document['circumstances']['date']}, {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memoryKiB'] // 1024} MiB, commit {document['circumstances']['commit'][:12]}\n\n"
        f"    {document['circumstances']['command']}\n\n"
    )
    # One line for each list of measurements, not for each measurement.
    raw = re.sub(r"\[[\s\d.,-]+\]", lambda numbers: "".join(numbers[0].split()), json.dumps(document, indent=1))
    (folder / f"{name}.json").write_text(raw + "\n")
    (folder / f"{name}.md").write_text(heading + table + "\n")
    print(table)
    print(f"\nkept in {os.path.relpath(folder / name, ROOT)}.json and .md", file=sys.stderr)


def percentile(values, percent):
    """Nearest rank: a value that was really measured."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100) - 1))]


def memory_kib(pid):
    """Resident memory of a process now and at its highest, in KiB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {
        "rss": int(re.search(r"^VmRSS:\s*(\d+)", status, re.MULTILINE).group(1)),
        "peak": int(re.search(r"^VmHWM:\s*(\d+)", status, re.MULTILINE).group(1)),
    }


def table(headings, rows):
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


# ------------------------------------------------------------------ processes


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stop(process):
    """Ends a process group that a benchmark started: asked first, then made to."""
    if process.poll() is None:
        for name, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
            try:
                os.killpg(process.pid, name)
                process.wait(patience)
                return
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


class Host:
    """`sentry-local serve` on a free port, from its start to its end."""

    def __init__(self, binary, *options):
        binary = pathlib.Path(binary)
        if not binary.is_file():
            raise BenchmarkError(f"{binary} does not exist. Build it: cargo build --release -p sentry-local")
        self.port = free_port()
        self.command = [str(binary), "serve", "--port", str(self.port), *map(str, options)]
        self.log = tempfile.TemporaryFile()
        started = time.perf_counter()
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            start_new_session=True,
        )
        try:
            self._await_line(b"listening on", 30)
        except BaseException:
            stop(self.process)
            raise
        self.ready_seconds = time.perf_counter() - started
        os.set_blocking(self.process.stdout.fileno(), True)
        # Its later output is not read, and a full pipe would block it.
        threading.Thread(target=self._drain, daemon=True).start()

    def _await_line(self, text, seconds):
        seen = b""
        descriptor = self.process.stdout.fileno()
        os.set_blocking(descriptor, False)
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            end = time.monotonic() + seconds
            while text not in seen:
                if not selector.select(max(0, end - time.monotonic())):
                    raise BenchmarkError(f"{shlex.join(self.command)} was not ready after {seconds} s")
                chunk = os.read(descriptor, 65536)
                if not chunk:
                    raise BenchmarkError(
                        f"{shlex.join(self.command)} ended with code {self.process.wait(5)}. It said: {self.said()}"
                    )
                seen += chunk

    def _drain(self):
        while self.process.stdout.read(65536):
            pass

    def said(self):
        """The end of what it wrote to stderr."""
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), 2000, max(0, size - 2000)).decode(errors="replace").strip() or "nothing"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"


# ------------------------------------------------------------------ HTTP


class Connection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection, one request at a time, with little work of its own."""

    def __init__(self):
        self.buffer = bytearray()
        self.answer = None
        self.transport = None
        self.head_end = -1
        self.length = None
        self.status = 0

    @classmethod
    async def open(cls, port):
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc):
        if self.answer and not self.answer.done():
            self.answer.set_exception(BenchmarkError(f"the host closed the connection: {exc}"))

    def data_received(self, data):
        self.buffer += data
        if self.head_end < 0:
            self.head_end = self.buffer.find(b"\r\n\r\n")
            if self.head_end < 0:
                return
            head = bytes(self.buffer[: self.head_end]).lower()
            self.status = int(head[9:12])
            at = head.find(b"\r\ncontent-length:")
            self.length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else None
        start = self.head_end + 4
        if self.length is not None:
            if len(self.buffer) < start + self.length:
                return
            body = bytes(self.buffer[start : start + self.length])
        else:
            body = _chunks(self.buffer, start)
            if body is None:
                return
        self.buffer.clear()
        self.head_end = -1
        if not self.answer.done():
            self.answer.set_result((self.status, body))

    async def send(self, request, seconds):
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await asyncio.wait_for(self.answer, seconds)

    def close(self):
        if self.transport:
            self.transport.close()


def _chunks(buffer, position):
    parts = []
    while True:
        line = buffer.find(b"\r\n", position)
        if line < 0:
            return None
        size = int(bytes(buffer[position:line]).split(b";")[0], 16)
        if len(buffer) < line + 4 + size:
            return None
        if size == 0:
            return b"".join(parts)
        parts.append(bytes(buffer[line + 2 : line + 2 + size]))
        position = line + 4 + size


def http(method, path, body=b"", headers=()):
    """The bytes of one request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def aws_json(service, target, version, document):
    """One call of an AWS JSON protocol; the host takes any credentials."""
    scope = f"test/20260101/{REGION}/{service}/aws4_request"
    return http(
        "POST",
        "/",
        json.dumps(document).encode(),
        (
            ("Content-Type", f"application/x-amz-json-{version}"),
            ("X-Amz-Target", target),
            ("X-Amz-Date", "20260101T000000Z"),
            ("Authorization", f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
        ),
    )


def start_sync_execution(request):
    return aws_json(
        "states",
        "AWSStepFunctions.StartSyncExecution",
        "1.0",
        {"stateMachineArn": RATE_LIMITER, "input": json.dumps(request)},
    )


def dynamodb(operation, document):
    return aws_json("dynamodb", f"DynamoDB_20120810.{operation}", "1.0", document)


async def call(connection, request, seconds=30):
    """Sends one request and reads the JSON of the response."""
    status, body = await connection.send(request, seconds)
    if status != 200:
        raise BenchmarkError(f"the host answered HTTP {status}: {body[:500].decode(errors='replace')}")
    return json.loads(body)


def chat(model, text, **inference):
    request = {"modelId": model, "prompt": {"messages": [{"role": "user", "content": text}]}}
    if inference:
        request["inference"] = inference
    return request


def add_host_option(parser):
    parser.add_argument(
        "--host-binary",
        default=os.environ.get("SENTRY_LOCAL", str(ROOT / "target/release/sentry-local")),
        help="the sentry-local to measure (default: target/release/sentry-local, or $SENTRY_LOCAL)",
    )
    parser.add_argument(
        "--name",
        default=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        help="of the result files (default: today)",
    )


def main(run):
    """Runs a benchmark; what goes wrong is one line on stderr."""
    try:
        sys.exit(run())
    except BenchmarkError as error:
        print(f"{os.path.relpath(sys.argv[0], ROOT)}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
