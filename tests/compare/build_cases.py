"""The Dockerfiles of tests/compare/build: (name, Dockerfile, files, flags). BASE is busybox, DEBIAN debian.

files: (path, text) or (path, text, mode) or (path, ("target",)) for a link.
"""
import io
import tarfile


def archive(mode, **files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            info.mode = 0o640
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


A = ("a.txt", "a\n")
DIRECTORY = (("src/one", "1\n"), ("src/two", "2\n", 0o755), ("src/sub/three", "3\n", 0o600), ("src/link", ("one",)))

CASES = [
    ("env", "FROM BASE\nENV A=1 B=\"two words\" C=three\\ words\nENV D $A\n"),
    ("env-later", "FROM BASE\nENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc\nRUN echo $abc $def $ghi >/x\n"),
    ("arg", "ARG TAG=1\nFROM BASE\nARG ONE=1\nARG TWO\nARG TAG\nRUN echo $ONE $TWO $TAG >/x\n", (),
     ("--build-arg", "TWO=given")),
    ("label", "FROM BASE\nLABEL a=1 b=\"two words\" c.d=e\nLABEL a=2\n"),
    ("expose", "FROM BASE\nEXPOSE 80 443/tcp 53/udp\n"),
    ("volume", "FROM BASE\nVOLUME /one /two\nVOLUME [\"/three\"]\n"),
    ("user", "FROM BASE\nUSER 1:2\nRUN id -u >/tmp/x; id -g >>/tmp/x\n".replace("/tmp/x", "/dev/null")),
    ("workdir", "FROM BASE\nWORKDIR /a\nWORKDIR b/c\nRUN pwd >x\nENV D=/d\nWORKDIR $D/e\n"),
    ("workdir-user", "FROM BASE\nUSER 5\nWORKDIR /made\n"),
    ("cmd", "FROM BASE\nCMD echo one\nCMD [\"echo\", \"two\"]\n"),
    ("entrypoint", "FROM BASE\nCMD [\"a\"]\nENTRYPOINT [\"sh\", \"-c\"]\n"),
    ("entrypoint-shell", "FROM BASE\nENTRYPOINT exec top -b\nCMD [\"x\"]\n"),
    ("stopsignal", "FROM BASE\nSTOPSIGNAL SIGKILL\n"),
    ("shell", "FROM BASE\nSHELL [\"/bin/sh\", \"-xc\"]\nRUN echo x >/x\nCMD echo y\n"),
    ("healthcheck", "FROM BASE\nHEALTHCHECK --interval=3s --timeout=4s --start-period=5s --retries=6 CMD test -e /x\n"),
    ("healthcheck-none", "FROM BASE\nHEALTHCHECK CMD [\"true\"]\nHEALTHCHECK NONE\n"),
    ("onbuild", "FROM BASE\nONBUILD LABEL later=1\nONBUILD ENV LATER=2\n"),
    ("maintainer", "FROM BASE\nMAINTAINER somebody\n"),
    ("run", "FROM BASE\nRUN echo one >/one\nRUN [\"sh\", \"-c\", \"echo two >/two\"]\nRUN true\n"),
    ("run-remove", "FROM BASE\nRUN mkdir /d && echo a >/d/a && echo b >/d/b\nRUN rm /d/a && rm -r /home/ 2>/dev/null; true\n"),
    ("run-replace", "FROM BASE\nRUN mkdir /d && echo a >/d/a\nRUN rm -r /d && mkdir /d && echo c >/d/c\nRUN rm -r /d && echo f >/d\n"),
    ("run-modes", "FROM BASE\nRUN echo x >/x && chmod 4711 /x && chown 3:4 /x && mkdir -m 1777 /t && ln -s x /l && ln /x /h && mkfifo /f\n"),
    ("run-lines", "FROM BASE\nRUN echo a && \\\n    # comment\n    echo b >/b && \\\n\n    echo c >/c\n"),
    ("copy", "FROM BASE\nCOPY a.txt /\nCOPY a.txt /b.txt\nCOPY a.txt /new/folder/\n", (A,)),
    ("copy-folder", "FROM BASE\nCOPY src /dst\nCOPY src/ /dst2/\nCOPY . /all/\n", DIRECTORY),
    ("copy-glob", "FROM BASE\nCOPY src/t* /dst/\nCOPY src/o?e src/two /more/\n", DIRECTORY),
    ("copy-over", "FROM BASE\nRUN mkdir -m 700 /dst && echo old >/dst/one && echo kept >/dst/kept\nCOPY src /dst\n", DIRECTORY),
    ("copy-owner", "FROM BASE\nCOPY --chown=1:2 a.txt /one\nCOPY --chown=nobody src /two\nCOPY --chown=7 a.txt /three\n",
     (A, *DIRECTORY)),
    ("copy-mode", "FROM BASE\nCOPY --chmod=600 a.txt /one\nCOPY --chmod=0750 src /two\n", (A, *DIRECTORY)),
    ("copy-link-destination", "FROM BASE\nRUN mkdir /real && ln -s real /d\nCOPY a.txt /d/\n", (A,)),
    ("copy-workdir", "FROM BASE\nWORKDIR /w\nCOPY a.txt .\nCOPY a.txt sub/\n", (A,)),
    ("copy-json", "FROM BASE\nCOPY [\"with space\", \"/to here\"]\n", (("with space", "x"),)),
    ("ignore", "FROM BASE\nCOPY . /all/\n", (*DIRECTORY, A, (".dockerignore", "# no\nsrc/*\n!src/two\n**/*.txt\nDockerfile\n"))),
    ("add", "FROM BASE\nADD a.txt /\nADD t.tar /tar/\nADD t.tar.gz /gz/\n",
     (A, ("t.tar", archive("w", x="x", y="y")), ("t.tar.gz", archive("w:gz", z="z")))),
    ("stages", "FROM BASE AS one\nRUN echo 1 >/1 && chown 5 /1\nFROM BASE AS two\nRUN echo 2 >/2\nFROM scratch\n"
     "COPY --from=one /1 /\nCOPY --from=1 /2 /\n"),
    ("stage-of-stage", "FROM BASE AS one\nENV A=1\nARG B=2\nRUN echo $B >/b\nWORKDIR /w\nFROM one\nRUN echo $A >/a\nCMD [\"x\"]\n"),
    ("target", "FROM BASE AS one\nRUN echo 1 >/1\nFROM BASE\nRUN exit 1\n", (), ("--target", "one")),
    ("copy-image", "FROM scratch\nCOPY --from=BASE /bin/busybox /busybox\nENTRYPOINT [\"/busybox\"]\n"),
    ("debian-users", "FROM DEBIAN\nRUN groupadd -g 700 g && useradd -u 701 -g g -m u\nCOPY --chown=u:g a.txt /home/u/\nUSER u\n"
     "WORKDIR /home/u\nRUN id -un >who\n", (A,)),
    ("debian-links", "FROM DEBIAN\nRUN mkdir -p /opt/a && cp -a /bin/ls /opt/a/ && ln /opt/a/ls /opt/a/l2 && rm -rf /usr/share/doc\n"
     "COPY a.txt /lib/x/\n", (A,)),
]

# What differs and why: a pattern over "case: line", and the reason.
EXPECTED = [
    (r": file (dev|proc|sys|run|etc|etc/hosts|etc/hostname|etc/resolv.conf): ours None",
     "buildah leaves the places of what it mounts for RUN in the image"),
    (r": history text: ours '(COPY|ADD) .*, buildah '\1 X in ",
     "buildah writes a digest for the sources of COPY and ADD; docker the words of the file, as ours"),
    (r"^(env|env-later|arg|workdir|stage-of-stage): history text: ours '(ENV|ARG|WORKDIR) ",
     "docker's history has the values after expansion, as ours; buildah the words of the file"),
    (r"^expose: history text", "EXPOSE stands in history with its protocol"),
    (r": history text: ours '(CMD|ENTRYPOINT) /bin/sh -x?c ",
     "docker's history has the shell in front of a shell form, as ours"),
    (r"^(workdir|workdir-user): file (d|d/e|made): .* buildah None",
     "buildah makes the folder of WORKDIR when something is written there, docker at once"),
    (r"^(workdir|workdir-user|copy-workdir|stage-of-stage): history layers",
     "WORKDIR that makes its folder is a layer, as with docker; buildah puts the folder into the next one"),
    (r"^(user|run): history layers",
     "a RUN that changes nothing has no layer; buildah makes an empty one"),
    (r"^run: history text: ours 'sh -c ",
     "the exec form stands in history as it was run, as with docker"),
    (r"^shell: ", "buildah 1.28 keeps /bin/sh -c in spite of SHELL"),
    (r"^onbuild: config (Env|Labels|OnBuild)", "`buildah from`, which the comparison needs, runs the triggers"),
]
