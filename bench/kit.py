"""bench/kit - what all works share: commands with a time limit, a project of ours, podman, the runtimes.

Owns: STACK_TEST_DIR/bench, the registry, the peers' mount namespace. Everything is inside tests/lib/netns.
"""
import concurrent.futures
import contextlib
import ctypes
import glob
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
REGISTRY = "127.0.0.1:5000"
IMAGE = f"{REGISTRY}/busybox:1"
LIMIT_S = 60
SETTLE_S = 0.5
DISK_BYTES = 16 << 30  # a hole, not room
CLONE_NEWNS = 0x00020000
PEERS_VIEW = """
mkdir -p /var/lib/cni && mount -t tmpfs cni /var/lib/cni
if [ "$(stat -f -c %T /sys/fs/cgroup)" = tmpfs ]; then
	view=$(mktemp -d) && mount -t tmpfs -o mode=755 cgroups "$view"
	for group in /sys/fs/cgroup/*; do
		mountpoint -q "$group" && [ "${group##*/}" != unified ] || continue
		mkdir "$view/${group##*/}" && mount --bind "$group" "$view/${group##*/}"
	done
	mount --rbind "$view" /sys/fs/cgroup
	umount -l "$view" && rmdir "$view"
fi
echo ready; exec sleep infinity
"""
LIBC = ctypes.CDLL(None, use_errno=True)


class Missing(Exception):
    """A peer that is not installed, or cannot do the work."""


class Work:
    """One work: its figures {name: (unit, "less" or "more")}, and what prepares its sides."""

    def __init__(self, name, figures, prepare, rounds=5, warm_up=0, long=False):
        self.name = name
        self.figures = figures
        self.prepare = contextlib.contextmanager(prepare)
        self.rounds = rounds
        self.warm_up = warm_up
        self.long = long


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def run(command, check=True, enter=None, **more):
    """Output of a command that must end in LIMIT_S. enter: a mount namespace's descriptor."""
    preexec = (lambda: LIBC.setns(enter, CLONE_NEWNS)) if enter is not None else None
    # Files, not pipes: a container that stays may hold them open.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, preexec_fn=preexec,
                                 **more)
        code = wait_exit(child)
        out.seek(0)
        if check and code:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command)[-120:]}: {code}: {errors.read().strip()[-300:]}")
        return out.read()


def wait_exit(child):
    """By a pidfd: Popen.wait with a time-out looks only every 50 ms."""
    pidfd = os.pidfd_open(child.pid)
    try:
        ready = select.select([pidfd], [], [], LIMIT_S)[0]
    finally:
        os.close(pidfd)
    if not ready:
        child.kill()
        child.wait()
        raise RuntimeError(f"{child.args[0]}: not ended after {LIMIT_S} s")
    return child.wait()


def timed(command, **more):
    """Milliseconds from before the fork until the exit was seen."""
    start = time.monotonic()
    run(command, **more)
    return (time.monotonic() - start) * 1e3


def cpu_ms():
    """CPU time of all processes in our cgroup namespace so far, ended ones too."""
    for path in ("/sys/fs/cgroup/cpuacct/cpuacct.usage", "/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage"):
        if os.path.exists(path):
            with open(path, encoding="ascii") as usage:
                return int(usage.read()) / 1e6
    with open("/sys/fs/cgroup/cpu.stat", encoding="ascii") as stat:
        return next(int(line.split()[1]) for line in stat if line.startswith("usage_usec")) / 1e3


def wait_for(what, seconds=30, step=0.001):
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise RuntimeError("not within the time")
        time.sleep(step)


def size_of(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def version_of(program):
    """The first line that a program says about itself, None when it is not there."""
    if not shutil.which(program):
        return None
    out = run([program, "--version"], check=False).strip().split("\n")
    return out[0] if out else "?"


def service(name, command, **keys):
    """A service in the file's words: lists become JSON, which YAML reads."""
    rows = [f"  {name}:", f"    image: {keys.pop('image', IMAGE)}", f"    command: {json.dumps(command)}"]
    rows += [f"    {key}: {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join(rows)


def sleepers(count, **keys):
    return [service(f"s{i}", ["sleep", "infinity"], **keys) for i in range(1, count + 1)]


class Project:
    """A project of ours in a file of its own; leaving the block takes it down."""

    def __init__(self, kit, name, services):
        self.kit = kit
        self.name = name
        self.file = os.path.join(kit.dir, f"{name}.yml")
        self.write(services)

    def write(self, services):
        with open(self.file, "w", encoding="ascii") as out:
            out.write("services:\n" + "\n".join(services) + "\n")

    def command(self, *words):
        return [self.kit.stack, "-f", self.file, "-p", self.name, "--progress", "quiet", *words]

    def up(self, *more):
        return timed(self.command("up", "-d", *more))

    def down(self):
        return timed(self.command("down", "-t", "0"))

    def inspect(self, service_name):
        out = run(self.command("inspect", f"{self.name}-{service_name}-1"))
        return json.loads(out)[0]

    def address(self, service_name):
        networks = self.inspect(service_name)["NetworkSettings"]["Networks"]
        return next(iter(networks.values()))["IPAddress"]

    def events(self):
        path = os.path.join(os.environ["STACK_ROOT"], "projects", self.name, "events.jsonl")
        with open(path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines if line.endswith("\n")]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        run(self.command("down", "-v", "-t", "0"), check=False)


class Podman:
    """podman with a store, a network folder and state of its own."""

    def __init__(self, kit):
        self.kit = kit
        self.folder = os.path.join(kit.dir, "podman")
        os.makedirs(os.path.join(self.folder, "net"), exist_ok=True)

    def command(self, *words, store="root"):
        if not shutil.which("podman"):
            raise Missing("podman is not installed")
        return ["podman", "--root", os.path.join(self.folder, store), "--runroot",
                os.path.join(self.folder, store + ".run"), "--tmpdir", os.path.join(self.folder, store + ".tmp"),
                "--network-config-dir", os.path.join(self.folder, "net"), "--cgroup-manager", "cgroupfs",
                "--storage-driver", "overlay", "--events-backend", "none", *words]

    def run(self, *words, **more):
        return run(self.command(*words), enter=self.kit.peers_fd, **more)

    def timed(self, *words, store="root"):
        return timed(self.command(*words, store=store), enter=self.kit.peers_fd)

    def have_image(self):
        self.run("pull", "-q", "--tls-verify=false", IMAGE)

    def many(self, count):
        """Starts count containers, two at a time as there are two cores: milliseconds."""
        start = time.monotonic()
        commands = [self.command("run", "-d", "--name", f"s{i}", IMAGE, "sleep", "infinity")
                    for i in range(1, count + 1)]
        self.in_pairs(commands)
        return (time.monotonic() - start) * 1e3

    def in_pairs(self, commands):
        queue = list(commands)

        def worker():
            while queue:
                run(queue.pop(0), enter=self.kit.peers_fd)

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(worker), pool.submit(worker)]:
                done.result()

    def remove_all(self):
        return self.timed("rm", "-f", "-t", "0", "-a")


class Kit:
    """The ground of a run."""

    def __init__(self):
        run([os.path.join(ROOT, "tests/lib/netns"), "--check"])
        self.build = os.environ["STACK_BUILD"]
        self.stack = os.path.join(self.build, "stack")
        self.runtime = os.path.join(self.build, "stack-runtime")
        self.dir = os.path.join(os.environ["STACK_TEST_DIR"], "bench")
        self.peers_fd = None
        self.holder = None
        self.podman = None

    def tool(self, name):
        return os.path.join(self.build, "bench", name)

    def mount_state(self):
        """What is on disk goes to a file system of its own, so that files which others deleted a moment ago do not
        slow ours down (ext4 looks at each of them when it looks for a free inode); what is below /run on a real
        machine is in memory, as it is there."""
        kind = os.environ.get("STATE") or "ext4"
        disk = os.path.join(os.environ["STACK_TEST_DIR"], "disk")
        if kind == "host":
            return
        os.makedirs(disk)
        if kind == "ext4":
            image = os.path.join(os.environ["STACK_TEST_DIR"], "disk.img")
            with open(image, "wb") as out:
                out.truncate(DISK_BYTES)
            run(["mkfs.ext4", "-q", image])
            # Direct: a disk has no second cache below the file system's, nor work for the processors.
            device = run(["losetup", "--find", "--show", "--direct-io=on", image]).strip()
            run(["mount", device, disk])
            run(["losetup", "--detach", device])  # when it is unmounted
        else:
            run(["mount", "-t", "tmpfs", "disk", disk])
        run(["mount", "-t", "tmpfs", "run", os.environ["STACK_RUNTIME_ROOT"]])
        for folder, over in (("lib", os.environ["STACK_ROOT"]), ("bench", self.dir)):
            os.makedirs(os.path.join(disk, folder))
            run(["mount", "--bind", os.path.join(disk, folder), over])

    def open_peers(self):
        """crun of Debian 12 refuses machines where v1 and v2 share the controllers, and podman takes each folder in
        /sys/fs/cgroup for a controller: the peers (and our runtime, where it is compared with them) see a folder
        with the mounted controllers of v1 alone. CNI's books are in memory."""
        self.holder = subprocess.Popen(["unshare", "--mount", "sh", "-c", PEERS_VIEW], stdout=subprocess.PIPE,
                                       stdin=subprocess.DEVNULL)
        if self.holder.stdout.readline() != b"ready\n":
            raise RuntimeError("no mount namespace for the peers")
        self.peers_fd = os.open(f"/proc/{self.holder.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)

    def rootfs(self):
        """The test image's files in a folder, for runtimes that take a bundle."""
        folder = os.path.join(self.dir, "rootfs")
        if not os.path.isdir(folder):
            os.makedirs(folder)
            cache = run([os.path.join(ROOT, "tests/images-build/build"), "--where"]).strip()
            run(["tar", "-xf", os.path.join(cache, "layers/busybox.tar"), "-C", folder])
        return folder

    def floor(self, count, *more):
        out = json.loads(run([self.tool("floor"), "-n", str(count), "-d", self.dir, *more]))
        return out["up_ms"], out["down_ms"]

    def pids(self, wanted):
        """Processes whose program wanted() knows by its path."""
        found = []
        for link in glob.glob("/proc/[0-9]*/exe"):
            with contextlib.suppress(OSError):
                path = os.readlink(link)
                if path == "/":  # a view of one file has no path: its name then
                    with open(os.path.dirname(link) + "/comm") as comm:
                        path = self.build + "/" + comm.read().strip()
                if wanted(path):
                    found.append(int(link.split("/")[2]))
        return found

    def our_pids(self):
        return self.pids(lambda exe: exe.startswith(self.build + "/stack") or "memfd:stack" in exe)

    def settle(self):
        """Between sides: our processes have ended (a monitor's child lets go of the layer half a second later), and
        the kernel has had a moment for namespaces that nobody holds any more."""
        wait_for(lambda: not self.our_pids(), seconds=10, step=0.05)
        time.sleep(SETTLE_S)

    def __enter__(self):
        os.makedirs(self.dir)
        self.mount_state()
        run([os.path.join(ROOT, "tests/lib/registry"), "start"])
        run([self.stack, "image", "pull", "-q", IMAGE])
        self.open_peers()
        self.podman = Podman(self)
        return self

    def __exit__(self, *_):
        if shutil.which("podman"):
            run(self.podman.command("rm", "-f", "-t", "0", "-a"), check=False, enter=self.peers_fd)
        os.close(self.peers_fd)
        self.holder.send_signal(signal.SIGKILL)
        self.holder.wait()
        run([os.path.join(ROOT, "tests/lib/registry"), "stop"])
