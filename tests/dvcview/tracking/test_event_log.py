"""Journals: whole lines only, and who is gone."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from dvcview.tracking import event_log
from dvcview.tracking.event_log import EventLog, EventLogReader, identity_of, is_alive


def test_what_is_written_is_read_in_its_order(tmp_path):
    event_log = EventLog(tmp_path, "optimizers@adam")
    reader = EventLogReader(event_log.path)
    assert reader.new_events() == []
    event_log.write("begin", stage="optimizers@adam", process="1-a-2.00")
    event_log.write("epoch", epoch=1)
    assert [event["event"] for event in reader.new_events()] == ["begin", "epoch"]
    assert reader.begin["stage"] == "optimizers@adam"
    assert reader.new_events() == []
    event_log.write("end", status="FINISHED")
    assert [event["event"] for event in reader.new_events()] == ["end"]
    assert reader.end["status"] == "FINISHED"
    assert reader.events == event_log.events == 3
    event_log.close()


def test_half_a_line_waits_for_its_other_half(tmp_path):
    path = tmp_path / "lenet-1.jsonl"
    whole = b'{"event": "begin", "time": 1, "process": "1-a-2.00"}\n'
    path.write_bytes(whole[:20])
    reader = EventLogReader(path)
    assert reader.new_events() == []
    path.write_bytes(whole)
    assert len(reader.new_events()) == 1


def test_a_process_is_known_by_its_number_and_its_time_of_creation(monkeypatch, tmp_path):
    identity = identity_of(psutil.Process())
    assert identity.startswith(f"{os.getpid()}-")
    assert is_alive(identity)
    assert not is_alive(identity[:-1] + str((int(identity[-1]) + 1) % 10))  # a later process
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    ended = identity_of(psutil.Process(child.pid))
    child.wait()
    assert not is_alive(ended)
    if event_log.BOOT_ID.exists():
        (tmp_path / "boot_id").write_text("another start of the machine")
        monkeypatch.setattr(event_log, "BOOT_ID", tmp_path / "boot_id")
        assert not is_alive(identity)


@pytest.mark.skipif(not psutil.LINUX, reason="Linux computes times from the time of its start")
@pytest.mark.parametrize("shift", [-7200, 7200])
def test_a_clock_that_is_set_changes_nothing(monkeypatch, shift):
    identity = identity_of(psutil.Process())
    created, started = psutil.Process().create_time(), psutil.boot_time()
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: started + shift)
    assert psutil.boot_time() == started + shift
    assert abs(psutil.Process().create_time() - created - shift) < 1
    assert is_alive(identity)


def test_a_writer_that_was_killed_and_not_yet_waited_for_is_gone(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process = psutil.Process(child.pid)
    event_log = EventLog(tmp_path, "lenet")
    event_log.write("begin", process=identity_of(process))
    reader = EventLogReader(event_log.path)
    reader.new_events()
    assert not reader.writer_is_gone()
    child.kill()
    event_log.close()
    while process.status() != psutil.STATUS_ZOMBIE:
        pass
    assert reader.writer_is_gone()
    child.wait()
