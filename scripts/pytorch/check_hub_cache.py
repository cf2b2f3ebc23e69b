"""Check that senet and Python's huggingface_hub share a cache: what either downloads, the other finds offline.

A server on this machine stands in for the hub, with one repository made of a weights file of this project.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scripts.command_line import errors_in_one_line

REPOSITORY = "someone/se"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = {
    "architecture": "seresnet20",
    "num_classes": 10,
    "pretrained_cfg": {
        "input_size": [3, 32, 32],
        "interpolation": "bilinear",
        "crop_pct": 1.0,
        "mean": [0.4914, 0.4822, 0.4465],
        "std": [0.2470, 0.2435, 0.2616],
    },
}

# huggingface_hub reads its environment when it is imported, so each use of it is a program of its own.
DOWNLOAD = """
import sys
from huggingface_hub import hf_hub_download
offline = sys.argv[2] == "offline"
for file in ("config.json", "model.safetensors"):
    print(hf_hub_download(sys.argv[1], file, local_files_only=offline))
"""


@contextmanager
def hub(files: dict[str, bytes]) -> Iterator[str]:
    """The address of a server that answers for `files` as the hub does: the weights lie under another path."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, with_body: bool) -> None:
            name = self.path.rsplit("/", 1)[-1]
            content = files.get(name)
            if content is None:
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            digest = hashlib.sha256(content).hexdigest()
            git_hash = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            is_large = name.endswith(".safetensors")
            self.send_response(200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{digest if is_large else git_hash}"')
            if is_large:
                self.send_header("X-Linked-ETag", f'"{digest}"')
                self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if with_body:
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet: what counts is what the programs say."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(command: list[str], variables: dict[str, str]) -> str:
    """What a program prints; its own words where it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"} | variables
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"`{' '.join(command[:2])}` ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def check(senet: Path, weights: Path, image: Path) -> None:
    """Download with each program into an empty cache, and find the files with the other, offline."""
    files = {"model.safetensors": weights.read_bytes(), "config.json": json.dumps(CONFIG).encode()}
    ours = [str(senet), "classify", "--format", "ndjson", "--weights", f"hf:{REPOSITORY}", str(image)]
    with tempfile.TemporaryDirectory() as folder, hub(files) as address:
        online = {"HF_ENDPOINT": address}
        offline = {"HF_HUB_OFFLINE": "1"}
        python = [sys.executable, "-c", DOWNLOAD, REPOSITORY]
        answers = []
        for first in ("senet", "huggingface_hub"):
            home = {"HF_HOME": str(Path(folder) / first)}
            if first == "senet":
                answers.append(run(ours, home | online))
                paths = run([*python, "offline"], home | offline)
            else:
                paths = run([*python, "online"], home | online)
            # Each finds what is there, whoever has put it there.
            answers.append(run(ours, home | offline))
            for path, name in zip(paths.split(), ("config.json", "model.safetensors"), strict=True):
                if Path(path).read_bytes() != files[name]:
                    raise ValueError(f"{name}, downloaded by {first}, is not what the server has")
                if not Path(path).is_symlink():
                    raise ValueError(f"{name}, downloaded by {first}, is no link to a blob")
            print(f"downloaded by {first}: found offline by both")
        layouts = [layout(Path(folder) / first / "hub") for first in ("senet", "huggingface_hub")]
    if len(set(answers)) != 1:
        raise ValueError(f"the answers differ: {answers}")
    if layouts[0] != layouts[1]:
        raise ValueError(f"the caches differ: {sorted(layouts[0] ^ layouts[1])}")


def layout(cache: Path) -> set[str]:
    """The files of a cache; a tag for backup programs, which only Python writes, is no part of it."""
    return {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file() and path.name != "CACHEDIR.TAG"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--senet", type=Path, default=Path("target/release/senet"), help="the program to check")
    parser.add_argument(
        "--weights", type=Path, default=Path("weights/seresnet20.safetensors"), help="what the repository holds"
    )
    parser.add_argument("--image", type=Path, default=Path("tests/images/photos/cat.jpg"), help="what is classified")
    arguments = parser.parse_args()
    with errors_in_one_line():
        check(arguments.senet, arguments.weights, arguments.image)


if __name__ == "__main__":
    main()
