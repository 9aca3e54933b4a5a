"""`wakeword new PHRASE`: a recipe for a phrase, from the packaged one; with --run, a detector."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakeword.config.labels import label_of
from wakeword.errors import ConfigError
from wakeword.system.files import user_path

if TYPE_CHECKING:
    from wakeword.config import Config


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("new", help="write a recipe for a phrase (and run it)")
    parser.add_argument("phrase", metavar="PHRASE", help='what is said, such as "hey nova"')
    parser.add_argument("overrides", metavar="key=value", nargs="*", help="values that the recipe shall have")
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=lambda text: Path(user_path(text)),
        help="recipe to write (default: LABEL.yaml here)",
    )
    parser.add_argument("--label", help="name in detections (default: made from the phrase)")
    parser.add_argument("--language", metavar="TAG", help="of the phrase, such as de, fr or zh (default: en)")
    parser.add_argument("--force", action="store_true", help="overwrite a recipe that is there")
    parser.add_argument("--run", action="store_true", help="run the whole pipeline on it")
    parser.set_defaults(func=_new)


def require_letters(phrase: str) -> None:
    """Refuse what nobody can say.

    Raises:
        ConfigError: the phrase has no letters.
    """
    if not any(character.isalpha() for character in phrase):
        raise ConfigError(
            f"the phrase {phrase!r} has no letters: give the words that shall be said, such as 'hey nova'"
        )


def recipe_for(phrase: str, label: str) -> dict[str, Any]:
    """The packaged demo recipe with this phrase in the place of its own."""
    import yaml

    from wakeword.cli.recipes import recipe_path

    tree = yaml.safe_load(recipe_path("demo").read_text(encoding="utf-8"))
    spoken = " ".join(phrase.split())
    return {**tree, "name": label, "words": [{"label": label, "phrase": spoken}]}


def _guessed(config: Config) -> str:
    """The language that the script of the phrase tells, where the recipe speaks English and nothing tells it how."""
    from wakeword.config.synthesis import ENGLISH
    from wakeword.data.synthesis.languages import guessed_language

    word = config.words[0]
    told = word.say or word.phonemes or not config.synthesis.enabled or config.synthesis.language != ENGLISH
    return "" if told else guessed_language(word.text)


def _show_reading(config: Config) -> None:
    """Print how the voices read the phrase.

    Raises:
        ConfigError: none of them can.
    """
    from wakeword.cli.console import print_table
    from wakeword.errors import MissingExtraError

    if not config.synthesis.enabled:
        return
    try:
        from wakeword.data.synthesis.reading import check_phonemes, readings_of, word_notes
        from wakeword.data.synthesis.roster import left_out

        check_phonemes(config)
        read = {word.label: readings_of(config, word) for word in config.words}
        notes = [note for word in config.words for note in word_notes(config, word, read[word.label])]
        notes = [*left_out(config.synthesis), *notes]
    except (ImportError, MissingExtraError) as error:
        print(
            f"the reading of the phrase was not checked, because voices are missing here ({error}): run "
            "`pip install 'wakeword[train,tts]'` to let them speak"
        )
        return
    rows = [
        (
            f"{one.engine}{' (test only)' if one.engine in config.synthesis.hold_out else ''}",
            str(one.voices),
            _accents(one.accents) or config.synthesis.language,
            one.said,
            one.fault or ("not told before it speaks" if one.ipa is None else one.ipa),
            str(one.phonemes or ""),
            str(one.syllables or ""),
        )
        for readings in read.values()
        for one in readings
    ]
    header = ("engine", "voices", "language", "text", "is read as", "phonemes", "syllables")
    print_table("how the phrase is read", header, rows)
    for note in notes:
        print(f"note: {note}")


def _accents(tags: tuple[str, ...]) -> str:
    return tags[0] if len(tags) == 1 else f"{tags[0]} and {len(tags) - 1} more" if tags else ""


def _new(args: argparse.Namespace) -> int:
    from wakeword.cli.console import print_next
    from wakeword.config import validate_config
    from wakeword.config.loading import apply_override
    from wakeword.errors import MissingExtraError
    from wakeword.system.files import write_text
    from wakeword.system.log import configure_logging

    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("Making recipes", "train", error) from error
    require_letters(args.phrase)
    label = args.label or label_of(args.phrase)
    path: Path = args.out or Path(f"{label}.yaml")
    if path.exists() and not args.force:
        raise ConfigError(
            f"{path} is there already: use it, or write another with --out FILE, or overwrite with --force"
        )
    tree = recipe_for(args.phrase, label)
    if args.language:
        tree["synthesis"]["language"] = args.language
    for override in args.overrides:
        apply_override(tree, override)
    config = validate_config(tree, str(path))
    guess = "" if args.language else _guessed(config)
    if guess:
        tree["synthesis"]["language"] = guess
        config = validate_config(tree, str(path))
        print(f"language {guess}, which the script of the phrase tells; --language names another")
    _show_reading(config)
    head = f"# Detector for {' '.join(args.phrase.split())!r}. All options: `wakeword config show {path}`.\n"
    write_text(path, head + yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))
    print(f"wrote {path}")
    if not args.run:
        print_next(f"wakeword pipeline {path}")
        return 0
    from wakeword.cli.stages import finish, run_stages

    configure_logging(config.tracking)
    finish(run_stages(config))
    return 0
