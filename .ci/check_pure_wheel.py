"""Checks a wheel that was built without a compiler: pure Python, it runs, and it says why once."""

import pathlib
import subprocess
import sys
import tempfile
import zipfile

# `-P` keeps the working directory, and so the sources of a clone, out of the path.
_PROGRAM = """
import brainfn as bf, jax.numpy as jnp
matrix = bf.event.CSR.fromdense(jnp.array([[0.0, 2.0], [3.0, 0.0]]))
for _ in range(2):
    assert (jnp.array([1.0, 0.0]) @ matrix).tolist() == [0.0, 2.0]
assert set(bf.event.kernels().values()) == {"reference"}, bf.event.kernels()
print(bf.__file__)
"""


def main(wheel: pathlib.Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl"), wheel.name
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            libraries = [n for n in archive.namelist() if n.endswith((".so", ".dylib", ".dll"))]
            assert not libraries, libraries
            archive.extractall(folder)
        program = f"import sys; sys.path.insert(0, {folder!r})\n{_PROGRAM}"
        result = subprocess.run(
            [sys.executable, "-P", "-W", "default", "-c", program], capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith(folder), result.stdout
        assert result.stderr.count("reference lowering") == 1, result.stderr
    print(f"{wheel.name}: runs on the reference lowering and says so once")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
