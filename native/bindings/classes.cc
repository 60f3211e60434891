// The registration of all classes.
#include "bindings/classes.h"

#include "bindings/ranks/parallel.h"
#include "bindings/ranks/pipeline.h"

namespace athanor::bindings {

void define_classes(Environment& environment, Napi::Env env, Napi::Object exports) {
  const auto define = [&](const char* name, Napi::FunctionReference& reference, Napi::Function constructor) {
    reference = Napi::Persistent(constructor);
    exports.Set(name, constructor);
  };
  define("Cancel", environment.cancel, AddonCancel::define(env));
  define("Variable", environment.variable, AddonVariable::define(env));
  define("Graph", environment.graph, AddonGraph::define(env));
  define("Program", environment.program, AddonProgram::define(env));
  define("Optimizer", environment.optimizer, AddonOptimizer::define(env));
  define("Dataset", environment.dataset, AddonDataset::define(env));
  define("Loop", environment.loop, AddonLoop::define(env));
  define("RankGroup", environment.rank_group, AddonRankGroup::define(env));
  define("Exchange", environment.exchange, AddonExchange::define(env));
  define("ShardedLoop", environment.sharded_loop, AddonShardedLoop::define(env));
  define("PipelineLoop", environment.pipeline_loop, AddonPipelineLoop::define(env));
  define_ranks(env, exports);
}

}  // namespace athanor::bindings
