"""The pool of workers: hostile files kill at most the worker that looks at them, and every file is answered."""

import io
import os
import random
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from PIL import Image

from media_mutants import mutants, seeds
from media_photos import photo
from underwing.media.hashing import exact_hashes, look, look_to_bank
from underwing.media.pool import Pool
from underwing.media.workers import Bounds
from underwing.model.media import MediaHashes

MUTANTS = 400


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


GOOD = encoded(Image.fromarray(photo("china")), "JPEG")


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(2) as made:
        yield made


def test_it_answers_as_one_would_without_it(pool: Pool) -> None:
    assert pool.look(GOOD) == look(GOOD)
    assert pool.look(GOOD, "full") == look(GOOD, "full-1")
    assert pool.look(GOOD, "bank") == look_to_bank(GOOD)
    assert pool.look(b"") == look(b"")


def test_many_threads_get_their_own_answers(pool: Pool) -> None:
    files = [encoded(Image.fromarray(photo("china")).rotate(7 * n), "JPEG") for n in range(8)]
    answers: dict[int, MediaHashes] = {}
    threads = [
        threading.Thread(target=lambda n=n: answers.update({n: pool.look(files[n])}))
        for n in range(len(files))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answers[n].sha256 for n in range(len(files))] == [exact_hashes(data).sha256 for data in files]


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA"])
def test_a_bomb_within_the_bound_of_pixels_is_answered_within_the_bound_of_memory(
    pool: Pool, mode: str
) -> None:
    deaths = pool.deaths
    bomb = encoded(Image.new(mode, (6_500, 6_500)), "PNG")
    assert len(bomb) < 250_000
    found = pool.look(bomb)
    assert found.sha256 == exact_hashes(bomb).sha256
    assert found.error is None
    assert pool.deaths == deaths
    assert pool.look(GOOD).error is None


def test_mutated_files_are_each_answered(pool: Pool) -> None:
    files = list(mutants(random.Random(20), MUTANTS))
    futures = [pool.submit(data) for data in files]
    for data, future in zip(files, futures, strict=True):
        found = future.result()
        assert found.sha256 == exact_hashes(data).sha256
        assert found.error or found.views or found.frames
    assert pool.look(GOOD) == look(GOOD)


def test_the_seeds_of_the_mutants_are_good_files(pool: Pool) -> None:
    for name, data in seeds().items():
        assert pool.look(data).error is None, name


def slow() -> bytes:
    """A small file that takes seconds to bank: 36 million pixels."""
    return encoded(Image.linear_gradient("L").resize((6_000, 6_000)), "PNG")


def test_a_file_that_takes_too_long_is_ended_and_others_go_on() -> None:
    data = slow()
    with Pool(1, Bounds(processor_seconds=1)) as pool:
        assert pool.look(GOOD).error is None
        found = pool.look(data, "bank")
        assert found == replace(exact_hashes(data), error="took more than 1 s of processor time to look at")
        assert pool.deaths == 1
        assert pool.look(GOOD).error is None
    with Pool(1, Bounds(seconds=0.1)) as pool:
        assert pool.look(data, "bank").error == "took longer than 0.1 s to look at"


@pytest.mark.parametrize(
    ("size", "processor", "clock"),
    [
        (0, 20, 60.0),
        ((1 << 20) - 1, 20, 60.0),
        (1 << 20, 21, 63.0),
        (60 << 20, 80, 240.0),
        (128 << 20, 148, 444.0),
    ],
)
def test_a_larger_file_may_take_longer(size: int, processor: int, clock: float) -> None:
    assert Bounds().processor_for(size) == processor
    assert Bounds().clock_for(size) == clock
    fixed = Bounds(processor_seconds=7, processor_seconds_a_mib=0, seconds=9.0, seconds_a_mib=0.0)
    assert (fixed.processor_for(size), fixed.clock_for(size)) == (7, 9.0)


def test_the_further_seconds_of_a_large_file_are_given_and_are_bounded() -> None:
    """What is behind the picture counts as its size: a file of 3 MiB is given three times the further seconds."""
    data = slow() + bytes(3 << 20)
    with Pool(1, Bounds(processor_seconds=1, processor_seconds_a_mib=100)) as pool:
        assert "processor time" not in str(pool.look(data, "bank").error)
    with Pool(1, Bounds(processor_seconds=1, processor_seconds_a_mib=0, seconds=90.0)) as pool:
        assert pool.look(data, "bank").error == "took more than 1 s of processor time to look at"
    with Pool(1, Bounds(seconds=0.0, seconds_a_mib=0.1)) as pool:
        assert "took longer than 0.3" in str(pool.look(data, "bank").error)


def test_a_worker_that_dies_is_replaced_and_its_file_answered() -> None:
    with Pool(1) as pool:
        assert pool.look(GOOD).error is None
        first, second = pool.submit(slow(), "bank"), pool.submit(GOOD)
        while not first.running():
            pass
        os.kill(pool.pids()[0], signal.SIGKILL)
        assert "died" in str(first.result().error)
        assert second.result() == look(GOOD)


def test_a_worker_that_cannot_be_started_fails_its_file_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with Pool(1) as pool:
        with pytest.raises(OSError, match="nowhere"):
            pool.look(GOOD)
        assert pool.pids() == []
        monkeypatch.undo()
        assert pool.look(GOOD) == look(GOOD)


def test_too_many_bytes_are_not_looked_at() -> None:
    with Pool(1, Bounds(size=1000)) as pool:
        found = pool.look(GOOD)
        assert found.error == f"{len(GOOD)} bytes; at most 1000 are looked at"
        assert found.md5 == exact_hashes(GOOD).md5


def test_a_closed_pool_takes_nothing_and_has_answered_what_it_took() -> None:
    pool = Pool(1)
    future = pool.submit(GOOD)
    pool.close()
    pool.close()
    assert future.result().error is None
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(GOOD)
