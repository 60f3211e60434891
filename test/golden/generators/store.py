"""One golden set: <name>.safetensors holds the tensors, <name>.json says what they mean and holds the scalars.

Scalars in the JSON are float64 in shortest round-trip decimal, so nothing is lost in either file. Files are written with
sorted keys: the same values give the same bytes.
"""

import json
import pathlib
import struct

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent.parent / "data"
DTYPES = {"float32": "F32", "float64": "F64", "int32": "I32", "int64": "I64", "uint8": "U8"}


def drawn(generator, *shape, scale=1.0):
    """Normal float64 values that float32 represents exactly, so both precisions start from the same point."""
    return (torch.randn(shape, generator=generator) * scale).double()


class Store:
    def __init__(self, name, about):
        self.name = name
        self.record = {"about": about, "torch": torch.__version__.split("+")[0], "cases": []}
        self.tensors = {}

    def put(self, key, tensor, dtype=None):
        """Stores a copy under `key` and returns the key, so that a record can name it where it is born."""
        assert key not in self.tensors, key
        array = tensor.detach().cpu().numpy() if isinstance(tensor, torch.Tensor) else np.asarray(tensor)
        self.tensors[key] = np.array(array, dtype=dtype or array.dtype, order="C")
        return key

    def add(self, case):
        self.record["cases"].append(case)

    def write(self):
        header, offset = {}, 0
        for key, array in sorted(self.tensors.items(), key=lambda item: (-item[1].itemsize, item[0])):
            header[key] = {
                "dtype": DTYPES[str(array.dtype)],
                "shape": list(array.shape),
                "data_offsets": [offset, offset + array.nbytes],
            }
            offset += array.nbytes
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        body = b"".join(self.tensors[key].tobytes() for key in header)
        if header:
            (HERE / f"{self.name}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)
        lines = json.dumps(self.record, indent=1, sort_keys=True)
        (HERE / f"{self.name}.json").write_text(lines + "\n")
        return 8 + len(text) + len(body) + len(lines)

    def difference(self):
        """Largest |this − committed| / max(1, |committed|) over all tensors, and the tensor it is in."""
        if not self.tensors:
            same = json.loads((HERE / f"{self.name}.json").read_text()) == json.loads(json.dumps(self.record))
            return (0.0, "") if same else (float("inf"), "the record")
        raw = (HERE / f"{self.name}.safetensors").read_bytes()
        size = struct.unpack("<Q", raw[:8])[0]
        header = json.loads(raw[8 : 8 + size])
        if set(header) != set(self.tensors):
            raise SystemExit(f"{self.name}: tensors differ: {sorted(set(header) ^ set(self.tensors))[:5]}")
        names = {code: dtype for dtype, code in DTYPES.items()}
        worst = (0.0, "")
        for key, entry in header.items():
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            old = np.frombuffer(raw[begin:end], names[entry["dtype"]]).reshape(entry["shape"]).astype(np.float64)
            gap = np.abs(self.tensors[key].astype(np.float64) - old) / np.maximum(1, np.abs(old))
            worst = max(worst, (float(gap.max(initial=0)), key))
        return worst
