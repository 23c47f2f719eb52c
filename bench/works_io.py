"""bench/works_io - bytes and idle time: ports, names, logs, memory."""
import glob
import json
import os
import shutil
import statistics
import subprocess
import time

from kit import REGISTRY, Missing, Project, Work, run, service, size_of, sleepers, timed, wait_for
from works import start_podman, stop_podman

LOG_BYTES = 100 << 20
SECONDS = 2
IDLE_SECONDS = 10
TOOLS = "/bench"
WORKERS = 4  # threads of the supervisor's pool (libuv's own number)


def tools(kit):
    return f"{os.path.join(kit.build, 'bench')}:{TOOLS}:ro"


def load(kit, verb, address, port):
    out = json.loads(run([kit.tool("tcp_load"), verb, address, str(port), str(SECONDS)]))
    if not out["per_s"]:
        raise RuntimeError(f"nothing came from {address}:{port}")
    return out["per_s"]


def both_loads(kit, address, port):
    return {"conn_s": load(kit, "connect", address, port),
            "port_mb_s": load(kit, "stream", address, port) / 1e6}


def ports(kit):
    """A published port on 127.0.0.1, the container's own address, and a server without a container."""
    words = [f"{TOOLS}/tcp_load", "serve", "8080"]
    services = [service("web", words, ports=["127.0.0.1:18080:8080"], volumes=[tools(kit)])]
    with Project(kit, "ports", services) as project:
        project.up()
        address = project.address("web")
        plain = subprocess.Popen([kit.tool("tcp_load"), "serve", "18082"], stdin=subprocess.DEVNULL)
        sides = {
            "stack": lambda: both_loads(kit, "127.0.0.1", 18080),
            "its address": lambda: both_loads(kit, address, 8080),
            "no container": lambda: both_loads(kit, "127.0.0.1", 18082),
            "podman": lambda: both_loads(kit, "127.0.0.1", 18081),
        }
        start_podman(kit, "ports", sides, *words,
                     options=("-p", "127.0.0.1:18081:8080", "-v", tools(kit)))
        wait_for(lambda: port_answers(kit, 18080) and port_answers(kit, 18082), step=0.05)
        try:
            yield sides
        finally:
            plain.kill()
            plain.wait()
            stop_podman(kit)


def port_answers(kit, port):
    return subprocess.run([kit.tool("tcp_load"), "connect", "127.0.0.1", str(port), "0.01"], check=False,
                          stdout=subprocess.PIPE).stdout.find(b'"per_s": 0,') < 0


def dns(kit):
    """A container asks for another's name, 32 questions on the way at a time."""
    services = sleepers(9) + [service("asker", ["sleep", "infinity"], volumes=[tools(kit)])]
    with Project(kit, "dns", services) as project:
        project.up()

        def ours():
            out = json.loads(run(project.command("exec", "-T", "asker", f"{TOOLS}/dns_load", "127.0.0.11",
                                                 "s1", str(SECONDS))))
            if out["wrong"]:
                raise RuntimeError(f"{out['wrong']} wrong answers")
            return {"dns_q_s": out["dns_qps"], "dns_lost": out["lost"]}

        yield {"stack": ours}


def made_networks(kit):
    """Ten networks made by hand, one after the other, on the machine's own disk: the whole command. The floor writes and
    syncs a file of that size and makes a bridge with an address, in a static program of its own."""
    root = os.path.join(os.environ["STACK_TEST_DIR"], "networks")  # not on the file in a file of the other works
    os.makedirs(root, exist_ok=True)
    names = [f"bench{i}" for i in range(10)]
    here = dict(os.environ, STACK_ROOT=root)

    def each(command, after):
        took = [timed(command(i, name), env=here) for i, name in enumerate(names)]
        after()
        return {"net_create_ms": statistics.median(took)}

    def floor_gone():
        for name in names:
            run(["ip", "link", "delete", name])

    yield {"stack": lambda: each(lambda _, name: [kit.stack, "network", "create", name],
                                 lambda: run([kit.stack, "network", "rm", *names], env=here)),
           "floor": lambda: each(lambda i, name: [kit.tool("floor_bridge"), root, name, str(i)], floor_gone),
           "stack --version": lambda: each(lambda *_: [kit.stack, "--version"], lambda: None)}


def network(kit):
    """Fifty containers on one network: how long the stage that makes a container's links takes while others do the same
    (attach_stage_ms), and what that is for each, as WORKERS work at a time (attach_each_ms). Beside it fifty without any
    network: what a network costs each container in all, of the wall time of `up` (net_cost_ms)."""
    words = [service(f"s{i}", ["sleep", "infinity"], network_mode="none") for i in range(1, 51)]
    with Project(kit, "network", sleepers(50)) as project, Project(kit, "alone", words) as alone:

        def ours():
            trace = os.path.join(kit.dir, "network.trace")
            took = project.up("--trace", trace)
            with open(trace, encoding="utf-8") as text:
                rows = [json.loads(line.strip().rstrip(",")) for line in text if line.strip().startswith("{")]
            project.down()
            less = alone.up("--trace", trace + ".none")
            alone.down()
            spans = [row["dur"] / 1e3 for row in rows if row.get("name") == "attach-network"]
            return {"attach_each_ms": sum(spans) / len(spans) / WORKERS, "attach_stage_ms": statistics.median(spans),
                    "net_cost_ms": (took - less) / 50}

        yield {"stack": ours}


def hand_made(kit):
    """A server behind a bridge and a veth pair that ip(8) made, against one behind ours: bytes from the host."""
    words = [f"{TOOLS}/tcp_load", "serve", "8080"]
    with Project(kit, "bridge", [service("web", words, volumes=[tools(kit)])]) as project:
        project.up()
        address = project.address("web")
        run(["ip", "netns", "add", "hand"])
        for line in ("link add hand0 type bridge", "address add 10.66.0.1/24 dev hand0", "link set hand0 up",
                     "link add hand1 master hand0 type veth peer name eth0 netns hand", "link set hand1 up",
                     "-n hand address add 10.66.0.2/24 dev eth0", "-n hand link set eth0 up"):
            run(["ip", *line.split()])
        plain = subprocess.Popen(["ip", "netns", "exec", "hand", kit.tool("tcp_load"), "serve", "8080"],
                                 stdin=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            yield {"stack": lambda: {"bridge_mb_s": load(kit, "stream", address, 8080) / 1e6},
                   "by hand": lambda: {"bridge_mb_s": load(kit, "stream", "10.66.0.2", 8080) / 1e6}}
        finally:
            plain.kill()
            plain.wait()
            run(["ip", "link", "delete", "hand0"])
            run(["ip", "netns", "delete", "hand"])


def log_lines(kit):
    path = os.path.join(kit.dir, "lines")
    with open(path, "w", encoding="ascii") as out:
        out.write(("x" * 99 + "\n") * (LOG_BYTES // 100))
    return path


def logs(kit):
    """A container prints 100 MiB in lines of 100 bytes: from its start until its end is known."""
    lines = log_lines(kit)
    words = ["cat", "/lines"]
    with Project(kit, "logs", [service("printer", words, volumes=[f"{lines}:/lines:ro"])]) as project:

        def ours():
            start = time.monotonic()
            project.up()
            wait_for(lambda: any(e["event"] == "die" for e in project.events()), 120, 0.01)
            took = time.monotonic() - start
            check_log(project.inspect("printer")["LogPath"])
            project.down()
            run(["rm", "-rf", os.path.join(os.environ["STACK_ROOT"], "projects", "logs")])
            return {"log_mb_s": LOG_BYTES / 1e6 / took}

        def podman():
            kit.podman.have_image()
            start = time.monotonic()
            kit.podman.run("run", "-d", "--log-driver", "k8s-file", "--name", "l", "-v", f"{lines}:/lines:ro",
                           f"{REGISTRY}/busybox:1", *words)
            kit.podman.run("wait", "l")
            took = time.monotonic() - start
            kit.podman.remove_all()
            return {"log_mb_s": LOG_BYTES / 1e6 / took}

        def floor():
            took = timed(["sh", "-c", f"cat {lines} | cat > {kit.dir}/copy"])
            os.unlink(os.path.join(kit.dir, "copy"))
            return {"log_mb_s": LOG_BYTES / 1e6 / (took / 1e3)}

        yield {"stack": ours, "floor": floor, "podman": podman}


def check_log(path):
    """Rotation may have cut it; what is there must not be nothing."""
    if sum(size_of(p) for p in glob.glob(path + "*")) < 1 << 20:
        raise RuntimeError(f"{path}: hardly anything in the log")


def pss_mb(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rows:
            total += sum(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
    return total / 1024


def switches(pids):
    """How often the processes went to sleep of their own will, all threads of theirs together."""
    total = 0
    for path in (p for pid in pids for p in glob.glob(f"/proc/{pid}/task/*/status")):
        with open(path, encoding="ascii") as rows:
            total += sum(int(row.split()[1]) for row in rows if row.startswith("voluntary_ctxt"))
    return total


def idle(kit):
    """50 sleeping containers: memory of everything that is not in them, and how often it wakes."""

    def of(pids, values):
        if not pids:
            raise RuntimeError("no process was found")
        values.update(idle_mb=pss_mb(pids), idle_procs=len(pids))
        before = switches(pids)
        time.sleep(IDLE_SECONDS)
        values["wakeups_s"] = (switches(pids) - before) / IDLE_SECONDS
        return values

    with Project(kit, "idle", sleepers(50)) as project:

        def ours():
            project.up()
            time.sleep(2)
            values = of(kit.our_pids(), {})
            project.down()
            return values

        def podman():
            kit.podman.have_image()
            kit.podman.many(50)
            time.sleep(2)
            values = of(kit.pids(lambda exe: os.path.basename(exe) == "conmon"), {})
            kit.podman.remove_all()
            return values

        def absent():
            raise Missing("only with FULL=1")

        yield {"stack": ours, "podman": podman if os.environ.get("FULL") else absent}


WORKS = [
    Work("ports", {"conn_s": ("1/s", "more"), "port_mb_s": ("MB/s", "more")}, ports, rounds=5),
    Work("dns", {"dns_q_s": ("1/s", "more"), "dns_lost": ("", "less")}, dns, rounds=3),
    Work("net_create", {"net_create_ms": ("ms", "less")}, made_networks, rounds=5),
    Work("network", {"attach_each_ms": ("ms", "less"), "attach_stage_ms": ("ms", "less"), "net_cost_ms": ("ms", "less")},
         network, rounds=5),
    Work("bridge", {"bridge_mb_s": ("MB/s", "more")}, hand_made, rounds=5),
    Work("logs", {"log_mb_s": ("MB/s", "more")}, logs, rounds=3),
    Work("idle", {"idle_mb": ("MB", "less"), "idle_procs": ("", "less"), "wakeups_s": ("1/s", "less")}, idle,
         rounds=1),
]
