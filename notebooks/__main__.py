"""`python -m notebooks` executes the notebooks in place, so that the committed outputs are those of this version.

`python -m notebooks exponents checked_proof` executes these only.

Times, file names and versions of the machine are left out: the same code gives the same files, rounding errors aside.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def main() -> None:
    folder = Path(__file__).parent
    chosen = [folder / f"{name}.ipynb" for name in sys.argv[1:]]
    for path in chosen or sorted(folder.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        place = {"metadata": {"path": str(path.parent)}}
        NotebookClient(
            notebook, kernel_name="python3", record_timing=False, coalesce_streams=True, resources=place
        ).execute()
        notebook.metadata = {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
