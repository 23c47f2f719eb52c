"""bench/works_pull - images from the loopback's registry into an empty store: time, CPU time, memory."""
import json
import os
import shutil
import subprocess
import time

from kit import LIBC, CLONE_NEWNS, REGISTRY, Work, run
from pull_images import MAKERS, provide

LIMIT_S = 300


def measured(name, command, enter=None):
    """Wall and CPU milliseconds and the peak memory of a command and its children."""
    preexec = (lambda: LIBC.setns(enter, CLONE_NEWNS)) if enter is not None else None
    start = time.monotonic()
    with subprocess.Popen(["timeout", str(LIMIT_S), *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, preexec_fn=preexec) as child:
        errors = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - start
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)[-120:]}: {errors.decode()[-300:]}")
    return {f"{name}_cold": took * 1e3, f"{name}_cpu": (usage.ru_utime + usage.ru_stime) * 1e3,
            f"{name}_mb": usage.ru_maxrss / 1024}


def blobs_of(name):
    """The layers of an image in the registry's own store."""
    text = run(["curl", "-sf", "--max-time", "5", "-H", "Accept: application/vnd.oci.image.manifest.v1+json",
                f"http://{REGISTRY}/v2/{name}/manifests/1"])
    store = os.path.join(os.environ["STACK_TEST_DIR"], "registry/docker/registry/v2/blobs/sha256")
    digests = [layer["digest"].split(":")[1] for layer in json.loads(text)["layers"]]
    return [os.path.join(store, digest[:2], digest, "data") for digest in digests]


def pull(image, name):
    reference = f"{REGISTRY}/{image}:1"

    def prepare(kit):
        if image in MAKERS:
            provide(image, REGISTRY)
        turn = iter(range(10**6))

        def ours(snapshotter):
            folder = os.path.join(kit.dir, f"pull{next(turn)}")
            settings = folder + ".json"
            with open(settings, "w", encoding="ascii") as out:
                json.dump({"images": {"snapshotter": snapshotter}}, out)
            command = [kit.stack, "--root", folder, "--runtime-root", folder + ".run", "--config", settings, "image",
                       "pull", "-q", reference]
            os.sync()
            values = measured(name, command)
            warm = measured(name, command)
            values[f"{name}_warm"] = warm[f"{name}_cold"]
            shutil.rmtree(folder)
            return values

        def podman():
            store = f"pull{next(turn)}"
            command = kit.podman.command("pull", "-q", "--tls-verify=false", reference, store=store)
            os.sync()
            values = measured(name, command, kit.peers_fd)
            values[f"{name}_warm"] = measured(name, command, kit.peers_fd)[f"{name}_cold"]
            run(["umount", "-l", os.path.join(kit.podman.folder, store, "overlay")], check=False,
                enter=kit.peers_fd)
            shutil.rmtree(os.path.join(kit.podman.folder, store), ignore_errors=True)
            return values

        def floor():
            folder = os.path.join(kit.dir, f"floor{next(turn)}")
            os.makedirs(folder)
            os.sync()
            values = measured(name, [kit.tool("floor_pull"), folder, *blobs_of(image)])
            shutil.rmtree(folder)
            return values

        yield {"stack": lambda: ours("auto"), "stack, folders": lambda: ours("dir"), "floor": floor,
               "podman": podman}

    return prepare


def work(image, name, long):
    return Work(name, {f"{name}_cold": ("ms", "less"), f"{name}_warm": ("ms", "less"), f"{name}_cpu": ("ms", "less"),
                       f"{name}_mb": ("MB", "less")}, pull(image, name), rounds=3 if long else 5, long=long)


WORKS = [work("nginx", "pull", False), work("postgres", "postgres", True), work("node", "node", True),
         work("big", "big", True)]
