"""`wakeword demo`: a detector from a phrase alone, and its trial with a voice held out of training."""

from __future__ import annotations

from wakeword.cli.console import print_next, print_table
from wakeword.cli.options import Overrides, read_config
from wakeword.cli.stages import display_path, run_stages


def demo(overrides: Overrides) -> int:
    """Make a detector for "hey nova" from synthetic speech, and try it with a voice held out of training."""
    from wakeword.audio.io import write_wav
    from wakeword.config.packaged import recipe_path
    from wakeword.evaluation.tracks.held_out_voice import REQUIRED_SHARE, make_tracks, run_trial
    from wakeword.runtime.bundle import load_bundle

    config = read_config(str(recipe_path("demo")), overrides)
    result = run_stages(config)
    phrases, other, engine = make_tracks(config)
    folder = result.run_dir / "trial"
    folder.mkdir(exist_ok=True)
    files = [folder / f"{track.name}.wav" for track in (phrases, other)]
    for file, track in zip(files, (phrases, other), strict=True):
        write_wav(file, track.audio)
    trial = run_trial(load_bundle(result.bundle_dir), phrases, other, config.words[0].label)
    names, bundle = [display_path(file) for file in files], display_path(result.bundle_dir)
    others = f"{trial.sentences} other sentences, {trial.minutes:.1f} min"
    rows = [
        (
            names[0],
            f"{trial.phrases} times {config.words[0].text!r}",
            f"{trial.detected} detected",
            f"at least {REQUIRED_SHARE:.0%}",
        ),
        (names[1], others, f"{trial.fired} false alarms", "0"),
    ]
    print_table(f"voice of {engine}, held out of training", ("file", "spoken", "result", "required"), rows)
    print(f"\n{'passed' if trial.passed else 'FAILED'}\nreport: {display_path(result.evaluation_dir / 'report.html')}")
    print_next(f"wakeword detect {bundle} {names[0]}", f"wakeword listen {bundle}", 'wakeword new "your phrase"')
    return 0 if trial.passed else 1
