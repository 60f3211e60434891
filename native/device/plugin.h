// The table that a device plugin exports: memory, streams, events, captured graphs and one launcher for each kernel family. The CUDA
// plugin (cuda/, compiled by nvcc) and its emulation on the CPU (the same kernels, compiled by g++) fill the same table, so that all
// host code above it runs without a GPU. Nothing here names a CUDA type; nothing throws across it: a call that cannot do its work
// returns a Result, and last_error() has the sentence.
//
// Addresses in launch structs are device memory unless said otherwise. Launch structs are read before the call returns: what they
// point to in host memory (the code of an elementwise program) may go at once. Launches are ordered by their stream and never wait
// for the device. Where CPU kernels have a struct for the same work (kernels/*.h), the launcher takes that struct; its
// callbacks (`epilogue`, `pack`) are ignored.
#pragma once
#include <cstdint>

#include "base/dtype.h"
#include "base/index.h"
#include "device/launch.h"
#include "device/quant_launch.h"
#include "device/sparse_launch.h"

namespace athanor::device {

// Update rules and elementwise instructions cross by number: a row more in either table makes another version.
inline constexpr std::uint32_t kTableVersion = 4;
inline constexpr std::uint32_t kPluginVersion =
    kTableVersion | static_cast<std::uint32_t>(optim::kRuleCount) << 8 | static_cast<std::uint32_t>(EwOp::fma) << 16;
inline constexpr const char* kPluginEntry = "athanor_device_plugin";

enum class Result : std::int32_t {
  ok = 0,
  no_driver,      // the driver's library is missing or too old
  no_device,      // a driver, but no device of that number
  out_of_memory,  // of the device
  device_lost,    // the context is unusable; all its memory is gone
  unsupported,    // this device cannot run such a launch; see Launcher::refuses
  failed,
};

struct DeviceInfo {
  char name[128] = {};
  char detail[128] = {};  // "compute capability 9.0, driver 13.0", or what the emulator checks
  std::int32_t major = 0, minor = 0;
  std::int32_t multiprocessors = 0;
  Index total_bytes = 0;
  Index free_bytes = 0;
  Index shared_bytes = 0;  // the most that a block may ask for
};

// Made and owned by the plugin.
struct Stream;
struct Event;
struct StepGraph;  // what a stream was told between capture_begin and capture_end, to be run again and again

// One kernel family. `workspace` answers the bytes of device memory, 256-byte aligned, that run() needs beside the operands; only
// sizes, types and which pointers are null count. `refuses` answers null, or why this device cannot do such work: the end of a
// sentence, for UnsupportedOpError at compile time. Both are cheap and need no device. No launch needs its workspace cleared.
template <class Args>
struct Launcher {
  const char* (*refuses)(const Args& args) = nullptr;
  Index (*workspace)(const Args& args) = nullptr;
  Result (*run)(Stream* stream, const Args& args, void* workspace) = nullptr;
};

struct Launchers {
  Launcher<Elementwise> elementwise;
  Launcher<Reduce> reduce;
  Launcher<Matmul> matmul;
  Launcher<Softmax> softmax;
  Launcher<SoftmaxGrad> softmax_grad;
  Launcher<CrossEntropy> cross_entropy;
  Launcher<CrossEntropyGrad> cross_entropy_grad;
  Launcher<Copy> copy;
  Launcher<Pad> pad;
  Launcher<Fill> fill;
  Launcher<GatherRows> gather_rows;
  Launcher<ScatterAddRows> scatter_add_rows;
  Launcher<Gather> gather;
  Launcher<ScatterAdd> scatter_add;
  Launcher<OneHot> one_hot;
  Launcher<Range> range;
  Launcher<BatchGather> batch_gather;
  Launcher<Assign> assign;
  Launcher<OptimStep> optim_step;
  Launcher<Norm> norm;
  Launcher<NormGrad> norm_grad;
  Launcher<BatchNorm> batch_norm;
  Launcher<BatchNormGrad> batch_norm_grad;
  Launcher<Pool> pool;
  Launcher<PoolGrad> pool_grad;
  Launcher<Conv> conv;
  Launcher<ConvGradInput> conv_grad_input;
  Launcher<ConvGradWeight> conv_grad_weight;
  Launcher<Attention> attention;
  Launcher<AttentionGrad> attention_grad;
  Launcher<ExactI32> exact_i32;
  Launcher<CheckedI32> checked_i32;
  Launcher<TopMask> top_mask;
  Launcher<NearestEntry> nearest_entry;
  Launcher<QuantPack> quant_pack;
  Launcher<QuantMatmul> quant_matmul;
  Launcher<QuantConv> quant_conv;
  Launcher<SparseRank> sparse_rank;
  Launcher<SparseExpand> sparse_expand;
  Launcher<SparseCollect> sparse_collect;
  Launcher<SparseRows> sparse_rows;
  Launcher<TwoFourPack> two_four_pack;
  Launcher<TwoFourMatmul> two_four_matmul;
  Launcher<TilesPack> tiles_pack;
  Launcher<TilesMatmul> tiles_matmul;
  // The loop of many steps: what a turn takes and what it leaves.
  Launcher<Begin> begin;
  Launcher<Advance> advance;
  Launcher<TurnCopy> turn_copy;
  Launcher<Record> record;
};

struct Plugin {
  std::uint32_t version = kPluginVersion;
  std::uint32_t bytes = 0;     // sizeof(Plugin): a mismatch means another build
  const char* name = nullptr;  // "cuda" or "cuda-emulated"

  // The sentence of this thread's last call that was not ok; "" where there was none.
  const char* (*last_error)() = nullptr;
  // Calls of this table that reached the device since the library was opened: launches of kernels, copies, waits of the host.
  void (*counters)(std::int64_t* launches, std::int64_t* copies, std::int64_t* waits) = nullptr;

  Result (*device_count)(int* count) = nullptr;
  Result (*device_info)(int device, DeviceInfo* info) = nullptr;

  // Device memory, 256-byte aligned, of unspecified contents. Zero bytes give null.
  Result (*allocate)(int device, Index bytes, void** memory) = nullptr;
  Result (*release)(int device, void* memory) = nullptr;
  // Host memory that copies run from and to without staging.
  Result (*allocate_pinned)(Index bytes, void** memory) = nullptr;
  Result (*release_pinned)(void* memory) = nullptr;

  Result (*stream_create)(int device, Stream** stream) = nullptr;
  Result (*stream_destroy)(Stream* stream) = nullptr;
  Result (*stream_wait)(Stream* stream) = nullptr;  // the host waits for all that the stream was given

  // In the stream's order. Host memory of upload and download must live until the copy is done (stream_wait, an event); from memory
  // that is not pinned the call may wait. copy: both ends on the stream's device or on peers.
  Result (*upload)(Stream* stream, void* to, const void* from, Index bytes) = nullptr;
  Result (*download)(Stream* stream, void* to, const void* from, Index bytes) = nullptr;
  Result (*copy)(Stream* stream, void* to, const void* from, Index bytes) = nullptr;
  Result (*clear)(Stream* stream, void* to, Index bytes) = nullptr;  // to zero bytes

  Result (*event_create)(int device, Event** event) = nullptr;
  Result (*event_destroy)(Event* event) = nullptr;
  Result (*event_record)(Event* event, Stream* stream) = nullptr;
  Result (*event_wait)(Stream* stream, Event* event) = nullptr;  // the stream waits; the host does not
  Result (*event_done)(Event* event, bool* done) = nullptr;
  Result (*event_synchronize)(Event* event) = nullptr;
  Result (*event_elapsed)(Event* from, Event* to, double* milliseconds) = nullptr;

  // Between the two, launches, copies and clears on this stream are noted and not run. Host memory of a captured copy must live as
  // long as the graph. Uploads and downloads of memory that is not pinned cannot be captured.
  Result (*capture_begin)(Stream* stream) = nullptr;
  Result (*capture_end)(Stream* stream, StepGraph** graph) = nullptr;
  Result (*graph_launch)(StepGraph* graph, Stream* stream) = nullptr;
  Result (*graph_destroy)(StepGraph* graph) = nullptr;

  Launchers launch;
};

// What the library exports under kPluginEntry, extern "C".
using PluginEntry = const Plugin* (*)();

}  // namespace athanor::device
