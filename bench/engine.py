"""bench/engine - docker compose with an engine of its own, of Debian sid's packages (tests/compare/docker-root).

Owns: containerd, dockerd and their folders below STACK_TEST_DIR/bench/docker; they live in the peers' mount
namespace. Nothing is installed.
"""
import os
import shutil
import signal
import subprocess
import time

from kit import IMAGE, LIBC, CLONE_NEWNS, REGISTRY, ROOT, Missing, cpu_ms, run, timed

PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"
START_S = 60
STOP_S = 20


def cached_root():
    """The folder of the packages; RuntimeError when they were not fetched."""
    return run([os.path.join(ROOT, "tests/compare/docker-root"), "--cached"]).strip()


def versions():
    """Of docker compose and its engine, {} when they are not here."""
    try:
        root = cached_root()
        compose = run([os.path.join(root, PLUGIN), "version", "--short"]).strip()
        engine = run([os.path.join(root, "usr/sbin/dockerd"), "--version"]).strip()
    except (OSError, RuntimeError):
        return {}
    return {"compose": f"docker compose {compose}", "dockerd": engine}


class Engine:
    """Started by the first who needs it; with it, a work's block stops it."""

    def __init__(self, kit):
        self.kit = kit
        self.folder = os.path.join(kit.dir, "docker")
        self.root = self.env = self.reason = None
        self.processes = []

    def need(self):
        """A failure is remembered, so that it is told once."""
        if self.reason:
            raise Missing(self.reason)
        if self.processes:
            return
        try:
            self.start()
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            self.stop()
            self.reason = f"docker compose cannot be had here: {error}"
            raise Missing(self.reason) from error

    def start(self):
        self.root = cached_root()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.env = dict(os.environ, PATH=f"{self.root}/usr/bin:{self.root}/usr/sbin:" + os.environ["PATH"],
                        DOCKER_HOST="unix://" + self.path("docker.sock"), HOME=self.folder)
        self.spawn("usr/bin/containerd", "--root", self.path("containerd"), "--state", self.path("containerd.run"),
                   "--address", self.path("containerd.sock"))
        self.spawn("usr/sbin/dockerd", "--containerd", self.path("containerd.sock"), "--data-root", self.path("data"),
                   "--exec-root", self.path("exec"), "--pidfile", self.path("pid"), "-H", self.env["DOCKER_HOST"],
                   "--iptables=false", "--ip6tables=false", "--userland-proxy=false", "--ip-masq=false",
                   "--insecure-registry", REGISTRY)
        end = time.monotonic() + START_S
        while not self.request("GET", "/_ping"):
            if time.monotonic() > end or any(p.poll() is not None for p in self.processes):
                raise RuntimeError("its engine does not start: " + self.last_words())
            time.sleep(0.2)
        if not self.request("POST", f"/images/create?fromImage={IMAGE}"):
            raise RuntimeError("its engine cannot pull: " + self.last_words())

    def path(self, name):
        return os.path.join(self.folder, name)

    def last_words(self):
        with open(self.path("dockerd.log"), encoding="utf-8", errors="replace") as log:
            return log.read().strip()[-200:]

    def spawn(self, program, *words):
        with open(self.path(os.path.basename(program) + ".log"), "wb") as log:
            self.processes.append(subprocess.Popen(
                [os.path.join(self.root, program), *words], env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, preexec_fn=lambda: LIBC.setns(self.kit.peers_fd, CLONE_NEWNS)))

    def request(self, method, path):
        return subprocess.run(["curl", "-sf", "--max-time", "60", "--unix-socket", self.path("docker.sock"),
                               "-X", method, "http://x" + path], stdout=subprocess.DEVNULL,
                              check=False).returncode == 0

    def up_down(self, project):
        """Milliseconds of `up -d` and `down -t 0` on the file of a project of ours, and CPU time of all of it."""
        self.need()
        before = cpu_ms()
        up = self.compose(project, "up", "-d")
        down = self.compose(project, "down", "-t", "0")
        return up, down, cpu_ms() - before

    def compose(self, project, *words):
        return timed([os.path.join(self.root, PLUGIN), "-f", project.file, "-p", project.name, "--progress", "quiet", *words], env=self.env)

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
