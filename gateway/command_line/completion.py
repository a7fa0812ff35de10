"""Scripts that make shells complete `warren`: commands, words, options, and the values that these may have.

    eval "$(warren completion bash)"
    warren completion zsh > ~/.zfunc/_warren        # a directory of $fpath
    warren completion fish > ~/.config/fish/completions/warren.fish

They are made from what commands and words say of themselves, and ask nobody while somebody types.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from warren.gateway.command_line.meanings import Meaning
from warren.gateway.command_line.names import COMMANDS
from warren.gateway.command_line.surface import Entry, Flag, commands, general_flags, words


def bash() -> str:
    """For bash 4 and later."""
    entries = _all()
    return _BASH.format(
        with_values=_values_of_flags('COMPREPLY=($(compgen -W "{values}" -- "$cur"))', _BASH_FILES, "")
        + f"    {_others()}) return ;;",
        with_value=_all_with_value(),
        groups=_groups(entries),
        first=" ".join(_first_words(entries)),
        general=" ".join(_typed(general_flags())),
        cases="\n".join(map(_bash_case, [*entries, *_as_entries(entries)])),
    )


def zsh() -> str:
    """For zsh 5: a file of $fpath, or to be sourced."""
    entries = _all()
    firsts = "\n".join(f"    {shlex.quote(name + ':' + about)}" for name, about in _described(entries))
    return _ZSH.format(
        with_values=_values_of_flags("compadd -- {values}", "_files", "") + f"    ({_others()}) return ;;",
        with_value=_all_with_value(),
        groups=_groups(entries),
        first=firsts,
        general=" ".join(_typed(general_flags())),
        cases="\n".join(map(_zsh_case, [*entries, *_as_entries(entries)])),
    )


def fish() -> str:
    """For fish 3."""
    head = _FISH_HEAD.replace("@COMMANDS@", " ".join(each for each in COMMANDS if each != "ctl"))
    lines = [head.replace("@WITH_VALUE@", " ".join(_flags_with_value()))]
    entries = _all()
    for name, about in _described(entries):
        lines.append(f"complete -c warren -n __warren_first -a {shlex.quote(name)} -d {_fish_text(about)}")
    for flag in general_flags():
        lines.append(f"complete -c warren -n __warren_word{_fish_flag(flag)}")
    for each in entries:
        *group, name = each.path.split()
        seen = f"__fish_seen_subcommand_from {name}"
        if group:
            lines.append(
                f"complete -c warren -n '__fish_seen_subcommand_from {group[0]}' -a {name} -d {_fish_text(each.about)}"
            )
        lines += [f"complete -c warren -n '{seen}'{_fish_flag(flag)}" for flag in each.flags]
        values = _values(each)
        if values:
            lines.append(f"complete -c warren -n '{seen}' -a {shlex.quote(' '.join(values))}")
        if _takes_files(each):
            lines.append(f"complete -c warren -n '{seen}' -F")
    return "\n".join(lines) + "\n"


SHELLS: Final[Mapping[str, Callable[[], str]]] = {"bash": bash, "zsh": zsh, "fish": fish}


def _all() -> list[Entry]:
    return [*commands(), *words()]


def _first_words(entries: Iterable[Entry]) -> list[str]:
    return list(dict.fromkeys(each.path.split()[0] for each in entries))


def _described(entries: Iterable[Entry]) -> list[tuple[str, str]]:
    """What may be the first word, and the first line of what it is."""
    found: dict[str, str] = {}
    for each in entries:
        found.setdefault(each.path.split()[0], " ".join(each.about.split()))
    return list(found.items())


def _groups(entries: Iterable[Entry]) -> str:
    """Commands that are followed by another word."""
    return "|".join(dict.fromkeys(["ctl", *(each.path.split()[0] for each in entries if " " in each.path)]))


def _as_entries(entries: Iterable[Entry]) -> list[Entry]:
    """Those commands themselves, which take the words that may follow."""
    found: dict[str, list[str]] = {}
    for each in entries:
        group, _, name = each.path.partition(" ")
        if name:
            found.setdefault(group, []).append(name)
    return [Entry(group, "", "", (), [Meaning("", tuple(names))]) for group, names in found.items()]


def _values(entry: Entry) -> list[str]:
    return [value for each in entry.takes for value in each.values]


def _takes_files(entry: Entry) -> bool:
    return any(each.is_file for each in entry.takes)


def _typed(flags: Iterable[Flag]) -> list[str]:
    return [each for flag in flags for each in (flag.long, flag.short) if each]


def _flags_with_value() -> dict[str, Meaning]:
    """By what is typed; one that means several things in several commands has all its values."""
    found: dict[str, Meaning] = {}
    for flag in (*general_flags(), *(flag for each in _all() for flag in each.flags)):
        for typed in _typed([flag]) if flag.value else ():
            found.setdefault(typed, flag.meaning)
    return found


def _values_of_flags(with_values: str, with_files: str, indent: str) -> str:
    """Cases of the word before the one that is typed."""
    lines = []
    for typed, meaning in _flags_with_value().items():
        if meaning.values:
            lines.append(f"    ({typed}) {with_values.format(values=' '.join(meaning.values))}; return ;;")
    files = "|".join(typed for typed, meaning in _flags_with_value().items() if meaning.is_file)
    lines.append(f"    ({files}) {with_files}; return ;;")
    return "\n".join(lines) + "\n"


def _others() -> str:
    """Options whose value nobody knows."""
    found = _flags_with_value().items()
    return "|".join(typed for typed, meaning in found if not meaning.values and not meaning.is_file)


def _all_with_value() -> str:
    return "|".join(_flags_with_value())


def _bash_case(entry: Entry) -> str:
    flags = " ".join([*_typed(entry.flags), *_values(entry)])
    files = f" {_BASH_FILES_TOO};" if _takes_files(entry) else ""
    return f'    ("{entry.path}") COMPREPLY=($(compgen -W "{flags} $general" -- "$cur"));{files} return ;;'


def _zsh_case(entry: Entry) -> str:
    flags = " ".join(shlex.quote(each) for each in [*_typed(entry.flags), *_values(entry)])
    files = " _files;" if _takes_files(entry) else ""
    return f'    ("{entry.path}") compadd -- {flags} $general;{files} return ;;'


def _fish_flag(flag: Flag) -> str:
    text = f" -l {flag.long.removeprefix('--')}"
    if flag.short:
        text += f" -s {flag.short.removeprefix('-')}"
    if flag.value:
        text += " -r" if flag.meaning.is_file else " -x"
    if flag.meaning.is_file:
        text += " -F"
    if flag.meaning.values:
        text += f" -a {shlex.quote(' '.join(flag.meaning.values))}"
    return f"{text} -d {_fish_text(flag.meaning.about)}"


def _fish_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_BASH_FILES: Final = 'COMPREPLY=($(compgen -f -- "$cur"))'
_BASH_FILES_TOO: Final = 'COMPREPLY+=($(compgen -f -- "$cur"))'

_BASH: Final = """# Completion of warren for bash; made by: warren completion bash
_warren() {{
  local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}" word="" group="" i
  local general="{general}"
  COMPREPLY=()
  case "$prev" in
{with_values}
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${{COMP_WORDS[i-1]}}" in {with_value}) continue ;; esac
    case "${{COMP_WORDS[i]}}" in
      -*) ;;
      {groups}) [[ -z $group ]] && group="${{COMP_WORDS[i]}}" ;;
      *) word="${{COMP_WORDS[i]}}"; break ;;
    esac
  done
  [[ -n $group && $group != ctl && -n $word ]] && word="$group $word"
  if [[ -z $word && -n $group && $group != ctl ]]; then word="$group"; fi
  case "$word" in
    ("") COMPREPLY=($(compgen -W "{first} $general" -- "$cur")); return ;;
{cases}
  esac
}}
complete -F _warren warren
"""

_ZSH: Final = """#compdef warren
# Completion of warren for zsh; made by: warren completion zsh
_warren() {{
  local word="" group="" i
  local -a general first
  general=({general})
  case "$words[CURRENT-1]" in
{with_values}
  esac
  for ((i = 2; i < CURRENT; i++)); do
    case "$words[i-1]" in ({with_value}) continue ;; esac
    case "$words[i]" in
      (-*) ;;
      ({groups}) [[ -z $group ]] && group="$words[i]" ;;
      (*) word="$words[i]"; break ;;
    esac
  done
  [[ -n $group && $group != ctl && -n $word ]] && word="$group $word"
  if [[ -z $word && -n $group && $group != ctl ]]; then word="$group"; fi
  if [[ -z $word ]]; then
    first=(
{first}
    )
    _describe -t commands command first
    compadd -- $general
    return
  fi
  case "$word" in
{cases}
  esac
}}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _warren "$@"
else
  compdef _warren warren
fi
"""

_FISH_HEAD: Final = """# Completion of warren for fish; made by: warren completion fish
function __warren_first
    set -l typed (commandline -opc)
    set -e typed[1]
    set -l skip 0
    for each in $typed
        if test $skip -eq 1
            set skip 0
            continue
        end
        switch $each
            case @WITH_VALUE@
                set skip 1
            case '-*' ctl
            case '*'
                return 1
        end
    end
    return 0
end
function __warren_word
    not __fish_seen_subcommand_from @COMMANDS@
end
complete -c warren -f"""
