// The folder of an artifact on the disk: graph.json, which names the length and the XXH64 of the weights file and ends in its own,
// and weights.safetensors. Replacing one is atomic for readers and for crashes:
//
// 1. The new folder is written beside the old one as ".athanor-<machine>-<letters>", a draft that is locked while its writer lives,
//    and brought to the disk.
// 2. The two swap their names in one call (renameat2 with RENAME_EXCHANGE, renameatx_np with RENAME_SWAP). Where there is no
//    older one, a rename is enough.
// 3. The old folder, now under the draft's name, goes: its files by name, then the empty folder. Nothing is ever removed
//    recursively.
//
// Where folders cannot be swapped (some network file systems, mount points, a parent that may not be written), the new files are
// written into the folder itself: "weights-<hash>.safetensors" first, then graph.json, which names it, is renamed over the
// older one; then the older weights go. In both ways a reader that opened the older files goes on reading them.
#pragma once
#include <string>
#include <vector>

#include "io/safetensors.h"

namespace athanor::io {

struct Artifact {
  std::string graph;  // JSON of an object that is not empty; "files" and "checksum" are added to it
  std::vector<TensorToWrite> tensors;
  std::string json_name = "graph.json";  // the file of that JSON; checkpoints of a run have "state.json"
};

// What a folder is, by its content.
struct Recognized {
  enum class Kind { empty, artifact, other } kind;
  std::string stranger;  // of `other`: what is wrong with it, "holds …"
};
Recognized recognize(int folder);

// Writes the artifact as the folder `place`, an absolute path without links. Throws Error: Code::argument where the place is
// something that is not an artifact; Code::io. After an error the older artifact is there as it was.
void write_artifact(const std::string& place, const Artifact& artifact, const std::string& operation);

// The bytes of graph.json, at most `most` of them. Throws Error: Code::io, also where there is none; Code::corrupt.
std::vector<std::byte> read_graph(const FileAt& at, std::uint64_t most, const std::string& operation);

// Removes what dead writers left in a folder that artifacts are saved in: drafts whose lock nobody holds.
void sweep_drafts(int parent);

// The names of files that an artifact is made of.
bool is_json_name(const std::string& name);
bool is_weights_name(const std::string& name);
bool is_draft_name(const std::string& name);

// The bytes of a JSON file that ends in its checksum, and the weights file that it names, if both are as they were written; `at` is
// the JSON file. Throws Error: Code::io, Code::corrupt.
struct Sealed {
  std::string json;
  std::string weights_name;
  Fingerprint weights;
};
Sealed read_sealed(const FileAt& at, std::uint64_t most, const std::string& operation);

// Removes the files of an artifact, and the folder if nothing else is in it.
void remove_artifact(int parent, const std::string& name);

}  // namespace athanor::io
