"""Word, kind and split of recordings from folder names, in the layouts of this and other projects.

* Mycroft Precise (`precise/train_data.py`): `wake-word/`, `not-wake-word/`, and both again below `test/`.
* openWakeWord (`openwakeword/train.py`) and livekit-wakeword (`docs/data-generation.md`): `positive_train/`,
  `positive_test/`, `negative_train/`, `negative_test/` below the model's name; `fma/`, `audioset_16k/`, `mit_rirs/`.
* microWakeWord's notebooks and the trainers around it: `generated_samples/`, `personal_samples/`,
  `negative_samples/`; `positive/`, `negative/`, `hard_negative/`, `background/`, `rirs/`.
* Hugging Face's audiofolder: `train/LABEL/`, `validation/LABEL/`, `test/LABEL/`, and the words it takes for these.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from wakeword.config import WordConfig
from wakeword.config.labels import fold, word_of
from wakeword.data.alike import SIDE_WORDS
from wakeword.data.sources.listing import SPLIT_NAMES
from wakeword.errors import DataError

_POSITIVE = (
    *("positive", "positives", "pos", "target", "targets", "ww", "kw", "wake_word", "wake_words"),
    *("hotword", "hotwords", "keyword", "keywords"),
)
_NEGATIVE = (
    *("negative", "negatives", "neg", "negs", "not_wake_word", "not_wake_words", "non_wake_word", "non_wake_words"),
    *("no_wake_word", "not_hotword", "non_hotword", "not_keyword", "non_keyword", "not_ww", "non_ww", "nww", "nkw"),
)
_FALSE_ALARMS = (
    *("hard_negative", "hard_negatives", "false_wake", "false_wakes", "false_positive", "false_positives"),
    *("false_alarm", "false_alarms", "false_activation", "false_activations", "false_trigger", "false_triggers"),
)
_ROLES: dict[str, tuple[str, ...]] = {
    "wakeword": _POSITIVE,
    "speech": (
        *_NEGATIVE,
        *("speech", "background_speech", "other", "others", "other_words", "unknown", "random"),
    ),
    "confusable": ("confusable", "confusables", "adversarial", "adversarial_negative", "near_miss", "near_misses"),
    "hard_negative": _FALSE_ALARMS,
    "noise": (
        *("noise", "noises", "background", "backgrounds", "background_noise", "background_noises", "ambient"),
        *("ambience", "ambient_noise", "ambient_noises", "silence", "no_speech", "non_speech", "audioset"),
    ),
    "music": ("music", "fma", "fma_small", "fma_medium", "fma_large"),
    "rir": (
        *("rir", "rirs", "mit_rir", "mit_rirs", "impulse_response", "impulse_responses", "room_response"),
        *("room_responses", "room_impulse_response", "room_impulse_responses"),
    ),
}
# Without separators, since projects differ: `not-wake-word`, `not_wakeword`, `notwakeword`.
_KIND_OF = {name.replace("_", ""): kind for kind, names in _ROLES.items() for name in names}
_PLAINLY = {name.replace("_", "") for name in (*_POSITIVE, *_NEGATIVE, *_FALSE_ALARMS)}
"""Unambiguous names, which count at any depth."""
_GENERAL = {name.replace("_", "") for name in _POSITIVE[5:]}
"""Names that whole projects have as well: as a source's root they say nothing about the folders in it."""
_SAMPLES = {"generated_samples", "personal_samples", "real_samples", "user_samples"}
"""Wake-word clips in microWakeWord's trainers, synthetic and recorded."""
_FILLERS = {
    *("clip", "clips", "sample", "samples", "data", "dataset", "set", "audio", "wav", "wavs", "file", "files"),
    *("recording", "recordings", "example", "examples", "utterances", "16k", "16khz", "output", "outputs"),
}
_POSITIVES, _NEGATIVES = {"positive", "positives", "pos"}, {"not", "non", "no", "without", "negative", "negatives"}


@dataclass(frozen=True)
class Name:
    """Interpretation of one folder's name.

    Attributes:
        kind: a clip's kind; empty where unknown.
        word: the configured word that it names, or empty.
        split: train, val, test, or empty.
        plain: unambiguous, at any depth.
        says_nothing: only a split, or a name such as `clips`; never a label.
    """

    kind: str = ""
    word: str = ""
    split: str = ""
    plain: bool = False
    says_nothing: bool = False

    @property
    def decides(self) -> bool:
        """Whether it determines a clip's kind."""
        return bool(self.kind)


@dataclass(frozen=True)
class Place:
    """Kind, label and split of the clips in a folder, and the folders `below` the label, which may name the speaker.

    `fault` explains why kind and label are unknown.
    """

    kind: str = ""
    label: str = ""
    below: tuple[str, ...] = ()
    split: str = ""
    fault: str = ""


def name_of(folder: str, words: Sequence[WordConfig]) -> Name:
    """Interpret one folder's name; a configured word takes precedence over other meanings."""
    if word := word_of(folder, words):
        return Name("wakeword", word, plain=True)
    parts = fold(folder).split("_")
    if "_".join(parts) in _SAMPLES:
        return Name("wakeword", plain=True)
    splits = {SPLIT_NAMES[part] for part in parts if part in SPLIT_NAMES}
    split = splits.pop() if len(splits) == 1 else ""
    rest = [part for part in parts if not (split and part in SPLIT_NAMES)]
    core = [part for part in rest if part not in _FILLERS]
    for joined in ("".join(core), "".join(rest)):
        if joined in _KIND_OF:
            return Name(_KIND_OF[joined], "", split, joined in _PLAINLY)
    if not core:
        return Name(split=split, says_nothing=True)
    for tags, kind in ((_POSITIVES, "wakeword"), (_NEGATIVES, "speech")):
        for tagged, others in ((core[0] in tags, core[1:]), (core[-1] in tags, core[:-1])):
            if tagged and (word := word_of(" ".join(others), words)):
                return Name(kind, word if kind == "wakeword" else "", split, plain=True)
    if split and (word := word_of(" ".join(core), words)):
        return Name("wakeword", word, split, plain=True)
    if all(part in SIDE_WORDS for part in parts):
        return Name(says_nothing=True)
    return Name()


class Layout:
    """Determines the place of clips from their folders.

    Args:
        root: name of the source's root folder.
        folders: folders of all files, relative to the root.
        kind: `data.sources[].kind`.
        words: configured words.

    Attributes:
        notes: sentences about decisions that rest on the root's name alone.
    """

    def __init__(
        self, root: str, folders: Iterable[tuple[str, ...]], kind: str | None, words: Sequence[WordConfig]
    ) -> None:
        self.root, self.kind, self.words = root, kind, words
        self.notes: list[str] = []
        trees = sorted(set(folders))
        self._names = {part: name_of(part, words) for part in {part for tree in trees for part in tree}}
        self._places: dict[tuple[str, ...], Place] = {}
        self._own = name_of(root, words)
        read = [[self._names[part] for part in tree] for tree in trees]
        pairs = [(tree[:i], name) for tree, names in zip(trees, read, strict=True) for i, name in enumerate(names)]
        self._has_train = any(name.split == "train" for _, name in pairs)
        self._plain_parents = {parent for parent, name in pairs if name.plain}
        self._word_parents = {parent for parent, name in pairs if name.word}
        chains = [found for tree in trees if len(found := self._meaningful(tree)) > 1]
        self._speakers = {pair[0][0] for pair in chains if pair[0][1] == Name() and pair[1][1].word}
        """Folders of speakers that contain folders of words: `anna/hey_nova/1.wav`."""
        has_words = any(name.kind == "wakeword" for _, name in pairs)
        self._root_decides = self._own.plain and not has_words and fold(root).replace("_", "") not in _GENERAL
        free = sorted({tree[0] for tree, names in zip(trees, read, strict=True) if tree and names[0] == Name()})
        if not kind and self._root_decides and self._own.word and free:
            self.notes.append(
                f"{root} is named after the wake word {self._own.word}: its folders {_listed(free)} are used as "
                "speakers of it; if they contain other words, move them into a folder `negative`"
            )

    def place(self, folders: tuple[str, ...]) -> Place:
        """The place of the clips in a folder.

        Raises:
            DataError: the source's kind is wakeword, but a folder's name contradicts it.
        """
        if folders not in self._places:
            found = self._placed(folders)
            below = tuple(unicodedata.normalize("NFC", part) for part in found.below)
            self._places[folders] = replace(found, below=below)
        return self._places[folders]

    def _placed(self, folders: tuple[str, ...]) -> Place:
        names = [self._names[part] for part in folders]
        if self.kind:
            return self._of_kind(folders)
        at = self._deciding(folders, names)
        if at is None and self._root_decides:
            return self._below(self._own, folders, 0)
        if at is not None:
            first, depth = self._refined(folders, at)
            split = next((name.split for name in names[: at + 1] if name.split), "")
            found = self._below(replace(first, split=split or first.split), folders, depth)
            return replace(found, below=self._speaker_above(folders) + found.below)
        free = [i for i, name in enumerate(names) if name == Name() and fold(folders[i])]
        if not free:
            return self._loose(folders)
        above = len(free) > 1 and folders[free[0]] in self._speakers
        label = free[1] if above else free[0]
        split = next((name.split for name in names[:label] if name.split), "")
        rest, inner = self._speakers_below(folders[label + 1 :])
        speaker = self._speaker_above(folders) if above else ()
        return Place("wakeword", fold(folders[label]), speaker + rest, split or inner)

    def _meaningful(self, folders: tuple[str, ...]) -> list[tuple[str, Name]]:
        return [(part, self._names[part]) for part in folders if not self._names[part].says_nothing]

    def _speaker_above(self, folders: tuple[str, ...]) -> tuple[str, ...]:
        """The speaker's folder above a word's folder, if several speakers have such folders."""
        first = tuple(part for part, _ in self._meaningful(folders))[:1]
        return first if len(self._speakers) > 1 and first[0] in self._speakers else ()

    def _deciding(self, folders: tuple[str, ...], names: list[Name]) -> int | None:
        """Index of the first folder that determines a kind; below a free name only an unambiguous one, or a sibling of
        one."""
        seen = False
        for i, name in enumerate(names):
            if name.decides and (name.plain or not seen or folders[:i] in self._plain_parents):
                return i
            seen = seen or name == Name()
        return None

    def _refined(self, folders: tuple[str, ...], at: int) -> tuple[Name, int]:
        """The combined meaning of the folders from `at` on, and the number of folders up to its end.

        `negative/music` is music, `hey_nova/not-wake-word` is not the word, `speech/hey_nova` is; a negative stays one.
        """
        first = self._names[folders[at]]
        below = [(i, self._names[folders[i]]) for i in range(at + 1, len(folders))]
        below = [(i, name) for i, name in below if not name.says_nothing]
        if first.kind == "wakeword" or not first.plain:
            plain = [(i, name) for i, name in below if name.plain]
            negative = [(i, name) for i, name in plain if name.kind != "wakeword"]
            for i, name in negative or (() if first.plain else plain):
                return replace(name, split=first.split or name.split), i + 1
        if below:
            i, name = below[0]
            split = first.split or name.split
            if first.kind == "wakeword" and name.plain:
                return Name("wakeword", first.word or name.word, split, plain=True), i + 1
            known = name.decides and name.kind != "wakeword"
            if known and (first.kind == "speech" or folders[:i] in self._plain_parents):
                return Name(name.kind, "", split, plain=True), i + 1
        return first, at + 1

    def _below(self, first: Name, folders: tuple[str, ...], depth: int) -> Place:
        """The place of clips in the folders from `depth` on, given the meaning `first` of the folders above."""
        names = [self._names[part] for part in folders[depth:]]
        rest, inner = self._speakers_below(folders[depth:])
        split = first.split or inner
        word = first.word or next((name.word for name in names if name.word), "")
        # Siblings of a word's folder are other words.
        others = first.kind == "wakeword" or (first.kind == "speech" and not first.plain)
        free = next((i for i, part in enumerate(rest) if self._names[part] == Name() and fold(part)), None)
        if others and not word and free is not None and folders[:depth] in self._word_parents:
            return Place("wakeword", fold(rest[free]), rest[free + 1 :], split)
        if first.kind != "wakeword":
            return Place(first.kind, first.kind, rest, split)
        word = word or self._own.word or (self.words[0].label if len(self.words) == 1 else "")
        if word:
            return Place("wakeword", word, rest, split)
        if free is not None:
            return Place("wakeword", fold(rest[free]), rest[free + 1 :], split)
        several = " or ".join(word.label for word in self.words)
        return Place(
            fault=f"its folders do not show whether it is {several}: move it into a folder named by its word, below "
            "the folder of the positives"
        )

    def _speakers_below(self, folders: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        """The folders below a label without known names, and the split among them (`val` may be a person's name)."""
        split, rest = "", []
        for part in folders:
            name = self._names[part]
            if name.split and name.says_nothing and not self._has_train and fold(part) == "val":
                rest.append(part)
            elif name.says_nothing:
                split = split or name.split
            elif not (name.word or (name.plain and name.decides)):
                rest.append(part)
        return tuple(rest), split

    def _of_kind(self, folders: tuple[str, ...]) -> Place:
        """The place where the config gives the kind; folders may give the word and the split."""
        names = [self._names[part] for part in folders]
        split = next((name.split for name in names if name.split and name.decides), "")
        if self.kind != "wakeword":
            rest, inner = self._speakers_below(folders)
            return Place(str(self.kind), str(self.kind), rest, split or inner)
        wrong = next((part for part, name in zip(folders, names, strict=True) if _contradicts(name)), "")
        if wrong:
            raise DataError(
                f"data.sources: kind is wakeword for all of {self.root}, but its folder {wrong} is named as one "
                "without wake words: remove `kind`, or give the folder of the wake words as `uri`"
            )
        return self._below(Name("wakeword", split=split), folders, 0)

    def _loose(self, folders: tuple[str, ...]) -> Place:
        """The place of files in the root, or in folders whose names say nothing."""
        if self._own.decides:
            return self._below(self._own, folders, 0)
        rest, split = self._speakers_below(folders)
        wanted = " or ".join(word.label for word in self.words)
        where = f"it is in {'/'.join(folders)}" if folders else "it is in the source's root"
        return Place(
            below=rest,
            split=split,
            fault=f"{where}, and neither that nor {self.root} names a label: move it into a folder named by its label "
            f"({wanted}, negative, noise), or set the source's `kind` (wakeword, speech, noise)",
        )


def _contradicts(name: Name) -> bool:
    return name.plain and name.kind != "wakeword"


def _listed(names: Sequence[str], most: int = 3) -> str:
    listed = ", ".join(names[:most])
    return f"{listed} and {len(names) - most} more" if len(names) > most else listed
