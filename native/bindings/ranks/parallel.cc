// What JavaScript sees of ranks: joining them, groups, the exchange of gradients and the loop over it.
// Long because all of it crosses here, and nothing is computed.
#include "bindings/ranks/parallel.h"

#include "bindings/loops.h"
#include "bindings/values.h"
#include "comm/launcher.h"
#include "comm/transfers.h"
#include "comm/world.h"
#include "ops/comm/parameter_pages.h"

namespace athanor::bindings {
namespace {

using Lane = Environment::Lane;

// launcher(): { name, rank, size }; name is "" where nothing has started this process as a rank.
Napi::Value launcher(const Napi::CallbackInfo& info) {
  const comm::Launcher found = comm::launcher();
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("name", found.name);
  object.Set("rank", found.rank);
  object.Set("size", found.size);
  return object;
}

// connect(deadline in ms): Promise<{ rank, size, name, hosts }>
Napi::Value connect(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto deadline = std::chrono::milliseconds(to_index(info[0], "a deadline"));
    return submit(
        info.Env(), [deadline] { comm::connect(deadline); },
        [](Napi::Env env) -> Napi::Value {
          const auto world = connected();
          Napi::Object object = Napi::Object::New(env);
          object.Set("rank", world->rank());
          object.Set("size", world->size());
          object.Set("name", world->name());
          Napi::Array hosts = Napi::Array::New(env);
          for (const std::string& host : world->hosts()) hosts.Set(hosts.Length(), host);
          object.Set("hosts", hosts);
          return object;
        });
  });
}

std::vector<std::string> gather_texts(const std::string& own, const std::string& what) {
  const auto world = connected();
  const std::size_t size = static_cast<std::size_t>(world->size());
  std::vector<std::int64_t> lengths(size, 0);
  lengths[static_cast<std::size_t>(world->rank())] = static_cast<std::int64_t>(own.size());
  std::vector<comm::Piece> pieces;
  for (std::size_t r = 0; r < size; ++r) pieces.push_back({static_cast<int>(r), &lengths[r], sizeof(std::int64_t)});
  world->run(world->world(), {"all-gather", what, 8, -1}, comm::all_gather(world->rank(), pieces));
  std::vector<std::string> texts;
  for (const std::int64_t length : lengths) texts.emplace_back(static_cast<std::size_t>(length), ' ');
  texts[static_cast<std::size_t>(world->rank())] = own;
  for (std::size_t r = 0; r < size; ++r) pieces[r] = {static_cast<int>(r), texts[r].data(), lengths[r]};
  world->run(world->world(), {"all-gather", what, static_cast<Index>(own.size()), -1},
             comm::all_gather(world->rank(), pieces));
  return texts;
}

// gatherTexts(text, what): Promise<string[]>, one a rank
Napi::Value gather_texts_of(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string own = to_text(info[0], "a text"), what = to_text(info[1], "a name");
    const auto texts = std::make_shared<std::vector<std::string>>();
    return submit(
        info.Env(), [=] { *texts = gather_texts(own, what); },
        [texts](Napi::Env env) -> Napi::Value {
          Napi::Array array = Napi::Array::New(env);
          for (const std::string& text : *texts) array.Set(array.Length(), text);
          return array;
        });
  });
}

// failRanks(operation, step, sentence): void — this rank cannot go on; all are told
Napi::Value fail_ranks(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const double step = info[1].ToNumber().DoubleValue();
    if (const auto world = comm::world())
      world->fail(to_text(info[0], "an operation"), static_cast<std::int64_t>(step), to_text(info[2], "a sentence"));
    return info.Env().Undefined();
  });
}

// ranksFailure(): { rank, host, operation, step } | undefined
Napi::Value ranks_failure(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto world = comm::world();
    const auto failure = world ? world->failure() : std::nullopt;
    if (!failure) return info.Env().Undefined();
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("rank", failure->rank);
    object.Set("host", failure->host);
    object.Set("operation", failure->operation);
    object.Set("step", static_cast<double>(failure->step));
    return object;
  });
}

// ranksLedger(): { name, calls, sent, received, seconds }[]
Napi::Value ranks_ledger(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Napi::Array rows = Napi::Array::New(info.Env());
    const auto world = comm::world();
    if (!world) return rows;
    for (const auto& [name, row] : world->ledger()) {
      Napi::Object object = Napi::Object::New(info.Env());
      object.Set("name", name);
      object.Set("calls", static_cast<double>(row.calls));
      object.Set("sent", static_cast<double>(row.sent));
      object.Set("received", static_cast<double>(row.received));
      object.Set("seconds", row.seconds);
      rows.Set(rows.Length(), object);
    }
    return rows;
  });
}

// noteExit(code): void
Napi::Value note_exit(const Napi::CallbackInfo& info) {
  comm::note_exit(info[0].ToNumber().Int32Value());
  return info.Env().Undefined();
}

}  // namespace

std::shared_ptr<comm::Communicator> connected() {
  auto world = comm::world();
  check(world != nullptr, Code::internal, [] { return "parallel: not connected"; });
  return world;
}

Napi::Promise submit(Napi::Env env, std::function<void()> work, std::function<Napi::Value(Napi::Env)> settle) {
  if (!settle) settle = [](Napi::Env env) -> Napi::Value { return env.Undefined(); };
  return Environment::of(env).submit(Environment::Lane::bulk, std::make_shared<std::atomic<bool>>(false),
                                     std::move(work), std::move(settle));
}

void define_ranks(Napi::Env env, Napi::Object exports) {
  define_rank_variables(env, exports);
  exports.Set("launcher", Napi::Function::New(env, launcher, "launcher"));
  exports.Set("connect", Napi::Function::New(env, connect, "connect"));
  exports.Set("gatherTexts", Napi::Function::New(env, gather_texts_of, "gatherTexts"));
  exports.Set("failRanks", Napi::Function::New(env, fail_ranks, "failRanks"));
  exports.Set("ranksFailure", Napi::Function::New(env, ranks_failure, "ranksFailure"));
  exports.Set("ranksLedger", Napi::Function::New(env, ranks_ledger, "ranksLedger"));
  exports.Set("noteExit", Napi::Function::New(env, note_exit, "noteExit"));
}

// new Exchange(shards, buckets: { elements: number[], detail: string, scatter?: boolean, part?: boolean }[], group?)
AddonExchange::AddonExchange(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    const Napi::Array array = info[1].As<Napi::Array>();
    std::vector<GradientBucket> buckets;
    for (std::uint32_t b = 0; b < array.Length(); ++b) {
      const Napi::Object entry = array.Get(b).As<Napi::Object>();
      GradientBucket bucket{{},
                            to_text(entry.Get("detail"), "a bucket's name"),
                            entry.Get("scatter").ToBoolean(),
                            entry.Get("part").ToBoolean()};
      const Napi::Array elements = entry.Get("elements").As<Napi::Array>();
      for (std::uint32_t i = 0; i < elements.Length(); ++i)
        bucket.elements.push_back(to_index(elements.Get(i), "elements of a tensor"));
      buckets.push_back(std::move(bucket));
    }
    const auto world = connected();
    const auto& group =
        info[2].IsObject()
            ? unwrap<AddonRankGroup>(info[2], Environment::of(info.Env()).rank_group, "group").get()->group()
            : world->world();
    exchange_ = std::make_shared<GradientExchange>(world, group, static_cast<int>(to_index(info[0], "shards")),
                                                   std::move(buckets));
    Environment::of(info.Env()).report_memory(info.Env());
  });
}

Napi::Function AddonExchange::define(Napi::Env env) {
  return DefineClass(env, "Exchange",
                     {
                         InstanceAccessor("bytes", &AddonExchange::bytes, nullptr),
                         InstanceMethod("page", &AddonExchange::page),
                         InstanceMethod("gatherParameters", &AddonExchange::gather_parameters),
                         InstanceMethod("leaveParameters", &AddonExchange::leave_parameters),
                         InstanceMethod("dispose", &AddonExchange::dispose),
                     });
}

// page(optimizer): void — its parameters are gathered where the passes of a shard read them
Napi::Value AddonExchange::page(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& optimizer = unwrap<AddonOptimizer>(info[0], Environment::of(info.Env()).optimizer, "optimizer").get();
    get()->set_pages(std::make_shared<ParameterPages>(optimizer));
    return info.Env().Undefined();
  });
}

// gatherParameters(): Promise<void> — all of them are there until the next step
Napi::Value AddonExchange::gather_parameters(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return submit(info.Env(), [pages = get()->pages()] { pages->gather_all(); });
  });
}

// leaveParameters(): void — those that are not there become NaN
Napi::Value AddonExchange::leave_parameters(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (get()->pages() != nullptr) get()->pages()->leave();
    return info.Env().Undefined();
  });
}

// bytes: { kept, passing, parameters? }: the last where they are divided
Napi::Value AddonExchange::bytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const GradientExchange::Bytes bytes = get()->bytes();
    Napi::Object object = Napi::Object::New(info.Env());
    if (get()->pages() != nullptr) object.Set("parameters", static_cast<double>(get()->pages()->resident_bytes()));
    object.Set("kept", static_cast<double>(bytes.kept));
    object.Set("passing", static_cast<double>(bytes.passing));
    return object;
  });
}

Napi::Value AddonExchange::dispose(const Napi::CallbackInfo& info) {
  exchange_.reset();
  Environment::of(info.Env()).report_memory(info.Env());
  return info.Env().Undefined();
}

// new RankGroup(name, groups: number[][] | undefined): the one of these groups that this rank is in; without them that of all ranks
AddonRankGroup::AddonRankGroup(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    if (info[0].IsExternal()) {
      group_ = *info[0].As<Napi::External<std::shared_ptr<RankGroup>>>().Data();
      return;
    }
    const auto world = connected();
    std::shared_ptr<comm::Group> group = world->world();
    if (info[1].IsArray()) {
      std::vector<std::vector<int>> groups;
      const Napi::Array list = info[1].As<Napi::Array>();
      for (std::uint32_t g = 0; g < list.Length(); ++g) {
        const Napi::Array members = list.Get(g).As<Napi::Array>();
        std::vector<int>& ranks = groups.emplace_back();
        for (std::uint32_t i = 0; i < members.Length(); ++i)
          ranks.push_back(static_cast<int>(to_index(members.Get(i), "a rank")));
      }
      group = world->split(groups);
    }
    check(group != nullptr, Code::argument, [] { return "parallel: this rank is in none of the groups"; });
    group_ = std::make_shared<RankGroup>(world, std::move(group), to_text(info[0], "a name"));
  });
}

Napi::Object AddonRankGroup::wrap(Napi::Env env, std::shared_ptr<RankGroup> group) {
  return Environment::of(env).rank_group.New({Napi::External<std::shared_ptr<RankGroup>>::New(env, &group)});
}

Napi::Function AddonRankGroup::define(Napi::Env env) {
  return DefineClass(env, "RankGroup",
                     {
                         InstanceMethod("ranks", &AddonRankGroup::ranks),
                         InstanceMethod("rank", &AddonRankGroup::rank),
                     });
}

Napi::Value AddonRankGroup::ranks(const Napi::CallbackInfo& info) {
  Napi::Array ranks = Napi::Array::New(info.Env());
  for (const int rank : group_->group()->ranks()) ranks.Set(ranks.Length(), rank);
  return ranks;
}

Napi::Value AddonRankGroup::rank(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), group_->rank());
}

// new ShardedLoop({ shards: { rows, program }[], update, dataset, exchange, tensors: string[][], rows, hyper: string[],
// kind: "rows" | "count" | "sum", gradientBuckets })
AddonShardedLoop::AddonShardedLoop(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    Environment& environment = Environment::of(info.Env());
    const Napi::Object given = info[0].As<Napi::Object>();
    ShardedLoopConfig config;
    const Napi::Array shards = given.Get("shards").As<Napi::Array>();
    for (std::uint32_t i = 0; i < shards.Length(); ++i) {
      const Napi::Object entry = shards.Get(i).As<Napi::Object>();
      config.shards.push_back({to_index(entry.Get("rows"), "rows of a shard"),
                               unwrap<AddonProgram>(entry.Get("program"), environment.program, "program").get()});
    }
    config.update = unwrap<AddonProgram>(given.Get("update"), environment.program, "program").get();
    config.dataset = unwrap<AddonDataset>(given.Get("dataset"), environment.dataset, "data set").get();
    config.exchange = unwrap<AddonExchange>(given.Get("exchange"), environment.exchange, "exchange").get();
    const Napi::Array tensors = given.Get("tensors").As<Napi::Array>();
    for (std::uint32_t b = 0; b < tensors.Length(); ++b) config.tensors.push_back(to_names(tensors.Get(b)));
    config.rows = to_index(given.Get("rows"), "rows of a batch");
    config.hyper = to_names(given.Get("hyper"));
    config.kind = to_loss_kind(given.Get("kind"));
    config.gradient_buckets = static_cast<int>(to_index(given.Get("gradientBuckets"), "buckets of gradients"));
    loop_ = std::make_shared<ShardedLoop>(std::move(config));
  });
}

Napi::Function AddonShardedLoop::define(Napi::Env env) {
  return DefineClass(env, "ShardedLoop",
                     {
                         InstanceMethod("run", &AddonShardedLoop::run),
                         InstanceMethod("dispose", &AddonShardedLoop::dispose),
                     });
}

// run(…): as Loop.run
Napi::Value AddonShardedLoop::run(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return run_loop(info, alive(loop_, "loop")); });
}

Napi::Value AddonShardedLoop::dispose(const Napi::CallbackInfo& info) {
  loop_.reset();
  Environment::of(info.Env()).report_memory(info.Env());
  return info.Env().Undefined();
}

}  // namespace athanor::bindings
