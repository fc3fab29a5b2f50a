"""What pandoc leaves out of a Word file: the page, its running head, its number."""

import html
import zipfile
from pathlib import Path


def number_pages(path: Path, title: str) -> None:
    """Give a Word file A4 pages with a running head and page numbers; its other bytes stay."""
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    number = '<w:fldSimple w:instr="PAGE"><w:r><w:t>1</w:t></w:r></w:fldSimple>'
    told = {  # part -> its element and what stands in it
        "header": ("hdr", f"<w:r><w:t>{html.escape(title)}</w:t></w:r>"),
        "footer": ("ftr", number),
    }
    with zipfile.ZipFile(path) as packed:
        parts = {entry: packed.read(entry).decode("latin-1") for entry in packed.infolist()}
    places = "".join(f'<w:{it}Reference w:type="default" r:id="{it}"/>' for it in told)
    page = '<w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1417" w:right="1417" w:bottom="1417"'
    page += ' w:left="1417" w:header="708" w:footer="708" w:gutter="0"/>'
    section = f'<w:sectPr xmlns:r="{office}">{places}{page}</w:sectPr></w:body>'
    types = "".join(
        f'<Override PartName="/word/{it}.xml" ContentType="{kind}.{it}+xml"/>' for it in told
    )
    links = "".join(
        f'<Relationship Id="{it}" Type="{office}/{it}" Target="{it}.xml"/>' for it in told
    )
    changes = {
        "word/document.xml": ("</w:body>", section),
        "[Content_Types].xml": ("</Types>", f"{types}</Types>"),
        "word/_rels/document.xml.rels": ("</Relationships>", f"{links}</Relationships>"),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for entry, text in parts.items():
            text = text.replace(*changes.get(entry.filename, ("", "")))
            packed.writestr(entry, text.encode("latin-1"), zipfile.ZIP_DEFLATED)
        for it, (tag, run) in told.items():
            line = f'<w:p><w:pPr><w:jc w:val="center"/></w:pPr>{run}</w:p>'
            text = f'<w:{tag} xmlns:w="{space}">{line}</w:{tag}>'
            entry = zipfile.ZipInfo(f"word/{it}.xml", next(iter(parts)).date_time)
            packed.writestr(entry, text.encode(), zipfile.ZIP_DEFLATED)
