// The state of a run as variables: copied aside between two steps, written from the copies to a safetensors file while training
// goes on, and read back into place. No value passes through JavaScript.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "runtime/variable.h"

namespace athanor {

struct NamedVariable {
  std::string name;  // in the file
  std::shared_ptr<Variable> variable;
};

// Room for copies of variables: side by side in one arena, and all of its memory is there, so that the first copy costs no more than
// later ones.
std::vector<std::shared_ptr<Variable>> make_copies(std::span<const std::shared_ptr<Variable>> like);

// to[i] ← from[i], all as of one moment: a step that runs ends first, and none begins meanwhile. Counts and types must agree
// (Code::shape).
void copy_variables(std::span<const std::shared_ptr<Variable>> from, std::span<const std::shared_ptr<Variable>> to,
                    Parallel& parallel);

// Writes a checkpoint as the folder `place` (io/artifact_folder.h): `json` in state.json, and the values as of one moment, atomically;
// whoever would change them waits. Throws what io::write_artifact throws.
void write_state(const std::string& place, const std::string& json, std::span<const NamedVariable> entries,
                 const std::string& operation);

// The JSON of a checkpoint, if all of it is as it was written. Throws Code::io, Code::corrupt.
std::string read_state(const std::string& place, const std::string& operation);

// Reads the values of all entries; the checkpoint may hold more. Throws before any is changed: Code::corrupt for a damaged file,
// Code::shape naming a tensor that is missing or of another type.
void read_variables(const std::string& place, std::span<const NamedVariable> entries, const std::string& operation);

// Removes a checkpoint, and nothing else that lies in its folder.
void remove_state(const std::string& place);

}  // namespace athanor
