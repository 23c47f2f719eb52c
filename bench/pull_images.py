"""bench/pull_images - large images for the works of pull, from the files of this machine's /usr.

node: debian, 15,000 small files, large libraries. big: five layers of all kinds, 500 MB as they travel. Made once, as
an OCI layout in the cache of the tests; what is in them differs from machine to machine, so figures of two machines do
not compare (they would not anyway).
"""
import hashlib
import json
import os
import subprocess
import tarfile

from kit import ROOT, run

SMALL_BYTES, SMALL_COUNT = 16 << 10, 15_000
LARGE_BYTES, LARGE_SUM = 1 << 20, 400 << 20
BIG_LAYERS, BIG_LAYER_BYTES = 5, 100 << 20  # compressed
MEMBER_MAX = 64 << 20


def files_of_usr():
    for folder, folders, files in os.walk("/usr"):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path, os.path.getsize(path)


class LayerWriter:
    """A tar of files, compressed by gzip -6 on its way into a layout."""

    def __init__(self, layout):
        self.layout = layout
        self.plain = hashlib.sha256()
        self.temp = os.path.join(layout, "new")
        with open(self.temp, "wb") as out:
            self.gzip = subprocess.Popen(["gzip", "-6", "-n"], stdin=subprocess.PIPE, stdout=out)
        self.tar = tarfile.open(fileobj=self, mode="w|", format=tarfile.PAX_FORMAT)

    def write(self, data):
        self.plain.update(data)
        self.gzip.stdin.write(data)
        return len(data)

    def packed_bytes(self):
        return os.path.getsize(self.temp)

    def add(self, path, size):
        info = tarfile.TarInfo(path.lstrip("/"))
        info.size, info.mtime = size, 1700000000
        info.mode = os.stat(path).st_mode & 0o777
        with open(path, "rb") as data:
            self.tar.addfile(info, data)

    def finish(self):
        self.tar.close()
        self.gzip.stdin.close()
        if self.gzip.wait():
            raise RuntimeError("gzip failed")
        digest = hashlib.sha256()
        with open(self.temp, "rb") as data:
            while piece := data.read(1 << 20):
                digest.update(piece)
        size = os.path.getsize(self.temp)
        os.rename(self.temp, os.path.join(self.layout, "blobs/sha256", digest.hexdigest()))
        return ({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": size,
                 "digest": "sha256:" + digest.hexdigest()}, "sha256:" + self.plain.hexdigest())


def put_json(layout, value, media_type):
    data = json.dumps(value).encode()
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(layout, "blobs/sha256", digest), "wb") as out:
        out.write(data)
    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}


def put_image(layout, layers):
    config = {"os": "linux", "architecture": "amd64", "config": {},
              "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]}}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": put_json(layout, config, "application/vnd.oci.image.config.v1+json"),
                "layers": [descriptor for descriptor, _ in layers]}
    row = put_json(layout, manifest, manifest["mediaType"])
    with open(os.path.join(layout, "oci-layout"), "w", encoding="ascii") as out:
        out.write('{"imageLayoutVersion":"1.0.0"}')
    with open(os.path.join(layout, "index.json"), "w", encoding="ascii") as out:
        json.dump({"schemaVersion": 2, "manifests": [row]}, out)


def make_node(layout):
    base = LayerWriter(layout)
    cache = run([os.path.join(ROOT, "tests/images-build/build"), "--where"]).strip()
    with tarfile.open(os.path.join(cache, "layers/debian.tar")) as archive:
        for info in archive:
            base.tar.addfile(info, archive.extractfile(info) if info.isreg() else None)
    layers = [base.finish()]
    for wanted, limit in ((lambda size: size <= SMALL_BYTES, SMALL_COUNT),
                          (lambda size: LARGE_BYTES <= size <= MEMBER_MAX, LARGE_SUM)):
        writer, done = LayerWriter(layout), 0
        for path, size in files_of_usr():
            if wanted(size) and done < limit:
                writer.add(path, size)
                done += 1 if limit == SMALL_COUNT else size
        layers.append(writer.finish())
    put_image(layout, layers)


def make_big(layout):
    layers, writer = [], LayerWriter(layout)
    for path, size in files_of_usr():
        if size > MEMBER_MAX:
            continue
        writer.add(path, size)
        if writer.packed_bytes() >= BIG_LAYER_BYTES:
            layers.append(writer.finish())
            if len(layers) == BIG_LAYERS:
                break
            writer = LayerWriter(layout)
    else:
        layers.append(writer.finish())
    put_image(layout, layers)


MAKERS = {"node": make_node, "big": make_big}


def provide(name, registry):
    """The image NAME:1 in the registry; made when the cache has none."""
    cache = run([os.path.join(ROOT, "tests/images-build/build"), "--where"]).strip()
    layout = os.path.join(cache, "bench", name)
    if not os.path.exists(os.path.join(layout, "index.json")):
        os.makedirs(os.path.join(layout, "blobs/sha256"), exist_ok=True)
        MAKERS[name](layout)
    run(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}", f"docker://{registry}/{name}:1"])
