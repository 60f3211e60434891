// The numeric part of samplers, in a lane of its own: a Gaussian process that is being fitted makes neither steps of a training nor
// predictions wait.
#include "bindings/tune.h"

#include <algorithm>

#include "bindings/environment.h"
#include "bindings/values.h"
#include "tune/cma_sampler.h"
#include "tune/genetic.h"
#include "tune/gp/gp_sampler.h"
#include "tune/importance.h"
#include "tune/numerics/quasi.h"
#include "tune/pareto.h"
#include "tune/tpe.h"

namespace athanor::bindings {
namespace {

using Reals = std::vector<double>;
using Proposal = std::shared_ptr<Reals>;

// A copy of what JavaScript gave, which it may change while the job waits.
struct Search {
  Reals trials, tiers, keys, constraints, pending, fixed, given, options;
  tune::SearchRequest request;
};

Napi::Value from_reals(Napi::Env env, const Reals& reals) {
  return Napi::Float64Array::New(env, reals.size(), copied(env, reals.data(), reals.size() * sizeof(double)), 0);
}

Reals reals_of(const Napi::Object& object, const char* name) { return to_reals(object.Get(name), name); }

// For every dimension: kind, levels, number of conditions, and for each of these the dimension, the number of values, the values.
tune::Dimensions to_dimensions(const Reals& code) {
  tune::Dimensions dims;
  std::size_t at = 0;
  const auto next = [&] {
    check(at < code.size(), Code::argument, [] { return "the description of a space ends too early"; });
    return code[at++];
  };
  const auto count = [&] {
    const double value = next();
    check(value >= 0 && value <= 1e9, Code::argument,
          [] { return "the description of a space has a count out of range"; });
    return static_cast<int>(value);
  };
  while (at < code.size()) {
    tune::Dimension dim;
    dim.kind = static_cast<tune::Dimension::Kind>(count() % 3);
    dim.levels = count();
    for (int left = count(); left > 0; --left) {
      tune::Condition condition{count(), {}};
      check(condition.on < static_cast<int>(dims.size()), Code::argument,
            [] { return "a condition of a space names a parameter that comes later"; });
      for (int values = count(); values > 0; --values) condition.values.push_back(next());
      dim.conditions.push_back(std::move(condition));
    }
    dims.push_back(std::move(dim));
  }
  return dims;
}

tune::Table to_table(const Reals& reals, int width, const char* what) {
  check(width > 0 && reals.size() % static_cast<std::size_t>(width) == 0, Code::argument,
        [&] { return std::string(what) + " must have whole rows"; });
  return {reals.data(), static_cast<int>(reals.size()) / width, width};
}

std::shared_ptr<Search> to_search(const Napi::Object& object) {
  const auto search = std::make_shared<Search>();
  tune::SearchRequest& request = search->request;
  request.dims = to_dimensions(reals_of(object, "space"));
  search->trials = reals_of(object, "trials");
  search->tiers = reals_of(object, "tiers");
  search->keys = reals_of(object, "keys");
  search->constraints = reals_of(object, "constraints");
  search->pending = reals_of(object, "pending");
  search->fixed = reals_of(object, "fixed");
  search->given = reals_of(object, "given");
  search->options = reals_of(object, "options");
  const int width = request.width();
  request.trials = to_table(search->trials, width, "trials");
  request.pending = to_table(search->pending, width, "pending");
  const auto rows = static_cast<std::size_t>(request.trials.rows);
  check(search->tiers.size() == rows && (search->fixed.empty() || search->fixed.size() == request.dims.size()),
        Code::argument, [] { return "tiers and fixed must fit the trials"; });
  request.standing.objectives = static_cast<int>(to_index(object.Get("objectives"), "objectives"));
  const int keys = rows == 0 ? request.standing.objectives : static_cast<int>(search->keys.size() / rows);
  request.standing.tiers = search->tiers.data();
  request.standing.keys = to_table(search->keys, std::max(1, keys), "keys");
  check(request.standing.keys.rows == request.trials.rows && keys >= request.standing.objectives, Code::argument,
        [] { return "keys must fit the trials and have every objective"; });
  if (rows > 0 && !search->constraints.empty())
    request.constraints =
        to_table(search->constraints, static_cast<int>(search->constraints.size() / rows), "constraints");
  check(request.constraints.rows == 0 || request.constraints.rows == request.trials.rows, Code::argument,
        [] { return "constraints must fit the trials"; });
  if (!search->fixed.empty()) request.fixed = search->fixed.data();
  request.seed = static_cast<std::uint64_t>(to_index(object.Get("seed"), "seed"));
  request.number = static_cast<std::uint32_t>(to_index(object.Get("number"), "number"));
  return search;
}

Reals candidates(const std::string& sampler, const Search& search) {
  const Reals& options = search.options;
  const auto option = [&](std::size_t i) {
    check(i < options.size(), Code::argument, [] { return "an option of the sampler is missing"; });
    return options[i];
  };
  const int width = search.request.width();
  if (sampler == "tpe")
    return tune::tpe_candidates(search.request, static_cast<int>(option(0)), to_table(search.given, width, "given"));
  if (sampler == "gp") return tune::gp_candidates(search.request, to_table(search.given, width, "given"));
  if (sampler == "cma") {
    const tune::CmaOptions strategy{static_cast<int>(option(0)), option(1), option(2) != 0,
                                    static_cast<tune::Restarts>(static_cast<int>(option(3)) % 3)};
    return tune::cma_candidates(search.request, strategy);
  }
  if (sampler == "nsga2")
    return tune::genetic_candidates(search.request, {std::max(2, static_cast<int>(option(0))), option(1)});
  throw Error(Code::argument, "there is no sampler \"" + sampler + "\"");
}

}  // namespace

Napi::Value propose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string sampler = to_text(info[0], "a sampler");
    check(info[1].IsObject(), Code::argument, [] { return "a request must be an object"; });
    const std::shared_ptr<Search> search = to_search(info[1].As<Napi::Object>());
    const auto rows = std::make_shared<Reals>();
    return Environment::of(info.Env())
        .submit(
            Environment::Lane::search, std::make_shared<std::atomic<bool>>(false),
            [=] { *rows = candidates(sampler, *search); }, [rows](Napi::Env env) { return from_reals(env, *rows); });
  });
}

Napi::Value quasi_point(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string sequence = to_text(info[0], "a sequence");
    const auto seed = static_cast<std::uint64_t>(to_index(info[1], "seed"));
    const auto index = static_cast<std::uint32_t>(to_index(info[2], "index"));
    const Index dimensions = to_index(info[3], "dimensions");
    check(dimensions >= 0 && dimensions <= 1 << 20, Code::argument, [] { return "dimensions must be 0 to 2^20"; });
    const auto point = sequence == "halton" ? tune::halton_point : tune::sobol_point;
    return from_reals(info.Env(), point(seed, index, static_cast<int>(dimensions)));
  });
}

Napi::Value nondominated_ranks(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Reals values = to_reals(info[0], "values");
    const std::vector<int> ranks =
        tune::nondominated_ranks(to_table(values, static_cast<int>(to_index(info[1], "objectives")), "values"));
    return from_reals(info.Env(), Reals(ranks.begin(), ranks.end()));
  });
}

Napi::Value hypervolume(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto values = std::make_shared<Reals>(to_reals(info[0], "values"));
    const auto reference = std::make_shared<Reals>(to_reals(info[1], "reference"));
    const auto volume = std::make_shared<double>(0);
    const tune::Table table = to_table(*values, static_cast<int>(reference->size()), "values");
    return Environment::of(info.Env())
        .submit(
            Environment::Lane::search, std::make_shared<std::atomic<bool>>(false),
            [=, kept = values] { *volume = tune::hypervolume(table, reference->data()); },
            [volume](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, *volume); });
  });
}

Napi::Value importance(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    struct Job {
      tune::Dimensions dims;
      Reals rows, values, result;
      tune::ForestOptions options;
    };
    const std::string method = to_text(info[0], "a method");
    const auto job = std::make_shared<Job>();
    job->dims = to_dimensions(to_reals(info[1], "space"));
    job->rows = to_reals(info[2], "rows"), job->values = to_reals(info[3], "values");
    job->options.trees = static_cast<int>(std::clamp<Index>(to_index(info[4], "trees"), 1, 10000));
    job->options.seed = static_cast<std::uint64_t>(to_index(info[5], "seed"));
    const tune::Table table = to_table(job->rows, std::max(1, static_cast<int>(job->dims.size())), "rows");
    check(static_cast<std::size_t>(table.rows) == job->values.size(), Code::argument,
          [] { return "values must fit the rows"; });
    return Environment::of(info.Env())
        .submit(
            Environment::Lane::search, std::make_shared<std::atomic<bool>>(false),
            [=] {
              const auto by = method == "permutation" ? tune::permutation_importance : tune::fanova_importance;
              job->result = by(job->dims, table, job->values, job->options);
            },
            [job](Napi::Env env) { return from_reals(env, job->result); });
  });
}

}  // namespace athanor::bindings
