"""Text that LaTeX prints as it is: nothing of it is ever a command, a comment or a ligature."""

import re
import unicodedata

from showdown.report.prose import spans

_COMMANDS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_\allowbreak{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "[": r"{[}",
    "]": r"{]}",
    "*": r"{*}",
}
"""The signs that mean something, or that a line's end before them would take for its own argument (`[`, `*`)."""
_LONG_WORD = 16
_LONG_BREAK = r"\allowbreak{}"
_JOINED = re.compile(r"([-,])(?=\1)")
"""Twice in a row these two become a dash and a quotation mark."""
_PRINTED = frozenset(
    "¡¢£¥¦§©ª«¬®°±²³µ¶·¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ"
    "ĀāĂăĄąĆćĈĉĊċČčĎďĐđĒēĔĕĖėĘęĚěĜĝĞğĠġĢģĤĥĨĩĪīĬĭĮįİıĴĵĶķĹĺĻļĽľŁłŃńŅņŇňŊŋŌōŎŏŐőŒœŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŨũŪūŬŭŮůŰűŲų"
    "ŴŵŶŷŸŹźŻżŽžȘșȚț–—‘’‚“”„†‡•…‰‹›€№™←↑→↓"
)
"""What pdfLaTeX prints beyond ASCII in the T1 encoding; a test compiles all of it."""


def latex(text: str) -> str:
    r"""Return text as LaTeX that prints it on one line, under any engine and with `\usepackage[T1]{fontenc}`.

    A character that pdfLaTeX has no glyph for stands as its code point, `[U+4E2D]`, so that none is lost.
    """
    return _escaped(_one_line(text))


def latex_prose(sentence: str) -> str:
    """Return a sentence as LaTeX that prints it on one line, with what stands between backticks as code."""
    parts = ((_escaped(part), is_code) for part, is_code in spans(_one_line(sentence)))
    return "".join(rf"\texttt{{{part}}}" if is_code else part for part, is_code in parts)


def _one_line(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _escaped(one_line: str) -> str:
    return _JOINED.sub(r"\1{}", " ".join(_word(word) for word in one_line.split(" ")))


def _word(word: str) -> str:
    """Return a word that may be broken anywhere where no line would hold it."""
    breaks = _LONG_BREAK if len(word) > _LONG_WORD else ""
    return breaks.join(_printed(character) for character in word)


def _printed(character: str) -> str:
    if character in _COMMANDS:
        return _COMMANDS[character]
    if " " <= character <= "~" or character in _PRINTED:
        return character
    return rf"{{[}}U+{ord(character):04X}{{]}}"
