"""bench/works_build - Dockerfiles to images: ten steps cold and cached, a large context with one change."""
import os
import shutil

from kit import IMAGE, Missing, Work, run, timed

TEN_STEPS = f"""FROM {IMAGE}
ENV WORD=bench
RUN mkdir /made && echo $WORD >/made/one
RUN i=0; while [ $i -lt 50 ]; do echo $i >/made/$i; i=$((i+1)); done
COPY a.txt /files/
RUN cat /files/a.txt >/made/copy && rm /made/1
COPY folder /files/folder
WORKDIR /files
RUN ls -R . >/made/list
CMD ["cat", "/made/list"]
"""
MANY_FILES = 20_000
FOLDERS = 100


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as out:
        out.write(text)


def ten_steps(kit):
    folder = os.path.join(kit.dir, "ten")
    write(f"{folder}/Dockerfile", TEN_STEPS)
    write(f"{folder}/a.txt", "text\n")
    for i in range(10):
        write(f"{folder}/folder/{i}", f"{i}\n")
    return folder


class Buildah:
    """A store of its own; RUN has the host's network, so that none has to be set up."""

    def __init__(self, kit):
        if not shutil.which("buildah"):
            raise Missing("buildah is not installed")
        self.kit = kit
        self.base = ["buildah", "--root", f"{kit.dir}/buildah", "--runroot", f"{kit.dir}/buildah.run",
                     "--storage-driver", "overlay"]

    def build(self, folder, *flags):
        return timed([*self.base, "bud", "--layers", "-q", "--network", "host", "--runtime", "runc",
                      "--tls-verify=false", "-t", "bench",
                      *flags, folder], enter=self.kit.peers_fd)


def ours_of(kit, folder):
    command = [kit.stack, "--progress", "quiet", "image", "build", "-t", "bench"]
    return lambda *flags: timed([*command, *flags, folder])


def sides_of(kit, folder, measure):
    """measure(build) -> figures; the first build of a side, which pulls, is done before."""
    def side(build):
        return lambda: measure(build)

    ours = ours_of(kit, folder)
    ours()
    sides = {"stack": side(ours)}
    try:
        peer = Buildah(kit)
    except Missing as reason:
        def absent(why=reason):
            raise why
        sides["buildah"] = absent
        return sides

    def theirs(*flags):
        return peer.build(folder, *flags)

    theirs()
    sides["buildah"] = side(theirs)
    return sides


def cold_and_cached(kit):
    yield sides_of(kit, ten_steps(kit),
                   lambda build: {"build_cold": build("--no-cache"), "build_cached": build()})


def one_change(kit):
    folder = os.path.join(kit.dir, "many")
    write(f"{folder}/Dockerfile", f"FROM {IMAGE}\nCOPY src /src\n")
    for i in range(MANY_FILES):
        write(f"{folder}/src/{i % FOLDERS}/{i}", f"{i}\n")
    run(["touch", "-d", "2026-01-01", *(f"{folder}/src/{i}" for i in range(FOLDERS))])
    turn = iter(range(10**6))

    def measure(build):
        unchanged = build()
        write(f"{folder}/src/0/0", f"changed {next(turn)}\n")
        return {"build_same20k": unchanged, "build_one20k": build()}

    yield sides_of(kit, folder, measure)


MS = ("ms", "less")
WORKS = [
    Work("build", {"build_cold": MS, "build_cached": MS}, cold_and_cached, rounds=7),
    Work("build_files", {"build_same20k": MS, "build_one20k": MS}, one_change, rounds=5),
]
