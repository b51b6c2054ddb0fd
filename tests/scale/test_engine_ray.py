"""The Ray engine against a plain loop, with workers that die and addresses that do not answer."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="the extra 'ray' is not installed")

import weaklabel
from weaklabel.engine_local import Failed, Fault
from weaklabel.engine_ray import RayEngine, ray_engine
from weaklabel.errors import RunError, WeaklabelError


def square(number: int) -> int:
    return number * number


def die_once(folder: Path, number: int) -> int:
    """Kills its process the first time it sees an odd number."""
    mark = folder / str(number)
    if number % 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuse(number: int) -> int:
    raise WeaklabelError(f"no {number}")


@pytest.fixture(scope="module")
def engine() -> Iterator[RayEngine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        made = ray_engine(2)
        assert isinstance(made, RayEngine)
        yield made
        made.close()


def test_every_item_comes_back_once(engine: RayEngine) -> None:
    assert sorted(engine.map(square, range(50))) == [(i, i * i) for i in range(50)]


def test_a_killed_worker_loses_nothing(engine: RayEngine, tmp_path: Path) -> None:
    assert sorted(engine.map(partial(die_once, tmp_path), range(6))) == [(i, i) for i in range(6)]


def test_an_item_that_kills_every_worker_is_given_up(engine: RayEngine) -> None:
    results = dict(engine.map(die, range(4)))
    assert isinstance(results.pop(2), Failed)
    assert results == {0: 0, 1: 1, 3: 3}


def test_a_mistake_of_the_user_ends_the_map_in_one_line(engine: RayEngine) -> None:
    with pytest.raises(WeaklabelError, match=r"^no 0$"):
        list(engine.map(refuse, [0]))


def test_an_address_that_does_not_answer_is_one_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RunError, match=rf"127\.0\.0\.1:{port} does not answer"):
        ray_engine(1, address=f"127.0.0.1:{port}")
    with pytest.raises(RunError, match="should be HOST:PORT"):
        ray_engine(1, address="nowhere")


def test_what_answers_but_is_no_ray_is_one_line_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        with pytest.raises(RunError, match=rf"what answers at 127\.0\.0\.1:{port} is no Ray"):
            ray_engine(1, address=f"127.0.0.1:{port}")


def test_faults_are_told(engine: RayEngine) -> None:
    heard: list[Fault] = []
    engine.tell = heard.append
    list(engine.map(die, [1, 2, 3]))
    # the item before it may be lost with the worker, when its answer was still under way
    told = [(fault.item, fault.attempt) for fault in heard if fault.item == 2]
    assert told == [(2, 1), (2, 2), (2, 3)]


def test_another_version_on_a_worker_is_one_line(engine: RayEngine, tmp_path: Path) -> None:
    """The workers of this Ray find a weaklabel of another version before that of the driver."""
    engine.close()
    package = Path(weaklabel.__file__).parent
    shutil.copytree(package, tmp_path / "weaklabel", ignore=shutil.ignore_patterns("*.pyc"))
    text = (package / "__init__.py").read_text()
    assert text.count(f'"{weaklabel.__version__}"') == 1
    other = text.replace(f'"{weaklabel.__version__}"', '"0.0.99"')
    (tmp_path / "weaklabel" / "__init__.py").write_text(other)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        patch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{Path(__file__).parent}")
        made = ray_engine(1)
        try:
            with pytest.raises(RunError) as caught:
                list(made.map(square, [1]))
        finally:
            made.close()
    assert str(caught.value) == (
        f"engine ray: a worker has weaklabel 0.0.99, the driver {weaklabel.__version__}; "
        "install the same everywhere"
    )


def test_a_cluster_that_is_gone_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(RunError, match="does not answer"):
        ray_engine(1, address="auto")
