"""The speaker of a recording, from its path.

* A folder below the label's folder names the speaker (`given`). Folders that cannot be a person (`wav`, `2024-01-31`,
  `en`, `session_2`) are skipped.
* File names of known corpora contain the speaker that the corpus documents (`given`); it is prefixed with the corpus,
  as in its own source type. Names without a speaker (Common Voice) give none.
* Otherwise the first part of the file name that can be a name is a guess (`guessed`): `tom_01`, `2024-01-31 anna 3`,
  `speaker_04_take_2`, `hey_nova_tom_1` below the label `hey_nova`. Dates, times, counters, UUIDs, hashes, names of
  devices, recorders and engines, and the label itself are not names.
* Otherwise the speaker is unknown (`none`). Reports mark guesses, since they may be wrong.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from wakeword.config.labels import fold
from wakeword.data.sources.no_names import GENERAL, LANGUAGES, PEOPLE

Speaker = tuple[str, str]
"""Name (empty where unknown) and `speaker_source`: given, guessed or none."""
UNKNOWN: Speaker = ("", "none")

_CORPORA = (
    # Speech Commands (Warden 2018)
    ("speech_commands", re.compile(r"([0-9a-f]{8})_nohash_\d+")),
    # LibriSpeech: SPEAKER-CHAPTER-UTTERANCE; LibriTTS has the same speakers: SPEAKER_CHAPTER_PARAGRAPH_SENTENCE
    ("librispeech", re.compile(r"(\d{1,5})-\d{1,6}-\d{4}")),
    ("librispeech", re.compile(r"(\d{1,5})_\d{1,6}_\d{6}_\d{6}")),
    ("vctk", re.compile(r"(p\d{3}|s5)_\d{3}(?:_mic\d)?")),
    # TIMIT: sex, initials and a digit, then the sentence's type and number
    ("timit", re.compile(r"(?:(?:train|test)_)?(?:dr\d_)?([mf][a-z]{3}\d)_(?:s[aix]\d+)", re.IGNORECASE)),
    ("aishell", re.compile(r"BAC009(S\d{4})W\d{4}")),
    ("aishell3", re.compile(r"(SSB\d{4})\d{4}")),
    ("hi_mia", re.compile(r"(SV\d{4})_\d+_\d+_[SNF]\d{4}")),
    ("crema_d", re.compile(r"(1\d{3})_[A-Z]{3}_[A-Z]{3}_[A-Z]{2}")),
    ("ravdess", re.compile(r"(?:\d\d-){6}(\d\d)")),
    ("ljspeech", re.compile(r"(LJ)\d{3}-\d{4}")),
)
_MLS = re.compile(r"(?!(?:19|20)\d\d_(?:0\d|1[0-2])[0-3]\d_)(\d{1,5})_\d{1,5}_\d{6}")
"""Multilingual LibriSpeech: SPEAKER_BOOK_UTTERANCE, but not a date and a time."""
_NOBODY = re.compile(r"common_voice_.*|arctic_[ab]\d{4}.*", re.IGNORECASE)
_ENGINE_VOICE = re.compile(
    # Piper (en_US-amy-medium), Google and Azure (en-US-Wavenet-D, de-DE-KatjaNeural), Kokoro (af_heart)
    r"(?<![A-Za-z])(?:[a-z]{2}[-_][A-Z]{2}[-_][A-Za-z0-9]+(?:-(?:[A-Z](?![A-Za-z])|x_low|low|medium|high))?"
    r"|(?:[abhjpz][fm]|ef)_[a-z]{3,})(?![A-Za-z])"
)
_RANDOM = re.compile(
    r"(?<![0-9a-z])(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?=[a-f]*\d)[0-9a-f]{8,}|tmp[a-z0-9_]{8}|(?=[a-z]*\d)[0-9a-z]{20,})(?![0-9a-z])",
    re.IGNORECASE,
)
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(rf"(?<![a-z0-9])\d{{1,4}}[-_. ]?(?:{_MONTHS})[a-z]*[-_. ]?\d{{1,4}}(?![a-z0-9])", re.IGNORECASE)
"""Dates with the name of a month; other dates are numbers."""
_PERSON_CODE = re.compile(r"[a-z]\d+")
"""`F10_01_02`: a person before other parts, a counter at the end."""
_SENTENCE_WORDS = 5
_NUMBER = re.compile(r"[a-z]?\d+|\d+(?:[a-z]|st|nd|rd|th|khz|hz|bit|ms|db)|\d{8}t\d{6}z?|wa\d{4}")


def speaker_of(below: Sequence[str], stem: str, label: str = "") -> Speaker:
    """The speaker of a clip.

    Args:
        below: folders between the label's folder and the file, outermost first.
        stem: the file's name without its extension.
        label: the clip's label, whose words are not a name.
    """
    stem = unicodedata.normalize("NFC", stem).strip()
    for corpus, pattern in _CORPORA:
        if found := pattern.fullmatch(stem):
            return f"{corpus}:{found[1]}", "given"
    if (found := _MLS.fullmatch(stem)) and (not below or found[1] in below):
        return f"mls:{found[1]}", "given"
    for folder in below:
        if not _no_person(folder):
            return unicodedata.normalize("NFC", folder), "given"
    if _NOBODY.fullmatch(stem):
        return UNKNOWN
    guess = _engine_voice(stem) or _guess(stem, label)
    return (guess, "guessed") if guess else UNKNOWN


def _no_person(folder: str) -> bool:
    """Whether a folder's name cannot be a speaker. Numbers and hashes can, since many corpora name speakers so."""
    name = folder.lower()
    tag = re.fullmatch(r"([a-z]{2})[-_][a-z]{2}", name)
    if name in LANGUAGES or (tag and tag[1] in LANGUAGES) or re.fullmatch(r"dr\d", name):
        return True
    if re.fullmatch(r"(?:19|20)\d\d([-_. ]?)(?:0\d|1[0-2])\1(?:[0-2]\d|3[01])(?:[-_. t][-\d_. :h]*)?", name):
        return True
    return not name.isdigit() and all(
        word.isdigit() or word in GENERAL or word.rstrip("0123456789") in GENERAL for word in _words(folder)
    )


def _engine_voice(stem: str) -> str:
    """The text-to-speech voice in a file's name, which counts as a speaker; empty for none."""
    if re.match(r"hibari(?![a-z])", stem):
        return "hibari:heart"
    found = _ENGINE_VOICE.search(stem)
    if found is None or found[0] == stem or ("-" in found[0] and found[0][:2] not in LANGUAGES):
        return ""
    return found[0]


def _guess(stem: str, label: str) -> str:
    # Random parts number files, as counters do.
    text = _DATE.sub("_0_", _RANDOM.sub("_0_", _without_label(stem, label)))
    chunks = [[part for part in re.split(r"[-.]+", chunk) if part] for chunk in re.split(r"[_\s()\[\],+#@&]+", text)]
    chunks = [parts for parts in chunks if parts]
    own = frozenset(_words(label))
    if sum(part.isalpha() and fold(part) not in own for parts in chunks for part in parts) >= _SENTENCE_WORDS:
        return ""
    term = ""
    counted = False
    for place, parts in enumerate(chunks):
        last = place == len(chunks) - 1
        for number, part in enumerate(parts):
            folded = fold(part)
            bare = folded.rstrip("0123456789")
            if term and folded.isdigit():
                return f"{term}_{part}"
            term = bare if bare in PEOPLE else ""
            if term and bare != folded:
                return part
            code = not counted and not last and _PERSON_CODE.fullmatch(folded) and folded not in GENERAL | own
            if code or not (term or _no_name(folded, own)):
                return _named(parts[number:], own, last, counted)
            counted = counted or _NUMBER.fullmatch(folded) is not None
    return ""


def _named(parts: Sequence[str], own: frozenset[str], last: bool, counted: bool) -> str:
    """The name at the start of a chunk; empty without a sign that several files may share it."""
    kept = [part for part in parts if not _no_name(fold(part), own)]
    if not last:
        # `jean-luc_3`, `pv-034_7`: numbers within the chunk are the speaker's.
        return "-".join(part for part in parts if part in kept or _NUMBER.fullmatch(fold(part)))
    bare = kept[-1].rstrip("0123456789")
    # `tom01`
    counted = counted or len(kept) < len(parts) or bare != kept[-1]
    return "-".join([*kept[:-1], bare]) if counted else ""


def _no_name(folded: str, own: frozenset[str]) -> bool:
    words = GENERAL | LANGUAGES | own
    return bool(_NUMBER.fullmatch(folded)) or folded in words or folded.rstrip("0123456789") in words


def _without_label(stem: str, label: str) -> str:
    """A file's name without the label at its start (`hey_nova_tom_1` below `hey_nova`)."""
    wanted, read = "".join(_words(label)), ""
    for run in re.finditer(r"[^\W\d_]+|\d+", stem):
        read += fold(run[0])
        if read == wanted:
            return stem[run.end() :]
        if not wanted.startswith(read):
            break
    return stem


def _words(text: str) -> list[str]:
    return [fold(word) for word in re.split(r"[\W_]+", text) if word]
