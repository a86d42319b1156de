"""The lab's agent: runs in the guest, does what the host asks over a virtio-serial port.

JSON lines: {"id", "op", ...} in, {"id", ...} out in the order of completion; bytes travel as base64.
Each request has its own thread, so a slow command holds up nobody. Only the guest's stdlib; everything is
imported before the snapshot, as an import after a restore costs the test that waits for it.
"""

import base64
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import traceback
from typing import Any

PORT = "cni-sriov.lab"
KEPT = ("/var/lib/cni", "/var/lib/containers", "/var/lib/containerd")  # of these, what the guest has
IMAGE = ".squashfs"  # of the directory beside it, with the same name
MS_RDONLY, MS_BIND, MS_NODEV = 1, 4096, 4  # linux/mount.h
MNT_DETACH = 2  # sys/mount.h
NETNS = "/run/netns"
LOOP_CTL_GET_FREE, LOOP_CONFIGURE, LO_FLAGS_READ_ONLY = 0x4C82, 0x4C0A, 1  # linux/loop.h
RNDADDENTROPY, RNDRESEEDCRNG = 0x40085203, 0x5207  # linux/random.h
libc = ctypes.CDLL(None, use_errno=True)
Message = dict[str, Any]


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount in this process: /bin/mount costs 0.1 s of every test under emulation."""
    os.makedirs(target, exist_ok=True)
    if libc.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {source} on {target}: {os.strerror(number)}")


def reseed(entropy: bytes) -> None:
    """Give the kernel's RNG fresh entropy and make it use it now: restored twins share their state."""
    with open("/dev/urandom", "wb", buffering=0) as random:
        counted = struct.pack("ii", len(entropy) * 8, len(entropy)) + entropy
        fcntl.ioctl(random, RNDADDENTROPY, counted)
        fcntl.ioctl(random, RNDRESEEDCRNG)


def op_wake(request: Message) -> Message:
    """Make a booted or restored guest a machine of its own: clock, randomness, disk, the host's directory."""
    time.clock_settime(time.CLOCK_REALTIME, request["now"])
    reseed(base64.b64decode(request["entropy"]))
    mount("/dev/vdb", "/mnt/state", "ext4", MS_NODEV)
    for path in filter(os.path.isdir, KEPT):
        kept = f"/mnt/state/{os.path.basename(path)}"
        os.makedirs(kept, exist_ok=True)
        mount(kept, path, "", MS_BIND)
    if request["share"]:
        mount("host", "/mnt/host", "9p", MS_RDONLY, "trans=virtio,version=9p2000.L,msize=512000,cache=loose")
        for name in os.listdir("/mnt/host"):
            if name.endswith(IMAGE):
                mount_image(f"/mnt/host/{name}", f"/mnt/host/{name.removesuffix(IMAGE)}")
    return {}


def mount_image(image: str, target: str) -> None:
    """Over the directory that it was made of: each open, and each look at what is not there, asks the host by 9p."""
    with open("/dev/loop-control") as control:
        device = f"/dev/loop{fcntl.ioctl(control, LOOP_CTL_GET_FREE)}"
    with open(image, "rb") as backing, open(device, "rb") as loop:
        info = struct.pack("QQQQQIIII", 0, 0, 0, 0, 0, 0, 0, 0, LO_FLAGS_READ_ONLY).ljust(232, b"\0")
        config = struct.pack("II", backing.fileno(), 0) + info + bytes(64)
        fcntl.ioctl(loop, LOOP_CONFIGURE, config)
    mount(device, target, "squashfs", MS_RDONLY)


def op_hello(request: Message) -> Message:
    """Answer with what the host checks before it trusts this guest."""
    return {"release": os.uname().release, "interfaces": sorted(os.listdir("/sys/class/net"))}


def op_sleep(request: Message) -> Message:
    """A millisecond on each processor: who asks wants to know whether the timers work."""
    for number in range(os.cpu_count() or 1):
        sleeper = threading.Thread(target=sleep_on, args=(number,))
        sleeper.start()
        sleeper.join()
    return {}


def sleep_on(number: int) -> None:
    os.sched_setaffinity(0, {number})  # of this thread
    time.sleep(0.001)


def op_run(request: Message) -> Message:
    """Run argv or a shell line. Output goes to memory files: a daemon that keeps a pipe open delays nobody."""
    command = request["command"]
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else command
    out, err, given = (os.memfd_create(name) for name in ("out", "err", "in"))
    with (
        os.fdopen(out, "rb") as out_file,
        os.fdopen(err, "rb") as err_file,
        os.fdopen(given, "r+b") as in_file,
    ):
        in_file.write(base64.b64decode(request["input"]))
        in_file.seek(0)
        environment = {**os.environ, **request["env"]}
        try:
            child = subprocess.Popen(
                argv,
                stdin=in_file,
                stdout=out_file,
                stderr=err_file,
                env=environment,
                cwd=request["cwd"],
                start_new_session=True,
            )
        except OSError as problem:
            return {"returncode": 127, "stdout": "", "stderr": encode(f"{problem}\n".encode())}
        timed_out = wait(child, request["timeout"])
        out_file.seek(0)
        err_file.seek(0)
        answer = {"returncode": child.returncode, "timed_out": timed_out}
        return {**answer, "stdout": encode(out_file.read()), "stderr": encode(err_file.read())}


def wait(child: "subprocess.Popen[bytes]", timeout: float) -> bool:
    """Wait for the child; past its time kill it and everything it started. True if that was needed."""
    try:
        child.wait(timeout)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return True
    return False


def op_put(request: Message) -> Message:
    """Write a file whole or not at all."""
    path, content = request["path"], base64.b64decode(request["content"])
    os.makedirs(os.path.dirname(path) or "/", exist_ok=True)
    partial = f"{path}.lab-{request['id']}"
    with open(partial, "wb") as handle:
        os.fchmod(handle.fileno(), request["mode"])
        handle.write(content)
    os.replace(partial, path)
    return {}


def op_get(request: Message) -> Message:
    """Read a file whole."""
    with open(request["path"], "rb") as handle:
        return {"content": encode(handle.read())}


def op_clear(request: Message) -> Message:
    """End every netns that has a name, as `ip netns del` does, let udev settle, and look at links and state files. After
    each test: as shell lines this was ten processes.
    """
    for name in os.listdir(NETNS) if os.path.isdir(NETNS) else ():
        libc.umount2(f"{NETNS}/{name}".encode(), MNT_DETACH)
        with contextlib.suppress(OSError):
            os.unlink(f"{NETNS}/{name}")
    settled = subprocess.run(["udevadm", "settle", "--timeout=45"], check=False).returncode == 0
    links = subprocess.run(["ip", "-j", "-d", "link", "show"], stdout=subprocess.PIPE, check=True).stdout
    files = [
        f"{top}/{name}"
        for directory in request["directories"]
        for top, below, names in os.walk(directory)
        for name in [*names, *(name for name in below if os.path.islink(f"{top}/{name}"))]
    ]
    return {"settled": settled, "links": encode(links), "files": sorted(files)}


def op_shell(request: Message) -> Message:
    """Start a login shell on the second console, for a person."""
    tty = os.open("/dev/hvc0", os.O_RDWR | os.O_NOCTTY)
    size = struct.pack("HHHH", request["rows"], request["columns"], 0, 0)
    fcntl.ioctl(tty, 0x5414, size)  # TIOCSWINSZ, asm-generic/ioctls.h
    argv = ["setsid", "--ctty", "--wait", "bash", "-l"]
    env = {**os.environ, "TERM": request["term"]}
    done = subprocess.run(argv, stdin=tty, stdout=tty, stderr=tty, env=env, cwd="/root", check=False)
    os.close(tty)
    return {"returncode": done.returncode}


OPS = {name[3:]: function for name, function in list(globals().items()) if name.startswith("op_")}


def encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def serve(port: int) -> None:
    """Read lines for ever; a port without a host reads as end of file, so look again a little later."""
    lock = threading.Lock()
    buffered = b""
    while True:
        chunk = os.read(port, 1 << 16)
        if not chunk:
            time.sleep(0.02)
            continue
        *lines, buffered = (buffered + chunk).split(b"\n")
        for line in lines:
            # half a line may be left of a host that went away
            with contextlib.suppress(ValueError):
                request = json.loads(line)
                threading.Thread(target=answer, args=(port, lock, request), daemon=True).start()


def answer(port: int, lock: threading.Lock, request: Message) -> None:
    try:
        reply = OPS[request["op"]](request)
    except Exception as problem:
        reply = {"error": f"{type(problem).__name__}: {problem}", "trace": traceback.format_exc()}
    raw = json.dumps({"id": request.get("id"), **reply}).encode() + b"\n"
    with lock:
        while raw:
            raw = raw[os.write(port, raw) :]


def find_port() -> str:
    """Find the port by the name the host gave it: udev would make the link only on a coldplug."""
    home = "/sys/class/virtio-ports"
    for _ in range(300):
        for name in os.listdir(home) if os.path.isdir(home) else ():
            with open(f"{home}/{name}/name") as handle:
                if handle.read().strip() == PORT:
                    return f"/dev/{name}"
        time.sleep(0.05)
    sys.exit(f"no virtio port {PORT}")


if __name__ == "__main__":
    serve(os.open(find_port(), os.O_RDWR))
