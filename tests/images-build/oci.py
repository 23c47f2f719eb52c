#!/usr/bin/env python3
"""Layers and OCI layouts for the test images, from folders that an overlay's upper side left.

usage: oci.py layer FOLDER OUT.tar             a folder as a layer; overlay whiteouts become .wh. entries
       oci.py image LAYOUT TAG CONFIG LAYER... an image in an OCI layout (made when absent)
"""
import gzip
import hashlib
import json
import os
import stat
import sys
import tarfile

MTIME = 1700000000  # one time for all: the same input gives the same digests


def entry(archive, folder, path, links):
    name = os.path.relpath(path, folder)
    status = os.lstat(path)
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        info = tarfile.TarInfo(os.path.join(os.path.dirname(name), ".wh." + os.path.basename(name)))
        info.mtime = MTIME
        archive.addfile(info)
        return
    info = archive.gettarinfo(path, arcname=name)
    if info is None:  # a socket
        return
    info.mtime = MTIME
    info.uname = info.gname = ""
    if info.isreg() and status.st_nlink > 1:
        first = links.setdefault(status.st_ino, name)
        if first != name:
            info.type, info.linkname, info.size = tarfile.LNKTYPE, first, 0
        else:
            info.type, info.size = tarfile.REGTYPE, status.st_size
    for key in os.listxattr(path, follow_symlinks=False):
        if key == "security.capability":
            value = os.getxattr(path, key, follow_symlinks=False)
            info.pax_headers["SCHILY.xattr." + key] = value.decode("utf-8", "surrogateescape")
    if info.isreg():
        with open(path, "rb") as data:
            archive.addfile(info, data)
    else:
        archive.addfile(info)
    if info.isdir() and "trusted.overlay.opaque" in os.listxattr(path):
        opaque = tarfile.TarInfo(os.path.join(name, ".wh..wh..opq"))
        opaque.mtime = MTIME
        archive.addfile(opaque)


def layer(folder, out):
    links = {}
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as archive:
        archive.inodes = {}
        for root, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted(folders + files):
                path = os.path.join(root, name)
                archive.inodes = {}  # links are ours, above
                entry(archive, folder, path, links)


def blob(layout, data):
    digest = hashlib.sha256(data).hexdigest()
    path = os.path.join(layout, "blobs/sha256", digest)
    if not os.path.exists(path):
        with open(path + ".new", "wb") as out:
            out.write(data)
        os.rename(path + ".new", path)
    return {"digest": "sha256:" + digest, "size": len(data)}


def compressed(layout, path):
    """The layer's descriptor and its diff id; a second image with the same layer does not compress again."""
    with open(path, "rb") as data:
        plain = data.read()
    diff_id = "sha256:" + hashlib.sha256(plain).hexdigest()
    note = path + ".gz.json"
    if os.path.exists(note):
        with open(note, encoding="ascii") as known:
            memo = json.load(known)
        if memo["diff_id"] == diff_id and os.path.exists(
            os.path.join(layout, "blobs/sha256", memo["descriptor"]["digest"][7:])
        ):
            return memo["descriptor"], diff_id
    descriptor = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}
    descriptor.update(blob(layout, gzip.compress(plain, compresslevel=5, mtime=0)))
    with open(note, "w", encoding="ascii") as out:
        json.dump({"diff_id": diff_id, "descriptor": descriptor}, out)
    return descriptor, diff_id


def image(layout, tag, config_path, layers):
    os.makedirs(os.path.join(layout, "blobs/sha256"), exist_ok=True)
    with open(config_path, encoding="utf-8") as text:
        config = {"config": json.load(text)}
    config.update(architecture="amd64", os="linux", created="2023-11-14T22:13:20Z")
    pairs = [compressed(layout, path) for path in layers]
    config["rootfs"] = {"type": "layers", "diff_ids": [diff_id for _, diff_id in pairs]}
    config["history"] = [
        {"created": config["created"], "created_by": os.path.basename(path)} for path in layers
    ]
    descriptor = {"mediaType": "application/vnd.oci.image.config.v1+json"}
    descriptor.update(blob(layout, json.dumps(config, sort_keys=True).encode()))
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor,
        "layers": [descriptor for descriptor, _ in pairs],
    }
    row = {"mediaType": manifest["mediaType"]}
    row.update(blob(layout, json.dumps(manifest, sort_keys=True).encode()))
    row["annotations"] = {"org.opencontainers.image.ref.name": tag}
    index_path = os.path.join(layout, "index.json")
    index = {"schemaVersion": 2, "manifests": []}
    if os.path.exists(index_path):
        with open(index_path, encoding="ascii") as text:
            index = json.load(text)
    index["manifests"] = [
        other
        for other in index["manifests"]
        if other["annotations"]["org.opencontainers.image.ref.name"] != tag
    ] + [row]
    with open(os.path.join(layout, "oci-layout"), "w", encoding="ascii") as out:
        out.write('{"imageLayoutVersion":"1.0.0"}')
    with open(index_path, "w", encoding="ascii") as out:
        json.dump(index, out)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "layer":
        layer(sys.argv[2], sys.argv[3])
    elif len(sys.argv) > 5 and sys.argv[1] == "image":
        image(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
    else:
        sys.exit(__doc__)
