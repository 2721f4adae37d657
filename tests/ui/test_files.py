"""The list of files, as it is written."""

import re

from swath.ui.files import write_files


def test_an_archive_has_no_rows_of_its_own() -> None:
    """It holds the files above it; a table of 0 rows it is not."""
    common = {"url": "/results/secret/x", "bytes": 300, "sha256": "a" * 64}
    orders = {"name": "orders.csv", "collection": "orders", "format": "csv", "rows": 7, "columns": 3}
    packed = {"name": "Orders.zip", "collection": "", "format": "zip", "rows": 0, "columns": 0}
    written = write_files({"results": [common | orders, common | packed]})
    _, first, second = re.findall(r"<tr.*?</tr>", str(written), re.DOTALL)
    cells = [re.sub("<.*?>", "", cell) for cell in re.findall(r"<td.*?</td>", first + second, re.DOTALL)]
    assert cells[:6] == ["orders.csv", "orders", "csv", "7", "3", "300 B"]
    assert cells[7:13] == ["Orders.zip", "all of these files", "zip", "–", "–", "300 B"]
