"""`wakeword try PHRASE [FILE…]`: hear a phrase in recordings without training, and how unusual it is."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from wakeword.cli.console import print_next, print_table
from wakeword.cli.options import path_argument, value
from wakeword.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from wakeword.data.forecast.trial import Trial

_NEGATIVES = (
    "audio without the phrase: a folder of recordings, a prepared folder, a CSV manifest, or a source such as "
    "librispeech:/data/LibriSpeech"
)
_SHOWN = 8


def try_(
    phrase: Annotated[str, Argument(metavar="PHRASE", help='wake phrase, such as "hey nova"')],
    files: Annotated[
        list[str] | None, path_argument("FILE", "recordings, or folders with their subfolders, to find the phrase in")
    ] = None,
    language: Annotated[str | None, value("TAG", "language of the phrase, such as de, fr or zh", "en")] = None,
    negatives: Annotated[str | None, value("PLACE", _NEGATIVES, "sentences that fast voices read")] = None,
    minutes: Annotated[float, value("N", "listen to at most N minutes of the negatives; 0: to all", min=0)] = 15.0,
    say: Annotated[list[str] | None, value("TEXT", "another spelling, read as the phrase; may be repeated")] = None,
    phonemes: Annotated[str | None, value("IPA", "pronunciation in IPA", "espeak's and the dictionary's")] = None,
    bar: Annotated[float | None, value("X", "lowest score of an event, at most 0", "5 % of its own clips miss")] = None,
    text_only: Annotated[bool, Option("--text-only", help="no audio at all: pronunciation and texts alone")] = False,
) -> int:
    """Hear a phrase in recordings without training, and how unusual it is.

    A phoneme recogniser compares audio with the sounds of the phrase. Prints how the phrase is read, its events in the
    files, how often it would be heard where nobody says it, and the texts that sound most like it. What was heard in
    the negatives is kept, so that the next phrase is quicker.
    """
    try:
        from wakeword.data.forecast.trial import Trial
    except ImportError as error:
        raise MissingExtraError("Trying a phrase", "train", error) from error
    overrides = [f"words.0.say={json.dumps(say)}"] if say else []
    overrides += [f"words.0.phonemes={json.dumps(phonemes)}"] if phonemes else []
    trial = Trial.of(phrase, language, overrides)
    if trial.guessed:
        print(f"language {trial.guessed}, detected from the script of the phrase; --language sets another")
    _print_reading(trial)
    failed = False
    if not text_only:
        trial.listen(negatives, minutes * 60, bar)
        failed = _print_events(trial, files or [])
        _print_ear(trial)
    _print_texts(trial)
    _print_verdict(trial)
    more = f" --language {shlex.quote(language)}" if language else ""
    print_next(f"wakeword new {shlex.quote(phrase)}{more}")
    return DataError.exit_code if failed else 0


def _print_reading(trial: Trial) -> None:
    from wakeword.data.synthesis.recipe import COLUMNS

    rows, notes = trial.reading()
    print_table("pronunciation of the phrase", COLUMNS, rows)
    print(f"sounds: {', or '.join(' '.join(sounds) for sounds in trial.sounds)}")
    for note in (*notes, *trial.notes):
        print(f"note: {note}")


def _print_events(trial: Trial, files: list[str]) -> bool:
    """Print the events in the files; True if one cannot be read."""
    from wakeword.audio.listing import list_given

    if not files:
        return False
    found, skipped, others = list_given(files)
    events: list[tuple[str, ...]] = []
    failed = 0
    for file in found:
        try:
            events += [
                (file, f"{one.start_s:.2f}", f"{one.end_s:.2f}", f"{one.score:.1f}") for one in trial.events(file)
            ]
        except DataError as error:
            failed += 1
            skipped.append((file, str(error)))
    for file, reason in skipped:
        print(f"error: {file}: {reason}" if file not in reason else f"error: {reason}", file=sys.stderr)
    if others:
        print(f"note: {others} other files are not audio", file=sys.stderr)
    title = f"{len(events)} events of a score of at least {trial.bar:.1f} (0 is exact) in {len(found) - failed} files"
    print_table(title, ("file", "start_s", "end_s", "score"), events)
    return bool(skipped)


def _print_ear(trial: Trial) -> None:
    ear = trial.ear
    title = f"by ear: {ear.hours * 60:.0f} min of {trial.heard_what}, {len(ear.clips)} clips of the phrase"
    rows = [
        ("score that 5 % of its own clips miss", f"{ear.bar:.1f}"),
        ("stretches above it", str(ear.above)),
        ("expected in an hour, without training", f"{ear.per_hour:.1f}"),
    ]
    print_table(title, ("measure", "value"), rows)
    nearest = [(where, f"{at_s:.1f}", f"{score:.1f}", text) for where, at_s, score, text in trial.nearest(_SHOWN)]
    print_table("what sounds most like it there", ("recording", "at_s", "score", "its text"), nearest)


def _print_texts(trial: Trial) -> None:
    stretches = [(one.text, one.sounds, f"{one.cost:.1f}") for one in trial.stretches[:_SHOWN]]
    if stretches:
        print_table("nearest in ordinary sentences", ("text", "sounds", "distance"), stretches)
    if trial.alikes:
        rows = [(one.text, f"{one.cost:.1f}") for one in trial.alikes[:_SHOWN]]
        print_table("words of the dictionary that sound like it", ("text", "distance"), rows)


def _print_verdict(trial: Trial) -> None:
    verdict = trial.verdict()
    print(f"\n{trial.phrase!r} is {verdict.word} ({verdict.reason})")
    for line in verdict.advice:
        print(f"  {line}")
