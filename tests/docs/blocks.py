"""Code blocks of the pages, with the file that each says it is."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@dataclass(frozen=True)
class Block:
    page: str
    language: str
    code: str

    @property
    def file(self) -> str | None:
        """``src/anyview/...py`` when the first line is a comment that says so."""
        found = re.match(r"# (\S+\.py)\n", self.code)
        return found[1] if found else None


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [Block(page.name, language, code) for language, code in found]


def files(page: Path) -> dict[str, str]:
    """The blocks that are whole files, by the file's name."""
    return {block.file: block.code for block in blocks(page) if block.file}
