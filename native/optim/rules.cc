// The table of update_rules/rules.def: names, hyper-parameters and states of every rule, and the rules' own functions behind it.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "base/error.h"
#include "optim/optimizer.h"
#include "optim/passes.h"
#include "update_rules/all.h"

namespace athanor::optim {
namespace {

constexpr Shardable first_of(std::initializer_list<Shardable> kinds) { return *kinds.begin(); }

#define FLAG(name, value) HYPER(name, value, "")
#define HYPER(name, value, interval) {#name, value, interval},
#define STATE(name, init)
#define RULE_BEGIN(id, Type) constexpr HyperInfo k##Type##Hypers[] = {
#define RULE_END(id, Type) \
  }                        \
  ;                        \
  static_assert(sizeof(Type##Hyper) == sizeof(double) * std::size(k##Type##Hypers));
#include "update_rules/rules.def"
#undef HYPER
#undef FLAG
#undef STATE
#undef RULE_BEGIN
#undef RULE_END

#define HYPER(name, value, interval)
#define FLAG(name, value)
#define STATE(name, init) {#name, #init, StateForm::same, StateRange::signs},
#define POSITIVE(name, init) {#name, #init, StateForm::same, StateRange::positive},
#define EXACT(name, init) {#name, #init, StateForm::same, StateRange::exact},
#define SHAPED(name, init, form) {#name, #init, StateForm::form, StateRange::exact},
#define RULE_BEGIN(id, Type) constexpr StateInfo k##Type##States[] = {
#define RULE_END(id, Type) \
  }                        \
  ;
#include "update_rules/rules.def"
#undef STATE
#undef RULE_BEGIN
#undef RULE_END

#define STATE(name, init)
#define SHARDABLE(kind) Shardable::kind,
#define RULE_BEGIN(id, Type) constexpr Shardable k##Type##Shardable = first_of({
#define RULE_END(id, Type) \
  Shardable::elementwise   \
  });
#include "update_rules/rules.def"
#undef RULE_BEGIN
#undef RULE_END

#define RULE_BEGIN(id, Type) {#id, k##Type##Hypers, k##Type##States, k##Type##Shardable, kHasPasses<Type>},
#define RULE_END(id, Type)
constexpr RuleInfo kRules[] = {
#include "update_rules/rules.def"
};
#undef RULE_BEGIN
#undef RULE_END

// Calls visit(Rule{}, hyper) with the rule's own types.
template <class Visit>
auto with_rule(RuleId rule, std::span<const double> hyper, Visit visit) {
  check(rule >= RuleId(0) && rule < RuleId::kCount, Code::internal,
        [&] { return "optim: there is no update rule number " + std::to_string(int(rule)); });
  const RuleInfo& about = kRules[int(rule)];
  check(hyper.size() == about.hypers.size(), Code::internal, [&] {
    return std::string("optim.") + about.name + ": expected " + std::to_string(about.hypers.size()) +
           " hyper-parameters, got " + std::to_string(hyper.size());
  });
  const auto call = [&]<class Rule, class Hyper>(Rule r, Hyper h) {
    std::memcpy(static_cast<void*>(&h), hyper.data(), sizeof h);
    return visit(r, h);
  };
  switch (rule) {
#define RULE_BEGIN(id, Type) \
  case RuleId::id: return call(Type{}, Type##Hyper{});
#define RULE_END(id, Type)
#include "update_rules/rules.def"
#undef HYPER
#undef FLAG
#undef STATE
#undef RULE_BEGIN
#undef RULE_END
    case RuleId::kCount: break;
  }
  return call(Sgd{}, SgdHyper{});
}

}  // namespace

const RuleInfo& info(RuleId rule) { return kRules[int(rule)]; }

RuleId rule_by_name(const char* name) {
  std::string known;
  for (int r = 0; r < kRuleCount; ++r) {
    if (std::strcmp(kRules[r].name, name) == 0) return RuleId(r);
    known += std::string(r ? ", " : "") + kRules[r].name;
  }
  throw Error(Code::argument, std::string("optim: unknown update rule \"") + name + "\", known are " + known);
}

StateCodec codec_by_name(const char* name) {
  constexpr const char* kNames[] = {"f32", "bf16", "8bit", "4bit"};
  for (int c = 0; c < int(std::size(kNames)); ++c)
    if (std::strcmp(kNames[c], name) == 0) return StateCodec(c);
  throw Error(Code::argument,
              std::string("optim: states are \"f32\", \"bf16\", \"8bit\" or \"4bit\", got \"") + name + "\"");
}

namespace {

template <class Rule, class Hyper>
int variant_of(const Hyper& h, bool matrix) {
  if constexpr (kHasPasses<Rule>)
    return Rule::variant(h, matrix);
  else
    return Rule::variant(h);
}

template <class Rule>
constexpr PassRule pass_rule_of() {
  PassRule rule;
  if constexpr (kHasPasses<Rule>) {
    rule.traffic = [](int variant, int pass) { return Rule::traffic(variant, pass); };
    rule.after = &Rule::after;
    if constexpr (requires { &Rule::fit; }) rule.fit = &Rule::fit;
    if constexpr (requires { &Rule::factors; }) rule.factors = &Rule::factors;
    if constexpr (requires { &Rule::begin; }) rule.begin = &Rule::begin;
    if constexpr (requires { &Rule::together; }) rule.together = &Rule::together;
  }
  return rule;
}

#define HYPER(name, value, interval)
#define FLAG(name, value)
#define STATE(name, init)
#define RULE_BEGIN(id, Type) pass_rule_of<Type>(),
#define RULE_END(id, Type)
constexpr PassRule kPassRules[] = {
#include "update_rules/rules.def"
};
#undef HYPER
#undef FLAG
#undef STATE
#undef RULE_BEGIN
#undef RULE_END

}  // namespace

const PassRule* pass_rule(RuleId rule) { return kRules[int(rule)].has_passes ? &kPassRules[int(rule)] : nullptr; }

unsigned state_mask(RuleId rule, std::span<const double> hyper, bool matrix) {
  return with_rule(rule, hyper, [&]<class R>(R, const auto& h) { return R::state_mask(variant_of<R>(h, matrix)); });
}

Group prepare(RuleId rule, std::span<const double> hyper, Index step) {
  check(step >= 1, Code::internal, [&] { return "optim: steps count from 1, got " + std::to_string(step); });
  return with_rule(rule, hyper, [&]<class R>(R, const auto& h) {
    Group group;
    group.rule = rule;
    group.step = step;
    for (const bool matrix : {false, true}) {
      group.variant[matrix] = variant_of<R>(h, matrix);
      group.state_mask[matrix] = R::state_mask(group.variant[matrix]);
    }
    group.sign = gradient_sign(h.maximize);
    R::prepare(h, step, group.scalars);
    return group;
  });
}

}  // namespace athanor::optim
