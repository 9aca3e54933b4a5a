"""Programs that speak: called with a list of arguments, held to a time limit, and every fault named."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from wakeword.config import Config, validate_config
from wakeword.config.synthesis import CommandConfig
from wakeword.data.prepare import prepare
from wakeword.data.synthesis import load_engine
from wakeword.data.synthesis.engine import SpeechError
from wakeword.data.synthesis.plan import plan_utterances
from wakeword.errors import ConfigError

SPEAK = """
import json, math, struct, sys, time, wave
text, voice, out, rate = sys.argv[1:5]
if text == "-":
    text = sys.stdin.read().strip()
if voice == "broken":
    sys.stderr.write("loading\\nno such voice\\n")
    sys.exit(3)
if voice == "sleepy":
    time.sleep(60)
if voice == "absent":
    sys.exit(0)
hz = {"high": 440, "low": 150}.get(voice, 250)
count = int(22050 * 0.08 * len(text) / float(rate))
level = 0 if voice == "mute" else 9000
tone = [int(level * math.sin(2 * math.pi * hz * i / 22050)) for i in range(count)]
with wave.open(out if out != "-" else sys.stdout.buffer, "wb") as sound:
    sound.setnchannels(1), sound.setsampwidth(2), sound.setframerate(22050)
    sound.writeframes(struct.pack(f"<{count}h", *tone))
if out != "-":
    with open("arguments.json", "w") as stream:
        json.dump(sys.argv, stream)
"""
VALUES = ("{text}", "{voice}", "{out}", "{rate}")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "speak it.py"
    path.write_text(SPEAK)
    return path


def command(script: Path, *arguments: str, **options: Any) -> CommandConfig:
    options = {"voices": ["low", "high", "mute", "broken", "sleepy", "absent"], **options}
    return CommandConfig(argv=(sys.executable, str(script), *(arguments or VALUES)), **options)


def speak(config: CommandConfig, text: str = "hey nova", voice: str = "low", rate: float = 1.0) -> np.ndarray:
    audio, rate_hz = load_engine("command:mine", {"mine": config}).speak(text, voice, rate, 0.0, 1)
    assert rate_hz == 16_000
    return audio


def test_a_program_speaks_and_nothing_of_the_text_reaches_a_shell(script: Path, tmp_path: Path) -> None:
    assert len(speak(command(script))) == pytest.approx(0.64 * 16_000, rel=0.02)
    assert len(speak(command(script), rate=0.8)) == pytest.approx(0.8 * 16_000, rel=0.02)
    hostile = f"nova; touch '{tmp_path}/shell' $(touch {tmp_path}/shell) {{voice}}"
    assert len(speak(command(script), hostile)) == pytest.approx(0.08 * len(hostile) * 16_000, rel=0.02)
    assert not (tmp_path / "shell").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [script.name], "it runs in a folder of its own"


def test_text_and_sound_can_go_through_pipes(script: Path) -> None:
    piped = speak(command(script, "-", "{voice}", "-", "{rate}"))
    np.testing.assert_array_equal(piped, speak(command(script)))
    slower = speak(command(script, "{text}", "{voice}", "{out}", "{length}"), rate=0.8)
    assert len(slower) == pytest.approx(0.64 * 0.8 * 16_000, rel=0.02)


def test_pitch_moves_the_tone_and_keeps_the_rate(script: Path) -> None:
    engine = load_engine("command:mine", {"mine": command(script)})
    audio, rate_hz = engine.speak("hey nova", "low", 1.0, 12.0, 1)
    assert len(audio) / rate_hz == pytest.approx(0.64, rel=0.02)
    hz = np.abs(np.fft.rfft(audio)).argmax() * rate_hz / len(audio)
    assert hz == pytest.approx(300, abs=5)


@pytest.mark.parametrize(
    ("voice", "reason", "message"),
    [
        ("broken", "no_speech", r"command:mine ended with exit code 3 for 'hey nova': no such voice$"),
        ("absent", "no_speech", r"command:mine for 'hey nova' as absent wrote no audio$"),
        ("sleepy", "timeout", r"command:mine took longer than 1\.5 s for 'hey nova'$"),
    ],
)
def test_faults_of_an_utterance_are_one_sentence(script: Path, voice: str, reason: str, message: str) -> None:
    started_s = time.monotonic()
    with pytest.raises(SpeechError, match=message) as caught:
        speak(command(script, timeout_s=1.5 if voice == "sleepy" else 60), voice=voice)
    assert caught.value.reason == reason
    assert time.monotonic() - started_s < 30


def test_what_is_no_sound_file_is_named(script: Path) -> None:
    script.write_text("import sys; open(sys.argv[3], 'w').write('no sound at all, but a text')")
    with pytest.raises(SpeechError, match="wrote a file that cannot be used"):
        speak(command(script))


def test_missing_programs_and_sections_are_named(script: Path) -> None:
    absent = CommandConfig(argv=("no-such-speaker", "{text}"))
    with pytest.raises(ConfigError, match=r"synthesis\.commands\.mine: there is no program 'no-such-speaker': install"):
        load_engine("command:mine", {"mine": absent})
    with pytest.raises(ConfigError, match=r"needs a section synthesis\.commands\.mine"):
        load_engine("command:mine")
    script.chmod(0o755)
    with pytest.raises(ConfigError, match="cannot be started"):
        speak(CommandConfig(argv=(str(script), *VALUES), voices=("low",)))
    for faulty, message in (
        ({"argv": ["x", "{txt}"]}, "is no placeholder"),
        ({"argv": ["x"], "voices": ["a", "b"]}, "no {voice}"),
        ({"argv": ["x", "{voice}"], "voices": ["a", "a"]}, "twice"),
    ):
        with pytest.raises(ConfigError, match=message):
            config({"mine": faulty}, engines={"command:mine": 1.0})
    with pytest.raises(ConfigError, match=r"command:other needs a section synthesis\.commands\.other"):
        config({}, engines={"command:other": 1.0})


def config(commands: dict[str, Any], **synthesis: Any) -> Config:
    small = {"enabled": True, "hold_out": [], "clips_per_word": 24, "speech_clips": 12, "noises": 0, "rooms": 0}
    small |= {"near_miss_test_clips": 0, "commands": commands}
    return validate_config({"words": [{"label": "hey_nova"}], "synthesis": {**small, **synthesis}})


def test_its_voices_are_cast_and_slow_ones_get_short_texts(script: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
    options = command(script, voices=[f"voice{i}" for i in range(6)]).model_dump()
    rows = plan_utterances(config({"mine": options}, engines={"command:mine": 1.0})).to_pylist()
    homes = {split: {row["voice"] for row in rows if row["split"] == split} for split in ("train", "val", "test")}
    assert len(set().union(*homes.values())) == 6
    assert not homes["train"] & (homes["val"] | homes["test"])
    assert {row["speaker"] for row in rows} == {f"command:mine/voice{i}" for i in range(6)}
    assert max(len(row["text"].split()) for row in rows) > 5
    slow = plan_utterances(config({"mine": {**options, "slow": True}}, engines={"command:mine": 1.0})).to_pylist()
    assert max(len(row["text"].split()) for row in slow) <= 5


def test_prepared_clips_come_from_it_and_faults_are_counted(script: Path, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
    options = command(script, voices=["low", "high", "mid", "mute", "broken"], timeout_s=20.0).model_dump()
    commands = {"mine": options}
    summary = prepare(config(commands, engines={"command:mine": 1.0}), tmp_path / "out", runner="local")
    bad = pq.read_table(tmp_path / "out" / "quarantine.parquet").to_pylist()
    assert {row["reason"] for row in bad} == {"silence", "no_speech"}
    assert {row["stage"] for row in bad} == {"synthesis"}
    assert summary.quarantined == {
        reason: sum(r["reason"] == reason for r in bad) for reason in sorted(summary.quarantined)
    }
    assert sum(summary.quarantined.values()) + summary.clips() == 36
    rows = pq.read_table(tmp_path / "out" / "manifest.parquet").to_pylist()
    assert {row["source"] for row in rows} == {"synthesis/command"}
    assert not {"command:mine/mute", "command:mine/broken"} & {row["speaker"] for row in rows}
    again = prepare(config(commands, engines={"command:mine": 1.0}), tmp_path / "out", runner="local")
    assert again.up_to_date
    script.write_text(SPEAK.replace("9000", "8000"))
    assert not prepare(config(commands, engines={"command:mine": 1.0}), tmp_path / "out", runner="local").up_to_date


def test_json_of_a_config_keeps_the_command(script: Path) -> None:
    made = config({"mine": command(script).model_dump()}, engines={"command:mine": 1.0})
    assert validate_config(json.loads(made.model_dump_json())) == made
