"""Tables of exponents as text, Markdown and LaTeX."""

from __future__ import annotations

from tensorprog.notation import LATEX, law, order
from tensorprog.readings.entry import NO_BOUND, Entry
from tensorprog.readings.table import Table


def cells(table: Table) -> tuple[list[int], list[int], dict[tuple[int, int], Entry]]:
    """Rows D, columns d, and the entries by order."""
    found = {(entry.D, entry.d): entry for entry in (*table.boundless, *table)}
    return sorted({D for D, _ in found}), sorted({d for _, d in found}), found


def plain(table: Table) -> str:
    """A grid for the terminal, with the statuses, m(n), and constants below."""
    rows, columns, found = cells(table)
    grid = [["", *(f"d={d}" for d in columns)]]
    grid += [[f"D={D}", *(str(found.get((D, d), "")) for d in columns)] for D in rows]
    widths = [max(len(line[i]) for line in grid) for i in range(len(columns) + 1)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in grid]
    lines += ["", f"status: {_statuses(table)}" + (f"; κ = {table.kappa}" if table.kappa else "")]
    lines += [str(table.fixed), str(table.exponential), *footnotes(table)]
    constants = [f"  {order(entry.D, entry.d)}: {entry.limit}" for entry in table if entry.limit]
    return "\n".join([*lines, *(["constants at these inputs:", *constants] if constants else [])])


def footnotes(table: Table) -> list[str]:
    """What the bounds assume, and why there is none."""
    lines: dict[str, list[str]] = {}
    for entry in (*table, *table.boundless):
        name = order(entry.D, entry.d)
        if entry.has_bound:
            for assumption in entry.assumptions:
                lines.setdefault(f"assumed, and not shown: {assumption}", []).append(name)
        else:
            lines.setdefault(entry.derivation.steps[0].rule, []).append(name)
    return [f"{', '.join(names)} {text}" for text, names in lines.items()]


def _statuses(table: Table) -> str:
    """The status of all entries, or each with the orders that have it: "definite; upper bound: C^{0,2}, C^{1,2}"."""
    orders: dict[str, list[str]] = {}
    for entry in (*table, *table.boundless):
        orders.setdefault(entry.status, []).append(order(entry.D, entry.d))
    most = max(orders, key=lambda status: len(orders[status]))
    rest = [f"{status}: {', '.join(names)}" for status, names in sorted(orders.items()) if status != most]
    return "; ".join([most, *rest])


def markdown(table: Table) -> str:
    """The same grid as a Markdown table."""
    rows, columns, found = cells(table)
    lines = ["| | " + " | ".join(f"d={d}" for d in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| D={D} | " + " | ".join(str(found.get((D, d), "")) for d in columns) + " |" for D in rows]
    notes = [f"{note}." for note in footnotes(table)]
    return "\n".join([*lines, "", "  \n".join([f"{table.fixed}.", f"{table.exponential}.", *notes])])


def latex(table: Table) -> str:
    """The same grid as a LaTeX tabular."""
    rows, columns, found = cells(table)
    lines = [r"\begin{tabular}{l" + "c" * len(columns) + "}", r"\hline"]
    lines.append(" & ".join(["", *(f"$d={d}$" for d in columns)]) + r" \\ \hline")
    for D in rows:
        lines.append(" & ".join([f"$D={D}$", *(latex_law(found.get((D, d))) for d in columns)]) + r" \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}"])


def latex_law(entry: Entry | None) -> str:
    """n^{e} (\\log n)^{l} in mathematics mode, empty for a missing entry."""
    if entry is None:
        return ""
    return law(entry.law, LATEX) if entry.has_bound else NO_BOUND
