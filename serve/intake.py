"""Conversion of one client's messages to whole frames of samples, or to the reason why they are no audio."""

from __future__ import annotations

from wakeword.errors import WakewordError

from .audio_format import AudioFormat, looks_like_float32
from .query import FORMAT_PARAMETERS, StreamQuery
from .stream_head import WAV, HeadError, recognised, wav_head

_CHUNKS_AFTER_SAMPLES = frozenset(
    b"LIST,id3 ,ID3 ,bext,cue ,smpl,inst,fact,PEAK,JUNK,junk,PAD ,FLLR,iXML,axml,_PMX,afsp,acid,cart,LGWV,DISP,note"
    b",plst,umid,slnt".split(b",")
)
"""Chunks after a WAV's samples: text and marks, no audio."""

_MESSAGES_TO_JUDGE = 10
"""Messages with signal that are checked for undeclared float32."""


class BadAudio(WakewordError):
    """The message cannot be samples; `code` is the WebSocket's close code."""

    exit_code = 8

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Intake:
    """The bytes of one stream, message by message; `format` is their format as known so far."""

    def __init__(self, query: StreamQuery) -> None:
        self.format: AudioFormat = query.format
        self.from_header = False
        """Whether the format comes from a WAV header."""
        self._declared = query.declared
        self._head: bytearray | None = bytearray()
        self._is_wav = False
        self._fault: BadAudio | None = None
        self._left: int | None = None
        self._rest = b""
        self._behind = b""
        self._unsure = _MESSAGES_TO_JUDGE
        self._over = False

    def foreign(self, message: bytes) -> str:
        """Kind of file that the stream is, recognised with this message; empty for samples and WAV."""
        name = None if self._head is None or self._is_wav else recognised(bytes(self._head) + message)
        return "" if name in (None, "", WAV) else str(name)

    def push(self, message: bytes) -> bytes:
        """Whole frames of `format`; the first bytes are held back until their kind is recognised.

        Raises BadAudio for a file without raw samples (1003), a message that is not a whole number of frames, an
        unusable header, and impossible samples (1007).
        """
        if self._head is None:
            return self._samples(message)
        if not self._is_wav:
            if name := self.foreign(message):
                raise BadAudio(1003, f"this is {name}, not raw samples: send PCM, or POST the file to /v1/detect")
            # Reported only if the stream turns out to be no file, whose kind is the better message.
            if self._fault is None and (fault := self.format.length_fault(len(message))):
                self._fault = BadAudio(1007, fault)
        self._head += message
        head = bytes(self._head)
        if not self._is_wav:
            found = recognised(head)
            if found is None:
                return b""
            self._is_wav = found == WAV
        return self._from_header(head) if self._is_wav else self._raw(head)

    def finish(self) -> bytes:
        """End of the audio: the bytes held back. Raises BadAudio as `push`."""
        if self._head is None:
            return b""
        if self._is_wav:
            raise BadAudio(1007, "the audio ended inside its WAV header")
        return self._raw(bytes(self._head))

    def _raw(self, head: bytes) -> bytes:
        if self._fault is not None:
            raise self._fault
        self._head = None
        return self._checked(head)

    def _from_header(self, head: bytes) -> bytes:
        try:
            header = wav_head(head)
        except HeadError as error:
            raise BadAudio(1007, str(error)) from error
        if header is None:
            return b""
        stated = dict(zip(FORMAT_PARAMETERS, self.format.facts().values(), strict=True))
        in_header = dict(zip(FORMAT_PARAMETERS, header.format.facts().values(), strict=True))
        for name in sorted(self._declared):
            if stated[name] != in_header[name]:
                both = f"the WAV header says {name}={in_header[name]}, the query {name}={stated[name]}"
                raise BadAudio(1007, f"{both}: leave that out")
        self.format, self.from_header = header.format, True
        self._left, self._head = header.data_bytes, None
        return self._samples(head[header.size :])

    def _samples(self, message: bytes) -> bytes:
        if message[:4] == b"RIFF" and message[8:12] == b"WAVE":
            raise BadAudio(1007, "a WAV header inside the stream: send one header, then samples only")
        if not self.from_header:
            if fault := self.format.length_fault(len(message)):
                raise BadAudio(1007, fault)
            return self._checked(message)
        # A file is sent in pieces of any length, so bytes of an incomplete frame wait for the next message.
        data = self._rest + self._within_data(message)
        whole = len(data) - len(data) % self.format.frame_bytes
        self._rest = data[whole:]
        return self._checked(data[:whole])

    def _within_data(self, message: bytes) -> bytes:
        """The samples in `message`: a WAV states their number, and text may follow them."""
        if self._over:
            return b""
        if self._left is None:
            return message
        samples, behind = message[: self._left], self._behind + message[self._left :]
        self._left -= len(samples)
        if len(behind) < 5:
            self._behind = behind
            return samples
        # Where no known chunk follows, the stated number was wrong. An odd number of bytes is padded by one.
        self._over = behind[:4] in _CHUNKS_AFTER_SAMPLES or behind[1:5] in _CHUNKS_AFTER_SAMPLES
        self._left = None
        return samples if self._over else samples + behind

    def _checked(self, data: bytes) -> bytes:
        if fault := self.format.value_fault(data):
            raise BadAudio(1007, fault)
        if self._unsure and self.format.encoding == "pcm_s16le" and not self.from_header:
            answer = looks_like_float32(data)
            if answer:
                raise BadAudio(1007, "these are float32 samples, not int16: add encoding=pcm_f32le to the query")
            self._unsure -= answer is not None
        return data
