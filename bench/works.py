"""bench/works - the life of containers: up, down, recreate, exec, restart, the runtimes, large files."""
import json
import os
import shutil
import time

from engine import PLUGIN, Engine, cached_root
from kit import Missing, Project, Work, cpu_ms, run, service, size_of, sleepers, timed, wait_for

BACKOFF_MS = 100  # of the first restart; up to a tenth more, by chance (orchestrator/service)


def up_down(count):
    """N services that sleep: `up -d` from a cold project, `down -t 0`; cpuN: what all processes of both took."""
    names = (f"up{count}", f"down{count}", f"cpu{count}")

    def prepare(kit):
        with Project(kit, f"up{count}", sleepers(count)) as project, Engine(kit) as engine:

            def ours():
                before = cpu_ms()
                up, down = project.up(), project.down()
                kit.settle()
                return dict(zip(names, (up, down, cpu_ms() - before)))

            def floor(*more):
                before = cpu_ms()
                up, down = kit.floor(count, *more)
                kit.settle()
                return dict(zip(names, (up, down, cpu_ms() - before)))

            def podman():
                if count > 50 or (count > 10 and not os.environ.get("FULL")):
                    raise Missing("50 only with FULL=1, more never: it takes a minute")
                kit.podman.have_image()
                return {f"up{count}": kit.podman.many(count), f"down{count}": kit.podman.remove_all()}

            def compose():
                if count > 50:
                    raise Missing("not with more than 50")
                return dict(zip(names, engine.up_down(project)))

            yield {"stack": ours, "floor": floor, "floor -q": lambda: floor("-q"), "compose": compose, "podman": podman}

    return prepare


def recreate(kit):
    """One of 50 running services gets another environment: `up -d` again."""
    services = sleepers(50)
    with Project(kit, "recreate", services) as project:
        project.up()
        turn = iter(range(10**6))

        def ours():
            services[24] = service("s25", ["sleep", "infinity"], environment={"TURN": str(next(turn))})
            project.write(services)
            return {"recreate": project.up("-t", "0")}

        def nothing():
            return {"recreate": project.up("-t", "0")}

        def floor():
            return {"recreate": sum(kit.floor(1))}

        yield {"stack": ours, "stack, no change": nothing, "floor": floor}


def exec_true(kit):
    """`exec SERVICE true` in a running container."""
    with Project(kit, "exec", sleepers(1)) as project:
        project.up()

        def ours():
            return {"exec": timed(project.command("exec", "-T", "s1", "true"))}

        def version():
            return {"exec": timed([kit.stack, "--version"])}

        def podman():
            return {"exec": kit.podman.timed("exec", "x", "true")}

        sides = {"stack": ours, "stack --version": version, "podman": podman}
        start_podman(kit, "x", sides, "sleep", "infinity")
        yield sides
        stop_podman(kit)


def start_podman(kit, name, sides, *words, options=()):
    """A container of podman's for a work, or the side that says why not."""
    try:
        kit.podman.have_image()
        kit.podman.run("run", "-d", "--name", name, *options, *("127.0.0.1:5000/busybox:1", *words))
    except (Missing, RuntimeError) as error:
        def absent(reason=error):
            raise Missing(str(reason))
        sides["podman"] = absent


def stop_podman(kit):
    if shutil.which("podman"):
        kit.podman.remove_all()


def restart(kit):
    """SIGKILL to a container's program until the program runs again (it adds a byte to a file first)."""
    out = os.path.join(kit.dir, "restart")
    os.makedirs(out, exist_ok=True)
    count = 40
    command = ["sh", "-c", "echo >> /out/$0; exec sleep infinity"]
    services = [service(f"s{i}", command + [f"s{i}"], restart="always", volumes=[f"{out}:/out"])
                for i in range(count)]
    with Project(kit, "restart", services) as project:
        project.up()
        turn = iter(range(count))

        def ours():
            name = f"s{next(turn)}"
            path = os.path.join(out, name)
            wait_for(lambda: size_of(path) == 1)
            pid = project.inspect(name)["State"]["Pid"]
            start = time.monotonic()
            os.kill(pid, 9)
            wait_for(lambda: size_of(path) == 2)
            took = (time.monotonic() - start) * 1e3
            return {"restart": took - BACKOFF_MS}

        def podman():
            path = os.path.join(out, "podman")
            before = size_of(path)
            pid = int(kit.podman.run("inspect", "-f", "{{.State.Pid}}", "r"))
            start = time.monotonic()
            os.kill(pid, 9)
            wait_for(lambda: size_of(path) > before)
            return {"restart": (time.monotonic() - start) * 1e3}

        sides = {"stack": ours, "podman": podman}
        start_podman(kit, "r", sides, *command, "podman",
                     options=("--restart", "always", "-v", f"{out}:/out"))
        yield sides
        stop_podman(kit)


def bundle(kit, args):
    """A folder with config.json as `spec` writes it, without terminal, on the test image's files."""
    folder = os.path.join(kit.dir, "bundle-" + os.path.basename(args[0]))
    if not os.path.isdir(folder):
        os.makedirs(folder)
        run([kit.runtime, "spec"], cwd=folder)
        path = os.path.join(folder, "config.json")
        with open(path, encoding="utf-8") as text:
            config = json.load(text)
        config["ociVersion"] = "1.0.2"  # what the oldest of them takes
        config["process"].update(terminal=False, args=args)
        config["root"] = {"path": kit.rootfs(), "readonly": True}
        with open(path, "w", encoding="utf-8") as text:
            json.dump(config, text)
    return folder


def runtimes(kit):
    """The OCI verbs of ours, crun and runc on the same bundle: create, start, delete; exec."""
    folder = bundle(kit, ["/bin/true"])
    sleeper = bundle(kit, ["/bin/sleep", "infinity"])
    started = []

    def verb(program, *words):
        return timed([program, "--root", os.path.join(kit.dir, "oci-" + os.path.basename(program)), *words],
                     enter=kit.peers_fd)

    def side(program):
        def turn():
            if not shutil.which(program):
                raise Missing(f"{program} is not installed")
            name = "bench-" + os.path.basename(program)
            if program not in started:
                verb(program, "run", "-d", "-b", sleeper, name + "-x")
                started.append(program)
            create = verb(program, "create", "-b", folder, name)
            start = verb(program, "start", name)
            delete = verb(program, "delete", "-f", name)
            return {"rt_create": create, "rt_start": start, "rt_delete": delete,
                    "rt_all": create + start + delete,
                    "rt_exec": verb(program, "exec", name + "-x", "/bin/true")}
        return turn

    yield {"stack": side(kit.runtime), "crun": side("crun"), "runc": side("runc")}
    for program in started:
        verb(program, "delete", "-f", "bench-" + os.path.basename(program) + "-x")


def config(kit):
    """`config -q` of a file with 1,000 services of ten keys each."""
    services = [service(f"s{i}", ["sleep", str(i)], environment={"A": "1", "B": f"${{HOME}}/{i}"},
                        labels={"n": str(i)}, ports=[f"{20000 + i}:80"], mem_limit="64m", restart="always",
                        depends_on=[f"s{i - 1}"] if i else [], healthcheck={"test": "true", "interval": "30s"},
                        volumes=[f"/tmp/{i}:/data"]) for i in range(1000)]
    project = Project(kit, "config", services)

    def side(*words):
        return lambda: {"config1000": timed(project.command("config", *words))}

    def compose():
        try:
            plugin = os.path.join(cached_root(), PLUGIN)
        except RuntimeError as error:
            raise Missing(str(error)) from error
        return {"config1000": timed([plugin, "-f", project.file, "config", "-q"])}

    yield {"stack": side("-q"), "stack, as JSON": side("--format", "json"), "compose": compose}


MS = ("ms", "less")
WORKS = [
    *(Work(f"up{n}", {f"up{n}": MS, f"down{n}": MS, f"cpu{n}": MS}, up_down(n), rounds=r, long=n > 50)
      for n, r in ((1, 9), (10, 7), (50, 5), (200, 3))),
    Work("recreate", {"recreate": MS}, recreate, rounds=7),
    Work("exec", {"exec": MS}, exec_true, rounds=21, warm_up=1),
    Work("restart", {"restart": MS}, restart, rounds=15),
    Work("runtime", {f: MS for f in ("rt_all", "rt_create", "rt_start", "rt_delete", "rt_exec")}, runtimes,
         rounds=21, warm_up=1),
    Work("config1000", {"config1000": MS}, config),
]
