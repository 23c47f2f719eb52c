#!/usr/bin/env python3
"""Images with everything that a tar may hold, in every form in which layers travel, and trees as comparable lines.

usage: interop.py make LAYOUT       an OCI layout with the tags below
       interop.py list DIR|TAR      one line an entry: path type mode owner mtime link digest attributes

Tags: odd (gzip), plain (no compression), members (gzip of several members), zstd, chunked (zstd frames and a table of
contents in a skippable frame), attested (an index with an attestation), deep (127 layers). Left out, as podman 4.3 has
other results there: times before 1970 (it takes 1970), links whose entry says another owner than the file's.
"""
import gzip
import hashlib
import io
import json
import os
import stat
import struct
import subprocess
import sys
import tarfile

OCI = "application/vnd.oci.image."
CAPABILITY = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
DEEP = 127


# ---- layers ----

def tar_of(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, more in entries:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.mode = more.get("mode", 0o755 if kind == tarfile.DIRTYPE else 0o644)
            info.uid, info.gid = more.get("owner", (0, 0))
            info.linkname = more.get("link", "")
            info.devmajor, info.devminor = more.get("device", (0, 0))
            info.pax_headers = {"mtime": more.get("mtime", "1700000000.123456789")}
            for key, value in more.get("xattrs", {}).items():
                info.pax_headers["SCHILY.xattr." + key] = value.decode("utf-8", "surrogateescape")
            data = more.get("data", b"")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def folder(name, **more):
    return (name, tarfile.DIRTYPE, more)


def plain(name, data=b"", **more):
    return (name, tarfile.REGTYPE, {"data": data, **more})


def other(name, kind, **more):
    return (name, kind, more)


def odd_layers():
    long_name = "deep/" + "n" * 200
    first = [
        folder("./"), folder("etc/"), folder("tmp/", mode=0o1777), folder("secret/", mode=0o700, owner=(5, 6)),
        folder("deep/"), folder("opaque/"), folder("dev/"),
        plain("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"), plain("etc/gone", b"gone\n"),
        plain("etc/was-file", b"file\n"), plain("etc/old", b"old\n", mtime="0.5"),
        plain("setuid", b"x" * 5000, mode=0o4755), plain("setgid", b"y", mode=0o2750, owner=(1000, 100000)),
        plain("capable", b"cap\n", mode=0o755, xattrs={"security.capability": CAPABILITY}),
        plain("noted", b"", xattrs={"user.note": b"hello=world\n"}),
        plain("big", bytes(range(256)) * 4096), plain("zeros", bytes(1 << 20)),
        plain(long_name, b"long\n"), plain("deep/\u00fcml\u00e4ut \n tab\t", b"odd name\n"),
        plain("secret/one", b"linked\n", owner=(7, 8)),
        other("secret/two", tarfile.LNKTYPE, link="secret/one", owner=(7, 8)),
        other("three", tarfile.LNKTYPE, link="secret/one", owner=(7, 8)),
        other("absolute", tarfile.SYMTYPE, link="/etc/passwd"), other("dangling", tarfile.SYMTYPE, link="../../nowhere"),
        other("etc/link", tarfile.SYMTYPE, link="../tmp", owner=(9, 9), mtime="1600000000.000000001"),
        other("pipe", tarfile.FIFOTYPE, mode=0o600), other("dev/null", tarfile.CHRTYPE, device=(1, 3), mode=0o666),
        other("dev/disk", tarfile.BLKTYPE, device=(7, 300), mode=0o660),
        plain("opaque/below", b"below\n"),
    ]
    second = [
        folder("./"), folder("etc/"), plain("etc/.wh.gone"), folder("etc/was-file/"), plain("etc/was-file/in", b"in\n"),
        folder("opaque/"), plain("opaque/.wh..wh..opq"), plain("opaque/above", b"above\n"),
        other("big", tarfile.SYMTYPE, link="zeros"), folder("tmp/", mode=0o1770, owner=(1, 1)),
    ]
    third = [
        folder("./"), folder("etc/", mtime="1650000000.5"), plain("etc/gone", b"back\n"), plain("etc/passwd", b"", mode=0o600),
    ]
    return [tar_of(layer) for layer in (first, second, third)]


def deep_layers():
    return [tar_of([folder("./"), folder("d/"), plain(f"d/{i}", b"%d\n" % i), plain("d/last", b"%d\n" % i)])
            for i in range(DEEP)]


# ---- forms ----

def by_zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def pieces(data, size=100_000):
    return [data[at:at + size] for at in range(0, len(data), size)]


def members(data):
    return b"".join(gzip.compress(piece, 6, mtime=0) for piece in pieces(data))


def chunked(data):
    toc = by_zstd(b'{"version":1,"entries":[]}')
    frames = b"".join(by_zstd(piece) for piece in pieces(data))
    return frames + struct.pack("<II", 0x184D2A50, len(toc)) + toc


FORMS = {
    "odd": ("layer.v1.tar+gzip", lambda data: gzip.compress(data, 6, mtime=0)),
    "plain": ("layer.v1.tar", lambda data: data),
    "members": ("layer.v1.tar+gzip", members),
    "zstd": ("layer.v1.tar+zstd", by_zstd),
    "chunked": ("layer.v1.tar+zstd", chunked),
}


class Layout:
    def __init__(self, path):
        self.path = path
        os.makedirs(os.path.join(path, "blobs/sha256"))
        self.rows = []

    def put(self, data, kind):
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(self.path, "blobs/sha256", digest), "wb") as out:
            out.write(data)
        return {"mediaType": kind, "digest": "sha256:" + digest, "size": len(data)}

    def put_json(self, value, kind):
        return self.put(json.dumps(value).encode(), kind)

    def image(self, tars, kind, pack):
        config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/setuid"], "Env": ["A=b"]},
                  "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(t).hexdigest() for t in tars]}}
        manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                    "config": self.put_json(config, OCI + "config.v1+json"),
                    "layers": [self.put(pack(tar), OCI + kind) for tar in tars]}
        return self.put_json(manifest, manifest["mediaType"])

    def tag(self, name, row):
        self.rows.append({**row, "annotations": {"org.opencontainers.image.ref.name": name}})

    def finish(self):
        with open(os.path.join(self.path, "oci-layout"), "w", encoding="ascii") as out:
            out.write('{"imageLayoutVersion":"1.0.0"}')
        with open(os.path.join(self.path, "index.json"), "w", encoding="ascii") as out:
            json.dump({"schemaVersion": 2, "manifests": self.rows}, out)


def make(path):
    layout, tars = Layout(path), odd_layers()
    for name, (kind, pack) in FORMS.items():
        layout.tag(name, layout.image(tars, kind, pack))
    image = {**layout.image(tars, *FORMS["odd"]), "platform": {"os": "linux", "architecture": "amd64"}}
    statement = layout.put_json({"_type": "https://in-toto.io/Statement/v0.1"}, "application/vnd.in-toto+json")
    attestation = layout.put_json(
        {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "layers": [statement],
         "config": layout.put_json({"architecture": "unknown", "os": "unknown"}, OCI + "config.v1+json")},
        OCI + "manifest.v1+json")
    attestation.update(platform={"os": "unknown", "architecture": "unknown"}, annotations={
        "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image["digest"]})
    index = layout.put_json({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [attestation, image]},
                            OCI + "index.v1+json")
    layout.tag("attested", index)
    layout.tag("deep", layout.image(deep_layers(), *FORMS["odd"]))
    layout.finish()


# ---- trees ----

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo", stat.S_IFCHR: "char",
         stat.S_IFBLK: "block"}
TAR_TYPES = {tarfile.REGTYPE: "file", tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "link", tarfile.FIFOTYPE: "fifo",
             tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block"}


def is_kept(key):
    return key.startswith("user.") or key == "security.capability"


def line(path, kind, mode, owner, mtime_ns, device, link, digest, xattrs, leader):
    if path == ".":
        mode = mtime_ns = 0  # podman makes roots of its own: 0555, now
    return "\t".join([repr(path), kind, oct(mode if kind != "link" else 0o777), "%d:%d" % owner, str(mtime_ns), device,
                      repr(link), digest, repr(sorted(xattrs.items())), repr(leader)])


def list_folder(top):
    groups, rows = {}, []
    paths = ["."]
    for root, folders, files in os.walk(top):
        paths += [os.path.relpath(os.path.join(root, name), top) for name in folders + files]
    for path in sorted(paths):
        full = os.path.join(top, path)
        st = os.lstat(full)
        kind = TYPES[stat.S_IFMT(st.st_mode)]
        digest = ""
        if kind == "file":
            with open(full, "rb") as data:
                digest = hashlib.sha256(data.read()).hexdigest()
        xattrs = {key: os.getxattr(full, key, follow_symlinks=False)
                  for key in os.listxattr(full, follow_symlinks=False) if is_kept(key)}
        leader = groups.setdefault((st.st_dev, st.st_ino), path) if st.st_nlink > 1 and kind != "dir" else path
        device = f"{os.major(st.st_rdev)}:{os.minor(st.st_rdev)}" if kind in ("char", "block") else ""
        rows.append(line(path, kind, stat.S_IMODE(st.st_mode), (st.st_uid, st.st_gid), st.st_mtime_ns, device,
                         os.readlink(full) if kind == "link" else "", digest, xattrs, leader))
    return rows


def ns_of(info):
    text = info.pax_headers.get("mtime", str(int(info.mtime)))
    whole, _, part = text.partition(".")
    ns = int(part.ljust(9, "0")[:9] or 0)
    return int(whole) * 10**9 + (-ns if text.startswith("-") else ns)


def list_tar(path):
    rows, own, groups = [], {}, {}
    with tarfile.open(path, errors="surrogateescape") as tar:
        for info in tar:
            name = os.path.normpath(info.name)
            if info.islnk():
                target = os.path.normpath(info.linkname)
                groups.setdefault(target, [target]).append(name)
                continue
            digest = hashlib.sha256(tar.extractfile(info).read()).hexdigest() if info.isreg() else ""
            kind = TAR_TYPES[tarfile.REGTYPE if info.isreg() else info.type]
            xattrs = {key[len("SCHILY.xattr."):]: value.encode("utf-8", "surrogateescape")
                      for key, value in info.pax_headers.items() if key.startswith("SCHILY.xattr.")}
            device = f"{info.devmajor}:{info.devminor}" if kind in ("char", "block") else ""
            own[name] = (kind, info.mode & 0o7777, (info.uid, info.gid), ns_of(info), device,
                         info.linkname if kind == "link" else "", digest,
                         {key: value for key, value in xattrs.items() if is_kept(key)})
    for name, facts in own.items():
        group = sorted(groups.get(name, [name]))
        rows += [(member, line(member, *facts, group[0])) for member in group]
    return [text for _, text in sorted(rows)]


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("make", "list"):
        sys.exit(__doc__)
    if sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        rows = list_folder(sys.argv[2]) if os.path.isdir(sys.argv[2]) else list_tar(sys.argv[2])
        print("\n".join(rows))


if __name__ == "__main__":
    main()
