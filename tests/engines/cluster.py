"""A Spark cluster on this machine, from pyspark's wheel: a master and two workers, standalone, on the loopback.

`python -m tests.engines.cluster` starts one, says how to use it, and stops it at Ctrl-C.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

WORKERS = 2
WORKER_MEMORY = "1g"
# An executor of the default size (1 GB and its overhead) would not fit a worker: the job would wait for ever.
EXECUTOR_MEMORY = "640m"


@contextmanager
def standalone_cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start the cluster, its logs in `folder`; yield the variables that make Tessera use it."""
    port, page = _free_port(), _free_port()
    url = f"spark://127.0.0.1:{port}"
    with ExitStack() as stack:
        address = ("--host", "127.0.0.1", "--port", str(port), "--webui-port", str(page))
        stack.enter_context(_process(folder, "master", "org.apache.spark.deploy.master.Master", *address))
        _wait(page, workers=0)
        for number in range(WORKERS):
            options = ("--host", "127.0.0.1", "--webui-port", "0", "--cores", "1", "--memory", WORKER_MEMORY)
            work = ("--work-dir", str(folder / f"worker-{number}"))
            stack.enter_context(
                _process(folder, f"worker-{number}", "org.apache.spark.deploy.worker.Worker", *options, *work, url)
            )
        _wait(page, workers=WORKERS)
        yield {
            "TESSERA_TARGET": "spark",
            "TESSERA_SPARK_MASTER": url,
            "TESSERA_SPARK_EXECUTOR_MEMORY": EXECUTOR_MEMORY,
            "SPARK_LOCAL_IP": "127.0.0.1",
        }


@contextmanager
def _process(folder: Path, name: str, *command: str) -> Iterator[None]:
    import pyspark

    home = Path(pyspark.__file__).parent
    environment = os.environ | {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen([home / "bin" / "spark-class", *command], env=environment, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(page: int, *, workers: int, seconds: float = 120) -> None:
    """Wait until the master answers and has so many workers; raise TimeoutError otherwise."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{page}/json/", timeout=5) as answer:
                if json.load(answer)["aliveworkers"] >= workers:
                    return
        except OSError:
            pass
        time.sleep(0.5)
    raise TimeoutError(f"the cluster did not have {workers} workers within {seconds} seconds")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, standalone_cluster(Path(name)) as variables:
        print("The cluster runs; in another shell:\n")
        print("    " + " ".join(f"{key}={value}" for key, value in variables.items()) + " tessera run\n\nCtrl-C stops it.")
        try:
            while True:
                time.sleep(60)
        except KeyboardInterrupt:
            pass
