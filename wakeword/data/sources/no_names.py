"""Words in file and folder names that are not names of people, and words that precede a speaker's number."""

from __future__ import annotations

# Recordings and their properties.
_RECORDINGS = """
    audio clip clips file files music noise rec record recorded recording recordings sample samples sound sounds
    take takes track tracks utt utterance utterances voice voices vocal wav wave wavs flac mp3 ogg opus speech
    spoken data dataset raw final edit edited copy kopie copia new neu neue nouveau nouvel nueva nuevo nuova nuovo
    nieuwe nova novo untitled unbenannt test testing train training val valid validation dev eval positive positives
    negative negatives pos neg wake word words wakeword keyword keywords hotword trigger phrase command background
    silence false true unknown other misc not yes
"""
# Spoken before a wake word.
_GREETINGS = """
    hey hi hello ok okay hallo
"""
# Recording conditions, places and parts.
_CONDITIONS = """
    clean noisy loud quiet near far close fast slow slower faster normal whisper whispered shout neutral variation
    variations part parts session batch set run chunk segment seg split channel ch mono stereo left right norm
    normalized resampled trimmed aug augmented indoor outdoor room kitchen bedroom bathroom livingroom office car
"""
# Default names of recorders in some languages.
_RECORDERS = """
    aufnahme aufnahmen aufzeichnung sprachaufnahme sprachmemo standardaufnahme enregistrement grabacion grabación
    registrazione opname gravacao gravação nagranie memo memos note standard default dictation voicememo voicenote
"""
# Devices and programs.
_DEVICES = """
    img vid mov aud ptt pxl voc vn ste dr ds dm zoom tascam olympus sony dji gopro rode iphone ipad ipod android
    pixel samsung galaxy huawei xiaomi nokia macbook laptop pc phone mobile handy tablet headset mic mikrofon
    microphone usb webcam respeaker esp32 raspberry raspberrypi rpi pi atom box echo jabra whatsapp telegram signal
    audacity easyvoice screen device mp r09 h1 h1n h2 h2n h4 h4n h5 h6
"""
# Text-to-speech engines, often beside the name of a voice.
_ENGINES = """
    espeak piper kokoro pico gtts tts coqui xtts bark elevenlabs openai azure google microsoft edge voxcpm synthetic
    synth generated generator
"""
# Corpora and origins of speech.
_PLACES = """
    librispeech libritts libri mls vctk timit aishell cv common corpus corpora commands speechcommands voxceleb
    voxpopuli fleurs gigaspeech tedlium musan ami chime dipco people peoples lj ljspeech fsdd subset release tv
    radio podcast podcasts youtube movie movies film films audiobook audiobooks book books news conversation
    conversations dialog dialogue dialogues talk talks street home
"""
# Beside dates.
_TIMES = """
    at am pm uhr um date time
"""
_LANGUAGES = """
    en de fr es it pt nl pl ru uk tr sv da nb fi cs sk hu ro el ja zh ko ar hi vi id th he ca eu english german
    deutsch french spanish italian portuguese dutch polish russian
"""
_PEOPLE = """
    speaker spk spkr speakers user usr person participant subject subj donor actor sprecher sprecherin locuteur
    hablante parlante
"""

_ALL = (_RECORDINGS, _GREETINGS, _CONDITIONS, _RECORDERS, _DEVICES, _ENGINES, _PLACES, _TIMES)
GENERAL = frozenset(word for words in _ALL for word in words.split())
"""Compared in lower case, without accents and trailing digits."""
LANGUAGES = frozenset(_LANGUAGES.split())
"""Codes and names of languages."""
PEOPLE = frozenset(_PEOPLE.split())
"""Words before a speaker's number."""
