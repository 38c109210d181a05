"""The command line's front door: picks the command, and turns what goes wrong into one line."""

import os
import sys
import warnings
from importlib import import_module

from anyview._version import __version__

COMMANDS = {
    "pretrain": "pretrain an encoder on unlabelled data",
    "resume": "go on with a run that was interrupted",
    "evaluate": "judge an encoder beside an untrained one and raw features",
    "compare": "pretrain several methods alike and see which one, how sure, at what cost",
    "suite": "judge an encoder on many tasks by one published protocol",
    "select": "rank runs without labels, by what their embeddings look like",
    "health": "look for signs of collapse in the embeddings of any encoder",
    "explore": "look at embeddings in the browser, on this machine only",
    "embed": "write embeddings to a Parquet or npy file",
    "systems": "list the published systems that are implemented",
    "demo": "the main job on a small built-in dataset, offline, in about two minutes",
}

USAGE = """anyview {version} · pretrains encoders on unlabelled data, and shows that it worked

usage: anyview COMMAND ...

{commands}

anyview COMMAND --help lists what a command takes; --debug shows tracebacks.
start     anyview demo
then      anyview pretrain simclr your/photos/ --minutes 10"""


def main(argv: list[str] | None = None) -> int:
    """Runs one command. Exit codes: 0 done, 1 a run failed, 2 input that cannot work, 130 interrupted."""
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    args = [a for a in args if a != "--debug"]
    if not args or args[0] in ("-h", "--help", "help"):
        listed = "\n".join(f"  {name:<10} {text}" for name, text in COMMANDS.items())
        print(USAGE.format(version=__version__, commands=listed))
        return 0
    if args[0] in ("-V", "--version"):
        print(f"anyview {__version__}")
        return 0

    from anyview.errors import InputError, Interrupted, RunError, unknown

    warnings.showwarning = _warn
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # its warnings are not for people who train
    try:
        if args[0] not in COMMANDS:
            raise unknown("command", args[0], COMMANDS)
        return import_module(f"anyview.cli.{args[0]}").run(args[1:]) or 0
    except InputError as error:
        return _fail(error, 2, debug)
    except RunError as error:
        return _fail(error, 1, debug)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Interrupted as stopped:
        print(stopped, file=sys.stderr)
        return 130
    except Exception as error:
        if debug:
            raise
        print(
            f"error: {type(error).__name__}: {error} (a fault of anyview; --debug shows where)",
            file=sys.stderr,
        )
        return 1


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    from anyview.errors import printable

    print(f"warning: {printable(str(message))}", file=sys.stderr)


def _fail(error: Exception, code: int, debug: bool) -> int:
    if debug:
        raise error
    text = str(error)
    print(text if text.startswith("stopped:") else f"error: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
